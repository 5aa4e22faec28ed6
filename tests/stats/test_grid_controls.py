"""Controls of cells and items."""

import numpy as np

from unitscope.stats.grid_controls import controls_of


def test_cells_are_told_apart_by_appearance_and_ninth_of_the_image() -> None:
    position = np.tile(np.arange(36, dtype=np.int32), 2)
    controls = controls_of("image", np.repeat([0, 1], 36).astype(np.int32), position, np.full(72, 6, np.int32))
    rows, columns = position // 6, position % 6
    expected = (np.repeat([0, 1], 36) * 3 + rows // 2) * 3 + columns // 2
    assert controls.form_at_position.tolist() == expected.tolist()
    assert controls.position_bin.tolist() == rows.tolist()
    assert controls.columns.n_concepts == 10
    assert controls.columns.of(controls.n_position).tolist() == np.flatnonzero(columns == 1).tolist()
    half = controls.at(rows < 3)
    assert half.position_bin.tolist() == rows[rows < 3].tolist()


def test_items_have_no_form_and_lengths_as_strata() -> None:
    length = np.array([3, 5, 6, 30, 31, 100], np.int32)
    controls = controls_of("item", np.zeros(6, np.int32), np.zeros(6, np.int32), length)
    assert len(set(controls.form_stratum.tolist())) == 6
    assert controls.form_at_position.tolist() == [0, 0, 1, 2, 3, 4]
    assert controls.n_position == 0
