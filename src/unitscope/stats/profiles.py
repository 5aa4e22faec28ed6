"""Profiles of units over concepts: how alike two are, and which unit of another network is most like one.

A profile is a unit's AUROC less chance for each concept, so that all zero means that it tells none. Likeness is the
cosine of two profiles. Its sign says whether they are alike or mirrored: which end of a unit's scale is up is arbitrary
in most layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Profiles = NDArray[np.float32]
_BLOCK = 1 << 24
"""Most similarities held at once."""


def profiles(scores: NDArray[np.floating], chance: float = 0.5) -> Profiles:
    """Profiles [U, C] of length 1 from scores [U, C]; a score that is not known (NaN) tells nothing, and a unit without
    any has a profile of zeros.
    """
    centred = np.nan_to_num(np.asarray(scores, np.float32) - np.float32(chance))
    return unit_length(centred)


def unit_length(rows: NDArray[np.float32]) -> Profiles:
    """Rows scaled to length 1; rows of zeros stay."""
    length = np.sqrt(np.einsum("uc,uc->u", rows, rows, dtype=np.float64))[:, None]
    return np.asarray(rows / np.where(length > 0, length, 1), np.float32)


def likeness(a: Profiles, b: Profiles) -> NDArray[np.float64]:
    """Cosine of each row of `a` with the same row of `b`, [U]."""
    return np.asarray(np.einsum("uc,uc->u", a, b, dtype=np.float64))


@dataclass(frozen=True)
class Nearest:
    """For each unit of A: the unit of B most like it or its mirror image, their cosine, and whether it is so for both.

    Each [U]; `partner` is -1 where a unit tells nothing.
    """

    partner: NDArray[np.int64]
    cosine: NDArray[np.float64]
    mutual: NDArray[np.bool_]


def nearest(a: Profiles, b: Profiles) -> Nearest:
    """The most alike unit of B [V, C] for each of A [U, C]; of equals the first. Blocks of A bound the memory."""
    partner, cosine = np.full(len(a), -1, np.int64), np.zeros(len(a))
    back, best = np.full(len(b), -1, np.int64), np.zeros(len(b))
    step = max(1, _BLOCK // max(len(b), 1))
    for start in range(0, len(a) if len(b) else 0, step):
        found = a[start : start + step] @ b.T
        size = np.abs(found)
        chosen = size.argmax(axis=1)
        cosine[start : start + step] = found[np.arange(len(found)), chosen]
        partner[start : start + step] = chosen
        row = size.argmax(axis=0)
        greater = size[row, np.arange(len(b))] > best
        back[greater], best[greater] = start + row[greater], size[row, np.arange(len(b))][greater]
    partner[cosine == 0] = -1
    mutual = (partner >= 0) & (back[np.maximum(partner, 0)] == np.arange(len(a))) if len(b) else partner >= 0
    return Nearest(partner, cosine, mutual)
