"""Which units a linear probe leans on: Linguistic Correlation Analysis (Dalvi et al. 2019, "What Is One Grain of Sand
in the Desert?", section 3.2).

From a probe's weights [C, U] on standardised values, so that weights of different units compare. A class' units in
order of |w| share out its *weight mass*, the sum of |w|; its top units are the fewest that hold a share p of it. Units
are put in one order for all classes by the least share of mass at which a class takes them. Everything here is a
function of the weights alone: no data, no randomness but where a seed is given. Ties go by number of the unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import PlanError

Weights = NDArray[np.floating]
STEPS = 100


@dataclass(frozen=True)
class Selection:
    """Units chosen for each of C classes: their numbers, in the order of choice. `n_units` is U."""

    of_class: tuple[NDArray[np.intp], ...]
    n_units: int

    @property
    def overall(self) -> NDArray[np.intp]:
        """Units that are chosen for any class, ascending."""
        return np.flatnonzero(self.n_classes_of_unit())

    def n_classes_of_unit(self) -> NDArray[np.intp]:
        """How many classes each unit is chosen for, [U]."""
        counts = np.zeros(self.n_units, np.intp)
        for units in self.of_class:
            counts[units] += 1
        return counts

    @property
    def shared(self) -> NDArray[np.intp]:
        """Units that are chosen for two classes or more, ascending."""
        return np.flatnonzero(self.n_classes_of_unit() > 1)

    def exclusive(self, of: int) -> NDArray[np.intp]:
        """Units that are chosen for this class and no other, in its order."""
        units = self.of_class[of]
        return np.asarray(units[self.n_classes_of_unit()[units] == 1], np.intp)

    def by_layer(self, layer_of_unit: NDArray[np.integer], n_layers: int) -> NDArray[np.intp]:
        """How many of each class' units lie in each layer, [C, L]; `layer_of_unit` [U] counts from 0.

        >>> chosen = Selection((np.array([0, 3]), np.array([3])), 4)
        >>> chosen.by_layer(np.array([0, 0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
        """
        counts = [np.bincount(layer_of_unit[units], minlength=n_layers) for units in self.of_class]
        return np.stack(counts) if counts else np.zeros((0, n_layers), np.intp)


def by_mass(weights: Weights, share: float) -> Selection:
    """Top units of each class: the shortest prefix by falling |w| whose sum reaches `share` of sum |w|; one at least.

    `weights` [C, U]. Raises PlanError when they are no finite matrix or the share lies outside [0, 1].

    >>> [units.tolist() for units in by_mass(np.array([[5, 1, 1], [1, 10, 1.0]]), 0.5).of_class]
    [[0], [1]]
    """
    size = _sizes(weights)
    _share(share)
    return Selection(tuple(_prefix(row, np.argsort(-row, kind="stable"), share) for row in size), size.shape[1])


def bottom_by_mass(weights: Weights, share: float) -> Selection:
    """The counterpart of `by_mass` from the other end: the shortest prefix by rising |w|, one unit at least."""
    size = _sizes(weights)
    _share(share)
    return Selection(tuple(_prefix(row, np.argsort(row, kind="stable"), share) for row in size), size.shape[1])


def by_threshold(weights: Weights, factor: float) -> Selection:
    """Units of each class whose |w| exceeds the class' greatest |w| / `factor`, by falling |w|.

    A class whose weights are all zero gets none. Raises PlanError for a factor that is not above 0.

    >>> [units.tolist() for units in by_threshold(np.array([[5, 1, 2, 1], [1, 10, 1, 6.0]]), 2).of_class]
    [[0], [1, 3]]
    """
    size = _sizes(weights)
    if not 0 < factor < np.inf:
        raise PlanError(f"Got factor {factor} for the threshold.", expected="a finite number above 0")
    chosen = []
    for row in size:
        order = np.argsort(-row, kind="stable")
        chosen.append(order[row[order] > row.max() / factor])
    return Selection(tuple(chosen), size.shape[1])


def top(weights: Weights, n: int) -> Selection:
    """The `n` units of each class with the greatest |w|, by falling |w|."""
    size = _sizes(weights)
    n = _number(n, size.shape[1])
    return Selection(tuple(np.argsort(-row, kind="stable")[:n] for row in size), size.shape[1])


def bottom(weights: Weights, n: int) -> Selection:
    """The `n` units of each class with the least |w|, by rising |w|."""
    size = _sizes(weights)
    n = _number(n, size.shape[1])
    return Selection(tuple(np.argsort(row, kind="stable")[:n] for row in size), size.shape[1])


def random_units(n_units: int, n: int, seed: int) -> NDArray[np.intp]:
    """`n` of `n_units` units drawn without replacement, ascending: the control beside top and bottom.

    >>> len(set(random_units(100, 10, seed=1).tolist()))
    10
    """
    n = _number(n, n_units)
    return np.sort(np.random.default_rng(seed).permutation(n_units)[:n]).astype(np.intp)


def ordering(weights: Weights, steps: int = STEPS) -> NDArray[np.intp]:
    """All units, best first: by the least share of mass 0, 1/steps, ..., 1 at which `by_mass` takes them for a class.

    Units of one step are in order of their greatest |w|. Those without any weight come last. A permutation of U.

    >>> ordering(np.array([[4, 1, 5], [1, 1, 10.0]])).tolist()
    [2, 0, 1]
    """
    size = _sizes(weights)
    if steps < 1:
        raise PlanError(f"Got {steps} steps.", expected="1 or more")
    shares = np.arange(steps + 1) / steps
    first = np.full(size.shape[1], steps + 1, np.intp)
    for row in size:
        order = np.argsort(-row, kind="stable")
        step = np.searchsorted(shares * _mass(row[order])[-1], _before(row[order]), side="right")
        step[0] = 0
        first[order] = np.minimum(first[order], step)
    greatest = size.max(axis=0, initial=0.0)
    first[greatest == 0] = steps + 1
    return np.lexsort((np.arange(len(first)), -greatest, first))


def of_layers(addresses: Sequence[str]) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Number of the layer of each unit [U], and the layers' addresses, in order of first mention.

    >>> of_layers(["a:0", "a:1", "b@in:0"])
    (array([0, 0, 1]), ('a', 'b@in'))
    """
    layers: dict[str, int] = {}
    number = [layers.setdefault(address.rpartition(":")[0], len(layers)) for address in addresses]
    return np.array(number, np.intp), tuple(layers)


def _prefix(row: NDArray[np.float64], order: NDArray[np.intp], share: float) -> NDArray[np.intp]:
    """The first units in this order whose mass reaches the share: those before which it is not yet reached."""
    enough = share * _mass(row[order])[-1]
    n = int(np.searchsorted(_before(row[order]), enough, side="left"))
    return order[: max(n, 1)]


def _mass(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.cumsum(sizes)


def _before(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mass of the units before each one."""
    return np.concatenate([[0.0], _mass(sizes)[:-1]])


def _sizes(weights: Weights) -> NDArray[np.float64]:
    size = np.abs(np.asarray(weights, np.float64))
    if size.ndim != 2 or not size.shape[1]:
        raise PlanError(f"Got weights of shape {size.shape}.", expected="[classes, units], with one unit at least")
    if not np.isfinite(size).all():
        raise PlanError("Got weights that are no finite numbers.", fix="Fit the probe with a greater penalty.")
    return size


def _share(share: float) -> None:
    if not 0 <= share <= 1:
        raise PlanError(f"Got {share} for the share of weight mass.", expected="a number from 0 to 1")


def _number(n: int, n_units: int) -> int:
    if not 0 <= n <= n_units:
        raise PlanError(f"Got {n} units to choose.", expected=f"0 to {n_units}")
    return n
