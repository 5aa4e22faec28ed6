"""Heads that are trained for labels, beside plain computations with the module itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from unitscope import edits
from unitscope.causal.bound import of_class
from unitscope.causal.effects import measured
from unitscope.causal.tasks.heads import trained_head
from unitscope.causal.tasks.own import OwnClasses, OwnTop
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.huggingface import from_pretrained
from unitscope.models.images import ImageModel
from unitscope.sites import Image, Item, Text


def told() -> list[Item]:
    draw = np.random.default_rng(0)
    made = []
    for n in range(60):
        kind = ("dog", "house")[n % 2]
        words = [*draw.choice(["the", "a", "old", "red", "saw"], 4), kind, "."]
        made.append(Item(f"s{n}", f"s{n}", {"source": Text.from_words(words)}, {"kind": kind}))
    return made


def test_a_head_is_trained_and_judged(tiny_model: Path) -> None:
    model, all_items = from_pretrained(tiny_model), told()
    head = trained_head(model, all_items[:40], "kind")
    assert head.classes == ("dog", "house")
    assert head.n_trained == 40
    task = head.bound(model, all_items[40:])
    right = measured(model, task, [Edit()], list(range(20))).values[0]
    assert right == 1.0
    args, kwargs, _ = model.fed([task.items[0]])
    with torch.no_grad():
        hidden = model.module(*args, **kwargs).last_hidden_state[0].mean(dim=0)
    logits = hidden @ head.weight.T + head.bias
    loss = trained_head(model, all_items[:40], "kind", by="loss").bound(model, all_items[40:])
    found = measured(model, loss, [Edit()], list(range(20)))
    own = head.classes.index(task.items[0].labels["kind"])
    assert found.sums[0, 0] == pytest.approx(float(-logits.log_softmax(0)[own]), rel=1e-4)


def test_heads_that_cannot_be(tiny_model: Path) -> None:
    model = from_pretrained(tiny_model)
    with pytest.raises(TaskError, match=r"0 class\(es\) by the label 'kidn'.*Labels here: kind"):
        trained_head(model, told(), "kidn")
    head = trained_head(model, told(), "kind")
    with pytest.raises(TaskError, match="No item has a label 'kind'"):
        head.bound(model, [Item("new", "g", {"source": Text.from_words(["the", "dog"])})])


def test_balanced_accuracy_and_accuracy_by_class(tiny_model: Path) -> None:
    model, every = from_pretrained(tiny_model), told()
    few = [item for n, item in enumerate(every[40:]) if n % 2 == 0 or n < 4]
    head = trained_head(model, every[:40], "kind", by="balanced")
    assert head.metric == "balanced accuracy"
    wrong = replace_labels(few, {few[0].id: "house", few[2].id: "house"})
    bound = head.bound(model, wrong)
    assert bound.classes == ("dog", "house")
    found = measured(model, bound, [Edit()], range(len(wrong)))
    n_house = sum(item.labels["kind"] == "house" for item in wrong)
    shares = [1.0, (n_house - 2) / n_house]
    assert found.values[0] == pytest.approx(np.mean(shares))
    assert [float(of_class(at)(found.statistics[0].sum(axis=0))) for at in (0, 1)] == pytest.approx(shares)


def replace_labels(items: list[Item], new: dict[str, str]) -> list[Item]:
    return [Item(i.id, i.group, i.grids, {"kind": new.get(i.id, i.labels["kind"])}) for i in items]


def test_labels_beside_the_items(tiny_model: Path) -> None:
    model, every = from_pretrained(tiny_model), told()
    of_item = {item.id: item.labels["kind"] for item in every[:50]}
    bare = [Item(item.id, item.group, item.grids) for item in every]
    head = trained_head(model, bare[:40], "kind", of_item=of_item)
    bound = head.bound(model, bare[40:])
    assert (len(bound.items), bound.left_out) == (10, 10)
    assert measured(model, bound, [Edit()], range(10)).values[0] == 1.0


class Pixels:
    size = (16, 16)
    classes = ("dark", "light", "grey")

    def encode_images(self, pixels: Any) -> tuple[torch.Tensor]:
        return (torch.from_numpy(pixels),)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    folder, draw, found = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0), []
    for at in range(30):
        path = folder / f"{at}.png"
        light = at % 2
        pixels = draw.integers(100 * light, 120 + 120 * light, (16, 16, 3)).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(path)
        grids = {"image": Image(str(path), 16, 16)}
        found.append(Item(f"p{at}", f"g{at}", grids, {"shade": ("dark", "light")[light]}))
    return found


@pytest.mark.parametrize("classes", [True, False])
def test_pictures(pictures: list[Item], classes: bool) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        layers = [nn.Conv2d(3, 5, 3, 2), nn.ReLU(), nn.Conv2d(5, 6, 3)]
        last = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)] if classes else []
        model = ImageModel(nn.Sequential(*layers, *last), Pixels())
    head = trained_head(model, pictures[:20], "shade")
    bound = head.bound(model, pictures[20:])
    found = measured(model, bound, [Edit(), edits.zero([f"0:{n}" for n in range(5)])], range(10), batch_size=4)
    assert found.values[0] == 1.0
    assert found.values[1] == 0.5, "no picture differs from another without its only layer"
    with torch.no_grad():
        output = model.module(*model.fed(pictures[20:])[0])
    if not classes:
        pooled = output.mean(dim=(2, 3))
        own = torch.tensor([head.classes.index(item.labels["shade"]) for item in pictures[20:]])
        assert ((pooled @ head.weight.T + head.bias).argmax(dim=1) == own).all()
        with pytest.raises(TaskError, match=r"output has no classes.*Have a head trained"):
            OwnTop().bound(model, pictures)
        return
    own = OwnClasses("shade", "loss").bound(model, pictures[20:])
    wanted = [
        -float(output[at].log_softmax(0)[Pixels.classes.index(i.labels["shade"])]) for at, i in enumerate(own.items)
    ]
    np.testing.assert_allclose(measured(model, own, [Edit()], range(10)).sums[0], wanted, rtol=1e-5)
    top = measured(model, OwnTop(True).bound(model, pictures[20:]), [Edit()], range(10))
    np.testing.assert_allclose(top.sums[0], output.softmax(1).amax(1), rtol=1e-5)
