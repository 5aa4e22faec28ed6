"""Modules of our own: convolutions with a stride, recurrent networks, cells called once a character."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unitscope.errors import ModelError, UnknownLayerError
from unitscope.models import Adapter, Encoded, Model
from unitscope.models.torch import TorchModel
from unitscope.sites import Item, Text


class Characters:
    """One position a character; with `pads`, zeros fill shorter texts."""

    def __init__(self, *, pads: bool = False, max_positions: int | None = None) -> None:
        self.pads, self.max_positions = pads, max_positions

    def encode(self, texts: Sequence[Text]) -> Encoded:
        longest = max(len(text.text) for text in texts)
        assert self.pads or all(len(text.text) == longest for text in texts)
        ids = torch.zeros(len(texts), longest, dtype=torch.long)
        for row, text in enumerate(texts):
            ids[row, : len(text.text)] = torch.tensor([ord(c) % 50 + 1 for c in text.text])
        spans = [[(at, at + 1) for at in range(len(text.text))] for text in texts]
        return Encoded(spans=spans, args=(ids,))


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(51, 6)
        self.same = nn.Conv1d(6, 8, 3, padding=1)
        self.valid = nn.Conv1d(8, 7, 3)
        self.pool = nn.MaxPool1d(2)
        self.strided = nn.Conv1d(7, 5, 4, stride=2, padding=1)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids).transpose(1, 2)
        return self.strided(self.pool(self.valid(self.same(x).relu_()).relu_()))


class Recurrent(nn.Module):
    def __init__(self, *, batch_first: bool = False, packed: bool = False) -> None:
        super().__init__()
        self.batch_first, self.packed = batch_first, packed
        self.embed = nn.Embedding(51, 6)
        self.lstm = nn.LSTM(6, 5, bidirectional=True, batch_first=batch_first)
        self.head = nn.Linear(10, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        x = x if self.batch_first else x.transpose(0, 1)
        if self.packed:
            lengths = (ids != 0).sum(1)
            packed, _ = self.lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
            return self.head(pad_packed_sequence(packed, batch_first=True)[0])
        return self.head(self.lstm(x)[0])


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(51, 6)
        self.cell = nn.LSTMCell(6, 5)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        h = torch.zeros(len(ids), 5)
        c = torch.zeros(len(ids), 5)
        for x in self.embed(ids).unbind(1):
            h, c = self.cell(x, (h, c))
        return h


class Changing(nn.Module):
    """Changes the output of its first module in place, and calls its second twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(51, 6)
        self.first = nn.Linear(6, 6)
        self.second = nn.Linear(6, 6)
        self.third = nn.Linear(6, 6)
        self.n_third = 0

    def forward(self, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.first(self.embed(ids))
        x.zero_().add_(1)
        x = self.second(self.second(x))
        self.n_third += 1
        return {"out": self.third(x)}


def build(kind: type[nn.Module], adapter: Adapter | None = None, **options: Any) -> TorchModel:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return TorchModel(kind(**options), adapter or Characters(), name="tiny")


def alone(module: nn.Module, name: str, text: Text) -> Any:
    """Output of a submodule for one text."""
    kept: list[Any] = []
    handle = module.get_submodule(name).register_forward_hook(lambda m, i, out: kept.append(copy.deepcopy(out)))
    with torch.no_grad():
        module(*Characters().encode([text]).args)
    handle.remove()
    return kept


def test_it_is_a_model() -> None:
    assert isinstance(build(Cells), Model)


@pytest.mark.parametrize(
    ("layer", "first", "size"),
    # The characters in the middle of what a position sees, by hand: the first one, and how many.
    [("same", 0, 1), ("valid", 1, 1), ("pool", 1, 2), ("strided", 1, 4)],
)
@pytest.mark.parametrize("how", ["last", "first", "mean", "max"])
def test_convolutions_with_strides(items: list[Item], layer: str, first: int, size: int, how: Any) -> None:
    model = build(Convolutions)
    (found,) = model.resolve([layer])
    long = [item for item in items if len(item.grids["source"].text) > 8] * 2
    captured = model.run(long, [found], resample=how, batch_size=4)
    at = 0
    n_valid = 0
    for item in long:
        text = item.grids["source"]
        states = alone(model.module, layer, text)[0][0]
        covers = [set(range(first + size * j, first + size * (j + 1))) for j in range(states.shape[1])]
        for start, end in text.spans:
            rows = [j for j, mine in enumerate(covers) if mine & set(range(start, end))]
            values = captured.values[layer][at]
            assert bool(captured.valid["source"][at]) == bool(rows), (text.text[start:end], rows)
            if rows:
                mine = states[:, rows]
                expected = {"last": mine[:, -1], "first": mine[:, 0], "mean": mine.mean(1), "max": mine.amax(1)}[how]
                torch.testing.assert_close(values, expected, rtol=1e-5, atol=1e-6)
                n_valid += 1
            else:
                assert not values.any()
            at += 1
    assert n_valid > 50


def test_sites_that_a_layer_lacks_are_invalid_in_all(items: list[Item]) -> None:
    model = build(Convolutions)
    captured = model.run(items, model.resolve(["valid", "embed"]))
    # Without padding the convolution never sees a text's first and last character in the middle: full stops go.
    words = [word for item in items for word in item.grids["source"].words]
    gone = [word for word, valid in zip(words, captured.valid["source"]) if not valid]
    assert gone == [".", "A", ".", "."]
    assert captured.counts["dropped_words"] == 4
    assert not captured.values["embed"][torch.from_numpy(~captured.valid["source"])].any()
    assert model.run(items, model.resolve(["embed"])).valid["source"].all()


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_fused_lstm(items: list[Item], batch_first: bool) -> None:
    model = build(Recurrent, batch_first=batch_first)
    (layer,) = model.resolve(["lstm"])
    assert (layer.width, layer.role) == (10, "recurrent state")
    captured = model.run(items, [layer])
    at = 0
    for item in items:
        text = item.grids["source"]
        states = alone(model.module, "lstm", text)[0][0]
        states = states[0] if batch_first else states[:, 0]
        for _, end in text.spans:
            torch.testing.assert_close(captured.values["lstm"][at], states[end - 1], rtol=1e-5, atol=1e-6)
            at += 1


def test_a_packed_lstm_reads_padded_batches(items: list[Item]) -> None:
    packed = build(Recurrent, Characters(pads=True), batch_first=True, packed=True)
    plain = build(Recurrent, batch_first=True)
    layers = packed.resolve(["lstm"])
    torch.testing.assert_close(
        packed.run(items, layers).values["lstm"], plain.run(items, layers).values["lstm"], rtol=1e-5, atol=1e-6
    )


def test_calls_of_a_cell_are_a_time_axis(items: list[Item]) -> None:
    model = build(Cells)
    layers = model.resolve(["cell", "cell[1]"])
    assert [(layer.address, layer.width) for layer in layers] == [("cell", 5), ("cell[1]", 5)]
    captured = model.run(items, layers, resample="mean")
    at = 0
    for item in items:
        text = item.grids["source"]
        steps = alone(model.module, "cell", text)
        for start, end in text.spans:
            for element, address in enumerate(["cell", "cell[1]"]):
                states = torch.stack([step[element][0] for step in steps])
                torch.testing.assert_close(
                    captured.values[address][at], states[start:end].mean(0), rtol=1e-5, atol=1e-6
                )
            at += 1


def test_a_time_step_is_not_a_layer() -> None:
    model = build(Cells)
    with pytest.raises(UnknownLayerError, match=r"Calls of 'cell' in tiny are its time steps.*pick sites instead"):
        model.resolve(["cell#3"])


def test_inputs_shared_calls_and_later_changes(items: list[Item]) -> None:
    model = build(Changing)
    layers = model.resolve(["first", "second", "second@in#1", "third@in"])
    assert [layer.address for layer in layers] == ["first", "second#0", "second@in#1", "second#1", "third@in"]
    values = model.run(items, layers).values
    assert float(values["first"].std()) > 0.1  # the ones written over it later are not seen
    torch.testing.assert_close(values["second#0"], values["second@in#1"])
    torch.testing.assert_close(values["second#1"], values["third@in"])
    assert not torch.equal(values["second#0"], values["second#1"])
    assert [layer.address for layer in model.layers()] == ["embed", "first", "second#0", "second#1", "third"]


def test_the_forward_stops_after_the_deepest_layer(items: list[Item]) -> None:
    model = build(Changing)
    layers = model.resolve(["first", "second#0"])
    before = model.module.n_third
    model.run(items, layers)
    assert model.module.n_third == before
    model.run(items, model.resolve(["third"]))
    assert model.module.n_third > before


def test_hooks_are_removed_also_after_errors(items: list[Item]) -> None:
    model = build(Changing)
    layers = model.resolve(["first", "third"])

    def hooks() -> int:
        return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.module.modules())

    model.run(items, layers)
    assert hooks() == 0
    model.module.second = nn.Linear(1, 1)
    with pytest.raises(ModelError, match=r"tiny failed on item 's3' \(3 positions\): RuntimeError: .*smaller batch"):
        model.run(items, layers)
    assert hooks() == 0
    with pytest.raises(ModelError, match=r"tiny does not run on text: RuntimeError.*what its adapter gives it"):
        TorchModel(model.module, Characters(), name="tiny").layers()
    assert hooks() == 0


