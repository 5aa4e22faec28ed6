"""Gaussian probe: each class is one Gaussian over a few units, and Bayes' rule gives the class of a site.

It needs no training beyond moments, so it can be asked about any subset of units: how much do *these* units tell about
the class? Torroba Hennigen, Williams and Cotterell, "Intrinsic probing through dimension selection", EMNLP 2020. The
estimate is the most probable one under a normal-inverse-Wishart prior, whose scale is the diagonal of the class's own
covariance: for class z with n_z sites over D units,

    mean_z = its mean,    covariance_z = (diag(cov_z) + scatter_z) / (n_z + 2 D + 4).

The mutual information of a split is at least H(class) - mean(-log P(class | values)): a lower bound, tight where the
probe is right about the densities. Everything here is in bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import ProbeError
from unitscope.probes.base import UNLABELLED, Labels, Matrix, Subset
from unitscope.probes.class_moments import checked_values, moments, products

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Information:
    """What values tell about classes at some sites, in bits a site.

    `bits` is `entropy` (of the classes at these sites) less the mean surprise at the class given the values; it is
    below zero where a probe does worse than the classes' shares. `normalised` is bits / entropy, at most 1.
    `n_left_out` sites have a class that the probe was never shown, and are in none of these.
    """

    bits: float
    entropy: float
    n_sites: int
    n_left_out: int = 0

    @property
    def normalised(self) -> float:
        """Share of the entropy that is accounted for; NaN where there is no entropy."""
        return self.bits / self.entropy if self.entropy > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class GaussianProbe:
    """Gaussians of C classes over N units.

    `units` [N] are columns of the matrix it was fitted to; `names` all classes asked for, of which those with a site
    are `classes` [C] (indices into names), with `counts` [C] sites and `mean` [C, N]. `scale` [C, N, N] is diag(cov)
    plus scatter; divided by counts + 2 `dimensions` + 4 it is the covariance.
    """

    units: NDArray[np.int64]
    names: tuple[str, ...]
    classes: NDArray[np.int32]
    counts: NDArray[np.int64]
    mean: Floats
    scale: Floats
    dimensions: int

    @property
    def n_units(self) -> int:
        """Number of units, N."""
        return len(self.units)

    @property
    def absent(self) -> tuple[str, ...]:
        """Classes without a site in training: never predicted."""
        return tuple(name for i, name in enumerate(self.names) if i not in self.classes)

    @property
    def prior(self) -> Floats:
        """Share of each class in training, [C]."""
        return np.asarray(self.counts / self.counts.sum())

    @property
    def covariance(self) -> Floats:
        """Covariance of each class, [C, N, N]; positive definite."""
        return np.asarray(self.scale / (self.counts + 2.0 * self.dimensions + 4)[:, None, None])

    def first(self, n_units: int) -> GaussianProbe:
        """The probe over its first units alone: a Gaussian's marginal needs no new fit."""
        units, mean, scale = self.units[:n_units], self.mean[:, :n_units], self.scale[:, :n_units, :n_units]
        return replace(self, units=units, mean=mean, scale=scale)

    def log_joint(self, values: NDArray[np.floating]) -> Floats:
        """Natural log of prior times density, [S, C], of values [S, N] of this probe's units."""
        found = np.log(self.prior) - self.n_units * np.log(2 * np.pi) / 2 + np.zeros((len(values), 1))
        factors = np.linalg.cholesky(self.covariance)
        inverse = np.linalg.inv(factors) if self.n_units else factors
        found = found - np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(1)
        for c in range(len(self.classes)):
            found[:, c] -= (((values - self.mean[c]) @ inverse[c].T) ** 2).sum(1) / 2
        return np.asarray(found, np.float64)

    def posterior(self, values: NDArray[np.floating]) -> Floats:
        """Probability of each class with a site, [S, C], given values [S, N] of this probe's units."""
        return np.asarray(np.exp(_normalised(self.log_joint(values))))

    def predict(self, matrix: Matrix) -> NDArray[np.int32]:
        """Most probable class of each site [S], an index into `names`; `matrix` has the columns of the one fitted."""
        found = np.empty(matrix.n_sites, np.int32)
        for rows, values in matrix.blocks(self.units):
            checked_values(values, rows, self.units)
            found[rows] = self.classes[np.argmax(self.log_joint(values), axis=1)]
        return found

    def accuracy(self, matrix: Matrix, labels: Labels) -> float:
        """Share of labelled sites whose class is predicted; a class that was absent in training counts as missed."""
        self._check(matrix, labels)
        labelled = labels.labelled
        return float((self.predict(matrix) == labels.of_site)[labelled].mean()) if labelled.any() else float("nan")

    def information(self, matrix: Matrix, labels: Labels) -> Information:
        """What the units tell about the classes at the labelled sites of a matrix."""
        self._check(matrix, labels)
        at = present(self.classes, labels)
        surprise = 0.0
        for rows, values in matrix.blocks(self.units):
            checked_values(values, rows, self.units)
            here = at[rows]
            log_posterior = _normalised(self.log_joint(values[here >= 0]))
            surprise -= float(log_posterior[np.arange(len(log_posterior)), here[here >= 0]].sum())
        return told(surprise, at, int((labels.labelled & (at < 0)).sum()))

    def _check(self, matrix: Matrix, labels: Labels) -> None:
        if labels.names != self.names:
            raise ProbeError(
                f"Got labels of {len(labels.names)} classes for a probe of {len(self.names)} others.",
                expected=f"the classes {', '.join(self.names[:5])}{' ...' if len(self.names) > 5 else ''}",
            )
        checked_sites(matrix, labels)


