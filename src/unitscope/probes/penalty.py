"""The elastic net: how much weights cost, and paths of penalties from strong to weak.

Zou and Hastie 2005, eq. 3, in its naive form: l1 * sum |w| + l2 * sum w^2, beside the *mean* loss of sites. The square
matters: a penalty on the unsquared norm acts on all weights together and cannot be turned into this one by any factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unitscope.errors import ProbeError

STRENGTHS = (3e-2, 1e-2, 3e-3, 1e-3, 3e-4)


@dataclass(frozen=True)
class Penalty:
    """l1 * sum |w| + l2 * sum w^2 over all weights (not the biases), per standard deviation of a unit.

    Raises ProbeError for negative or non-finite factors.
    """

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= factor < float("inf") for factor in (self.l1, self.l2)):
            raise ProbeError(f"Got penalties l1={self.l1}, l2={self.l2}.", expected="finite numbers from 0 up")

    @classmethod
    def of(cls, strength: float, mix: float) -> Penalty:
        """`strength` shared out: `mix` of it (0 to 1) to l1, the rest to l2. A lasso has mix 1, a ridge 0."""
        if not 0 <= mix <= 1:
            raise ProbeError(f"Got a mix of {mix}.", expected="0 (ridge) to 1 (lasso)")
        return cls(strength * mix, strength * (1 - mix))

    @property
    def strength(self) -> float:
        """l1 + l2: what orders penalties of one path."""
        return self.l1 + self.l2


def path(strengths: Sequence[float] = STRENGTHS, mix: float = 0.1) -> tuple[Penalty, ...]:
    """Penalties of one mix, strongest first.

    >>> [penalty.l2 for penalty in path([0.1, 1.0], mix=0)]
    [1.0, 0.1]
    """
    if not len(strengths):
        raise ProbeError("Got no strengths to choose from.", expected="at least one")
    return tuple(Penalty.of(strength, mix) for strength in sorted(strengths, reverse=True))
