"""Bases against loops over sites and units, and the laws of encoding, decoding and replacing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unitscope.bases import base
from unitscope.bases.base import Basis
from unitscope.errors import BasisError

D, M, S = 6, 10, 7


def made(nonlinearity: str = "identity", seed: int = 0, **parts: Any) -> Basis:
    draw = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray[Any, Any]:
        return draw.normal(size=shape).astype(np.float32)

    plain: dict[str, Any] = {
        "encoder": normal(D, M),
        "bias": normal(M),
        "center": normal(D),
        "decoder": normal(M, D),
        "offset": normal(D),
        "threshold": np.abs(normal(M)) if nonlinearity == "jumprelu" else None,
        "k": 3 if nonlinearity == "topk" else 0,
    }
    return Basis(**{**plain, "nonlinearity": nonlinearity, **parts})


def values(seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(1, 2, size=(S, D)).astype(np.float32))


def naive(basis: Basis, x: torch.Tensor) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Units [S, M] and reconstruction [S, D], site by site in float64 Python loops."""
    found, back = [], []
    for row in x.double().numpy():
        shift, scale = 0.0, 1.0
        if basis.normalisation == "layer_norm":
            shift = sum(row) / D
            scale = (sum((v - shift) ** 2 for v in row) / (D - 1)) ** 0.5
            row = np.array([(v - shift) / (scale + 1e-5) for v in row])
        elif basis.normalisation == "constant_norm_rescale":
            scale = sum(v * v for v in row) ** 0.5 / D**0.5
            row = row / scale
        centred = row - (0 if basis.center is None else basis.center.astype(np.float64))
        before = []
        for u in range(basis.encoder.shape[1]):
            z = sum(centred[d] * float(basis.encoder[d, u]) for d in range(D))
            z += 0 if basis.bias is None else float(basis.bias[u])
            before.append(z * (1 if basis.rescale is None else float(basis.rescale[u])))
        if basis.nonlinearity == "relu":
            units = [max(z, 0.0) for z in before]
        elif basis.nonlinearity == "topk":
            best = sorted(range(len(before)), key=lambda u: -before[u])[: basis.k]
            units = [max(z, 0.0) if u in best else 0.0 for u, z in enumerate(before)]
        elif basis.nonlinearity == "jumprelu":
            assert basis.threshold is not None
            units = [max(z, 0.0) if z > basis.threshold[u] else 0.0 for u, z in enumerate(before)]
        else:
            units = before
        decoder = np.linalg.pinv(basis.encoder.astype(np.float64)) if basis.decoder is None else basis.decoder
        out = sum(
            z / (1 if basis.rescale is None else float(basis.rescale[u])) * decoder[u].astype(np.float64)
            for u, z in enumerate(units)
        )
        offset = basis.offset if basis.offset is not None else basis.center
        out = (out + (0 if offset is None else offset.astype(np.float64))) * scale + shift
        found.append(units)
        back.append(out)
    return np.array(found), np.array(back)


KINDS: list[Basis] = [
    *(made(kind) for kind in base.NONLINEARITIES),
    made("relu", center=None),
    made("relu", bias=None, offset=None),
    made("topk", rescale=np.linspace(0.5, 2, M).astype(np.float32)),
    made("jumprelu", normalisation="layer_norm"),
    made("topk", normalisation="constant_norm_rescale"),
    made("identity", bias=None, decoder=None, offset=None),
]


