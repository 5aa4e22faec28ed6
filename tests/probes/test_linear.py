"""Linear probes beside scikit-learn, and the laws they keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge

from unitscope.errors import ProbeError
from unitscope.probes.base import ArrayMatrix, Labels, Targets
from unitscope.probes.linear import LinearProbe, fit
from unitscope.probes.penalty import Penalty, path

NAMES = ("a", "b", "c", "d")
N = 240


def classes(n_classes: int, seed: int = 0, n_units: int = 10) -> tuple[np.ndarray, Labels]:
    """Correlated units of uneven scales and offsets, and classes that hang on them with noise."""
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(N, n_units)) @ draw.normal(size=(n_units, n_units))
    values = values * draw.uniform(0.1, 9, n_units) + draw.normal(size=n_units) * 4
    standard = (values - values.mean(0)) / values.std(0)
    scores = standard[:, :3] @ draw.normal(size=(3, n_classes)) + draw.gumbel(size=(N, n_classes))
    return values.astype(np.float32), Labels(NAMES[:n_classes], scores.argmax(1).astype(np.int32))


def objective(probe: LinearProbe, values: np.ndarray, labels: Labels, penalty: Penalty) -> float:
    """The definition, in plain numpy."""
    standard = (values - probe.mean) / probe.scale
    scores = standard @ probe.weights.T.astype(float) + probe.bias
    log = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    loss = -log[np.arange(len(values)), labels.of_site].mean()
    return float(
        loss + penalty.l1 * np.abs(probe.weights).sum() + penalty.l2 * (probe.weights.astype(float) ** 2).sum()
    )


def reference(probe: LinearProbe, values: np.ndarray, labels: Labels, penalty: Penalty) -> np.ndarray:
    """Weights [C, U] of scikit-learn's saga; of one line, where there are two classes."""
    two = labels.n_classes == 2
    l2 = penalty.l2 / 2 if two else penalty.l2
    total = penalty.l1 + 2 * l2
    model = LogisticRegression(
        solver="saga", C=1 / (len(values) * total), l1_ratio=penalty.l1 / total, tol=1e-9, max_iter=20000
    )
    model.fit((values - probe.mean) / probe.scale, labels.of_site)
    return np.concatenate([-model.coef_, model.coef_]) / 2 if two else model.coef_


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("penalty", [Penalty(0.01, 0.02), Penalty(0.03, 0.0), Penalty(0.0, 0.03)], ids=str)
def test_the_exact_solver_agrees_with_saga(n_classes: int, penalty: Penalty) -> None:
    values, labels = classes(n_classes)
    probe = fit(ArrayMatrix(values), labels, penalty, solver="exact", tolerance=1e-7)
    assert probe.fit.converged
    weights = reference(probe, values, labels, penalty)
    np.testing.assert_allclose(probe.weights, weights, atol=2e-4)
    np.testing.assert_array_equal(probe.weights != 0, weights != 0)
    if penalty.l1:
        assert (weights == 0).any()
    assert probe.fit.objective == pytest.approx(objective(probe, values, labels, penalty), rel=1e-6)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("penalty", [Penalty(0.01, 0.02), Penalty(0.0, 0.03)], ids=str)
def test_the_fast_solver_has_the_same_minimum(n_classes: int, penalty: Penalty) -> None:
    values, labels = classes(n_classes, seed=1)
    exact = fit(ArrayMatrix(values), labels, penalty, solver="exact")
    fast = fit(ArrayMatrix(values), labels, penalty)
    found, least = (objective(each, values, labels, penalty) for each in (fast, exact))
    assert least * (1 - 1e-6) <= found <= least * (1 + 1e-4)
    np.testing.assert_array_equal(fast.weights != 0, exact.weights != 0)
    assert fast.fit.objective == pytest.approx(found, rel=0.02)


