"""The online code against one written out, and where its length is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.errors import ProbeError
from unitscope.probes.base import ArrayMatrix, Labels, Matrix
from unitscope.probes.description import TIMESTEPS, Fit, beside_control, gaussian, linear, online_code, portions
from unitscope.probes.gaussian import fit_gaussian
from unitscope.probes.linear import fit
from unitscope.probes.penalty import Penalty

STEPS = (0.1, 0.3, 1.0)


def data(seed: int, n_sites: int = 240, noise: float = 0.5) -> tuple[ArrayMatrix, Labels, np.ndarray]:
    """Three classes at the corners of a triangle; groups of 6 sites."""
    rng = np.random.default_rng(seed)
    of_site = rng.integers(0, 3, n_sites).astype(np.int32)
    values = np.eye(3)[of_site] * 2 + rng.normal(size=(n_sites, 3)) * noise
    return ArrayMatrix(values.astype(np.float32), rows=50), Labels(("a", "b", "c"), of_site), np.arange(n_sites) // 6


def constant(shares: list[float]) -> Fit:
    """A probe that says the same everywhere."""
    return lambda matrix, labels, seed: lambda of: np.tile(shares, (of.n_sites, 1))


def test_length_is_that_written_out() -> None:
    matrix, labels, group = data(0)
    found = online_code(matrix, labels, group, gaussian(np.arange(3)), timesteps=STEPS, seed=4)
    portion = portions(group, labels.labelled, STEPS, 4)
    bits = [(portion == 0).sum() * np.log2(3)]
    for number in (1, 2):
        before, now = portion < number, portion == number
        probe = fit_gaussian(ArrayMatrix(matrix.values[before]), labels.select_sites(before), np.arange(3))
        own = probe.posterior(matrix.values[now])[np.arange(now.sum()), labels.of_site[now]]
        bits.append(-np.log2((own * before.sum() + 1) / (before.sum() + 3)).sum())
    assert [part.bits for part in found.portions] == pytest.approx(bits)
    assert found.bits == pytest.approx(sum(bits))
    assert found.uniform_bits == pytest.approx(240 * np.log2(3))
    assert found.compression == pytest.approx(240 * np.log2(3) / sum(bits))
    assert [part.n_before for part in found.portions] == [0, (portion == 0).sum(), (portion < 2).sum()]
    assert found.n_sites == 240


def test_a_probe_that_knows_nothing_costs_the_uniform_code() -> None:
    matrix, labels, group = data(1)
    found = online_code(matrix, labels, group, constant([1 / 3] * 3))
    assert found.bits == pytest.approx(found.uniform_bits)
    assert found.compression == pytest.approx(1)


def test_a_probe_that_is_sure_and_wrong_costs_a_bounded_number_of_bits() -> None:
    matrix, labels, group = data(2)
    found = online_code(matrix, labels, group, constant([0.0, 0.0, 0.0]))
    for part in found.portions[1:]:
        assert part.bits == pytest.approx(part.n_sites * np.log2(part.n_before + 3))


def test_what_is_easier_to_learn_is_shorter() -> None:
    lengths = [
        online_code(*data(3, noise=noise), gaussian(np.arange(3)), timesteps=STEPS).bits for noise in (0.2, 0.7, 2.0)
    ]
    assert lengths == sorted(lengths)
    assert lengths[0] < 0.3 * lengths[2]


def test_the_control_task_takes_longer() -> None:
    rng = np.random.default_rng(4)
    matrix, labels, group = data(4)
    # Words of one class each, many: by heart there is little to learn from values.
    form = labels.of_site * 40 + rng.integers(0, 40, labels.n_sites)
    found = beside_control(matrix, labels, group, form, gaussian(np.arange(3)), timesteps=STEPS, seed=1)
    assert found.task.bits < 0.5 * found.control.bits
    assert found.task == online_code(matrix, labels, group, gaussian(np.arange(3)), timesteps=STEPS, seed=1)
    assert [p.n_sites for p in found.task.portions] == [p.n_sites for p in found.control.portions]


@given(st.integers(0, 1000), st.lists(st.integers(0, 30), min_size=2, max_size=200), st.data())
def test_portions_are_whole_groups_and_all_labelled_sites(seed: int, group: list[int], draw: st.DataObject) -> None:
    of = np.array(group)
    labelled = np.array(draw.draw(st.lists(st.booleans(), min_size=len(of), max_size=len(of))))
    if len(np.unique(of[labelled])) < 2:
        return
    found = portions(of, labelled, TIMESTEPS, seed)
    np.testing.assert_array_equal(found >= 0, labelled)
    used = np.unique(found[labelled])
    np.testing.assert_array_equal(used, np.arange(len(used)))
    assert len(used) >= 2
    for name in np.unique(of[labelled]):
        assert len(np.unique(found[(of == name) & labelled])) == 1
    np.testing.assert_array_equal(found, portions(of, labelled, TIMESTEPS, seed))


def test_portions_grow_as_asked_and_their_order_is_the_seed_s() -> None:
    group = np.arange(4000) // 4
    found = np.bincount(portions(group, np.ones(4000, np.bool_), TIMESTEPS, 0)).cumsum() / 4000
    np.testing.assert_allclose(found, TIMESTEPS, atol=0.001)
    assert (
        portions(group, np.ones(4000, np.bool_), TIMESTEPS, 1) != portions(group, np.ones(4000, np.bool_), TIMESTEPS, 0)
    ).any()


def test_a_class_that_comes_late_and_sites_without_a_label() -> None:
    matrix, labels, group = data(5)
    of_site = labels.of_site.copy()
    late = portions(group, labels.labelled, STEPS, 0) == 2
    # Before the last portion there is one class alone: nothing can be fitted.
    of_site[~late] = 0
    of_site[:5] = -1
    found = online_code(matrix, Labels(labels.names, of_site), group, gaussian(np.arange(3)), timesteps=STEPS)
    assert np.isfinite(found.bits)
    assert found.n_sites == 235
    # What is surely of the one class costs next to nothing.
    assert found.portions[1].bits < 0.15 * found.portions[1].n_sites


def test_errors_say_what_is_wrong() -> None:
    matrix, labels, group = data(6)
    probe = gaussian(np.arange(3))
    with pytest.raises(ProbeError, match=r"Got 1 class\(es\) with a site"):
        online_code(matrix, Labels(labels.names, np.zeros(240, np.int32)), group, probe)
    with pytest.raises(ProbeError, match=r"Got 1 group\(s\) of labelled sites"):
        online_code(matrix, labels, np.zeros(240, np.int32), probe)
    with pytest.raises(ProbeError, match="Got groups of 3 sites for 240 labels"):
        online_code(matrix, labels, np.arange(3), probe)
    for steps in ((0.5, 0.2, 1.0), (0.5,), (0.0, 1.0), ()):
        with pytest.raises(ProbeError, match="ascending shares above 0, the last 1"):
            online_code(matrix, labels, group, probe, timesteps=steps)


def read(matrix: Matrix) -> np.ndarray:
    return np.concatenate([values for _, values in matrix.blocks()])


def test_probes_see_only_what_was_sent() -> None:
    matrix, labels, group = data(7)
    seen: list[tuple[int, int]] = []

    def spy(of: Matrix, known: Labels, seed: int):
        values = {row.tobytes() for row in read(of)}
        assert len(values) == known.n_sites

        def probabilities(others: Matrix) -> np.ndarray:
            assert not values & {row.tobytes() for row in read(others)}
            seen.append((known.n_sites, others.n_sites))
            return np.full((others.n_sites, 3), 1 / 3)

        return probabilities

    found = online_code(matrix, labels, group, spy, timesteps=STEPS)
    assert seen == [(part.n_before, part.n_sites) for part in found.portions[1:]]


def test_linear_probes_code_by_their_softmax() -> None:
    matrix, labels, group = data(8)
    fitted = linear(Penalty(l2=1e-3))
    found = online_code(matrix, labels, group, fitted, timesteps=STEPS, seed=2)
    portion = portions(group, labels.labelled, STEPS, 2)
    before, now = portion < 1, portion == 1
    probe = fit(ArrayMatrix(matrix.values[before]), labels.select_sites(before), Penalty(l2=1e-3), seed=2)
    odds = np.exp(probe.scores(matrix.values[now]).astype(np.float64))
    own = (odds / odds.sum(1, keepdims=True))[np.arange(now.sum()), labels.of_site[now]]
    bits = -np.log2((own * before.sum() + 1) / (before.sum() + 3)).sum()
    assert found.portions[1].bits == pytest.approx(bits, rel=1e-4)
    assert found.compression > 2
    # A class without a site among those fitted to has no probability, not NaN.
    without = labels.of_site != 2
    probabilities = fitted(ArrayMatrix(matrix.values[without]), labels.select_sites(without), 0)(matrix)
    np.testing.assert_array_equal(probabilities[:, 2], 0)
    np.testing.assert_allclose(probabilities.sum(1), 1)
