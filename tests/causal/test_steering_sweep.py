"""Steering of a planted network: the output reads known units; others hold the same and do nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from unitscope.causal.effects import effect_of
from unitscope.causal.steering_edits import Habits
from unitscope.causal.steering_label import LabelIs
from unitscope.causal.steering_scores import Judge, Scores
from unitscope.causal.steering_sweep import Grid, Sweep, chosen, sweep
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.adapters import Encoded
from unitscope.models.torch import TorchModel
from unitscope.sites import Item, Text

N_UNITS, CAUSES, DECOYS = 12, (2, 5), (0, 1)
UNITS = [f"units:{n}" for n in range(N_UNITS)]


class Planted(nn.Module):
    """Units 2 and 5 hold the class, 0 and 1 copy them; the hidden state reads 2 and 5, and units from 8 on."""

    def __init__(self) -> None:
        super().__init__()
        self.units, self.out = nn.Linear(N_UNITS, N_UNITS, bias=False), nn.Linear(N_UNITS, 6, bias=False)
        mixing = torch.eye(N_UNITS)
        for copy, cause in zip(DECOYS, CAUSES):
            mixing[copy] = mixing[cause]
        with torch.no_grad():
            self.units.weight.copy_(mixing)
            self.out.weight.zero_()
            for row, unit in enumerate((*CAUSES, 8, 9, 10, 11)):
                self.out.weight[row, unit] = 1.0

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.out(self.units(values))
        return found


class Numbers:
    """Texts of words that are numbers: each is the seed of a site's signals; odd ones are of the class `yes`."""

    pads = False
    probe_word = "1"

    def encode(self, texts: Sequence[Text]) -> Encoded:
        values = torch.tensor(np.array([[signals(int(word)) for word in text.words] for text in texts]))
        return Encoded([np.array(text.spans).reshape(-1, 2) for text in texts], (values.float(),))


@cache
def signals(seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).normal(0, 1, N_UNITS)
    made[list(CAUSES)] = made[list(CAUSES)] / 4 + (1.0 if seed % 2 else -1.0)
    return made


@cache
def planted() -> tuple[TorchModel, list[list[Item]], Habits]:
    draw = np.random.default_rng(3)
    items = []
    for n in range(260):
        words = 2 * draw.integers(1, 10_000, 4) + n % 2
        text = Text.from_words([str(word) for word in words])
        items.append(Item(f"s{n}", f"s{n}", {"source": text}, labels={"said": "yes" if n % 2 else "no"}))
    parts = [items[:200], items[200:220], items[220:]]
    model = TorchModel(Planted().eval(), Numbers())
    layer = model.resolve(["units"])
    values = model.run(parts[0], layer).values["units"].numpy()
    yes = np.repeat([item.labels["said"] == "yes" for item in parts[0]], 4)
    habits = Habits.of_values(UNITS, values, np.ones(len(values), np.bool_), [(yes, ~yes)], {"units": N_UNITS})
    return model, parts, habits


def steered(first: Sequence[int], grid: Grid, *, remove: bool = False) -> Sweep:
    model, (train, dev, held), habits = planted()
    asked = LabelIs("said", "" if remove else "yes", remove)
    judges = [asked.bound(model, train, part) for part in (dev, held)]
    order = [*first, *(n for n in range(N_UNITS) if n not in first)]
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    found = sweep([UNITS[n] for n in order], habits, *judges, range(len(judges[1].items)), rising=not remove, grid=grid)
    assert all(torch.equal(before[name], value) for name, value in model.module.state_dict().items())
    assert not any(part._forward_hooks for part in model.module.modules())
    return found


@pytest.mark.parametrize("how", ["add", "gap", "set"])
def test_causes_steer_fully_and_random_units_do_not(how: str) -> None:
    found = steered(CAUSES, Grid(how, sizes=(1, 2), strengths=(0.5, 2.0), n_draws=3, limit=0.3))
    none, mine, random, beyond = (found.of(name) for name in ("none", "steered", "random mean", "beyond"))
    assert none is not None
    assert mine is not None
    assert random is not None
    assert beyond is not None
    assert (none.success, mine.success) == (0.0, 1.0)
    assert random.success == pytest.approx(0.0, abs=0.05)
    assert (mine.gain.effect, mine.gain.low) == (1.0, 1.0)
    assert beyond.gain.effect == pytest.approx(1.0 - random.success)
    assert abs(mine.harm.effect) < 0.3, "the class' own directions are not damage"
    assert set(found.units) <= {UNITS[n] for n in CAUSES}
    assert sum(each.chosen for each in found.tried if each.selection == "steered") == 1
    assert all(each.success == 1.0 for each in found.examples)
    assert found.examples[0].original.endswith("[no]")
    assert found.examples[0].after.startswith("yes")


