"""Attributed logits: all parts add up to the logits, and sums are those of plain loops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import unitscope
from unitscope.corpora import load_corpus
from unitscope.errors import ModelError, PlanError
from unitscope.models.base import Layer
from unitscope.models.readout import readout, weight_rows, writer_of
from unitscope.study.attribution import Ends, attribute, positions, pull, summed

KINDS = ["gpt2", "llama", "neox"]


@pytest.fixture(scope="module")
def loaded(language_model: Callable[[str], Path]) -> Callable[[str], Any]:
    models: dict[str, Any] = {}
    return lambda kind: models.setdefault(kind, unitscope.load_model(str(language_model(kind))))


@pytest.fixture(scope="module")
def items(tiny_corpus: Path) -> list[Any]:
    return list(load_corpus(str(tiny_corpus)))[:9]


def writing_layers(model: Any) -> list[Layer]:
    read = readout(model)
    return [layer for layer in model.layers() if writer_of(model, layer.address) in read.writers]


def next_logits(language_model: Any, kind: str, items: list[Any]) -> dict[tuple[int, ...], list[float]]:
    """For each prefix of a text, the next token's logit less the mean logit, by the whole model run text by text."""
    folder = language_model(kind)
    whole = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found: dict[tuple[int, ...], list[float]] = {}
    for item in items:
        ids = tokenizer(item.grids["source"].text)["input_ids"]
        with torch.inference_mode():
            logits = whole(input_ids=torch.tensor([ids])).logits[0]
        found[tuple(ids)] = [
            float(logits[t, ids[t + 1]] - logits[t].mean(dtype=torch.float64)) for t in range(len(ids) - 1)
        ]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_all_contributions_add_up_to_the_logits(kind: str, loaded: Any, language_model: Any, items: list[Any]) -> None:
    """Units of all neurons and heads, biases, the stream before the first block, the norm's shift."""
    model = loaded(kind)
    read = readout(model)
    addresses = [layer.address for layer in writing_layers(model)]
    taken: dict[str, list[torch.Tensor]] = {"entry": []}

    def enter(_: Any, args: Any, kwargs: Any) -> None:
        taken["entry"].append((args or tuple(kwargs.values()))[0].clone())

    handle = model.module.get_submodule(read.entry).register_forward_pre_hook(enter, with_kwargs=True)
    totals: list[float] = []
    for values, stream, following in positions(model, read, addresses, items, 1):
        pulled = pull(read, stream, following)
        total = (taken["entry"].pop()[0, : len(following)] * pulled).sum(1)
        for address in addresses:
            part = model.module.get_submodule(str(writer_of(model, address)))
            total += ((values[address] @ weight_rows(part)) * pulled).sum(1)
            if part.bias is not None:
                total += (pulled * part.bias).sum(1)
        shift = read.contrast[following] @ read.shift
        totals += (total + shift).tolist()
    handle.remove()
    expected = [value for logits in sorted_by_length(next_logits(language_model, kind, items)) for value in logits]
    np.testing.assert_allclose(sorted(totals), sorted(expected), rtol=1e-3, atol=1e-3)


def sorted_by_length(found: dict[tuple[int, ...], list[float]]) -> list[list[float]]:
    return sorted(found.values(), key=len)


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_sums_are_those_of_a_plain_loop(kind: str, loaded: Any, items: list[Any]) -> None:
    model = loaded(kind)
    read = readout(model)
    layers = [layer for layer in model.layers() if layer.address in ("h.1.mlp.act", "layers.0.mlp.down_proj@in", "h.0")]
    draw = np.random.default_rng(0)
    ends = {
        layer.address: Ends(
            draw.normal(0, 0.3, layer.width).astype(np.float32), draw.choice([-1, 1], layer.width).astype(np.int8)
        )
        for layer in layers
    }
    found = attribute(model, layers, ends, items, 4)
    assert set(found) == {layer.address for layer in layers}
    norm = model.module.get_submodule(read.norm)
    contrast = read.unembedding - read.unembedding.mean(0)
    for layer in layers:
        weight = torch.eye(16)
        if layer.address != "h.0":
            weight = weight_rows(model.module.get_submodule(str(writer_of(model, layer.address))))
        end, sums = ends[layer.address], np.zeros((layer.width, 2))
        n = np.zeros((layer.width, 2), int)
        parts: dict[tuple[int, int], float] = {}
        for values, stream, following in positions(model, read, [layer.address], items, 1):
            for t, token in enumerate(following.tolist()):
                x = stream[t] - stream[t].mean() if read.centred else stream[t]
                divisor = torch.sqrt((x**2).mean() + read.epsilon)
                for u in range(0, layer.width, 3):
                    value = values[layer.address][t, u]
                    w = weight[u] - weight[u].mean() if read.centred else weight[u]
                    part = float(value * ((w * norm.weight) @ contrast[token]) / divisor)
                    on = bool(value < end.threshold[u] if end.sign[u] < 0 else value > end.threshold[u])
                    sums[u, int(on)] += part
                    n[u, int(on)] += 1
                    if on:
                        parts[u, token] = parts.get((u, token), 0.0) + part
        got = found[layer.address]
        np.testing.assert_array_equal(got["n"][::3], n[::3])
        np.testing.assert_allclose(got["sum"][::3], sums[::3], rtol=1e-3, atol=1e-3)
        mine = {(u, t): p for u, t, p in zip(*(got[k].tolist() for k in ("unit", "token", "part"))) if u % 3 == 0}
        assert set(mine) == set(parts)
        np.testing.assert_allclose([mine[key] for key in parts], list(parts.values()), rtol=1e-3, atol=1e-3)