@pytest.mark.parametrize("solver", ["fast", "exact"])
@pytest.mark.parametrize("penalty", [Penalty(0.05, 0.02), Penalty(0.1, 0.0), Penalty(0.0, 0.2)], ids=str)
def test_regressions_agree_with_scikit_learn(solver: str, penalty: Penalty) -> None:
    values, _ = classes(2, seed=2)
    draw = np.random.default_rng(5)
    wanted = 30 + values[:, :4] @ draw.normal(size=4) + draw.normal(size=N)
    targets = Targets("length", wanted)
    probe = fit(ArrayMatrix(values), targets, penalty, solver=solver, tolerance=1e-8)  # type: ignore[arg-type]
    standard, y = (values - probe.mean) / probe.scale, (wanted - wanted.mean()) / wanted.std()
    if penalty.l1:
        total = penalty.l1 + 2 * penalty.l2
        model = ElasticNet(alpha=total, l1_ratio=penalty.l1 / total, tol=1e-12, max_iter=100_000)
    else:
        model = Ridge(alpha=2 * penalty.l2 * N)
    weights = model.fit(standard, y).coef_

    def cost(w: np.ndarray) -> float:
        return float(((y - standard @ w) ** 2).mean() / 2 + penalty.l1 * np.abs(w).sum() + penalty.l2 * (w**2).sum())

    assert cost(probe.weights[0].astype(float)) <= cost(weights) * (1 + 1e-4)
    if solver == "exact":
        np.testing.assert_array_equal(probe.weights[0] != 0, weights != 0)
    expected = model.predict(standard) * wanted.std() + wanted.mean()
    np.testing.assert_allclose(probe.predict(values), expected, atol=0.05 * wanted.std())
    assert probe.r2(values, targets) == pytest.approx(model.score(standard, y), abs=0.01)


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(10)), st.integers(0, 3))
def test_units_in_another_order_have_the_same_weights(order: list[int], seed: int) -> None:
    values, labels = classes(3, seed)
    penalty = Penalty(0.01, 0.02)
    plain = fit(ArrayMatrix(values), labels, penalty, solver="exact", tolerance=1e-7)
    turned = fit(ArrayMatrix(values[:, order]), labels, penalty, solver="exact", tolerance=1e-7)
    np.testing.assert_allclose(turned.weights, plain.weights[:, order], atol=1e-4)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from([-1e3, -0.01, 0.5, 1.0, 1e4]), min_size=10, max_size=10), st.integers(0, 3))
def test_scale_and_offset_of_units_do_not_matter(factors: list[float], seed: int) -> None:
    values, labels = classes(3, seed)
    penalty = Penalty(0.01, 0.02)
    plain = fit(ArrayMatrix(values), labels, penalty, solver="exact", tolerance=1e-7)
    scaled = (values * np.array(factors) + 3.0 * np.array(factors)).astype(np.float32)
    other = fit(ArrayMatrix(scaled), labels, penalty, solver="exact", tolerance=1e-7)
    np.testing.assert_allclose(other.weights * np.sign(factors), plain.weights, atol=2e-3)


@pytest.mark.parametrize("solver", ["fast", "exact"])
def test_duplicated_units_share_their_weight(solver: str) -> None:
    values, labels = classes(3)
    twice = np.concatenate([values, values[:, :1]], 1)
    probe = fit(ArrayMatrix(twice), labels, Penalty(0.0, 0.02), solver=solver)  # type: ignore[arg-type]
    np.testing.assert_allclose(probe.weights[:, 0], probe.weights[:, -1], atol=1e-3)


@pytest.mark.parametrize("solver", ["fast", "exact"])
def test_more_units_than_sites(solver: str) -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(size=(30, 200)).astype(np.float32)
    labels = Labels(NAMES[:3], (np.arange(30) % 3).astype(np.int32))
    probe = fit(ArrayMatrix(values), labels, Penalty(0.01, 0.01), solver=solver)  # type: ignore[arg-type]
    assert np.isfinite(probe.weights).all()
    assert probe.accuracy(values, labels) == 1.0
    assert probe.accuracy(draw.normal(size=(300, 200)), Labels(NAMES[:3], np.arange(300) % 3)) < 0.5


