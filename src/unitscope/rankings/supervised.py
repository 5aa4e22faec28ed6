"""Rankings from class means, without a fitted probe; and two that know no classes: variance and chance.

All are functions of sums by class, which one pass over the sites collects. Probeless is Antverg and Belinkov (2022,
section 3); univariate F is the one-way analysis of variance that scikit-learn's `f_classif` computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import RankingError
from unitscope.rankings.asked import Half, Method, Source, refuse_half
from unitscope.rankings.base import ALL, Ranking
from unitscope.rankings.sums import ClassSums, pair_gaps

Floats = NDArray[np.float64]
MIN_SITES = 20
"""Sites that a class must have by default: means of fewer are far apart by chance."""


@dataclass(frozen=True)
class ByClass(Method):
    """What methods that compare classes share. `min_sites` is how many sites a class needs to be compared at all."""

    min_sites: int = MIN_SITES

    def rank(self, source: Source) -> list[Ranking]:
        """One ranking a class and one for all; of a single concept just one."""
        half: Half = source.half("a")
        found: list[Ranking] = []
        for labels in source.labels(half):
            sums = ClassSums.of(source.activations, labels.of_site, labels.n_classes, source.columns)
            keep = sums.n >= max(self.min_sites, 1)
            names = [name for name, kept in zip(labels.names, keep.tolist()) if kept]
            if len(names) < 2:
                raise RankingError(
                    f"Fewer than two classes have {self.min_sites} sites: "
                    f"{', '.join(f'{name} {n}' for name, n in zip(labels.names, sums.n.tolist()))}.",
                    expected="two classes or more",
                    fix=f"Give a larger corpus, or {self.name}:min_sites=1.",
                )
            left_out = [name for name, kept in zip(labels.names, keep.tolist()) if not kept]
            overall, each = self.scores(sums.among(keep))
            origin = self.origin(source, half, classes=len(names), left_out=left_out)
            single = source.question.category is None
            targets = [(labels.names[-1], overall)] if single else [(ALL, overall), *zip(names, each)]
            found += [Ranking.of_scores(scores, source.addresses, at, origin) for at, scores in targets]
        return found

    def scores(self, sums: ClassSums) -> tuple[Floats, Floats]:
        """Scores of units for telling all classes apart [U], and each class from the others [C, U]."""
        raise NotImplementedError


@dataclass(frozen=True)
class Probeless(ByClass):
    """r(n) = Σ over pairs of classes |μ_z[n] − μ_z'[n]|, and Σ over z' |μ_z[n] − μ_z'[n]| for a class z.

    Units with large values come first whatever they tell; `standardise` divides by each unit's standard deviation.
    """

    name: ClassVar[str] = "probeless"
    standardise: bool = False

    def scores(self, sums: ClassSums) -> tuple[Floats, Floats]:
        """Sums of gaps between class means; NaN for constant units."""
        spread = np.where(sums.variance > 0, np.sqrt(sums.variance), np.nan)
        means = sums.first / sums.n[:, None].astype(np.float64)
        return pair_gaps(means / spread if self.standardise else np.where(spread > 0, means, np.nan))


@dataclass(frozen=True)
class UnivariateF(ByClass):
    """F of a one-way analysis of variance: over all classes, and of each class against the rest."""

    name: ClassVar[str] = "f"

    def scores(self, sums: ClassSums) -> tuple[Floats, Floats]:
        """F statistics; NaN for constant units."""
        each = [sums.against_rest(c).f_statistic() for c in range(len(sums.n))]
        return sums.f_statistic(), np.array(each)


@dataclass(frozen=True)
class Variance(Method):
    """Variance of a unit's values: what varies most comes first, whatever it tells."""

    name: ClassVar[str] = "variance"

    def rank(self, source: Source) -> list[Ranking]:
        """One ranking, for `all`."""
        half: Half = source.half("a")
        keep = source.kept(half)
        n_sites = source.activations.n_sites
        of_site = np.zeros(n_sites, np.int32) if keep is None else np.where(keep, 0, -1).astype(np.int32)
        variance = ClassSums.of(source.activations, of_site, 1, source.columns).variance
        scores = np.where(variance > 0, variance, np.nan)
        return [Ranking.of_scores(scores, source.addresses, ALL, self.origin(source, half))]


@dataclass(frozen=True)
class Random(Method):
    """A random order, drawn anew for each seed: what any ranking must beat."""

    name: ClassVar[str] = "random"

    def rank(self, source: Source) -> list[Ranking]:
        """One ranking, for `all`; the scores are draws from the interval [0, 1)."""
        refuse_half(self, source.question.half, ())
        addresses = source.addresses if source.atlas is None else addresses_of(source)
        scores = np.random.default_rng([source.question.seed, 21]).random(len(addresses))
        return [Ranking.of_scores(scores, addresses, ALL, self.origin(source))]


def addresses_of(source: Source) -> list[str]:
    """Addresses of the units of an atlas' chosen layers, without activations."""
    from unitscope.rankings.measured import chosen_layers

    if source.atlas is None:
        return source.addresses
    widths = {each["address"]: each["width"] for each in source.atlas.manifest["study"]["layers"]}
    return [
        f"{layer}:{u}" for layer in chosen_layers(source.atlas, source.question.layers) for u in range(widths[layer])
    ]