def test_copies_that_nothing_reads_steer_nothing() -> None:
    found = steered(DECOYS, Grid(sizes=(2,), strengths=(1.0, 100.0), n_draws=2))
    mine = found.of("steered")
    assert mine is not None
    assert (mine.success, mine.gain.effect, mine.gain.p, mine.harm.effect) == (0.0, 0.0, 1.0, 0.0)
    assert mine.strength == 1.0, "of equals the mildest"
    assert {each.before == each.after for each in found.examples} == {True}


@pytest.mark.parametrize("how", ["mean", "project"])
def test_a_new_head_tells_nothing_without_the_causes(how: str) -> None:
    grid = Grid(how, sizes=(2,), strengths=(1.0,), n_draws=2, limit=1.0)
    found = steered(CAUSES, grid, remove=True)
    none, mine, random = (found.of(name) for name in ("none", "steered", "random mean"))
    assert none is not None
    assert mine is not None
    assert random is not None
    assert none.success == 1.0
    assert mine.success < 0.75
    assert random.success == pytest.approx(1.0)
    assert found.floor == 0.5
    assert mine.facts["the head as it was"] < 0.75


def test_the_same_seed_gives_the_same() -> None:
    grid = Grid(sizes=(2,), strengths=(0.3, 1.0), n_draws=2, seed=4)
    assert repr(steered(CAUSES, grid)) == repr(steered(CAUSES, grid))
    other = steered(CAUSES, replace(grid, seed=5))
    assert other.of("random mean") != steered(CAUSES, grid).of("random mean")


def scores(success: list[float], harm: list[float]) -> Scores:
    one = np.ones(1)
    return Scores(np.array(success)[:, None], one, np.array(harm)[:, None], one)


def test_the_choice_keeps_to_the_limit() -> None:
    found = scores([0.1, 0.9, 0.5, 0.5, 0.4], [0.0, 0.3, 0.05, 0.02, 0.0])
    assert chosen(found, [0, 1, 2, 3, 4], True, 0.0, 0.1) == (3, True)
    assert chosen(found, [0, 1, 2, 3, 4], True, 0.0, 0.5) == (1, True)
    assert chosen(found, [0, 1, 2, 3, 4], False, 0.45, 0.1) == (4, True), "below chance is no less than chance"
    assert chosen(scores([0.1, 0.9, 0.8], [0.0, 0.3, 0.2]), [0, 1, 2], True, 0.0, 0.1) == (2, False)
    worn = replace(found, worn=np.array([0, 0, 0, 0.2, 0]))
    assert chosen(worn, [0, 1, 2, 3, 4], True, 0.0, 0.1) == (2, True)


def test_differences_are_plain_ones_of_paired_items() -> None:
    draw = np.random.default_rng(0)
    hits, harm = draw.integers(0, 2, (3, 30)).astype(float), draw.random((3, 30)) + 1
    found = Scores(hits, np.ones(30), harm, np.full(30, 2.0), relative=True)
    block = np.arange(30) // 2
    assert found.gained([1, 2], [0], block).effect == pytest.approx(hits[1:].mean() - hits[0].mean())
    assert found.gained([1], [2], block) == effect_of(hits[1] - hits[2], np.ones(30), block)
    rise = (harm[1].sum() - harm[0].sum()) / harm[0].sum()
    assert found.harmed([1], [0], block).effect == pytest.approx(rise)
    assert found.collateral[1] == pytest.approx(rise)


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        (Grid(sizes=(0,)), "numbers from 1 up"),
        (Grid(strengths=(float("nan"),)), "one finite number or more"),
        (Grid(limit=-1.0), "most collateral damage"),
        (Grid(n_draws=-1), "random sets"),
        (Grid("push"), "Unknown way to steer 'push'"),
    ],
)
def test_bad_numbers_are_refused(grid: Grid, told: str) -> None:
    with pytest.raises(TaskError, match=told):
        steered(CAUSES, grid)


def test_what_cannot_be_judged_is_refused() -> None:
    model, (train, dev, _), _ = planted()
    with pytest.raises(TaskError, match=r"with the value 'yse'.*Closest: 'yes'"):
        LabelIs("said", "yse").bound(model, train, dev)
    with pytest.raises(TaskError, match="of 0 of the classes to steer"):
        LabelIs("said", "yes").bound(model, train, [item for item in dev if item.labels["said"] == "yes"])
    judge: Judge = LabelIs("said", "yes", keep="said").bound(model, train, dev)
    assert judge.scores([Edit()]).collateral.tolist() == [0.0]
