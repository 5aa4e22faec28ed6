"""Many edits over many items, beside one run in full for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from unitscope import edits
from unitscope.edits import Edit
from unitscope.errors import EditError
from unitscope.masks import Mask
from unitscope.models.huggingface import from_pretrained
from unitscope.models.many import batches, grouped, many
from unitscope.models.replay import ReplayWarning
from unitscope.models.torch import TorchModel
from unitscope.sites import Item

SOME = [
    edits.zero("encoder.layer.2.intermediate:4"),
    Edit(),
    edits.zero("encoder.layer.1.intermediate:2", where=Mask.positions(1)),
    edits.scale("encoder.layer.2.intermediate:3", 3.0) + edits.add("encoder.layer.0:1", 1.0),
    edits.set("encoder.layer.2.intermediate:0", 2.0, where=~Mask.items("s1")),
]


def second(output: Any, rows: Sequence[Item]) -> torch.Tensor:
    found: torch.Tensor = output.last_hidden_state[:, 1]
    return found


@pytest.mark.parametrize(("batch_size", "positions"), [(2, 40), (32, 8192), (1, 1), (3, 100)])
def test_each_edit_is_as_if_it_ran_alone(
    checkpoint: Callable[[str], Path], items: list[Item], batch_size: int, positions: int
) -> None:
    model = from_pretrained(checkpoint("bert"))
    found = many(model, items, SOME, second, batch_size=batch_size, positions=positions)
    assert [len(one) for one in found] == [len(items)] * len(SOME)
    for edit, mine in zip(SOME, found):
        for item, value in zip(items, mine):
            args, kwargs, _ = model.fed([item])
            with torch.no_grad():
                alone = model.edited(edit, items=[item])(*args, **kwargs).last_hidden_state[0, 1]
            assert torch.allclose(value, alone, rtol=1e-4, atol=1e-5 * float(alone.abs().max()))
    assert not torch.allclose(found[0][0], found[1][0], rtol=1e-3)


def test_edits_are_grouped_by_where_they_begin(checkpoint: Callable[[str], Path]) -> None:
    model = from_pretrained(checkpoint("bert"))
    found = [(members, None if at is None else at.module) for members, at in grouped(model, SOME)]
    layers = [f"encoder.layer.{n}.intermediate" for n in (1, 2)]
    assert found == [([1], None), ([3], "encoder.layer.0"), ([2], layers[0]), ([0, 4], layers[1])]


def test_batches_hold_every_item_once(networks: Any, checkpoint: Callable[[str], Path], items: list[Item]) -> None:
    model = from_pretrained(checkpoint("gpt2"))
    found = list(batches(model, items, 2))
    assert sorted(index for rows, _ in found for index in rows) == list(range(len(items)))
    assert max(len(rows) for rows, _ in found) == 2
    own = TorchModel(networks.seeded(networks.Convolutions), networks.Characters())
    twice = [*items, *(Item(f"{item.id}'", "g", item.grids) for item in items)]
    for rows, length in batches(own, twice, 3):
        assert {len(twice[row].grids["source"].text) for row in rows} == {length}


def test_a_model_that_cannot_be_replayed_gives_the_same(networks: Any, items: list[Item]) -> None:
    model = TorchModel(networks.seeded(networks.Keeping), networks.Characters())
    some = [edits.zero("same:1"), edits.zero("same:2")]
    with pytest.warns(ReplayWarning, match="runs in full"):
        found = many(model, items[:1], some, lambda output, rows: output)
    for edit, one in zip(some, found):
        args, _, _ = model.fed(items[:1])
        with torch.no_grad():
            assert torch.equal(model.edited(edit, items=items[:1])(*args)[0], one[0])


def test_an_output_of_another_length_is_refused(checkpoint: Callable[[str], Path], items: list[Item]) -> None:
    model = from_pretrained(checkpoint("bert"))
    with pytest.raises(EditError, match=r"'output' gave 1 entries for 2 items\. Expected: one an item"):
        many(model, items[:2], SOME[:1], lambda output, rows: [0.0])
