"""Rankings kept beside an atlas: `ATLAS/rankings/NAME`, one file for all targets that were ranked together.

The table `units` has a row for each target and unit; the record says method, parameters, seed, and which atlas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unitscope.annex import annexes, read_annex, write_annex
from unitscope.errors import RankingError, closest
from unitscope.rankings.base import ALL, Origin, Ranking, split_address

if TYPE_CHECKING:
    from unitscope.atlas import Atlas

KIND, TABLE = "rankings", "units"


def save(
    atlas: Atlas,
    name: str,
    rankings: Sequence[Ranking],
    tables: Mapping[str, Mapping[str, NDArray[Any]]] = MappingProxyType({}),
) -> None:
    """Keep rankings of one origin under a name, in place of those that were there; `tables` are kept beside them.

    Raises RankingError where they are of another atlas, have units that this one has not, or several origins.
    """
    if not rankings:
        raise RankingError("Got no rankings to keep.", expected="one or more")
    origin = rankings[0].origin
    if any(each.origin != origin for each in rankings):
        raise RankingError("Got rankings of several origins under one name.", fix="Keep each under its own name.")
    targets = [each.target for each in rankings]
    if len(set(targets)) < len(targets):
        raise RankingError("Got two rankings for one target under one name.", expected="one ranking a target")
    check(atlas, rankings)
    columns: dict[str, list[Any]] = {name: [] for name in ("target", "rank", "layer", "unit", "score")}
    for ranking in rankings:
        places = [split_address(unit) for unit in ranking.units]
        columns["target"] += [ranking.target] * len(ranking)
        columns["rank"] += range(1, len(ranking) + 1)
        columns["layer"] += [layer for layer, _ in places]
        columns["unit"] += [unit for _, unit in places]
        columns["score"] += ranking.scores.tolist()
    table = {
        "target": np.array(columns["target"], object),
        "rank": np.array(columns["rank"], np.int64),
        "layer": np.array(columns["layer"], object),
        "unit": np.array(columns["unit"], np.int64),
        "score": np.array(columns["score"], np.float64),
    }
    about = {"method": origin.method, "parameters": dict(origin.parameters), "seed": origin.seed, "targets": targets}
    write_annex(atlas, KIND, name, {TABLE: table, **tables}, about)


def load(atlas: Atlas, name: str) -> tuple[Ranking, ...]:
    """Rankings kept under a name. Raises StoreError where there are none, or they are corrupted or of another atlas."""
    annex = read_annex(atlas, KIND, name)
    origin = Origin(annex.about["method"], annex.about["parameters"], annex.about["seed"], annex.parent)
    units: dict[str, list[str]] = {}
    scores: dict[str, list[float]] = {}
    for row in annex.rows(TABLE):
        units.setdefault(row["target"], []).append(f"{row['layer']}:{row['unit']}")
        scores.setdefault(row["target"], []).append(row["score"])
    return tuple(Ranking(tuple(units[at]), np.array(scores[at]), at, origin) for at in annex.about["targets"])


def names(atlas: Atlas) -> list[str]:
    """Names under which rankings are kept beside an atlas."""
    return list(annexes(atlas, KIND))


def of_target(rankings: Iterable[Ranking], target: str = ALL) -> Ranking:
    """The ranking for a target. Raises RankingError where there is none."""
    found = {each.target: each for each in rankings}
    if target not in found:
        raise RankingError(
            f"No ranking for '{target}' here.",
            expected=f"one of {', '.join(list(found)[:20])}",
            fix=closest(target, found),
        )
    return found[target]


def check(atlas: Atlas, rankings: Iterable[Ranking]) -> None:
    """Raise RankingError where rankings are of another atlas or have units that this atlas has not."""
    widths = {each["address"]: int(each["width"]) for each in atlas.manifest["study"]["layers"]}
    for ranking in rankings:
        ranking.check_parent(str(atlas.manifest["key"]))
        for unit in ranking.units:
            layer, index = split_address(unit)
            if index >= widths.get(layer, 0):
                raise RankingError(
                    f"The ranking by {ranking.origin.method} has the unit '{unit}', which this atlas has not.",
                    expected="a ranking of this atlas' layers",
                    fix=closest(layer, widths),
                )
