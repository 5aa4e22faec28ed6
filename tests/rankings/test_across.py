"""Rankings across models by name: the order of the scores that the methods give, and what is kept beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import unitscope
from unitscope.activations import Activations
from unitscope.atlas import Atlas
from unitscope.errors import RankingError

Make = Callable[..., Activations]


@pytest.fixture
def models(made: Make) -> tuple[Activations, Activations, Activations]:
    """Three models over the same sites: the second has the first's `one:0` and `two:1`, the third only `two:1`."""
    first, rest = made(), (made(1), made(2))
    found = [first]
    for i, each in enumerate(rest):
        values = {name: each.values(each.columns([name])) for name in ("one", "two")}
        random = np.random.default_rng(9 + i)
        values["one"][:, 4] = -first.values()[:, 6] + 0.1 * random.normal(size=400)
        if i == 0:
            values["two"][:, 3] = first.values()[:, 0] + 0.01 * random.normal(size=400)
        groups = [first.groups[g] for g in first.group]
        found.append(Activations.of_arrays(values, first.concepts, groups=groups))
    return found[0], found[1], found[2]


def naive(x: Activations, others: list[Activations], least: bool) -> dict[str, float]:
    found = {}
    for address, column in zip(x.addresses, x.values().T.astype(np.float64)):
        if not np.isfinite(column).all() or column.std() == 0:
            continue
        by_model = []
        for other in others:
            rho = [
                abs(np.corrcoef(column, theirs)[0, 1])
                for theirs in other.values().T.astype(np.float64)
                if np.isfinite(theirs).all() and theirs.std() > 0
            ]
            by_model.append(max(rho))
        found[address] = min(by_model) if least else max(by_model)
    return found


@pytest.mark.parametrize("by", ["maxcorr", "mincorr"])
def test_correlations_are_those_of_plain_loops(models: tuple[Activations, ...], by: str) -> None:
    first, *others = models
    (found,) = unitscope.rank(first, by=by, others=others)
    expected = naive(first, others, by == "mincorr")
    assert dict(zip(found.units, found.scores.tolist())) == pytest.approx(expected, abs=1e-5)
    assert found.top(1) == (("one:0",) if by == "maxcorr" else ("two:1",))
    assert set(found.origin.parameters["others"]) == {"activations 1", "activations 2"}
    assert found.origin.parameters["sites"] == 400
    (some,) = unitscope.rank(first, by=by, others=others, layers=["two"])
    assert some.units == tuple(unit for unit in found.units if unit.startswith("two:"))
    (on_a,) = unitscope.rank(first, by=by, others=others, half="a")
    assert on_a.scores.tolist() != found.scores.tolist()


@pytest.mark.parametrize("by", ["linreg", "svcca:variance=0.9"])
def test_units_that_every_model_has_come_first(models: tuple[Activations, ...], by: str) -> None:
    first, *others = models
    (worst,) = unitscope.rank(first, by=by, others=others)
    (best,) = unitscope.rank(first, by=f"{by}{',' if ':' in by else ':'}best=true", others=others)
    assert worst.top(1) == ("two:1",)
    assert set(best.top(2)) == {"one:0", "two:1"}


def test_details_are_kept_beside_the_order(atlas: Atlas) -> None:
    from pyarrow import parquet

    other = f"{atlas.path}:encoder.layer.0"
    unitscope.rank(atlas, by="maxcorr", others=[other], layers=["encoder.layer.1"], name="max")
    table = parquet.read_table(atlas.path / "rankings" / "max.others.parquet").to_pylist()
    assert len(table) == 16
    assert {row["model"] for row in table} == {"atlas"}
    assert {row["partner_layer"] for row in table} == {"encoder.layer.0"}
    assert all(-1 <= row["rho"] <= 1 and 0 <= row["partner_unit"] < 16 for row in table)


def test_other_models_are_needed(made: Make, tmp_path: Path) -> None:
    with pytest.raises(RankingError, match="Got no other model"):
        unitscope.rank(made(), by="maxcorr")
    with pytest.raises(RankingError, match=r"Got half 'a' for rankings by linreg. Expected: b"):
        unitscope.rank(made(), by="linreg", half="a", others=[made(1)])
