"""The lens beside plain loops over the weights, and in an atlas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import unitscope
from unitscope.atlas import Atlas
from unitscope.merge import merge
from unitscope.models.readout import directions, readout
from unitscope.study.writes import N_TOKENS, chance_level, lens, write_rows

GPT2 = ["h.*.mlp.act", "h.1.attn.c_proj@in", "h.0", "ln_f", "wte"]


@pytest.fixture(scope="module")
def loaded(language_model: Callable[[str], Path]) -> Callable[[str], Any]:
    models: dict[str, Any] = {}
    return lambda kind: models.setdefault(kind, unitscope.load_model(str(language_model(kind))))


def naive(direction: Any, norm: Any, embedding: Any, *, centred: bool) -> list[float]:
    """Each token's logit less the mean, by loops over lists."""
    width = len(direction)
    mean = sum(direction) / width if centred else 0.0
    folded = [(direction[d] - mean) * norm[d] for d in range(width)]
    logits = [sum(folded[d] * row[d] for d in range(width)) for row in embedding]
    middle = sum(logits) / len(logits)
    return [logit - middle for logit in logits]


@pytest.mark.parametrize(
    ("kind", "address", "weight", "norm", "embedding"),
    [
        ("gpt2", "h.1.mlp.act", "h.1.mlp.c_proj.weight", "ln_f.weight", "wte.weight"),
        ("gpt2", "h.0.attn.c_proj@in", "h.0.attn.c_proj.weight", "ln_f.weight", "wte.weight"),
        ("llama", "layers.1.mlp.down_proj@in", "layers.1.mlp.down_proj.weight", "norm.weight", "lm_head.weight"),
        ("llama", "layers.0.self_attn.o_proj@in", "layers.0.self_attn.o_proj.weight", "norm.weight", "lm_head.weight"),
    ],
)
def test_the_lens_is_that_of_a_plain_loop(
    kind: str, address: str, weight: str, norm: str, embedding: str, loaded: Any, language_model: Any
) -> None:
    stored = {
        name.removeprefix("transformer.").removeprefix("model."): tensor.tolist()
        for name, tensor in load_file(language_model(kind) / "model.safetensors").items()
    }
    rows = stored[weight] if kind == "gpt2" else list(zip(*stored[weight], strict=True))
    read = readout(loaded(kind))
    found = directions(loaded(kind), read, address)
    assert found is not None
    got = lens(read, found[0], normed=found[1])
    for unit in range(0, len(rows), 5):
        logits = naive(rows[unit], stored[norm], stored[embedding], centred=kind == "gpt2")
        order = sorted(range(len(logits)), key=lambda token: -logits[token])
        expected = [*order[:N_TOKENS], *order[: -N_TOKENS - 1 : -1]]
        assert got["token"][unit].tolist() == expected
        np.testing.assert_allclose(got["value"][unit], [logits[t] for t in expected], rtol=1e-3, atol=1e-4)


def test_a_unit_that_writes_a_tokens_embedding_promotes_that_token(loaded: Any) -> None:
    """With a plain norm, the token of the longest embedding has the greatest product with it (Cauchy and Schwarz)."""
    read = replace(readout(loaded("gpt2")), gain=torch.ones(16))
    rows = read.contrast - read.contrast.mean(1, keepdim=True)
    token = int(rows.norm(dim=1).argmax())
    for sign, at in ((1, 0), (-1, N_TOKENS)):
        got = lens(read, sign * 3 * read.contrast[[token]])
        assert got["token"][0, at] == token
        assert got["value"][0, at] == pytest.approx(sign * 3 * float(rows[token].pow(2).sum()), rel=1e-4)
        assert sign * got["value"][0, at] > sign * got["chance"][0, at] > 0


def test_chance_is_that_of_random_directions(loaded: Any) -> None:
    read = readout(loaded("llama"))
    random = torch.from_numpy(np.random.default_rng(8).normal(size=(4000, 16)).astype(np.float32))
    got = lens(read, random)
    above = np.abs(got["value"]) > np.abs(got["chance"])
    assert np.abs(above.mean(axis=0) - 0.05).max() < 0.03
    level = chance_level(read, N_TOKENS, normed=True, seed=0)
    assert (np.diff(level) < 0).all()
    np.testing.assert_array_equal(level, chance_level(read, N_TOKENS, normed=True, seed=0))
    assert (level != chance_level(read, N_TOKENS, normed=True, seed=1)).any()


