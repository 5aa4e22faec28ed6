"""A planted network: units of which it is known what they do, beside units that only look as if they did.

Words carry concepts. One layer of units reads them; what the network says of each site (scores of tokens) and of each
item (scores of classes) is a linear function of that layer. Every concept has

- a `cause`, a detector of the concept that the output reads;
- `correlates`, detectors as good as the cause, which nothing reads: their outgoing weights are zero;
- an `unread` detector, which writes where the readout does not look;
- a `cancelled` detector, which writes to two places that the readout adds up, with opposite signs.

Further units are `hidden` causes, which the output reads and no concept goes with, and `noise`. So whatever measures
what a unit does must name the causes and the hidden causes, and nothing else; whatever measures what units go with
cannot tell a cause from its correlates. Tokens and classes are drawn from what the network itself says, so that its
loss is near the least there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unitscope.activations import Activations
from unitscope.causal.bound import Bound
from unitscope.concepts.table import ConceptTable
from unitscope.models.adapters import Encoded
from unitscope.models.torch import TorchModel
from unitscope.sites import Item, Text
from unitscope.study.prepare import Sites

Kind = Literal["cause", "hidden", "correlate", "unread", "cancelled", "noise"]
CAUSAL: tuple[Kind, ...] = ("cause", "hidden")
LAYER = "units"
Floats = NDArray[np.float64]

N_TOKENS, N_CLASSES, N_READ = 8, 3, 6
"""Tokens and classes that are told apart; directions that the readout looks at, beside two for what cancels out."""
PREVALENCE, GAIN, NOISE, HIDDEN = 0.3, 2.0, 0.3, 1.0
"""Share of words with a concept; what it adds to a detector; noise of detectors; spread of hidden causes. Two detectors
of a concept correlate with r = .90."""
N_WORDS, N_SITES = 400, 8


@dataclass(frozen=True)
class Planted:
    """A unit: its kind, and the concept that it detects (-1 for none)."""

    kind: Kind
    concept: int = -1


class Readout(nn.Module):
    """Words [B, T] to scores [B, T, V + C] of tokens and of classes; an item's class scores are means over its sites.

    `embed` gives each word its signals and noise, `units` makes the layer of it, `out` writes to directions and `head`
    reads them.
    """

    def __init__(self, words: Floats, units: Floats, out: Floats, head: Floats) -> None:
        super().__init__()
        self.embed = nn.Embedding(*words.shape)
        self.units = nn.Linear(words.shape[1], len(units), bias=False)
        self.out = nn.Linear(len(units), len(out), bias=False)
        self.head = nn.Linear(len(out), len(head), bias=False)
        for part, weight in ((self.embed, words), (self.units, units), (self.out, out), (self.head, head)):
            part.weight = nn.Parameter(torch.from_numpy(weight).float())

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Scores [B, T, V + C]."""
        found: torch.Tensor = self.head(self.out(self.units(self.embed(words))))
        return found


class Numbered:
    """Adapter: the word `w17` is word 17."""

    pads = False
    probe_word = "w0"

    def encode(self, texts: Sequence[Text]) -> Encoded:
        """See `unitscope.models.adapters.Adapter`."""
        words = [[int(word[1:]) for word in text.words] for text in texts]
        return Encoded([np.array(text.spans).reshape(-1, 2) for text in texts], (torch.tensor(words),))


def token_scores(output: Any) -> torch.Tensor:
    """Scores [B, T, V] of the token at each site."""
    found: torch.Tensor = output[..., :N_TOKENS]
    return found


def class_scores(output: Any) -> torch.Tensor:
    """Scores [B, C] of an item's class."""
    found: torch.Tensor = output[..., N_TOKENS:].mean(dim=1)
    return found


