"""Attribution to units of bases: by hand on a linear model, beside the layer's own units, with an error left over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from unitscope import edits
from unitscope.bases.base import Basis
from unitscope.causal.ablation import Ablation
from unitscope.causal.captum import CaptumLayer
from unitscope.causal.judge import judge
from unitscope.causal.methods import Conductance, GradientXActivation, IntegratedGradients, InternalInfluence
from unitscope.causal.targets import ClassLogit, Coordinate, UnitValue
from unitscope.causal.to_tokens import TokenMethod, attribute_tokens
from unitscope.causal.to_units import attribute_units
from unitscope.errors import AttributionError
from unitscope.models import load_model
from unitscope.models.adapters import Encoded
from unitscope.models.torch import TorchModel
from unitscope.models.units import with_bases
from unitscope.sites import Item, Text

LAYER = "encoder.layer.0"
METHODS = [GradientXActivation(), Conductance(6), Conductance(6, "left"), Conductance(5, "tangents")]


def items() -> list[Item]:
    texts = ["the old dog saw a house .", "she", "they walk the red river and see .", "a dog"]
    return [Item(f"s{at}", f"g{at}", {"source": Text.from_words(text.split())}) for at, text in enumerate(texts)]


def rotation(n: int) -> Basis:
    return Basis(np.linalg.qr(np.random.default_rng(0).normal(size=(n, n)))[0].astype(np.float32))


def autoencoder(n: int, m: int, **options: Any) -> Basis:
    draw = np.random.default_rng(1)
    arrays = {"bias": (m,), "decoder": (m, n), "center": (n,)}
    made = {name: draw.normal(size=shape).astype(np.float32) for name, shape in arrays.items()}
    return Basis(draw.normal(size=(n, m)).astype(np.float32), **made, **{"nonlinearity": "relu", **options})


@pytest.fixture(scope="module")
def bert(tiny_model: Path) -> Any:
    principal = rotation(16).cut(np.arange(5))
    bases = {
        "rotation": rotation(16),
        "pca": principal,
        "sae": autoencoder(16, 40),
        "topk": autoencoder(16, 40, nonlinearity="topk", k=6),
        "scaled": autoencoder(16, 40, normalisation="layer_norm"),
    }
    return with_bases(load_model(str(tiny_model)), {f"{LAYER}~{name}": basis for name, basis in bases.items()})


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_units_and_the_rest_add_up_to_what_the_layer_is_given(bert: Any, method: Any) -> None:
    names = ["rotation", "pca", "sae", "scaled"]
    layers = [f"{LAYER}~{name}" for name in names]
    alone = attribute_units(bert, items(), layers=[LAYER], target=Coordinate(0), method=method)
    found = attribute_units(bert, items(), layers=layers, target=Coordinate(0), method=method)
    assert list(found.totals) == list(found.rest) == sorted(layers)
    whole = alone.totals[LAYER].sum(axis=1)
    for address, totals in found.totals.items():
        np.testing.assert_allclose(totals.sum(axis=1) + found.rest[address], whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.rest[f"{LAYER}~rotation"], 0, atol=1e-4)
    assert np.abs(found.rest[f"{LAYER}~pca"]).max() > 1e-2
    if alone.explained:
        np.testing.assert_allclose(found.gap[f"{LAYER}~sae"], alone.gap[LAYER], rtol=1e-3, atol=1e-4)


def test_layers_do_not_see_one_another(bert: Any) -> None:
    """Asking for a basis changes nothing of what earlier layers, later ones or the layer itself are given."""
    layers = ["embeddings", LAYER, "encoder.layer.1"]
    method = Conductance(4)
    alone = attribute_units(bert, items(), layers=layers, target=Coordinate(0), method=method)
    bases = [f"{LAYER}~sae", f"{LAYER}~topk"]
    found = attribute_units(bert, items(), layers=[*layers, *bases], target=Coordinate(0), method=method)
    for address in layers:
        np.testing.assert_allclose(found.totals[address], alone.totals[address], rtol=1e-4, atol=1e-5)
    one = attribute_units(bert, items(), layers=bases[:1], target=Coordinate(0), method=method)
    np.testing.assert_allclose(found.totals[bases[0]], one.totals[bases[0]], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(alone.output, found.output)
    sites = attribute_units(bert, items(), layers=bases, target=Coordinate(0), method=method, keep_sites=True)
    assert sites.at_sites[bases[1]].shape == (sum(item.grids["source"].n_sites for item in items()), 40)


def test_a_turned_layer_is_given_as_much_along_its_own_line(bert: Any) -> None:
    layers = [LAYER, f"{LAYER}~rotation"]
    found = attribute_units(bert, items(), layers=layers, target=Coordinate(0), method=IntegratedGradients(8))
    sums = [found.totals[address].sum(axis=1) for address in layers]
    np.testing.assert_allclose(sums[0], sums[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["pca", "sae", "topk", "scaled"])
def test_integrated_gradients_explain_what_a_basis_units_do(bert: Any, name: str) -> None:
    """The line moves the units alone; what it ends at is an edit of them that keeps the error."""
    address = f"{LAYER}~{name}"
    method = IntegratedGradients(60, start="zero")
    found = attribute_units(bert, items(), layers=[address], target=Coordinate(0), method=method)
    assert found.relative_gap(address) < 0.02
    assert not found.rest
    for at, item in enumerate(items()):
        args, kwargs, _ = bert.fed([item])
        with torch.no_grad(), bert.edited(edits.zero(address, where="everywhere")):
            without = float(bert.module(*args, **kwargs).last_hidden_state.mean(dim=1)[0, 0])
        assert found.explained[address][at] == pytest.approx(found.output[at] - without, abs=2e-5)


class Letters:
    pads = False

    def encode(self, texts: Any) -> Encoded:
        ids = torch.tensor([[ord(letter) % 128 for letter in text.text] for text in texts])
        return Encoded([[(at, at + 1) for at in range(len(text.text))] for text in texts], (ids,))


class Sum(nn.Module):
    """A linear readout of the sum of 6 values over positions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.embed = nn.Embedding(128, 6)
        self.same = nn.Identity()
        self.out = nn.Linear(6, 3, bias=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.out(self.same(self.embed(ids)).sum(dim=1))


METHODS_BY_HAND = [GradientXActivation(), Ablation(), IntegratedGradients(3, start="zero")]


@pytest.mark.parametrize("method", METHODS_BY_HAND, ids=lambda method: method.name)
def test_a_linear_readout_by_hand(method: Any) -> None:
    """A unit's value times its decoder's product with the readout; the rest is the error's and the offset's."""
    basis = autoencoder(6, 10)
    model = with_bases(TorchModel(Sum(), Letters()), {"same~sae": basis})
    own = [Item(text, text, {"source": Text.from_words([text])}) for text in ("ab", "cde")]
    found = attribute_units(model, own, layers=["same~sae"], target=ClassLogit(1), method=method)
    module: Any = model.module  # type: ignore[attr-defined]
    weight = module.out.weight[1].detach().numpy()
    for row, text in enumerate(("ab", "cde")):
        values = module.embed(torch.tensor([ord(letter) % 128 for letter in text])).detach().numpy()
        units = np.maximum((values - basis.center) @ basis.encoder + basis.bias, 0)
        by_hand = (units * (basis.decoder @ weight)).sum(axis=0)
        np.testing.assert_allclose(found.totals["same~sae"][row], by_hand, rtol=1e-4, atol=1e-5)
        if method.splits:
            error = values - (units @ basis.decoder + basis.center)
            rest = ((error + basis.center) @ weight).sum()
            assert found.rest["same~sae"][row] == pytest.approx(rest, rel=1e-4, abs=1e-5)
    (judged,) = judge(model, own, found, ClassLogit(1), n_units=10)
    assert judged.correlation == pytest.approx(1)


def test_words_of_a_basis_units(bert: Any) -> None:
    for mode in ("forward", "reverse"):
        method = TokenMethod("integrated-gradients", 40, mode=mode)  # type: ignore[arg-type]
        maps = list(attribute_tokens(bert, items()[:1], f"{LAYER}~pca", [0, 3], method=method))
        assert np.abs(maps[0].gap).max() < 0.02
    read = attribute_units(
        bert, items(), layers=["embeddings"], target=UnitValue(f"{LAYER}~pca", 2), method=Conductance(8)
    )
    assert read.relative_gap("embeddings") < 0.1


def test_what_a_basis_has_not(bert: Any) -> None:
    influence = attribute_units(
        bert, items(), layers=[f"{LAYER}~sae"], target=Coordinate(0), method=InternalInfluence(3)
    )
    assert not influence.rest
    with pytest.raises(AttributionError, match=r"Captum reads modules, and 'encoder.layer.0~pca' is a basis' units"):
        attribute_units(
            bert, items(), layers=[f"{LAYER}~pca"], target=Coordinate(0), method=CaptumLayer("LayerActivation")
        )
