"""Any `torch.nn.Module` with an input adapter as a model: layers found by probing, activations read by hooks."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from unitscope.errors import ModelError, UnknownLayerError, closest
from unitscope.models.adapters import SOURCE, Adapter, Batch, EncodeFeed, Feed
from unitscope.models.address import parse, select
from unitscope.models.base import Captured, Layer, LongItems, Resampling
from unitscope.models.mass import SUFFIX, MassTap, find_masses
from unitscope.models.passes import Also, Only, Pass
from unitscope.models.probe import Tap, Trace, infer, settle, trace
from unitscope.models.roles import Role, roles
from unitscope.models.rows import Announced
from unitscope.models.weights import digest, forked_devices, reset
from unitscope.sites import Item

if TYPE_CHECKING:
    from unitscope.edits import Edit
    from unitscope.models.editing import Editing

# Their difference has many divisors, so that strides up to 10 can be told apart.
_PROBE_LENGTHS = (17, 137)
_PROBE_ROWS = (2, 3)


@dataclass(frozen=True)
class _Found:
    """What probing a module has shown: every tap and its role by address, and which layers are listed."""

    taps: Mapping[str, Tap]
    layers: Mapping[str, Layer]
    listed: tuple[str, ...]


class TorchModel:
    """A module and its adapter, as `unitscope.models.base.Model`.

    The module is put in eval mode; it stays on the device it is on, and is never changed. `adapter` turns texts
    into its inputs (see `unitscope.models.adapters.Adapter`).

    Raises ModelError where the adapter has no `encode`.
    """

    def __init__(self, module: nn.Module, adapter: Adapter, *, name: str = "module") -> None:
        if not hasattr(adapter, "encode"):
            raise ModelError(
                f"The adapter of '{name}' is a {type(adapter).__name__} without 'encode'.",
                expected="an object with encode(texts) -> unitscope.models.Encoded",
            )
        self.module = module.eval()
        self.adapter = adapter
        self._name = name
        self.feed: Feed = adapter if isinstance(adapter, Feed) else EncodeFeed(adapter)
        self.further: dict[str, tuple[Layer, Tap]] = {}
        """Layers beside the module's own, by address: see `unitscope.models.units`."""
        self._hashed: tuple[tuple[Any, ...], str] | None = None

    @property
    def name(self) -> str:
        """Short name for tables and manifests."""
        return self._name

    @property
    def grids(self) -> tuple[str, ...]:
        """Grids that the network reads."""
        return self.feed.grids

    @property
    def device(self) -> torch.device:
        """Where the module is."""
        tensor = next(chain(self.module.parameters(), self.module.buffers()), None)
        return torch.device("cpu") if tensor is None else tensor.device

    @property
    def weight_hash(self) -> str:
        """SHA-256 over names, shapes, types and bytes of the state dict, in order of names; kept until they change."""
        state = sorted(self.module.state_dict(keep_vars=True).items())
        key = tuple((name, t.data_ptr(), 0 if t.is_inference() else t._version) for name, t in state)
        if self._hashed is None or self._hashed[0] != key:
            self._hashed = (key, digest(state))
        return self._hashed[1]

    def layers(self) -> list[Layer]:
        """All layers, in order of execution: every module's output that has sites, and recognised inputs."""
        return [self._found.layers[address] for address in self._found.listed]

    def resolve(self, patterns: Sequence[str]) -> list[Layer]:
        """Layers matched by addresses or globs; see `unitscope.models.base.Model.resolve`."""
        found = self._found
        for pattern in patterns:
            self._refuse_step(pattern)
        further = {at: layer for at, (layer, _) in self.further.items()}
        if any(pattern.endswith(SUFFIX) for pattern in patterns):
            further |= {at: layer for at, (layer, _) in self._masses.items()}
        if not further:
            return [found.layers[at] for at in select(patterns, list(found.layers), found.listed, self.name)]
        known = {**found.layers, **further}
        ordered = sorted(known, key=lambda at: (known[at].order, at))
        return [known[at] for at in select(patterns, ordered, [*found.listed, *further], self.name)]

    def _refuse_step(self, pattern: str) -> None:
        address = parse(pattern)
        if address is None or address.call is None:
            return
        tap = self._found.taps.get(pattern.partition("#")[0])
        if tap is not None and tap.site_axis is None:
            raise UnknownLayerError(
                f"Calls of '{tap.address}' in {self.name} are its time steps, one a position.",
                fix=f"Ask for '{tap.address}' and pick sites instead.",
            )

    @cached_property
    def _found(self) -> _Found:
        taps = self._probe()
        known: dict[str, Role] = roles(self.module, taps)
        layers = {
            address: Layer(address, tap.width, tap.grid, *_role(known, address), order=tap.order)
            for address, tap in taps.items()
        }
        listed = tuple(at for at, tap in taps.items() if tap.address.side == "out" or at in known)
        return _Found(taps, layers, listed)

    @cached_property
    def _masses(self) -> dict[str, tuple[Layer, MassTap]]:
        order = {tap.address.module: tap.order for tap in self._found.taps.values() if tap.address.side == "out"}
        return find_masses(self, order)

    def _probe(self) -> dict[str, Tap]:
        limit = self.feed.max_positions or _PROBE_LENGTHS[1]
        long = min(_PROBE_LENGTHS[1], limit)
        short = min(_PROBE_LENGTHS[0], max(1, long // 2))
        few, many = _PROBE_ROWS
        base = self._trace(few, dict.fromkeys(self.grids, short))
        batch = self._trace(many, dict.fromkeys(self.grids, short))
        by_grid = {grid: self._trace(few, {**dict.fromkeys(self.grids, short), grid: long}) for grid in self.grids}
        for grid, run in by_grid.items():
            if run.lengths[grid] == base.lengths[grid]:
                raise ModelError(
                    f"{self.name} gives texts of different length the same number of positions; its layers' sites "
                    "cannot be told.",
                    fix="Let the adapter's spans have one entry a position, and set its 'probe_word' to a known word.",
                )
        taps = infer(base, batch, by_grid)
        runs = {grid: [base, by_grid[grid], *self._between(grid, short, long, taps)] for grid in self.grids}
        return settle(taps, runs)

    def _between(self, grid: str, short: int, long: int, taps: Mapping[str, Tap]) -> Iterator[Trace]:
        """Runs whose lengths leave all remainders by the widest stride; none where no layer of the grid has one."""
        widest = max((tap.stride for tap in taps.values() if tap.grid == grid), default=1)
        for length in range(short + 1, min(short + widest, long)):
            # Some networks take texts of some lengths only.
            with suppress(ModelError):
                yield self._trace(_PROBE_ROWS[0], {**dict.fromkeys(self.grids, short), grid: length})

    def _trace(self, n_rows: int, lengths: Mapping[str, int]) -> Trace:
        try:
            batch = self.feed.collate({g: [self.feed.probe(g, n)] * n_rows for g, n in lengths.items()})
            args, kwargs = self.moved(batch)
            got = {grid: spans.shape[1] for grid, spans in batch.spans.items()}
            return trace(self.module, args, kwargs, n_rows, got)
        except ModelError:
            raise
        except Exception as error:  # whatever a foreign module raises, the user should hear which module it was
            raise ModelError(
                f"{self.name} does not run on text: {type(error).__name__}: {error}",
                fix="Check that it reads text, and what its adapter gives it.",
            ) from error

    def moved(self, batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments of a batch, tensors among them on the module's device."""
        device = self.device
        args = tuple(value.to(device) if isinstance(value, torch.Tensor) else value for value in batch.args)
        kwargs = {
            name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in batch.kwargs.items()
        }
        return args, kwargs

    def run(
        self,
        items: Sequence[Item],
        layers: Sequence[Layer],
        *,
        resample: Resampling = "last",
        batch_size: int = 32,
        long_items: LongItems = "window",
        also: Also | None = None,
        only: Only | None = None,
    ) -> Captured:
        """Activations of items at layers; see `unitscope.models.base.Model.run`.

        A site is invalid if any of the layers asked for has no position for it. Raises UnknownLayerError for a layer
        of another model, and ModelError where an item lacks the grid of a layer.
        """
        taps = [self.tap(layer.address) for layer in layers]
        job = Pass(self, items, taps, resample, also or {}, only or {})
        for batch in job.batches(batch_size, long_items):
            job.forward(batch)
        return job.captured()

    def fed(self, items: Sequence[Item], copies: int = 1) -> tuple[tuple[Any, ...], dict[str, Any], Announced]:
        """Arguments of the module for items as one batch, `copies` times after each other, and what the rows are.

        Raises ModelError for an item without a grid that the network reads, or longer than it takes.
        """
        grids = [grid for grid in self.grids if grid == SOURCE or all(grid in item.grids for item in items)]
        rows = {}
        for grid in grids:
            if any(grid not in item.grids for item in items):
                raise ModelError(f"An item has no '{grid}' text, which {self.name} reads.")
            rows[grid] = self.feed.rows(grid, [item.grids[grid] for item in items])
            longest = max((row.n_positions for row in rows[grid]), default=0)
            if self.feed.max_positions is not None and longest > self.feed.max_positions:
                raise ModelError(
                    f"An item has {longest} positions.",
                    expected=f"at most {self.feed.max_positions}, as {self.name} takes",
                )
        batch = self.feed.collate({grid: mine * copies for grid, mine in rows.items()})
        spans = {grid: each[: len(items)] for grid, each in batch.spans.items()}
        return *self.moved(batch), Announced(tuple(items), spans)

    def edited(self, edit: Edit, *, items: Sequence[Item] | None = None) -> Editing:
        """The model under an edit, as a context manager and a function; see `unitscope.models.editing`."""
        from unitscope.models.editing import edited_model

        return edited_model(self, edit, items=items)

    def tap(self, address: str) -> Tap:
        """How a layer is read. Raises UnknownLayerError for a layer of another model."""
        further = self._masses if address.endswith(SUFFIX) else self.further
        if address in further:
            return further[address][1]
        try:
            return self._found.taps[address]
        except KeyError:
            near = closest(address, self._found.taps)
            raise UnknownLayerError(f"Layer '{address}' not in {self.name}.", fix=near) from None

    def normalise(self, words: Sequence[str]) -> list[str]:
        """Word forms as the network can tell them apart."""
        return self.feed.normalise(words)

    def n_subwords(self, words: Sequence[str]) -> list[int]:
        """Number of positions the network gives each word on its own."""
        return self.feed.n_subwords(words)

    def untrained(self, seed: int) -> TorchModel:
        """A copy with fresh weights; see `unitscope.models.weights.reset`."""
        module = copy.deepcopy(self.module)
        with torch.random.fork_rng(devices=forked_devices(self.device)):
            torch.manual_seed(seed)
            reset(module)
        return TorchModel(module, self.adapter, name=f"{self.name} (untrained {seed})")


def _role(known: Mapping[str, Role], address: str) -> tuple[str, int]:
    role = known.get(address, Role())
    return role.name, role.n_heads
