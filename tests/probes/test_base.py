"""What goes into a probe: blocks, labels of a concept table, groups held out whole."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.concepts.table import ConceptTable
from unitscope.errors import ConceptError, ProbeError
from unitscope.probes.base import ArrayMatrix, Labels, Matrix, Subset, Targets, folds, hold_out

VALUES = np.arange(35.0).reshape(7, 5).astype(np.float32)


def table() -> ConceptTable:
    """Two classes of `upos` over 5 sites, one site known to have neither, one unknown; `tag` overlaps itself."""
    return ConceptTable(
        names=("upos:A", "upos:B", "tag:x", "tag:y"),
        categories=("upos", "upos", "tag", "tag"),
        indptr=np.array([0, 2, 3, 5, 7]),
        sites=np.array([0, 3, 1, 0, 1, 1, 2], np.int32),
        n_sites=5,
        known=MappingProxyType({"upos": np.array([1, 1, 1, 1, 0], np.bool_)}),
    )


def gathered(matrix: Matrix, columns: object = None) -> np.ndarray:
    values = [values for _, values in matrix.blocks(columns)]
    rows = [rows for rows, _ in matrix.blocks(columns)]
    assert [r.start for r in rows] == [0, *(r.stop for r in rows[:-1])]
    assert rows[-1].stop == matrix.n_sites
    return np.concatenate(values)


@pytest.mark.parametrize("rows", [1, 3, 7, 100])
def test_blocks_of_an_array_are_its_rows(rows: int) -> None:
    matrix = ArrayMatrix(VALUES, rows)
    assert isinstance(matrix, Matrix)
    np.testing.assert_array_equal(gathered(matrix), VALUES)
    np.testing.assert_array_equal(gathered(matrix, np.array([3, 1])), VALUES[:, [3, 1]])
    np.testing.assert_array_equal(gathered(matrix, slice(2, 4)), VALUES[:, 2:4])


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_a_subset_has_the_kept_sites_and_units(rows: int) -> None:
    keep = np.array([0, 1, 0, 0, 0, 1, 1], np.bool_)
    subset = Subset(ArrayMatrix(VALUES, rows), keep, np.array([4, 0, 2]))
    assert (subset.n_sites, subset.n_units) == (3, 3)
    np.testing.assert_array_equal(gathered(subset), VALUES[keep][:, [4, 0, 2]])
    np.testing.assert_array_equal(gathered(subset, np.array([1])), VALUES[keep][:, [0]])


def test_masks_and_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ProbeError, match=r"Got a bool mask of shape \(3,\). Expected: bool \[7\]"):
        Subset(ArrayMatrix(VALUES), np.ones(3, np.bool_))
    with pytest.raises(ProbeError, match=r"Got float64 values of shape \(3,\). Expected: numbers \[sites, units\]"):
        ArrayMatrix(np.zeros(3))


def test_classes_of_a_category() -> None:
    labels = Labels.of_category(table(), "upos")
    assert labels.names == ("upos:A", "upos:B")
    assert labels.of_site.tolist() == [0, 1, -1, 0, -1]
    assert labels.counts().tolist() == [2, 1]
    assert labels.select_sites(np.array([1, 0, 1, 1, 1], np.bool_)).absent() == ("upos:B",)


def test_overlapping_and_unknown_categories_are_refused() -> None:
    with pytest.raises(ProbeError, match="'tag:x' and 'tag:y' hold together at 1 site"):
        Labels.of_category(table(), "tag")
    with pytest.raises(
        ConceptError, match=r"No concept of category 'upso' here. Expected: one of tag, upos. Closest: 'upos'"
    ):
        Labels.of_category(table(), "upso")


def test_one_concept_is_two_classes_where_its_category_is_known() -> None:
    labels = Labels.of_concept(table(), "upos:A")
    assert labels.names == ("not upos:A", "upos:A")
    assert labels.of_site.tolist() == [1, 0, 0, 1, -1]
    assert Labels.of_concept(table(), "tag:y").of_site.tolist() == [0, 1, 1, 0, 0]
    with pytest.raises(ConceptError, match="No concept 'upos:C' here"):
        Labels.of_concept(table(), "upos:C")


def test_labels_and_targets_out_of_range_are_refused() -> None:
    with pytest.raises(ProbeError, match="Got labels from 0 to 2 for 2 classes"):
        Labels(("a", "b"), np.array([0, 2], np.int32))
    with pytest.raises(ProbeError, match="1 infinite value"):
        Targets("length", np.array([1.0, np.inf]))
    assert Targets("length", np.array([1.0, np.nan])).labelled.tolist() == [True, False]


@given(st.lists(st.integers(0, 6), min_size=2, max_size=60), st.floats(0.05, 0.95), st.integers(0, 5))
def test_groups_are_held_out_whole(group: list[int], share: float, seed: int) -> None:
    of_site = np.array(group)
    if len(set(group)) < 2:
        with pytest.raises(ProbeError, match="1 group"):
            hold_out(of_site, share, seed)
        return
    held = hold_out(of_site, share, seed)
    assert held.any()
    assert not held.all()
    assert not set(of_site[held]) & set(of_site[~held])
    largest = np.bincount(of_site).max()
    assert abs(held.sum() - share * len(group)) <= largest


@given(st.lists(st.integers(0, 9), min_size=4, max_size=80), st.integers(2, 4), st.integers(0, 5))
def test_folds_keep_groups_whole_and_are_all_used(group: list[int], n_folds: int, seed: int) -> None:
    of_site = np.array(group)
    if len(set(group)) < n_folds:
        with pytest.raises(ProbeError, match=f"Got {n_folds} folds"):
            folds(of_site, n_folds, seed)
        return
    fold = folds(of_site, n_folds, seed)
    assert set(fold) == set(range(n_folds))
    for name in set(group):
        assert len(set(fold[of_site == name])) == 1
