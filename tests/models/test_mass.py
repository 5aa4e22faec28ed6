"""Attention mass against loops over `output_attentions`, one sentence at a time."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from unitscope.errors import ModelError, UnknownLayerError
from unitscope.models import Encoded, load_model
from unitscope.models.mass import TARGETS, is_punctuation, unit_name
from unitscope.models.torch import TorchModel
from unitscope.sites import Item, Text

Checkpoint = Callable[[str], Path]
LAYERS = {
    "bert": [f"encoder.layer.{n}.attention.self~mass" for n in range(3)],
    "roberta": [f"encoder.layer.{n}.attention.self~mass" for n in range(2)],
    "gpt2": [f"h.{n}.attn~mass" for n in range(3)],
    "llama": [f"layers.{n}.self_attn~mass" for n in range(3)],
}
REDUCE: dict[str, Callable[[Any], Any]] = {
    "last": lambda rows: rows[-1],
    "first": lambda rows: rows[0],
    "mean": lambda rows: np.mean(rows, axis=0),
    "max": lambda rows: np.max(rows, axis=0),
}


@pytest.fixture(scope="module")
def sentences(items: list[Item]) -> list[Item]:
    """The usual ones, and one with several kinds of repetition and punctuation."""
    text = Text.from_words(["the", "cat", ",", "the", "cats", ",", "and", "the", "unbelievable", "the", ".", '"', "."])
    return [*items, Item("more", "g", {"source": text})]


def targets(position: int, word: int, at: list[list[int]], spans: list[Any], forms: list[str]) -> Iterator[set[int]]:
    """Keys of each target for one position of one word, in the order of TARGETS."""
    mine = set(at[word])
    yield {position}
    yield mine - {position}
    yield set(at[word - 1]) - mine if word > 0 else set()
    yield set(at[word + 1]) - mine if word + 1 < len(at) else set()
    yield {0}
    yield {key for key, (a, b) in enumerate(spans) if b <= a and key > 0}
    marks = [w for w, form in enumerate(forms) if all(unicodedata.category(c)[0] == "P" for c in form)]
    yield {key for w in marks for key in at[w]} - mine
    yield {key for w, form in enumerate(forms) if form == forms[word] for key in at[w]} - mine


def naive(folder: Path, items: list[Item], layer: int, how: str) -> list[np.ndarray[Any, Any] | None]:
    """Masses [head * target] of every word, None for words without a position."""
    model = load_model(str(folder))
    plain = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    found: list[np.ndarray[Any, Any] | None] = []
    for item in items:
        text = item.grids["source"]
        row = model.feed.rows("source", [text])[0]  # type: ignore[attr-defined]
        spans, forms = row.spans.tolist(), model.normalise(text.words)
        with torch.no_grad():
            out = plain(input_ids=torch.from_numpy(row.ids)[None], output_attentions=True)
        weights = out.attentions[layer][0].double().numpy()
        at = [[k for k, (a, b) in enumerate(spans) if b > a and a < end and b > start] for start, end in text.spans]
        for word in range(len(at)):
            rows = []
            for position in at[word]:
                sets = list(targets(position, word, at, spans, forms))
                rows.append([sum(head[position, key] for key in keys) for head in weights for keys in sets])
            found.append(REDUCE[how](np.array(rows)) if rows else None)
    return found


@pytest.mark.parametrize("how", list(REDUCE))
@pytest.mark.parametrize("kind", list(LAYERS))
def test_masses_are_those_of_a_plain_loop(checkpoint: Checkpoint, sentences: list[Item], kind: str, how: Any) -> None:
    model = load_model(str(checkpoint(kind)))
    layers = model.resolve(["*~mass"])
    assert [layer.address for layer in layers] == LAYERS[kind]
    captured = model.run(sentences, layers, resample=how, batch_size=4)
    for number, layer in enumerate(layers):
        assert (layer.width, layer.role) == (layer.n_heads * len(TARGETS), "attention mass")
        expected = naive(checkpoint(kind), sentences, number, how)
        values = captured.values[layer.address].numpy()
        assert captured.valid["source"].tolist() == [row is not None for row in expected]
        seen = captured.valid["source"]
        np.testing.assert_allclose(values[seen], np.array([row for row in expected if row is not None]), atol=2e-5)
    by_target = values[seen].reshape(seen.sum(), -1, len(TARGETS)).mean(axis=(0, 1))
    causal = kind in ("gpt2", "llama")
    never = {"next", "special"} if causal else set()
    never |= {"same word"} if causal and how == "first" else set()
    assert {name for name, mass in zip(TARGETS, by_target) if mass < 1e-7} == never


def test_other_layers_are_read_from_the_model_as_it_came(checkpoint: Checkpoint, items: list[Item]) -> None:
    model = load_model(str(checkpoint("bert")))
    before = model.module.config._attn_implementation  # type: ignore[attr-defined]
    alone = model.run(items, model.resolve(["encoder.layer.1"]))
    both = model.run(items, model.resolve(["encoder.layer.1", LAYERS["bert"][0]]))
    torch.testing.assert_close(both.values["encoder.layer.1"], alone.values["encoder.layer.1"], rtol=0, atol=0)
    assert model.module.config._attn_implementation == before != "eager"  # type: ignore[attr-defined]


def test_chosen_units_and_ranges(checkpoint: Checkpoint, items: list[Item]) -> None:
    model = load_model(str(checkpoint("gpt2")))
    name = LAYERS["gpt2"][1]
    layers = model.resolve([name])
    mean = model.run(items, layers, resample="mean").values[name]
    also = model.run(items, layers, also={"mean": {name: np.array([9, 2])}}, only={name: (3, 11)}).values
    torch.testing.assert_close(also[f"{name}|mean"], mean[:, [9, 2]])
    torch.testing.assert_close(also[name], model.run(items, layers).values[name][:, 3:11], rtol=0, atol=0)


def test_encoder_and_decoder_have_their_own_grid_and_cross_attention_none(checkpoint: Checkpoint) -> None:
    layers = load_model(str(checkpoint("marian"))).resolve(["*~mass"])
    assert [(layer.address, layer.grid, layer.n_heads) for layer in layers] == [
        ("encoder.layers.0.self_attn~mass", "source", 4),
        ("encoder.layers.1.self_attn~mass", "source", 4),
        ("decoder.layers.0.self_attn~mass", "target", 2),
        ("decoder.layers.1.self_attn~mass", "target", 2),
    ]


def test_the_untrained_copy_has_masses_too(checkpoint: Checkpoint, items: list[Item]) -> None:
    model = load_model(str(checkpoint("llama")))
    name = LAYERS["llama"][0]
    other = model.untrained(3)
    values = [each.run(items, model.resolve([name])).values[name] for each in (model, other)]
    assert values[0].shape == values[1].shape
    assert not torch.allclose(*values)


@pytest.mark.parametrize("kind", ["fnet", "albert"])
def test_models_without_attention_or_with_shared_layers_have_none(checkpoint: Checkpoint, kind: str) -> None:
    with pytest.raises(UnknownLayerError):
        load_model(str(checkpoint(kind))).resolve(["*~mass"])


class Weights(nn.Module):
    """Gives values and attention weights, one head that looks at the position before."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        n = x.shape[1]
        back = torch.eye(n).roll(-1, dims=1)
        back[0] = torch.eye(n)[0]
        weights = back.expand(len(x), 1, n, n)
        return (weights[:, 0] @ x), weights


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(128, 4)
        self.attend = Weights()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        if ids.max() > 126:
            raise ValueError("too large")
        return self.attend(self.embed(ids))[0]  # type: ignore[no-any-return]


