"""Sites of clips beside plain loops over the same values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unitscope.arrays import from_keys, key_table, to_keys
from unitscope.models.base import Layer
from unitscope.stats.view import View
from unitscope.study import clipsites
from unitscope.study.clipsites import BANDS, KINDS, N_EXTREME, N_OTHER_END, SIZES, Clipping, clip_sites, window_of
from unitscope.study.frame import Frame

USABLE = [unit for unit in range(12) if unit not in (8, 10)]
TESTED = np.array([0, 0, 1, 4, 5, 6, 0, 1, -1, -1, -1, 4], np.int32)
SIGN = np.array([1, -1, 1, 1, 1, -1, 1, -1, 0, 0, 0, 1], np.int8)


@pytest.fixture(scope="module")
def keys(grid: Any) -> Any:
    values = np.nan_to_num(grid.values[grid.valid] / np.array([1] * 7 + [1e6] + [1] * 4)).astype(np.float16)
    return to_keys(values.T)


def sites_of(frame: Frame, keys: Any, **changes: Any) -> Any:
    options = {"seed": 5, **changes}
    usable = np.isin(np.arange(len(keys)), USABLE)
    view = View(keys, frame.columns)
    return clip_sites(frame.places, view, frame.columns, TESTED, SIGN, usable, Clipping(**options))


@pytest.fixture(scope="module")
def found(frame: Frame, keys: Any) -> Any:
    return sites_of(frame, keys)


def of_kind(found: Any, kind: str, unit: int) -> list[int]:
    start = sum(SIZES[: KINDS.index(kind)])
    return [s for s in found["clip.sites"][unit, start : start + SIZES[KINDS.index(kind)]].tolist() if s >= 0]


@pytest.mark.parametrize(("kind", "sign"), [("top", -1), ("low", 1)])
def test_extremes_are_those_of_the_most_extreme_items(
    kind: str, sign: int, found: Any, frame: Frame, keys: Any
) -> None:
    for unit in USABLE:
        best: dict[int, tuple[float, int]] = {}
        for site, (item, value) in enumerate(zip(frame.sites.item.tolist(), from_keys(keys[unit]).tolist())):
            best[item] = min(best.get(item, (np.inf, 0)), (sign * value, site))
        n = N_EXTREME if (SIGN[unit] < 0) == (kind == "low") else N_OTHER_END
        assert of_kind(found, kind, unit) == [site for _, site in sorted(best.values())[:n]]


def test_items_repeat_where_there_are_fewer_of_them_than_clips(frame: Frame, keys: Any) -> None:
    few = clipsites.Places(
        np.zeros(frame.n_sites, np.int32),
        np.array([0, frame.n_sites]),
        frame.places.position,
        frame.places.length,
        frame.places.order,
        frame.places.half_b,
    )
    view = View(keys, frame.columns)
    got = clip_sites(few, view, frame.columns, TESTED, SIGN, np.ones(12, np.bool_), Clipping(5))
    values = from_keys(keys[0])
    assert of_kind(got, "top", 0) == sorted(range(len(values)), key=lambda s: (-values[s], s))[:N_EXTREME]
    assert len(of_kind(got, "random", 0)) == 1


def test_bands_hold_sites_between_their_quantiles(found: Any, frame: Frame, keys: Any) -> None:
    for unit in (u for u in USABLE if TESTED[u] >= 0):
        values = from_keys(keys[unit]) * SIGN[unit]
        ordered = np.sort(values)
        sites = of_kind(found, "band", unit)
        assert len(sites) == 8, "every band of a value without ties has sites"
        assert len(set(frame.sites.item[sites].tolist())) == 8
        for band, (low, high) in enumerate(BANDS):
            here = values[sites[band * 2 : band * 2 + 2]]
            below, above = (ordered[int(share * (len(values) - 1))] for share in (low, high))
            assert ((here > below) | ((low == 0) & (here == below))).all()
            assert (here <= above).all()
            assert here.tolist() == sorted(here.tolist(), reverse=True)


def test_a_band_of_ties_is_empty(frame: Frame) -> None:
    values = np.zeros((12, frame.n_sites), np.float16)
    values[:, : frame.n_sites // 20] = np.arange(1, frame.n_sites // 20 + 1)
    got = sites_of(frame, to_keys(values))
    assert len(of_kind(got, "band", 0)) == 6, "no value lies between the quantiles .5 and .9, both 0"


def test_missed_sites_have_the_concept_on_half_b_and_leave_the_unit_at_its_median(
    found: Any, frame: Frame, keys: Any
) -> None:
    for unit in (u for u in USABLE if TESTED[u] >= 0):
        values = from_keys(keys[unit]) * SIGN[unit]
        median = np.sort(values)[int(0.5 * (len(values) - 1))]
        concept = set(frame.columns.of(int(TESTED[unit])).tolist())
        possible = {s for s in concept if frame.halves.b[s] and values[s] <= median}
        sites = of_kind(found, "missed", unit)
        assert set(sites) <= possible
        items = {int(frame.sites.item[s]) for s in possible}
        assert len({int(frame.sites.item[s]) for s in sites}) == len(sites) == min(5, len(items))
        assert values[sites].tolist() == sorted(values[sites].tolist())


def test_only_tested_units_have_drawn_clips_and_only_usable_ones_have_any(found: Any) -> None:
    for unit in range(12):
        sites = found["clip.sites"][unit]
        if unit not in USABLE:
            assert (sites == -1).all()
        assert (of_kind(found, "random", unit) != []) == (TESTED[unit] >= 0)


def test_draws_depend_on_the_seed_and_the_unit_but_not_on_the_chunk(found: Any, frame: Frame, keys: Any) -> None:
    other = sites_of(frame, keys, seed=6)
    assert of_kind(other, "top", 0) == of_kind(found, "top", 0)
    assert of_kind(other, "random", 0) != of_kind(found, "random", 0)
    assert of_kind(found, "random", 0) != of_kind(found, "random", 1)
    view = View(keys[3:], frame.columns)
    usable = np.isin(np.arange(3, 12), USABLE)
    part = clip_sites(frame.places, view, frame.columns, TESTED[3:], SIGN[3:], usable, Clipping(5, 3))
    np.testing.assert_array_equal(part["clip.sites"], found["clip.sites"][3:])
    np.testing.assert_array_equal(part["clip.keys"], found["clip.keys"][-len(part["clip.keys"]) :])


def test_random_sites_are_drawn_evenly(frame: Frame) -> None:
    """Of many units' draws, each third of the sites has a third."""
    draws = np.random.default_rng(2).integers(0, 60_000, (3000, frame.n_sites)).astype(np.uint16) + 0x0400
    n, blank = len(draws), np.zeros(len(draws), np.int32)
    got = clip_sites(
        frame.places, View(draws, frame.columns), frame.columns, blank, np.ones(n, np.int8), blank == 0, Clipping(9)
    )
    sites = np.concatenate([of_kind(got, "random", unit) for unit in range(n)])
    shares = np.histogram(sites, bins=3, range=(0, frame.n_sites))[0] / len(sites)
    assert np.abs(shares - 1 / 3).max() < 0.02


