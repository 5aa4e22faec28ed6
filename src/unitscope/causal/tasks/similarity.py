"""What sentences' vectors are near to: themselves before the edit, their partners, their like, or people's scores.

A sentence's vector is the mean of the last hidden state over its positions. Of pairs (`source`, `target`) both are read
by the same network, as texts of their own. Correlations are functions of sums over pairs, as are their intervals; for
Spearman's the ranks are those among all pairs under one edit, and held fixed there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from unitscope.causal.bound import Bound, Floats
from unitscope.causal.tasks.base import fitting, pooled_state
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.adapters import SOURCE, TARGET
from unitscope.models.editing import Editable
from unitscope.models.many import many
from unitscope.sites import Item

Kind = Literal["moved", "pairs", "neighbours", "spearman", "pearson"]
KINDS: tuple[Kind, ...] = ("moved", "pairs", "neighbours", "spearman", "pearson")
_METRICS = {"moved": "cosine", "pairs": "accuracy of retrieval", "neighbours": "accuracy of retrieval"}
_CHUNK = 64
_SIDE = "\x00target"


@dataclass(frozen=True)
class Similarity:
    """What sentences' vectors are near to.

    - `moved`: cosine of an item's vector with the one that the unedited network gives.
    - `pairs`: share of sources whose nearest target, among those of all items, is their own.
    - `neighbours`: share of items whose nearest other item has the same `label`; items alone with theirs are left out.
    - `spearman`, `pearson`: correlation of the cosine of source and target with their score, the number in `label`.
    """

    kind: Kind
    label: str = ""

    rising = True

    @property
    def name(self) -> str:
        """As the command line takes it."""
        if self.kind == "moved":
            return "similarity"
        return f"similarity:{self.label}" if self.kind == "neighbours" else f"similarity:{self.kind}{self._label}"

    @property
    def _label(self) -> str:
        return f":{self.label}" if self.label else ""

    @property
    def metric(self) -> str:
        """`cosine`, `accuracy of retrieval`, or the correlation's name."""
        return _METRICS.get(self.kind, f"{self.kind} correlation")

    def bound(self, model: Editable, items: Sequence[Item]) -> Bound:
        """See `Task`. Raises TaskError for items without what is asked for."""
        if getattr(model, "feed", None) is None:
            raise TaskError(f"{model.name} reads pictures.", expected="a model of texts for a similarity of sentences")
        if TARGET in model.grids:
            raise TaskError(f"{model.name} has a decoder.", expected="an encoder for a similarity of sentences")
        kept = self._kept(model, items)
        vectors = _Vectors(model, kept, paired=self.kind in ("pairs", "spearman", "pearson"))
        left_out = len(items) - len(kept)
        if self.kind == "moved":
            before = _unit(vectors.of([Edit()])[0][0])
            return _numbers(kept, vectors, lambda mine, _: (_unit(mine) * before).sum(axis=1), left_out)
        if self.kind == "pairs":
            return _numbers(kept, vectors, _own_is_nearest, left_out)
        if self.kind == "neighbours":
            names = np.array([item.labels[self.label] for item in kept], object)
            return _numbers(kept, vectors, lambda mine, _: _like_is_nearest(mine, names), left_out)
        gold = np.array([float(item.labels[self.label]) for item in kept])
        return _correlated(kept, vectors, gold, self.kind == "spearman", left_out)

    def _kept(self, model: Editable, items: Sequence[Item]) -> list[Item]:
        kept, _ = fitting(model, items)
        if self.kind in ("pairs", "spearman", "pearson"):
            if not any(TARGET in item.grids for item in items):
                raise TaskError("The items have no 'target' text to compare with.", expected="sentence pairs")
            there = {item.id for item in fitting(model, [_turned(item) for item in kept if TARGET in item.grids])[0]}
            kept = [item for item in kept if item.id + _SIDE in there]
        if self.label:
            kept = self._labelled(kept, items)
        if len(kept) < 2:
            raise TaskError(f"There are {len(kept)} item(s) to compare.", expected="two or more")
        return kept

    def _labelled(self, kept: Sequence[Item], items: Sequence[Item]) -> list[Item]:
        found = [item for item in kept if item.labels.get(self.label)]
        if not found:
            known = sorted({name for item in items for name in item.labels})
            raise TaskError(
                f"The items have no label '{self.label}'.",
                fix=f"Labels here: {', '.join(known)}." if known else "This corpus has no labels.",
            )
        if self.kind != "neighbours":
            wrong = next((item for item in found if not _is_number(item.labels[self.label])), None)
            if wrong is not None:
                raise TaskError(
                    f"The label '{self.label}' of item '{wrong.id}' is '{wrong.labels[self.label]}'.",
                    expected="a number, the score of a pair",
                )
            return found
        counts: dict[str, int] = {}
        for item in found:
            counts[item.labels[self.label]] = counts.get(item.labels[self.label], 0) + 1
        several = [item for item in found if counts[item.labels[self.label]] > 1]
        if not several:
            raise TaskError(f"No two items have the same label '{self.label}'.", expected="several items of each")
        return several


