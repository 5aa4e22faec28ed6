from __future__ import annotations

import torch
from torch import nn

from unitscope.models.weights import digest, forked_devices, reset


def test_reset_draws_what_no_module_resets() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.full((500,), 3.0) + torch.linspace(-1, 1, 500))
            self.one = nn.Parameter(torch.tensor(5.0))
            self.linear = nn.Linear(4, 4)
            self.norm = nn.LayerNorm(4)
            nn.init.constant_(self.norm.weight, 7)

    module = Scaled()
    before = module.scale.detach().clone()
    torch.manual_seed(0)
    reset(module)
    scale = module.scale.detach()
    assert not torch.equal(scale, before)
    assert abs(float(scale.mean()) - 3) < 0.1
    assert abs(float(scale.std()) - float(before.std())) < 0.1
    assert float(module.one.detach()) == 5.0
    assert torch.equal(module.norm.weight.detach(), torch.ones(4))
    assert module.scale.requires_grad


def test_digest_reads_every_type() -> None:
    tensors = [torch.ones(3, dtype=kind) for kind in (torch.bfloat16, torch.float16, torch.int64, torch.bool)]
    assert len({digest([("a", tensor)]) for tensor in [*tensors, torch.tensor(1.0), torch.zeros(0)]}) == 6
    assert digest([("a", torch.eye(3)[:, 1])]) == digest([("a", torch.tensor([0.0, 1.0, 0.0]))])


def test_only_other_devices_are_forked() -> None:
    assert forked_devices(torch.device("cpu")) == []
    assert forked_devices(torch.device("cuda:1")) == [1]
