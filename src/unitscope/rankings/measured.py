"""Rankings from what an atlas holds already: scores of its measures, and effects of its matches on half B.

A measure's stored scores are over all sites. Where a ranking is to be judged on half B they are computed anew on half
A, from activations. A unit that is low where a concept holds detects it as well as one that is high: measures of the
whole scale are mirrored about the score of an unrelated unit, and of measures of one end the better end counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import RankingError, UnknownLayerError, closest
from unitscope.rankings.asked import Half, Method, Source, refuse_half
from unitscope.rankings.base import ALL, Ranking

if TYPE_CHECKING:
    from unitscope.atlas import Atlas
    from unitscope.measures.base import Measure

Floats = NDArray[np.float64]
End = Literal["both", "upper", "lower"]
EFFECTS = ("auroc", "low", "within_form", "within_form_position")
UNITS_AT_A_TIME = 512


@dataclass(frozen=True)
class Measured(Method):
    """Scores of a measure: for a concept, or for all as the greatest over concepts of standardised scores.

    `end` is where a unit may detect: at either end of its scale, or only where it is high (`upper`) or low (`lower`).
    For `all`, how far scores lie from that of an unrelated unit is divided, concept by concept, by the root mean square
    over units, so that a frequent concept (whose average precision or IoU is high for any unit) does not come first.
    """

    name: ClassVar[str] = "measure"
    measure: str = "auroc"
    end: End = "both"

    def __post_init__(self) -> None:
        if self.end not in ("both", "upper", "lower"):
            raise RankingError(f"Got end={self.end}.", expected="both, upper or lower")

    def rank(self, source: Source) -> list[Ranking]:
        """Rankings by concept, of a category also for `all`; without concepts only for `all`."""
        half: Half = source.half("all")
        folds = stored(source, self) if half == "all" and source.atlas is not None else computed(source, self, half)
        category, concepts = source.question.category, source.question.concepts
        names = _chosen_concepts(folds, category, concepts)
        origin = self.origin(source, half, ends=list(folds.ends))
        found = []
        if not concepts:
            eligible = [name for name in names if name in folds.eligible]
            found.append(Ranking.of_scores(folds.best(eligible), folds.addresses, ALL, origin))
        if concepts or category:
            found += _rankings_by_concept(folds, names, origin)
        return found


def _rankings_by_concept(folds: Scored, names: Sequence[str], origin: Any) -> list[Ranking]:
    return [
        Ranking.of_scores(folds.of(name), folds.addresses, name, origin)
        for name in names
        if not np.isnan(folds.of(name)).all()
    ]


@dataclass(frozen=True)
class Scored:
    """Scores [U, C] of units for concepts, greater for better detectors, NaN where undefined.

    `null` is what an unrelated unit scores, or None where that depends on the concept. `eligible` are names of concepts
    with enough sites to be chosen; `ends` are the ends of units' scales that were looked at.
    """

    addresses: Sequence[str]
    names: Sequence[str]
    categories: Sequence[str]
    eligible: frozenset[str]
    scores: Floats
    null: float | None
    ends: tuple[str, ...] = ()

    def of(self, name: str) -> Floats:
        """Scores [U] for one concept."""
        return self.scores[:, list(self.names).index(name)]

    def best(self, names: Sequence[str]) -> Floats:
        """Greatest standardised score over concepts [U]; NaN where a unit has none."""
        chosen = self.scores[:, [list(self.names).index(name) for name in names]]
        return best_standardised(chosen, self.null)


def best_standardised(scores: Floats, null: float | None) -> Floats:
    """Greatest over concepts of (score − null) / root mean square over units, [U, C] to [U].

    Without a `null` that holds for all concepts, each concept's median over units stands for it. A concept for which
    all units score the same counts as 0.
    """
    if not scores.shape[1]:
        return np.full(len(scores), np.nan)
    here = ~np.isnan(scores)
    if null is None:
        middle = np.array([np.median(column[ok]) if ok.any() else 0.0 for column, ok in zip(scores.T, here.T)])
        gaps = np.where(here, scores - middle, 0.0)
    else:
        gaps = np.where(here, scores - null, 0.0)
    spread = np.sqrt((gaps**2).sum(axis=0) / np.maximum(here.sum(axis=0), 1))
    standard = np.where(here, gaps / np.where(spread > 0, spread, 1.0), -np.inf).max(axis=1)
    return np.where(here.any(axis=1), standard, np.nan)


def mirrored(scores: Floats, measure: Measure, end: End) -> Floats:
    """Scores of a measure of the whole scale, turned so that more is a better detector at the end asked for."""
    if measure.ends != "both" or measure.null is None or end == "upper":
        return scores
    found: Floats = measure.null + (np.abs(scores - measure.null) if end == "both" else measure.null - scores)
    return found


def kinds_of(measure: str, end: End, known: Mapping[str, Any]) -> list[tuple[str, Measure]]:
    """Keys and measures of an atlas whose scores are needed: both ends of a measure of one end, where it has them.

    Raises RankingError for an unknown measure, or one that the atlas does not have at this end.
    """
    from unitscope.measures import measures

    if measure not in known:
        raise RankingError(
            f"No measure '{measure}' in this atlas.",
            expected=f"one of {', '.join(known)}",
            fix=closest(measure, known),
        )
    made = {key: measures()[each["name"]](**each["parameters"]) for key, each in known.items()}
    if made[measure].ends == "both":
        return [(measure, made[measure])]
    same = [(key, each) for key, each in made.items() if each.name == made[measure].name]
    if measure != made[measure].name:  # the key of one end, such as iou_lower
        same = [(measure, made[measure])]
    chosen = [(key, each) for key, each in same if end in ("both", each.ends)]
    if not chosen:
        raise RankingError(f"Measure '{measure}' does not look at the {end} end.", fix="Leave end= out.")
    return chosen


def stored(source: Source, method: Measured) -> Scored:
    """Scores that the atlas holds, over all sites, of the layers asked for."""
    atlas = source.atlas
    assert atlas is not None
    kinds = kinds_of(method.measure, method.end, atlas.manifest["measures"])
    rows = {row["concept"]: row for row in atlas.concepts()}
    names = list(rows)
    at = {name: i for i, name in enumerate(names)}
    parts, addresses = [], []
    for layer in chosen_layers(atlas, source.question.layers):
        own = [at[name] for name in atlas.concept_names(layer)]
        found = [mirrored(atlas.scores(key, layer).astype(np.float64), each, method.end) for key, each in kinds]
        part = np.full((len(found[0]), len(names)), np.nan)
        part[:, own] = np.fmax.reduce(found)
        part[[row["unit"] for row in atlas.units(layer) if row["status"] in ("constant", "nan")]] = np.nan
        parts.append(part)
        addresses += [f"{layer}:{unit}" for unit in range(len(part))]
    categories = [rows[name]["category"] for name in names]
    eligible = frozenset(row["concept"] for row in atlas.concepts() if row["eligible"])
    ends = tuple(each.ends for _, each in kinds)
    return Scored(addresses, names, categories, eligible, np.concatenate(parts), kinds[0][1].null, ends)


def computed(source: Source, method: Measured, half: Half) -> Scored:
    """Scores of the measure on the sites of one half, from activations."""
    from unitscope.measures import default_measures, parse_measure

    activations = source.activations
    known = {each.key: {"name": each.name, "parameters": each.parameters} for each in default_measures()}
    for each in source.atlas.manifest["measures"].values() if source.atlas is not None else ():
        made = [replace(parse_measure(each["name"]), **each["parameters"])]
        if "tail" in each["parameters"]:
            made.append(replace(made[0], tail="lower" if made[0].ends == "upper" else "upper"))  # type: ignore[call-arg]
        known |= {one.key: {"name": one.name, "parameters": one.parameters} for one in made}
    kinds = kinds_of(method.measure, method.end, known)
    keep = source.kept(half)
    table = activations.concepts if keep is None else activations.concepts.select_sites(keep)
    parts = []
    for start in range(0, len(source.columns), UNITS_AT_A_TIME):
        source.tick("scoring units", start, len(source.columns))
        values = activations.values(source.columns[start : start + UNITS_AT_A_TIME], keep)
        parts.append(np.fmax.reduce([mirrored(_scores(each, values, table), each, method.end) for _, each in kinds]))
    enough = frozenset(name for name, n in zip(table.names, table.counts().tolist()) if n >= 20)
    ends = tuple(each.ends for _, each in kinds)
    null = kinds[0][1].null
    return Scored(source.addresses, table.names, table.categories, enough, np.concatenate(parts), null, ends)


def _scores(measure: Measure, values: NDArray[np.float32], table: Any) -> Floats:
    """Scores [U, C] of values [S, U], each concept over the sites where it is known; NaN for units with NaN."""
    from unitscope.arrays import halves_scale, to_keys
    from unitscope.stats.view import Columns, View

    found = np.full((values.shape[1], table.n_concepts), np.nan)
    whole = np.isfinite(values).all(axis=0) & (values.min(axis=0) < values.max(axis=0))
    turned = np.ascontiguousarray(values[:, whole].T)
    if not turned.size:
        return found
    scale = halves_scale(np.abs(turned).max(axis=1))
    keys = to_keys((turned / scale[:, None]).astype(np.float16))
    columns = Columns(table.indptr, table.sites, table.n_sites)
    for concepts, known in table.universes():
        chosen = Columns.from_masks(np.stack([columns.mask(c) for c in concepts], axis=1))
        view = View(keys, chosen, scale)
        if known is not None:
            view = View(np.ascontiguousarray(keys[:, known]), chosen.at(known), scale)
        found[np.ix_(whole, concepts)] = measure.of(view)
    return found


@dataclass(frozen=True)
class Effect(Method):
    """Effect of each reported match on half B, on sites that had no part in choosing it; units without are not ranked.

    `of` says which: `auroc`, its interval's lower end `low`, or the effect `within_form` or `within_form_position`.
    For `all` a unit counts by its best match.
    """

    name: ClassVar[str] = "effect"
    of: Literal["auroc", "low", "within_form", "within_form_position"] = "auroc"

    def __post_init__(self) -> None:
        if self.of not in EFFECTS:
            raise RankingError(
                f"Got of={self.of}.", expected=f"one of {', '.join(EFFECTS)}", fix=closest(self.of, EFFECTS)
            )

    def rank(self, source: Source) -> list[Ranking]:
        """Rankings by concept, of a category also for `all`; without concepts only for `all`."""
        from unitscope.rankings.supervised import addresses_of

        refuse_half(self, source.question.half, ("b",))
        atlas = source.atlas
        if atlas is None:
            raise RankingError("Got no atlas to take effects from.", expected="an atlas with matches")
        category, concepts = source.question.category, source.question.concepts
        addresses = addresses_of(source)
        at = {address: i for i, address in enumerate(addresses)}
        categories = {row["concept"]: row["category"] for row in atlas.concepts()}
        _check_concepts(categories, category, concepts)
        by_concept: dict[str, Floats] = {}
        column = "score" if self.of == "auroc" else self.of
        for row in atlas.matches():
            address, value = f"{row['layer']}:{row['unit']}", row[column]
            if value is None or address not in at:
                continue
            for target in (row["concept"], ALL):
                if target == ALL and category is not None and categories[row["concept"]] != category:
                    continue
                scores = by_concept.setdefault(target, np.full(len(addresses), np.nan))
                scores[at[address]] = np.fmax(scores[at[address]], value)
        targets = list(concepts) or [ALL, *(name for name in categories if category and categories[name] == category)]
        origin = self.origin(source, "b")
        nothing = np.full(len(addresses), np.nan)
        if not any(target in by_concept for target in targets):
            return [Ranking.of_scores(nothing, addresses, targets[0], origin)]
        return [
            Ranking.of_scores(by_concept[target], addresses, target, origin)
            for target in targets
            if target in by_concept
        ]


def chosen_layers(atlas: Atlas, patterns: Sequence[str]) -> list[str]:
    """Layers of an atlas that match addresses or globs; all where there are none. Raises UnknownLayerError."""
    for pattern in patterns:
        if not any(at == pattern or fnmatchcase(at, pattern) for at in atlas.layers):
            fix = closest(pattern, atlas.layers) or f"Its layers: {', '.join(atlas.layers)}."
            raise UnknownLayerError(f"Layer '{pattern}' is not in this atlas.", fix=fix)
    return [at for at in atlas.layers if not patterns or any(at == p or fnmatchcase(at, p) for p in patterns)]


def _chosen_concepts(folds: Scored, category: str | None, concepts: Sequence[str]) -> list[str]:
    _check_concepts(dict(zip(folds.names, folds.categories)), category, concepts)
    if concepts:
        return list(concepts)
    return [name for name, its in zip(folds.names, folds.categories) if category is None or its == category]


def _check_concepts(categories: Mapping[str, str], category: str | None, concepts: Sequence[str]) -> None:
    for name in concepts:
        if name not in categories:
            same = [each for each in categories if each.lower().endswith(name.lower())]
            fix = f"Closest: {', '.join(map(repr, same[:3]))}." if same else closest(name, categories)
            raise RankingError(f"Concept '{name}' is not here.", fix=fix)
    if category is not None and category not in categories.values():
        known = sorted(set(categories.values()))
        raise RankingError(
            f"No concept of category '{category}' here.",
            expected=f"one of {', '.join(known)}",
            fix=closest(category, known),
        )
