"""The sites that several models have in common: their values can be compared there and nowhere else.

Sites are words (or cells, or items), not tokens, so models with different tokenisations have most of them in common. A
model has no position for a word that its tokenizer drops or that it cut off; such a word is left out for all, and
counted. A site is the same where item id, position and, on text, the word are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import RankingError
from unitscope.sites import IMAGE, ITEM, kind_of
from unitscope.stats.cross import Columns, Floats, Matrix
from unitscope.stats.halves import Halves

if TYPE_CHECKING:
    from unitscope.activations import Activations

OWN = "itself"
SAME_WORDS = 0.5


@dataclass(frozen=True)
class Rows:
    """A matrix with only some of its rows: those to `keep` [S]."""

    matrix: Matrix
    keep: NDArray[np.bool_]

    @property
    def n_sites(self) -> int:
        """Number of rows kept."""
        return int(self.keep.sum())

    @property
    def n_units(self) -> int:
        """Number of columns."""
        return self.matrix.n_units

    def blocks(self, columns: Columns | None = None) -> Iterator[tuple[slice, Floats]]:
        """Rows that are kept, numbered anew, and their values."""
        start = 0
        for rows, values in self.matrix.blocks(columns):
            kept = values[self.keep[rows]]
            if len(kept):
                yield slice(start, start + len(kept)), kept
                start += len(kept)


@dataclass(frozen=True)
class Aligned:
    """Matrices over the n sites that all models have, in one order.

    `x` is the first model, `others` the rest; `keep` [S] says which sites of the first are left, `halves` are its
    halves there. `dropped` is how many sites each model has that are not in all of them (`itself` is the first);
    `words_differ` how many were at the same place of the same item but had another word.
    """

    x: Matrix
    others: Mapping[str, Matrix]
    keep: NDArray[np.bool_]
    halves: Halves
    dropped: Mapping[str, int]
    words_differ: int

    @property
    def told(self) -> str:
        """What was left out, in a sentence; empty where nothing was."""
        lost = [f"{n} of {'this model' if name == OWN else name}" for name, n in self.dropped.items() if n]
        return f"Sites that not all models have were left out: {', '.join(lost)}." if lost else ""


def align(x: Activations, others: Mapping[str, Activations]) -> Aligned:
    """Find the sites that are in all of them.

    Raises RankingError for another grid, for items in another order, and for other corpora: no site in common, or
    other words at half of the common places.
    """
    keep = np.ones(x.n_sites, np.bool_)
    matched: dict[str, NDArray[np.int64]] = {}
    words, differ = _words(x), 0
    for name, other in others.items():
        at, wrong = _matched(x, other, name, words)
        keep &= at >= 0
        matched[name] = at
        differ += wrong
    if not keep.any():
        raise _unlike("the models", "no site is in all of them")
    found, dropped = {}, {OWN: int((~keep).sum())}
    for name, other in others.items():
        rows = np.zeros(other.n_sites, np.bool_)
        at = matched[name][keep]
        if (np.diff(at) <= 0).any():
            raise RankingError(
                f"The items of '{name}' are in another order.",
                expected="the same corpus, read in the same order",
                fix="Map both from one corpus file.",
            )
        rows[at] = True
        dropped[name] = int((~rows).sum())
        found[name] = other if rows.all() else Rows(other, rows)
    halves = x.halves
    part = Halves(halves.block[keep], halves.half[keep], halves.n_blocks, halves.n_groups, halves.runs)
    return Aligned(x if keep.all() else Rows(x, keep), MappingProxyType(found), keep, part, dropped, differ)


def _matched(x: Activations, other: Activations, name: str, words: list[str] | None) -> tuple[NDArray[np.int64], int]:
    """Row of `other` for each site of `x` [S], -1 where it has none, and how many were refused for another word."""
    if x.grid != other.grid:
        raise RankingError(
            f"'{name}' is on the grid '{other.grid}', this model on '{x.grid}'.", expected="layers on the same grid"
        )
    index = {item: i for i, item in enumerate(x.item_ids)}
    of_item = np.array([index.get(item, -1) for item in other.item_ids], np.int64)
    mine = _keys(x.sites.item.astype(np.int64), x.sites.position)
    theirs = _keys(of_item[other.sites.item], other.sites.position)
    order = np.argsort(theirs, kind="stable")
    at = np.minimum(np.searchsorted(theirs[order], mine), max(len(order) - 1, 0))
    found = np.where(theirs[order][at] == mine, order[at], -1) if len(order) else np.full(len(mine), -1)
    if not (found >= 0).any():
        raise _unlike(f"'{name}' and this model", "they have no site in common")
    other_words = None if words is None else _words(other)
    if words is None or other_words is None:
        return found.astype(np.int64), 0
    rows = np.flatnonzero(found >= 0)
    wrong = np.array([words[i] != other_words[found[i]] for i in rows.tolist()], np.bool_)
    if wrong.mean() > SAME_WORDS:
        raise _unlike(f"'{name}' and this model", f"{wrong.sum()} of {len(wrong)} common places hold other words")
    found[rows[wrong]] = -1
    return found.astype(np.int64), int(wrong.sum())


def _keys(item: NDArray[np.int64], position: NDArray[np.int32]) -> NDArray[np.int64]:
    """One number a site; below 0 where the item is not there."""
    return np.where(item < 0, -1, (item << 32) + position.astype(np.int64))


def _words(of: Activations) -> list[str] | None:
    if of.prepared is None or kind_of(of.grid) in (IMAGE, ITEM):
        return None
    return of.words()


def _unlike(which: str, why: str) -> RankingError:
    return RankingError(
        f"The corpora of {which} are not the same: {why}.",
        expected="models mapped over the same items",
        fix="Map both from one corpus file.",
    )
