"""Names that must not be taken for what they resemble; real architectures are in test_huggingface."""

from __future__ import annotations

from torch import nn

from unitscope.models.address import parse
from unitscope.models.probe import Tap
from unitscope.models.roles import Role, roles


class Block(nn.Module):
    def __init__(self, heads: int) -> None:
        super().__init__()
        self.attn = nn.Module()
        self.attn.num_heads = heads
        self.attn.o_proj = nn.Linear(6, 6)
        self.mlp = nn.Module()
        self.mlp.act = nn.ReLU()
        self.mlp.down_proj = nn.Linear(9, 6)


def find(module: nn.Module, *addresses: str, width: int = 6) -> dict[str, Role]:
    parsed = [(address, parse(address)) for address in addresses]
    taps = {text: Tap(address, "source", width, 0, 1) for text, address in parsed if address is not None}
    return roles(module, taps)


def test_a_gated_block() -> None:
    model = nn.Module()
    model.layers = nn.ModuleList([Block(3)])
    found = find(model, "layers.0", "layers.0.attn.o_proj@in", "layers.0.mlp.act", "layers.0.mlp.down_proj@in")
    assert {address: (role.name, role.n_heads) for address, role in found.items()} == {
        "layers.0": ("hidden state", 0),
        "layers.0.attn.o_proj@in": ("attention heads", 3),
        "layers.0.mlp.down_proj@in": ("feed-forward neurons", 0),
    }


def test_heads_must_split_the_units_evenly() -> None:
    model = nn.Module()
    model.layers = nn.ModuleList([Block(4)])
    assert find(model, "layers.0.attn.o_proj@in") == {}


def test_a_sequence_of_simple_modules_has_no_hidden_states() -> None:
    model = nn.Module()
    model.layers = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model.norm = nn.LayerNorm(2)
    assert find(model, "layers.0", "norm") == {}
    model.layers = nn.ModuleList([nn.Linear(2, 2)])
    assert find(model, "layers.0") == {}


def test_recurrent_modules_and_embeddings() -> None:
    model = nn.ModuleDict({"rnn": nn.GRU(2, 2), "cell": nn.LSTMCell(2, 2), "words": nn.Embedding(3, 2)})
    found = find(model, "rnn", "rnn[1]", "cell", "words")
    assert {address: role.name for address, role in found.items()} == {
        "rnn": "recurrent state",
        "cell": "recurrent state",
        "words": "embedding",
    }
