"""Networks for the end-to-end tests, and what is asked of each family of models.

Not a test. Command lines import it as `python:families:lstm`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unitscope
from plain_loops import (
    INVISIBLE,
    Rows,
    Sentence,
    character_ids,
    read_characters,
    read_transformer,
    sentences,
    write_conllu,
    write_pairs,
)
from unitscope.atlas import Atlas
from unitscope.models import Encoded
from unitscope.sites import Text

# Networks of our own, each with its adapter.


class Characters:
    """One position a character; zeros fill shorter texts where the network hides them."""

    def __init__(self, *, pads: bool = False) -> None:
        self.pads = pads

    def encode(self, texts: Sequence[Text]) -> Encoded:
        ids = torch.zeros(len(texts), max(len(text.text) for text in texts), dtype=torch.long)
        for row, text in enumerate(texts):
            ids[row, : len(text.text)] = character_ids(text.text)
        return Encoded(spans=[[(at, at + 1) for at in range(len(text.text))] for text in texts], args=(ids,))


class Convolutions(nn.Module):
    """Same length, then half of it, then half of that."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(61, 8)
        self.same = nn.Conv1d(8, 12, 3, padding=1)
        self.pool = nn.MaxPool1d(2)
        self.strided = nn.Conv1d(12, 10, 4, stride=2, padding=1)
        self.adapter = Characters()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.same(self.embed(ids).transpose(1, 2)))
        out: torch.Tensor = self.strided(self.pool(hidden))
        return out


class Recurrent(nn.Module):
    """A bidirectional LSTM that hides padding by packing."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(61, 8)
        self.lstm = nn.LSTM(8, 6, bidirectional=True, batch_first=True)
        self.adapter = Characters(pads=True)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        lengths = (ids != 0).sum(1)
        packed, _ = self.lstm(pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False))
        out: torch.Tensor = pad_packed_sequence(packed, batch_first=True)[0]
        return out


class Cells(nn.Module):
    """An LSTM cell called once a character: its calls are a time axis."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(61, 8)
        self.cell = nn.LSTMCell(8, 7)
        self.adapter = Characters()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        h, c = torch.zeros(len(ids), 7), torch.zeros(len(ids), 7)
        for x in self.embed(ids).unbind(1):
            h, c = self.cell(x, (h, c))
        return h


