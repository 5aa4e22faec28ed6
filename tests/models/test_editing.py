"""Edits in running models beside one-off hooks; restoring after errors; generation; every place an edit can be at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from unitscope import edits
from unitscope.bases.base import Basis
from unitscope.changes import Around, Change
from unitscope.edits import Edit, Step, Target
from unitscope.errors import EditError, ModelError, UnknownLayerError
from unitscope.masks import Mask, mask_of
from unitscope.models import load_model
from unitscope.models.editing import edited_model
from unitscope.models.huggingface import from_objects, from_pretrained
from unitscope.models.many import many
from unitscope.models.replay import replayed
from unitscope.models.torch import TorchModel
from unitscope.models.units import with_bases
from unitscope.rankings.base import Origin, Ranking
from unitscope.sites import Item, Text

LAYER = "encoder.layer.1.intermediate"


@pytest.fixture(scope="module")
def bert(checkpoint: Callable[[str], Path]) -> TorchModel:
    return from_pretrained(checkpoint("bert"))


def values(model: Any, items: list[Item], address: str, edit: Edit | None = None, **options: Any) -> torch.Tensor:
    layers = model.resolve([address])
    if edit is None:
        return model.run(items, layers, **options).values[layers[0].address]
    return model.edited(edit).run(items, layers, **options).values[layers[0].address]


def state(module: nn.Module) -> list[Any]:
    """All that a module holds, hooks and patched methods among it."""
    found: list[Any] = [(name, tensor.clone()) for name, tensor in module.state_dict().items()]
    for name, part in module.named_modules():
        found.append((name, sorted(vars(part)), len(part._forward_hooks), len(part._forward_pre_hooks)))
        found.append((len(part._forward_hooks_with_kwargs), len(part._forward_pre_hooks_with_kwargs)))
        found.append(len(part._forward_hooks_always_called))
    return found


def unchanged(before: list[Any], after: list[Any]) -> bool:
    return all(
        torch.equal(a[1], b[1]) if isinstance(a, tuple) and isinstance(a[1], torch.Tensor) else a == b
        for a, b in zip(before, after, strict=True)
    )


NUMBERS = np.linspace(-1, 1, 24).astype(np.float32)


@pytest.mark.parametrize(
    ("edit", "by_hand"),
    [
        (edits.zero(f"{LAYER}:3,7"), lambda x: x.index_fill(-1, torch.tensor([3, 7]), 0.0)),
        (edits.set(f"{LAYER}:5", 2.5), lambda x: x.index_fill(-1, torch.tensor([5]), 2.5)),
        (edits.set([f"{LAYER}:5", f"{LAYER}:2"], [1.0, 2.0]), lambda x: _put(x, {5: 1.0, 2: 2.0})),
        (edits.set(LAYER, NUMBERS), lambda x: torch.from_numpy(NUMBERS).expand(x.shape)),
        (edits.scale(LAYER, 0.5), lambda x: x * 0.5),
        (edits.scale(f"{LAYER}:1", 3.0) + edits.add(f"{LAYER}:1", 1.0), lambda x: _put(x, {1: x[..., 1] * 3 + 1})),
        (edits.add(f"{LAYER}:1", 1.0) + edits.scale(f"{LAYER}:1", 3.0), lambda x: _put(x, {1: (x[..., 1] + 1) * 3})),
        (edits.add(LAYER, NUMBERS), lambda x: x + torch.from_numpy(NUMBERS)),
        (edits.project_out(LAYER, NUMBERS), lambda x: _without(x, NUMBERS)),
    ],
)
def test_changes_beside_plain_arithmetic(bert: TorchModel, items: list[Item], edit: Edit, by_hand: Any) -> None:
    plain = values(bert, items, LAYER)
    found = values(bert, items, LAYER, edit)
    valid = bert.run(items, bert.resolve([LAYER])).valid["source"]
    expected = by_hand(plain)
    assert torch.allclose(found[valid], expected[valid], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(found[valid], plain[valid], rtol=1e-3)


def _put(x: torch.Tensor, columns: dict[int, Any]) -> torch.Tensor:
    x = x.clone()
    for column, value in columns.items():
        x[..., column] = value
    return x


def _without(x: torch.Tensor, direction: Any) -> torch.Tensor:
    unit = torch.from_numpy(direction / np.linalg.norm(direction))
    return x - (x @ unit)[..., None] * unit


def test_special_tokens_and_padding_stay_unless_asked(bert: TorchModel, items: list[Item]) -> None:
    args, kwargs, known = bert.fed(items[:3])
    seen: list[torch.Tensor] = []
    handle = bert.module.get_submodule("encoder.layer.0").register_forward_hook(lambda *a: seen.append(a[2].clone()))
    with torch.no_grad():
        bert.module(*args, **kwargs)
        real = torch.from_numpy(known.spans["source"][..., 1] > known.spans["source"][..., 0])
        for where in (None, "everywhere"):
            edit = edits.add("encoder.layer.0:3", 9.0, where=where)
            handle.remove()
            with bert.edited(edit):
                handle = bert.module.get_submodule("encoder.layer.0").register_forward_hook(
                    lambda *a: seen.append(a[2].clone())
                )
                bert.module(*args, **kwargs)
    handle.remove()
    plain, sites, everywhere = seen
    assert torch.equal((sites - plain)[..., 3] > 5, real)
    assert ((everywhere - plain)[..., 3] > 5).all()
    assert torch.equal(sites[~real], plain[~real])


@given(st.sets(st.integers(0, 6), max_size=3), st.integers(0, 4), st.integers(1, 6))
def test_only_masked_words_change(
    bert: TorchModel, items: list[Item], places: set[int], item: int, batch_size: int
) -> None:
    where = Mask.positions(*places) & Mask.items(items[item].id)
    found = values(bert, items, LAYER, edits.add(f"{LAYER}:2", 5.0, where=where), batch_size=batch_size)
    changed = (found != values(bert, items, LAYER, batch_size=batch_size)).numpy()
    starts = np.cumsum([0, *(each.grids["source"].n_sites for each in items)])
    n_sites = items[item].grids["source"].n_sites
    valid = bert.run(items, bert.resolve([LAYER])).valid["source"]
    expected = {(starts[item] + place, 2) for place in places if place < n_sites and valid[starts[item] + place]}
    assert set(map(tuple, np.argwhere(changed).tolist())) == expected


def test_heads(bert: TorchModel, items: list[Item]) -> None:
    address = "encoder.layer.1.attention.output.dense@in"
    found = values(bert, items, address, edits.zero(edits.head(address, 1, 3)))
    plain = values(bert, items, address)
    assert (found[:, 4:8] == 0).all()
    assert (found[:, 12:] == 0).all()
    assert torch.equal(found[:, :4], plain[:, :4])
    assert not torch.equal(values(bert, items, "encoder.layer.1", edits.zero(edits.head(address, 1))), plain)
    with pytest.raises(EditError, match=r"Head 4 of layer '.*dense@in' is out of range\. Expected: 0 to 3"):
        bert.edited(edits.zero(edits.head(address, 4)))
    with pytest.raises(EditError, match="not known to split into attention heads"):
        bert.edited(edits.zero(edits.head(LAYER, 0)))


def test_latents_of_a_basis_keep_the_error(bert: TorchModel, items: list[Item]) -> None:
    draw = np.random.default_rng(0)
    encoder = draw.normal(size=(16, 40)).astype(np.float32)
    decoder = draw.normal(size=(40, 16)).astype(np.float32)
    basis = Basis(encoder, decoder=decoder, nonlinearity="relu")
    model = with_bases(bert, {"encoder.layer.0~sae": basis})
    plain = values(model, items, "encoder.layer.0")
    units = basis.encode(plain)
    unit = int(units.amax(dim=0).argmax())
    with model.edited(edits.zero(f"encoder.layer.0~sae:{unit}")):
        found = values(model, items, "encoder.layer.0")
    expected = plain - units[:, unit : unit + 1] * torch.from_numpy(decoder[unit])
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)
    with model.edited(edits.scale("encoder.layer.0~sae", 1.0)):
        assert torch.equal(values(model, items, "encoder.layer.0"), plain)


def test_other_units_in_every_item(bert: TorchModel, items: list[Item]) -> None:
    chosen = {"s0": [1, 4], "s2": [3], "s9": [0]}
    edit = edits.zero_each(LAYER, chosen)
    found, plain = (values(bert, items, LAYER, each, batch_size=3) for each in (edit, None))
    starts = np.cumsum([0, *(item.grids["source"].n_sites for item in items)])
    for at, item in enumerate(items):
        mine = slice(starts[at], starts[at + 1])
        gone = chosen.get(item.id, [])
        assert (found[mine][:, gone] == 0).all()
        rest = [unit for unit in range(24) if unit not in gone]
        assert torch.equal(found[mine][:, rest], plain[mine][:, rest])
    with pytest.raises(EditError, match=r"Unit 24 for item 's0' is out of range\. Expected: 0 to 23"):
        values(bert, items, LAYER, edits.zero_each(LAYER, {"s0": [24]}))
    with pytest.raises(EditError, match="needs the items of the rows"):
        bert.edited(edit)(**bert.fed(items[:2])[1])


def test_mean_quantile_and_resample_from_values(bert: TorchModel, items: list[Item]) -> None:
    captured = bert.run(items, bert.resolve([LAYER]))
    pool = captured.values[LAYER][torch.from_numpy(captured.valid["source"])]
    found = values(bert, items, LAYER, edits.mean([f"{LAYER}:4", f"{LAYER}:1"], captured))
    assert torch.allclose(found[:, [4, 1]][captured.valid["source"]], pool.mean(0)[[4, 1]], rtol=1e-5)
    sites = np.zeros(len(pool), bool)
    sites[:3] = True
    edit = edits.mean(f"{LAYER}:4", {LAYER: pool}, sites=sites)
    assert torch.allclose(values(bert, items, LAYER, edit)[0, 4], pool[:3, 4].mean(), rtol=1e-5)
    edit = edits.quantile(f"{LAYER}:4", 0.9, captured)
    assert values(bert, items, LAYER, edit)[0, 4].item() == pytest.approx(
        np.quantile(pool[:, 4].numpy(), 0.9), rel=1e-5
    )
    edit = edits.resample(LAYER, captured, seed=3)
    one, other = values(bert, items, LAYER, edit, batch_size=1), values(bert, items, LAYER, edit, batch_size=5)
    assert torch.equal(one, other), "what is drawn does not depend on the batch"
    rows = {tuple(row) for row in pool.tolist()}
    assert all(tuple(row) in rows for row in one[captured.valid["source"]].tolist())
    assert len({tuple(row) for row in one.tolist()}) > 3
    assert not torch.equal(one, values(bert, items, LAYER, edits.resample(LAYER, captured, seed=4)))


def test_swap_takes_the_donors_values(bert: TorchModel, items: list[Item]) -> None:
    own, donor = items[0], items[4]
    found = values(bert, [own, items[3]], LAYER, edits.swap(f"{LAYER}:2", {own.id: donor}))
    plain = values(bert, [own, items[3]], LAYER)
    args, kwargs, _ = bert.fed([donor])
    seen: list[torch.Tensor] = []
    handle = bert.module.get_submodule(LAYER).register_forward_hook(lambda *a: seen.append(a[2]))
    with torch.no_grad():
        bert.module(*args, **kwargs)
    handle.remove()
    spans = bert.fed([own])[2].spans["source"][0]
    words = own.grids["source"].spans
    last = [max(at for at, (a, b) in enumerate(spans) if a < b and a < end and b > start) for start, end in words]
    assert torch.allclose(found[: len(words), 2], seen[0][0, last, 2], rtol=1e-5, atol=1e-6)
    assert torch.equal(found[len(words) :], plain[len(words) :])
    assert torch.equal(found[:, [0, 1, 3]], plain[:, [0, 1, 3]])


class _Break(Change):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def apply(self, values: torch.Tensor, around: Around) -> torch.Tensor:
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), SystemExit()])
def test_leaving_restores_the_model_bit_for_bit(bert: TorchModel, items: list[Item], error: BaseException) -> None:
    before, plain = state(bert.module), values(bert, items, "encoder.layer.2")
    with edited_model(bert, edits.zero(LAYER, where="everywhere")) as outer:
        inside = state(bert.module)
        one = values(bert, items, "encoder.layer.2")
        broken = Edit((Step(Target("encoder.layer.0", (1,)), _Break(error), mask_of(None)),))
        with pytest.raises((type(error), Exception)), bert.edited(broken):
            bert.module(**bert.fed(items[:2])[1])
        assert unchanged(inside, state(bert.module))
        assert torch.equal(values(bert, items, "encoder.layer.2"), one)
        with pytest.raises(EditError, match="in use already"), outer:
            pass
    assert not torch.equal(one, plain)
    assert unchanged(before, state(bert.module))
    assert torch.equal(values(bert, items, "encoder.layer.2"), plain)
    assert torch.equal(values(bert, items, "encoder.layer.2", edits.zero(LAYER, where="everywhere")), one)


def test_nested_edits_act_one_after_the_other(bert: TorchModel, items: list[Item]) -> None:
    first, second = edits.add(f"{LAYER}:1", 1.0), edits.scale(f"{LAYER}:1", 3.0)
    with bert.edited(first), bert.edited(second):
        nested = values(bert, items, LAYER)
    assert torch.equal(nested, values(bert, items, LAYER, first + second))


def test_what_cannot_be_edited_is_said(bert: TorchModel, items: list[Item]) -> None:
    with pytest.raises(EditError, match=r"^Unit 'encoder.layer.1:16' is out of range\. Expected: 0 to 15\.$"):
        bert.edited(edits.zero("encoder.layer.1:16"))
    with pytest.raises(UnknownLayerError, match=r"Layer 'encoder.layr.1' not in bert.*Closest: 'encoder.layer.1'"):
        bert.edited(edits.zero("encoder.layr.1:2"))
    with pytest.raises(EditError, match=r"pooled over an item's sites\. Edit 'encoder.layer.1'"):
        bert.edited(edits.zero("encoder.layer.1@item:2"))
    wrong = Mask.drawn({items[0].id: [True] * 3})
    with pytest.raises(EditError, match=r"The mask has 3 sites for item 's0'\. Expected: 7"):
        values(bert, items, LAYER, edits.zero(LAYER, where=wrong))
    wrong = Mask.drawn({items[0].id: [True] * 7}, grid="image:13x13")
    with pytest.raises(EditError, match=r"drawn on the grid 'image:13x13', and the layer's sites are on 'source'"):
        values(bert, items, LAYER, edits.zero(LAYER, where=wrong))
    with pytest.raises(EditError, match="needs the items of the rows"):
        bert.edited(edits.zero(LAYER, where=Mask.items("s0")))(**bert.fed(items[:2])[1])
    with pytest.raises(EditError, match="The input has 2 rows for 3 items"):
        edited_model(bert, edits.zero(LAYER), items=items[:3])(**bert.fed(items[:2])[1])
    with pytest.raises(EditError, match=r"Row 1 of bert's input has \d+ positions\. Expected: \d+, as its item has"):
        edited_model(bert, edits.zero(LAYER), items=[items[0], items[0]])(**bert.fed(items[:2])[1])


class Branches(nn.Module):
    """Texts of 40 letters and more pass by one module."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(61, 8)
        self.short = nn.Linear(8, 8)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        out: torch.Tensor = self.short(x) if len(ids) < 4 else x
        return out


