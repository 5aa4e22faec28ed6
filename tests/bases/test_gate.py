"""Units brought to one number and one density."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unitscope.bases import gate as module
from unitscope.bases.base import Basis
from unitscope.bases.gate import Gate
from unitscope.bases.specs import Given, Pca, Rotation
from unitscope.errors import BasisError


def rows(n: int = 2000) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    draw = np.random.default_rng(8)
    return (draw.normal(size=(n, 12)) * np.arange(1, 13) - 20).astype(np.float32)


def fitted(gate: Gate, values: np.ndarray[tuple[int, int], np.dtype[np.float32]], size: int = 300) -> Basis:
    fitter = gate.fitter(12, "h")
    for start in range(0, len(values), size):
        fitter.add(values[start : start + size])
    return fitter.finish()


def sparse() -> Basis:
    draw = np.random.default_rng(3)
    return Basis(draw.normal(size=(12, 40)).astype(np.float32), nonlinearity="topk", k=4, center=rows().mean(axis=0))


@pytest.mark.parametrize("inner", [None, Rotation(2), Pca()], ids=str)
@pytest.mark.parametrize("density", [0.01, 0.2])
def test_dense_units_are_on_at_the_density(inner: Rotation | Pca | None, density: float) -> None:
    units = fitted(Gate(inner, 5, density), rows()).encode(torch.from_numpy(rows()))
    np.testing.assert_allclose((units > 0).float().mean(dim=0), density, atol=1e-3)
    assert (units >= 0).all()


def test_sparse_units_are_those_on_often_enough() -> None:
    whole = sparse().encode(torch.from_numpy(rows()))
    often = ((whole > 0).float().mean(dim=0) >= 0.1).numpy()
    assert 5 <= often.sum() < 40
    basis = fitted(Gate(Given("sae", sparse()), 5, 0.1), rows())
    assert basis.chosen is not None
    assert often[basis.chosen].all()
    units = basis.encode(torch.from_numpy(rows()))
    np.testing.assert_allclose((units > 0).float().mean(dim=0), 0.1, atol=1e-3)
    with pytest.raises(BasisError, match=rf"Only {often.sum()} units of the basis 'sae' on 'h' are on at 10.00%"):
        fitted(Gate(Given("sae", sparse()), 40, 0.1), rows())


def test_units_as_they_are_keep_their_values() -> None:
    basis = fitted(Gate(None, 12), rows())
    np.testing.assert_array_equal(basis.encode(torch.from_numpy(rows())).numpy(), rows())


def test_the_seed_draws_units_and_components_come_in_order() -> None:
    chosen = [fitted(Gate(None, 4, seed=seed), rows()).chosen for seed in (0, 0, 1)]
    assert np.array_equal(chosen[0], chosen[1])
    assert not np.array_equal(chosen[0], chosen[2])
    assert np.array_equal(fitted(Gate(Pca(), 4, seed=1), rows()).chosen, np.arange(4))


def test_thresholds_of_many_sites_rest_on_evenly_spaced_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted(Gate(None, 12, 0.1), rows())
    monkeypatch.setattr(module, "MOST_ROWS", 600)
    fitter = Gate(None, 12, 0.1).fitter(12, "h")
    for start in range(0, 2000, 150):
        fitter.add(rows()[start : start + 150])
    units = fitter.finish().encode(torch.from_numpy(rows()))
    assert whole.floor is not None
    assert ((units > 0).float().mean(dim=0) - 0.1).abs().max() < 0.05


def test_more_units_than_there_are() -> None:
    with pytest.raises(BasisError, match=r"Got 13 units of 12 \('neurons' on 'h'\). Expected: at most 12"):
        Gate(None, 13).width(12, "h")


def test_descriptions_say_all() -> None:
    gates = [Gate(None, 3), Gate(None, 4), Gate(None, 3, 0.1), Gate(None, 3, seed=1), Gate(Pca(), 3), Gate(Pca(2), 3)]
    assert len({gate.describe() for gate in gates}) == len(gates)
    assert [gate.name for gate in gates] == ["neurons", "neurons", "neurons-sparse", "neurons", "pca", "pca"]
