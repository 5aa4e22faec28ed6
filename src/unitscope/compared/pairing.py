"""Which unit of B stands beside each unit of A: the one at the same address, or the one with the most alike profile.

Addresses mean something for a network and what was trained on from it. For two seeds they mean nothing: unit 7 of one
is any unit of the other. That is tested, not asked: where profiles at equal addresses are no more alike than those of
randomly paired units of the same layer, units are paired by profile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unitscope.compared.findings import Findings
from unitscope.compared.sides import Shared, Side
from unitscope.errors import PlanError
from unitscope.stats import profiles

LEVEL = 0.01
"""p up to which equal addresses are taken to mean something."""
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pairing:
    """Pairs of units, in A's order.

    `a` and `b` are what was found of each pair's units; `mirrored` says where B's unit is the mirror image, `likeness`
    is the cosine of the profiles (NaN where they are not known), `mutual` where each is the other's most alike, [N].
    `profile_a` and `profile_b` are the profiles [N, C]. `group` numbers A's layers. Of `DRAWS` random pairings:
    `random_kept` [D, N] where the first concept is the same, `random_likeness` [D, G] the median by layer.
    `unseen` and `random_unseen` [G] are the mean cosine over concepts that the partner was not chosen by.
    """

    match: str
    a: Findings
    b: Findings
    scores_a: NDArray[np.float32]
    scores_b: NDArray[np.float32]
    likeness: Floats
    mirrored: NDArray[np.bool_]
    mutual: NDArray[np.bool_]
    group: Ints
    layers: tuple[tuple[str, str | None], ...]
    random_kept: NDArray[np.bool_]
    random_likeness: Floats
    unseen: Floats
    random_unseen: Floats
    notes: tuple[str, ...]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Where both units' first concepts are the same, by the same end, [N]."""
        return same(self.a.code, self.b.code, self.mirrored)

    def overall(self, draws: int) -> dict[str, float]:
        """Share of units that kept their concept beside random pairings: mean, 95 % range, one-sided p."""
        n = max(len(self.group), 1)
        found, random = self.kept.sum() / n, self.random_kept.sum(axis=1) / n
        low, high = np.quantile(random, (0.025, 0.975)).tolist()
        p = float((1 + (random >= found).sum()) / (1 + draws))
        return {"kept": float(found), "random": float(random.mean()), "low": low, "high": high, "p": p}


