"""Rules of steering beside their formulas, written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unitscope.causal.steering_edits import Habits, by_layer, drawn, rule_of
from unitscope.changes import Add, ProjectOut, Put, Scale
from unitscope.edits import Edit
from unitscope.errors import TaskError

UNITS = ("a@item:0", "a@item:1", "b:0", "b:2")
DRAW = np.random.default_rng(1)
VALUES = DRAW.normal(2, [1, 2, 3, 4], (40, 4)).astype(np.float32)
YES = np.arange(40) < 15
HABITS = Habits.of_values(UNITS, VALUES, np.ones(40, np.bool_), [(YES, ~YES)], {"a@item": 2, "b": 4})


def after(edit: Edit, layer: str, columns: tuple[int, ...], values: np.ndarray) -> np.ndarray:
    """The steps of one layer carried out by hand on values [n, units of the target]."""
    for step in edit.steps:
        assert not step.target.layer.endswith("@item"), "units are edited where they are, not where they are pooled"
        if step.target.layer != layer:
            continue
        if isinstance(step.change, ProjectOut):
            values = step.change.apply(torch.from_numpy(values)[None], None)[0].numpy()  # type: ignore[arg-type]
            continue
        assert step.target.units == columns
        assert isinstance(step.change, (Add, Put, Scale))
        numbers = step.change.numbers.astype(np.float64)
        kinds = {Add: values + numbers, Put: 0 * values + numbers, Scale: values * numbers}
        values = kinds[type(step.change)]
    return values


def naive(how: str, x: np.ndarray, s: float, columns: list[int]) -> np.ndarray:
    values = VALUES[:, columns].astype(np.float64)
    mean, spread = values.mean(0), values.std(0)
    gap = values[YES].mean(0) - values[~YES].mean(0)
    return {
        "add": x + s * spread * np.sign(gap),
        "gap": x + s * gap,
        "set": 0 * x + mean + s * spread * np.sign(gap),
        "scale": s * x,
        "mean": x + s * (mean - x),
    }[how]


@pytest.mark.parametrize("how", ["add", "gap", "set", "scale", "mean"])
def test_rules_are_their_formulas(how: str) -> None:
    edit = rule_of(how, HABITS)(["b:2", "a@item:1", "b:0"], 1.5)
    x = DRAW.normal(0, 1, (5, 2))
    np.testing.assert_allclose(after(edit, "b", (2, 0), x), naive(how, x, 1.5, [3, 2]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after(edit, "a", (1,), x[:, :1]), naive(how, x[:, :1], 1.5, [1]), rtol=1e-5, atol=1e-6)


def test_random_units_get_the_norm_of_the_steered_ones() -> None:
    own, other = ["b:0", "b:2"], ["a@item:0", "a@item:1"]
    edit = rule_of("gap", HABITS, like=own)(other, 2.0)
    (step,) = edit.steps
    assert isinstance(step.change, Add)
    dose = np.linalg.norm(step.change.numbers / HABITS.deviation[:2])
    wanted = np.linalg.norm(2.0 * HABITS.gaps[0][2:] / HABITS.deviation[2:])
    assert dose == pytest.approx(wanted, rel=1e-5)


def test_projection_takes_the_gap_of_the_units_alone() -> None:
    edit = rule_of("project", HABITS)(["b:2", "b:0"], 1.0)
    x = DRAW.normal(0, 1, (5, 4)).astype(np.float64)
    direction = np.array([HABITS.gaps[0][2], 0, HABITS.gaps[0][3], 0])
    direction /= np.linalg.norm(direction)
    np.testing.assert_allclose(after(edit, "b", (), x), x - np.outer(x @ direction, direction), atol=1e-9)


def test_habits_are_plain_means() -> None:
    np.testing.assert_allclose(HABITS.mean, VALUES.mean(0), rtol=1e-5)
    np.testing.assert_allclose(HABITS.gaps[0], VALUES[YES].mean(0) - VALUES[~YES].mean(0), rtol=1e-4)
    with pytest.raises(TaskError, match="holds at 0 of the training sites and fails at 40"):
        Habits.of_values(UNITS, VALUES, YES | True, [(YES & False, ~YES | True)], {})
    with pytest.raises(TaskError, match="no values of the unit 'b:9'"):
        HABITS.at(["b:9"])
    plain = Habits.of_values(UNITS, VALUES, YES | True, [], {})
    with pytest.raises(TaskError, match="needs a direction"):
        rule_of("add", plain)
    assert rule_of("mean", plain)(["b:0"], 1.0).layers == ("b",)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_random_sets_have_as_many_units_of_each_layer(n_a: int, n_b: int, seed: int) -> None:
    ranked = [f"{layer}:{unit}" for layer in "ab" for unit in range(8)]
    steered = [f"a:{n}" for n in range(n_a)] + [f"b:{n}" for n in range(n_b)]
    found = drawn(ranked, steered, seed)
    assert {at: len(units) for at, units in by_layer(found).items()} == {"a": n_a, "b": n_b}
    assert len(set(found)) == len(found)
    assert found == drawn(ranked, steered, seed)
    for layer, n in (("a", n_a), ("b", n_b)):
        if n <= 4:
            assert not set(by_layer(found)[layer]) & set(steered)
