"""What a ranking is: units from best to worst, what they were ranked for, and where the order comes from.

Whatever finds units ends here: measures, probes, sums by class, correlations between models, attributions. So edits,
retrained probes, curves and comparisons take a `Ranking` and need not know how it was made. Of N ranked units each has
an address `layer:unit` and a score; units whose score is undefined are not ranked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unitscope.errors import RankingError, closest

ALL = "all"
"""Target of a ranking that is for no class in particular."""


@dataclass(frozen=True)
class Origin:
    """Where a ranking comes from: method, its parameters (plain JSON values), seed, and the key of the atlas.

    `parent` is empty for rankings that were made outside an atlas.
    """

    method: str
    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    seed: int = 0
    parent: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))


@dataclass(frozen=True, eq=False)
class Ranking:
    """Units from best to worst.

    `units` [N] are addresses `layer:unit`, each once; `scores` float64 [N] in the same order, without NaN; `target` is
    what they were ranked for, a class such as `upos:NOUN`, or `all`. Raises RankingError when units and scores do not
    fit, a unit is there twice, or a score is NaN.
    """

    units: tuple[str, ...]
    scores: NDArray[np.float64]
    target: str
    origin: Origin

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", tuple(self.units))
        scores = np.array(self.scores, np.float64)
        scores.flags.writeable = False
        object.__setattr__(self, "scores", scores)
        if scores.shape != (len(self.units),):
            raise RankingError(
                f"Got {len(self.units)} units and scores of shape {scores.shape}.", expected="one score a unit"
            )
        if np.isnan(scores).any():
            raise RankingError("Got NaN among the scores of a ranking.", fix="Leave units without a score out.")
        if len(set(self.units)) < len(self.units):
            twice = next(unit for i, unit in enumerate(self.units) if unit in self.units[:i])
            raise RankingError(f"Got unit '{twice}' twice in a ranking.", expected="each unit once")

    @classmethod
    def of_scores(
        cls, scores: ArrayLike, addresses: Sequence[str], target: str, origin: Origin, *, rising: bool = False
    ) -> Ranking:
        """Rank U units by scores [U], greatest first, or least first where `rising`; ties in the order of `addresses`.

        Units whose score is NaN are left out. Raises RankingError where no unit has a score.

        >>> Ranking.of_scores([1.0, 3.0, float("nan"), 3.0], ["a:0", "a:1", "a:2", "b:0"], "all", Origin("f")).units
        ('a:1', 'b:0', 'a:0')
        """
        values = np.asarray(scores, np.float64)
        if values.shape != (len(addresses),):
            raise RankingError(
                f"Got scores of shape {values.shape} for {len(addresses)} units.", expected="one score a unit"
            )
        ranked = np.flatnonzero(~np.isnan(values))
        if not len(ranked):
            raise RankingError(
                f"No unit has a score for '{target}' by {origin.method}.",
                expected="units that vary, and classes with sites",
            )
        order = ranked[np.argsort(values[ranked] if rising else -values[ranked], kind="stable")]
        return cls(tuple(addresses[i] for i in order.tolist()), values[order], target, origin)

    def __len__(self) -> int:
        return len(self.units)

    def top(self, n: int) -> tuple[str, ...]:
        """The n best units, best first; all where there are fewer."""
        return self.units[: _count(n)]

    def bottom(self, n: int) -> tuple[str, ...]:
        """The n worst units, worst first; all where there are fewer."""
        return self.units[::-1][: _count(n)]

    def random(self, n: int, seed: int) -> tuple[str, ...]:
        """n units drawn from all ranked ones without replacement: a control for `top`. The same seed draws the same."""
        order = np.random.default_rng(seed).permutation(len(self.units))[: _count(n)]
        return tuple(self.units[i] for i in order.tolist())

    def indices(self, addresses: Sequence[str]) -> NDArray[np.intp]:
        """Where each ranked unit is in `addresses`, best first, [N]. Raises RankingError for a unit that is not there.

        >>> Ranking(("a:1", "a:0"), [2.0, 1.0], "all", Origin("f")).indices(["a:0", "a:1"]).tolist()
        [1, 0]
        """
        at = {address: i for i, address in enumerate(addresses)}
        missing = [unit for unit in self.units if unit not in at]
        if missing:
            raise RankingError(
                f"The ranking by {self.origin.method} has units that are not here, such as '{missing[0]}'.",
                expected="a ranking of the same layers",
                fix=closest(missing[0], addresses),
            )
        return np.array([at[unit] for unit in self.units], np.intp)

    def restricted(self, addresses: Sequence[str]) -> Ranking:
        """The same order of the ranked units that are among `addresses`. Raises RankingError where none is."""
        kept = set(addresses)
        keep = [i for i, unit in enumerate(self.units) if unit in kept]
        if not keep:
            raise RankingError(f"None of these units is in the ranking by {self.origin.method}.")
        return Ranking(tuple(self.units[i] for i in keep), self.scores[keep], self.target, self.origin)

    def check_parent(self, parent: str) -> None:
        """Raise RankingError when this is a ranking of an atlas with another key than `parent`."""
        if self.origin.parent and parent and self.origin.parent != parent:
            raise RankingError(
                f"The ranking by {self.origin.method} is of another atlas "
                f"(key {self.origin.parent[:12]}, here {parent[:12]}).",
                expected="a ranking of this atlas",
                fix="Make it again from this atlas: unitscope rank ATLAS --by METHOD.",
            )


def _count(n: int) -> int:
    if n < 0:
        raise RankingError(f"Got {n} units.", expected="0 or more")
    return n


def split_address(address: str) -> tuple[str, int]:
    """Layer and index of `layer:unit`. Raises RankingError for anything else.

    >>> split_address("encoder.layer.1#2:17")
    ('encoder.layer.1#2', 17)
    """
    layer, colon, unit = address.rpartition(":")
    if not colon or not layer or not unit.isdecimal():
        raise RankingError(f"Got '{address}' as a unit.", expected="layer:index, such as encoder.layer.1:17")
    return layer, int(unit)
