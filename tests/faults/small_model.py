"""A network, its adapter and a corpus small enough to be run, killed and run again many times.

Not a test: worker processes and the kill driver import it as `python:small_model:make`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from unitscope.models.adapters import Encoded
from unitscope.sites import Text

TEXT = "the a cat dog bank river runs sat red big on in of book books read reads she he ran"
WORDS = TEXT.split()


class Words:
    """One position a word; its number is the sum of its bytes."""

    def encode(self, texts: Sequence[Text]) -> Encoded:
        ids = np.zeros((len(texts), max(text.n_sites for text in texts)), np.int64)
        for row, text in enumerate(texts):
            ids[row, : text.n_sites] = [sum(word.encode()) % 50 + 1 for word in text.words]
        return Encoded(spans=[list(text.spans) for text in texts], args=(torch.from_numpy(ids),))


class Net(nn.Module):
    """Each word sees a little of the word before it."""

    def __init__(self, mix: int = 12, out: int = 8) -> None:
        super().__init__()
        self.embed = nn.Embedding(51, 8)
        self.mix = nn.Linear(8, mix)
        self.out = nn.Linear(mix, out)
        self.adapter = Words()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        seen: torch.Tensor = self.embed(ids)
        before = torch.cat([torch.zeros_like(seen[:, :1]), seen[:, :-1]], dim=1)
        found: torch.Tensor = self.out(torch.tanh(self.mix(seen + 0.4 * before)))
        return found


def make() -> nn.Module:
    """The factory."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return Net()


def make_wide() -> nn.Module:
    """Layers of several blocks of 16 units, the last of which are not full."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return Net(40, 24)


def write_corpus(path: Path, n_documents: int = 60, per_document: int = 5) -> Path:
    """Short sentences with upos as CoNLL-U; 300 of them, which makes two shards."""
    draw = random.Random(3)
    lines: list[str] = []
    for document in range(n_documents):
        lines.append(f"# newdoc id = d{document:02d}")
        for sentence in range(per_document):
            lines.append(f"# sent_id = d{document:02d}-{sentence}")
            for at in range(1, draw.randint(3, 6) + 1):
                word = draw.choice(WORDS)
                upos = "NOUN" if len(word) > 3 else "DET" if len(word) == 1 else "VERB"
                lines.append(f"{at}\t{word}\t{word}\t{upos}\t_\t_\t{0 if at == 1 else 1}\tdep\t_\t_")
            lines.append("")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
