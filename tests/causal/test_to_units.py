"""Attribution to units beside Captum, beside naive loops, and on models whose answer is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from unitscope.causal.ablation import Ablation
from unitscope.causal.feeding import batches, layers_of
from unitscope.causal.methods import (
    Conductance,
    Cost,
    GradientXActivation,
    IntegratedGradients,
    InternalInfluence,
    Method,
    Work,
)
from unitscope.causal.path import nodes, origin_of
from unitscope.causal.targets import ClassLogit, Coordinate, Function, NextToken, UnitValue
from unitscope.causal.to_units import attribute_units
from unitscope.errors import AttributionError, UnknownLayerError
from unitscope.models import load_model
from unitscope.models.adapters import Encoded
from unitscope.models.torch import TorchModel
from unitscope.sites import Item, Text

TEXTS = ["the old dog saw a house .", "she", "they walk the red river and see .", "a dog"]
FFN = "encoder.layer.0.intermediate"


def items(texts: list[str] = TEXTS) -> list[Item]:
    return [Item(f"s{at}", f"g{at // 2}", {"source": Text.from_words(text.split())}) for at, text in enumerate(texts)]


@pytest.fixture(scope="module")
def bert(tiny_model: Path) -> Any:
    model = load_model(str(tiny_model))
    model.module.double()  # type: ignore[attr-defined]
    return model


def at_positions(model: Any, layer: str, method: Method, target: Any, baseline: str = "zero") -> dict[int, Any]:
    """Item -> attributions [T, U] at real positions."""
    (place,), found = layers_of(model, [layer]), {}
    origin = origin_of(model, baseline)
    for fed in batches(model, items(), 4, Counter()):
        values = method.of_batch(Work(model, fed, [place], origin, target, Cost())).values[place]
        for row, item in enumerate(fed.rows.tolist()):
            found[item] = values[row, fed.real["source"][row]]
    return found


def captum_forward(model: Any, mask: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Coordinate 0 of the mean over positions of the last hidden state."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        n = len(x) // len(mask)
        hidden = model.module(inputs_embeds=x, attention_mask=mask.repeat(n, 1)).last_hidden_state
        return hidden.mean(dim=1)[:, 0]

    return forward


@pytest.mark.parametrize(
    ("kind", "method", "options", "close"),
    [
        ("LayerConductance", Conductance(7, "left"), {"n_steps": 7}, 1e-9),
        # Captum's weights of steps are rounded to float32 in these two.
        ("LayerIntegratedGradients", IntegratedGradients(6), {"n_steps": 6}, 1e-6),
        ("InternalInfluence", InternalInfluence(5), {"n_steps": 5}, 1e-6),
        ("LayerGradientXActivation", GradientXActivation(), {}, 1e-9),
    ],
)
def test_captum_finds_the_same(bert: Any, kind: str, method: Method, options: dict[str, int], close: float) -> None:
    attr = pytest.importorskip("captum.attr", reason="Captum is not installed")
    found = at_positions(bert, FFN, method, Coordinate(0))
    for index, text in enumerate(TEXTS):
        tokens = bert.adapter.tokenizer([text], return_tensors="pt")
        embedded = bert.module.embeddings.word_embeddings(tokens["input_ids"]).detach()
        made = getattr(attr, kind)(captum_forward(bert, tokens["attention_mask"]), bert.module.get_submodule(FFN))
        theirs = made.attribute(embedded, **options)
        theirs = (theirs[0] if isinstance(theirs, tuple) else theirs)[0]
        torch.testing.assert_close(found[index], theirs.detach(), rtol=close, atol=close / 100)


def test_conductance_by_hand(bert: Any) -> None:
    """dF/dh times differences of h along the line, one unit and position at a time."""
    found = at_positions(bert, FFN, Conductance(3), Coordinate(1), "mean")
    tokens = bert.adapter.tokenizer([TEXTS[0]], return_tensors="pt")
    weight = bert.module.embeddings.word_embeddings.weight.detach()
    end = weight[tokens["input_ids"]]
    start = weight.mean(dim=0).expand_as(end)
    points = []
    for alpha in (0, 1 / 3, 2 / 3, 1):
        kept: list[torch.Tensor] = []
        handle = bert.module.get_submodule(FFN).register_forward_hook(lambda _m, _i, out, kept=kept: kept.append(out))
        score = bert.module(inputs_embeds=start + alpha * (end - start)).last_hidden_state.mean(dim=1)[0, 1]
        handle.remove()
        points.append((kept[0].detach(), torch.autograd.grad(score, kept[0])[0]))
    total = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))
    torch.testing.assert_close(found[0], total[0], rtol=1e-9, atol=1e-12)


def test_tangents_are_exact_where_differences_are_close(bert: Any) -> None:
    exact = attribute_units(
        bert, items(), layers=["embeddings"], target=Coordinate(0), method=Conductance(60, "tangents")
    )
    close = attribute_units(bert, items(), layers=["embeddings"], target=Coordinate(0), method=Conductance(60))
    assert exact.relative_gap("embeddings") < 0.02
    assert np.abs(exact.totals["embeddings"] - close.totals["embeddings"]).max() < 0.05
    assert "with tangents" in exact.how
    assert "reverse mode" in close.how


@pytest.mark.parametrize("method", [Conductance(40), IntegratedGradients(40)], ids=["conductance", "integrated"])
def test_a_whole_hidden_state_explains_the_output(bert: Any, method: Method) -> None:
    found = attribute_units(bert, items(), layers=["encoder.layer.0"], target=Coordinate(3), method=method)
    assert found.relative_gap("encoder.layer.0") < 0.05
    assert found.output.shape == (4,)


def test_integrated_gradients_explain_what_the_layer_alone_does(bert: Any) -> None:
    """All of it, also where the residual stream flows past."""
    found = attribute_units(
        bert, items(), layers=["encoder.layer.*.intermediate"], target=Coordinate(0), method=IntegratedGradients(20)
    )
    assert all(found.relative_gap(address) < 1e-3 for address in found.totals)


def test_batches_and_padding_change_nothing(bert: Any) -> None:
    together = attribute_units(bert, items(), layers=[FFN, "encoder.layer.1"], target=Coordinate(0), keep_sites=True)
    alone = attribute_units(
        bert, items(), layers=[FFN, "encoder.layer.1"], target=Coordinate(0), keep_sites=True, batch_size=1
    )
    for address, totals in together.totals.items():
        np.testing.assert_allclose(totals, alone.totals[address], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(together.at_sites[address], alone.at_sites[address], rtol=1e-5, atol=1e-7)
        n_words = sum(len(text.split()) for text in TEXTS)
        assert together.at_sites[address].shape == (n_words, totals.shape[1])
        np.testing.assert_allclose(together.by_site[address], together.at_sites[address].sum(axis=1), atol=1e-4)


def test_parameters_are_left_as_they_were(bert: Any) -> None:
    before = {name: parameter.requires_grad for name, parameter in bert.module.named_parameters()}
    attribute_units(bert, items(), layers=[FFN], target=Coordinate(0), method=GradientXActivation())
    assert {name: parameter.requires_grad for name, parameter in bert.module.named_parameters()} == before
    with pytest.raises(AttributionError):
        attribute_units(bert, items(), layers=[FFN], target=Coordinate(99))
    assert {name: parameter.requires_grad for name, parameter in bert.module.named_parameters()} == before
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in bert.module.modules())


class Planted(nn.Module):
    """The output is 2 a + max(b, 0) of units a and b of `hidden`; unit c equals a and is not read."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(128, 2)
        self.hidden = nn.Linear(2, 3)
        self.relu = nn.ReLU(inplace=True)
        with torch.no_grad():
            self.hidden.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
            self.hidden.bias.zero_()
            self.embed.weight.abs_()
        self.adapter = Letters()

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, str]:
        hidden = self.relu(self.hidden(self.embed(ids)))
        return torch.stack([2 * hidden[..., 0].sum(1), hidden[..., 1].sum(1)], dim=1), "beside"


