"""Principal components of a layer, from a covariance that is summed up shard by shard (Pearson 1901; Chan et al. 1983).

Each component's sign is that its largest loading is positive, the first of them where several are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.bases.base import Basis
from unitscope.errors import BasisError


@dataclass
class Covariance:
    """Count, mean [D] and scatter about it [D, D] of rows seen so far, in float64."""

    n: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @classmethod
    def blank(cls, width: int) -> Covariance:
        """Nothing seen yet."""
        return cls(0, np.zeros(width), np.zeros((width, width)))

    def add(self, values: NDArray[Any]) -> None:
        """Take in rows [S, D]; the order of calls matters for the last bits only."""
        rows = np.asarray(values, np.float64)
        n = len(rows)
        if not n:
            return
        mean = rows.mean(axis=0)
        rows = rows - mean
        gap, total = mean - self.mean, self.n + n
        self.scatter += rows.T @ rows + np.outer(gap, gap) * (self.n * n / total)
        self.mean += gap * (n / total)
        self.n = total

    def components(self, n: int | None, layer: str) -> Basis:
        """The first `n` principal components, or all, as a basis.

        Raises BasisError when there are fewer rows than components, so that some directions would be arbitrary.
        """
        width = len(self.mean)
        n = width if n is None else n
        if self.n <= n:
            raise BasisError(
                f"Got {self.n} sites to fit {n} principal components of '{layer}' on.",
                expected=f"more than {n}",
                fix=f"Give a larger corpus, or fewer components (pca:{max(1, self.n // 10)}).",
            )
        if not np.isfinite(self.scatter).all():
            raise BasisError(f"Layer '{layer}' has values that are no finite numbers; it has no principal components.")
        _, vectors = np.linalg.eigh(self.scatter)
        vectors = vectors[:, ::-1][:, :n]
        largest = np.abs(vectors).argmax(axis=0)
        vectors = vectors * np.sign(vectors[largest, np.arange(n)])
        encoder = vectors.astype(np.float32)
        center = self.mean.astype(np.float32)
        return Basis(encoder, center=center, decoder=np.ascontiguousarray(encoder.T), offset=center)
