"""Readouts beside the logits of the whole language models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers

import unitscope
from unitscope.errors import ModelError
from unitscope.models.huggingface import from_objects
from unitscope.models.readout import directions, readout, writer_of
from unitscope.models.torch import TorchModel

KINDS = ["gpt2", "llama", "llama tied", "neox"]
IDS = torch.tensor([[3, 9, 20, 5, 17, 30, 2, 8]])


@pytest.fixture(scope="module")
def loaded(language_model: Callable[[str], Path]) -> Callable[[str], Any]:
    models: dict[str, Any] = {}
    return lambda kind: models.setdefault(kind, unitscope.load_model(str(language_model(kind))))


@pytest.mark.parametrize("kind", KINDS)
def test_stream_and_readout_give_the_logits(kind: str, loaded: Any, language_model: Any) -> None:
    model = loaded(kind)
    read = readout(model)
    whole = transformers.AutoModelForCausalLM.from_pretrained(language_model(kind)).eval()
    taken: dict[str, torch.Tensor] = {}
    part = model.module.get_submodule(read.norm)
    handle = part.register_forward_pre_hook(lambda _, args: taken.update(stream=args[0].clone()))
    with torch.inference_mode():
        model.module(input_ids=IDS)
        expected = whole(input_ids=IDS).logits
    handle.remove()
    stream = taken["stream"]
    normed = read.fold(stream) / read.scale(stream)[..., None] + read.shift
    logits = normed @ read.unembedding.T + (0 if read.bias is None else read.bias)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert read.tied == (kind in ("gpt2", "llama tied"))
    torch.testing.assert_close(read.contrast.mean(0), torch.zeros(16), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_writers_and_stream_are_found(kind: str, loaded: Any) -> None:
    model = loaded(kind)
    read = readout(model)
    writers, norm, centred = {
        "gpt2": (("attn.c_proj", "mlp.c_proj"), "ln_f", True),
        "neox": (("attention.dense", "mlp.dense_4h_to_h"), "final_layer_norm", True),
    }.get(kind, (("self_attn.o_proj", "mlp.down_proj"), "norm", False))
    stack = "h" if kind == "gpt2" else "layers"
    assert set(read.writers) == {f"{stack}.{n}.{name}" for n in range(2) for name in writers}
    assert (read.norm, read.centred, read.why) == (norm, centred, "")
    assert {f"{stack}.0", f"{stack}.1"} <= set(read.stream)
    for address in read.stream:
        found = directions(model, read, address)
        assert found is not None
        torch.testing.assert_close(found[0], torch.eye(16))
        assert found[1]
    after = directions(model, read, norm)
    assert after is not None
    assert not after[1]


def test_directions_are_the_weights_that_follow(loaded: Any) -> None:
    gpt2, llama = loaded("gpt2"), loaded("llama")
    cases = [(gpt2, "h.1.mlp.act", "h.1.mlp.c_proj", False), (gpt2, "h.0.attn.c_proj@in", "h.0.attn.c_proj", False)]
    cases += [(llama, "layers.1.mlp.down_proj@in", "layers.1.mlp.down_proj", True)]
    for model, address, name, turned in cases:
        weight = model.module.get_submodule(name).weight.detach()
        found = directions(model, readout(model), address)
        assert found is not None
        torch.testing.assert_close(found[0], weight.T if turned else weight)
        assert found[1]
        assert writer_of(model, address) == name
    assert directions(gpt2, readout(gpt2), "wte") is None
    assert directions(llama, readout(llama), "layers.0.self_attn.q_proj") is None


def test_a_basis_writes_what_its_decoder_gives(loaded: Any) -> None:
    """Latents over neurons go through the neurons' weights; an offset is no unit's."""
    model = loaded("gpt2")
    decoder = torch.randn(5, 64)
    basis = SimpleNamespace(width=5, normalisation="none", decode=lambda units: units @ decoder + 3.0)
    model.further = {"h.0.mlp.act~mine": (None, SimpleNamespace(basis=basis))}
    try:
        found = directions(model, readout(model), "h.0.mlp.act~mine")
        assert found is not None
        expected = decoder @ model.module.get_submodule("h.0.mlp.c_proj").weight.detach()
        torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=1e-4)
        assert directions(model, readout(model), "h.0.mlp.act~other") is None
        basis.normalisation = "layer_norm"
        assert directions(model, readout(model), "h.0.mlp.act~mine") is None
    finally:
        del model.further


def test_a_stream_that_is_normalised_on_the_way_has_no_writers(loaded: Any) -> None:
    model = loaded("gemma2")
    read = readout(model)
    assert read.writers == ()
    assert "does not add up to the stream" in read.why
    assert directions(model, read, "layers.0.mlp.down_proj@in") is None
    assert directions(model, read, "layers.0") is not None
    assert not torch.equal(read.gain, model.module.norm.weight), "its gain is one more than its weight"


def test_models_without_a_linear_readout_say_why(loaded: Any, checkpoint: Callable[[str], Path]) -> None:
    with pytest.raises(ModelError, match="normalises inside its blocks and not at its end"):
        readout(loaded("openai"))
    for kind, name in (("bert", "BertModel"), ("gpt2", "GPT2Model"), ("t5", "T5Model")):
        with pytest.raises(ModelError, match=f"is the checkpoint of a {name}, which has no output embedding"):
            readout(unitscope.load_model(str(checkpoint(kind))))
    with pytest.raises(ModelError, match="no output embedding that is known"):
        readout(TorchModel(torch.nn.Embedding(3, 4), SimpleNamespace(encode=None)))
    with pytest.raises(ModelError, match="of this package's backends"):
        readout(SimpleNamespace(name="mine"))


def test_a_model_with_its_head_is_read_from_the_object(language_models: Any) -> None:
    whole = language_models.build("llama")
    read = readout(from_objects(whole, language_models.tokenizer()))
    assert torch.equal(read.unembedding, whole.lm_head.weight)
    assert not read.tied
    assert read.norm == "model.norm"


def test_the_fingerprint_tells_heads_apart(loaded: Any) -> None:
    prints = {kind: readout(loaded(kind)).fingerprint() for kind in KINDS}
    assert len(set(prints.values())) == len(KINDS)
    assert readout(loaded("gpt2")).fingerprint() == prints["gpt2"]