def seeded(kind: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return kind().eval()


def convolutions() -> nn.Module:
    return seeded(Convolutions)


def lstm() -> nn.Module:
    return seeded(Recurrent)


def cells() -> nn.Module:
    return seeded(Cells)


# What is asked of each family.


@dataclass(frozen=True)
class Family:
    """What is asked of a model, and the layers that it should come to: (address, width, grid) in order."""

    layers: list[str]
    expected: list[tuple[str, int, str]]
    corpus: str = "conllu"
    settings: tuple[tuple[str, Any], ...] = ()
    dropped: tuple[str, ...] = ()
    """Forms that the model has no position for, always or sometimes."""


def source(*layers: tuple[str, int]) -> list[tuple[str, int, str]]:
    return [(address, width, "source") for address, width in layers]


T5_LAYERS = [
    "encoder.block.[01]",
    "*coder.block.1.*.wo@in",
    "decoder.block.0",
    "decoder.block.1.*.EncDecAttention.o@in",
]
T5 = [
    ("encoder.block.0", 16, "source"),
    ("encoder.block.1.layer.1.DenseReluDense.wo@in", 24, "source"),
    ("encoder.block.1", 16, "source"),
    ("decoder.block.0", 16, "target"),
    ("decoder.block.1.layer.1.EncDecAttention.o@in", 16, "target"),
    ("decoder.block.1.layer.2.DenseReluDense.wo@in", 24, "target"),
]
MARIAN_LAYERS = ["encoder.layers.*.fc2@in", "decoder.layers.[01]", "decoder.layers.1.fc2@in"]
MARIAN = [
    ("encoder.layers.0.fc2@in", 24, "source"),
    ("encoder.layers.1.fc2@in", 24, "source"),
    ("decoder.layers.0", 16, "target"),
    ("decoder.layers.1.fc2@in", 20, "target"),
    ("decoder.layers.1", 16, "target"),
]
FAMILIES = {
    "bert": Family(
        ["encoder.layer.[02]", "encoder.layer.*.intermediate", "encoder.layer.1.attention.output.dense@in"],
        source(
            ("encoder.layer.0.intermediate", 24),
            ("encoder.layer.0", 16),
            ("encoder.layer.1.attention.output.dense@in", 16),
            ("encoder.layer.1.intermediate", 24),
            ("encoder.layer.2.intermediate", 24),
            ("encoder.layer.2", 16),
        ),
        settings=(("baselines", ["untrained", "rotation"]),),
        dropped=(INVISIBLE,),
    ),
    "gpt2": Family(
        ["h.*.mlp.act", "h.1", "ln_f", "h.2.attn.c_proj@in"],
        source(
            ("h.0.mlp.act", 64),
            ("h.1.mlp.act", 64),
            ("h.1", 16),
            ("h.2.attn.c_proj@in", 16),
            ("h.2.mlp.act", 64),
            ("ln_f", 16),
        ),
    ),
    "llama": Family(
        ["layers.*.mlp.down_proj@in", "layers.[12].self_attn.o_proj@in", "layers.?", "norm"],
        source(
            ("layers.0.mlp.down_proj@in", 24),
            ("layers.0", 16),
            ("layers.1.self_attn.o_proj@in", 16),
            ("layers.1.mlp.down_proj@in", 24),
            ("layers.1", 16),
            ("layers.2.self_attn.o_proj@in", 16),
            ("layers.2.mlp.down_proj@in", 24),
            ("layers.2", 16),
            ("norm", 16),
        ),
    ),
    "fnet": Family(
        ["encoder.layer.[01]", "encoder.layer.1.intermediate"],
        source(("encoder.layer.0", 16), ("encoder.layer.1.intermediate", 24), ("encoder.layer.1", 16)),
        dropped=(INVISIBLE,),
    ),
    "t5 pairs": Family(T5_LAYERS, T5, corpus="pairs"),
    "t5 copy": Family(T5_LAYERS, T5, settings=(("target", "copy"),)),
    "marian pairs": Family(MARIAN_LAYERS, MARIAN, corpus="pairs"),
    "marian copy": Family(MARIAN_LAYERS, MARIAN, settings=(("target", "copy"),)),
    "convolutions": Family(
        ["same", "pool", "strided"], source(("same", 12), ("pool", 12), ("strided", 10)), dropped=(".",)
    ),
    "lstm": Family(["lstm"], source(("lstm", 12))),
    "cells": Family(["cell"], source(("cell", 7))),
    "llama mean": Family(
        ["layers.*.mlp.down_proj@in"],
        source(*((f"layers.{n}.mlp.down_proj@in", 24) for n in range(3))),
        settings=(("resample", "mean"), ("batch_size", 7), ("seed", 3)),
    ),
    "bert mean": Family(
        ["encoder.layer.1", "encoder.layer.1.intermediate"],
        source(("encoder.layer.1.intermediate", 24), ("encoder.layer.1", 16)),
        settings=(("resample", "mean"),),
        dropped=(INVISIBLE,),
    ),
    "lstm mean": Family(["lstm"], source(("lstm", 12)), settings=(("resample", "mean"),)),
}
OWN = ("convolutions", "lstm", "cells")


def model_of(name: str, checkpoint: Callable[[str], Path]) -> str:
    kind = name.split()[0]
    return f"python:families:{kind}" if kind in OWN else str(checkpoint(kind))


def turned(texts: list[Sentence]) -> list[Sentence]:
    """Every sentence's partner in the corpus of pairs."""
    return [*texts[7:], *texts[:7]]


def on_grid(name: str, grid: str) -> list[str]:
    return [address for address, _, its in FAMILIES[name].expected if its == grid]


def sites(name: str, grid: str, texts: list[Sentence]) -> list[tuple[Sentence, int]]:
    """All words of a grid in reading order, as (sentence, place)."""
    read = turned(texts) if grid == "target" and FAMILIES[name].corpus == "pairs" else texts
    return [(sentence, place) for sentence in read for place in range(len(sentence.words))]


def plain_rows(name: str, texts: list[Sentence], checkpoint: Callable[[str], Path]) -> Rows:
    """What a plain loop over the model finds for a family's layers."""
    family, kind = FAMILIES[name], name.split()[0]
    grids = {address: grid for address, _, grid in family.expected}
    how = dict(family.settings).get("resample", "last")
    if kind in OWN:
        module = {"convolutions": convolutions, "lstm": lstm, "cells": cells}[kind]()
        return read_characters(module, list(grids), texts, how)
    targets = turned(texts) if family.corpus == "pairs" else texts
    return read_transformer(checkpoint(kind), grids, texts, targets if "target" in grids.values() else None, how)


# Fixtures that several tests share.


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("end-to-end")


@pytest.fixture(scope="session")
def texts() -> list[Sentence]:
    return sentences()


@pytest.fixture(scope="session")
def corpora(folder: Path, texts: list[Sentence]) -> dict[str, Path]:
    return {
        "conllu": write_conllu(folder / "small.conllu", texts),
        "pairs": write_pairs(folder / "small.tsv", texts, turned(texts)),
    }


@pytest.fixture(scope="session")
def mapped(folder: Path, corpora: dict[str, Path], checkpoint: Callable[[str], Path]) -> Callable[[str], Atlas]:
    """The atlas of a family, made once."""
    made: dict[str, Atlas] = {}

    def make(name: str) -> Atlas:
        if name not in made:
            family = FAMILIES[name]
            made[name] = unitscope.map(
                model_of(name, checkpoint),
                str(corpora[family.corpus]),
                out=folder / name.replace(" ", "-"),
                layers=family.layers,
                workers=1,
                **dict(family.settings),
            )
        return made[name]

    return make


@pytest.fixture(scope="session")
def observed(texts: list[Sentence], checkpoint: Callable[[str], Path]) -> Callable[[str], Rows]:
    """What a plain loop over the model finds for a family's layers."""
    found: dict[str, Rows] = {}

    def observe(name: str) -> Rows:
        if name not in found:
            found[name] = plain_rows(name, texts, checkpoint)
        return found[name]

    return observe
