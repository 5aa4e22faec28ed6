"""Tasks: how well a network does on items, as numbers that are kept item by item.

A task is bound to a model and to items once, and then reads what the network gives for a batch, whole or edited: a few
numbers an item, one a token for language modelling, one an item otherwise. A task's value is the mean over all of these
numbers, so a language model's loss weighs every token alike and perplexity is its exponential. Since numbers belong to
items, what an edit does is a paired difference.

Where a network has no classes a head is trained: logistic regression on the mean of the last hidden state over an
item's positions, on other groups of items than those it is judged by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.causal.bound import Bound
from unitscope.causal.targets import hidden_state, token_logits
from unitscope.edits import Edit
from unitscope.errors import AttributionError, TaskError
from unitscope.models.adapters import SOURCE, TARGET
from unitscope.models.editing import Editable
from unitscope.models.many import many
from unitscope.models.torch import TorchModel
from unitscope.sites import Item

Floats = NDArray[np.float64]
HEAD_PENALTY = 1e-3


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


@dataclass(frozen=True)
class LanguageModelling:
    """Loss of each token that follows another, in nats: what the model says of it after the tokens before it.

    Items longer than the model takes, and those of one token, are left out. Of an encoder-decoder the target text's
    tokens, teacher-forced.
    """

    name: str = field(default="lm", init=False)
    metric: str = field(default="loss", init=False)
    rising: bool = field(default=False, init=False)

    def bound(self, model: Editable, items: Sequence[Item]) -> Bound:
        """See `Task`."""
        if not isinstance(model, TorchModel) or not hasattr(model.feed, "rows"):
            raise TaskError(f"{model.name} reads no text.", expected="a language model")
        grid = TARGET if TARGET in model.grids else SOURCE
        kept, ids, places = _tokens(model, items, grid)
        numbers = {item.id: each for item, each in zip(kept, ids, strict=True)}

        def read(output: Any, batch: Sequence[Item]) -> list[torch.Tensor]:
            hidden = hidden_state(output)
            own = [numbers[item.id] for item in batch]
            counts = [len(each) - 1 for each in own]
            states = torch.cat([hidden[row, :n] for row, n in enumerate(counts)])
            following = torch.from_numpy(np.concatenate([each[1:] for each in own])).to(states.device)
            try:
                scores = token_logits(model, states)
            except AttributionError as error:
                raise TaskError(str(error), expected="a language model for the task 'lm'") from error
            return list(torch.split(torch.nn.functional.cross_entropy(scores, following, reduction="none"), counts))

        return Bound(tuple(kept), read, len(items) - len(kept), tuple(places))


def _tokens(
    model: TorchModel, items: Sequence[Item], grid: str
) -> tuple[list[Item], list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Items that have a token to predict, their tokens, and the site of each token that has one after it."""
    most = model.feed.max_positions
    kept, ids, places = [], [], []
    fits = [item for item in items if grid in item.grids and SOURCE in item.grids]
    rows = model.feed.rows(grid, [item.grids[grid] for item in fits])
    for item, row in zip(fits, rows, strict=True):
        if row.ids is None:
            raise TaskError(f"{model.name} reads no token numbers.", expected="a language model")
        if row.n_positions >= 2 and (most is None or row.n_positions <= most):
            kept.append(item)
            ids.append(row.ids)
            places.append(_sites(row.spans[:-1], np.array(item.grids[grid].spans, np.int64).reshape(-1, 2)))
    if not kept:
        raise TaskError(
            "No item has a token to predict that the model can read.",
            expected=f"texts of 2 to {most} tokens" if most else "texts of 2 tokens or more",
        )
    return kept, ids, places


def _sites(tokens: NDArray[np.int64], words: NDArray[np.int64]) -> NDArray[np.int64]:
    """The word that each token's last character is in, -1 for none: a word is known once it has been read."""
    if not len(words):
        return np.full(len(tokens), -1)
    at = np.searchsorted(words[:, 0], tokens[:, 1] - 1, side="right") - 1
    inside = (tokens[:, 1] > tokens[:, 0]) & (at >= 0) & (tokens[:, 1] <= words[at, 1])
    return np.where(inside, at, -1).astype(np.int64)


