"""What a model is to the rest of the package: named layers, and activations of items at their sites.

A backend runs the network once over a batch of items, only as deep as the deepest layer asked for, and resamples the
network's own positions (subwords, characters, strided convolution outputs) to the grid's sites. Special tokens and
padding are never sites. What a unit's value at a word is when the word has several positions is the *resampling*:
`last`, `first`, `mean` or `max` over the word's positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unitscope.sites import Item

if TYPE_CHECKING:
    import torch

Resampling = Literal["last", "first", "mean", "max"]
LongItems = Literal["window", "truncate"]


@dataclass(frozen=True)
class Layer:
    """A place in the model. `address` is `module[@in][[k]][#call]`; `width` its number of units; `grid` its sites.

    `basis` says what makes its units of the layer it is on, where they are not a module's own.
    `role` says what the units are, where that is recognised: `hidden state`, `feed-forward neurons`,
    `attention heads`, `embedding`, `recurrent state`, else an empty string. `n_heads` > 0 where units split evenly
    into attention heads. `order` is the layer's rank in execution. `cells` (a `sites.Cells` as text) says which pixels
    the sites of an image grid stand for. `pooled_from` is the grid whose sites a layer on grid `item` is pooled over
    (`ADDRESS@item`); empty where the model itself gives one value an item.
    """

    address: str
    width: int
    grid: str
    role: str = ""
    n_heads: int = 0
    order: int = 0
    cells: str = ""
    pooled_from: str = ""
    basis: str = ""


@dataclass(frozen=True)
class Captured:
    """Activations of a batch of items.

    `values[address]` is a float32 tensor [S, U] on the CPU or the model's device, rows in item order then site order of
    the layer's grid, S the total number of sites of that grid. `valid[grid]` is a boolean array [S]: False where the
    network has no position for the site (dropped by the tokenizer, cut off); such rows hold zeros.
    `counts` adds up what the user should hear of: `dropped_words`, `truncated_items`, `truncated_words`,
    `windowed_items`.
    """

    values: Mapping[str, torch.Tensor]
    valid: Mapping[str, NDArray[np.bool_]]
    counts: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class Model(Protocol):
    """A loaded network."""

    @property
    def name(self) -> str:
        """Short name for tables and manifests (no absolute path)."""

    @property
    def weight_hash(self) -> str:
        """SHA-256 over names, shapes, types and bytes of all parameters and buffers, as hexadecimal."""

    def layers(self) -> Sequence[Layer]:
        """All layers, in order of execution."""

    def resolve(self, patterns: Sequence[str]) -> list[Layer]:
        """Layers matched by addresses or globs, in order of execution, none twice.

        Raises UnknownLayerError naming near misses when a pattern matches nothing.
        """

    def run(
        self,
        items: Sequence[Item],
        layers: Sequence[Layer],
        *,
        resample: Resampling = "last",
        batch_size: int = 32,
        long_items: LongItems = "window",
        also: Mapping[Resampling, Mapping[str, NDArray[np.int64]]] | None = None,
        only: Mapping[str, tuple[int, int]] | None = None,
    ) -> Captured:
        """Activations of items at layers.

        Items are batched by length (`batch_size` items a forward at most); the result is in the items' order.
        `also` asks for further resamplings of chosen units: `also["mean"]["layer"] = indices` adds
        `values["layer|mean"]` of shape [S, len(indices)]. `only["layer"] = (start, stop)` asks for a range of a layer's
        units instead of all, where a layer is too wide to be held at once.
        """

    def normalise(self, words: Sequence[str]) -> list[str]:
        """Word forms as the network can tell them apart (an uncased tokenizer makes 'The' and 'the' one)."""

    def n_subwords(self, words: Sequence[str]) -> list[int]:
        """Number of positions the network gives each word on its own."""

    def untrained(self, seed: int) -> Model:
        """A copy with the same architecture and freshly initialised weights."""
