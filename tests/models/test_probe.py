"""Axes from shapes, by hand-made modules whose layouts differ."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from unitscope.models.probe import Tap, Trace, _cover, elements, infer, settle, trace


class Give(nn.Module):
    """Gives what a function makes of a batch of token numbers [B, T]."""

    def __init__(self, make: object) -> None:
        super().__init__()
        self.make = make

    def forward(self, ids: torch.Tensor) -> object:
        return self.make(*ids.shape)  # type: ignore[operator]


class Holder(nn.Module):
    def __init__(self, part: nn.Module, n_calls: int = 1, *, steps: bool = False) -> None:
        super().__init__()
        self.part, self.n_calls, self.steps = part, n_calls, steps

    def forward(self, ids: torch.Tensor) -> None:
        for _ in range(ids.shape[1] if self.steps else self.n_calls):
            self.part(ids)


def found(make: object, **options: object) -> dict[str, Tap]:
    module = Holder(Give(make), **options)  # type: ignore[arg-type]
    runs = [
        trace(module, (torch.zeros(b, t, dtype=torch.long),), {}, b, {"source": t})
        for b, t in [(2, 17), (3, 17), (2, 48)]
    ]
    return infer(runs[0], runs[1], {"source": runs[2]})


@pytest.mark.parametrize(
    ("make", "axes", "width"),
    [
        (lambda b, t: torch.zeros(b, t, 5), (0, 1), 5),
        (lambda b, t: torch.zeros(t, b, 5), (1, 0), 5),
        (lambda b, t: torch.zeros(b, 5, t), (0, 2), 5),
        (lambda b, t: torch.zeros(b, 2, t, 17), (0, 2), 34),
        (lambda b, t: torch.zeros(b * t, 5), (0, 0), 5),
        (lambda b, t: [torch.zeros(b, t, 1)], (0, 1), 1),
        (lambda b, t: {"x": torch.zeros(b, t, 2)}, (0, 1), 2),
    ],
)
def test_axes(make: object, axes: tuple[int, int], width: int) -> None:
    (tap,) = found(make).values()
    assert str(tap.address) == "part"
    assert (tap.batch_axis, tap.site_axis, tap.width, tap.grid) == (*axes, width, "source")
    assert tap.is_direct


@pytest.mark.parametrize(
    "make",
    [
        lambda b, t: torch.zeros(b, 5),
        lambda b, t: torch.zeros(t, 5),
        lambda b, t: torch.zeros(b, t),
        lambda b, t: torch.zeros(b * t),
        lambda b, t: torch.zeros(b, 1, t, t),
        lambda b, t: torch.zeros(b, t, 5, dtype=torch.long),
        lambda b, t: torch.zeros(b * 4, t, 5),
        lambda b, t: torch.zeros(b, -(-t // 4) * 4, 5),
        lambda b, t: torch.zeros(b, 2 * t, 5),
        lambda b, t: torch.zeros(b, 512, 5),
        lambda b, t: None,
        lambda b, t: "text",
        lambda b, t: torch.tensor(1.0),
    ],
)
def test_what_is_no_layer(make: object) -> None:
    assert found(make) == {}


def test_elements_of_what_a_module_gives() -> None:
    one = torch.zeros(2)
    assert [place for place, _ in elements((None, one, torch.tensor([1]), (one,), one))] == [1, 4]
    packed = pack_sequence([torch.zeros(3, 4), torch.zeros(2, 4)])
    ((place, tensor),) = elements(packed)
    assert (place, tensor.shape) == (0, (2, 3, 4))
    assert [tuple(tensor.shape) for _, tensor in elements((packed, one))] == [(2, 3, 4), (2,)]


def test_calls() -> None:
    taps = found(lambda b, t: (torch.zeros(b, t, 5), torch.zeros(b, t, 6)), n_calls=2)
    assert list(taps) == ["part#0", "part[1]#0", "part#1", "part[1]#1"]
    assert [tap.order for tap in taps.values()] == [0, 1, 2, 3]
    steps = found(lambda b, t: torch.zeros(b, 5), steps=True)
    assert [(at, tap.site_axis, tap.width) for at, tap in steps.items()] == [("part", None, 5)]
    assert found(lambda b, t: torch.zeros(b, t, 5), steps=True) == {}


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3, 5, 7, 9, 10])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_strides_of_convolutions(kernel: int, stride: int, padding: int) -> None:
    def size(n: int) -> int:
        return (n + 2 * padding - kernel) // stride + 1

    cover = _cover((17, 137), (size(17), size(137)))
    assert cover is not None
    assert cover[0] == stride  # never a guess
    # What a position stands for lies in what it sees, up to the convolution's own padding at the edges.
    first, last = cover[1], cover[1] + stride - 1
    centre = (kernel - 1) / 2 - padding
    assert abs((first + last) / 2 - centre) <= max(1, stride / 2 + padding)


@pytest.mark.parametrize("kernel", [2, 3, 4, 8])
@pytest.mark.parametrize("stride", [2, 3, 4, 7, 10])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_offsets_are_exact_once_all_remainders_are_seen(kernel: int, stride: int, padding: int) -> None:
    def run(b: int, t: int) -> Trace:
        module = Holder(Give(lambda b, t: torch.zeros(b, 5, (t + 2 * padding - kernel) // stride + 1)))
        return trace(module, (torch.zeros(b, t, dtype=torch.long),), {}, b, {"source": t})

    base, long = run(2, 17), run(2, 137)
    taps = infer(base, run(3, 17), {"source": long})
    (tap,) = settle(taps, {"source": [base, long, *(run(2, 17 + k) for k in range(1, stride))]}).values()
    # The middle one of the inputs that a position sees, less half a stride.
    assert (tap.stride, tap.offset) == (stride, max(0, kernel - stride - 2 * padding) // 2)


def test_strides_that_cannot_be_told_apart_are_not_guessed() -> None:
    assert _cover((17, 137), (1, 11)) is None  # 11, 12 or 13
    assert _cover((17, 137), (3, 3)) is None
