"""Attention mass: how much of each head's attention goes from a word to the previous one, to the first position, ...

A unit is a head and a class of targets; its value at a word is the attention, summed over the target's positions,
that the word's position pays (its last, first, or the mean or maximum over its positions, as everywhere). So heads
that look back one word or rest on the first position (Clark et al. 2019; Voita et al. 2019; Xiao et al. 2024) stand
in the same tables as neurons. Classes overlap, and their masses do not add up to one.

Fast attention kernels never form the weights. So the network is run once more with the plain implementation
(`eager`) for these layers alone; values of all other layers are those of the model as it came.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unitscope.bases.specs import MARK
from unitscope.errors import ModelError
from unitscope.models.base import Layer, Resampling
from unitscope.models.probe import Tap, elements
from unitscope.models.resample import overlaps
from unitscope.models.units import UnitsAddress

if TYPE_CHECKING:
    from unitscope.models.resample import Gather
    from unitscope.models.torch import TorchModel

Ints = NDArray[np.int64]
TARGETS = ("self", "same word", "previous", "next", "first", "special", "punctuation", "same form")
"""Targets: the position itself; other positions of its word; the word before, after; the row's first position; other
positions without characters (separators); words that are punctuation; other words of the same form."""
SUFFIX = f"{MARK}mass"
ROLE = "attention mass"
_LENGTHS = (11, 13)


def unit_name(unit: int) -> str:
    """What a unit is.

    >>> unit_name(26)
    'head 3 → previous'
    """
    return f"head {unit // len(TARGETS)} → {TARGETS[unit % len(TARGETS)]}"


@dataclass(frozen=True)
class MassTap(Tap):
    """Reads attention weights [batch, head, query, key] and gives masses by head and target."""

    def canonical(self, tensor: torch.Tensor, n_positions: int) -> torch.Tensor:
        """View with axes (batch, query, head, key)."""
        return tensor.transpose(1, 2)

    def rows(
        self,
        tensor: torch.Tensor,
        gather: Gather,
        how: Resampling,
        columns: torch.Tensor | None,
        part: tuple[int, int] | None,
    ) -> torch.Tensor:
        """One row a word; units are heads × targets."""
        n_heads = tensor.shape[2]

        def each(rows: torch.Tensor, key: str, entries: Ints) -> torch.Tensor:
            weights = rows.reshape(len(rows), n_heads, -1)
            targets = gather.around.targets(key, gather.where.rows[entries], gather.where.positions[entries], entries)
            masses = (weights @ targets.to(weights.device).transpose(1, 2)).flatten(1)
            if columns is not None:
                return masses.index_select(1, columns)
            return masses if part is None else masses[:, slice(*part)]

        return gather.reduce(tensor, how, each=each)


@dataclass
class Around:
    """What is around the words of a batch: which positions each word of each row has, and which words are what.

    `spans` [B, T, 2] are of positions, `words[b]` [W, 2] of a row's words, `forms[b]` their forms as the network
    can tell them apart. `word` [n] is for each entry of the batch's places its word in its item.
    """

    spans: Ints
    words: Sequence[Ints]
    forms: Sequence[Sequence[str]]
    word: Ints
    _targets: dict[str, torch.Tensor] = field(default_factory=dict)
    _rows: dict[int, tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]] = field(default_factory=dict)

    def targets(self, key: str, rows: Ints, positions: Ints, entries: Ints) -> torch.Tensor:
        """Which keys belong to each target of each entry, float32 [n, target, key]; kept under `key`."""
        if key not in self._targets:
            found = np.zeros((len(entries), len(TARGETS), self.spans.shape[1]), np.float32)
            for at, (row, position, word) in enumerate(zip(rows.tolist(), positions.tolist(), self.word[entries])):
                self._fill(found[at], row, position, int(word))
            self._targets[key] = torch.from_numpy(found)
        return self._targets[key]

    def _row(self, row: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
        """Which positions each word has [W, T], which words are punctuation [W], and forms as numbers [W]."""
        if row not in self._rows:
            spans, words = self.spans[row], self.words[row]
            has = np.zeros((len(words), len(spans)), np.bool_)
            word, position = overlaps(spans, words)
            has[word, position] = True
            forms = self.forms[row]
            known: dict[str, int] = {}
            numbers = np.array([known.setdefault(form, len(known)) for form in forms], np.int64)
            self._rows[row] = (has, np.array([is_punctuation(form) for form in forms], np.bool_), numbers)
        return self._rows[row]

    def _fill(self, found: NDArray[np.float32], row: int, position: int, word: int) -> None:
        has, punctuation, form = self._row(row)
        spans, mine = self.spans[row], has[word]
        found[0, position] = 1
        found[1] = mine
        found[1, position] = 0
        if word > 0:
            found[2] = has[word - 1] & ~mine
        if word + 1 < len(has):
            found[3] = has[word + 1] & ~mine
        found[4, 0] = 1
        found[5] = spans[:, 1] <= spans[:, 0]
        found[5, 0] = 0
        found[6] = has[punctuation].any(axis=0) & ~mine
        found[7] = has[form == form[word]].any(axis=0) & ~mine


def is_punctuation(word: str) -> bool:
    """Whether a word consists of punctuation marks alone, as Unicode has them.

    >>> is_punctuation("..."), is_punctuation("'s")
    (True, False)
    """
    return bool(word) and all(unicodedata.category(letter).startswith("P") for letter in word)


@contextmanager
def plain_attention(module: nn.Module) -> Iterator[None]:
    """Let a transformers model form its attention weights, and put it back as it was."""
    configs: dict[int, Any] = {id(part.config): part.config for part in module.modules() if hasattr(part, "config")}
    for config in list(configs.values()):
        for name in getattr(config, "sub_configs", {}) or {}:
            inner = getattr(config, name, None)
            if inner is not None:
                configs[id(inner)] = inner
    kept = [(config, config._attn_implementation_internal) for config in configs.values() if _switches(config)]
    try:
        for config, _ in kept:
            config._attn_implementation_internal = "eager"
        yield
    finally:
        for config, before in kept:
            config._attn_implementation_internal = before


def _switches(config: Any) -> bool:
    return hasattr(config, "_attn_implementation_internal")


def find_masses(model: TorchModel, order: Mapping[str, int]) -> dict[str, tuple[Layer, MassTap]]:
    """Layers of attention mass by address, in order of execution.

    A module counts that gives a tensor with axes (batch, head, query, key) of one grid, never negative and with rows
    that add up to one; of modules that give the same one, the innermost. `order` ranks modules' outputs.
    """
    lengths = dict(zip(model.grids, (min(n, model.feed.max_positions or n) for n in _LENGTHS)))
    batch = model.feed.collate({grid: [model.feed.probe(grid, n)] * 2 for grid, n in lengths.items()})
    n_positions = {grid: spans.shape[1] for grid, spans in batch.spans.items()}
    seen: list[tuple[str, int, int, str]] = []
    calls: dict[str, int] = {}

    def listen(name: str) -> Any:
        def after(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            calls[name] = calls.get(name, 0) + 1
            for element, tensor in elements(output) if isinstance(output, tuple) else ():
                grid = _grid_of_weights(tensor, n_positions)
                if grid is not None:
                    seen.append((name, element, tensor.shape[1], grid))

        return after

    handles = [part.register_forward_hook(listen(name)) for name, part in model.module.named_modules() if name]
    args, kwargs = model.moved(batch)
    try:
        with torch.inference_mode(), plain_attention(model.module):
            model.module(*args, **kwargs)
    except Exception as error:  # whatever a foreign module raises, the user should hear which module it was
        raise ModelError(f"{model.name} does not run with plain attention: {type(error).__name__}: {error}") from error
    finally:
        for handle in handles:
            handle.remove()
    names = {name for name, *_ in seen}
    found = {}
    for name, element, n_heads, grid in seen:
        inner = any(other.startswith(f"{name}.") for other in names)
        address = f"{name}{SUFFIX}"
        if inner or address in found or calls[name] > 1:
            continue
        rank = order.get(name, 0)
        width = n_heads * len(TARGETS)
        layer = Layer(address, width, grid, ROLE, n_heads, rank)
        at = UnitsAddress(name, element=element, shown=address)
        found[address] = (layer, MassTap(at, grid, width, 0, 1, order=rank))
    return found


def _grid_of_weights(tensor: torch.Tensor, n_positions: Mapping[str, int]) -> str | None:
    if tensor.ndim != 4 or tensor.shape[0] != 2:
        return None
    for grid, n in n_positions.items():
        if tuple(tensor.shape[2:]) == (n, n) and bool((tensor >= 0).all()):
            total = tensor.float().sum(dim=-1)
            if torch.allclose(total, torch.ones_like(total), atol=1e-2):
                return grid
    return None
