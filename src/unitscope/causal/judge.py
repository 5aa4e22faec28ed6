"""Is an attribution true to the network? Against what single units and sets of units really do when taken out.

- Rank correlation (Spearman) of mean attributions with the mean effects of taking out single units, over units drawn
  at random from the layer.
- Comprehensiveness: what the output loses when the units with the highest attributions of an item are set to zero;
  sufficiency: what it loses when only these are left; means over several shares of the layer's units (DeYoung et al.
  2020, eq. 3 and 4, with units in place of words). Beside both: random sets of the same sizes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from scipy.stats import t as student

from unitscope import edits
from unitscope.causal.ablation import Ablation
from unitscope.causal.feeding import batches, layers_of, network
from unitscope.causal.forward import frozen
from unitscope.causal.methods import Cost, Work
from unitscope.causal.path import origin_of
from unitscope.causal.targets import Target
from unitscope.causal.to_units import UnitAttribution, attribute_units
from unitscope.edits import Edit
from unitscope.errors import AttributionError
from unitscope.models.base import Model
from unitscope.sites import Item

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
N_RANDOM = 5
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Loss:
    """What the output loses, mean over items: by attribution, by random sets, and the difference with its interval.

    `by_share` [shares, 2] are means of both by share. NaN intervals for fewer than 10 items' groups.
    """

    attributed: float
    random: float
    difference: float
    low: float
    high: float
    by_share: Floats


@dataclass(frozen=True)
class Judgement:
    """How true the attribution of one layer is.

    `units` [n] were taken out one by one; `attribution` and `effect` [n] are means over items. `correlation` is
    Spearman's, with a 95 % interval by Fisher's z (variance 1.06 / (n - 3), Fieller et al. 1957); chance is 0.
    """

    layer: str
    units: NDArray[np.int64]
    attribution: Floats
    effect: Floats
    correlation: float
    low: float
    high: float
    comprehensiveness: Loss
    sufficiency: Loss


def judge(
    model: Model,
    items: Sequence[Item],
    found: UnitAttribution,
    target: Target,
    *,
    n_units: int = 64,
    shares: Sequence[float] = SHARES,
    batch_size: int = 32,
    seed: int = 0,
    means: UnitAttribution | None = None,
) -> list[Judgement]:
    """One judgement a layer of `found`, which was made of the same model, items and target.

    `means`, of other items, is what effects of single units are compared with in place of `found`: the judgement is
    held out then. Raises AttributionError where items or target are others, or two items have one id.
    """
    if tuple(item.id for item in items) != found.items or target.name != found.target:
        raise AttributionError(
            "The attribution is of other items or another target.", expected=f"'{found.target}' and its items"
        )
    if len(set(found.items)) < len(found.items):
        raise AttributionError("Two of the items have the same id.", expected="an id for each")
    draw = np.random.default_rng(seed)
    judgements = []
    for layer in found.layers:
        n = min(n_units, layer.width)
        units = np.sort(draw.choice(layer.width, n, replace=False)).astype(np.int64)
        effects = attribute_units(
            model,
            items,
            layers=[layer.address],
            target=target,
            method=Ablation({layer.address: units.tolist()}),
            batch_size=batch_size,
        )
        effect = effects.totals[layer.address][:, units].mean(axis=0)
        attribution = (means or found).mean(layer.address)[units]
        correlation = spearman(attribution, effect)
        low, high = _fisher(correlation, n)
        removed = _losses(model, items, found, target, layer.address, shares, batch_size, draw)
        judgements.append(
            Judgement(layer.address, units, attribution, effect, correlation, low, high, removed[0], removed[1])
        )
    return judgements


def spearman(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation; NaN where one side is constant.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0]))
    1.0
    """
    x, y = rankdata(a) - (len(a) + 1) / 2, rankdata(b) - (len(b) + 1) / 2
    size = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum()) / size if size else float("nan")


def _fisher(r: float, n: int) -> tuple[float, float]:
    if not np.isfinite(r) or n < 10:
        return float("nan"), float("nan")
    reach = 1.96 * np.sqrt(1.06 / (n - 3))
    centre = np.arctanh(np.clip(r, -0.999999, 0.999999))
    return float(np.tanh(centre - reach)), float(np.tanh(centre + reach))


def _losses(
    model: Model,
    items: Sequence[Item],
    found: UnitAttribution,
    target: Target,
    address: str,
    shares: Sequence[float],
    batch_size: int,
    draw: np.random.Generator,
) -> tuple[Loss, Loss]:
    """Comprehensiveness and sufficiency: losses [items, shares, sets] with the first set by attribution."""
    net = network(model)
    place = layers_of(net, [address])[0]
    width = place.layer.width
    counts = [max(1, round(share * width)) for share in shares]
    lost = np.zeros((2, len(items), len(counts), 1 + N_RANDOM))
    orders = [np.stack([draw.permutation(width) for _ in items]) for _ in range(N_RANDOM)]
    orders.insert(0, np.argsort(-found.totals[address], axis=1, kind="stable"))
    origin = origin_of(net)
    with frozen(net.module):
        for fed in batches(net, items, batch_size, Counter()):
            work = Work(net, fed, [place], origin, target, Cost())
            gone = [slice(0, n) for n in counts] + [slice(n, width) for n in counts]
            taken = [_zeroed(address, fed.items, order[fed.rows][:, part]) for part in gone for order in orders]
            losses = (work.plain() - work.under(taken)).double().cpu().numpy()
            lost[:, fed.rows] = losses.reshape(2, len(counts), len(orders), -1).transpose(0, 3, 1, 2)
    return _loss(lost[0], found.groups), _loss(lost[1], found.groups)


def _zeroed(address: str, items: Sequence[Item], units: NDArray[np.int64]) -> Edit:
    """Units of a layer [B, n] at zero in each item, at every position."""
    chosen = {item.id: own for item, own in zip(items, units, strict=True)}
    return edits.zero_each(address, chosen, where="everywhere", recurrence=False)


def _loss(lost: Floats, groups: Sequence[str]) -> Loss:
    mine, other = lost[..., 0], lost[..., 1:].mean(axis=2)
    apart = (mine - other).mean(axis=1)
    names = {name: at for at, name in enumerate(dict.fromkeys(groups))}
    n = len(names)
    reach = float("nan")
    if n >= 10:
        sums = np.zeros(n)
        np.add.at(sums, [names[name] for name in groups], apart - apart.mean())
        reach = float(student.ppf(0.975, n - 1) * np.sqrt((sums**2).sum() * n / (n - 1)) / len(apart))
    mean = float(apart.mean())
    by_share = np.stack([mine.mean(axis=0), other.mean(axis=0)], axis=1)
    return Loss(float(mine.mean()), float(other.mean()), mean, mean - reach, mean + reach, by_share)