def test_a_module_that_is_never_called_is_an_error(networks: Any, items: list[Item]) -> None:
    model = TorchModel(networks.seeded(Branches), networks.Characters())
    with pytest.raises(EditError, match=r"Layer 'short' was never called while the edit was on"):
        model.edited(edits.zero("short:1"))(torch.ones(4, 5, dtype=torch.long))
    assert not torch.equal(
        model.edited(edits.zero("short:1"))(torch.ones(3, 5, dtype=torch.long)), model.module(torch.ones(3, 5).long())
    )


class Lengths(nn.Module):
    """Texts of up to 9 letters pass by one module; it is probed with longer ones."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(61, 8)
        self.long = nn.Linear(8, 8)
        self.out = nn.Linear(8, 8)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embed(ids)
        found: torch.Tensor = self.out(self.long(x) if ids.shape[1] > 9 else x)
        return found


SHORT = [Item(f"s{at}", "g", {"source": Text.from_words(["a", "dog"])}) for at in range(3)]
NEVER = {
    "many": lambda model: many(model, SHORT, [edits.zero("out:1"), edits.zero("long:1")], lambda output, _: output),
    "composed": lambda model: many(model, SHORT, [edits.zero("embed:1") + edits.zero("long:1")], lambda out, _: out),
    "replayed": lambda model: replayed(model, SHORT, [edits.zero("embed:1")]).run([edits.zero("long:1")]),
    "run": lambda model: model.edited(edits.zero("long:1")).run(SHORT, model.resolve(["out"])),
    "call": lambda model: model.edited(edits.zero("long:1"))(torch.ones(2, 5, dtype=torch.long)),
}


@pytest.mark.filterwarnings("ignore:.*runs in full for every edit")
@pytest.mark.parametrize("way", NEVER)
def test_a_module_that_is_never_called_is_an_error_however_it_runs(networks: Any, way: str) -> None:
    model = TorchModel(networks.seeded(Lengths), networks.Characters())
    before = state(model.module)
    with pytest.raises(EditError, match=r"^Layer 'long' was never called while the edit was on"):
        NEVER[way](model)
    assert unchanged(before, state(model.module))
    # Nothing ran that would have passed the layer: no error.
    model.edited(edits.zero("long:1")).run(SHORT, model.resolve(["embed"]))
    with model.edited(edits.zero("long:1")):
        pass


@pytest.mark.parametrize("where", [{"s0": [True] * 3}, {"s0": [True] * 7, "s1": [True]}])
def test_a_mask_of_other_sites_is_refused_in_every_way(bert: TorchModel, items: list[Item], where: Any) -> None:
    before = state(bert.module)
    edit = edits.zero(f"{LAYER}:1", where=Mask.drawn(where))
    with pytest.raises(EditError, match=r"The mask has \d sites for item 's[01]'\. Expected: \d+, the item's sites on"):
        many(bert, items[:2], [edits.zero(LAYER), edit], lambda output, _: output.last_hidden_state)
    other = edits.zero(f"{LAYER}:1", where=Mask.drawn(where, grid="target"))
    with pytest.raises(EditError, match="drawn on the grid 'target', and the layer's sites are on 'source'"):
        replayed(bert, items[:2], [other]).run([other])
    assert unchanged(before, state(bert.module))


def test_a_ranking_of_another_model_is_refused(bert: TorchModel, items: list[Item]) -> None:
    ranking = Ranking(("encoder.layer.1:3", "encoder.layer.7:2"), np.array([2.0, 1.0]), "all", Origin("test"))
    with pytest.raises(UnknownLayerError, match=r"Layer 'encoder.layer.7' not in bert\. Closest: 'encoder.layer.\d'"):
        bert.edited(edits.zero(ranking))
    ranking = Ranking((f"{LAYER}:3", f"{LAYER}:1000"), np.array([2.0, 1.0]), "all", Origin("test"))
    with pytest.raises(EditError, match=rf"Unit '{LAYER}:1000' is out of range\. Expected: 0 to 23"):
        many(bert, items, [edits.zero(ranking)], lambda output, _: output)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_generation_that_is_too_long_is_refused(language_models: Any, kind: str) -> None:
    model = from_objects(language_models.build(kind), language_models.tokenizer())
    address = {"gpt2": "transformer.h.0", "llama": "model.layers.0"}[kind]
    item = Item("s0", "g", {"source": Text.from_words(["the", "old", "dog"])})
    batch = language_models.tokenizer()([item.grids["source"].text], return_tensors="pt")
    options = {"do_sample": False, "max_length": None}
    before = state(model.module)
    told = rf"{kind} is to read 65 positions, generated ones among them\. Expected: at most 64, as it takes"
    with pytest.raises(ModelError, match=told), model.edited(edits.zero(f"{address}:1"), items=[item]), torch.no_grad():
        model.module.generate(**batch, **options, max_new_tokens=70, min_new_tokens=70)
    assert unchanged(before, state(model.module))
    with model.edited(edits.zero(f"{address}:1"), items=[item]), torch.no_grad():
        n = 64 - batch["input_ids"].shape[1]
        found = model.module.generate(**batch, **options, max_new_tokens=n, min_new_tokens=n)
    assert found.shape[1] == 64


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_cached_generation(language_models: Any, items: list[Item], kind: str) -> None:
    model = from_objects(language_models.build(kind), language_models.tokenizer())
    address = {"gpt2": "transformer.h.0.mlp.act", "llama": "model.layers.0.mlp.down_proj@in"}[kind]
    tokenizer = language_models.tokenizer()
    tokenizer.padding_side = "left"
    chosen = [items[0], items[3], items[4]]
    batch = tokenizer([item.grids["source"].text for item in chosen], return_tensors="pt", padding=True)
    options = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False, "output_logits": True}
    edit = edits.set(f"{address}:3", 4.0, where=Mask.positions(0) | Mask.generated(1))
    with model.edited(edit, items=chosen), torch.no_grad():
        cached = model.module.generate(**batch, **options, return_dict_in_generate=True)
        whole = model.module.generate(**batch, **options, return_dict_in_generate=True, use_cache=True)
        for one, other in zip(cached.logits, whole.logits):
            assert torch.equal(one, other)
    expected = _generated_by_hand(model, batch, address, cached.sequences[:, batch["input_ids"].shape[1] :])
    for one, other in zip(cached.logits, expected):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        plain = model.module.generate(**batch, **options, return_dict_in_generate=True)
    assert not torch.allclose(plain.logits[-1], cached.logits[-1], atol=1e-3)


def _generated_by_hand(model: Any, batch: Any, address: str, new: torch.Tensor) -> list[torch.Tensor]:
    """Logits of each step from whole forwards without a cache, one hook setting the unit where the mask holds."""
    ids = torch.cat([batch["input_ids"], new], dim=1)
    mask = torch.cat([batch["attention_mask"], torch.ones_like(new)], dim=1)
    n_prompt = batch["input_ids"].shape[1]
    chosen = torch.zeros(ids.shape, dtype=torch.bool)
    for row, start in enumerate(batch["attention_mask"].argmax(dim=1).tolist()):
        tokens = n_prompt - start
        word = model.adapter.tokenizer.decode(ids[row, start:n_prompt]).split()[0]
        n_first = len(model.adapter.tokenizer(word)["input_ids"])
        chosen[row, start : start + min(n_first, tokens)] = True
    chosen[:, n_prompt + 1 :] = True
    chosen &= ~torch.isin(ids, torch.tensor(model.adapter.special_ids))
    name, side, _ = address.partition("@in")
    part = model.module.get_submodule(name)

    def change(value: torch.Tensor) -> torch.Tensor:
        value = value.clone()
        value[..., 3] = torch.where(chosen[:, : value.shape[1]], 4.0, value[..., 3])
        return value

    handle = (
        part.register_forward_pre_hook(lambda _, given: (change(given[0]),))
        if side
        else part.register_forward_hook(lambda *found: change(found[2]))
    )
    place = (mask.cumsum(1) - 1).clamp(min=0)
    try:
        with torch.no_grad():
            logits = model.module(input_ids=ids, attention_mask=mask, position_ids=place, use_cache=False).logits
    finally:
        handle.remove()
    return [logits[:, n_prompt - 1 + step] for step in range(new.shape[1])]


def test_generation_of_an_encoder_decoder(checkpoint: Callable[[str], Path], items: list[Item]) -> None:
    import transformers

    with torch.random.fork_rng():
        torch.manual_seed(3)
        whole = transformers.T5ForConditionalGeneration(
            transformers.AutoConfig.from_pretrained(checkpoint("t5"))
        ).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint("t5"))
    model = from_objects(whole, tokenizer)
    batch = tokenizer([item.grids["source"].text for item in items[:2]], return_tensors="pt", padding=True)
    seen: list[torch.Tensor] = []
    options = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False, "num_beams": 2}
    name = "encoder.block.1.layer.1.DenseReluDense.wi"
    edit = edits.set(f"{name}:2", 3.0, where=Mask.positions(1)) + edits.set(
        "decoder.block.1.layer.2.DenseReluDense.wo@in:1", 2.0, where=Mask.generated(0)
    )
    steps: list[torch.Tensor] = []
    with model.edited(edit, items=items[:2]), torch.no_grad():
        handles = [
            whole.get_submodule(name).register_forward_hook(lambda *found: seen.append(found[2])),
            whole.get_submodule("decoder.block.1.layer.2.DenseReluDense.wo").register_forward_pre_hook(
                lambda _, given: steps.append(given[0])
            ),
        ]
        whole.generate(**batch, **options)
    for handle in handles:
        handle.remove()
    rows = model.feed.rows("source", [item.grids["source"] for item in items[:2]])
    for row, (fed, item) in enumerate(zip(rows, items)):
        start, end = item.grids["source"].spans[1]
        expected = [at for at, (a, b) in enumerate(fed.spans) if a < b and a < end and b > start]
        assert (seen[0][row, :, 2] == 3.0).nonzero().flatten().tolist() == expected
    assert not (steps[0][..., 1] == 2.0).any(), "the start token is no generated one"
    assert all((step[:, -1, 1] == 2.0).sum() >= 1 for step in steps[1:])


def test_tuples_elements_and_packed_sequences(networks: Any, items: list[Item]) -> None:
    module = networks.seeded(lambda: networks.Recurrent(batch_first=True))
    model = TorchModel(module, module.adapter)
    args, _, known = model.fed(items[:3])
    with model.edited(edits.set("rnn:2", 7.0, recurrence=False)), torch.no_grad():
        found = module(*args)
    plain = module(*args).detach()
    real = torch.from_numpy(known.spans["source"][..., 1] > known.spans["source"][..., 0])[:, : found.shape[1]]
    expected = plain.clone()
    expected[..., 2] = torch.where(real, 7.0, plain[..., 2])
    assert torch.equal(found, expected)


def test_the_file_of_a_model_is_as_before(tiny_model: Path) -> None:
    model = load_model(str(tiny_model))
    before = model.weight_hash
    with model.edited(edits.zero("encoder.layer.0:1")):
        pass
    model._hashed = None
    assert model.weight_hash == before
