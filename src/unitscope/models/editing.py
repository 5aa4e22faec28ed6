"""Edits inside a running model: hooks while a context is open, and a module as it was when it is left.

`Editing` is a context manager. While it is open every forward of the module runs edited: `model.run`, the module's own
forward, cached generation. Hooks see the values, never the weights, and what they change is a copy; when the context is
left, for whatever reason, hooks and patched methods are gone and no bit of the module differs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from unitscope.changes import Swap
from unitscope.edits import Edit
from unitscope.errors import EditError
from unitscope.models.adapters import TARGET
from unitscope.models.address import Side
from unitscope.models.applying import Placed, edited
from unitscope.models.base import Layer
from unitscope.models.placing import Editable, is_inside, narrowed, place_all
from unitscope.models.probe import Tap, elements, given
from unitscope.models.recurrent import check, stepwise
from unitscope.models.rows import Known, announced, hearing
from unitscope.models.structure import given_again, replaced
from unitscope.models.units import BasisTap
from unitscope.models.watching import Watch
from unitscope.sites import Item

__all__ = ("Editable", "Editing", "edited_model", "values_of")


def edited_model(model: Any, edit: Edit, *, items: Sequence[Item] | None = None) -> Editing:
    """The model under an edit: a context manager, and a function of the module's own inputs.

    `items` are the rows of inputs that the module is called with directly (several rows in turn for each where there
    are more of them, as in beam search); `model.run` knows its own.

    Raises EditError for units that the model does not have, UnknownLayerError for layers.
    """
    return Editing(model, [edit], items=items)


class Editing:
    """A model under edits: each copy of a batch's rows under one of its own."""

    def __init__(self, model: Editable, edits: Sequence[Edit], *, items: Sequence[Item] | None = None) -> None:
        self.model = model
        self.module = model.module
        self.n_copies = len(edits)
        self.items = items
        if TARGET in model.grids:
            model.layers()  # looked at later, when hooks are on, which must not see the model being probed
        self.placed = [placed for copy, edit in enumerate(edits) for placed in place_all(model, edit, copy)]
        self._handles: list[Any] = []
        self._undo: list[Callable[[], None]] = []
        self._open = False
        self._parts: dict[tuple[str, Side], nn.Module] = {}
        self._reset()

    def _reset(self) -> None:
        self._calls: dict[tuple[str, Side], int] = defaultdict(int)
        self._rows = Watch(self.model, self.n_copies, self.items, self._calls.clear)
        self._donors: dict[tuple[int, str, str], torch.Tensor] = {}
        self._touched: set[tuple[str, Side, int | None]] = set()
        self._checked: set[str] = set()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the module gives for its own inputs, edited."""
        with self:
            return self.module(*args, **kwargs)

    def run(self, items: Sequence[Item], layers: Sequence[Layer], **options: Any) -> Any:
        """Activations of items at layers, edited; see `unitscope.models.base.Model.run`."""
        with self:
            return self.model.run(items, layers, **options)

    def __enter__(self) -> Editing:
        if self._open:
            raise EditError("This edit is in use already.", fix="Make another of the same model.")
        self._reset()
        self._open = True
        try:
            self._install()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._remove()
        if kind is None:
            self._check_touched()

    def _install(self) -> None:
        if any(isinstance(placed.step.change, Swap) for placed in self.placed):
            # Before others' hooks are on the module: a donor's forward is not theirs to see.
            self._undo.append(hearing(self.prepare))
        self._handles += self._rows.install()
        parts = dict(self.module.named_modules())
        places: dict[tuple[str, Side], list[Placed]] = defaultdict(list)
        for placed in self.placed:
            places[placed.tap.address.module, placed.tap.address.side].append(placed)
        self._parts = {(name, side): parts[name] for name, side in places}
        for (name, side), steps in places.items():
            part = parts[name]
            inside = [placed for placed in steps if is_inside(part, placed)]
            if inside:
                self._patch(name, part, inside)
            outside = [placed for placed in steps if placed not in inside]
            if side == "in":
                self._handles.append(part.register_forward_pre_hook(self._before(name, outside), with_kwargs=True))
            elif outside:
                self._handles.append(part.register_forward_hook(self._after(name, outside)))

    def _remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        for undo in reversed(self._undo):
            undo()
        self._handles, self._undo, self._open = [], [], False
        self._rows.forget()
        self._donors = {}

    def _check_touched(self) -> None:
        for placed in self.placed:
            address = placed.tap.address
            passed = self._rows.finished or placed.tap.order < self._rows.read_to
            if passed and (address.module, address.side, address.call) not in self._touched:
                raise EditError(
                    f"Layer '{placed.layer.address}' was never called while the edit was on, so it changed nothing.",
                    fix="Edit a layer that the model's forward passes.",
                )

    def _after(self, name: str, steps: Sequence[Placed]) -> Any:
        def after(_: nn.Module, args: Any, output: Any) -> Any:
            if self._rows.paused:
                return None
            value, call = output, self._count(name, "out")
            for place, mine in self._of_call(name, "out", steps, call):
                tensor = dict(elements(value)).get(place)
                if tensor is None:
                    raise _no_tensor(mine[0])
                value = replaced(value, place, self._new(tensor, mine, call))
            return value

        return after

    def _before(self, name: str, steps: Sequence[Placed]) -> Any:
        def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if self._rows.paused:
                return None
            call = self._count(name, "in")
            for place, mine in self._of_call(name, "in", steps, call):
                tensor = dict(elements(given(args, kwargs))).get(place)
                if tensor is None:
                    raise _no_tensor(mine[0])
                args, kwargs = given_again(args, kwargs, place, self._new(tensor, mine, call))
            return args, kwargs

        return before

    def _new(self, tensor: torch.Tensor, steps: Sequence[Placed], call: int) -> torch.Tensor:
        return edited(tensor, steps, self._rows.masks_for(steps[0].tap, tensor), self.donor, call)

    def _count(self, name: str, side: Side) -> int:
        call = self._calls[name, side]
        self._calls[name, side] += 1
        return call

    def skip(self, calls: Mapping[int, int]) -> None:
        """Count calls, by the id of their module, that are not made, since a replayed module would make them."""
        for (name, side), part in self._parts.items():
            self._calls[name, side] += calls.get(id(part), 0)

    def _of_call(self, name: str, side: Side, steps: Sequence[Placed], call: int) -> list[tuple[int, list[Placed]]]:
        """Steps that act on this call, by element."""
        found: dict[int, list[Placed]] = defaultdict(list)
        for placed in steps:
            address = placed.tap.address
            if address.call in (None, call):
                found[address.element].append(placed)
                self._touched.add((name, side, address.call))
        return list(found.items())

    def _patch(self, name: str, part: nn.Module, steps: list[Placed]) -> None:
        """Let a recurrent module run step by step with its states changed."""
        assert isinstance(part, nn.RNNBase)
        had, old, fused = "forward" in vars(part), vars(part).get("forward"), part.forward

        def forward(inputs: Any, hx: Any = None) -> Any:
            if self._rows.paused:
                return fused(inputs, hx)
            if name not in self._checked:
                check(part, inputs, hx, fused(inputs, hx), name)
                self._checked.add(name)
            call = self._count(name, "out")
            mine = [placed for _, group in self._of_call(name, "out", steps, call) for placed in group]
            return stepwise(part, inputs, hx, self._state(mine, part)) if mine else fused(inputs, hx)

        part.forward = forward
        self._undo.append(lambda: setattr(part, "forward", old) if had else delattr(part, "forward"))

    def _state(self, steps: list[Placed], part: nn.RNNBase) -> Any:
        size = part.proj_size or part.hidden_size
        chosen: dict[int, list[Placed]] = {0: [], 1: []}
        for placed in steps:
            columns = range(placed.layer.width) if placed.columns is None else placed.columns
            for side in (0, 1):
                mine = [unit for unit in columns if unit // size == side]
                if mine:
                    chosen[side].append(narrowed(placed, list(columns), mine, size, side))

        def change(state: torch.Tensor, step: int, direction: int) -> torch.Tensor:
            if not chosen[direction]:
                return state
            mine = chosen[direction]
            return edited(state, mine, self._rows.masks_for(mine[0].tap, state), self.donor, step)

        return change

    def donor(self, change: Swap, layer: Layer, tap: Tap, row: int, known: Known) -> torch.Tensor | None:
        """Values [T, U] that a row's donor has at a layer, from a forward without edits; see `changes.Swap`."""
        item = known.item(row)
        if item is None:
            raise EditError(
                "A swap needs the items of the rows.", fix="Use model.run, or model.edited(edit, items=items)."
            )
        other = change.donor(item)
        if other is None:
            return None
        key = (id(change), layer.address, other.id)
        if key not in self._donors:
            self._rows.paused = True
            try:
                self._donors[key] = values_of(self.model, other, layer, tap)
            finally:
                self._rows.paused = False
        return self._donors[key]

    def prepare(self, known: Known) -> None:
        """Run all donors of a batch's rows now."""
        for placed in self.placed:
            if isinstance(placed.step.change, Swap):
                for row in range(known.n_rows):
                    self.donor(placed.step.change, placed.layer, placed.tap, row, known)


def values_of(model: Editable, item: Item, layer: Layer, tap: Tap) -> torch.Tensor:
    """Values [T, U] of one item at the positions of a layer, special ones among them, from a forward of its own.

    Raises EditError for an item longer than the network takes.
    """
    from unitscope.models.applying import sites_view
    from unitscope.models.capture import read_layers

    args, kwargs, known = model.fed([item])
    found: list[torch.Tensor] = []

    def sink(_: Tap, tensor: torch.Tensor) -> None:
        if not known.length(tap.grid):  # a picture's cells
            tensor = sites_view(tensor.movedim(1, tap.site_axis or 1), tap, 1)
        rows = tensor[0].flatten(1)
        whole = rows if not isinstance(tap, BasisTap) or tap.basis is None else tap.basis.encode(rows)
        found.append(whole.clone())

    with announced(None):
        read_layers(model.module, args, kwargs, [tap], sink, {tap.grid: known.length(tap.grid) or 1})
    return found[0]


def _no_tensor(placed: Placed) -> EditError:
    return EditError(
        f"Layer '{placed.layer.address}' gave no tensor that could be edited.", fix="Edit another layer of the model."
    )
