"""Description length: in how many bits can the classes be told to someone who has the values?

A probe's accuracy hides how much it had to learn. The online code counts that, too: the sites are sent in portions;
each portion's classes are coded by a probe fitted to those sent before, the first by the uniform code. Values from
which the class is easily learned give a short code already after few sites. Voita and Titov, "Information-theoretic
probing with minimum description length", EMNLP 2020, section 2.2.2.

A class that no portion had yet would cost endlessly many bits. So every probability is that of the probe mixed with the
uniform one, as though each of the K classes had been seen once beside the n sites fitted to: (n p + 1) / (n + K). No
class costs more than log2(n + K) bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import ProbeError
from unitscope.probes.base import Labels, Matrix, Subset
from unitscope.probes.control import Drawn, control_labels
from unitscope.probes.gaussian import checked_sites

if TYPE_CHECKING:
    from unitscope.probes.penalty import Penalty

Probabilities = Callable[[Matrix], NDArray[np.floating]]
Fit = Callable[[Matrix, Labels, int], Probabilities]
"""From a matrix, its labels and a seed to what gives the probability of each class, [S, C], at sites of a matrix."""

# Shares of all sites, as published.
TIMESTEPS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Portion:
    """Sites coded by a probe fitted to `n_before` others: their number, and the bits it took."""

    n_before: int
    n_sites: int
    bits: float


@dataclass(frozen=True)
class Description:
    """The online code of classes given values: its portions, how many classes have a site, the seed of the order."""

    portions: tuple[Portion, ...]
    n_classes: int
    seed: int

    @property
    def n_sites(self) -> int:
        """Number of sites coded."""
        return sum(portion.n_sites for portion in self.portions)

    @property
    def bits(self) -> float:
        """Length of the code of all classes."""
        return sum(portion.bits for portion in self.portions)

    @property
    def uniform_bits(self) -> float:
        """Length without any knowledge: n log2 K."""
        return self.n_sites * float(np.log2(self.n_classes))

    @property
    def compression(self) -> float:
        """How many times shorter than the uniform code; below 1 where the probe misleads."""
        return self.uniform_bits / self.bits


@dataclass(frozen=True)
class BesideControl:
    """A task's description beside its control task's at the same sites, in the same order."""

    task: Description
    control: Description


def online_code(
    matrix: Matrix,
    labels: Labels,
    group: NDArray[np.integer],
    fit: Fit,
    *,
    timesteps: Sequence[float] = TIMESTEPS,
    seed: int = 0,
) -> Description:
    """Code the classes of the labelled sites of a matrix, portion by portion.

    Whole groups (`group` [S]) are sent in random order, so that no portion is of a document that was fitted to;
    portions end where the sites sent come nearest to the shares `timesteps` of all. Raises ProbeError where fewer than
    two classes have a site, there are fewer than two groups, or shares do not ascend.
    """
    checked_sites(matrix, labels)
    present = np.flatnonzero(labels.counts())
    if len(present) < 2:
        raise ProbeError(f"Got {len(present)} class(es) with a site.", expected="2 or more, to tell them apart")
    portion = portions(group, labels.labelled, timesteps, seed)
    sizes = np.bincount(portion[portion >= 0])
    done = [Portion(0, int(sizes[0]), int(sizes[0]) * float(np.log2(len(present))))]
    for number in range(1, len(sizes)):
        before, now = (portion >= 0) & (portion < number), portion == number
        probabilities = _fitted(fit, matrix, labels, before, seed)(Subset(matrix, now))
        n_before, own = int(before.sum()), labels.of_site[now]
        mixed = (n_before * probabilities[np.arange(len(own)), own] + 1) / (n_before + len(present))
        done.append(Portion(n_before, len(own), float(-np.log2(mixed).sum())))
    return Description(tuple(done), len(present), seed)


def beside_control(
    matrix: Matrix,
    labels: Labels,
    group: NDArray[np.integer],
    form: NDArray[Any],
    fit: Fit,
    *,
    timesteps: Sequence[float] = TIMESTEPS,
    seed: int = 0,
    drawn: Drawn = "shares",
) -> BesideControl:
    """`online_code` of the task and of a control task in which each word form (`form` [S]) has a random class."""
    control = control_labels(labels, form, seed, drawn)
    task, other = (online_code(matrix, of, group, fit, timesteps=timesteps, seed=seed) for of in (labels, control))
    return BesideControl(task, other)


def linear(penalty: Penalty) -> Fit:
    """Fit by linear probes of one penalty."""

    def fitted(matrix: Matrix, labels: Labels, seed: int) -> Probabilities:
        from unitscope.probes.linear import fit

        probe = fit(matrix, labels, penalty, seed=seed)

        def probabilities(of: Matrix) -> NDArray[np.floating]:
            scores = probe.scores(of).astype(np.float64)
            odds = np.exp(scores - scores.max(axis=1, keepdims=True))
            return np.asarray(odds / odds.sum(axis=1, keepdims=True))

        return probabilities

    return fitted


def gaussian(units: NDArray[np.integer]) -> Fit:
    """Fit by Gaussian probes over some units."""

    def fitted(matrix: Matrix, labels: Labels, seed: int) -> Probabilities:
        from unitscope.probes.gaussian import fit_gaussian

        probe = fit_gaussian(matrix, labels, units)

        def probabilities(of: Matrix) -> NDArray[np.floating]:
            found = np.zeros((of.n_sites, labels.n_classes))
            for rows, values in of.blocks(probe.units):
                found[rows][:, probe.classes] = probe.posterior(values)
            return found

        return probabilities

    return fitted


def portions(
    group: NDArray[np.integer], labelled: NDArray[np.bool_], timesteps: Sequence[float], seed: int
) -> NDArray[np.int32]:
    """Portion of each site [S], whole groups together, in random order; -1 where it has no label.

    Shares between which no group ends are one portion.
    """
    if group.shape != labelled.shape:
        raise ProbeError(f"Got groups of {len(group)} sites for {len(labelled)} labels.", expected="one a site")
    ascending = all(a < b for a, b in pairwise(timesteps))
    if not timesteps or not ascending or timesteps[0] <= 0 or timesteps[-1] != 1:
        raise ProbeError(f"Got shares {list(timesteps)}.", expected="ascending shares above 0, the last 1")
    names, dense = np.unique(group[labelled], return_inverse=True)
    if len(names) < 2:
        raise ProbeError(f"Got {len(names)} group(s) of labelled sites.", expected="2 or more, to code in portions")
    order = np.random.default_rng([seed, 22]).permutation(len(names))
    sent = np.cumsum(np.bincount(dense)[order])
    ends = [int(np.argmin(np.abs(sent - share * sent[-1]))) for share in timesteps[:-1]]
    ends = sorted({end for end in ends if end < len(names) - 1}) or [0]
    of_group = np.empty(len(names), np.int32)
    of_group[order] = np.searchsorted(ends, np.arange(len(names)))
    found = np.full(len(group), -1, np.int32)
    found[labelled] = of_group[dense]
    return found


def _fitted(fit: Fit, matrix: Matrix, labels: Labels, before: NDArray[np.bool_], seed: int) -> Probabilities:
    """A probe fitted to the sites sent before; where they are all of one class, that class."""
    known = labels.select_sites(before)
    counts = known.counts()
    if (counts > 0).sum() > 1:
        return fit(Subset(matrix, before), known, seed)
    shares = counts / counts.sum()
    return lambda of: np.broadcast_to(shares, (of.n_sites, len(shares)))
