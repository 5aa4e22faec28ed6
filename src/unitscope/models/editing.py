"""Edits inside a running model: hooks while a context is open, and a module as it was when it is left.

`Editing` is a context manager. While it is open every forward of the module runs edited: `model.run`, the module's own
forward, cached generation. Hooks see the values, never the weights, and what they change is a copy; when the context is
left, for whatever reason, hooks and patched methods are gone and no bit of the module differs.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import nn

from unitscope.changes import Swap
from unitscope.edits import Edit, Step
from unitscope.errors import EditError
from unitscope.models.adapters import SOURCE, TARGET
from unitscope.models.address import POOLED, Side
from unitscope.models.applying import Masks, Placed, edited
from unitscope.models.base import Layer
from unitscope.models.mass import MassTap
from unitscope.models.probe import Tap, elements, given
from unitscope.models.recurrent import check, stepwise
from unitscope.models.rows import Known, Prompts, TokenRows, Unknown, announced, current, hearing, prompt_spans
from unitscope.models.structure import given_again, replaced
from unitscope.models.units import BasisTap
from unitscope.sites import Item

if TYPE_CHECKING:
    from unitscope.models.images import ImageModel
    from unitscope.models.torch import TorchModel

Editable: TypeAlias = "TorchModel | ImageModel"

_IDS, _DECODER_IDS = ("input_ids", "attention_mask"), ("decoder_input_ids", "decoder_attention_mask")


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
        self.items = tuple(items) if items is not None else None
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
        self._known: dict[str, Known] = {}
        self._masks: dict[int, Masks] = {}
        self._donors: dict[tuple[int, str, str], torch.Tensor] = {}
        self._touched: set[tuple[str, Side, int | None]] = set()
        self._checked: set[str] = set()
        self._paused = self._finished = False
        self._depth = 0

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
        if kind is None and self._finished:
            self._check_touched()

    def _install(self) -> None:
        if any(isinstance(placed.step.change, Swap) for placed in self.placed):
            # Before others' hooks are on the module: a donor's forward is not theirs to see.
            self._undo.append(hearing(self.prepare))
        parts = dict(self.module.named_modules())
        for name, part in parts.items():
            if not name or _takes_ids(part):
                before, after = self._around(name, part)
                self._handles.append(part.register_forward_pre_hook(before, with_kwargs=True))
                self._handles.append(part.register_forward_hook(after, always_call=True))
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
        self._known, self._masks, self._donors = {}, {}, {}

    def _check_touched(self) -> None:
        for placed in self.placed:
            address = placed.tap.address
            if (address.module, address.side, address.call) not in self._touched:
                raise EditError(
                    f"Layer '{placed.layer.address}' was never called while the edit was on, so it changed nothing.",
                    fix="Edit a layer that the model's forward passes.",
                )

    def _around(self, name: str, part: nn.Module) -> tuple[Any, Any]:
        """Hooks around a module that is given token numbers, or the whole: what is known of the rows."""
        own = self._grid(name)
        prompts = {
            names: Prompts(getattr(getattr(self.model, "adapter", None), "special_ids", ()))
            for names in (_IDS, _DECODER_IDS)
        }

        def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if self._paused:
                return
            self._depth = 1 if not name else self._depth + 1
            if self._depth == 1:
                self._calls.clear()
                self._known.clear()
            said = current()
            if said is not None:
                self._known[""] = said
                return
            named = _named(part, args, kwargs)
            for names, reader in prompts.items():
                found = reader.read(named, names)
                if found is not None:
                    grid = TARGET if names == _DECODER_IDS else own
                    self._known[f"{name}|{grid}"] = self._with_items(found, named.get(names[1]), grid)

        def after(_: nn.Module, args: Any, output: Any) -> None:
            if not self._paused:
                self._depth = max(0, self._depth - 1)
                self._finished |= not name and output is not None

        return before, after

    def _grid(self, name: str) -> str:
        """Which text the token numbers are that a module is given."""
        if not name or TARGET not in self.model.grids:
            return SOURCE
        layers = [layer for layer in self.model.layers() if layer.address.startswith(f"{name}.")]
        n_target = sum(layer.grid == TARGET for layer in layers)
        return TARGET if 2 * n_target > len(layers) else SOURCE

    def _with_items(self, found: TokenRows, mask: Any, grid: str) -> TokenRows:
        if self.items is None:
            return found
        if not self.items or found.n_rows % len(self.items):
            raise EditError(
                f"The input has {found.n_rows} rows for {len(self.items)} items.", expected="one item a row"
            )
        texts: tuple[Any, ...] = ()
        feed = getattr(self.model, "feed", None)
        if feed is not None and grid == SOURCE and not found.before:
            rows = feed.rows(grid, [item.grids[grid] for item in self.items])
            texts = prompt_spans(found, mask, [row.spans for row in rows], self.model.name)
        return TokenRows(found.real, found.steps, found.before, self.items, grid, texts)

    def known_for(self, tap: Tap, n_rows: int) -> Known:
        """What is known of the rows that pass a module: from the nearest module above it that has token numbers."""
        if "" in self._known:
            return self._known[""]
        name = tap.address.module
        while f"{name}|{tap.grid}" not in self._known:
            if not name:
                return Unknown(n_rows // self.n_copies)
            name = name.rpartition(".")[0]
        return self._known[f"{name}|{tap.grid}"]

    def masks_for(self, tap: Tap, tensor: torch.Tensor) -> Masks:
        """Masks of the batch that is passing. Raises EditError where it holds other rows than are known."""
        axis = tap.batch_axis
        n_rows = tensor.shape[axis]
        if tap.site_axis == axis:
            n_rows = 1
        known = self.known_for(tap, n_rows)
        if tap.site_axis != axis and known.n_rows * self.n_copies != n_rows:
            known = Unknown(n_rows // self.n_copies)
        if tap.site_axis == axis and not known.length(tap.grid):
            raise EditError(f"'{tap.address}' holds rows after each other, whose length is not known.", fix="Use run.")
        if id(known) not in self._masks:
            if len(self._masks) > 2:
                self._masks.clear()
            self._masks[id(known)] = Masks(known)
        return self._masks[id(known)]

    def _after(self, name: str, steps: Sequence[Placed]) -> Any:
        def after(_: nn.Module, args: Any, output: Any) -> Any:
            if self._paused:
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
            if self._paused:
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
        return edited(tensor, steps, self.masks_for(steps[0].tap, tensor), self.donor, call)

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
            if self._paused:
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
                    chosen[side].append(_narrowed(placed, list(columns), mine, size, side))

        def change(state: torch.Tensor, step: int, direction: int) -> torch.Tensor:
            if not chosen[direction]:
                return state
            return edited(state, chosen[direction], self.masks_for(chosen[direction][0].tap, state), self.donor, step)

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
            self._paused = True
            try:
                self._donors[key] = values_of(self.model, other, layer, tap)
            finally:
                self._paused = False
        return self._donors[key]

    def prepare(self, known: Known) -> None:
        """Run all donors of a batch's rows now."""
        for placed in self.placed:
            if isinstance(placed.step.change, Swap):
                for row in range(known.n_rows):
                    self.donor(placed.step.change, placed.layer, placed.tap, row, known)


