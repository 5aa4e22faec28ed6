"""Prefix replay: edits at a layer without running again what lies below it, many of them as one batch.

A forward is recorded once for a batch of items, up to the earliest layer that is edited. Then the module runs as many
copies of the rows as there are edits, each copy under an edit of its own; modules that had finished give back their
recorded outputs instead of running. The modules around the layer run as always, with the operations between modules.

It gives what full runs give: the same bits where a single edit runs at the batch's own shape, else the same up to
rounding (1e-5 relative to the largest value of an output). Before a model and layer are trusted, two copies without
edits are compared with a plain forward; where they differ, or where a forward does something that cannot be given back
(see `unitscope.models.record`), every edit gets a full run, with a warning.
"""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from torch.utils._pytree import tree_flatten, tree_unflatten

from unitscope.edits import Edit
from unitscope.errors import EditError
from unitscope.models.applying import Placed
from unitscope.models.editing import Editing
from unitscope.models.placing import Editable, is_inside, place_all
from unitscope.models.record import Boundary, Call, NotReplayableError, Write, record
from unitscope.models.rows import Announced, announced
from unitscope.models.tiled import Tiled, plain
from unitscope.sites import Item

TOLERANCE = 1e-5
Axes = list[list[int | None]]
"""For each call and each leaf of its output the batch axis, None where it has none."""
Fed = Callable[[Sequence[Item], int], tuple[Any, dict[str, Any], Announced]]
"""Arguments of the module for so many copies of items, and what the rows are: `model.fed`, or one in its place."""


class ReplayWarning(UserWarning):
    """A model is run in full for every edit, since its forward cannot be replayed."""


@dataclass(eq=False)
class _Shown:
    """What has been found out about a module: whether it can be replayed from a boundary, and how."""

    keep: set[int] = field(default_factory=set)
    axes: dict[Any, Axes] = field(default_factory=dict)
    trusted: dict[Boundary, str] = field(default_factory=dict)
    """Boundaries that were tried, with why not; an empty string where all is well."""
    root_axes: dict[Any, list[int | None]] = field(default_factory=dict)


_SHOWN: WeakKeyDictionary[nn.Module, _Shown] = WeakKeyDictionary()


@dataclass(eq=False)
class Replay:
    """A batch of items, recorded up to a boundary. Made by `replayed`; `why` says why it runs in full, if it does."""

    model: Editable
    items: tuple[Item, ...]
    boundary: Boundary
    cache: bool
    why: str = ""
    calls: list[Call] = field(default_factory=list)
    axes: Axes = field(default_factory=list)
    memo: dict[Any, Any] = field(default_factory=dict)
    fed: Fed | None = None
    _fed: dict[int, Any] = field(default_factory=dict)

    def run(self, edits: Sequence[Edit]) -> list[Any]:
        """What the module gives for the items under each edit, as if it had run alone.

        The edits' layers must not lie below the layer that was recorded. Raises EditError where one does.
        """
        for edit in edits:
            mine = boundary_of(self.model, [edit])
            if mine is not None and mine.rank < self.boundary.rank:
                raise EditError(f"Layer '{mine.module}' lies below '{self.boundary.module}', which was recorded.")
        if self.why:
            return [self._full(edit) for edit in edits]
        args, kwargs, known = self._inputs(len(edits))
        editing = Editing(self.model, edits)
        with torch.no_grad(), announced(known), editing:
            editing.prepare(known)
            with self._patched(len(edits), editing):
                output = self.model.module(*args, **kwargs)
        shown = _SHOWN[self.model.module]
        return parts(output, len(edits), len(self.items), shown.root_axes.get(_shape_key(self.model, self.cache)))

    def _full(self, edit: Edit) -> Any:
        args, kwargs, known = self._inputs(1)
        with torch.no_grad(), announced(known), Editing(self.model, [edit]):
            return self.model.module(*args, **kwargs)

    def _inputs(self, copies: int) -> tuple[Any, Any, Announced]:
        if copies not in self._fed:
            known = self._fed[1][2] if 1 in self._fed else None
            if copies > 1 and known is not None and not known.spans:
                self._fed[copies] = self._shells(copies)
            else:
                self._fed[copies] = inputs(self.model, self.items, copies, self.cache, self.fed)
        args, kwargs, known = self._fed[copies]
        return args, dict(kwargs), known

    def _shells(self, copies: int) -> tuple[Any, Any, Announced]:
        """Pictures' copies that are made only where something looks at them."""
        args, kwargs, known = self._fed[1]
        if any(isinstance(arg, torch.Tensor) and arg.shape[:1] != (len(self.items),) for arg in args):
            return inputs(self.model, self.items, copies, self.cache, self.fed)
        shells = [Tiled.of(arg, 0, copies, {}) if isinstance(arg, torch.Tensor) else arg for arg in args]
        return tuple(shells), kwargs, known

    @contextmanager
    def _patched(self, copies: int, editing: Editing | None = None) -> Iterator[None]:
        """Let recorded modules give back `copies` times what they gave, for one forward."""
        player = _Player(self, copies, editing)
        undo: list[Callable[[], None]] = []
        try:
            for part in {id(call.module): call.module for call in self.calls}.values():
                undo.append(_patch(part, player))
            yield
            player.check()
        finally:
            for each in reversed(undo):
                each()