class Letters:
    pads = False

    def encode(self, texts: Any) -> Encoded:
        ids = torch.tensor([[ord(letter) % 128 for letter in text.text] for text in texts])
        return Encoded([[(at, at + 1) for at in range(len(text.text))] for text in texts], (ids,))


@pytest.mark.parametrize(
    "method",
    [Conductance(4, "left"), IntegratedGradients(4), GradientXActivation(), Ablation(), Conductance(3, "tangents")],
    ids=lambda method: method.name,
)
def test_only_the_unit_that_is_read_is_causal(method: Method) -> None:
    """A correlate gets nothing; a rectifier that works in place disturbs nothing; tuples are read."""
    torch.manual_seed(1)
    model = TorchModel(Planted(), Letters())
    found = attribute_units(model, items(["ab", "cd"]), layers=["hidden"], target=ClassLogit(0), method=method)
    values = found.totals["hidden"]
    # Gauss-Legendre points leave out both ends of the line, and with them a part of the differences between them.
    inner = nodes("gausslegendre", 5)[0]
    share = inner[-1] - inner[0] if method == Conductance(4, "left") else 1.0
    np.testing.assert_allclose(values[:, 0], share * found.output, rtol=1e-5)
    assert (values[:, 1:] == 0).all()


def test_ablation_is_what_a_hook_measures(bert: Any) -> None:
    found = attribute_units(bert, items(), layers=[FFN], target=Coordinate(0), method=Ablation({FFN: [3, 7]}))
    assert np.isnan(found.totals[FFN][:, 4]).all()
    tokens = bert.adapter.tokenizer([TEXTS[2]], return_tensors="pt")
    whole = bert.module(**tokens).last_hidden_state.mean(dim=1)[0, 0].detach()

    def silence(_m: Any, _i: Any, out: torch.Tensor) -> torch.Tensor:
        out = out.clone()
        out[..., 7] = 0
        return out

    handle = bert.module.get_submodule(FFN).register_forward_hook(silence)
    without = bert.module(**tokens).last_hidden_state.mean(dim=1)[0, 0].detach()
    handle.remove()
    assert found.totals[FFN][2, 7] == pytest.approx(float(whole - without), abs=1e-12)