def fit_gaussian(
    matrix: Matrix, labels: Labels, units: NDArray[np.integer], *, dimensions: int | None = None
) -> GaussianProbe:
    """The most probable Gaussians over `units` (columns of the matrix) given its labelled sites.

    `dimensions` is D in the estimate, by default the number of units of the probe. Published probes are marginals of
    one over all units of a layer, with D its width: the greater, the narrower the Gaussians of rare classes, until over
    thousands of units they are wrong about most sites. Sites without a label are passed over, classes without a site
    are never predicted. Raises ProbeError where fewer than two classes have a site, values are not finite, or columns
    are repeated or out of range.
    """
    wanted = np.asarray(units, np.int64)
    if len(set(wanted.tolist())) < len(wanted) or ((wanted < 0) | (wanted >= matrix.n_units)).any():
        raise ProbeError(f"Got units {wanted.tolist()[:10]}.", expected=f"different columns below {matrix.n_units}")
    train, at, classes = training(matrix, labels)
    known = moments(Subset(train, columns=wanted), at, len(classes), wanted)
    scale = np.empty((len(classes), len(wanted), len(wanted)))
    for i in range(len(wanted)):
        scale[:, i], _ = products(Subset(train, columns=wanted), at, known, i)
        scale[:, i, i] += known.prior_scale[:, i]
    dims = len(wanted) if dimensions is None else dimensions
    return GaussianProbe(wanted, labels.names, classes, known.counts, known.mean, scale, dims)


def training(matrix: Matrix, labels: Labels) -> tuple[Matrix, NDArray[np.int32], NDArray[np.int32]]:
    """Labelled sites of a matrix, their class [S] among those with a site, and these classes [C]: indices of names."""
    checked_sites(matrix, labels)
    classes = np.flatnonzero(labels.counts()).astype(np.int32)
    if len(classes) < 2:
        named = f"class '{labels.names[classes[0]]}' alone has" if len(classes) else "no class has"
        raise ProbeError(f"Of {labels.n_classes} classes {named} a site.", expected="2 or more, to tell them apart")
    labelled = labels.labelled
    at = present(classes, labels)[labelled]
    return matrix if labelled.all() else Subset(matrix, labelled), at, classes


def present(classes: NDArray[np.int32], labels: Labels) -> NDArray[np.int32]:
    """Class of each site [S] as an index into `classes`; -1 where it has none, or one that is not among them."""
    among = np.full(labels.n_classes + 1, UNLABELLED, np.int32)
    among[classes] = np.arange(len(classes), dtype=np.int32)
    return among[labels.of_site]


def told(surprise: float, at: NDArray[np.int32], n_left_out: int = 0) -> Information:
    """Information from the summed surprise, in nats, at the sites whose class `at` [S] is not -1."""
    counts = np.bincount(at[at >= 0])
    n_sites = int(counts.sum())
    if not n_sites:
        raise ProbeError("No site has a class that the probe was shown.", expected="labelled sites of its classes")
    shares = counts[counts > 0] / n_sites
    entropy = float(-(shares * np.log2(shares)).sum())
    return Information(entropy - surprise / n_sites / float(np.log(2)), entropy, n_sites, n_left_out)


def checked_sites(matrix: Matrix, labels: Labels) -> None:
    """Raise ProbeError unless there is one label a site."""
    if matrix.n_sites != labels.n_sites:
        raise ProbeError(f"Got {labels.n_sites} labels for {matrix.n_sites} sites.", expected="one a site")


def _normalised(joint: Floats) -> Floats:
    most = joint.max(axis=1, keepdims=True) if joint.size else 0.0
    shifted: Floats = joint - most
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted
