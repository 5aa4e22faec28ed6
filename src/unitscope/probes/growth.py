"""Gaussians that grow by one unit at a time: what greedy selection knows of every candidate given the units chosen.

The scale of each class's Gaussian over the chosen units has a Cholesky factor whose rows are the candidates' own
regressions on the chosen: choosing one turns its row into the factor's next. So nothing is ever factored anew, and the
only sums over sites are products of the newly chosen unit with all others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unitscope.probes.class_moments import Moments
from unitscope.probes.gaussian import GaussianProbe

Floats = NDArray[np.float64]

# Share of a unit's variance that must be left beside the chosen ones: less is a repeat.
REPEATED = 1e-6


class Growth:
    """Gaussians over T chosen units, and for each of U candidates its conditional Gaussian given them.

    `open` [U] are those that may be chosen. With L the Cholesky factor of the chosen units' scale in a class, `slope`
    [C, T, U] is inverse(L) times their products with every unit: the conditional mean is the unit's own plus `slope`
    times the whitened values, the conditional variance `variance` [C, U] over `divisor` [C].
    """

    def __init__(self, known: Moments, dimensions: int, open_: NDArray[np.bool_]) -> None:
        self.known, self.dimensions, self.open = known, dimensions, open_
        self.divisor = known.counts + 2.0 * dimensions + 4
        self.least = known.prior_scale
        self.diagonal = self.least + known.scatter
        self.variance = self.diagonal.copy()
        n_classes, n_columns = known.mean.shape
        self.chosen: list[int] = []
        self.slope = np.empty((n_classes, 0, n_columns))
        self.scale = np.empty((n_classes, 0, 0))
        self.products = np.empty((n_classes, 0, n_columns))
        # Of the whole, for what repeats the chosen units: correlation of what is left of each.
        self.whole = np.empty((0, n_columns))
        self.left = np.ones(n_columns)

    @classmethod
    def of(cls, known: Moments, dimensions: int, candidates: NDArray[np.integer] | None) -> Growth:
        """Before any unit is chosen; `candidates` are columns, None for all that vary."""
        open_ = ~known.constant
        if candidates is not None:
            among = np.zeros(len(open_), np.bool_)
            among[candidates] = True
            open_ &= among
        return cls(known, dimensions, open_)

    def add(self, unit: int, product: Floats) -> None:
        """Choose a unit, given its products [C, U] with all units within classes."""
        own = self.slope[:, :, unit]
        full = product.copy()
        full[:, unit] += self.least[:, unit]
        row = (full - np.einsum("ck,cku->cu", own, self.slope)) / np.sqrt(self.variance[:, unit])[:, None]
        self.slope = np.concatenate([self.slope, row[:, None]], axis=1)
        self.products = np.concatenate([self.products, full[:, None]], axis=1)
        # In exact arithmetic never below the prior's part.
        self.variance = np.maximum(self.variance - row**2, self.least)
        self.chosen.append(unit)
        self._note_repeats(unit, product)
        self.open[unit] = False

    def _note_repeats(self, unit: int, product: Floats) -> None:
        known = self.known
        apart = known.mean - known.overall
        whole = (product.sum(0) + known.counts @ (apart * apart[:, unit : unit + 1])) / known.counts.sum()
        deviation = np.sqrt(np.where(known.constant, 1.0, known.total))
        whole /= deviation * deviation[unit]
        row = (whole - self.whole[:, unit] @ self.whole) / np.sqrt(self.left[unit])
        self.whole = np.concatenate([self.whole, row[None]])
        self.left = self.left - row**2
        self.open &= self.left > REPEATED

    def repeats(self) -> NDArray[np.int64]:
        """Columns that became linear in the chosen units."""
        out = (self.left <= REPEATED) & ~self.known.constant
        out[self.chosen] = False
        return np.flatnonzero(out)

    def base(self, values: NDArray[np.floating], extra: int) -> tuple[Floats, Floats]:
        """Log of prior times density of the chosen units' values [n, T], [n, C] up to a constant; whitened [C, n, T].

        `extra` units more have their part of the divisor in it.
        """
        n_chosen = len(self.chosen)
        factors = np.swapaxes(self.slope[:, :, self.chosen], 1, 2)
        centred = values[None] - self.known.mean[:, self.chosen][:, None]
        white = centred @ np.swapaxes(np.linalg.inv(factors), 1, 2) if n_chosen else centred
        log_volume = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(1) * 2
        log_volume -= (n_chosen + extra) * np.log(self.divisor)
        log_prior = np.log(self.known.counts / self.known.counts.sum())
        squares = np.einsum("cnt,cnt->nc", white, white) * self.divisor
        return log_prior - (squares + log_volume) / 2, white

    def probe(self, names: tuple[str, ...], classes: NDArray[np.int32]) -> GaussianProbe:
        """The probe over the chosen units."""
        scale = self.products[:, :, self.chosen]
        return GaussianProbe(
            np.array(self.chosen, np.int64),
            names,
            classes,
            self.known.counts,
            self.known.mean[:, self.chosen],
            (scale + np.swapaxes(scale, 1, 2)) / 2,
            self.dimensions,
        )
