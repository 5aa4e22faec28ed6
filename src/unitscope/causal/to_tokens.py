"""What of the input a unit's value comes from: attribution of units at sites to the words of a text.

With h the value of a unit at a site, x_t what the token embedding gives at position t, x' the baseline, and x(a) the
line from x' to x:

- integrated gradients (Sundararajan et al. 2017, eq. 1): (x_t - x'_t) times the mean over a of dh/dx_t. Summed over t
  it is h(x) - h(x').
- gradient x input: (x_t - x'_t) dh/dx_t at x.
- leave-one-out: h(x) less h where position t alone is set to x'_t.
- neuron conductance (Dhamdhere et al. 2018, eq. 2), with a target F: as integrated gradients, each point's derivative
  times dF/dh there: how much of the output flows from a word through this unit at this site.

Forward mode carries one tangent a position of the input, not zero at that position only, and gives every unit at every
site for it; reverse mode gives every position of the input for one unit at one site. The one that needs fewer sweeps
is taken and told. Batches are streamed, items are given one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.causal.feeding import Fed, Network, Place, batches, checked_units, network, place_of
from unitscope.causal.forward import Action, Keep, Replace, frozen, run
from unitscope.causal.methods import Cost, Work
from unitscope.causal.path import Baseline, Origin, Rule, nodes, origin_of
from unitscope.causal.tangents import many
from unitscope.causal.targets import Target
from unitscope.errors import AttributionError
from unitscope.models.base import Model
from unitscope.models.images import ImageModel
from unitscope.models.probe import Tap
from unitscope.models.torch import TorchModel
from unitscope.sites import Item, Text

Kind = Literal["integrated-gradients", "gradient-x-input", "leave-one-out"]
Mode = Literal["forward", "reverse"]
KINDS: tuple[Kind, ...] = ("integrated-gradients", "gradient-x-input", "leave-one-out")
ROWS, SLACK = 2048, 1.1
"""Rows, tangents times positions, that a forward-mode sweep carries at once; longest over shortest text of a batch."""


@dataclass(frozen=True)
class TokenMap:
    """What the words of one item give N units of a layer.

    `values` [N, S, W] float32: the part of the unit's value at site `site[n, s]` (a word's index among `sites`) that
    comes from word w of `words`; `rest` [N, S] the part of special tokens. `height` [N, S] is the unit's value there,
    `base` [N, S] its value for the baseline. `through` names the target of neuron conductance, else it is empty.
    """

    item: int
    layer: str
    units: NDArray[np.int64]
    words: tuple[str, ...]
    sites: tuple[str, ...]
    site: NDArray[np.int64]
    values: NDArray[np.float32]
    rest: NDArray[np.float32]
    height: NDArray[np.float32]
    base: NDArray[np.float32]
    mode: Mode
    through: str = ""

    @property
    def gap(self) -> NDArray[np.float32]:
        """Value less that of the baseline less all parts, [N, S]: 0 were integrated gradients exact."""
        return np.asarray(self.height - self.base - self.values.sum(axis=2) - self.rest)


@dataclass(frozen=True)
class TokenMethod:
    """How words are given their parts: a kind, and for integrated gradients its steps and quadrature rule.

    `through` makes neuron conductance of integrated gradients. `mode` is chosen by the number of sweeps where None.
    """

    kind: Kind = "integrated-gradients"
    steps: int = 20
    rule: Rule = "gausslegendre"
    through: Target | None = None
    mode: Mode | None = None

    def nodes(self) -> tuple[list[float], list[float]]:
        """Points on the line and their weights."""
        return nodes(self.rule, self.steps) if self.kind == "integrated-gradients" else ([1.0], [1.0])


def attribute_tokens(
    model: Model,
    items: Sequence[Item],
    layer: str,
    units: Sequence[int] | None = None,
    *,
    method: TokenMethod | None = None,
    at: Literal["all", "peak"] = "all",
    baseline: Baseline = "zero",
    path: str | None = None,
    batch_size: int = 32,
    cost: Cost | None = None,
) -> Iterator[TokenMap]:
    """Maps of items, in an order of their lengths: what words give `units` (all by default) of a layer.

    `at` "all" gives every word as a site, "peak" the one where the unit is greatest. A unit's value at a word of
    several tokens is that of the last. For all units of a wide layer a map has U x words x words values.
    Raises AttributionError for a unit out of range, and for networks that do not read text.
    """
    for mine, group, each in _works(model, items, layer, units, method, baseline, path, batch_size, cost):
        for found in each.maps(at, mine):
            yield replace(found, item=group[found.item])


def position_maps(
    model: Model,
    items: Sequence[Item],
    layer: str,
    units: Sequence[int] | None = None,
    *,
    method: TokenMethod | None = None,
    baseline: Baseline = "zero",
    path: str | None = None,
    batch_size: int = 32,
    cost: Cost | None = None,
) -> Iterator[tuple[int, torch.Tensor]]:
    """Items' indices and parts [T, T', N]: of positions T of the input at positions T' of the layer, padding left out.

    As `attribute_tokens` finds them before words are made of positions; always by forward-mode sweeps.
    """
    for _, group, each in _works(model, items, layer, units, method, baseline, path, batch_size, cost):
        for row, parts in each.positions():
            yield group[row], parts


def _works(
    model: Model,
    items: Sequence[Item],
    layer: str,
    units: Sequence[int] | None,
    method: TokenMethod | None,
    baseline: Baseline,
    path: str | None,
    batch_size: int,
    cost: Cost | None,
) -> Iterator[tuple[list[Item], list[int], _Maps]]:
    """Batches of items of about one length, their indices, and their work."""
    net, method = network(model), method or TokenMethod()
    if isinstance(net, ImageModel):
        raise AttributionError(f"{model.name} reads pictures, which have no tokens.", expected="a model of texts")
    if method.kind not in KINDS:
        raise AttributionError(f"Unknown method '{method.kind}'.", expected=", ".join(KINDS))
    if method.through is not None and method.kind == "leave-one-out":
        raise AttributionError("Leaving a word out goes through all units.", expected="integrated-gradients")
    found = model.resolve([layer])
    if len(found) != 1:
        raise AttributionError(f"'{layer}' means {len(found)} layers.", expected="one layer")
    place = place_of(net, found[0])
    chosen = checked_units(units, place)
    origin = origin_of(net, baseline, path)
    origin = replace(origin, places=(_source(origin, net),))
    cost = cost or Cost()
    with frozen(net.module):
        for group in _alike(net, items, batch_size):
            mine = [items[index] for index in group]
            for fed in batches(net, mine, len(group), Counter()):
                yield mine, group, _Maps(net, fed, place, origin, method, chosen, cost)


def _source(origin: Origin, model: Network) -> Place:
    first = [place for place in origin.places if place.tap.grid == "source"]
    if not first or first[0].tap.site_axis != 1 or first[0].tap.batch_axis != 0 or not first[0].tap.is_direct:
        raise AttributionError(
            f"What moves in {model.name} is not [items, positions, units].",
            fix="Name another layer for the path to begin at (path=...).",
        )
    return first[0]


def _alike(model: TorchModel, items: Sequence[Item], batch_size: int) -> Iterator[list[int]]:
    """Items of about one length, as many as a few sweeps carry: padding would be carried by every tangent."""
    texts = [item.grids["source"] for item in items]
    lengths = [row.n_positions for row in model.feed.rows("source", texts)]
    group: list[int] = []
    for index in sorted(range(len(items)), key=lambda index: lengths[index]):
        n = lengths[index]
        most = min(batch_size, max(1, ROWS // max(n * n, 1)))
        if group and (len(group) >= most or n > SLACK * lengths[group[0]]):
            yield group
            group = []
        group.append(index)
    if group:
        yield group


class _Maps:
    """One batch: values at both ends, and the parts of each position of the input."""

    def __init__(
        self,
        model: Network,
        fed: Fed,
        place: Place,
        origin: Origin,
        method: TokenMethod,
        units: NDArray[np.int64],
        cost: Cost,
    ) -> None:
        self.model, self.fed, self.place, self.method, self.cost = model, fed, place, method, cost
        self.source = origin.places[0]
        self.line = origin.line(fed)
        if len(self.line.ends[self.source]) != 1:
            raise AttributionError(f"'{self.source.address}' is called once a position; no line can be drawn there.")
        self.end, self.start = self.line.ends[self.source][0], self.line.starts[self.source][0]
        self.columns = torch.from_numpy(units).to(self.end.device)
        self.units = units
        self.is_all = len(units) == place.layer.width
        self.work = None
        if method.through is not None:
            self.work = Work(model, fed, [place], origin, method.through, cost)

    def positions(self) -> Iterator[tuple[int, torch.Tensor]]:
        """Rows' items and parts [T, T', N]."""
        real = self.fed.real["source"].sum(dim=1).tolist()
        parts = self._sweeps(max(real), self._values(self.end))
        inner = self.fed.real_of(self.place, parts.shape[2])
        assert inner is not None
        for row, n in enumerate(real):
            yield int(self.fed.rows[row]), parts[:n, row, inner[row]]

    def maps(self, at: str, items: Sequence[Item]) -> Iterator[TokenMap]:
        """One map an item, see `attribute_tokens`."""
        height, base = self._values(self.end), self._values(self.start)
        where = self.fed.word_places(self.place, height.shape[1])
        sites = [_last(where.row, where.position, where.word, row) for row in range(len(self.fed.rows))]
        peaks = None
        if at == "peak":
            kept = [torch.from_numpy(own[1]).to(height.device) for own in sites]
            peaks = [height[row][own].argmax(dim=0) if len(own) else None for row, own in enumerate(kept)]
        n_sites = 1 if peaks is not None else max((len(own[1]) for own in sites), default=0)
        real = int(self.fed.real["source"].sum(dim=1).max())
        mode: Mode = self.method.mode or ("forward" if real <= n_sites * len(self.units) else "reverse")
        if self.method.kind == "leave-one-out":
            mode = "forward"
        parts = self._reverse(sites, peaks, real) if mode == "reverse" else self._sweeps(real, height)
        for row, (words, positions) in enumerate(sites):
            if len(words):
                peak = None if peaks is None else peaks[row]
                yield self._map(row, items, words, positions, peak, parts, height, base, mode)

    def _values(self, point: torch.Tensor) -> torch.Tensor:
        """Values [B, T, N] of the units for a point of the embedding."""
        keep = Keep()
        self.cost.forwards += 1
        actions: list[tuple[Tap, Action]] = [(self.source.tap, Replace([point])), (self.place.tap, keep)]
        with torch.no_grad():
            run(self.model.module, self.fed.args, self.fed.kwargs, actions, self.fed.n_steps, stop=True)
        return self._chosen(self.place.positions(keep.tensors, self.fed.n_steps))

    def _chosen(self, values: torch.Tensor) -> torch.Tensor:
        return values if self.is_all else values.index_select(-1, self.columns)

    def _sweeps(self, n_tokens: int, height: torch.Tensor) -> torch.Tensor:
        """Parts [tokens, B, T, N] by one sweep a token."""
        if self.method.kind == "leave-one-out":
            return torch.stack([height - self._values(self._without(token)) for token in range(n_tokens)])
        total = torch.zeros(n_tokens, *height.shape, dtype=height.dtype, device=height.device)
        moved = self.end - self.start
        size = max(1, ROWS // (len(height) * self.end.shape[1]))
        for alpha, weight in zip(*self.method.nodes(), strict=True):
            point = self.start + alpha * moved
            pull = self._pull(alpha)
            for first in range(0, n_tokens, size):
                tokens = range(first, min(first + size, n_tokens))
                directions = torch.zeros(len(tokens), *moved.shape, dtype=moved.dtype, device=moved.device)
                for at, token in enumerate(tokens):
                    directions[at, :, token] = moved[:, token]
                self.cost.tangents += len(tokens)
                changes = self._chosen(many(self.model, self.fed, self.source, point, directions, self.place))
                if pull is not None:
                    changes = changes * pull
                total[first : first + len(tokens)].add_(changes, alpha=weight)
        return total

    def _without(self, token: int) -> torch.Tensor:
        point = self.end.clone()
        point[:, token] = self.start[:, token]
        return point

    def _pull(self, alpha: float) -> torch.Tensor | None:
        """dF/dh [B, T, N] at a point, for neuron conductance."""
        if self.work is None:
            return None
        step = self.work.step(self.line.at(alpha))
        return self._chosen(self.place.positions(step.gradients[self.place], self.fed.n_steps))

    def _reverse(self, sites: Any, peaks: Any, n_tokens: int) -> torch.Tensor:
        """Parts [tokens, B, T, N] by one backward pass a unit and site; zero at sites that were not asked for."""
        moved = self.end - self.start
        total: torch.Tensor | None = None
        for alpha, weight in zip(*self.method.nodes(), strict=True):
            point = (self.start + alpha * moved).requires_grad_()
            keep = Keep()
            self.cost.forwards += 1
            actions: list[tuple[Tap, Action]] = [(self.source.tap, Replace([point])), (self.place.tap, keep)]
            with torch.enable_grad():
                run(self.model.module, self.fed.args, self.fed.kwargs, actions, self.fed.n_steps, stop=True)
                values = self._chosen(self.place.positions(keep.tensors, self.fed.n_steps))
            if total is None:
                total = torch.zeros(n_tokens, *values.shape, dtype=values.dtype, device=values.device)
            pull = self._pull(alpha)
            for n in range(len(self.units)):
                for where in self._wanted(sites, peaks, n):
                    self.cost.backwards += 1
                    rows = torch.arange(len(where), device=values.device)
                    (gradient,) = torch.autograd.grad(values[rows, where, n].sum(), point, retain_graph=True)
                    part = (gradient * moved).sum(dim=2)[:, :n_tokens].T
                    if pull is not None:
                        part = part * pull[rows, where, n]
                    total[:, rows, where, n] += weight * part
        assert total is not None
        return total.detach()

    def _wanted(self, sites: Any, peaks: Any, n: int) -> Iterator[torch.Tensor]:
        """Positions, one a row, until every site of every row has been had once; rows that have no more repeat none."""
        own = [positions for _, positions in sites]
        if peaks is not None:
            own = [each[[int(peaks[row][n])]] if len(each) else each for row, each in enumerate(own)]
        for k in range(max((len(each) for each in own), default=0)):
            # A row that is through points at padding or a special position that no word reads.
            yield torch.tensor([int(each[k]) if k < len(each) else self._idle(each) for each in own])

    def _idle(self, positions: NDArray[np.int64]) -> int:
        taken = set(positions.tolist())
        return next((at for at in range(self.fed.n_steps[self.place.tap.grid]) if at not in taken), 0)

    def _map(
        self,
        row: int,
        items: Sequence[Item],
        words: NDArray[np.int64],
        positions: NDArray[np.int64],
        peak: torch.Tensor | None,
        parts: torch.Tensor,
        height: torch.Tensor,
        base: torch.Tensor,
        mode: Mode,
    ) -> TokenMap:
        at = torch.from_numpy(positions).to(parts.device)
        n = torch.arange(len(self.units), device=parts.device)
        if peak is None:
            mine, high, low = parts[:, row, at], height[row, at], base[row, at]  # [tokens, S, N], [S, N]
            site = np.tile(words, (len(self.units), 1))
        else:
            where = at[peak]
            mine = parts[:, row, where, n][:, None]
            high, low = height[row, where, n][None], base[row, where, n][None]
            site = words[peak.cpu().numpy()][:, None]
        read = self.fed.word_places(self.source, self.end.shape[1])
        entries = np.flatnonzero((read.row == row) & (read.position < len(parts)))
        item = items[int(self.fed.rows[row])]
        n_words = item.grids["source"].n_sites
        sums = torch.zeros(n_words, *mine.shape[1:], dtype=mine.dtype, device=mine.device)
        share = torch.from_numpy(read.share[entries]).to(mine)[:, None, None]
        sums.index_add_(0, torch.from_numpy(read.word[entries]), mine[torch.from_numpy(read.position[entries])] * share)
        n_real = int(self.fed.real["source"][row].sum())
        rest = mine[:n_real].sum(dim=0) - sums.sum(dim=0)
        text: Text = item.grids[self.place.tap.grid]

        def array(tensor: torch.Tensor) -> NDArray[np.float32]:
            return np.ascontiguousarray(tensor.to("cpu", torch.float32).numpy())

        return TokenMap(
            item=int(self.fed.rows[row]),
            layer=self.place.address,
            units=self.units,
            words=item.grids["source"].words,
            sites=text.words,
            site=site,
            values=array(sums.permute(2, 1, 0)),
            rest=array(rest.T),
            height=array(high.T),
            base=array(low.T),
            mode=mode,
            through="" if self.method.through is None else self.method.through.name,
        )


def _last(
    row: NDArray[np.int64], position: NDArray[np.int64], word: NDArray[np.int64], wanted: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Words of a row that have a position, and the last position of each."""
    mine = np.flatnonzero(row == wanted)
    words = np.unique(word[mine])
    last = np.array([position[mine][word[mine] == each].max() for each in words.tolist()], np.int64)
    return words.astype(np.int64), last
