"""Ablation as a method of attribution, beside a hook that multiplies by a mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from unitscope.causal.ablation import Ablation
from unitscope.causal.targets import Coordinate
from unitscope.causal.to_units import attribute_units
from unitscope.errors import AttributionError
from unitscope.models.huggingface import from_pretrained
from unitscope.sites import Item, Text

FFN = "encoder.layer.0.intermediate"
TEXTS = ("the old dog saw a house .", "she walks", "they see the red river")


def items() -> list[Item]:
    return [Item(f"s{n}", f"s{n}", {"source": Text.from_words(text.split())}) for n, text in enumerate(TEXTS)]


def test_it_is_what_a_hook_at_every_position_takes_away(tiny_model: Path) -> None:
    model = from_pretrained(tiny_model)
    target = Coordinate(2, "mean")
    found = attribute_units(model, items(), layers=[FFN], target=target, method=Ablation({FFN: [1, 5]}))
    module = model.module.get_submodule(FFN)

    def output(item: Item, unit: int | None) -> float:
        def silence(_: object, __: object, values: torch.Tensor) -> torch.Tensor:
            values = values.clone()
            values[..., unit] = 0
            return values

        args, kwargs, _ = model.fed([item])
        handle = module.register_forward_hook(silence) if unit is not None else None
        with torch.no_grad():
            value = float(model.module(*args, **kwargs).last_hidden_state[0, :, 2].mean())
        if handle is not None:
            handle.remove()
        return value

    naive = [[output(item, None) - output(item, unit) for unit in (1, 5)] for item in items()]
    np.testing.assert_allclose(found.totals[FFN][:, [1, 5]], naive, rtol=1e-4, atol=1e-6)
    assert np.isnan(np.delete(found.totals[FFN], [1, 5], axis=1)).all()
    assert not found.by_site, "an item as a whole has no sites"


def test_units_out_of_range_are_refused(tiny_model: Path) -> None:
    with pytest.raises(AttributionError, match="99"):
        attribute_units(
            from_pretrained(tiny_model), items(), layers=[FFN], target=Coordinate(0), method=Ablation({FFN: [99]})
        )


def test_it_tells_how_many_units_were_asked_for() -> None:
    assert Ablation({"a": [1, 2], "b": [3]}).parameters() == {"units": {"a": 2, "b": 1}}
