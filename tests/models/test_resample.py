"""Words to positions, and reductions, against loops over characters and words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unitscope.models.address import Address
from unitscope.models.probe import Tap
from unitscope.models.resample import Gather, covered, overlaps, places


@st.composite
def word_spans(draw: st.DrawFn) -> np.ndarray:
    ends = sorted(draw(st.sets(st.integers(0, 30), max_size=12)))
    return np.array(list(zip(ends[::2], ends[1::2])), dtype=np.int64).reshape(-1, 2)


position_spans = st.lists(
    st.tuples(st.integers(0, 28), st.integers(0, 6)).map(lambda pair: (pair[0], sum(pair))), max_size=10
).map(lambda spans: np.array(spans, dtype=np.int64).reshape(-1, 2))


@given(position_spans, word_spans())
def test_overlaps_against_sets_of_characters(positions: np.ndarray, words: np.ndarray) -> None:
    expected = [
        (w, p)
        for w, word in enumerate(words.tolist())
        for p, position in enumerate(positions.tolist())
        if set(range(*word)) & set(range(*position))
    ]
    assert list(zip(*(found.tolist() for found in overlaps(positions, words)))) == expected


@given(st.lists(st.tuples(position_spans, word_spans()), min_size=1, max_size=4), st.data())
def test_reductions_against_a_loop(rows: list[tuple[np.ndarray, np.ndarray]], data: st.DataObject) -> None:
    longest = max(len(positions) for positions, _ in rows) + 1
    spans = np.zeros((len(rows), longest, 2), dtype=np.int64)
    for at, (positions, _) in enumerate(rows):
        spans[at, : len(positions)] = positions
    keep = [
        np.array(sorted(data.draw(st.sets(st.sampled_from(range(len(words)))))) if len(words) else [], dtype=np.int64)
        for _, words in rows
    ]
    where, present = places(spans, [words for _, words in rows], keep)
    tensor = torch.randn(len(rows), longest, 3, generator=torch.Generator().manual_seed(0))
    expected: dict[str, list[Any]] = {"last": [], "first": [], "mean": [], "max": []}
    indices = []
    flat = [(row, word) for row, mine in enumerate(keep) for word in mine]
    for at, (row, word) in enumerate(flat):
        mine = overlaps(spans[row], rows[row][1][[word]])[1]
        if len(mine):
            indices.append(at)
            states = tensor[row, torch.from_numpy(mine)]
            for how, value in (("last", states[-1]), ("first", states[0]), ("mean", states.mean(0))):
                expected[how].append(value)
            expected["max"].append(states.amax(0))
    assert present.tolist() == indices
    gather = Gather(where, torch.device("cpu"))
    strided = tensor.transpose(1, 2).contiguous().transpose(1, 2)
    before = tensor.clone()
    for how, values in expected.items():
        wanted = torch.stack(values) if values else torch.zeros(0, 3)
        torch.testing.assert_close(gather.reduce(tensor, how), wanted)  # type: ignore[arg-type]
        torch.testing.assert_close(gather.reduce(strided, how), wanted)  # type: ignore[arg-type]
        chosen = gather.reduce(tensor, how, torch.tensor([2, 0]))  # type: ignore[arg-type]
        torch.testing.assert_close(chosen, wanted[:, [2, 0]])
    assert torch.equal(tensor, before)


def tap(stride: int, offset: int) -> Tap:
    return Tap(Address("m"), "source", 3, 0, 1, stride, offset)


@pytest.mark.parametrize(
    ("stride", "offset", "n_outputs", "expected"),
    [
        (1, 0, 6, [(0, 0), (0, 1), (1, 2), (2, 4), (4, 5), (0, 0)]),
        (1, 1, 4, [(0, 1), (1, 2), (2, 4), (4, 5)]),
        (1, -1, 7, [(0, 0), (0, 0), (0, 1), (1, 2), (2, 4), (4, 5), (0, 0)]),
        (2, 0, 3, [(0, 1), (1, 4), (4, 5)]),
        (3, 0, 2, [(0, 2), (2, 5)]),
        (2, 0, 5, [(0, 1), (1, 4), (4, 5), (0, 0), (0, 0)]),
    ],
)
def test_covered(stride: int, offset: int, n_outputs: int, expected: list[tuple[int, int]]) -> None:
    spans = np.array([[(0, 0), (0, 1), (1, 2), (2, 4), (4, 5), (0, 0)]])
    assert [tuple(span) for span in covered(spans, tap(stride, offset), n_outputs)[0].tolist()] == expected
