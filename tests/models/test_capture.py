from __future__ import annotations

import pytest
import torch
from torch import nn

from unitscope.errors import ModelError
from unitscope.models.address import Address
from unitscope.models.capture import read_layers
from unitscope.models.probe import Tap


class Three(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.a(x)
        return self.c(self.b(self.b(h)))


def tap(text: str, **options: int) -> Tap:
    module, _, call = text.partition("#")
    name, _, side = module.partition("@")
    address = Address(name, "in" if side else "out", call=int(call) if call else None)
    return Tap(address, "source", 3, 0, 1, **options)


def run(taps: list[Tap]) -> dict[str, torch.Tensor]:
    seen: dict[str, torch.Tensor] = {}
    module = Three()
    read_layers(
        module,
        (torch.randn(2, 4, 2),),
        {},
        taps,
        lambda at, tensor: seen.update({str(at.address): tensor.clone()}),
        {"source": 4},
    )
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    return seen


def test_calls_and_sides() -> None:
    seen = run([tap("b#1"), tap("b#0"), tap("b@in#1"), tap("a")])
    assert list(seen) == ["a", "b#0", "b@in#1", "b#1"]
    assert torch.equal(seen["b#0"], seen["b@in#1"])
    assert not torch.equal(seen["b#0"], seen["b#1"])


def test_a_call_that_never_comes() -> None:
    with pytest.raises(ModelError, match="Layer 'b#2' was not reached"):
        run([tap("a"), tap("b#2")])


def test_an_error_of_the_sink_is_not_swallowed() -> None:
    module = Three()

    def fail(at: Tap, tensor: torch.Tensor) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read_layers(module, (torch.randn(2, 4, 2),), {}, [tap("a")], fail, {"source": 4})
    assert not module.a._forward_hooks
