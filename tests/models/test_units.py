"""Units of a basis beside a module's own, against the basis applied to plain values position by position."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unitscope.bases.base import Basis
from unitscope.errors import BasisError, ModelError, UnknownLayerError
from unitscope.models import load_model
from unitscope.models.units import source_of, with_bases
from unitscope.sites import Item

Checkpoint = Callable[[str], Path]
SOURCE = "encoder.layer.1"
NAMES = (f"{SOURCE}~a", f"{SOURCE}~b", "encoder.layer.1.attention.output.dense@in~a")


def drawn(seed: int, **parts: Any) -> Basis:
    draw = np.random.default_rng(seed)
    return Basis(draw.normal(size=(16, 30)).astype(np.float32), **parts)


BASES = {NAMES[0]: drawn(1), NAMES[1]: drawn(2, nonlinearity="topk", k=4), NAMES[2]: drawn(3, nonlinearity="relu")}


def positions_of_words(model: Any, items: list[Item], address: str) -> list[list[torch.Tensor]]:
    """Values [16] at every position of every word, from runs that ask for one position each: first, then the rest."""
    found = []
    for item in items:
        text = item.grids["source"]
        row = model.feed.rows("source", [text])[0]
        kept: list[torch.Tensor] = []
        name, _, side = address.partition("@")
        part = model.module.get_submodule(name)
        hook = (
            part.register_forward_pre_hook(lambda m, args, kept=kept: kept.append(args[0]))
            if side
            else part.register_forward_hook(lambda m, i, o, kept=kept: kept.append(o[0] if isinstance(o, tuple) else o))
        )
        with torch.no_grad():
            model.module(input_ids=torch.from_numpy(row.ids)[None])
        hook.remove()
        for start, end in text.spans:
            mine = [at for at, (a, b) in enumerate(row.spans.tolist()) if a < end and b > start]
            found.append([kept[0][0, at] for at in mine])
    return found


REDUCE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "last": lambda rows: rows[-1],
    "first": lambda rows: rows[0],
    "mean": lambda rows: rows.mean(0),
    "max": lambda rows: rows.max(0).values,
}


@pytest.mark.parametrize("how", list(REDUCE))
def test_units_are_made_at_positions_and_then_reduced(checkpoint: Checkpoint, items: list[Item], how: Any) -> None:
    plain = load_model(str(checkpoint("bert")))
    model = with_bases(plain, BASES)
    layers = model.resolve([*NAMES, SOURCE])
    captured = model.run(items, layers, resample=how, batch_size=3, also={"mean": {NAMES[1]: np.array([5, 2])}})
    for name in NAMES:
        at = positions_of_words(plain, items, source_of(name))
        seen = captured.valid["source"]
        assert [bool(rows) for rows in at] == seen.tolist()
        expected = torch.stack([REDUCE[how](BASES[name].encode(torch.stack(rows))) for rows in at if rows])
        np.testing.assert_allclose(captured.values[name].numpy()[seen], expected, rtol=1e-4, atol=1e-3)
        if name == NAMES[1]:
            mean = torch.stack([BASES[name].encode(torch.stack(rows)).mean(0) for rows in at if rows])[:, [5, 2]]
            np.testing.assert_allclose(captured.values[f"{name}|mean"].numpy()[seen], mean, rtol=1e-4, atol=1e-3)
    assert any(len(rows) > 1 for rows in at)


def test_a_range_of_units_has_the_bits_of_the_whole(checkpoint: Checkpoint, items: list[Item]) -> None:
    model = with_bases(load_model(str(checkpoint("bert"))), BASES)
    layers = model.resolve(list(NAMES))
    whole = model.run(items, layers, resample="mean").values
    only = {NAMES[0]: (0, 10), NAMES[1]: (7, 30)}
    part = model.run(items, layers, resample="mean", only=only).values
    for name in NAMES:
        expected = whole[name][:, slice(*only.get(name, (0, 30)))]
        torch.testing.assert_close(part[name], expected, rtol=0, atol=0)


def test_layers_stand_beside_their_source_and_the_model_stays_as_it_was(checkpoint: Checkpoint) -> None:
    plain = load_model(str(checkpoint("bert")))
    model = with_bases(plain, BASES)
    found = model.resolve(["encoder.layer.1*"])
    at = [layer.address for layer in found]
    assert at.index(NAMES[0]) == at.index(SOURCE) + 1
    layer = found[at.index(NAMES[0])]
    assert (layer.width, layer.grid, layer.role, layer.order) == (30, "source", "", found[at.index(SOURCE)].order)
    assert model.weight_hash == plain.weight_hash
    with pytest.raises(UnknownLayerError):
        plain.resolve([NAMES[0]])
    assert with_bases(plain, {}) is plain


def test_what_does_not_fit_is_refused(checkpoint: Checkpoint) -> None:
    model = load_model(str(checkpoint("bert")))
    with pytest.raises(BasisError, match=r"reads 16 values, but layer 'encoder.layer.1.intermediate' has 24 units"):
        with_bases(model, {"encoder.layer.1.intermediate~a": drawn(1)})
    with pytest.raises(UnknownLayerError, match=r"Layer 'encoder.layer.9' not in bert. Closest: "):
        with_bases(model, {"encoder.layer.9~a": drawn(1)})
    with pytest.raises(UnknownLayerError, match=r"Expected: LAYER~NAME"):
        with_bases(model, {SOURCE: drawn(1)})

    class Foreign:
        name = "x"

    with pytest.raises(ModelError, match=r"x is a Foreign, on whose layers there can be no bases"):
        with_bases(Foreign(), {NAMES[0]: drawn(1)})  # type: ignore[arg-type]
