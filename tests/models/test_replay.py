"""Replayed edits beside full forwards with a one-off hook, for every family of models."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_flatten

from unitscope import edits
from unitscope.edits import Edit
from unitscope.errors import EditError
from unitscope.masks import Mask
from unitscope.models.editing import Editing
from unitscope.models.huggingface import from_objects, from_pretrained
from unitscope.models.images import ImageModel
from unitscope.models.replay import ReplayWarning, alike, inputs, replayed
from unitscope.models.rows import announced
from unitscope.models.torch import TorchModel
from unitscope.models.zoo.squeezenet import SqueezeNet
from unitscope.sites import Image, Item

Hook = Callable[[torch.Tensor], None]


def by_hand(model: Any, items: Sequence[Item], address: str, change: Hook, *, cache: bool = False) -> Any:
    """A plain forward in which one hook changes the first tensor that a module gives, or is given."""
    args, kwargs, _ = inputs(model, items, 1, cache)
    name, side, _ = address.partition("@in")
    part = model.module.get_submodule(name)

    def after(_: nn.Module, given: Any, output: Any) -> Any:
        value = output[0] if isinstance(output, tuple) else output
        value = value.clone()
        change(value)
        return (value, *output[1:]) if isinstance(output, tuple) else value

    def before(_: nn.Module, given: tuple[Any, ...]) -> Any:
        value = given[0].clone()
        change(value)
        return (value, *given[1:])

    handle = part.register_forward_pre_hook(before) if side else part.register_forward_hook(after)
    try:
        with torch.no_grad():
            return model.module(*args, **kwargs)
    finally:
        handle.remove()


def same(one: Any, other: Any) -> bool:
    pairs = list(zip(tree_flatten(one)[0], tree_flatten(other)[0], strict=True))
    tensors = [(a, b) for a, b in pairs if isinstance(a, torch.Tensor)]
    return bool(tensors) and all(torch.equal(a, b) for a, b in tensors)


def check(model: Any, items: Sequence[Item], address: str, units: Sequence[int] = (0, 3), *, axis: int = -1) -> None:
    """Single-unit edits in one batch, and one alone: like full forwards, the single one bit for bit."""
    found = [edits.zero(f"{address}:{unit}", where="everywhere") for unit in units]
    found.append(edits.scale(address, -2.0, where="everywhere"))

    def zeroed(unit: int) -> Hook:
        return lambda value: value.select(axis, unit).zero_()

    hooks: list[Hook] = [*(zeroed(unit) for unit in units), lambda value: value.mul_(-2.0)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ReplayWarning)
        replay = replayed(model, items, found)
    few, whole = replay.run(found[:-1]), replay.run(found)
    plainly = by_hand(model, items, address, lambda value: None)
    for at, (edit, hook) in enumerate(zip(found, hooks)):
        expected = by_hand(model, items, address, hook)
        assert not alike(plainly, expected), "the edit must tell"
        assert same(replay.run([edit])[0], expected)
        assert alike(expected, whole[at])
        if at < len(few):
            assert alike(expected, few[at])
    assert same(by_hand(model, items, address, lambda value: None), plainly)
    assert same(replay.run([Edit()])[0], plainly)


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("gpt2", "h.1.mlp.act"),
        ("gpt2", "h.2.attn.c_proj@in"),
        ("gpt2", "h.0"),
        ("llama", "layers.1.mlp.down_proj@in"),
        ("llama", "layers.1.self_attn.v_proj"),
        ("llama", "embed_tokens"),
        ("bert", "encoder.layer.1.intermediate"),
        ("bert", "encoder.layer.1.attention.output.dense@in"),
        ("bert", "embeddings"),
        ("roberta", "encoder.layer.1"),
        ("fnet", "encoder.layer.1.intermediate"),
        ("t5", "encoder.block.1.layer.1.DenseReluDense.wo@in"),
        ("t5", "encoder.block.1"),
        ("t5", "decoder.block.1.layer.2.DenseReluDense.wo@in"),
        ("t5", "decoder.block.0"),
        ("marian", "decoder.layers.1.fc2@in"),
        ("marian", "encoder.layers.1.fc1"),
    ],
)
def test_transformers(
    checkpoint: Callable[[str], Path], items: list[Item], pairs: list[Item], kind: str, address: str
) -> None:
    model = from_pretrained(checkpoint(kind))
    check(model, pairs[:3] if kind in ("t5", "marian") else items[:3], address)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "neox", "gemma2"])
def test_prefill_with_cache(language_models: Any, items: list[Item], kind: str) -> None:
    model = from_objects(language_models.build(kind), language_models.tokenizer())
    address = {"gpt2": "transformer.h.1.mlp.act", "neox": "gpt_neox.layers.1.mlp.act"}.get(
        kind, "model.layers.1.mlp.down_proj@in"
    )
    found = [edits.zero(f"{address}:{unit}", where="everywhere") for unit in (1, 2)]
    replay = replayed(model, items[:3], found, cache=True)
    assert not replay.why
    for unit, both, alone in zip((1, 2), replay.run(found), [replay.run([edit])[0] for edit in found]):
        expected = by_hand(model, items[:3], address, lambda value, u=unit: value[..., u].zero_(), cache=True)
        assert torch.equal(alone.logits, expected.logits)
        assert alike(expected.logits, both.logits)
        for layer, one, many in zip(expected.past_key_values.layers, *_layers(alone, both), strict=True):
            assert torch.equal(layer.keys, one.keys)
            assert torch.equal(layer.values, one.values)
            assert alike(layer.keys, many.keys)
        ids = torch.tensor([[3], [4], [5]])
        after = model.module(input_ids=ids, past_key_values=expected.past_key_values).logits
        assert torch.equal(after, model.module(input_ids=ids, past_key_values=alone.past_key_values).logits)


def _layers(*outputs: Any) -> list[Any]:
    return [output.past_key_values.layers for output in outputs]


@pytest.mark.parametrize(
    ("kind", "address", "axis"),
    [
        ("Inplace", "second", 1),
        ("Inplace", "third#1", 1),
        ("Convolutions", "same", 1),
        ("Convolutions", "strided", 1),
        ("Convolutions", "pool", 1),
    ],
)
def test_convolutions(networks: Any, items: list[Item], kind: str, address: str, axis: int) -> None:
    module = networks.seeded(getattr(networks, kind))
    model = TorchModel(module, module.adapter)
    rows = [items[0], Item("again", "g", items[0].grids)]
    if "#" not in address:
        check(model, rows, address, (0, 2), axis=axis)
        return
    edit = edits.zero(f"{address}:2", where="everywhere")
    replay = replayed(model, rows, [edit])
    calls = []

    def second_call(value: torch.Tensor) -> None:
        calls.append(1)
        if len(calls) == 2:
            value[:, 2] = 0

    expected = by_hand(model, rows, "third", second_call)
    assert not replay.why
    assert same(replay.run([edit])[0], expected)
    assert all(alike(expected, each) for each in replay.run([edit, edit]))


@pytest.mark.parametrize("address", ["relu#0", "relu#1", "relu#2", "first#0", "first#1", "third#0"])
def test_each_call_of_shared_modules(networks: Any, items: list[Item], address: str) -> None:
    module = networks.seeded(networks.Inplace)
    model = TorchModel(module, module.adapter)
    rows, call = [items[0]], int(address[-1])
    edit = edits.set(f"{address}:1", 5.0, where="everywhere")
    calls = []

    def one_call(value: torch.Tensor) -> None:
        if len(calls) == call:
            value[:, 1] = 5.0
        calls.append(1)

    expected = by_hand(model, rows, address[:-2], one_call)
    replay = replayed(model, rows, [edit])
    assert not replay.why
    assert same(replay.run([edit])[0], expected)
    assert all(alike(expected, each) for each in replay.run([edit, Edit(), edit])[::2])


def test_shared_layers_of_albert(checkpoint: Callable[[str], Path], items: list[Item]) -> None:
    model = from_pretrained(checkpoint("albert"))
    layers = model.resolve(["*.ffn#*"])
    assert len(layers) == 3
    for at, layer in enumerate(layers):
        edit, calls = edits.zero(f"{layer.address}:4", where="everywhere"), []

        def one_call(value: torch.Tensor, at: int = at, calls: list[int] = calls) -> None:
            if len(calls) == at:
                value[..., 4] = 0
            calls.append(1)

        expected = by_hand(model, items[:2], layer.address.partition("#")[0], one_call)
        replay = replayed(model, items[:2], [edit])
        assert not replay.why
        assert same(replay.run([edit])[0], expected)
        assert all(alike(expected, each) for each in replay.run([edit, edit]))


def test_recurrent(networks: Any, items: list[Item]) -> None:
    module = networks.seeded(lambda: networks.Recurrent(bidirectional=True, batch_first=True))
    model = TorchModel(module, module.adapter)
    edit = edits.zero("rnn:3")
    replay = replayed(model, items[:3], [edit])
    assert not replay.why
    args, _, known = inputs(model, items[:3], 1, False)

    with torch.no_grad(), announced(known), Editing(model, [edit]):
        expected = module(*args)
    assert same(replay.run([edit])[0], expected)
    assert all(alike(expected, each) for each in replay.run([edit, Edit(), edit])[::2])
    assert not alike(expected, replay.run([Edit()])[0])


def test_cells(networks: Any, items: list[Item]) -> None:
    module = networks.seeded(networks.Cells)
    model = TorchModel(module, module.adapter)
    check(model, items[:1], "cell", (0, 2))


class Pictures:
    size = (48, 64)

    def encode_images(self, pixels: Any) -> tuple[torch.Tensor]:
        return (torch.from_numpy(pixels),)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Item]:
    import numpy as np
    import PIL.Image

    found = []
    for name in ("a", "b", "c"):
        pixels = np.random.default_rng(ord(name)).integers(0, 255, (48, 64, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        found.append(Item(name, "g", {"image": Image(str(tmp_path / f"{name}.png"), 48, 64)}))
    return found


@pytest.mark.parametrize("address", ["features.12", "features.3", "features.7.squeeze", "features.0", "classifier.3"])
def test_squeezenet(networks: Any, pictures: list[Item], address: str) -> None:
    model = ImageModel(networks.seeded(lambda: SqueezeNet(7)), Pictures())
    with torch.no_grad():
        for weight in model.module.parameters():
            weight.mul_(2.0)
    strongest = model.run(pictures, model.resolve([address])).values[address].amax(dim=0).argsort(descending=True)
    check(model, pictures, address, strongest[:2].tolist(), axis=1)


def test_side_effects_fall_back_with_a_warning(networks: Any, items: list[Item]) -> None:
    module = networks.seeded(networks.Keeping)
    model = TorchModel(module, module.adapter)
    edit = edits.zero("same:1", where="everywhere")
    with pytest.warns(ReplayWarning, match=r"runs in full for every edit at 'same': the forward changes 'keeper.last'"):
        replay = replayed(model, items[:1], [edit])
    expected = by_hand(model, items[:1], "same", lambda value: value[:, 1].zero_())
    assert [same(expected, each) for each in replay.run([edit, edit])] == [True, True]


def test_rows_that_mix_fall_back(networks: Any, items: list[Item]) -> None:
    module = networks.seeded(networks.Mixing)
    model = TorchModel(module, module.adapter)
    edit = edits.zero("same:1", where="everywhere")
    with pytest.warns(ReplayWarning, match="differs from that of a full run"):
        replay = replayed(model, items[:1], [edit])
    expected = by_hand(model, items[:1], "same", lambda value: value[:, 1].zero_())
    assert [same(expected, each) for each in replay.run([edit, edit])] == [True, True]


def test_masks_by_words_in_copies(checkpoint: Callable[[str], Path], items: list[Item]) -> None:
    model = from_pretrained(checkpoint("bert"))
    some = [
        edits.zero(f"encoder.layer.0.intermediate:{unit}", where=Mask.positions(unit) & ~Mask.items("s3"))
        for unit in range(4)
    ] + [edits.set("encoder.layer.1:3", 1.0) + edits.add("encoder.layer.0:2,5", [1.0, -1.0])]
    layers = model.resolve(["encoder.layer.2"])
    replay = replayed(model, items, some)
    for edit, found in zip(some, replay.run(some)):
        with model.edited(edit):
            one = model.run(items, layers, batch_size=8).values["encoder.layer.2"]
        assert alike(replay.run([edit])[0].last_hidden_state, found.last_hidden_state)
        # Rows of words: the last position of each.
        spans = inputs(model, items, 1, False)[2].spans["source"]
        last = _last_positions(spans, items)
        assert alike(one, torch.stack([found.last_hidden_state[row, place] for row, place in last]))


def _last_positions(spans: Any, items: Sequence[Item]) -> list[tuple[int, int]]:
    found = []
    for row, item in enumerate(items):
        for start, end in item.grids["source"].spans:
            hits = [at for at, (a, b) in enumerate(spans[row]) if a < b and a < end and b > start]
            found += [(row, hits[-1])] if hits else []
    return found


def test_a_layer_below_is_refused(checkpoint: Callable[[str], Path], items: list[Item]) -> None:
    model = from_pretrained(checkpoint("bert"))
    replay = replayed(model, items[:2], [edits.zero("encoder.layer.1:0")])
    with pytest.raises(EditError, match=r"Layer 'encoder.layer.0' lies below 'encoder.layer.1'"):
        replay.run([edits.zero("encoder.layer.0:0")])


def test_nothing_is_left_behind(checkpoint: Callable[[str], Path], items: list[Item]) -> None:
    model = from_pretrained(checkpoint("gpt2"))
    before = {name: dict(vars(part)) for name, part in model.module.named_modules()}
    hashed = model.weight_hash
    edit = edits.zero("h.1.mlp.act:3")
    replay = replayed(model, items[:2], [edit])
    replay.run([edit, edit])
    with pytest.raises(EditError):
        replay.run([edits.set("h.1.mlp.act:2", 0.0, where=Mask.drawn({"s0": [True]}))])
    model._hashed = None
    assert model.weight_hash == hashed
    for name, part in model.module.named_modules():
        assert {key: id(value) for key, value in vars(part).items()} == {k: id(v) for k, v in before[name].items()}
        assert not part._forward_hooks
        assert not part._forward_pre_hooks