@dataclass(frozen=True)
class PlantedNetwork:
    """The network as a model, its units, its corpus, and weights for whoever reckons by hand.

    `words` [N, W] are the items' words; `tokens` [N, W] and `classes` [N] what is to be said of sites and items;
    `bits` [n_words, concepts] the concepts of each word; `effects` [V + C, U] what one of a unit adds to each score.
    """

    model: TorchModel
    units: tuple[Planted, ...]
    words: NDArray[np.int64]
    tokens: NDArray[np.int64]
    classes: NDArray[np.int64]
    bits: NDArray[np.bool_]
    effects: Floats

    @classmethod
    def draw(
        cls,
        seed: int,
        *,
        n_items: int = 200,
        n_concepts: int = 6,
        n_correlates: int = 3,
        n_hidden: int = 6,
        n_noise: int = 16,
        strength: tuple[float, float] = (0.5, 2.0),
    ) -> PlantedNetwork:
        """Random words, weights and items. `strength`: range of how much one of a causal unit adds to scores (their
        standard deviation over tokens), drawn uniformly on the scale of its logarithm."""
        rng = np.random.default_rng([seed, 6])
        kinds: list[Kind] = ["cause", *["correlate"] * n_correlates, "unread", "cancelled"]  # type: ignore[list-item]
        units = [Planted(kind, concept) for concept in range(n_concepts) for kind in kinds]
        units += [Planted("hidden")] * n_hidden + [Planted("noise")] * n_noise
        units = [units[at] for at in rng.permutation(len(units))]
        bits = rng.random((N_WORDS, n_concepts)) < PREVALENCE
        words = np.hstack([bits, rng.normal(size=(N_WORDS, len(units)))]).astype(np.float64)
        reading = np.zeros((len(units), words.shape[1]))
        for at, unit in enumerate(units):
            if unit.concept >= 0:
                reading[at, unit.concept] = GAIN
            reading[at, n_concepts + at] = NOISE if unit.concept >= 0 else HIDDEN
        out, head = _weights(units, strength, rng)
        module = Readout(words, reading, out, head).eval()
        effects = head @ out
        read = rng.integers(0, N_WORDS, (n_items, N_SITES))
        scores = (words @ reading.T @ effects.T)[read]
        tokens = _drawn(scores[..., :N_TOKENS], rng)
        classes = _drawn(scores[..., N_TOKENS:].mean(axis=1), rng)
        model = TorchModel(module, Numbered(), name="planted")
        return cls(model, tuple(units), read, tokens, classes, bits, effects)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Addresses of all units, in order."""
        return tuple(f"{LAYER}:{at}" for at in range(len(self.units)))

    def named(self, *kinds: Kind) -> tuple[str, ...]:
        """Addresses of the units of some kinds."""
        return tuple(name for name, unit in zip(self.addresses, self.units) if unit.kind in kinds)

    @property
    def causal(self) -> frozenset[str]:
        """Addresses of the units that the output depends on."""
        return frozenset(self.named(*CAUSAL))

    @property
    def concepts(self) -> tuple[str, ...]:
        """Names of the concepts."""
        return tuple(f"concept:{at}" for at in range(self.bits.shape[1]))

    @property
    def matches(self) -> tuple[tuple[str, str], ...]:
        """Every unit that detects a concept, with it, whatever the unit does."""
        found = zip(self.addresses, self.units)
        return tuple((name, self.concepts[unit.concept]) for name, unit in found if unit.concept >= 0)

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Items with their class as a label, each its own group."""
        return tuple(
            Item(str(at), str(at), {"source": Text.from_words([f"w{word}" for word in row])}, {"class": str(label)})
            for at, (row, label) in enumerate(zip(self.words.tolist(), self.classes.tolist()))
        )

    @cached_property
    def activations(self) -> Activations:
        """Values of all units at all sites, with the concepts."""
        n, width = self.words.shape
        with torch.no_grad():
            words = torch.from_numpy(self.words.reshape(-1))
            module: Any = self.model.module
            values = module.units(module.embed(words)).numpy()
        held = [np.flatnonzero(self.bits[self.words.reshape(-1), at]) for at in range(len(self.concepts))]
        starts = np.concatenate([[0], np.cumsum([len(each) for each in held])])
        categories = ("concept",) * len(held)
        table = ConceptTable(self.concepts, categories, starts, np.concatenate(held).astype(np.int32), n * width)
        item, position = np.divmod(np.arange(n * width, dtype=np.int32), np.int32(width))
        length, form = np.full(n * width, width, np.int32), self.words.reshape(-1).astype(np.int32)
        return Activations.of_arrays({LAYER: values}, table, sites=Sites(item, position, length, form))

    @property
    def token_task(self) -> Bound:
        """Loss of the token at each site, in nats: one number a site, as of a language model."""
        said = self._by_item(self.tokens)

        def read(output: Any, batch: Sequence[Item]) -> list[torch.Tensor]:
            own = torch.from_numpy(np.array([said[item.id] for item in batch]))
            return list(nn.functional.cross_entropy(token_scores(output).transpose(1, 2), own, reduction="none"))

        places = tuple(np.arange(self.words.shape[1]) for _ in self.items)
        return Bound(self.items, read, places=places)

    @property
    def class_task(self) -> Bound:
        """Loss of each item's class, in nats."""
        named = self._by_item(self.classes)

        def read(output: Any, batch: Sequence[Item]) -> list[torch.Tensor]:
            own = torch.from_numpy(np.array([named[item.id] for item in batch]))
            return list(nn.functional.cross_entropy(class_scores(output), own, reduction="none")[:, None])

        return Bound(self.items, read)

    def losses(self, values: Floats) -> Floats:
        """Loss of the token at each site [S], reckoned from values [S, U] by the definition in double precision."""
        scores = values @ self.effects[:N_TOKENS].T
        chosen = np.take_along_axis(scores, self.tokens.reshape(-1, 1), axis=1)[:, 0]
        return np.asarray(np.log(np.exp(scores).sum(axis=1)) - chosen)

    def _by_item(self, of: NDArray[np.int64]) -> Mapping[str, Any]:
        return MappingProxyType({item.id: each for item, each in zip(self.items, of)})


def _weights(
    units: Sequence[Planted], strength: tuple[float, float], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """What units write [D, U] and what is read of it [V + C, D].

    Of the D directions the first ones are read, the next two are read alike (what differs in sign cancels), and the
    last two not at all.
    """
    n = N_READ + 4
    head = rng.normal(size=(N_TOKENS + N_CLASSES, n))
    head[:, N_READ + 1] = head[:, N_READ]
    head[:, N_READ + 2 :] = 0
    out = np.zeros((n, len(units)))
    for at, unit in enumerate(units):
        if unit.kind in CAUSAL:
            column = rng.normal(size=N_READ)
            spread = float((head[:N_TOKENS, :N_READ] @ column).std())
            size = float(np.exp(rng.uniform(*np.log(strength))))
            out[:N_READ, at] = column * size / spread
        elif unit.kind == "unread":
            out[N_READ + 2 :, at] = rng.normal(size=2)
        elif unit.kind == "cancelled":
            out[N_READ : N_READ + 2, at] = np.array([1, -1]) * rng.normal()
    return out, head


def _drawn(scores: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """One of the last axis by chance, with the softmax of scores as probabilities (Gumbel's trick)."""
    return np.asarray(np.argmax(scores + rng.gumbel(size=scores.shape), axis=-1), np.int64)
