"""Everything about a probe run but the atlas and where its model and corpus lie: checked once, kept in the result."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from unitscope.annex import check_name
from unitscope.errors import ProbeError, closest
from unitscope.probes.curves import SHARES, sizes
from unitscope.probes.questions import LEAST_SITES
from unitscope.probes.sides import MEMORY

KINDS = ("linear", "gaussian")
_OUTSIDE = ("name", "device", "threads", "memory")
"""Fields that do not change what comes out, or not by more than rounding."""


@dataclass(frozen=True)
class ProbeSettings:
    """What to probe and how.

    `concepts` is what is read: see `unitscope.probes.questions`. `layers` are addresses or globs among the atlas'.
    `kind` is `linear` or `gaussian`. `l1` and `l2` are the linear probe's penalties; None: chosen within the training
    sites. `seeds` is how many further probes are trained without a part of the training blocks. `curves` asks for
    curves of fewer units at `shares` of all, with `draws` random draws each, and for the fewest units within `delta` of
    all. `mass` is the share of weight mass whose units are counted by class and layer. `control` and `untrained` ask
    for the control task and the copy with fresh weights, `mdl` for the description length. `most` is the number of
    units that a Gaussian probe chooses. Classes with fewer than `least` sites on either side are left out.
    `eval_corpus` is a corpus to judge on instead of half B; all sites of the atlas' corpus are then trained on.
    `memory` is in bytes.
    """

    concepts: str
    layers: tuple[str, ...] = ()
    kind: Literal["linear", "gaussian"] = "linear"
    l1: float | None = None
    l2: float | None = None
    seeds: int = 5
    curves: bool = True
    shares: tuple[float, ...] = SHARES
    draws: int = 3
    delta: float = 0.01
    mass: float = 0.25
    control: bool = True
    untrained: bool = True
    mdl: bool = False
    most: int = 10
    least: int = LEAST_SITES
    eval_corpus: str | None = None
    seed: int = 0
    name: str = ""
    device: str = "cpu"
    threads: int = 1
    memory: int = MEMORY

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ProbeError(
                f"Unknown kind of probe '{self.kind}'.", expected=" or ".join(KINDS), fix=closest(self.kind, KINDS)
            )
        if not isinstance(self.concepts, str) or not self.concepts:
            raise ProbeError(f"Got concepts={self.concepts!r}.", expected="one category, feature, concept or number")
        if isinstance(self.layers, str):
            raise ProbeError(f"Got layers='{self.layers}'.", expected="a list, as layers=['...']")
        for name, least in (("seeds", 2), ("draws", 2), ("most", 1), ("least", 1), ("threads", 1), ("memory", 1)):
            if getattr(self, name) < least:
                raise ProbeError(f"Got {name}={getattr(self, name)}.", expected=f"{least} or more")
        for name in ("l1", "l2"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise ProbeError(f"Got {name}={value}.", expected="0 or a positive number")
        if self.kind != "linear" and (self.l1 is not None or self.l2 is not None):
            raise ProbeError("Got a penalty for a Gaussian probe, which has none.", fix="Leave --l1 and --l2 out.")
        for name in ("delta", "mass"):
            if not 0 < getattr(self, name) < 1:
                raise ProbeError(f"Got {name}={getattr(self, name)}.", expected="a number between 0 and 1")
        if not 0 <= self.seed < 1 << 31:
            raise ProbeError(f"Got seed={self.seed}.", expected="a whole number from 0 to 2**31 - 1")
        check_name(self.called)
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "shares", tuple(self.shares))
        _ = sizes(self.shares, 1)

    @property
    def called(self) -> str:
        """The name of the result: as given, else from the concepts and the kind."""
        if self.name:
            return self.name
        plain = re.sub(r"[^\w.+=-]+", "-", self.concepts).strip(".+=-")[:80] or "probe"
        return plain if self.kind == "linear" else f"{plain}-{self.kind}"

    def parameters(self) -> dict[str, Any]:
        """Plain values of all that the result depends on."""
        found = {name: value for name, value in vars(self).items() if name not in _OUTSIDE}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def settings_of(concepts: str, given: dict[str, Any]) -> ProbeSettings:
    """Settings from keywords. Raises TypeError for one that does not exist."""
    known = set(ProbeSettings.__dataclass_fields__) - {"concepts"}
    unknown = sorted(set(given) - known)
    if unknown:
        raise TypeError(f"probe() got unexpected arguments: {', '.join(unknown)}")
    if isinstance(given.get("layers"), Sequence) and not isinstance(given["layers"], str):
        given = {**given, "layers": tuple(given["layers"])}
    return ProbeSettings(concepts, **given)
