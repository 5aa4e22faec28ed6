"""Control tasks: one class a form, the shares asked for, the same in every split; selectivity with its interval."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.errors import ProbeError
from unitscope.probes import control
from unitscope.probes.base import Labels
from unitscope.probes.control import ControlTask, control_labels, measured_selectivity, selectivity

LABELS = Labels(("a", "b", "c", "never"), np.array([0, 0, 0, 1, 1, 2, -1], np.int32))


@given(st.lists(st.integers(-1, 2), min_size=4, max_size=40), st.integers(0, 99), st.data())
def test_one_class_a_form_whatever_else_is_there(of_site: list[int], seed: int, data: st.DataObject) -> None:
    labels = Labels(("a", "b", "c"), np.array([*of_site, 0, 1], np.int32))
    form = np.array(data.draw(st.lists(st.integers(0, 9), min_size=labels.n_sites, max_size=labels.n_sites)))
    task = ControlTask.of(labels, seed)
    found = task.labels(form, labels.labelled)
    np.testing.assert_array_equal(found.of_site == -1, labels.of_site == -1)
    for f in np.unique(form[labels.labelled]):
        assert set(found.of_site[(form == f) & labels.labelled].tolist()) == {task.class_of(int(f))}
    # Other forms, other order: the same classes.
    np.testing.assert_array_equal(task.labels(form[::-1][:3]).of_site, task.labels(form).of_site[::-1][:3])
    assert found.names == labels.names
    np.testing.assert_array_equal(control_labels(labels, form, seed).of_site, found.of_site)


def test_classes_are_drawn_by_their_shares_or_alike() -> None:
    forms = np.array([f"word{i}" for i in range(6000)])
    by_shares = np.bincount(ControlTask.of(LABELS, 1).labels(forms).of_site, minlength=4) / 6000
    alike = np.bincount(ControlTask.of(LABELS, 1, "uniform").labels(forms).of_site, minlength=4) / 6000
    # Three standard errors of a share are .02.
    np.testing.assert_allclose(by_shares, [3 / 6, 2 / 6, 1 / 6, 0], atol=0.02)
    np.testing.assert_allclose(alike, [1 / 3, 1 / 3, 1 / 3, 0], atol=0.02)
    assert by_shares[3] == alike[3] == 0


def test_another_seed_is_another_task() -> None:
    forms = np.arange(2000)
    first, second = (ControlTask.of(LABELS, seed).labels(forms).of_site for seed in (0, 1))
    agree = (first == second).mean()
    assert agree == pytest.approx(9 / 36 + 4 / 36 + 1 / 36, abs=0.04)


def test_selectivity_is_the_mean_difference_with_its_interval() -> None:
    task, other = [0.9, 0.92, 0.91, 0.9], [0.5, 0.6, 0.55, 0.45]
    found = selectivity(task, other)
    apart = np.array(task) - np.array(other)
    # Student's t with 3 degrees of freedom leaves 2.5 % beyond 3.1824.
    half = 3.1824463 * apart.std(ddof=1) / 2
    assert (found.value, found.low, found.high) == pytest.approx(
        (apart.mean(), apart.mean() - half, apart.mean() + half)
    )
    assert np.isnan([selectivity([0.9], [0.5]).low, selectivity([0.9], [0.5]).high]).all()


def test_a_probe_that_memorises_is_not_selective() -> None:
    rng = np.random.default_rng(0)
    form = rng.integers(0, 20, 600)
    labels = Labels(("a", "b"), (form % 2).astype(np.int32))

    def by_heart(train: Labels, test: Labels, seed: int) -> float:
        table = {f: train.of_site[form == f][0] for f in np.unique(form)}
        return float(np.mean([table[f] == own for f, own in zip(form, test.of_site, strict=True)]))

    found = measured_selectivity(by_heart, (labels, form), (labels, form), seeds=(0, 1, 2))
    assert found.task == found.control == (1.0, 1.0, 1.0)
    assert found.value == 0

    def of_values(train: Labels, test: Labels, seed: int) -> float:
        return float((form % 2 == test.of_site).mean())

    assert measured_selectivity(of_values, (labels, form), (labels, form), seeds=range(8)).value > 0.2


def test_errors_say_what_is_wrong() -> None:
    with pytest.raises(ProbeError, match=r"Got 1 class\(es\) with a site\. Expected: 2 or more"):
        ControlTask.of(Labels(("a", "b"), np.zeros(3, np.int32)), 0)
    with pytest.raises(ProbeError, match="Got classes drawn by 'size'"):
        ControlTask.of(LABELS, 0, "size")
    with pytest.raises(ProbeError, match="Got 2 word forms for 7 sites"):
        control_labels(LABELS, np.array([1, 2]), 0)
    with pytest.raises(ProbeError, match="accuracies of 2 and 1 seeds"):
        selectivity([0.5, 0.6], [0.5])


def test_examples() -> None:
    assert doctest.testmod(control).failed == 0
