"""Tasks by their names, as the command line takes them.

- `lm`: loss of each token.
- `label:COLUMN`, `label:COLUMN:balanced`, `label:COLUMN:loss`: the class of an item, by a head trained for it.
- `python:pkg.module:function`: a function of the module's output and the batch's items that gives one number an item.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from unitscope.causal.bound import Bound
from unitscope.causal.tasks.base import JUDGED, Judged, Measured, Task
from unitscope.causal.tasks.heads import trained_head
from unitscope.causal.tasks.language import LanguageModelling
from unitscope.errors import TaskError, closest
from unitscope.models.editing import Editable
from unitscope.sites import Item

if TYPE_CHECKING:
    from unitscope.activations import Activations

KINDS = ("lm", "label", "python")
EXPECTED = "lm, label:COLUMN or python:pkg.module:function"


@dataclass(frozen=True)
class Given:
    """What a task is made from: the model, items that heads and probes are trained on, and the atlas' concepts.

    `edited` are addresses of the layers whose units will be edited.
    """

    model: Editable
    train: Sequence[Item] = field(repr=False)
    values: Activations | None = field(default=None, repr=False)
    edited: tuple[str, ...] = ()
    seed: int = 0


def check_name(text: str) -> None:
    """Raise TaskError for a name that is none of a task."""
    kind, _, what = text.partition(":")
    if kind not in KINDS or (kind == "lm") == bool(what):
        raise TaskError(f"Unknown task '{text}'.", expected=EXPECTED, fix=closest(kind, KINDS))


def by_site(text: str) -> bool:
    """Whether a task has a number for each token or word, so that it can be told where an effect falls."""
    return text.partition(":")[0] == "lm"


def needs_labels(text: str) -> bool:
    """Whether a task rests on labels of items, which only the corpus has."""
    return text.startswith("label:")


def task_of(text: str, given: Given) -> Task:
    """A task by its name. Raises TaskError for one that cannot be read, or cannot be made for this model."""
    check_name(text)
    kind, _, what = text.partition(":")
    if kind == "lm":
        return LanguageModelling()
    if kind == "python":
        return Measured(_function(what), text)
    label, by = _judged(what)
    return trained_head(given.model, given.train, label, by=by, seed=given.seed)


def chance_of(task: Task, bound: Bound) -> float:
    """Accuracy of always naming the most frequent class, balanced accuracy of always naming one; NaN for others."""
    counts: dict[int, int] = {}
    for each in bound.of_number:
        for number in each.tolist():
            counts[number] = counts.get(number, 0) + 1
    if not counts or task.metric not in ("accuracy", "balanced accuracy"):
        return float("nan")
    return 1 / len(counts) if task.metric == "balanced accuracy" else max(counts.values()) / sum(counts.values())


def _judged(text: str) -> tuple[str, Judged]:
    """What is before a last `:accuracy`, `:balanced` or `:loss`, and which of them it is."""
    before, _, last = text.rpartition(":")
    found = next((by for by in JUDGED if by == last), None) if before else None
    return (text, "accuracy") if found is None else (before, found)


def _function(text: str) -> Any:
    module, _, name = text.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise TaskError(f"Cannot import '{text}': {error}.", expected="python:pkg.module:function") from error
