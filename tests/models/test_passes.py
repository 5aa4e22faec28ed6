"""What a pass does is tested with whole models in test_torch and test_huggingface; here its bookkeeping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from unitscope.models import Encoded
from unitscope.models.torch import TorchModel
from unitscope.sites import Item, Text


class Counting:
    def __init__(self, *, pads: bool) -> None:
        self.pads = pads
        self.batches: list[tuple[int, int]] = []

    def encode(self, texts: Sequence[Text]) -> Encoded:
        longest = max(text.n_sites for text in texts)
        self.batches.append((len(texts), longest))
        ids = torch.zeros(len(texts), longest, dtype=torch.long)
        for row, text in enumerate(texts):
            ids[row, : text.n_sites] = torch.tensor([int(word) for word in text.words])
        return Encoded(spans=[text.spans for text in texts], args=(ids,))

    probe_word = "1"


def build(*, pads: bool) -> tuple[TorchModel, Counting]:
    adapter = Counting(pads=pads)
    table = nn.Embedding(100, 1)
    with torch.no_grad():
        table.weight[:] = torch.arange(100.0)[:, None]
    return TorchModel(nn.Sequential(table, nn.Identity()), adapter), adapter


ITEMS = [
    Item(str(n), "g", {"source": Text.from_words([str(10 * k + n) for k in range(n)])}) for n in (5, 1, 3, 5, 0, 2)
]


def test_rows_come_back_in_item_and_site_order() -> None:
    for pads in (True, False):
        model, _ = build(pads=pads)
        captured = model.run(ITEMS, model.resolve(["0"]), batch_size=2)
        expected = [10 * k + n for n in (5, 1, 3, 5, 0, 2) for k in range(n)]
        assert captured.values["0"][:, 0].tolist() == expected
        assert captured.valid["source"].all()


def test_batches_are_of_one_length_unless_padding_is_harmless() -> None:
    for pads, expected in ((True, [(2, 2), (2, 5), (1, 5)]), (False, [(1, 1), (1, 2), (1, 3), (2, 5)])):
        model, adapter = build(pads=pads)
        layers = model.resolve(["0"])
        adapter.batches.clear()
        model.run(ITEMS, layers, batch_size=2)
        assert adapter.batches[5:] == expected  # after each of the five texts alone, for its length


def test_results_can_be_used_and_changed_afterwards() -> None:
    model, _ = build(pads=True)
    values = model.run(ITEMS, model.resolve(["0"]), also={"max": {"0": np.array([0])}}).values
    values["0"] += 1
    values["0|max"] += 1
    assert not values["0"].requires_grad
    weight = torch.ones(1, 1, requires_grad=True)
    (values["0"] @ weight).sum().backward()
    assert weight.grad is not None
