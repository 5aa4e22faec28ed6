from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unitscope.arrays import from_keys, to_keys
from unitscope.atlas import Atlas
from unitscope.stats.view import Columns, View
from unitscope.study.density import N_BINS, counts


def view(values: np.ndarray) -> View:
    return View(to_keys(values.astype(np.float16)), Columns.from_masks(np.zeros((values.shape[1], 0), np.bool_)))


def naive(row: np.ndarray) -> list[int]:
    """One value at a time; a value on an edge is in the upper bin, the greatest in the last."""
    low, high = float(row.min()), float(row.max())
    found = [0] * N_BINS
    edges = [low + (high - low) * i / N_BINS for i in range(1, N_BINS)]
    for value in row.astype(float):
        found[sum(edge <= value for edge in edges) if high > low else N_BINS - 1] += 1
    return found


@given(st.integers(1, 60), st.integers(0, 2**31), st.sampled_from([1.0, 1e-3, 300.0]))
def test_bins_count_values_as_a_plain_loop_does(n: int, seed: int, scale: float) -> None:
    draw = np.random.default_rng(seed)
    values = np.concatenate([draw.normal(0, scale, (3, n)), np.round(draw.normal(0, 2, (3, n)))])
    shown = view(values)
    seen = from_keys(shown.keys)
    assert counts(shown).tolist() == [naive(row) for row in seen]


def test_constant_units_and_no_sites_are_defined() -> None:
    assert counts(view(np.full((1, 5), 2.0))).sum() == 5
    assert counts(view(np.zeros((2, 0)))).tolist() == [[0] * N_BINS] * 2


def test_an_atlas_has_a_histogram_of_every_unit_that_varies(tiny_atlas: Path) -> None:
    atlas = Atlas.open(tiny_atlas)
    rows = atlas.sql("select * from density order by layer, unit")
    units = atlas.sql("select * from units where status in ('live', 'dead') order by layer, unit")
    assert [(row["layer"], row["unit"]) for row in rows] == [(row["layer"], row["unit"]) for row in units]
    for row, unit in zip(rows, units, strict=True):
        sites = atlas.manifest["grids"]["source"]["sites"] - atlas.manifest["grids"]["source"]["sites_without_position"]
        assert sum(row["counts"]) == sites
        assert len(row["counts"]) == N_BINS
        assert (row["low"], row["high"]) == (unit["least"], unit["greatest"])
        assert row["counts"][-1] > 0