def place_all(model: Editable, edit: Edit, copy: int = 0) -> list[Placed]:
    """Steps at the model's layers, all calls of shared ones. Raises EditError for units that are not there."""
    found = []
    for step in edit.steps:
        address = step.target.layer
        if address.endswith(POOLED):
            raise EditError(
                f"Layer '{address}' is pooled over an item's sites.", fix=f"Edit '{address[: -len(POOLED)]}'."
            )
        for layer in model.resolve([address]):
            tap = model.tap(layer.address)
            if isinstance(tap, MassTap):
                raise EditError(
                    f"Attention masses ('{address}') are read, and cannot be set.", fix="Edit heads: head(...)."
                )
            found.append(Placed(step, layer, tap, columns_of(step, layer), copy))
    return found


def columns_of(step: Step, layer: Layer) -> tuple[int, ...] | None:
    """Indices of a step's units in a layer; None for all."""
    target = step.target
    if target.heads is not None:
        if not layer.n_heads:
            raise EditError(
                f"The units of layer '{layer.address}' are not known to split into attention heads.",
                expected="the input of an attention's output projection (layers.3.self_attn.o_proj@in)",
            )
        size = layer.width // layer.n_heads
        _in_range(target.heads, layer.n_heads, f"Head {{}} of layer '{layer.address}'")
        return tuple(unit for each in target.heads for unit in range(each * size, (each + 1) * size))
    if target.units is not None:
        _in_range(target.units, layer.width, f"Unit '{layer.address}:{{}}'")
    return target.units


def _in_range(numbers: Sequence[int], n: int, what: str) -> None:
    for number in numbers:
        if not 0 <= number < n:
            raise EditError(f"{what.format(number)} is out of range.", expected=f"0 to {n - 1}")


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


def _narrowed(placed: Placed, columns: list[int], mine: list[int], size: int, side: int) -> Placed:
    """The part of a step that is on one direction of a recurrent layer, as the units of a step of time."""
    from dataclasses import replace

    change = placed.step.change.part([columns.index(unit) for unit in mine], len(columns))
    tap = replace(placed.tap, batch_axis=0, site_axis=None)
    return replace(
        placed, tap=tap, columns=tuple(unit - side * size for unit in mine), step=replace(placed.step, change=change)
    )


def is_inside(part: nn.Module, placed: Placed) -> bool:
    """Whether a step acts on the states of a recurrent module as it runs, and not on what it gives."""
    plain = (
        placed.tap.address.side == "out" and placed.tap.address.element == 0 and not isinstance(placed.tap, BasisTap)
    )
    return isinstance(part, nn.RNNBase) and placed.step.recurrence and plain


def _takes_ids(part: nn.Module) -> bool:
    try:
        return "input_ids" in inspect.signature(part.forward).parameters
    except (TypeError, ValueError):
        return False


def _named(part: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by name."""
    if not args:
        return dict(kwargs)
    try:
        return dict(inspect.signature(part.forward).bind_partial(*args, **kwargs).arguments)
    except (TypeError, ValueError):
        return dict(kwargs)


def _no_tensor(placed: Placed) -> EditError:
    return EditError(
        f"Layer '{placed.layer.address}' gave no tensor that could be edited.", fix="Edit another layer of the model."
    )
