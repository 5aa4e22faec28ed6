"""Rankings from groups of units that say the same: representatives of clusters, and units by their factor.

By name what `clusters` and `factors` compute. The group of each unit is kept beside the order, in the table `groups`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

import numpy as np

from unitscope.rankings.asked import Half, Method, Source, refuse_half
from unitscope.rankings.base import ALL, Ranking, split_address
from unitscope.rankings.sums import Narrowed


@dataclass(frozen=True)
class ClusterRepresentatives(Method):
    """One unit of each cluster of correlated units, the largest cluster's first; the score is how many it stands for.

    `cut` is the distance 1 − |ρ| (`signed`: 1 − ρ) at which clusters are cut, `linkage` `average` or `complete`.
    """

    name: ClassVar[str] = "clusters"
    cut: float = 0.3
    linkage: Literal["average", "complete"] = "average"
    signed: bool = False

    def rank(self, source: Source) -> list[Ranking]:
        """One ranking, for `all`; units that are not their cluster's representative are not ranked."""
        from unitscope.rankings.clusters import cluster, redundancy

        refuse_half(self, source.question.half, ("all",))
        found = cluster(
            Narrowed(source.activations, source.columns),
            source.activations.halves,
            cut=self.cut,
            linkage=self.linkage,
            signed=self.signed,
            seed=source.question.seed,
        )
        places = [split_address(address) for address in source.addresses]
        layers = [layer for layer, _ in places]
        figures = {"rand": found.rand, "held_out": found.held_out, "chance": found.chance}
        origin = self.origin(
            source,
            "all",
            clusters=found.n_clusters,
            figures={name: value if np.isfinite(value) else None for name, value in figures.items()},
            redundancy=[
                {key: None if value != value else value for key, value in asdict(each).items()}
                for each in redundancy(found, layers)
            ],
        )
        sizes = np.bincount(found.of_unit[found.of_unit >= 0], minlength=found.n_clusters)
        scores = np.full(len(places), np.nan)
        scores[found.representatives] = sizes
        source.tables["groups"] = {
            "layer": np.array(layers, object),
            "unit": np.array([unit for _, unit in places], np.int64),
            "cluster": np.where(found.of_unit >= 0, found.of_unit, np.nan),
            "closeness": found.closeness,
        }
        return [Ranking.of_scores(scores, source.addresses, ALL, origin)]


@dataclass(frozen=True)
class FactorLoadings(Method):
    """Units by the size of their loading on each of `n` factors of sites × units, and for all by their greatest.

    `way` is `svd` (principal directions, turned by varimax where `rotate`) or `nmf`. Factors are fitted on half A.
    """

    name: ClassVar[str] = "factors"
    n: int = 20
    way: Literal["svd", "nmf"] = "svd"
    rotate: bool = True

    def rank(self, source: Source) -> list[Ranking]:
        """One ranking for `all` and one a factor, `factor:1` the strongest."""
        from unitscope.rankings.factors import factorise

        refuse_half(self, source.question.half, ("a",))
        half: Half = "a"
        x = Narrowed(source.activations, source.columns)
        found = factorise(x, source.activations.halves, self.n, way=self.way, rotate=self.rotate)
        figures = {
            "explained": found.explained,
            "held_out": found.held_out,
            "chance": found.chance,
            "stability_chance": found.stability_chance,
            "clipped": found.clipped,
        }
        origin = self.origin(
            source,
            half,
            figures={name: value if np.isfinite(value) else None for name, value in figures.items()},
            stability=found.stability.tolist(),
        )
        sizes = np.abs(found.loadings)
        live = (sizes > 0).any(axis=0)
        targets = {ALL: sizes.max(axis=0), **{f"factor:{k + 1}": size for k, size in enumerate(sizes)}}
        return [
            Ranking.of_scores(np.where(live, scores, np.nan), source.addresses, target, origin)
            for target, scores in targets.items()
        ]