def test_chunks_of_units_change_only_rounding(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = readout(loaded("gpt2"))
    whole = lens(read, torch.eye(16))
    monkeypatch.setattr("unitscope.study.writes._ROWS", 100)
    parts = lens(read, torch.eye(16))
    np.testing.assert_allclose(whole["value"], parts["value"], rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def make(language_model: Any, tiny_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Atlas]:
    folder = tmp_path_factory.mktemp("writes")
    made: list[int] = []

    def run(kind: str = "gpt2", layers: Any = GPT2, **settings: Any) -> Atlas:
        made.append(1)
        options: dict[str, Any] = {"concepts": ["upos"], "measures": ["auroc"], "workers": 1, **settings}
        out = folder / str(len(made))
        return unitscope.map(str(language_model(kind)), str(tiny_corpus), out=out, layers=layers, **options)

    return run


def test_an_atlas_has_the_lens_of_each_layer_that_writes(make: Callable[..., Atlas], loaded: Any) -> None:
    atlas = make()
    model = loaded("gpt2")
    read = readout(model)
    rows = atlas.table("writes").to_pylist()
    assert {row["layer"] for row in rows} == {"h.0.mlp.act", "h.1.mlp.act", "h.1.attn.c_proj@in", "h.0", "ln_f"}
    assert {row["kind"] for row in rows} == {"lens"}
    assert atlas.manifest["notes"]["writes"] == {"lens": True, "why": ""}
    for address in ("h.1.mlp.act", "ln_f"):
        found = directions(model, read, address)
        assert found is not None
        got = lens(read, found[0], normed=found[1])
        of_unit = [row for row in rows if (row["layer"], row["unit"]) == (address, 7)]
        assert [(row["sign"], row["rank"]) for row in of_unit] == [(s, r) for s in (1, -1) for r in range(1, 11)]
        assert [row["token_id"] for row in of_unit] == got["token"][7].tolist()
        assert [row["token"] for row in of_unit] == model.token_texts(got["token"][7].tolist())
        np.testing.assert_allclose([row["value"] for row in of_unit], got["value"][7], rtol=1e-5)
    record = atlas.unit("h.1.mlp.act:7")
    assert [row["token_id"] for row in record.writes] == [
        row["token_id"] for row in rows if (row["layer"], row["unit"]) == ("h.1.mlp.act", 7)
    ]
    assert record.attribution is None
    assert make(layers=["h.1.mlp.act", "wte"]).sql("select count(*) as n from writes where layer = 'wte'") == [{"n": 0}]


def test_the_lens_can_be_left_out_and_is_where_there_is_no_output_embedding(
    make: Callable[..., Atlas], tiny_model: Path, tiny_corpus: Path, tmp_path: Path
) -> None:
    without = make(layers=["h.0"], lens=False)
    assert not without.has("writes")
    assert without.unit("h.0:1").writes == ()
    assert without.manifest["notes"]["writes"] == {"lens": False, "why": "It was not asked for."}
    bert = unitscope.map(
        str(tiny_model), str(tiny_corpus), out=tmp_path / "b", layers=["encoder.layer.0"], concepts=["upos"], workers=1
    )
    assert not bert.has("writes")
    assert "which has no output embedding of its own" in bert.manifest["notes"]["writes"]["why"]


def test_merged_atlases_have_the_bytes_of_one_run(make: Callable[..., Atlas], tmp_path: Path) -> None:
    layers = ["h.0.mlp.act", "wte", "h.1.attn.c_proj@in"]
    whole = make(layers=layers, attribution=True)
    parts = [make(layers=[layer], attribution=True).path for layer in layers]
    merged = merge([parts[2], parts[0], parts[1]], tmp_path / "merged")
    for name in ("writes", "attributions", "clips", "items"):
        assert (merged.path / f"{name}.parquet").read_bytes() == (whole.path / f"{name}.parquet").read_bytes()


def test_tokens_that_are_no_text_are_kept_as_question_marks() -> None:
    arrays = {"token": np.array([[1, 0]], np.int32), "value": np.ones((1, 2), "f4"), "chance": np.ones((1, 2), "f4")}
    study: Any = type("S", (), {"layers": [type("L", (), {"address": "a"})]})
    table = write_rows(study, {0: arrays}, lambda ids: ["\ud800" if i else "x\x00" for i in ids])
    assert table.column("token").to_pylist() == ["?", "x\x00"]


def test_units_of_a_basis_write_along_its_decoder_and_climb_the_ladder(
    make: Callable[..., Atlas], language_model: Callable[[str], Path]
) -> None:
    atlas = make(layers=["h.1"], bases=["h.1=rotation:3"], ladder=True, pairs=True)
    layer = "h.1~rotation3"
    rows = atlas.sql("select * from writes where layer = ? and unit = 5 and sign = 1 order by rank", [layer])
    basis = atlas.basis(layer)
    assert basis is not None
    one = torch.zeros(2, 16)
    one[1, 5] = 1.0
    decoded = basis.decode(one)
    direction = (decoded[1] - decoded[0]).tolist()
    stored = load_file(language_model("gpt2") / "model.safetensors")
    norm, embedding = (
        next(value.tolist() for key, value in stored.items() if key.endswith(name))
        for name in ("ln_f.weight", "wte.weight")
    )
    logits = naive(direction, norm, embedding, centred=True)
    best = sorted(range(len(logits)), key=lambda token: -logits[token])[: len(rows)]
    assert [row["token_id"] for row in rows] == best
    assert len(atlas.sql("select distinct rung from ladder where layer = ?", [layer])) == 4
