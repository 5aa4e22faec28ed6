"""What all tasks share: their protocol, the items a model can take, classes that numbers are of, and any function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.causal.bound import Bound, Value, balanced, ratio
from unitscope.causal.targets import hidden_state
from unitscope.errors import TaskError, UnitscopeError
from unitscope.models.adapters import SOURCE
from unitscope.models.editing import Editable
from unitscope.sites import Item

Ints: TypeAlias = NDArray[np.int64]
Judged = Literal["accuracy", "balanced", "loss"]
"""How classes are judged: share of right ones; mean over classes of that share; mean cross entropy in nats."""
JUDGED: tuple[Judged, ...] = ("accuracy", "balanced", "loss")
METRICS = {"accuracy": "accuracy", "balanced": "balanced accuracy", "loss": "loss"}


class Task(Protocol):
    """What a network is judged by. `metric` is its value's name; `rising` says whether more is better."""

    @property
    def name(self) -> str:
        """As the command line takes it."""

    @property
    def metric(self) -> str:
        """Name of the value."""

    @property
    def rising(self) -> bool:
        """Whether a greater value is a better one."""

    def bound(self, model: Editable, items: Sequence[Item]) -> Bound:
        """The task for a model and items. Raises TaskError where none of them can be measured."""


class ByClasses:
    """What tasks have in common that judge classes, `by` accuracy, balanced accuracy or loss."""

    by: Judged

    @property
    def metric(self) -> str:
        """`accuracy`, `balanced accuracy` or `loss`."""
        return METRICS[self.by]

    @property
    def rising(self) -> bool:
        """Accuracy is better the greater it is."""
        return self.by != "loss"

    def named(self, text: str) -> str:
        """A task's name with how it is judged, which is left out for accuracy."""
        return text if self.by == "accuracy" else f"{text}:{self.by}"


@dataclass(frozen=True)
class Measured:
    """Any function of what the module gives for a batch and its items that gives one number an item."""

    function: Callable[[Any, Sequence[Item]], Any]
    name: str = "function"
    metric: str = "value"
    rising: bool = True

    def bound(self, model: Editable, items: Sequence[Item]) -> Bound:
        """See `Task`."""
        if not items:
            raise TaskError("Got no items.", expected="one or more")

        def read(output: Any, batch: Sequence[Item]) -> list[torch.Tensor]:
            found = self._called(output, batch)
            if found.shape != (len(batch),):
                raise TaskError(
                    f"The task '{self.name}' gave shape {tuple(found.shape)} for {len(batch)} items.",
                    expected="one number an item",
                )
            return list(found[:, None])

        return Bound(tuple(items), read)

    def _called(self, output: Any, batch: Sequence[Item]) -> torch.Tensor:
        try:
            return torch.as_tensor(self.function(output, batch)).detach()
        except UnitscopeError:
            raise
        except Exception as error:  # a function of the user's may fail in any way
            raise TaskError(
                f"The task '{self.name}' failed: {type(error).__name__}: {error}.",
                expected="a function of the network's output and the batch's items",
            ) from error


@dataclass(frozen=True, eq=False)
class Words:
    """Classes of words: `names` [C], and of each item by its id the class of each word [n], -1 for none.

    `grid` is the text that the words are of.
    """

    names: tuple[str, ...]
    of_item: Mapping[str, Ints] = field(repr=False)
    grid: str = SOURCE
    category: str = ""

    def of(self, item: Item) -> Ints:
        """Class of each of an item's words, [n]; -1 everywhere for an item that is not known."""
        n = item.grids[self.grid].n_sites
        found = self.of_item.get(item.id)
        return np.full(n, -1, np.int64) if found is None or len(found) != n else found


def value_of(by: Judged) -> Value:
    """How sums by class become a value."""
    return balanced if by == "balanced" else ratio


def of_classes(by: Judged, logits: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """One number a row of `logits` [N, C] with the classes `own` [N]: 1 where right, or the cross entropy in nats."""
    if by == "loss":
        return torch.nn.functional.cross_entropy(logits.double(), own, reduction="none")
    return (logits.argmax(dim=1) == own).float()


def pooled_state(output: Any, lengths: Sequence[int]) -> torch.Tensor:
    """Mean [B, D] of the last hidden state over each row's first positions (`lengths` [B]; 0 for all).

    Of a picture's network the mean of its last feature map, or what it gives an item.
    """
    if isinstance(output, torch.Tensor) and output.dim() == 4:
        return output.mean(dim=(2, 3))
    hidden = hidden_state(output)
    if not any(lengths):
        return hidden.mean(dim=1)
    real = torch.arange(hidden.shape[1])[None] < torch.tensor(list(lengths))[:, None]
    real = real.to(hidden)
    return (hidden * real[..., None]).sum(dim=1) / real.sum(dim=1, keepdim=True)


def fitting(model: Editable, items: Sequence[Item], grid: str = SOURCE) -> tuple[list[Item], dict[str, int]]:
    """Items that the model can take, and how many positions each has (0 where they are not texts)."""
    feed = getattr(model, "feed", None)
    if feed is None:
        return list(items), dict.fromkeys((item.id for item in items), 0)
    most = feed.max_positions
    fits = [item for item in items if SOURCE in item.grids and grid in item.grids]
    lengths = {item.id: 0 for item in fits}
    for each in dict.fromkeys((SOURCE, grid)):
        rows = feed.rows(each, [item.grids[each] for item in fits])
        for item, row in zip(fits, rows, strict=True):
            n = row.n_positions
            lengths[item.id] = n if n and (most is None or n <= most) and lengths[item.id] >= 0 else -1
    return [item for item in fits if lengths[item.id] > 0], {name: n for name, n in lengths.items() if n > 0}
