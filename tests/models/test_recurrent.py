"""Recurrent modules step by step: equal to the fused ones, and edits that are read on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from unitscope import edits
from unitscope.errors import EditError
from unitscope.masks import Mask
from unitscope.models import recurrent
from unitscope.models.recurrent import stepwise, unchanged
from unitscope.models.torch import TorchModel
from unitscope.sites import Item

KINDS = [
    (kind, {"num_layers": n_layers, "bidirectional": both, "batch_first": first, "bias": bias, **more})
    for kind, more in [
        ("LSTM", {}),
        ("LSTM", {"proj_size": 3}),
        ("GRU", {}),
        ("RNN", {}),
        ("RNN", {"nonlinearity": "relu"}),
    ]
    for n_layers, both, first, bias in [(1, False, True, True), (2, True, False, True), (2, True, True, False)]
]


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize("packed", [False, True])
def test_stepwise_is_the_fused_module(kind: str, options: dict[str, Any], packed: bool) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = getattr(nn, kind)(4, 5, **options).eval()
        shape = (3, 7, 4) if options["batch_first"] else (7, 3, 4)
        inputs: Any = torch.randn(shape)
        n = options["num_layers"] * (1 + options["bidirectional"])
        starts = torch.randn(n, 3, options.get("proj_size", 5)), torch.randn(n, 3, 5)
    if packed:
        lengths = torch.tensor([4, 7, 2])
        inputs = pack_padded_sequence(inputs, lengths, options["batch_first"], enforce_sorted=False)
    for start in (None, starts if kind == "LSTM" else starts[0]):
        with torch.no_grad():
            (fused, fused_state), (ours, our_state) = module(inputs, start), stepwise(module, inputs, start, unchanged)
        if packed:
            assert isinstance(ours, PackedSequence)
            assert torch.equal(ours.batch_sizes, fused.batch_sizes)
            fused, ours = fused.data, ours.data
        assert torch.allclose(fused, ours, rtol=1e-5, atol=1e-6)
        for one, other in zip(*((x if kind == "LSTM" else (x,)) for x in (fused_state, our_state))):
            assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_recurrence_is_read_on_and_readout_is_not(networks: Any, items: list[Item]) -> None:
    module = networks.seeded(lambda: networks.Recurrent("GRU", packed=False, batch_first=True))
    model = TorchModel(module, module.adapter)
    item, layers = items[0], model.resolve(["rnn"])
    where = Mask.positions(1)
    plain = model.run([item], layers).values["rnn"]
    with model.edited(edits.set("rnn:2", 0.9, where=where)):
        inside = model.run([item], layers).values["rnn"]
    with model.edited(edits.set("rnn:2", 0.9, where=where, recurrence=False)):
        outside = model.run([item], layers).values["rnn"]
    assert torch.equal(outside[[0, *range(2, 7)]], plain[[0, *range(2, 7)]])
    assert torch.allclose(inside[0], plain[0], rtol=1e-5)
    assert inside[1, 2] == outside[1, 2] == pytest.approx(0.9)
    assert ((inside[2:] - plain[2:]).abs().amax(dim=1) > 1e-6).all()
    # By hand: the cell's equations with one state set.
    cell = nn.GRUCell(8, 6)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in module.rnn.state_dict().items()})
    letters = torch.tensor([[ord(letter) % 60 + 1 for letter in item.grids["source"].text]])
    start, end = item.grids["source"].spans[1]
    h, states = torch.zeros(1, 6), []
    with torch.no_grad():
        for at, x in enumerate(module.embed(letters).unbind(1)):
            h = cell(x, h)
            if start <= at < end:
                h[:, 2] = 0.9
            states.append(h.clone())
    ends = [end - 1 for _, end in item.grids["source"].spans]
    assert torch.allclose(inside, torch.cat(states)[ends], rtol=1e-4, atol=1e-5)
    assert "forward" not in vars(module.rnn)


def test_both_directions(networks: Any, items: list[Item]) -> None:
    module = networks.seeded(lambda: networks.Recurrent(bidirectional=True, batch_first=True))
    model = TorchModel(module, module.adapter)
    layers = model.resolve(["rnn"])
    found = model.edited(edits.set(["rnn:8", "rnn:1"], [0.25, 0.5])).run(items[:3], layers).values["rnn"]
    assert (found[:, 8] == 0.25).all()
    assert (found[:, 1] == 0.5).all()


def test_a_module_that_differs_from_its_equations_is_refused(
    networks: Any, items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = networks.seeded(lambda: networks.Recurrent("GRU", packed=False, batch_first=True))
    model = TorchModel(module, module.adapter)
    layers = model.resolve(["rnn"])
    cell = recurrent._cell
    monkeypatch.setattr(recurrent, "_cell", lambda *given: (cell(*given)[0] * 1.01,))
    with pytest.raises(EditError, match=r"'rnn' run step by step differs from itself by .*recurrence=False"):
        model.edited(edits.zero("rnn:2")).run(items[:1], layers)
    assert "forward" not in vars(module.rnn)