@pytest.mark.parametrize("basis", KINDS, ids=repr)
def test_units_and_reconstruction_are_those_of_a_plain_loop(basis: Basis) -> None:
    units, back = naive(basis, values())
    np.testing.assert_allclose(basis.encode(values()).numpy(), units, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(basis.reconstruct(values()).numpy(), back, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose((basis.error(values()) + basis.reconstruct(values())).numpy(), values(), atol=1e-4)


@pytest.mark.parametrize("basis", KINDS, ids=repr)
def test_a_part_of_the_units_has_the_bits_of_the_whole(basis: Basis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "COLUMNS", 4)
    whole = basis.encode(values())
    for part in ((0, M), (3, 9), (4, 8), (9, 10)):
        torch.testing.assert_close(basis.encode(values(), part), whole[:, slice(*part)], rtol=0, atol=0)
    few = torch.tensor([8, 2, 2])
    torch.testing.assert_close(basis.encode(values(), few), whole[:, few], rtol=1e-5, atol=1e-5)


def test_topk_in_parts_of_rows_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made("topk").encode(values())
    monkeypatch.setattr(base, "ROWS", 2 * M)
    torch.testing.assert_close(made("topk").encode(values()), whole, rtol=1e-6, atol=1e-6)
    assert ((whole > 0).sum(dim=1) <= 3).all()


@given(st.sampled_from(KINDS), st.integers(0, 50), st.integers(0, M - 1), st.floats(-3, 3))
def test_replacing_units_keeps_the_reconstruction_error(basis: Basis, seed: int, unit: int, amount: float) -> None:
    x = values(seed)
    units = basis.encode(x)
    torch.testing.assert_close(basis.replace(x, units), x, rtol=0, atol=1e-6)
    changed = units.clone()
    changed[:, unit] += amount
    edited = basis.replace(x, changed)
    # The part the basis does not hold is the same before and after.
    torch.testing.assert_close(
        edited - basis.decode(changed, of=x), basis.error(x), rtol=1e-4, atol=1e-3 * (1 + abs(amount))
    )
    if basis.decoder is not None and basis.normalisation == "none" and basis.rescale is None:
        moved = torch.from_numpy(basis.decoder[unit]) * amount
        torch.testing.assert_close(edited - x, moved.expand_as(x), rtol=1e-3, atol=1e-3)


def test_decoding_without_the_values_is_refused_where_their_scale_is_needed() -> None:
    basis = made("relu", normalisation="layer_norm")
    with pytest.raises(BasisError, match=r"normalises its input.*Give 'of'"):
        basis.decode(basis.encode(values()))


def test_cutting_takes_units_and_what_lies_below_their_floor() -> None:
    basis = made()
    chosen = np.array([7, 1, 4])
    cut = basis.cut(chosen, np.array([0.5, -1, 0], np.float32))
    whole = basis.encode(values())[:, chosen]
    torch.testing.assert_close(cut.encode(values()), (whole - torch.tensor([0.5, -1, 0])).relu())
    torch.testing.assert_close(cut.encode(values(), (1, 3)), cut.encode(values())[:, 1:3], rtol=0, atol=0)
    torch.testing.assert_close(cut.encode(values(), torch.tensor([2])), cut.encode(values())[:, 2:])
    again = basis.cut(chosen).cut(np.array([2, 0]))
    torch.testing.assert_close(again.encode(values()), whole[:, [2, 0]])
    assert (cut.width, cut.n_inputs, cut.is_affine) == (3, D, False)
    units = basis.cut(chosen).encode(values())
    torch.testing.assert_close(basis.cut(chosen).replace(values(), units), values(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("basis", KINDS, ids=repr)
def test_loading_inverts_saving(basis: Basis) -> None:
    again = Basis.load(*basis.save())
    torch.testing.assert_close(again.encode(values()), basis.encode(values()), rtol=0, atol=0)
    torch.testing.assert_close(again.reconstruct(values()), basis.reconstruct(values()), rtol=0, atol=0)


def test_values_of_more_axes_and_of_no_rows() -> None:
    basis = made("topk")
    assert basis.encode(values().reshape(1, S, D)).shape == (1, S, M)
    assert basis.encode(torch.zeros(0, D)).shape == (0, M)
    assert basis.encode(torch.zeros(0, D), (2, 5)).shape == (0, 3)


def test_inputs_are_never_changed() -> None:
    basis, x = made("jumprelu"), values()
    basis.replace(x, basis.encode(x))
    torch.testing.assert_close(x, values(), rtol=0, atol=0)


def test_what_encodes_under_inference_mode_serves_gradients_later() -> None:
    basis = made("relu")
    with torch.inference_mode():
        basis.reconstruct(values())
    x = values().requires_grad_()
    basis.reconstruct(x).sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"bias": np.zeros(3, np.float32)}, r"Got 'bias' of shape \(3,\). Expected: \(10,\) beside 6 x 10 weights"),
        ({"decoder": np.zeros((D, M), np.float32)}, "Got 'decoder' of shape"),
        ({"nonlinearity": "gelu"}, "Unknown nonlinearity 'gelu'"),
        ({"nonlinearity": "topk", "k": 11}, "Got k=11 of 10 units. Expected: a whole number from 1 to 10"),
        ({"nonlinearity": "jumprelu"}, "has no 'threshold'"),
        ({"bias": np.full(M, np.nan, np.float32)}, "'bias' has values that are no finite numbers"),
        ({"encoder": np.zeros(3, np.float32)}, "Got an encoder of shape"),
    ],
)
def test_what_does_not_fit_is_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(BasisError, match=message):
        replace(made(), **parts)


def test_values_of_another_width_are_refused() -> None:
    with pytest.raises(BasisError, match=r"Got values of width 5. Expected: width 6"):
        made().encode(torch.zeros(2, 5))
    with pytest.raises(BasisError, match=r"Got units of width 5. Expected: width 10"):
        made().decode(torch.zeros(2, 5))
