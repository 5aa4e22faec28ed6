"""The spool: rounded values of every unit, whatever their scale, and the random rotation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from unitscope.arrays import from_keys
from unitscope.models.base import Captured, Layer
from unitscope.sites import Item, Text
from unitscope.store import ArrayFile
from unitscope.study.plan import Slice, Study
from unitscope.study.sitepass import other_resampling, rotation, run_shard, sampled_units, spool_name
from unitscope.study.unitpass import read_keys

LAYERS = (Layer("a", 40, "source"), Layer("b", 5, "source", order=1))


class Given:
    """A model whose activations are given: [S, U] a layer."""

    def __init__(self, values: dict[str, NDArray[np.float32]], valid: NDArray[np.bool_]) -> None:
        self.values, self.valid = values, valid
        self.asked: dict[str, Any] = {}

    def run(self, items: Sequence[Item], layers: Sequence[Layer], **settings: Any) -> Captured:
        self.asked = settings
        found = {layer.address: torch.tensor(self.values[layer.address]) for layer in layers}
        for how, chosen in (settings["also"] or {}).items():
            for address, units in chosen.items():
                found[f"{address}|{how}"] = torch.tensor(self.values[address][:, units]) + 1
        return Captured(found, {"source": self.valid}, {"dropped_words": int((~self.valid).sum())})


def study(**changed: Any) -> Study:
    return Study("m", "w", "c", "h", LAYERS, (), ("auroc",), **changed)


def spooled(
    shards: Sequence[dict[str, NDArray[np.float32]]], part: Sequence[Slice], folder: Path, variant: str = "trained"
) -> list[ArrayFile]:
    files = []
    for number, values in enumerate(shards):
        path = folder / f"{number}.safetensors"
        run_shard(study(), variant, part, Given(values, np.ones(len(values["a"]), bool)), [], path)  # type: ignore[arg-type]
        files.append(ArrayFile(path))
    return files


def shards(sizes: Sequence[int], scale: float = 1.0) -> list[dict[str, NDArray[np.float32]]]:
    draw = np.random.default_rng(0)
    return [
        {name: (draw.normal(size=(n, width)) * scale).astype(np.float32) for name, width in (("a", 40), ("b", 5))}
        for n in sizes
    ]


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-12, 1e6, 1e30])
@pytest.mark.parametrize("part", [[Slice(0, 0, 40), Slice(1, 0, 5)], [Slice(0, 16, 40)], [Slice(1, 0, 5)]])
def test_values_come_back_to_half_precision(scale: float, part: list[Slice], tmp_path: Path) -> None:
    made = shards([30, 0, 7], scale)
    files = spooled(made, part, tmp_path)
    for each in part:
        expected = np.concatenate([values[LAYERS[each.layer].address] for values in made])[:, each.start : each.stop].T
        for start in range(0, each.stop - each.start, 16):
            stop = min(start + 16, each.stop - each.start)
            keys, found = read_keys(files, spool_name(each), start, stop, np.ones(37, bool))
            np.testing.assert_allclose(
                from_keys(keys) * found[:, None], expected[start:stop], rtol=2**-10, atol=2e-6 * scale
            )


def test_a_shard_of_zeros_does_not_wash_out_small_values(tmp_path: Path) -> None:
    small = shards([20], 1e-9)[0]
    zeros = {name: np.zeros((6, array.shape[1]), np.float32) for name, array in small.items()}
    large = {name: array * 1e12 for name, array in small.items()}
    for number, others in enumerate(([zeros, small, zeros], [zeros], [small, large])):
        (tmp_path / str(number)).mkdir()
        files = spooled(others, [Slice(1, 0, 5)], tmp_path / str(number))
        expected = np.concatenate([values["b"] for values in others]).T
        keys, scale = read_keys(files, "1.0", 0, 5, np.ones(expected.shape[1], bool))
        largest = np.abs(expected).max(axis=1, keepdims=True)
        assert (np.abs(from_keys(keys) * scale[:, None] - expected) <= largest * 2.0**-11).all()


def test_sites_without_position_are_left_out(tmp_path: Path) -> None:
    made = shards([10, 10])
    valid = np.random.default_rng(1).random(20) < 0.7
    files = spooled(made, [Slice(1, 0, 5)], tmp_path)
    every, _ = read_keys(files, "1.0", 0, 5, np.ones(20, bool))
    some, _ = read_keys(files, "1.0", 0, 5, valid)
    np.testing.assert_array_equal(some, every[:, valid])


def test_order_and_ties_survive_rounding(tmp_path: Path) -> None:
    values = {"a": np.zeros((4, 40), np.float32), "b": np.zeros((4, 5), np.float32)}
    values["b"][:, 0] = [-np.inf, -0.0, 0.0, np.inf]
    values["b"][:, 1] = [np.nan, 1, 2, -1]
    files = spooled([values], [Slice(1, 0, 5)], tmp_path)
    keys, _ = read_keys(files, "1.0", 0, 5, np.ones(4, bool))
    assert keys[0, 0] < keys[0, 1] == keys[0, 2] < keys[0, 3]
    assert keys[1].argsort().tolist() == [0, 3, 1, 2]


def test_the_other_resampling_is_of_sampled_units_once_a_layer(tmp_path: Path) -> None:
    made = shards([9])
    model = Given(made[0], np.ones(9, bool))
    units = sampled_units(study(), 0)
    assert len(units) == len(set(units.tolist())) == 32
    assert (np.diff(units) > 0).all()
    assert sampled_units(study(), 1).tolist() == list(range(5))
    run_shard(study(), "trained", [Slice(0, 0, 16), Slice(0, 16, 40)], model, [], tmp_path / "x")  # type: ignore[arg-type]
    file = ArrayFile(tmp_path / "x")
    assert file.names == ["valid.source", "0.0", "0.0.scale", "0.other", "0.other.scale", "0.16", "0.16.scale"]
    np.testing.assert_allclose(file.read("0.other"), (made[0]["a"][:, units] + 1).T, rtol=2**-10, atol=1e-6)
    assert list(model.asked["also"]) == ["mean"]
    assert other_resampling(study(resample="mean")) == "last"
    assert file.meta == {"counts": {"dropped_words": 0}}
    run_shard(study(), "untrained", [Slice(0, 0, 40)], model, [], tmp_path / "y")  # type: ignore[arg-type]
    assert ArrayFile(tmp_path / "y").names == ["valid.source", "0.0", "0.0.scale"]


def test_the_model_is_asked_as_the_study_says(tmp_path: Path) -> None:
    model = Given(shards([9])[0], np.ones(9, bool))
    asked = study(resample="max", batch_size=5, long_items="truncate")
    run_shard(asked, "untrained", [Slice(0, 0, 40)], model, [], tmp_path / "x")  # type: ignore[arg-type]
    assert model.asked == {"resample": "max", "batch_size": 5, "long_items": "truncate", "also": None}


@pytest.mark.parametrize("width", [1, 7, 1024, 1025, 2500])
def test_a_rotation_is_orthogonal_and_reaches_every_unit(width: int) -> None:
    sets = rotation(Layer("a", width, "source"), 3)
    assert sorted(unit for units, _ in sets for unit in units.tolist()) == list(range(width))
    for units, matrix in sets:
        assert len(units) <= 1024
        assert matrix.shape == (len(units), len(units))
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(units)), atol=1e-5)
    again, other = rotation(Layer("a", width, "source"), 3), rotation(Layer("b", width, "source"), 3)
    np.testing.assert_array_equal(sets[0][1], again[0][1])
    if width > 1:
        assert (sets[0][1] != other[0][1]).any()


def test_the_rotated_spool_is_the_rotated_layer_whatever_the_slices(tmp_path: Path) -> None:
    made = shards([30])
    ((units, matrix),) = rotation(LAYERS[0], 0)
    expected = np.zeros((30, 40), np.float32)
    expected[:, units] = made[0]["a"][:, units] @ matrix
    (whole,) = spooled(made, [Slice(0, 0, 40)], tmp_path, "rotation")
    np.testing.assert_allclose(whole.read("0.0"), expected.T, rtol=2**-9, atol=2e-3)
    (tmp_path / "cut").mkdir()
    (cut,) = spooled(made, [Slice(0, 0, 16), Slice(0, 16, 40)], tmp_path / "cut", "rotation")
    np.testing.assert_array_equal(np.concatenate([cut.read("0.0"), cut.read("0.16")]), whole.read("0.0"))


def test_items_reach_the_model(tmp_path: Path) -> None:
    seen: list[Sequence[Item]] = []

    class Seeing(Given):
        def run(self, items: Sequence[Item], layers: Sequence[Layer], **settings: Any) -> Captured:
            seen.append(items)
            return super().run(items, layers, **settings)

    items = [Item("i", "g", {"source": Text.from_words(["a"] * 9)})]
    counts = run_shard(
        study(),
        "trained",
        [Slice(1, 0, 5)],
        Seeing(shards([9])[0], np.arange(9) > 1),
        items,
        tmp_path / "x",  # type: ignore[arg-type]
    )
    assert seen == [items]
    assert counts == {"dropped_words": 2}
    assert ArrayFile(tmp_path / "x").read("valid.source").tolist() == [False, False] + [True] * 7