@pytest.mark.parametrize("solver", ["fast", "exact"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_constant_units_have_no_weight_and_change_nothing(solver: str, n_classes: int) -> None:
    values, labels = classes(n_classes)
    padded = np.insert(values, 4, 1234.567, axis=1)
    penalty = Penalty(0.001, 0.02)
    probe = fit(ArrayMatrix(padded), labels, penalty, solver=solver)  # type: ignore[arg-type]
    plain = fit(ArrayMatrix(values), labels, penalty, solver=solver)  # type: ignore[arg-type]
    assert (probe.weights[:, 4] == 0).all()
    assert (probe.fit.constant, probe.fit.dropped) == (1, 0)
    np.testing.assert_allclose(np.delete(probe.weights, 4, 1), plain.weights, atol=5e-3)
    padded[:, 4] = -1e6
    np.testing.assert_array_equal(probe.predict(padded), probe.predict(np.insert(values, 4, 0, axis=1)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_units_that_are_no_numbers_are_refused_or_dropped(bad: float) -> None:
    values, labels = classes(3)
    spoiled = values.copy()
    spoiled[7, 2] = bad
    with pytest.raises(ProbeError, match=r"1 unit\(s\) hold values that are no finite numbers \(columns 2"):
        fit(ArrayMatrix(spoiled), labels, Penalty(0.0, 0.02))
    for solver in ("fast", "exact"):
        probe = fit(ArrayMatrix(spoiled), labels, Penalty(0.0, 0.02), solver=solver, nan="drop")  # type: ignore[arg-type]
        assert probe.fit.dropped == 1
        assert (probe.weights[:, 2] == 0).all()
        assert np.isfinite(probe.scores(spoiled)).all()
    assert np.isfinite(values).all()
    assert np.count_nonzero(~np.isfinite(spoiled)) == 1


def test_blocks_read_again_and_again_give_what_memory_gives() -> None:
    values, labels = classes(3)
    penalty = Penalty(0.01, 0.02)
    held = fit(ArrayMatrix(values), labels, penalty, solver="exact")
    for rows in (7, 64, 1000):
        streamed = fit(ArrayMatrix(values, rows), labels, penalty, solver="exact", memory=0)
        np.testing.assert_allclose(streamed.weights, held.weights, atol=1e-5)
    fast = fit(ArrayMatrix(values, 50), labels, penalty, memory=0)
    assert objective(fast, values, labels, penalty) <= held.fit.objective * (1 + 1e-4)


def test_values_on_the_way_are_never_held_where_memory_is_short() -> None:
    class Counted(ArrayMatrix):
        passes = 0

        def blocks(self, columns=None):  # type: ignore[no-untyped-def]
            Counted.passes += 1
            for rows, values in super().blocks(columns):
                assert len(values) <= 32
                yield rows, values

    values, labels = classes(3)
    probe = fit(Counted(values, 32), labels, Penalty(0.01, 0.02), memory=values.nbytes - 1)
    assert Counted.passes == probe.fit.n_passes + 1
    Counted.passes = 0
    fit(Counted(values.astype(np.float16), 32), labels, Penalty(0.01, 0.02), memory=values.nbytes)
    assert Counted.passes == 1


def test_the_same_seed_gives_the_same_bytes_and_input_stays() -> None:
    values, labels = classes(3)
    before = values.copy()
    values.setflags(write=False)
    first, second, third = (fit(ArrayMatrix(values), labels, Penalty(0.01, 0.02), seed=seed) for seed in (3, 3, 4))
    assert first.weights.tobytes() == second.weights.tobytes()
    assert first.bias.tobytes() == second.bias.tobytes()
    assert first.weights.tobytes() != third.weights.tobytes()
    np.testing.assert_array_equal(values, before)


def test_sites_without_a_label_and_sites_left_out_have_no_part() -> None:
    values, labels = classes(3)
    keep = np.arange(N) % 3 > 0
    hidden = Labels(labels.names, np.where(np.arange(N) % 5 == 0, -1, labels.of_site))
    used = keep & hidden.labelled
    penalty = Penalty(0.01, 0.02)
    spoiled = np.where(used[:, None], values, 1e3).astype(np.float32)
    for solver in ("fast", "exact"):
        probe = fit(ArrayMatrix(spoiled), hidden, penalty, keep=keep, solver=solver)  # type: ignore[arg-type]
        small = fit(ArrayMatrix(values[used]), labels.select_sites(used), penalty, solver=solver)  # type: ignore[arg-type]
        assert probe.fit.n_sites == used.sum()
        np.testing.assert_allclose(probe.weights, small.weights, atol=3e-3)


def test_a_class_weight_of_three_counts_as_three_sites() -> None:
    values, labels = classes(3)
    factor = np.where(labels.of_site == 1, 3.0, 1.0)
    penalty = Penalty(0.0, 0.01)
    probe = fit(ArrayMatrix(values), labels, penalty, solver="exact", class_weights={"b": 3.0}, tolerance=1e-8)
    standard = (values - probe.mean) / probe.scale
    model = LogisticRegression(C=1 / (2 * penalty.l2 * factor.sum()), tol=1e-9, max_iter=5000)
    model.fit(standard, labels.of_site, sample_weight=factor)
    np.testing.assert_allclose(probe.weights, model.coef_, atol=1e-4)


def test_balanced_classes_find_more_of_a_rare_one() -> None:
    draw = np.random.default_rng(0)
    of_site = (draw.random(600) < 0.05).astype(np.int32)
    values = (draw.normal(size=(600, 3)) + of_site[:, None]).astype(np.float32)
    labels = Labels(("no", "yes"), of_site)
    plain, balanced = (
        fit(ArrayMatrix(values), labels, Penalty(0, 0.001), class_weights=each) for each in ("none", "balanced")
    )
    assert balanced.predict(values)[of_site == 1].mean() > plain.predict(values)[of_site == 1].mean() + 0.2


def test_a_class_without_a_site_is_told_and_never_predicted() -> None:
    values, labels = classes(4)
    keep = labels.of_site != 2
    probe = fit(ArrayMatrix(values), labels, Penalty(0.0, 0.01), keep=keep)
    assert probe.fit.absent == ("c",)
    assert (probe.weights[2] == 0).all()
    assert not (probe.predict(values) == 2).any()
    score = probe.score(values, labels)
    assert score.unseen == (labels.of_site == 2).sum()
    assert np.isfinite(score.loss)
    assert not score.right[labels.of_site == 2].any()
    assert score.accuracy == pytest.approx((probe.predict(values) == labels.of_site).mean())


def test_a_score_is_accuracy_and_mean_loss_of_labelled_sites() -> None:
    values, labels = classes(3)
    probe = fit(ArrayMatrix(values), labels, Penalty(0.0, 0.01))
    half = Labels(labels.names, np.where(np.arange(N) < N // 2, labels.of_site, -1))
    score = probe.score(ArrayMatrix(values, 17), half)
    alone = probe.score(values[: N // 2], Labels(labels.names, labels.of_site[: N // 2]))
    assert score.n_sites == N // 2
    assert score.loss == pytest.approx(alone.loss)
    assert score.majority == np.bincount(labels.of_site[: N // 2]).max() / (N // 2)
    scores = probe.scores(values[: N // 2]).astype(float)
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    assert score.loss == pytest.approx(-np.log(chances[np.arange(N // 2), labels.of_site[: N // 2]]).mean(), rel=1e-5)


def test_a_probe_that_keeps_some_units_sees_the_others_at_their_mean() -> None:
    values, labels = classes(3)
    probe = fit(ArrayMatrix(values), labels, Penalty(0.0, 0.01))
    units = np.arange(10) < 4
    silenced = np.where(units, values, probe.mean)
    np.testing.assert_allclose(probe.keeping(units).scores(values), probe.scores(silenced), atol=1e-4)
    assert probe.keeping(units).support.sum() == 4


def test_one_class_no_label_and_constant_targets_are_refused() -> None:
    values, labels = classes(2)
    matrix = ArrayMatrix(values)
    with pytest.raises(ProbeError, match=r"Got 'b' alone at \d+ site\(s\). Expected: sites of at least two classes"):
        fit(matrix, labels, Penalty(), keep=labels.of_site == 1)
    with pytest.raises(ProbeError, match=r"Got no class at 0 site\(s\)"):
        fit(matrix, labels, Penalty(), keep=np.zeros(N, np.bool_))
    with pytest.raises(ProbeError, match=r"Targets 'x' do not vary over 240 site\(s\)"):
        fit(matrix, Targets("x", np.full(N, 2.5)), Penalty())


def test_parts_that_do_not_fit_are_refused() -> None:
    values, labels = classes(2)
    matrix, penalty = ArrayMatrix(values), Penalty(0, 0.1)
    with pytest.raises(ProbeError, match=r"Got labels of 240 site\(s\) for values of 100"):
        fit(ArrayMatrix(values[:100]), labels, penalty)
    with pytest.raises(ProbeError, match=r"Got solver 'slow'\. Expected: 'fast' or 'exact'"):
        fit(matrix, labels, penalty, solver="slow")  # type: ignore[arg-type]
    with pytest.raises(ProbeError, match="Got nan='keep'"):
        fit(matrix, labels, penalty, nan="keep")
    with pytest.raises(ProbeError, match="Got class weights 'even'"):
        fit(matrix, labels, penalty, class_weights="even")
    with pytest.raises(ProbeError, match="Got a weight for 'z', no class here"):
        fit(matrix, labels, penalty, class_weights={"z": 1.0})
    with pytest.raises(ProbeError, match="Expected: finite numbers above 0"):
        fit(matrix, labels, penalty, class_weights={"a": 0.0})
    probe = fit(matrix, labels, penalty)
    with pytest.raises(ProbeError, match=r"Got values of 240 site\(s\) and 9 unit\(s\). Expected: 10 units"):
        probe.predict(values[:, :9])
    with pytest.raises(
        ProbeError, match=r"Got labels of 3 class\(es\) that are not the probe's. Expected: the classes a, b"
    ):
        probe.score(values, Labels(("a", "b", "c"), labels.of_site))
    with pytest.raises(ProbeError, match="Got numbers for a probe of classes"):
        probe.r2(values, Targets("x", np.arange(240.0)))


def test_penalties_make_sense() -> None:
    assert Penalty.of(0.4, 0.25) == Penalty(0.1, 0.30000000000000004)
    assert [each.strength for each in path((1e-3, 1e-1))] == pytest.approx([1e-1, 1e-3])
    for wrong in ((-1.0, 0.0), (0.0, float("nan")), (float("inf"), 0.0)):
        with pytest.raises(ProbeError, match="Got penalties"):
            Penalty(*wrong)
    with pytest.raises(ProbeError, match="Got a mix of 2"):
        Penalty.of(1, 2)
    with pytest.raises(ProbeError, match="Got no strengths"):
        path(())
