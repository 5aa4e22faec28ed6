"""Attribution of units to words: both modes beside each other, beside Captum, and what must add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unitscope.causal.methods import Cost
from unitscope.causal.targets import Coordinate
from unitscope.causal.to_tokens import TokenMethod, attribute_tokens, position_maps
from unitscope.errors import AttributionError
from unitscope.models import load_model
from unitscope.sites import Item, Text

LAYER = "encoder.layer.1.intermediate"
TEXTS = ["the old dog answers .", "she walks", "they see the red river and walk ."]


@pytest.fixture(scope="module")
def bert(tiny_model: Path) -> Any:
    model = load_model(str(tiny_model))
    model.module.double()  # type: ignore[attr-defined]
    return model


def items() -> list[Item]:
    return [Item(f"s{at}", "g", {"source": Text.from_words(text.split())}) for at, text in enumerate(TEXTS)]


@pytest.mark.parametrize("through", [None, Coordinate(0)], ids=["integrated", "conductance"])
@pytest.mark.parametrize("at", ["all", "peak"])
def test_both_modes_find_the_same(bert: Any, through: Any, at: Any) -> None:
    found = {}
    for mode in ("forward", "reverse"):
        cost = Cost()
        method = TokenMethod(steps=4, through=through, mode=mode)  # type: ignore[arg-type]
        found[mode] = list(attribute_tokens(bert, items(), LAYER, [2, 5], method=method, at=at, cost=cost))
        assert (cost.tangents > 0) == (mode == "forward")
    assert sorted(each.item for each in found["forward"]) == [0, 1, 2]
    for mine, other in zip(found["forward"], found["reverse"], strict=True):
        assert mine.values.shape == (2, 1 if at == "peak" else len(mine.sites), len(mine.words))
        np.testing.assert_array_equal(mine.site, other.site)
        np.testing.assert_allclose(mine.values, other.values, rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(mine.rest, other.rest, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "through"), [("NeuronIntegratedGradients", None), ("NeuronConductance", Coordinate(0))]
)
def test_captum_finds_the_same(bert: Any, kind: str, through: Any) -> None:
    attr = pytest.importorskip("captum.attr", reason="Captum is not installed")
    maps = dict(position_maps(bert, items(), LAYER, method=TokenMethod(steps=5, through=through)))
    for index, text in enumerate(TEXTS):
        tokens = bert.adapter.tokenizer([text], return_tensors="pt")
        embedded = bert.module.embeddings.word_embeddings(tokens["input_ids"]).detach()

        def forward(x: torch.Tensor) -> torch.Tensor:
            return bert.module(inputs_embeds=x).last_hidden_state.mean(dim=1)[:, 0]

        made = getattr(attr, kind)(forward, bert.module.get_submodule(LAYER))
        theirs = made.attribute(embedded, (1, 7), n_steps=5, method="gausslegendre").sum(dim=2)[0].detach()
        assert maps[index].shape == (len(theirs), len(theirs), 32)
        torch.testing.assert_close(maps[index][:, 1, 7], theirs, rtol=1e-6, atol=1e-9)


def test_parts_add_up_to_the_units_value(bert: Any) -> None:
    for found in attribute_tokens(bert, items(), LAYER, method=TokenMethod(steps=60)):
        assert np.abs(found.gap).max() < 0.02 * np.abs(found.height - found.base).max()


def test_values_are_those_a_map_reads(bert: Any) -> None:
    bert.module.float()
    captured = bert.run(items(), bert.resolve([LAYER]))
    bert.module.double()
    rows, start = captured.values[LAYER].numpy(), np.cumsum([0, *(len(text.split()) for text in TEXTS)])
    for found in attribute_tokens(bert, items(), LAYER, method=TokenMethod("gradient-x-input")):
        own = rows[start[found.item] : start[found.item + 1]]
        np.testing.assert_allclose(found.height, own.T, rtol=1e-4, atol=1e-5)


def test_leaving_a_word_out_by_hand(bert: Any) -> None:
    (found,) = attribute_tokens(bert, items()[:1], LAYER, [4], method=TokenMethod("leave-one-out"))
    tokens = bert.adapter.tokenizer([TEXTS[0]], return_tensors="pt")
    embedded = bert.module.embeddings.word_embeddings(tokens["input_ids"]).detach()
    kept: list[torch.Tensor] = []
    handle = bert.module.get_submodule(LAYER).register_forward_hook(lambda _m, _i, out: kept.append(out[0, :, 4]))
    bert.module(inputs_embeds=embedded)
    without = embedded.clone()
    without[:, 3] = 0  # 'dog', behind the special token
    bert.module(inputs_embeds=without)
    handle.remove()
    lost = (kept[0] - kept[1]).detach().numpy()
    # Word 1, 'old', stands at position 2.
    assert found.values[0, 1, 2] == pytest.approx(lost[2], rel=1e-5)


def test_the_cheaper_mode_is_taken(bert: Any) -> None:
    all_units = next(attribute_tokens(bert, items(), LAYER, method=TokenMethod(steps=2)))
    one = next(attribute_tokens(bert, items(), LAYER, [1], at="peak", method=TokenMethod(steps=2)))
    assert (all_units.mode, one.mode) == ("forward", "reverse")


def test_bad_input_is_told(bert: Any) -> None:
    with pytest.raises(
        AttributionError, match=r"Got unit 32 of 'encoder\.layer\.1\.intermediate'\. Expected: a unit from 0 to 31"
    ):
        list(attribute_tokens(bert, items(), LAYER, [32]))
    with pytest.raises(AttributionError, match="means 2 layers"):
        list(attribute_tokens(bert, items(), "encoder.layer.*.intermediate"))
    with pytest.raises(AttributionError, match="Unknown method 'lrp'"):
        list(attribute_tokens(bert, items(), LAYER, method=TokenMethod("lrp")))  # type: ignore[arg-type]
    with pytest.raises(AttributionError, match="goes through all units"):
        list(attribute_tokens(bert, items(), LAYER, method=TokenMethod("leave-one-out", through=Coordinate(0))))