@dataclass(frozen=True)
class Classification:
    """Whether a head names the class of an item: accuracy, or with `loss` the cross entropy of the class in nats.

    `weight` [C, D] and `bias` [C] act on the mean of the last hidden state over an item's real positions; `label` is
    the items' label. Made by `trained_head`.
    """

    label: str
    classes: tuple[str, ...]
    weight: torch.Tensor = field(compare=False, repr=False)
    bias: torch.Tensor = field(compare=False, repr=False)
    loss: bool = False
    n_trained: int = 0

    @property
    def name(self) -> str:
        """As the command line takes it."""
        return f"label:{self.label}{':loss' if self.loss else ''}"

    @property
    def metric(self) -> str:
        """`accuracy` or `loss`."""
        return "loss" if self.loss else "accuracy"

    @property
    def rising(self) -> bool:
        """Accuracy is better the greater it is."""
        return not self.loss

    def bound(self, model: Editable, items: Sequence[Item]) -> Bound:
        """See `Task`. Items without the label, with a class the head does not know, or too long are left out."""
        kept, lengths = _fitting(model, [item for item in items if item.labels.get(self.label) in self.classes])
        if not kept:
            raise TaskError(
                f"No item has a label '{self.label}' that the head knows.", expected=", ".join(self.classes)
            )
        classes = {item.id: self.classes.index(item.labels[self.label]) for item in kept}

        def read(output: Any, batch: Sequence[Item]) -> list[torch.Tensor]:
            pooled = pooled_state(output, [lengths[item.id] for item in batch])
            logits = pooled @ self.weight.to(pooled).T + self.bias.to(pooled)
            own = torch.tensor([classes[item.id] for item in batch], device=logits.device)
            if self.loss:
                return list(torch.nn.functional.cross_entropy(logits, own, reduction="none")[:, None])
            return list((logits.argmax(dim=1) == own).float()[:, None])

        return Bound(tuple(kept), read, len(items) - len(kept))


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
            found = torch.as_tensor(self.function(output, batch)).detach()
            if found.shape != (len(batch),):
                raise TaskError(
                    f"The task '{self.name}' gave shape {tuple(found.shape)} for {len(batch)} items.",
                    expected="one number an item",
                )
            return list(found[:, None])

        return Bound(tuple(items), read)


def trained_head(
    model: Editable, items: Sequence[Item], label: str, *, loss: bool = False, seed: int = 0
) -> Classification:
    """A head for a label of items, trained on these: multinomial logistic regression with a small L2 penalty.

    Raises TaskError where fewer than two classes are there.
    """
    from unitscope.probes.base import ArrayMatrix, Labels
    from unitscope.probes.linear import fit
    from unitscope.probes.penalty import Penalty

    kept, lengths = _fitting(model, [item for item in items if item.labels.get(label)])
    classes = tuple(sorted({item.labels[label] for item in kept}))
    if len(classes) < 2:
        known = sorted({name for item in items for name in item.labels})
        raise TaskError(
            f"The items have {len(classes)} class(es) by the label '{label}'.",
            expected="two or more",
            fix=f"Labels here: {', '.join(known)}." if known else "This corpus has no labels.",
        )

    def read(output: Any, batch: Sequence[Item]) -> torch.Tensor:
        return pooled_state(output, [lengths[item.id] for item in batch])

    pooled = torch.stack(many(model, kept, [Edit()], read)[0]).float().cpu().numpy()
    index = np.array([classes.index(item.labels[label]) for item in kept], np.int32)
    probe = fit(ArrayMatrix(pooled), Labels(classes, index), Penalty(0.0, HEAD_PENALTY), solver="exact", seed=seed)
    weight = probe.weights / probe.scale
    bias = probe.bias - weight @ probe.mean
    return Classification(
        label, classes, torch.from_numpy(weight).float(), torch.from_numpy(bias).float(), loss, len(kept)
    )


def pooled_state(output: Any, lengths: Sequence[int]) -> torch.Tensor:
    """Mean [B, D] of the last hidden state over each row's first positions (`lengths` [B]; 0 for all)."""
    hidden = hidden_state(output)
    if not any(lengths):
        return hidden.mean(dim=1)
    real = torch.arange(hidden.shape[1])[None] < torch.tensor(list(lengths))[:, None]
    real = real.to(hidden)
    return (hidden * real[..., None]).sum(dim=1) / real.sum(dim=1, keepdim=True)


def _fitting(model: Editable, items: Sequence[Item]) -> tuple[list[Item], dict[str, int]]:
    """Items that the model can take, and how many positions each has (0 where they are not texts)."""
    feed = getattr(model, "feed", None)
    if feed is None:
        return list(items), dict.fromkeys((item.id for item in items), 0)
    most = feed.max_positions
    fits = [item for item in items if SOURCE in item.grids]
    lengths = [row.n_positions for row in feed.rows(SOURCE, [item.grids[SOURCE] for item in fits])]
    pairs = [(item, n) for item, n in zip(fits, lengths, strict=True) if n and (most is None or n <= most)]
    return [item for item, _ in pairs], {item.id: n for item, n in pairs}
