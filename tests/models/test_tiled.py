"""Shells of copies: the right tensor at the first operation, low-rank updates beside whole products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from unitscope.models.tiled import Delta, Tiled, plain


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data(), st.integers(1, 4))
def test_a_shell_is_its_base_repeated(shape: list[int], data: Any, copies: int) -> None:
    base, axis = drawn(*shape), data.draw(st.integers(0, len(shape) - 1))
    shell = Tiled.of(base, axis, copies, {})
    whole = torch.cat([base] * copies, dim=axis)
    assert shell.shape == whole.shape
    assert shell.dim() == len(shape)
    assert shell.dtype == whole.dtype
    assert shell.full is None, "nothing has been made yet"
    assert torch.equal(shell + 1, whole + 1)
    assert torch.equal(plain(shell), whole)
    assert not isinstance(shell * 2, Tiled)


def test_operations_in_place_stay_with_the_shell() -> None:
    base = drawn(2, 3)
    shell = Tiled.of(base, 0, 2, {})
    shell.relu_()
    assert torch.equal(shell + 0, torch.cat([base.relu()] * 2))
    assert not torch.equal(base, base.relu()), "the base is as it was"
    shell.become(base - 9)
    assert torch.equal(shell + 0, torch.cat([base - 9] * 2))
    assert F.dropout(shell, 0.5, False) is shell


LINEAR, ADDMM = drawn(7, 32), drawn(32, 7)
MAPS: list[tuple[tuple[int, ...], int, Callable[[Any], Any]]] = [
    ((3, 5, 32), -1, lambda x: F.linear(x, LINEAR)),
    ((3, 5, 32), -1, lambda x: F.linear(x, LINEAR, drawn(7))),
    ((3, 32), -1, lambda x: F.linear(x, LINEAR, drawn(7))),
    ((3, 5, 32), -1, lambda x: torch.addmm(drawn(7), x.view(-1, x.size(-1)), ADDMM).view(-1, 5, 7)),
    ((3, 32, 6, 5), 1, lambda x: torch.conv2d(x, LINEAR[:, :, None, None], drawn(7))),
    ((3, 32, 6, 5), 1, lambda x: torch.conv2d(x, LINEAR[:, :, None, None], None, 2)),
    ((3, 32, 6, 5), 1, lambda x: torch.conv2d(x, drawn(7, 32, 3, 3), drawn(7), 2, 1)),
    ((3, 32, 6, 5), 1, lambda x: F.conv2d(x, drawn(8, 16, 3, 3), None, 1, "same", 1, 2)),
    ((3, 32, 9), 1, lambda x: torch.conv1d(x, drawn(7, 32, 3), drawn(7))),
    ((3, 5, 32), -1, lambda x: x.relu()),
    ((3, 5, 32), -1, lambda x: x.view(3, -1, 5, 32)),
]


@pytest.mark.parametrize(("shape", "axis", "function"), MAPS)
@pytest.mark.parametrize("size", [1.0, 300.0])
def test_edits_of_few_units_beside_whole_products(
    shape: tuple[int, ...], axis: int, function: Callable[[Any], Any], size: float
) -> None:
    base = drawn(*shape)
    units: list[tuple[int, ...] | None] = [(4,), None, (0, 31)]
    deltas: list[Delta | None] = []
    whole = []
    for copy, chosen in enumerate(units):
        edited = base.clone()
        delta = None
        if chosen is not None:
            change = size * drawn(*shape).index_select(axis, torch.tensor(chosen)) + copy
            edited = edited.index_add(axis, torch.tensor(chosen), change)
            delta = Delta(chosen, change)
        whole.append(edited)
        deltas.append(delta)
    shell = Tiled.of(base, 0, 3, {}, deltas, axis)
    expected, found = function(torch.cat(whole)), function(shell)
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
    assert not isinstance(found, Tiled)


def test_updates_that_cancel_are_made_in_full() -> None:
    """One unit is all that an output is made of: without it rounding of the update would be the result."""
    base, weight = drawn(2, 3, 32) * 1e-3, drawn(7, 32)
    base[..., 5] = 1e6
    shell = Tiled.of(base, 0, 2, {}, [Delta((5,), -base[..., 5:6]), None], -1)
    edited = base.clone()
    edited[..., 5] = 0
    assert torch.equal(F.linear(shell, weight)[:2], F.linear(edited, weight))
