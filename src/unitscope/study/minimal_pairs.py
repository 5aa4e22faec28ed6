"""Minimal pairs of the demo grammar, the last rung of the ladder: does a unit tell two sentences apart that differ in
one property, at the word where they do?

Each pair is annotated by the study's own concept sources, so that a concept is tested on just those pairs whose changed
word has it in one sentence and not in the other. The model runs once over the pairs; only which of the two values is
greater is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, ndtri

from unitscope.concepts.base import ConceptSource
from unitscope.errors import UnitscopeError
from unitscope.models.base import Layer, Model
from unitscope.sites import Item
from unitscope.store import read_arrays, write_arrays
from unitscope.study.plan import Study

GRID = "source"
N_PAIRS, LEAST, LEAST_FORMS = 40, 10, 5
"""Pairs of each phenomenon; least pairs that must vary a concept, and least forms that have it in them.

Where the changed word has the concept in few forms only (`never` for negation), to know the word is to know the
concept: such pairs do not count, unless the same form stands in both sentences.
"""
LEFT_OUT = ("question",)
"""Phenomena where another word stands at the changed place: word against word is no pair."""
ITEMS_AT_ONCE, UNITS_AT_ONCE = 64, 16_384
TIE, MISSING = 1e-3, -2


@dataclass(frozen=True)
class Pairs:
    """P pairs: `items` [2 P], first and second in turn, the changed `site` [P], and what each concept's pairs are.

    `concepts` has, by name, the indices of pairs that vary it, and 1 where the first sentence has it, -1 where the
    second does.
    """

    items: tuple[Item, ...]
    site: NDArray[np.int32]
    concepts: Mapping[str, tuple[NDArray[np.int32], NDArray[np.int8]]]


def make_pairs(sources: Sequence[ConceptSource], seed: int, n: int = N_PAIRS) -> Pairs:
    """Draw `n` pairs of each phenomenon and annotate their changed words."""
    from unitscope.corpora.demo import PHENOMENA, minimal_pairs

    items: list[Item] = []
    sites: list[int] = []
    for phenomenon in PHENOMENA:
        if phenomenon not in LEFT_OUT:
            for first, second, site in minimal_pairs(phenomenon, n, seed):
                items += [first, second]
                sites.append(site)
    forms = [
        [items[2 * pair + side].grids[GRID].words[site].lower() for side in (0, 1)] for pair, site in enumerate(sites)
    ]
    found: dict[str, list[tuple[int, int]]] = {}
    for source in sources:
        for pair, site in enumerate(sites):
            here = [_at(source, items[2 * pair + side], site) for side in (0, 1)]
            if here[0] is None or here[1] is None:
                continue
            for name in sorted(here[0] ^ here[1]):
                found.setdefault(f"{source.category}:{name}", []).append((pair, 1 if name in here[0] else -1))
    concepts = {}
    for name, varied in sorted(found.items()):
        n_forms = len({forms[pair][way < 0] for pair, way in varied})
        kept = [each for each in varied if n_forms >= LEAST_FORMS or len(set(forms[each[0]])) == 1]
        concepts[name] = (np.array([pair for pair, _ in kept], np.int32), np.array([way for _, way in kept], np.int8))
    return Pairs(tuple(items), np.array(sites, np.int32), concepts)


def _at(source: ConceptSource, item: Item, site: int) -> set[str] | None:
    """Concepts at one site; None where they are not known, as where the source needs what these sentences lack."""
    try:
        here = source.annotate(item, GRID)[site]
    except UnitscopeError:
        return None
    return None if here is None else set(here)


def run_pairs(model: Model, study: Study, pairs: Pairs, path: Path) -> None:
    """Run the pairs through the model and write which sentence has the greater value, int8 [U, P] by layer.

    1: the first; -1: the second; 0: they differ by less than a thousandth of the unit's standard deviation over these
    words; -2: the model has no finite value for one of them.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for layers in _groups([layer for layer in study.layers if layer.grid == GRID]):
        for address, values in _values(model, study, layers, pairs).items():
            arrays[f"layer.{address}"] = _signs(values)
    for index, (which, way) in enumerate(pairs.concepts.values()):
        arrays[f"which.{index}"], arrays[f"way.{index}"] = which, way
    write_arrays(path, arrays, {"concepts": list(pairs.concepts)})


def _groups(layers: Sequence[Layer]) -> Iterator[list[Layer]]:
    """Layers in groups of so many units that their values fit into memory."""
    group: list[Layer] = []
    for layer in layers:
        if group and sum(each.width for each in group) + layer.width > UNITS_AT_ONCE:
            yield group
            group = []
        group.append(layer)
    if group:
        yield group