def test_a_batch_changes_only_rounding(loaded: Any, items: list[Any]) -> None:
    model = loaded("gpt2")
    layers = writing_layers(model)
    ends = {layer.address: Ends(np.zeros(layer.width, "f4"), np.ones(layer.width, np.int8)) for layer in layers}
    one, many = (attribute(model, layers, ends, items, size) for size in (1, 8))
    for address in one:
        np.testing.assert_allclose(one[address]["sum"], many[address]["sum"], rtol=1e-4, atol=1e-4)


def test_an_atlas_has_the_means_of_every_unit(language_model: Any, tiny_corpus: Path, tmp_path: Path) -> None:
    layers = ["h.0.mlp.act", "h.1", "ln_f"]
    settings: dict[str, Any] = {"layers": layers, "concepts": ["upos"], "measures": ["auroc"], "attribution": True}
    model, corpus = str(language_model("gpt2")), str(tiny_corpus)
    atlas = unitscope.map(model, corpus, out=tmp_path / "one", workers=1, **settings)
    rows = atlas.table("attributions").to_pylist()
    assert {row["layer"] for row in rows} == {"h.0.mlp.act", "h.1"}, "the norm is not ahead of its own output"
    opened = unitscope.load_model(model)
    units = {(row["layer"], row["unit"]): row for row in atlas.units()}
    signs = {(row["layer"], row["unit"]): row["sign"] for row in atlas.sql("select * from tests where slot = 1")}
    ends = {}
    for layer in opened.resolve(layers):
        keys = [(layer.address, u) for u in range(layer.width)]
        sign = np.array([signs.get(key, 0) for key in keys], np.int8)
        limit = [units[key]["threshold_lower" if s < 0 else "threshold_upper"] for key, s in zip(keys, sign)]
        ends[layer.address] = Ends(np.array(limit, np.float32), sign)
    found = attribute(opened, opened.resolve(layers), ends, list(load_corpus(corpus)), 32)
    for row in rows:
        total, n = (found[row["layer"]][key][row["unit"]] for key in ("sum", "n"))
        assert [row["n_off"], row["n_on"]] == n.tolist()
        for mean, part, count in zip((row["mean_off"], row["mean_on"]), total, n, strict=True):
            assert (mean is None) == (count == 0)
            assert mean is None or mean == pytest.approx(part / count, rel=1e-4, abs=1e-6)
    written = atlas.sql("select * from writes where kind = 'attribution' and layer = 'h.0.mlp.act' and unit = 3")
    assert {row["sign"] for row in written} <= {1, -1}
    got = found["h.0.mlp.act"]
    here = got["unit"] == 3
    parts = dict(zip(got["token"][here].tolist(), (got["part"][here] / got["n"][3, 1]).tolist()))
    for sign in (1, -1):
        expected = sorted((p for p in parts.values() if p * sign > 0), key=lambda p: -p * sign)[:10]
        mine = [row["value"] for row in written if row["sign"] == sign]
        np.testing.assert_allclose(mine, expected, rtol=1e-3, atol=1e-7)
    record = atlas.unit("h.0.mlp.act:3")
    assert record.attribution is not None
    assert record.attribution["n_on"] == got["n"][3, 1]
    two = unitscope.map(model, corpus, out=tmp_path / "two", workers=2, **settings)
    for name in ("writes", "attributions", "clips", "items"):
        assert (two.path / f"{name}.parquet").read_bytes() == (atlas.path / f"{name}.parquet").read_bytes()


def test_attribution_where_it_cannot_be(tiny_model: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"No logits can be attributed\. tinybert is the checkpoint of a BertModel"):
        unitscope.map(str(tiny_model), str(tiny_corpus), out=tmp_path / "a", attribution=True)
    with pytest.raises(PlanError, match="attribution without the lens"):
        unitscope.map(str(tiny_model), str(tiny_corpus), out=tmp_path / "a", attribution=True, lens=False)


def test_parts_of_one_code_are_added() -> None:
    codes, parts = summed(np.array([7, 2, 7]), np.array([0.5, 1.0, 0.25]))
    assert (codes.tolist(), parts.tolist()) == ([2, 7], [1.0, 0.75])
