"""Probes crossed with the rankings of an atlas: each kind of probe on the first units of each kept ranking.

Probes are fitted on half A and judged on half B. The linear probe's penalty is chosen once, on all units of half A, and
kept; see `unitscope.rankings.crossed` for what is compared and why (Antverg and Belinkov 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from unitscope.errors import ProbeError, RankingError
from unitscope.probes.case import case_of
from unitscope.probes.kinds import GaussianKind, Kind, LinearKind
from unitscope.probes.settings import ProbeSettings
from unitscope.probes.sides import Side
from unitscope.rankings.base import Ranking
from unitscope.rankings.crossed import Crossed, Probe, crossed

if TYPE_CHECKING:
    from unitscope.atlas import Atlas
    from unitscope.corpora.base import Corpus
    from unitscope.models.base import Model

Tick = Callable[[str, int, int], None]


def cross_probes(
    atlas: Atlas,
    concepts: str,
    rankings: Mapping[str, Ranking],
    ks: Sequence[int],
    *,
    layers: Sequence[str] = (),
    draws: int = 5,
    seed: int = 0,
    model: str | Model | None = None,
    corpus: str | Corpus | None = None,
    tick: Tick = lambda what, done, total: None,
) -> Crossed:
    """Held-out accuracy of linear and Gaussian probes of `concepts` on the first k units of each ranking.

    Raises ProbeError where a number is asked for or no probe can be fitted, RankingError where rankings have too few
    units in common.
    """
    settings = ProbeSettings(concepts, tuple(layers), seed=seed, curves=False, control=False, untrained=False)
    case = case_of(atlas, settings, model, corpus, tick)
    if case.is_number:
        raise ProbeError(f"'{concepts}' is a number.", expected="classes, whose accuracy can be compared")
    train, held, reading = case.read("trained", tick)
    addresses = [case.activations[0].addresses[column] for column in reading.columns]
    known = {address: i for i, address in enumerate(addresses)}
    within = {name: ranking.restricted(addresses) for name, ranking in rankings.items()}
    least = min((len(ranking) for ranking in within.values()), default=0)
    if ks and max(ks) > least > 0:
        short = next(name for name, ranking in within.items() if len(ranking) == least)
        raise RankingError(
            f"Got {max(ks)} units, and the ranking '{short}' has {least} here.",
            expected=f"at most {least}",
            fix="Ask for fewer units, or name the rankings with --name.",
        )
    tick("choosing a penalty", 0, 1)
    linear, _ = LinearKind(settings).ready(train)
    total = 2 * len(ks) * (2 * len(within) + draws)
    done = 0

    def probe_of(kind: Kind) -> Probe:
        def accuracy(units: Sequence[str]) -> float:
            nonlocal done
            tick("fitting probes", done, total)
            done += 1
            return _accuracy(kind, train, held, np.array([known[unit] for unit in units], np.int64))

        return accuracy

    probes = {"linear": probe_of(linear), "gaussian": probe_of(GaussianKind(settings))}
    return crossed(probes, within, ks, draws=draws, seed=seed)


def _accuracy(kind: Kind, train: Side, held: Side, columns: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Share of held-out sites that a probe of these units gets right."""
    said = kind.fit_all(train.of_units(columns)).predict(held.of_units(columns).values)
    return float((np.asarray(said) == held.truth).mean())
