"""The network's own classes: those it gives itself, or those of the head in its checkpoint.

They are compared with labels of items (or of words, for a head of words), or, where no labels are known, with what the
unedited network says: how often an edit changes its mind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from unitscope.causal.bound import Bound
from unitscope.causal.targets import class_logits
from unitscope.causal.tasks.base import ByClasses, Judged, Words, fitting, of_classes, value_of
from unitscope.causal.tasks.checkpoints import Head, kind_of, names_of
from unitscope.causal.tasks.heads import labels_of
from unitscope.causal.tasks.words import WordLayer, bound_words
from unitscope.edits import Edit
from unitscope.errors import AttributionError, TaskError
from unitscope.models.base import Resampling
from unitscope.models.editing import Editable
from unitscope.models.many import many
from unitscope.sites import Item

Scores = Callable[[Any, Sequence[Item]], torch.Tensor]


def own_classes(model: Editable) -> tuple[Scores, tuple[str, ...]]:
    """How scores [B, C] are had of a batch's output, and the classes' names (numbers, where they have no names).

    Raises TaskError for a network without classes.
    """
    if kind_of(model) == "ForSequenceClassification" and getattr(model, "source", None):
        head = Head(model)
        return head.logits, head.classes
    config = getattr(model.module, "config", None)
    if config is not None and not type(model.module).__name__.endswith("Classification"):
        raise TaskError(
            f"{model.name} gives hidden states, and no classes of its own.",
            expected="a classifier, or the checkpoint of one",
            fix="Have a head trained with the task label:COLUMN.",
        )
    return _direct, names_of(config) or tuple(getattr(model.adapter, "classes", ()))


def _direct(output: Any, batch: Sequence[Item]) -> torch.Tensor:
    try:
        return class_logits(output)
    except AttributionError as error:
        raise TaskError(error.got, expected=error.expected, fix="Have a head trained: label:COLUMN.") from error


@dataclass(frozen=True)
class OwnClasses(ByClasses):
    """Whether the network's own top class is the item's label; `by` says how it is judged.

    A label is a class by its name, whatever its case, or by its number. `of_item` has the labels by items' ids, where
    the items themselves have not.
    """

    label: str
    by: Judged = "accuracy"
    of_item: Mapping[str, str] | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """As the command line takes it."""
        return self.named(f"own:{self.label}")

    def bound(self, model: Editable, items: Sequence[Item]) -> Bound:
        """See `Task`. Items without the label, with one that is no class of the network, or too long are left out."""
        scores, names = own_classes(model)
        labels = labels_of(items, self.label, self.of_item)
        fits, _ = fitting(model, items)
        n_classes = len(names) or _n_classes(model, scores, fits[:1])
        index = {item.id: _class_of(labels[item.id], names, n_classes) for item in fits if item.id in labels}
        kept = [item for item in fits if index.get(item.id, -1) >= 0]
        if not kept:
            known = sorted(set(labels.values()))
            raise TaskError(
                f"No item has a label '{self.label}' that is one of the network's {n_classes} classes.",
                expected=", ".join(names[:10]) if names else f"numbers from 0 to {n_classes - 1}",
                fix=f"Labels here: {', '.join(known[:10])}." if known else "This corpus has no such label.",
            )
        return _of_items(kept, index, names, scores, self.by, len(items) - len(kept))


def _class_of(label: str, names: Sequence[str], n_classes: int) -> int:
    """The number of the class that a label means, -1 for none."""
    lower = [name.lower() for name in names]
    if label.lower() in lower:
        return lower.index(label.lower())
    return int(label) if label.isdecimal() and int(label) < n_classes else -1


def _n_classes(model: Editable, scores: Scores, items: Sequence[Item]) -> int:
    return int(many(model, items, [Edit()], scores)[0][0].shape[0]) if items else 0


def _of_items(
    kept: Sequence[Item], index: Mapping[str, int], names: Sequence[str], scores: Scores, by: Judged, left_out: int
) -> Bound:
    def read(output: Any, batch: Sequence[Item]) -> list[torch.Tensor]:
        logits = scores(output, batch)
        own = torch.tensor([index[item.id] for item in batch], device=logits.device)
        return list(of_classes(by, logits, own)[:, None])

    shown, compact = np.unique([index[item.id] for item in kept], return_inverse=True)
    classes = tuple(names[at] if names else str(at) for at in shown.tolist())
    of_number = tuple(compact.reshape(-1, 1).astype(np.int64))
    return Bound(tuple(kept), read, left_out, classes=classes, of_number=of_number, value=value_of(by))


@dataclass(frozen=True)
class OwnTop:
    """Whether the network's top class is the one that it has unedited, or with `probability` what it gives to that.

    Numbers have that class, which is worked out once for each item.
    """

    probability: bool = False

    rising: bool = field(default=True, init=False)

    @property
    def name(self) -> str:
        """As the command line takes it."""
        return f"own:top{':probability' * self.probability}"

    @property
    def metric(self) -> str:
        """`agreement` or `probability`."""
        return "probability" if self.probability else "agreement"

    def bound(self, model: Editable, items: Sequence[Item]) -> Bound:
        """See `Task`."""
        scores, names = own_classes(model)
        kept, _ = fitting(model, items)
        if not kept:
            raise TaskError("Got no item that the model can take.", expected="one or more")
        tops = many(model, kept, [Edit()], lambda output, batch: scores(output, batch).argmax(dim=1).tolist())[0]
        index = {item.id: int(top) for item, top in zip(kept, tops, strict=True)}
        whole = _of_items(kept, index, names, scores, "accuracy", len(items) - len(kept))

        def read(output: Any, batch: Sequence[Item]) -> list[torch.Tensor]:
            shares = scores(output, batch).double().softmax(dim=1)
            own = torch.tensor([index[item.id] for item in batch], device=shares.device)
            return list(shares.gather(1, own[:, None]))

        return Bound(
            whole.items, read if self.probability else whole.read, whole.left_out, (), whole.classes, whole.of_number
        )


@dataclass(frozen=True)
class OwnWords(ByClasses):
    """Whether the top class of a checkpoint's own head of words is the word's; `by` says how it is judged.

    A word's scores are those of its last position, or as the atlas has it. Classes are paired by their names; names of
    concepts without their category.
    """

    words: Words = field(repr=False)
    by: Judged = "accuracy"
    resample: Resampling = "last"

    @property
    def name(self) -> str:
        """As the command line takes it."""
        return self.named(f"own:{self.words.category}")

    def bound(self, model: Editable, items: Sequence[Item]) -> Bound:
        """See `Task`. Words of a class that the head does not have are not judged."""
        layer = WordLayer(model, "", self.words.grid, self.resample)
        head = Head(model)
        lower = [name.lower() for name in head.classes]
        own = [name.removeprefix(f"{self.words.category}:").lower() for name in self.words.names]
        place = np.array([*(lower.index(name) if name in lower else -1 for name in own), -1], np.int64)
        if (place < 0).all():
            raise TaskError(
                f"None of the classes of '{self.words.category}' is one of the head's.",
                expected=", ".join(head.classes),
            )
        words = Words(
            head.classes,
            {name: place[each] for name, each in self.words.of_item.items()},
            self.words.grid,
            self.words.category,
        )
        return bound_words(layer, items, words, lambda values: values, self.by, head.logits)