def _values(model: Model, study: Study, layers: Sequence[Layer], pairs: Pairs) -> dict[str, NDArray[np.float32]]:
    """Values at the changed words, [2 P, U] by layer; NaN where the model has none."""
    found = {layer.address: np.empty((len(pairs.items), layer.width), np.float32) for layer in layers}
    for start in range(0, len(pairs.items), ITEMS_AT_ONCE):
        items = pairs.items[start : start + ITEMS_AT_ONCE]
        captured = model.run(
            items, layers, resample=study.resample, batch_size=study.batch_size, long_items=study.long_items
        )
        sizes = [item.grids[GRID].n_sites for item in items]
        at = np.concatenate([[0], np.cumsum(sizes)[:-1]]) + np.repeat(pairs.site, 2)[start : start + len(items)]
        valid = captured.valid[GRID][at]
        for layer in layers:
            values = captured.values[layer.address][at].float().cpu().numpy()
            values[~valid] = np.nan
            found[layer.address][start : start + len(items)] = values
    return found


def _signs(values: NDArray[np.float32]) -> NDArray[np.int8]:
    """Which of each two values is greater, [U, P]: see `run_pairs`."""
    finite = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    known = ~np.isnan(finite)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, finite, 0.0).sum(axis=0) / count
    sd = np.sqrt((np.where(known, finite - mean, 0.0) ** 2).sum(axis=0) / count)
    gap = (finite[0::2] - finite[1::2]).T
    with np.errstate(invalid="ignore"):
        signs = np.where(np.abs(gap) <= TIE * sd[:, None], 0, np.sign(gap))
    return np.where(np.isnan(gap), MISSING, np.nan_to_num(signs)).astype(np.int8)


@dataclass(frozen=True)
class PairResults:
    """What `run_pairs` wrote."""

    signs: Mapping[str, NDArray[np.int8]]
    concepts: Mapping[str, tuple[NDArray[np.int32], NDArray[np.int8]]]

    @classmethod
    def read(cls, path: Path) -> PairResults:
        """Read the file."""
        arrays, meta = read_arrays(path)
        signs = {name.removeprefix("layer."): array for name, array in arrays.items() if name.startswith("layer.")}
        concepts = {name: (arrays[f"which.{i}"], arrays[f"way.{i}"]) for i, name in enumerate(meta["concepts"])}
        return cls(signs, concepts)

    def counts(self, layer: str, units: NDArray[np.intp], concept: str) -> NDArray[np.int64]:
        """Of each unit: pairs in which it is higher with the concept, lower, and equal, [U, 3]; zeros without pairs."""
        if concept not in self.concepts or layer not in self.signs:
            return np.zeros((len(units), 3), np.int64)
        which, way = self.concepts[concept]
        signs = self.signs[layer][np.ix_(units, which)]
        signs = np.where(signs == MISSING, MISSING, signs * way)
        return np.stack([(signs == value).sum(axis=1) for value in (1, -1, 0)], axis=1)


def sign_test(counts: NDArray[np.int64], level: float = 0.95) -> dict[str, NDArray[Any]]:
    """Effect, interval, p and n [R] of pairs [R, 3] that go the right way, the wrong way, and neither.

    The effect is the share of pairs that go the right way, ties half: a paired AUROC. The interval is Wilson's (1927);
    p is the exact one-sided sign test's, without ties.

    >>> sign_test(np.array([[9, 1, 0]]))["p"].round(4).tolist()
    [0.0107]
    """
    right, wrong, ties = counts.T.astype(np.float64)
    n = right + wrong + ties
    size = np.maximum(n, 1.0)
    effect = (right + ties / 2) / size
    z = float(ndtri(0.5 + level / 2))
    centre = (effect + z * z / (2 * size)) / (1 + z * z / size)
    wide = z / (1 + z * z / size) * np.sqrt(effect * (1 - effect) / size + z * z / (4 * size * size))
    trials = right + wrong
    p = np.where(right > 0, bdtrc(np.maximum(right - 1, 0.0), np.maximum(trials, 1.0).astype(np.int64), 0.5), 1.0)
    enough = n >= LEAST
    return {
        "effect": np.where(enough, effect, np.nan),
        "low": np.where(enough, np.clip(centre - wide, 0.0, effect), np.nan),
        "high": np.where(enough, np.clip(centre + wide, effect, 1.0), np.nan),
        "p": np.where(enough, p, np.nan),
        "n": n.astype(np.int64),
    }