def test_a_layer_that_is_not_reached() -> None:
    class Moody(Changing):
        def forward(self, ids: torch.Tensor) -> Any:
            return super().forward(ids) if ids.shape[0] > 1 else None

    model = build(Moody)
    with pytest.raises(ModelError, match="Layer 'first' was not reached by a forward pass"):
        model.run([Item("a", "g", {"source": Text.from_words(["a"])})], model.resolve(["first"]))


def test_near_misses() -> None:
    model = build(Changing)
    with pytest.raises(UnknownLayerError) as caught:
        model.resolve(["thrid"])
    assert (
        str(caught.value)
        == "Layer 'thrid' not in tiny. Closest: 'third', 'third@in'. List them: unitscope layers MODEL"
    )
    with pytest.raises(UnknownLayerError, match=r"Layer 'decoder\.\*' not in tiny. List them"):
        model.resolve(["decoder.*"])


def test_layers_of_another_model_are_refused(items: list[Item]) -> None:
    with pytest.raises(UnknownLayerError, match="Layer 'lstm' not in tiny"):
        build(Cells).run(items, build(Recurrent).resolve(["lstm"]))
    model = build(Cells)
    with pytest.raises(ModelError, match="'also' names layer 'embed', which is not among the layers asked for"):
        model.run(items, model.resolve(["cell"]), also={"mean": {"embed": np.array([0])}})


