"""Steering the class of a text: a head on the last hidden state says the class, units below it are steered.

The head is trained on the network as it is, on other items. To steer, items of other classes are to be called the
wanted one. To take a property away, no head should tell the classes any longer: beside the head as it was, a new one is
trained on the edited network, since what one head no longer reads another may (Elazar and Goldberg 2018), and it is
the new one's balanced accuracy that counts.

Collateral damage is how far the pooled last hidden state turns otherwise: one less the cosine between edited and
unedited, about the mean of the unedited ones and without the directions in which the classes differ (those that the
head reads, and those between the means of the classes' training items). Or, where the items have another label, the
fall of the accuracy of a head for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.activations import Activations
from unitscope.causal.steering_scores import Bools, Floats, Judge, Scores, item_masks
from unitscope.causal.tasks import Classification, pooled_state, trained_head
from unitscope.causal.tasks.heads import HEAD_PENALTY
from unitscope.edits import Edit
from unitscope.errors import TaskError, closest
from unitscope.models.adapters import SOURCE
from unitscope.models.editing import Editable
from unitscope.models.many import many
from unitscope.sites import Item

_SHOWN = 100


@dataclass(frozen=True)
class LabelIs:
    """Items called `value` by a head for `label`; or, with `remove`, no head that tells the label's classes.

    `keep` is another label whose accuracy must not fall; by default the rest of the hidden state must not turn.
    """

    label: str
    value: str = ""
    remove: bool = False
    keep: str = ""
    seed: int = 0

    @property
    def name(self) -> str:
        """As the command line takes it."""
        return f"label:{self.label}" + (f"={self.value}" if self.value else "")

    @property
    def metric(self) -> str:
        """In words."""
        if self.remove:
            return f"balanced accuracy of a new head for '{self.label}'"
        return f"share of items of other classes that the head calls '{self.value}'"

    @property
    def harm(self) -> str:
        """In words."""
        return (
            f"fall of the accuracy for '{self.keep}'"
            if self.keep
            else "turn of the rest of the last hidden state (1 - cosine)"
        )

    @property
    def rising(self) -> bool:
        """Less of what is taken away is better."""
        return not self.remove

    def contrasts(self, values: Activations, items: Mapping[str, Item], model: Editable) -> list[tuple[Bools, Bools]]:
        """Items of the wanted class against the others; of each class, to take them all away."""
        labels = {name: item.labels[self.label] for name, item in items.items() if item.labels.get(self.label)}
        classes = sorted(set(labels.values()))
        wanted = (classes[1:] if len(classes) == 2 else classes) if self.remove else [self.value]
        return [item_masks(values, {name: own == each for name, own in labels.items()}) for each in wanted]

    def bound(self, model: Editable, train: Sequence[Item], items: Sequence[Item]) -> Judge:
        """See `Property.bound`."""
        head = trained_head(model, train, self.label, seed=self.seed)
        if not self.remove and self.value not in head.classes:
            raise TaskError(
                f"No training item has the label '{self.label}' with the value '{self.value}'.",
                expected=", ".join(head.classes),
                fix=closest(self.value, head.classes),
            )
        known = [item for item in items if item.labels.get(self.label) in head.classes]
        known = list(head.bound(model, known).items) if known else []
        kept = [item for item in known if self.remove or item.labels[self.label] != self.value]
        n_classes = len({item.labels[self.label] for item in kept})
        if n_classes < 1 + self.remove:
            raise TaskError(
                f"The items to judge by are of {n_classes} of the classes to steer.",
                expected="held-out items of a class to steer from",
                fix="Use more items.",
            )
        other = trained_head(model, train, self.keep, seed=self.seed) if self.keep else None
        own = head.bound(model, train).items
        return _Called(
            self, model, head, other, tuple(kept), _lengths(model, [*kept, *own]), own, len(items) - len(kept)
        )


@dataclass(frozen=True, eq=False)
class _Called:
    """A `Judge` by a head."""

    asked: LabelIs
    model: Editable
    head: Classification
    other: Classification | None
    items: tuple[Item, ...]
    lengths: Mapping[str, int]
    train: tuple[Item, ...]
    left_out: int

    @property
    def says(self) -> str:
        """See `Judge.says`."""
        return "the head's class, and how likely it is by the head"

    @property
    def originals(self) -> tuple[str, ...]:
        """The text and its own class."""
        return tuple(f"{_words(item)} [{item.labels[self.asked.label]}]" for item in self.items)

    @property
    def floor(self) -> float:
        """Balanced accuracy by chance."""
        return 1 / len(self.head.classes) if self.asked.remove else 0.0

    def scores(self, edits: Sequence[Edit], *, batch_size: int = 32) -> Scores:
        """See `Judge.scores`."""
        states = self._states(self.items, edits, batch_size)
        logits = _logits(self.head, states)
        own = np.array([self.head.classes.index(item.labels[self.asked.label]) for item in self.items])
        n = np.ones(len(self.items))
        facts: dict[str, Floats] = {}
        if self.asked.remove:
            n = _balanced(own)
            facts["the head as it was"] = ((logits.argmax(axis=2) == own) * n).sum(axis=1) / n.sum()
            logits = self._anew(states, edits, batch_size)
            hits = (logits.argmax(axis=2) == own) * n
        else:
            hits = (logits.argmax(axis=2) == self.head.classes.index(self.asked.value)).astype(np.float64)
        harm, n_harm = self._harm(states)
        said = tuple(tuple(_said(row, self.head.classes) for row in rows) for rows in logits)
        return Scores(hits, n, harm, n_harm, facts=facts, said=said)

    def _states(self, items: Sequence[Item], edits: Sequence[Edit], batch_size: int) -> NDArray[np.float32]:
        """Pooled last hidden states [E, I, D]."""

        def read(output: Any, batch: Sequence[Item]) -> NDArray[np.float32]:
            found: NDArray[np.float32] = (
                pooled_state(output, [self.lengths[item.id] for item in batch]).float().cpu().numpy()
            )
            return found

        return np.array(many(self.model, items, edits, read, batch_size=batch_size), np.float32)

    def _anew(self, states: NDArray[np.float32], edits: Sequence[Edit], batch_size: int) -> Floats:
        """Logits [E, I, C] of heads that are trained on the training items under each edit."""
        from unitscope.probes.base import ArrayMatrix, Labels
        from unitscope.probes.linear import fit
        from unitscope.probes.penalty import Penalty

        index = np.array([self.head.classes.index(item.labels[self.asked.label]) for item in self.train], np.int32)
        labels = Labels(self.head.classes, index)
        found = []
        for edit, mine in zip(edits, states, strict=True):
            own = self._states(self.train, [edit], batch_size)[0]
            probe = fit(ArrayMatrix(own), labels, Penalty(0.0, HEAD_PENALTY), solver="exact", seed=self.asked.seed)
            found.append(((mine - probe.mean) / probe.scale) @ probe.weights.T + probe.bias)
        return np.array(found)

    def _harm(self, states: NDArray[np.float32]) -> tuple[Floats, Floats]:
        if self.other is not None:
            label = self.other.label
            known = np.array([item.labels.get(label) in self.other.classes for item in self.items])
            if not known.any():
                raise TaskError(f"No item to judge by has a label '{label}'.", expected=", ".join(self.other.classes))
            own = [self.other.classes.index(item.labels[label]) if k else -1 for item, k in zip(self.items, known)]
            wrong = (_logits(self.other, states).argmax(axis=2) != np.array(own)) & known
            return wrong.astype(np.float64), known.astype(np.float64)
        rest = self._rest(states)
        norms = np.linalg.norm(rest, axis=2)
        cosine = (rest * rest[0]).sum(axis=2) / np.maximum(norms * norms[0], 1e-12)
        return 1.0 - cosine, np.ones(len(self.items))

    @cached_property
    def _directions(self) -> Floats:
        """Directions [2C, D] of length 1: of the head's weights, and of the classes' means over training items."""
        states = self._states(self.train, [Edit()], 32)[0].astype(np.float64)
        own = np.array([item.labels[self.asked.label] for item in self.train], object)
        means = np.array([states[own == name].mean(axis=0) for name in self.head.classes])
        weight = self.head.weight.double().cpu().numpy()
        rows = np.concatenate([weight - weight.mean(axis=0), means - means.mean(axis=0)])
        found: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return found

    def _rest(self, states: NDArray[np.float32]) -> Floats:
        """States about their unedited mean, without the directions in which classes differ."""
        centred = states.astype(np.float64) - states[0].mean(axis=0, dtype=np.float64)
        _, sizes, axes = np.linalg.svd(self._directions, full_matrices=False)
        axes = axes[sizes > 1e-6]
        found: Floats = centred - (centred @ axes.T) @ axes
        return found


def _lengths(model: Editable, items: Sequence[Item]) -> dict[str, int]:
    """How many positions each item has; 0 where they are not texts."""
    feed = getattr(model, "feed", None)
    if feed is None:
        return dict.fromkeys((item.id for item in items), 0)
    rows = feed.rows(SOURCE, [item.grids[SOURCE] for item in items])
    return {item.id: row.n_positions for item, row in zip(items, rows, strict=True)}


def _logits(head: Classification, states: NDArray[np.float32]) -> Floats:
    found: Floats = states.astype(np.float64) @ head.weight.double().cpu().numpy().T + head.bias.double().cpu().numpy()
    return found


def _balanced(own: NDArray[np.int64]) -> Floats:
    """Weights by which each class counts alike."""
    counts = np.bincount(own)
    found: Floats = len(own) / ((counts > 0).sum() * counts[own])
    return found


def _said(logits: Floats, classes: Sequence[str]) -> str:
    shares = torch.softmax(torch.from_numpy(logits), dim=0).numpy()
    return f"{classes[int(logits.argmax())]} ({shares.max():.2f})"


def _words(item: Item) -> str:
    text = getattr(next(iter(item.grids.values())), "text", item.id)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN].rsplit(' ', 1)[0]} ..."