def same(a: Ints, b: Ints, mirrored: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where codes of concept and direction agree; a mirrored unit tells it by its other end."""
    return np.asarray((a >= 0) & (b >= 0) & (a == np.where(mirrored, b ^ 1, b)))


@dataclass(frozen=True)
class _Material:
    """What pairs are made from: both sides' findings, profiles and raw scores (of no concepts where not known)."""

    a: Findings
    b: Findings
    scores: tuple[NDArray[np.float32], NDArray[np.float32]]
    profile: tuple[profiles.Profiles, profiles.Profiles]
    known: bool


def pair(a: Side, b: Side, shared: Shared, match: str, draws: int, rng: np.random.Generator) -> Pairing:
    """Pair the units of two sides. Raises PlanError where it cannot be done in the way that is asked for."""
    known = a.has_profiles and b.has_profiles
    scores = (_scores(a, shared, known), _scores(b, shared, known))
    both = tuple(profiles.profiles(each) for each in scores)
    data = _Material(Findings.of(a, shared), Findings.of(b, shared), scores, (both[0], both[1]), known)
    layers, why = same_layers(a, b)
    if match == "address" and not layers:
        raise PlanError(f"Units cannot be paired by address: {why}.", fix="Pair them by profile (--match profile).")
    if match != "profile" and layers:
        found = _by_address(a, b, layers, data, draws, rng)
        p = _p_of_address(found, data.known, draws)
        if match == "address" or p <= LEVEL or not known:
            return replace(found, notes=(*found.notes, *_told_address(found, a, b, why, p, data.known)))
        why = (
            "units at equal addresses are no more alike than units paired at random, as of two seeds, whose indices "
            "mean nothing"
        )
    if not known:
        side = "A" if not a.has_profiles else "B"
        raise PlanError(
            f"Units cannot be paired by profile: {side} keeps no scores of all concepts under AUROC.",
            expected="two networks mapped with the measure auroc; baselines keep none",
            fix="Map them with --measures auroc, or pair by address (--match address).",
        )
    found = _by_profile(a, b, shared, data, draws, rng)
    asked = "as asked for" if match == "profile" else f"as {why}"
    return replace(found, notes=(*found.notes, f"Units are paired by profile, {asked}."))


def same_layers(a: Side, b: Side) -> tuple[list[tuple[str, str]], str]:
    """Layers to compare unit by unit, and why some or all are not.

    Layers of equal address, width and sites; or one layer of each side, of equal width and sites.
    """
    common = [each for each in a.layers if each in b.layers]
    if not common and len(a.layers) == len(b.layers) == 1:
        common_pairs = [(a.layers[0], b.layers[0])]
    else:
        common_pairs = [(each, each) for each in common]
    fit = [
        (x, y)
        for x, y in common_pairs
        if a.described[x]["width"] == b.described[y]["width"] and a.sites_of(x) == b.sites_of(y)
    ]
    if not common_pairs:
        return [], "no layer has the same address on both sides"
    if len(fit) < len(common_pairs):
        x, y = next(each for each in common_pairs if each not in fit)
        return [], f"layer '{x}' has {a.described[x]['width']} units in A and {b.described[y]['width']} in B"
    left = len(a.layers) + len(b.layers) - 2 * len(fit)
    return fit, f"{left} layers have no counterpart of the same address and are left out" if left else ""


def _scores(side: Side, shared: Shared, known: bool) -> NDArray[np.float32]:
    """Unsplit AUROC [U, C] over the shared concepts; NaN for those of other sites, all NaN where none are kept."""
    parts = []
    for layer in side.layers:
        if not known:
            parts.append(np.full((side.described[layer]["width"], shared.n_concepts), np.nan, np.float32))
            continue
        here = set(shared.of_sites.get(side.sites_of(layer), ()))
        parts.append(side.scores(layer, [name if name in here else "" for name in shared.names]))
    return np.concatenate(parts)


def _starts(side: Side) -> dict[str, int]:
    widths = [side.described[layer]["width"] for layer in side.layers]
    return dict(zip(side.layers, np.concatenate([[0], np.cumsum(widths)]).tolist(), strict=False))


def _by_address(
    a: Side, b: Side, layers: list[tuple[str, str]], data: _Material, draws: int, rng: np.random.Generator
) -> Pairing:
    first, second = _starts(a), _starts(b)
    widths = [a.described[x]["width"] for x, _ in layers]
    at_a = np.concatenate([first[x] + np.arange(n) for (x, _), n in zip(layers, widths, strict=True)])
    at_b = np.concatenate([second[y] + np.arange(n) for (_, y), n in zip(layers, widths, strict=True)])
    edges = np.concatenate([[0], np.cumsum(widths)]).tolist()

    def shuffled() -> Ints:
        return np.concatenate([rng.permutation(at_b[i:j]) for i, j in pairwise(edges)])

    group = np.repeat(np.arange(len(layers)), widths)
    return _paired("address", data, at_a, at_b, group, tuple(layers), shuffled, draws)


def _by_profile(a: Side, b: Side, shared: Shared, data: _Material, draws: int, rng: np.random.Generator) -> Pairing:
    """Each unit of A with the most alike unit of B over the same kind of sites."""
    at_a, at_b, mutual, pools = [], [], [], []
    first, second = _indices(a), _indices(b)
    halves: list[tuple[Floats, Floats]] = []
    for sites in shared.of_sites:
        mine = np.concatenate([[], *(first[x] for x in a.layers if a.sites_of(x) == sites)]).astype(np.int64)
        pool = np.concatenate([[], *(second[y] for y in b.layers if b.sites_of(y) == sites)]).astype(np.int64)
        alike = profiles.nearest(data.profile[0][mine], data.profile[1][pool])
        there = alike.partner >= 0
        at_a.append(mine[there])
        at_b.append(pool[alike.partner[there]])
        mutual.append(alike.mutual[there])
        pools.append((int(there.sum()), pool))
        halves.append(_unseen(data.scores[0][mine[there]], data.scores[1][pool], rng))
    if not sum(map(len, at_a)):
        raise PlanError("No unit of A tells any shared concept.", fix="Map both with like --concepts.")

    def drawn() -> Ints:
        return np.concatenate([rng.choice(pool, n) for n, pool in pools if n])

    mine, others = np.concatenate(at_a), np.concatenate(at_b)
    number = {layer: at for at, layer in enumerate(a.layers)}
    group = np.array([number[layer] for layer in data.a.layer[mine]], np.int64)
    layers = tuple((layer, None) for layer in a.layers)
    found = _paired("profile", data, mine, others, group, layers, drawn, draws)
    seen, random = (np.concatenate([each[i] for each in halves]) for i in (0, 1))
    by_layer = [_means(each, group, len(layers)) for each in (seen, random)]
    notes = []
    silent = data.a.n_units - len(mine)
    if silent:
        notes.append(f"{silent} units of A tell no shared concept at all and are left out.")
    taken = len(np.unique(others))
    notes.append(f"{taken} of {data.b.n_units} units of B are the most alike of some unit of A.")
    return replace(
        found, mutual=np.concatenate(mutual), unseen=by_layer[0], random_unseen=by_layer[1], notes=tuple(notes)
    )


def _indices(side: Side) -> dict[str, Ints]:
    starts = _starts(side)
    return {layer: starts[layer] + np.arange(side.described[layer]["width"]) for layer in side.layers}


def _unseen(a: NDArray[np.float32], b: NDArray[np.float32], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Cosine with the unit most alike by one half of the concepts, over the other half; and with a random unit. [U]"""
    order = rng.permutation(a.shape[1])
    folds = order[::2], order[1::2]
    total, random = np.zeros(len(a)), np.zeros(len(a))
    if not len(a) or not len(b):
        return total, random
    for seen, other in (folds, folds[::-1]):
        known = [profiles.profiles(each[:, seen]) for each in (a, b)]
        asked = [profiles.profiles(each[:, other]) for each in (a, b)]
        chosen = profiles.nearest(known[0], known[1])
        partner = np.maximum(chosen.partner, 0)
        total += np.sign(chosen.cosine) * profiles.likeness(asked[0], asked[1][partner]) / 2
        drawn = rng.integers(0, len(b), len(a))
        sign = np.sign(profiles.likeness(known[0], known[1][drawn]))
        random += sign * profiles.likeness(asked[0], asked[1][drawn]) / 2
    return total, random


def _paired(
    match: str,
    data: _Material,
    at_a: Ints,
    at_b: Ints,
    group: Ints,
    layers: tuple[tuple[str, str | None], ...],
    draw: Callable[[], Ints],
    draws: int,
) -> Pairing:
    """Pairs with their likeness, and that of random pairings."""
    code_a, code_b = data.a.code, data.b.code

    def alike(other: Ints) -> tuple[Floats, NDArray[np.bool_]]:
        cosine = profiles.likeness(data.profile[0][at_a], data.profile[1][other])
        mirrored = (cosine < 0) & (match == "profile")
        return np.abs(cosine) if match == "profile" else cosine, mirrored

    likeness, mirrored = alike(at_b)
    random_kept = np.zeros((draws, len(at_a)), np.bool_)
    random_likeness = np.full((draws, len(layers)), np.nan)
    for number in range(draws):
        other = draw()
        found, turned = alike(other)
        random_kept[number] = same(code_a[at_a], code_b[other], turned)
        random_likeness[number] = _medians(found, group, len(layers))
    nothing = np.full(len(layers), np.nan)
    return Pairing(
        match,
        data.a.take(at_a),
        data.b.take(at_b),
        data.scores[0][at_a],
        data.scores[1][at_b],
        likeness if data.known else np.full(len(at_a), np.nan),
        mirrored,
        np.zeros(len(at_a), np.bool_),
        group,
        layers,
        random_kept,
        random_likeness if data.known else np.full_like(random_likeness, np.nan),
        nothing,
        nothing.copy(),
        (),
    )


def _medians(values: Floats, group: Ints, n: int) -> Floats:
    found = [values[group == each] for each in range(n)]
    return np.array([np.median(each) if len(each) else np.nan for each in found])


def _means(values: Floats, group: Ints, n: int) -> Floats:
    found = [values[group == each] for each in range(n)]
    return np.array([each.mean() if len(each) else np.nan for each in found])


def _p_of_address(found: Pairing, known: bool, draws: int) -> float:
    """p against addresses that mean nothing: likeness of profiles, or where there are none, concepts kept."""
    if not known:
        return found.overall(draws)["p"]
    real = np.nanmean(_medians(found.likeness, found.group, len(found.layers)))
    return float((1 + (np.nanmean(found.random_likeness, axis=1) >= real).sum()) / (1 + draws))


def _told_address(found: Pairing, a: Side, b: Side, why: str, p: float, known: bool) -> list[str]:
    told = [f"{why[0].upper()}{why[1:]}."] if why else []
    if p > LEVEL:
        asked = " Units can be paired by profile (--match profile)." if known else ""
        told.append(
            "Units at equal addresses agree no more than units paired at random: the two share indices, not units."
            f"{asked}"
        )
    if "rotation" in (a.variant, b.variant):
        told.append("A rotated basis has units of its own: equal addresses there mean nothing.")
    return told
