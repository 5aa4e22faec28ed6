"""What is known of the rows that run through a module, noted by hooks: which items they are, which positions are sites.

Whoever runs items says so before each forward; where the module is called with inputs of the user's own, token numbers
are read off its arguments, or those of the nearest module above a layer that is given any (a decoder in a whole).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from unitscope.errors import EditError, ModelError
from unitscope.models.adapters import SOURCE, TARGET
from unitscope.models.applying import Masks
from unitscope.models.placing import Editable
from unitscope.models.probe import Tap
from unitscope.models.rows import Known, Prompts, TokenRows, Unknown, current, prompt_spans
from unitscope.sites import Item

_IDS, _DECODER_IDS = ("input_ids", "attention_mask"), ("decoder_input_ids", "decoder_attention_mask")


class Watch:
    """Hooks that note what rows run, and the masks made of that.

    A batch may hold `n_copies` of its rows after each other. `begun` is called as a forward of the whole begins;
    `finished` tells that one has come to its end, `read_to` how far those went at least that end at the last layer
    they are run for (see `Announced`). Nothing is noted while `paused`.
    """

    def __init__(self, model: Editable, n_copies: int, items: Sequence[Item] | None, begun: Callable[[], None]) -> None:
        self.model, self.n_copies, self.begun = model, n_copies, begun
        self.items = tuple(items) if items is not None else None
        self.paused = self.finished = False
        self.read_to = -1
        self._depth = 0
        self._known: dict[str, Known] = {}
        self._masks: dict[int, Masks] = {}

    def forget(self) -> None:
        """Hold on to nothing of what has run."""
        self._known, self._masks = {}, {}

    def install(self) -> list[Any]:
        """Put hooks around the whole module, and around those in it that take token numbers; returns their handles."""
        handles = []
        for name, part in self.model.module.named_modules():
            if not name or _takes_ids(part):
                before, after = self._around(name, part)
                handles.append(part.register_forward_pre_hook(before, with_kwargs=True))
                handles.append(part.register_forward_hook(after, always_call=True))
        return handles

    def _around(self, name: str, part: nn.Module) -> tuple[Any, Any]:
        own = self._grid(name)
        prompts = {
            names: Prompts(getattr(getattr(self.model, "adapter", None), "special_ids", ()))
            for names in (_IDS, _DECODER_IDS)
        }

        def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if self.paused:
                return
            self._depth = 1 if not name else self._depth + 1
            if self._depth == 1:
                self.begun()
                self._known.clear()
            said = current()
            if said is not None:
                self.read_to = max(self.read_to, getattr(said, "read_to", -1))
                self._known[""] = said
                return
            named = _named(part, args, kwargs)
            for names, reader in prompts.items():
                found = reader.read(named, names)
                if found is not None:
                    self._check_length(found)
                    grid = TARGET if names == _DECODER_IDS else own
                    self._known[f"{name}|{grid}"] = self._with_items(found, named.get(names[1]), grid)

        def after(_: nn.Module, args: Any, output: Any) -> None:
            if not self.paused:
                self._depth = max(0, self._depth - 1)
                self.finished |= not name and output is not None

        return before, after

    def _check_length(self, found: TokenRows) -> None:
        n = found.before + found.real.shape[1]
        most = getattr(getattr(self.model, "feed", None), "max_positions", None)
        if most is not None and n > most:
            raise ModelError(
                f"{self.model.name} is to read {n} positions{', generated ones among them' * bool(found.before)}.",
                expected=f"at most {most}, as it takes",
                fix="Generate less, or give it a shorter text.",
            )

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