@pytest.mark.parametrize("window", [0, 3, 60])
def test_keys_around_a_site_are_the_units_at_its_item(window: int, frame: Frame, keys: Any) -> None:
    got = sites_of(frame, keys, window=window)
    flat, at = key_table()[got["clip.keys"]], 0
    place_of = {
        (int(item), int(position)): site
        for site, (item, position) in enumerate(zip(frame.sites.item, frame.sites.position))
    }
    for unit, row in enumerate(got["clip.sites"].tolist()):
        for site in (s for s in row if s >= 0):
            item, position = int(frame.sites.item[site]), frame.sites.position[site : site + 1]
            first, shown = (int(part[0]) for part in window_of(position, frame.sites.length[site : site + 1], window))
            assert first <= position[0] < first + shown
            assert shown == (window and min(window, frame.sites.length[site])) or shown == frame.sites.length[site]
            for place in range(first, first + shown):
                there = place_of.get((item, place))
                expected = np.nan if there is None else from_keys(keys[unit])[there]
                np.testing.assert_equal(flat[at + place - first], np.float32(expected))
            at += shown
    assert at == len(flat)


def test_layers_and_seeds_draw_apart_and_images_are_shown_whole() -> None:
    text, image = Layer("a", 4, "source"), Layer("a", 4, "image")
    assert Clipping.of(1, text).seed != Clipping.of(2, text).seed
    assert Clipping.of(1, text).seed != Clipping.of(1, Layer("b", 4, "source")).seed
    assert (Clipping.of(1, text).window, Clipping.of(1, image).window) == (clipsites.WINDOW, 0)
