"""Questions: names made of them, and whether half A is measured."""

from __future__ import annotations

import pytest

from unitscope.causal.question import Question, default_name
from unitscope.errors import TaskError


def test_names_tell_questions_apart() -> None:
    asked = [
        Question("lm", ranking="f"),
        Question("lm", ranking="f", edit="mean", retain=True),
        Question("lm", single=("h.0",)),
        Question("lm", doses=("h.0:3",)),
        Question("lm", doses=("h.0:3",), at_concept=True),
        Question("lm", ranking="f", pairs=4),
        Question("lm", ranking="f", greedy=4),
        Question("lm", causes=4),
        Question("lm", matches=4),
    ]
    names = [default_name(each) for each in asked]
    assert len(set(names)) == len(names)
    assert names[1] == "f.lm.mean.retain"
    assert names[4] == "lm.zero.dose-h.0_3.at-concept"
    assert all(len(name) <= 100 for name in names)


def test_half_a_is_measured_where_something_is_chosen() -> None:
    assert Question("lm", single=("h.0",)).chooses
    assert Question("lm", ranking="f", greedy=2).chooses
    assert not Question("lm", ranking="f", pairs=3).chooses


@pytest.mark.parametrize("given", [{"seed": -1}, {"draws": -1}, {"pairs": -2}, {"batch_size": 0}, {"max_items": 0}])
def test_numbers_that_cannot_be(given: dict[str, int]) -> None:
    with pytest.raises(TaskError, match=f"Got {next(iter(given.values()))} as '{next(iter(given))}'"):
        Question("lm", ranking="f", **given).check()  # type: ignore[arg-type]
