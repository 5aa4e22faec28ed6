"""The penalty is chosen within the training groups, and what was done is told."""

from __future__ import annotations

import numpy as np
import pytest

from unitscope.errors import ProbeError
from unitscope.probes.base import ArrayMatrix, Labels, Targets, hold_out
from unitscope.probes.choose import choose
from unitscope.probes.linear import fit
from unitscope.probes.penalty import Penalty, path

N = 400


def data(seed: int = 0, n_units: int = 60) -> tuple[np.ndarray, Labels, np.ndarray]:
    """Three of many units tell three classes apart, with noise; 20 groups."""
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(N, n_units)).astype(np.float32)
    classes = (values[:, :3] + draw.gumbel(size=(N, 3)) * 0.7).argmax(1).astype(np.int32)
    return values, Labels(("a", "b", "c"), classes), np.arange(N) // 20


@pytest.mark.parametrize("solver", ["fast", "exact"])
def test_the_middle_of_a_path_is_chosen_and_does_better_than_its_ends(solver: str) -> None:
    values, labels, group = data()
    penalties = path((1.0, 0.1, 0.03, 0.01, 1e-3, 1e-5), mix=0.5)
    choice = choose(ArrayMatrix(values), labels, group, penalties, solver=solver, tolerance=1e-4)  # type: ignore[arg-type]
    assert choice.penalty in penalties[1:4]
    assert not choice.at_end
    assert [each.penalty for each in choice.tried] == list(penalties[: len(choice.tried)])
    # A path that only gets worse is not walked to its end.
    assert len(choice.tried) < len(penalties)
    assert min(each.excess for each in choice.tried) == 0
    assert choice.held_out_sites == 80
    assert choice.held_out_groups == 4
    new, new_labels, _ = data(1)
    alone = fit(ArrayMatrix(values), labels, penalties[-1], solver="exact", tolerance=1e-3)
    assert choice.probe.accuracy(new, new_labels) > alone.accuracy(new, new_labels)


def test_the_probe_is_fitted_to_all_training_sites_as_if_alone() -> None:
    values, labels, group = data()
    choice = choose(ArrayMatrix(values), labels, group, path((0.1, 0.03)), solver="exact")
    alone = fit(ArrayMatrix(values), labels, choice.penalty, solver="exact")
    assert choice.probe.fit.n_sites == N
    np.testing.assert_allclose(choice.probe.weights, alone.weights, atol=1e-5)


def test_the_strongest_penalty_within_one_error_of_the_best_is_taken() -> None:
    values, labels, group = data()
    choice = choose(ArrayMatrix(values), labels, group, path((0.1, 0.03, 0.028, 0.026), mix=0.5), solver="exact")
    taken = next(each for each in choice.tried if each.penalty == choice.penalty)
    stronger = [each for each in choice.tried if each.penalty.strength > choice.penalty.strength]
    assert taken.excess <= taken.error or taken.excess == 0
    assert all(each.excess > each.error for each in stronger)


def test_held_out_figures_are_those_of_a_probe_fitted_to_the_rest() -> None:
    values, labels, group = data()
    choice = choose(ArrayMatrix(values), labels, group, [Penalty(0.0, 0.05)], solver="exact", tolerance=1e-8, seed=3)
    held = hold_out(group, 0.2, 3)
    rest = fit(ArrayMatrix(values), labels, Penalty(0.0, 0.05), keep=~held, solver="exact", tolerance=1e-8)
    score = rest.score(values[held], labels.select_sites(held))
    # Means and scales are those of all training sites, so that figures agree but for them.
    assert choice.tried[0].loss == pytest.approx(score.loss, abs=0.01)
    assert choice.tried[0].accuracy == pytest.approx(score.accuracy, abs=0.03)
    assert choice.at_end is False


def test_the_same_seed_chooses_the_same_bytes() -> None:
    values, labels, group = data()
    first, second = (choose(ArrayMatrix(values), labels, group, path((0.1, 0.01)), seed=5) for _ in range(2))
    assert first.probe.weights.tobytes() == second.probe.weights.tobytes()
    assert first.tried == second.tried


def test_a_regression_chooses_too() -> None:
    values, _, group = data()
    targets = Targets("t", values[:, 0] * 2.0 + np.random.default_rng(0).normal(size=N))
    choice = choose(ArrayMatrix(values), targets, group, path((1.0, 0.1, 0.01), mix=0.5))
    assert np.isnan(choice.tried[0].accuracy)
    assert choice.probe.r2(values, targets) > 0.6


def test_a_class_of_one_group_alone_is_told_or_refused() -> None:
    values, labels, group = data()
    held = hold_out(group, 0.2, 0)
    lonely = int(group[held][0])
    of_site = np.where(labels.of_site == 2, 0, labels.of_site)
    of_site[group == lonely] = 2
    choice = choose(ArrayMatrix(values), Labels(labels.names, of_site), group, path((0.1, 0.03)))
    assert choice.missing == ("c",)
    assert choice.probe.fit.absent == ()
    with pytest.raises(ProbeError, match="With some groups held out, one class alone is left"):
        choose(ArrayMatrix(values), Labels(labels.names, (group == lonely).astype(np.int32)), group)


def test_parts_that_do_not_fit_are_refused() -> None:
    values, labels, group = data()
    with pytest.raises(ProbeError, match="Got no penalties"):
        choose(ArrayMatrix(values), labels, group, [])
    with pytest.raises(ProbeError, match=r"Got groups of 10 site\(s\) for 400"):
        choose(ArrayMatrix(values), labels, group[:10])
    with pytest.raises(ProbeError, match=r"Got 1 group\(s\) of sites"):
        choose(ArrayMatrix(values), labels, np.zeros(N, int))