def test_ablation_of_a_text_that_is_cut(bert: Any) -> None:
    """Edits see the same positions as attribution does."""
    long = [Item("long", "g", {"source": Text.from_words(["dog"] * 600)}), *items(TEXTS[:1])]
    found = attribute_units(bert, long, layers=[FFN], target=Coordinate(0), method=Ablation({FFN: [7]}))
    assert found.counts["truncated_items"] == 1
    most = bert.feed.max_positions
    cut = [Item("cut", "g", {"source": Text.from_words(["dog"] * (most - 2))})]
    whole = attribute_units(bert, cut, layers=[FFN], target=Coordinate(0), method=Ablation({FFN: [7]}))
    np.testing.assert_allclose(found.totals[FFN][0, 7], whole.totals[FFN][0, 7], rtol=1e-9)
    assert "passes under edits" in found.how


def test_ablation_sees_a_unit_of_any_layer(bert: Any) -> None:
    """What a target reads may lie in what is not run again for an edit: it is then what it was."""
    for layer, changed in ((FFN, False), ("encoder.layer.1", True)):
        found = attribute_units(bert, items(), layers=["encoder.layer.0"], target=UnitValue(layer, 3),
                                method=Ablation({"encoder.layer.0": [2]}))  # fmt: skip
        assert bool((found.totals["encoder.layer.0"][:, 2] != 0).all()) == changed


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_language_model_is_attributed_its_own_loss(language_model: Callable[[str], Path], kind: str) -> None:
    import transformers

    folder = language_model(kind)
    model = load_model(str(folder))
    layer = "h.0" if kind == "gpt2" else "layers.0"
    texts = ["the old dog", "she saw a red house ."]
    found = attribute_units(
        model,
        items(texts),
        layers=[layer],
        target=NextToken(value="loss"),
        method=IntegratedGradients(40),
        baseline="mean",  # a norm without a mean to take off turns sharply where all is zero
    )
    whole = transformers.AutoModelForCausalLM.from_pretrained(folder).eval().requires_grad_(False)
    for index, text in enumerate(texts):
        ids = model.adapter.tokenizer([text], return_tensors="pt")["input_ids"]  # type: ignore[attr-defined]
        loss = float(whole(input_ids=ids, labels=ids).loss)
        assert found.output[index] == pytest.approx(loss, rel=1e-4)
    assert found.relative_gap(layer) < 0.1
    last = attribute_units(model, items(texts), layers=[layer], target=NextToken(3, -1), method=GradientXActivation())
    ids = model.adapter.tokenizer([texts[0]], return_tensors="pt")["input_ids"]  # type: ignore[attr-defined]
    assert last.output[0] == pytest.approx(float(whole(input_ids=ids).logits[0, -1, 3]), rel=1e-4)


def test_intervals_count_groups() -> None:
    torch.manual_seed(1)
    model = TorchModel(Planted(), Letters())
    texts = ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st"]
    own = [Item(text, text, {"source": Text.from_words([text])}) for text in texts]
    found = attribute_units(model, own, layers=["hidden"], target=ClassLogit(0), method=GradientXActivation())
    low, high = found.interval("hidden")
    values = found.totals["hidden"][:, 0]
    reach = 2.262157 * values.std(ddof=1) / np.sqrt(10)
    assert high[0] - low[0] == pytest.approx(2 * reach, rel=1e-5)
    assert found.units()[0][:2] == ("hidden", 0)
    fewer = attribute_units(model, own[:9], layers=["hidden"], target=ClassLogit(0), method=GradientXActivation())
    assert np.isnan(fewer.interval("hidden")[0]).all()


