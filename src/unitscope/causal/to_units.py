"""How much of an output flows through every unit of some layers, over the items of a corpus.

Attributions are found for positions, summed over those of a word, and over an item (special tokens counted, padding
not). Batches are streamed: what is kept of each is a row a unit and item, and on demand one a unit and word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student

from unitscope.causal.feeding import Fed, Network, Place, batches, layers_of, network
from unitscope.causal.forward import frozen
from unitscope.causal.methods import Conductance, Cost, Found, Method, Work
from unitscope.causal.path import Baseline, Origin, origin_of
from unitscope.causal.targets import Target
from unitscope.errors import AttributionError
from unitscope.models.base import Layer, Model
from unitscope.models.units import BasisTap, source_of
from unitscope.rankings.base import Origin as RankedBy
from unitscope.rankings.base import Ranking
from unitscope.sites import Cells, Item

Progress = Callable[[str, int, int], None]
By = Literal["size", "mean"]
Values = TypeVar("Values")
Floats = NDArray[np.float64]
FEWEST_GROUPS = 10
"""Intervals are given for so many groups of items or more."""


@dataclass(frozen=True)
class UnitAttribution:
    """Attributions of an output to the units of layers, over N items.

    `totals[address]` [N, U]: sums over an item's positions. `by_site[address]` [S]: sums over the layer's units at each
    word (or cell), in item order; empty where a method does not tell sites apart. `at_sites[address]` [S, U] float32,
    where asked for. `explained[address]` [N] is what an item's attributions should add up to, `gap[address]` [N] what
    is missing; absent where a method promises no sum. `output` [N] is the target for the real input, `groups` [N] the
    items' groups. `how` says how it was computed. `rest[address]` [N], of layers of a basis, is what belongs to none of
    its units: the reconstruction error's part, and that of what the decoder adds to them.
    """

    layers: tuple[Layer, ...]
    method: str
    parameters: Mapping[str, Any]
    target: str
    items: tuple[str, ...]
    groups: tuple[str, ...]
    output: Floats
    totals: Mapping[str, Floats]
    by_site: Mapping[str, Floats]
    explained: Mapping[str, Floats]
    how: str
    counts: Mapping[str, int]
    at_sites: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    rest: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def gap(self) -> dict[str, Floats]:
        """Explained less the sum of attributions and `rest` [N], by layer: 0 were the method exact."""
        return {
            address: each - self.totals[address].sum(axis=1) - self.rest.get(address, 0.0)
            for address, each in self.explained.items()
        }

    def relative_gap(self, address: str) -> float:
        """Sum over items of |gap| over that of |explained|; NaN where the method promises no sum."""
        if address not in self.explained:
            return float("nan")
        whole = float(np.abs(self.explained[address]).sum())
        return float(np.abs(self.gap[address]).sum()) / whole if whole else float("nan")

    def mean(self, address: str) -> Floats:
        """Mean over items [U]: signed, so units that push either way by turns come out near zero."""
        return np.asarray(self.totals[address].mean(axis=0))

    def size(self, address: str) -> Floats:
        """Mean over items of the absolute value [U]."""
        return np.asarray(np.abs(self.totals[address]).mean(axis=0))

    def interval(self, address: str) -> tuple[Floats, Floats]:
        """95 % interval of `mean` [U]: items of a group vary together, so groups are what is counted.

        NaN for fewer than 10 groups (Student's t on residuals summed within groups).
        """
        values = self.totals[address]
        names = {name: at for at, name in enumerate(dict.fromkeys(self.groups))}
        n = len(names)
        if n < FEWEST_GROUPS:
            missing = np.full(values.shape[1], np.nan)
            return missing, missing
        sums = np.zeros((n, values.shape[1]))
        np.add.at(sums, [names[name] for name in self.groups], values - values.mean(axis=0))
        error = np.sqrt((sums**2).sum(axis=0) * n / (n - 1)) / len(values)
        reach = float(student.ppf(0.975, n - 1)) * error
        mean = self.mean(address)
        return mean - reach, mean + reach

    def ranking(self, layers: str | Sequence[str] = (), *, by: By = "size", seed: int = 0, parent: str = "") -> Ranking:
        """All units of `layers` (addresses; all by default) from most to least.

        `by` their `size`, or their `mean`: then units that push the output down come last. `parent` is the key of the
        atlas whose units they are. Raises AttributionError for layers that are not here.
        """
        wanted = [layers] if isinstance(layers, str) else list(layers) or [layer.address for layer in self.layers]
        missing = [address for address in wanted if address not in self.totals]
        if missing or by not in ("size", "mean"):
            raise AttributionError(
                f"There is no attribution to '{missing[0]}'." if missing else f"Cannot rank by '{by}'.",
                expected=", ".join(self.totals) if missing else "size or mean",
            )
        scores = np.concatenate([self.size(each) if by == "size" else self.mean(each) for each in wanted])
        addresses = [f"{each}:{unit}" for each in wanted for unit in range(self.totals[each].shape[1])]
        parameters = {**self.parameters, "target": self.target, "by": by}
        return Ranking.of_scores(scores, addresses, self.target, RankedBy(self.method, parameters, seed, parent))

    def units(self) -> list[tuple[str, int, float]]:
        """All units as (layer, unit, mean), greatest absolute mean first; ties in order of layers and units."""
        found = [
            (layer.address, unit, float(value))
            for layer in self.layers
            for unit, value in enumerate(self.mean(layer.address))
        ]
        return sorted(found, key=lambda each: -abs(each[2]))


def attribute_units(
    model: Model,
    items: Sequence[Item],
    *,
    layers: Sequence[str],
    target: Target,
    method: Method | None = None,
    baseline: Baseline = "zero",
    path: str | None = None,
    batch_size: int = 32,
    keep_sites: bool = False,
    progress: Progress | None = None,
) -> UnitAttribution:
    """Attributions of `target` to all units of `layers`; see `UnitAttribution`.

    `method` is conductance by default. `baseline` and `path` say where the input's line begins and what moves along
    it, see `unitscope.causal.path`. Raises AttributionError and UnknownLayerError.
    """
    net = network(model)
    places = layers_of(net, layers)
    method = method or Conductance()
    origin = origin_of(net, baseline, path)
    if not items:
        raise AttributionError("There are no items.", expected="a corpus with at least one")
    whole = _sources(net, places) if method.splits else {}
    every = [*places, *(place for place in whole.values() if place not in places)]
    sums = _Sums(every, items, keep_sites)
    cost, counts = Cost(), Counter[str]()
    done = 0
    for fed, found, output in at_positions(net, items, every, target, method, origin, batch_size, cost, counts):
        sums.add(fed, found, output)
        done += len(fed.rows)
        if progress is not None:
            progress("attributing", done, len(items))
    sums.check(target.name)
    own = {place.address for place in places}
    return UnitAttribution(
        layers=tuple(place.layer for place in places),
        method=method.name,
        parameters={**method.parameters(), "baseline": baseline if isinstance(baseline, str) else "function"},
        target=target.name,
        items=tuple(item.id for item in items),
        groups=tuple(item.group for item in items),
        output=sums.output,
        totals=_only(sums.totals, own),
        by_site=_only(sums.by_site, own) if sums.by_position else {},
        explained=_only(sums.explained, own),
        how=told(cost, places),
        counts=dict(counts),
        at_sites=_only(sums.at_sites, own),
        rest={
            place.address: sums.totals[source.address].sum(axis=1) - sums.totals[place.address].sum(axis=1)
            for place, source in whole.items()
        },
    )


def _only(found: Mapping[str, Values], addresses: set[str]) -> dict[str, Values]:
    return {address: each for address, each in found.items() if address in addresses}


def _sources(model: Network, places: Sequence[Place]) -> dict[Place, Place]:
    """The layers that bases among `places` are on."""
    bases = [place for place in places if isinstance(place.tap, BasisTap)]
    known = {place.address: place for place in places}
    found = {source: layers_of(model, [source])[0] for source in {source_of(place.address) for place in bases}}
    return {place: known.get(source_of(place.address), found[source_of(place.address)]) for place in bases}


def at_positions(
    model: Network,
    items: Sequence[Item],
    places: Sequence[Place],
    target: Target,
    method: Method,
    origin: Origin,
    batch_size: int,
    cost: Cost,
    counts: Counter[str],
) -> Any:
    """Batches, what a method found for each, and the target [B] for the real input: one batch is held at a time."""
    with frozen(model.module):
        for fed in batches(model, items, batch_size, counts):
            work = Work(model, fed, places, origin, target, cost)
            try:
                yield fed, method.of_batch(work), work.plain()
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                first = items[int(fed.rows[0])].id
                raise AttributionError(
                    f"{model.name} failed on item '{first}' and {len(fed.rows) - 1} more: "
                    f"{type(error).__name__}: {error}",
                    fix="Use a smaller batch where memory ran out; a module that keeps no gradients cannot be used.",
                ) from error


def told(cost: Cost, places: Sequence[Place]) -> str:
    """Which passes were made, and why in that mode."""
    n_units = sum(place.layer.width for place in places)
    if cost.edited:
        return f"{cost.edited} passes under edits, each begun at its layer, and {cost.forwards} whole ones"
    if not cost.backwards:
        return f"{cost.forwards} forward passes"
    also = f" and {cost.tangents} with tangents" if cost.tangents else ""
    return (
        f"reverse mode: {cost.forwards} forward passes, {cost.backwards} backward{also}; "
        f"each backward pass gives all {n_units} units of one output, forward mode would need one sweep a unit and site"
    )


class _Sums:
    """What is kept of each batch."""

    def __init__(self, places: Sequence[Place], items: Sequence[Item], keep_sites: bool) -> None:
        n = len(items)
        self.places, self.items, self.keep_sites, self.by_position = places, items, keep_sites, True
        self.output, self.seen = np.full(n, np.nan), np.zeros(n, np.bool_)
        self.totals = {place.address: np.full((n, place.layer.width), np.nan) for place in places}
        self.explained: dict[str, Floats] = {}
        self.starts = {place.address: _starts(place, items) for place in places}
        self.by_site = {place.address: np.zeros(self.starts[place.address][-1]) for place in places}
        self.at_sites: dict[str, NDArray[np.float32]] = {}
        if keep_sites:
            self.at_sites = {
                place.address: np.zeros((self.starts[place.address][-1], place.layer.width), np.float32)
                for place in places
            }

    def add(self, fed: Fed, found: Found, output: torch.Tensor) -> None:
        self.by_position = found.by_position
        self.output[fed.rows], self.seen[fed.rows] = output.double().cpu().numpy(), True
        for place, values in found.values.items():
            real = fed.real_of(place, values.shape[1]) if found.by_position else None
            if real is not None:
                # What stands at padding is not zero where it may be anything: NaN times zero is NaN.
                values = values.masked_fill(~real[..., None], 0)
            self.totals[place.address][fed.rows] = values.double().sum(dim=1).cpu().numpy()
            if place in found.explained:
                its = self.explained.setdefault(place.address, np.full(len(self.items), np.nan))
                its[fed.rows] = found.explained[place].double().cpu().numpy()
            if found.by_position:
                self._sites(fed, place, values)

    def _sites(self, fed: Fed, place: Place, values: torch.Tensor) -> None:
        where = fed.word_places(place, values.shape[1])
        site = self.starts[place.address][fed.rows[where.row]] + where.word
        sums = values.double().sum(dim=2).cpu().numpy()
        np.add.at(self.by_site[place.address], site, sums[where.row, where.position] * where.share)
        if self.keep_sites:
            rows = values[torch.from_numpy(where.row), torch.from_numpy(where.position)].cpu().numpy()
            np.add.at(self.at_sites[place.address], site, rows * where.share[:, None].astype(np.float32))

    def check(self, target: str) -> None:
        missing = np.flatnonzero(~self.seen)
        if len(missing):
            raise AttributionError(
                f"Item '{self.items[int(missing[0])].id}' has nothing that the network reads.",
                fix="Leave empty items out.",
            )
        broken = np.flatnonzero(~np.isfinite(self.output))
        if len(broken):
            raise AttributionError(
                f"The target '{target}' is {self.output[broken[0]]} for item '{self.items[int(broken[0])].id}'.",
                expected="a finite number",
            )


def _starts(place: Place, items: Sequence[Item]) -> NDArray[np.int64]:
    """Where each item's sites begin, and their number at the end, [N + 1]."""
    if place.is_image:
        cells = Cells.parse(place.layer.cells) if place.layer.cells else None
        n = [1 if cells is None else cells.rows * cells.columns] * len(items)
    else:
        n = [item.grids[place.layer.grid].n_sites if place.layer.grid in item.grids else 0 for item in items]
    return np.concatenate([[0], np.cumsum(n)]).astype(np.int64)
