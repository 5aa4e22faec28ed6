"""Small networks that read characters, each with its adapter. Not a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unitscope.models import Encoded
from unitscope.sites import Text


class Characters:
    """One position a character; zeros fill shorter texts where the network hides them."""

    def __init__(self, *, pads: bool = False) -> None:
        self.pads = pads

    def encode(self, texts: Sequence[Text]) -> Encoded:
        ids = torch.zeros(len(texts), max(len(text.text) for text in texts), dtype=torch.long)
        for row, text in enumerate(texts):
            ids[row, : len(text.text)] = torch.tensor([ord(letter) % 60 + 1 for letter in text.text])
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
    """A recurrent network of any kind; with `packed`, padding is hidden by packing."""

    def __init__(self, kind: str = "LSTM", *, packed: bool = True, **options: Any) -> None:
        super().__init__()
        self.packed = packed
        self.embed = nn.Embedding(61, 8)
        self.rnn = getattr(nn, kind)(8, 6, **options)
        self.adapter = Characters(pads=packed)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        values = self.embed(ids) if self.rnn.batch_first else self.embed(ids).transpose(0, 1)
        if not self.packed:
            return self.rnn(values)[0]
        lengths = (ids != 0).sum(1)
        first = self.rnn.batch_first
        packed = pack_padded_sequence(values, lengths, batch_first=first, enforce_sorted=False)
        out: torch.Tensor = pad_packed_sequence(self.rnn(packed)[0], batch_first=first)[0]
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


class Inplace(nn.Module):
    """Rectified in place, and the changed tensor used again by its owner; one convolution called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(61, 8)
        self.first = nn.Conv1d(8, 8, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv1d(8, 6, 3, padding=1)
        self.third = nn.Conv1d(6, 6, 1)
        self.adapter = Characters()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.first(self.embed(ids).transpose(1, 2))
        y = self.first(self.relu(x))
        z = self.second(x + y)  # x has been rectified in place by now
        out: torch.Tensor = self.third(self.relu(self.third(self.relu(z)))) + z
        return out


class Keeper(nn.Module):
    """Keeps the values it has seen: a side effect that cannot be given back."""

    def __init__(self) -> None:
        super().__init__()
        self.last: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.last = x
        return x * 2


class Keeping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(61, 8)
        self.keeper = Keeper()
        self.same = nn.Conv1d(8, 8, 3, padding=1)
        self.adapter = Characters()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.same(self.keeper(self.embed(ids).transpose(1, 2)))
        return out


class Mixing(nn.Module):
    """Rows depend on each other, so that copies would tell."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(61, 8)
        self.same = nn.Conv1d(8, 8, 3, padding=1)
        self.adapter = Characters()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.same(self.embed(ids).transpose(1, 2)).cumsum(0)
        return out


def seeded(kind: Callable[[], nn.Module]) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return kind().eval()