def test_units_are_ranked_by_what_flows_through_them() -> None:
    torch.manual_seed(1)
    model = TorchModel(Planted(), Letters())
    own = items(["ab", "cd"])
    found = attribute_units(model, own, layers=["embed", "hidden"], target=ClassLogit(0), method=Conductance(3))
    sizes = {
        f"{layer}:{unit}": found.size(layer)[unit] for layer in found.totals for unit in range(len(found.size(layer)))
    }
    ranking = found.ranking(seed=4, parent="key")
    assert list(ranking.units) == sorted(sizes, key=lambda unit: -sizes[unit])
    np.testing.assert_array_equal(ranking.scores, sorted(sizes.values(), reverse=True))
    assert (ranking.target, ranking.origin.method, ranking.origin.seed, ranking.origin.parent) == (
        "class:0", "conductance", 4, "key",
    )  # fmt: skip
    assert found.ranking("hidden", by="mean").units == ("hidden:0", "hidden:1", "hidden:2")
    some = attribute_units(model, own, layers=["hidden"], target=ClassLogit(0), method=Ablation({"hidden": [2, 0]}))
    assert some.ranking().units == ("hidden:0", "hidden:2"), "units that were not taken out are not ranked"
    assert not some.by_site
    with pytest.raises(AttributionError, match=r"There is no attribution to 'out'\. Expected: hidden"):
        some.ranking("out")


def test_bad_input_is_told(bert: Any) -> None:
    def ask(target: Any, layers: list[str] | None = None, **more: Any) -> None:
        attribute_units(bert, items(), layers=layers or [FFN], target=target, method=GradientXActivation(), **more)

    with pytest.raises(AttributionError, match=r"'output' is not scalar: it gave shape \(4, 16\) for 4 items"):
        ask(Function(lambda out, _: out.last_hidden_state[:, 0], "output"))
    with pytest.raises(AttributionError, match="'whole' is not scalar: it gave type float for 4 items"):
        ask(Function(lambda out, _: 1.0, "whole"))
    with pytest.raises(AttributionError, match="The target 'place' gave int64, which has no gradient"):
        ask(Function(lambda out, _: out.last_hidden_state[:, 0].argmax(dim=1), "place"))
    with pytest.raises(AttributionError, match=r"The target 'root' is nan for item 's0'\. Expected: a finite number"):
        ask(Function(lambda out, _: -torch.sqrt(out.last_hidden_state[:, 0, 0] * 0 - 1), "root"))
    with pytest.raises(AttributionError, match="Item 's0' has nothing that the network reads"):
        attribute_units(bert, [Item("s0", "g", {"source": Text("", ())})], layers=[FFN], target=Coordinate(0))
    with pytest.raises(AttributionError, match="Coordinate 16 of an output of 16"):
        ask(Coordinate(16))
    with pytest.raises(AttributionError, match="has no classes"):
        ask(ClassLogit(0))
    with pytest.raises(AttributionError, match="no output embedding of its own"):
        ask(NextToken())
    with pytest.raises(AttributionError, match=r"does not depend on 'encoder\.layer\.1'"):
        ask(UnitValue(FFN, 0), ["encoder.layer.1"])
    with pytest.raises(AttributionError, match=r"Unit 32 of 'encoder\.layer\.0\.intermediate', which has 32"):
        ask(UnitValue(FFN, 32), ["embeddings"])
    with pytest.raises(AttributionError, match="Unknown baseline 'black'"):
        ask(Coordinate(0), baseline="black")
    with pytest.raises(UnknownLayerError):
        ask(Coordinate(0), ["encoder.layer.9"])
    with pytest.raises(AttributionError, match="There are no items"):
        attribute_units(bert, [], layers=[FFN], target=Coordinate(0))
    with pytest.raises(AttributionError, match="Class 2 of 2"):
        attribute_units(TorchModel(Planted(), Letters()), items(["ab"]), layers=["hidden"], target=ClassLogit(2))
    with pytest.raises(AttributionError, match="Got unit 9 of 'hidden'"):
        attribute_units(
            TorchModel(Planted(), Letters()),
            items(["ab"]),
            layers=["hidden"],
            target=ClassLogit(0),
            method=Ablation({"hidden": [9]}),
        )


@pytest.mark.parametrize("rule", ["gausslegendre", "midpoint", "trapezoid", "left", "right"])
def test_rules_integrate_a_constant(rule: Any) -> None:
    alphas, weights = nodes(rule, 5)
    assert sum(weights) == pytest.approx(1)
    assert len(alphas) == 5
    assert all(0 <= alpha <= 1 for alpha in alphas)