def test_dropped_words() -> None:
    class Deaf(Characters):
        def encode(self, texts: Sequence[Text]) -> Encoded:
            encoded = super().encode(texts)
            spans = [
                [(0, 0) if text.text[a] == "x" else (a, b) for a, b in row] for text, row in zip(texts, encoded.spans)
            ]
            return Encoded(spans=spans, args=encoded.args)

    model = build(Cells, Deaf())
    item = Item("a", "g", {"source": Text.from_words(["one", "xx", "two"])})
    captured = model.run([item], model.resolve(["cell"]))
    assert captured.valid["source"].tolist() == [True, False, True]
    assert captured.counts["dropped_words"] == 1
    assert not captured.values["cell"][1].any()
    assert captured.values["cell"][2].any()


def test_untrained_resets_every_weight() -> None:
    class Own(Cells):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.linspace(1, 3, 101))

    model = build(Own)
    fresh = model.untrained(1)
    for (name, old), new in zip(model.module.named_parameters(), fresh.module.parameters()):
        assert not torch.equal(old, new), name
    assert abs(float(fresh.module.scale.detach().mean()) - 2) < 0.3
    assert fresh.weight_hash == model.untrained(1).weight_hash != model.untrained(2).weight_hash


def test_the_hash_covers_names_shapes_types_and_bytes() -> None:
    def hashed(**tensors: torch.Tensor) -> str:
        module = nn.Module()
        for name, tensor in tensors.items():
            module.register_buffer(name, tensor)
        return TorchModel(module, Characters()).weight_hash

    ones = torch.ones(4)
    others = [{"b": ones}, {"a": ones.view(2, 2)}, {"a": ones.view(torch.int32)}, {"a": ones * 2}, {"a": ones.half()}]
    assert len({hashed(**other) for other in [{"a": ones}, *others]}) == 6
    assert hashed(a=ones, b=ones * 2) == hashed(b=ones * 2, a=ones)


def test_long_items_in_windows_and_truncated() -> None:
    words = [f"w{n:02d}" for n in range(30)]
    item = Item("long", "g", {"source": Text.from_words(words)})
    short = Item("short", "g", {"source": Text.from_words(words[:3])})
    model = build(Cells, Characters(max_positions=40))
    layers = model.resolve(["cell"])
    window = model.run([item, short], layers)
    assert window.valid["source"].all()
    assert window.counts == {"dropped_words": 0, "truncated_items": 0, "truncated_words": 0, "windowed_items": 1}
    cut = model.run([item, short], layers, long_items="truncate")
    assert cut.counts == {"dropped_words": 0, "truncated_items": 1, "truncated_words": 20, "windowed_items": 0}
    assert cut.valid["source"].tolist() == [True] * 10 + [False] * 20 + [True] * 3
    assert not cut.values["cell"][10:30].any()
    torch.testing.assert_close(cut.values["cell"][:7], window.values["cell"][:7])
    # Word 15 is read in the window of words 10 to 19, from the network's zero state.
    states = alone(model.module, "cell", Text.from_words(words[10:20]))
    torch.testing.assert_close(window.values["cell"][15], states[4 * 5 + 2][0][0])


def test_probing_needs_lengths_that_differ() -> None:
    class Fixed(Characters):
        def encode(self, texts: Sequence[Text]) -> Encoded:
            return Encoded(spans=[[(0, 1)] * 5] * len(texts), args=(torch.ones(len(texts), 5, dtype=torch.long),))

    with pytest.raises(ModelError, match=r"the same number of positions.*'probe_word'"):
        build(Cells, Fixed()).layers()


def test_an_adapter_needs_encode() -> None:
    with pytest.raises(ModelError, match=r"The adapter of 'tiny' is a object without 'encode'"):
        TorchModel(Cells(), object(), name="tiny")  # type: ignore[arg-type]
