"""Networks whose output is a known function of their units, for sweeps to find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from unitscope.causal.bench import Bench
from unitscope.causal.bound import Bound
from unitscope.models.adapters import Encoded
from unitscope.models.torch import TorchModel
from unitscope.sites import Item, Text

N_UNITS = 6
Output = Callable[[torch.Tensor], torch.Tensor]


class Known(nn.Module):
    """Units are the input's signals; the output [B, T] is a function of them [B, T, U]."""

    def __init__(self, output: Output, n_units: int) -> None:
        super().__init__()
        self.units, self.output = nn.Linear(n_units, n_units, bias=False), output
        with torch.no_grad():
            self.units.weight.copy_(torch.eye(n_units))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.output(self.units(values))


class Numbers:
    """Texts of words that are numbers: each is the seed of a site's signals."""

    pads = False
    probe_word = "1"

    def __init__(self, n_units: int, mean: float) -> None:
        self.n_units, self.mean = n_units, mean

    def signals(self, text: Text) -> NDArray[np.float64]:
        draws = [np.random.default_rng(int(word)).normal(self.mean, 1, self.n_units) for word in text.words]
        return np.array(draws)

    def encode(self, texts: Sequence[Text]) -> Encoded:
        spans = [np.array(text.spans).reshape(-1, 2) for text in texts]
        values = np.array([self.signals(text) for text in texts])
        return Encoded(spans, (torch.tensor(values, dtype=torch.float32),))


@dataclass(frozen=True)
class Planted:
    """A network with what goes into its units: `signals` [I, T, U]."""

    model: TorchModel
    items: tuple[Item, ...]
    signals: NDArray[np.float64]
    output: Output

    def bench(self, **options: Any) -> Bench:
        """All items, each a block; the task is the mean output. `classes` [I] name a class for each item's number."""
        classes = options.pop("classes", None)
        chosen = options.pop("items", range(len(self.items)))
        items = tuple(self.items[at] for at in chosen)
        names = tuple(sorted({classes[at] for at in chosen})) if classes else ()
        of_number = tuple(np.array([names.index(classes[at])]) for at in chosen) if classes else ()
        task = Bound(items, lambda out, batch: list(out.mean(dim=1, keepdim=True)), classes=names, of_number=of_number)
        return Bench(self.model, task, list(range(len(items))), **options)

    def value(self, removed: Sequence[str], chosen: Sequence[int] | None = None) -> float:
        """The task's value without units, computed by hand."""
        signals = self.signals[range(len(self.items)) if chosen is None else list(chosen)].copy()
        signals[..., [int(unit.split(":")[1]) for unit in removed]] = 0
        return float(self.output(torch.from_numpy(signals)).mean())


@pytest.fixture
def plant() -> Callable[..., Planted]:
    """From an output function to a network and 40 items of 3 sites."""

    def make(output: Output, *, n_units: int = N_UNITS, n_items: int = 40, mean: float = 1.0) -> Planted:
        words = np.random.default_rng(3).integers(1, 100_000, (n_items, 3))
        items = tuple(
            Item(f"s{n}", f"s{n}", {"source": Text.from_words([str(w) for w in row])}) for n, row in enumerate(words)
        )
        numbers = Numbers(n_units, mean)
        signals = np.array([numbers.signals(item.grids["source"]) for item in items])
        return Planted(TorchModel(Known(output, n_units).eval(), numbers), items, signals, output)

    return make