class _Player:
    """Gives back recorded outputs in one forward."""

    def __init__(self, replay: Replay, copies: int, editing: Editing | None) -> None:
        self.editing = editing
        self.calls = {(id(call.module), call.number): (call, axes) for call, axes in zip(replay.calls, replay.axes)}
        self.copies, self.memo = copies, replay.memo
        self.counts: Counter[int] = Counter()
        self.n_given = 0

    def play(self, part: nn.Module, own: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = self.calls.get((id(part), self.counts[id(part)]))
        if found is None:
            self.counts[id(part)] += 1
            return own(*args, **kwargs)
        call, axes = found
        self.counts += call.inside
        self.n_given += 1
        if self.editing is not None:
            self.editing.skip({part: n for part, n in call.inside.items() if part != id(call.module)})
        leaves = tree_flatten((args, kwargs))[0]
        for place, after in call.mutated.items():
            _become(leaves[place], after, self.copies)
        for write in call.writes:
            self._write(leaves[write.leaf], write)
        given = [
            leaves[call.aliases[place]] if place in call.aliases else self._leaf(leaf, axis)
            for place, (leaf, axis) in enumerate(zip(call.leaves, axes))
        ]
        return tree_unflatten(given, call.tree)

    def _leaf(self, leaf: Any, axis: int | None) -> Any:
        if isinstance(leaf, PackedSequence):
            values, lengths = pad_packed_sequence(leaf, batch_first=True)
            values, lengths = torch.cat([values] * self.copies), lengths.repeat(self.copies)
            return pack_padded_sequence(values, lengths, batch_first=True, enforce_sorted=False)
        if not isinstance(leaf, torch.Tensor):
            return leaf
        if axis is None or self.copies == 1:
            return leaf.clone()  # what is recorded must outlive operations in place
        return Tiled.of(leaf, axis, self.copies, self.memo)

    def _write(self, cache: Any, write: Write) -> None:
        part = getattr(cache, write.part) if write.part else cache
        args = [torch.cat([arg] * self.copies) if isinstance(arg, torch.Tensor) else arg for arg in write.args]
        part.update(*args)
        if write.part == "cross_attention_cache" and hasattr(cache, "is_updated"):
            cache.is_updated[args[2]] = True

    def check(self) -> None:
        if self.n_given != len(self.calls):
            raise NotReplayableError("its path depends on its input")


def _become(leaf: Any, after: torch.Tensor, copies: int) -> None:
    """Let an argument be what the recorded call had made of it."""
    if isinstance(leaf, Tiled):
        leaf.become(after)
    elif leaf.shape == after.shape:
        leaf.copy_(after)
    else:
        axis = next(at for at, (a, b) in enumerate(zip(leaf.shape, after.shape)) if a != b)
        leaf.copy_(torch.cat([after] * copies, dim=axis))


def _patch(part: nn.Module, player: _Player) -> Callable[[], None]:
    had, own = "forward" in vars(part), part.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        return player.play(part, own, args, kwargs)

    part.forward = forward
    return lambda: setattr(part, "forward", own) if had else delattr(part, "forward")


def boundary_of(model: Editable, edits: Sequence[Edit]) -> Boundary | None:
    """Where the earliest of the edits begins; None where none does anything."""
    found = [_boundary(model, each) for edit in edits for each in place_all(model, edit)]
    return min(found, key=lambda boundary: boundary.rank, default=None)


def _boundary(model: Editable, placed: Placed) -> Boundary:
    address = placed.tap.address
    inside = is_inside(model.module.get_submodule(address.module), placed)
    rank = (placed.tap.order, int(not inside))
    return Boundary(address.module, "in" if inside else address.side, address.call or 0, rank)


def inputs(
    model: Editable, items: Sequence[Item], copies: int, cache: bool, fed: Fed | None = None
) -> tuple[Any, Any, Announced]:
    """Arguments for `copies` of items; `cache` tells a model that can keep keys and values whether to."""
    args, kwargs, known = (fed or model.fed)(items, copies)
    if "use_cache" in _parameters(model.module):
        kwargs = {**kwargs, "use_cache": cache}
    return args, kwargs, known


def _parameters(module: nn.Module) -> Sequence[str]:
    return tuple(inspect.signature(module.forward).parameters)


def replayed(
    model: Editable, items: Sequence[Item], edits: Sequence[Edit], *, cache: bool = False, fed: Fed | None = None
) -> Replay:
    """Record items as one batch, up to the earliest layer that the edits touch.

    With `cache` a decoder keeps the keys and values of what it reads, as before generation (prefill), those of
    replayed layers among them. `fed` makes the module's arguments of items, in place of `model.fed`. Where the model
    cannot be replayed, warns (ReplayWarning) and returns a replay that runs in full.
    """
    boundary = boundary_of(model, edits)
    if boundary is None:
        return Replay(model, tuple(items), Boundary("", "in", 0, (0, 0)), cache, why="no edit does anything", fed=fed)
    shown = _SHOWN.setdefault(model.module, _Shown())
    replay = Replay(model, tuple(items), boundary, cache, fed=fed)
    if boundary not in shown.trusted:
        shown.trusted[boundary] = _tried(replay, shown)
        if shown.trusted[boundary]:
            _warn(model, boundary, shown.trusted[boundary])
    replay.why = shown.trusted[boundary]
    if not replay.why:
        try:
            _record(replay, shown)
        except NotReplayableError as error:
            replay.why = str(error)
            _warn(model, boundary, replay.why)
    return replay


def _warn(model: Editable, boundary: Boundary, why: str) -> None:
    warnings.warn(
        f"{model.name} runs in full for every edit at '{boundary.module}': {why}.", ReplayWarning, stacklevel=4
    )


def _record(replay: Replay, shown: _Shown) -> None:
    """Fill in calls and their batch axes."""
    model, items = replay.model, replay.items
    args, kwargs, _ = replay._inputs(1)
    replay.calls = record(model.module, args, dict(kwargs), replay.boundary, shown.keep)
    key = (
        replay.boundary,
        replay.cache,
        tuple((id(call.module), call.number, len(call.leaves)) for call in replay.calls),
    )
    if key not in shown.axes:
        others = _others(items)
        args, kwargs, _ = inputs(model, others, 1, replay.cache, replay.fed)
        calls = record(model.module, args, dict(kwargs), replay.boundary, shown.keep)
        shown.axes[key] = _axes(replay.calls, calls, len(items), len(others))
    replay.axes = shown.axes[key]


def _others(items: Sequence[Item]) -> tuple[Item, ...]:
    """The items and one of them again: another number of rows, of the same lengths."""
    return (*items, items[0])


def _axes(calls: Sequence[Call], others: Sequence[Call], n_rows: int, n_others: int) -> Axes:
    """Batch axes, from the same calls with another number of rows."""
    if [(call.module, call.number) for call in calls] != [(call.module, call.number) for call in others]:
        raise NotReplayableError("its path depends on its input")
    return [
        [_axis(one, other, n_rows, n_others) for one, other in zip(call.leaves, again.leaves)]
        for call, again in zip(calls, others)
    ]


def _axis(one: Any, other: Any, n_rows: int, n_others: int) -> int | None:
    if not isinstance(one, torch.Tensor):
        return None
    if one.dim() == other.dim():
        changed = [at for at, (a, b) in enumerate(zip(one.shape, other.shape)) if a != b]
        if not changed:
            return None
        if len(changed) == 1 and one.shape[changed[0]] * n_others == other.shape[changed[0]] * n_rows:
            return changed[0]
    raise NotReplayableError("the shape of an output does not tell its batch axis")


def _tried(whole: Replay, shown: _Shown) -> str:
    """Why two copies without edits do not give what a plain forward gives; empty where they do."""
    model, few = whole.model, whole.items[:2]
    replay = Replay(model, few, whole.boundary, whole.cache, fed=whole.fed)
    try:
        _record(replay, shown)
        args, kwargs, _ = replay._inputs(1)
        with torch.no_grad():
            plainly = model.module(*args, **kwargs)
            args, kwargs, _ = replay._inputs(2)
            twice = model.module(*args, **kwargs)
            args, kwargs, _ = replay._inputs(2)
            with replay._patched(2):
                again = model.module(*args, **kwargs)
        axes = [
            _axis(one, other, len(few), 2 * len(few))
            for one, other in zip(tree_flatten(plainly)[0], tree_flatten(twice)[0])
        ]
        shown.root_axes[_shape_key(model, whole.cache)] = axes
    except NotReplayableError as error:
        return str(error)
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    for copy in parts(again, 2, len(few), axes):
        if not alike(plainly, copy):
            return "its output differs from that of a full run"
    return ""


def _shape_key(model: Editable, cache: bool) -> Any:
    return (id(model.module), cache)


def parts(output: Any, n_copies: int, n_rows: int, axes: Sequence[int | None] | None) -> list[Any]:
    """A module's output, taken apart into that of each copy of the rows."""
    leaves, tree = tree_flatten(output)
    found = []
    for copy in range(n_copies):
        mine = []
        for place, leaf in enumerate(leaves):
            if isinstance(leaf, torch.Tensor):
                axis = axes[place] if axes is not None and place < len(axes) else 0
                leaf = plain(leaf)
                if axis is not None:
                    size = leaf.shape[axis] // n_copies
                    leaf = leaf.narrow(axis, copy * size, size)
            elif n_copies > 1 and hasattr(leaf, "batch_select_indices"):
                leaf = deepcopy(leaf)
                leaf.batch_select_indices(torch.arange(copy * n_rows, (copy + 1) * n_rows))
            mine.append(leaf)
        found.append(tree_unflatten(mine, tree))
    return found


def alike(one: Any, other: Any) -> bool:
    """Whether all tensors of two outputs agree to a relative 1e-5 of the largest value of each."""
    pairs = list(zip(tree_flatten(one)[0], tree_flatten(other)[0]))
    return all(_near(a, b) for a, b in pairs if isinstance(a, torch.Tensor))


def _near(one: torch.Tensor, other: Any) -> bool:
    if not isinstance(other, torch.Tensor) or one.shape != other.shape:
        return False
    if not one.is_floating_point():
        return bool((one == other).all())
    if not one.numel():
        return True
    finite = one.isfinite()
    if not bool((finite == other.isfinite()).all()):
        return False
    size = float(one[finite].abs().max()) if bool(finite.any()) else 0.0
    return bool(((one - other)[finite].abs() <= TOLERANCE * size).all())