class _Vectors:
    """Vectors of items under edits; of pairs those of both sides."""

    def __init__(self, model: Editable, items: Sequence[Item], paired: bool) -> None:
        self.model, self.paired, self.n = model, paired, len(items)
        self.items = [*(_plain(item) for item in items), *(_turned(item) for item in items if paired)]
        self.lengths = fitting(model, self.items)[1]

    def of(self, edits: Sequence[Edit], batch_size: int = 32) -> list[tuple[Floats, Floats]]:
        """Of each edit the vectors [I, D] of the items, and of their targets (of nothing, where there are none)."""

        def read(output: Any, batch: Sequence[Item]) -> NDArray[np.float32]:
            pooled = pooled_state(output, [self.lengths[item.id] for item in batch])
            found: NDArray[np.float32] = pooled.detach().float().cpu().numpy()
            return found

        rows = many(self.model, self.items, edits, read, batch_size=batch_size)
        whole = [np.array(each, np.float64) for each in rows]
        return [(each[: self.n], each[self.n :]) for each in whole]


def _plain(item: Item) -> Item:
    return replace(item, grids={SOURCE: item.grids[SOURCE]})


def _turned(item: Item) -> Item:
    """The target as a text of its own."""
    return replace(item, id=item.id + _SIDE, grids={SOURCE: item.grids[TARGET]})


def _numbers(items: Sequence[Item], vectors: _Vectors, number: Any, left_out: int) -> Bound:
    """A task with one number an item, made of all vectors under an edit."""

    def measure(model: Editable, edits: Sequence[Edit], batch_size: int) -> Floats:
        found = np.ones((len(edits), len(items), 2))
        for start in range(0, len(edits), _CHUNK):
            for at, (mine, other) in enumerate(vectors.of(edits[start : start + _CHUNK], batch_size), start):
                found[at, :, 0] = number(mine, other)
        return found

    return Bound(tuple(items), None, left_out, measure=measure)


def _correlated(items: Sequence[Item], vectors: _Vectors, gold: Floats, by_rank: bool, left_out: int) -> Bound:
    wanted = rankdata(gold) if by_rank else gold
    wanted = _centred(wanted, "The pairs' scores are all the same.")

    def measure(model: Editable, edits: Sequence[Edit], batch_size: int) -> Floats:
        found = np.empty((len(edits), len(items), 6))
        for start in range(0, len(edits), _CHUNK):
            for at, (mine, other) in enumerate(vectors.of(edits[start : start + _CHUNK], batch_size), start):
                cosine = (_unit(mine) * _unit(other)).sum(axis=1)
                x = _centred(rankdata(cosine) if by_rank else cosine)
                found[at] = np.stack([np.ones(len(x)), x, wanted, x * x, wanted * wanted, x * wanted], axis=1)
        return found

    return Bound(tuple(items), None, left_out, value=correlation, measure=measure)


def correlation(sums: Floats) -> Floats:
    """Pearson's correlation from sums over pairs of 1, x, y, x x, y y, x y; 0 where x or y does not vary."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (xx - x * x / n) * (yy - y * y / n)
        return np.where(spread > 1e-18 * n * n, (xy - x * y / n) / np.sqrt(np.maximum(spread, 1e-300)), 0.0)


def _centred(values: Floats, told: str = "") -> Floats:
    """Values less their mean, in units of their standard deviation: then sums of squares are of one size."""
    scale = float(values.std())
    if told and not scale:
        raise TaskError(told, expected="scores that differ")
    found: Floats = (values - values.mean()) / (scale or 1.0)
    return found


def _unit(vectors: Floats) -> Floats:
    found: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    return found


def _own_is_nearest(mine: Floats, other: Floats) -> Floats:
    cosine = _unit(mine) @ _unit(other).T
    found: Floats = (cosine.argmax(axis=1) == np.arange(len(mine))).astype(np.float64)
    return found


def _like_is_nearest(mine: Floats, names: NDArray[np.object_]) -> Floats:
    cosine = _unit(mine) @ _unit(mine).T
    np.fill_diagonal(cosine, -np.inf)
    found: Floats = (names[cosine.argmax(axis=1)] == names).astype(np.float64)
    return found


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