class Letters:
    pads = False

    def encode(self, texts: Any) -> Encoded:
        rows = [[ord(letter) for letter in text.text] for text in texts]
        return Encoded(spans=[[(at, at + 1) for at in range(len(row))] for row in rows], args=(torch.tensor(rows),))


def test_any_module_that_gives_weights_has_masses() -> None:
    model = TorchModel(Own(), Letters())
    item = Item("a", "g", {"source": Text("ab c", ((0, 2), (3, 4)))})
    values = model.run([item], model.resolve(["attend~mass"]), resample="first").values["attend~mass"]
    by_name = dict(zip(TARGETS, values.T.tolist()))
    assert by_name["self"] == [1, 0]  # the first position has nothing before it
    assert by_name["previous"] == [0, 0]  # before the second word comes a blank, which is no word's
    last = model.run([item], model.resolve(["attend~mass"]), resample="last").values["attend~mass"]
    assert dict(zip(TARGETS, last.T.tolist()))["same word"] == [1, 0]


def test_a_module_that_does_not_run_is_told() -> None:
    class Broken(Own):
        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            if ids.shape[1] in (11, 13):
                raise ValueError("no such length")
            return super().forward(ids)

    with pytest.raises(ModelError, match=r"does not run with plain attention: ValueError: no such length"):
        TorchModel(Broken(), Letters()).resolve(["*~mass"])


def test_names_and_punctuation() -> None:
    assert [unit_name(unit) for unit in (0, 7, 8)] == ["head 0 → self", "head 0 → same form", "head 1 → self"]
    assert [is_punctuation(word) for word in (",", "``", "--", "'s", "$", "")] == [
        True,
        False,
        True,
        False,
        False,
        False,
    ]
