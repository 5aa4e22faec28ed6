"""Word identity and the most frequent class, beside plain counting."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unitscope.probes.base import Labels, Targets
from unitscope.probes.identity import by_form, majority

NAMES = ("a", "b", "c")


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 2)), min_size=1, max_size=30), st.data())
def test_a_form_is_what_it_mostly_was(seen: list[tuple[int, int]], data: st.DataObject) -> None:
    if all(label < 0 for _, label in seen):
        seen.append((0, 1))
    held = data.draw(st.lists(st.integers(0, 6), max_size=10))
    labels = Labels(NAMES, np.array([label for _, label in seen], np.int32))
    whole = Counter(label for _, label in seen if label >= 0)
    expected = []
    for form in held:
        counts = Counter(label for at, label in seen if at == form and label >= 0)
        best = max(range(3), key=lambda label: (counts[label], whole[label], -label))
        expected.append(best)
    found = by_form(labels, np.array([form for form, _ in seen]), np.array(held, np.int64))
    assert found.tolist() == expected
    assert majority(labels, 2).tolist() == [max(range(3), key=lambda label: (whole[label], -label))] * 2


def test_numbers_get_the_mean_of_the_form_or_of_all() -> None:
    train = Targets("x", np.array([1.0, 3.0, np.nan, 8.0]))
    found = by_form(train, np.array([5, 5, 5, 2]), np.array([5, 2, 9]))
    assert found.tolist() == [2.0, 8.0, 4.0]
    assert majority(train, 1).tolist() == [4.0]
