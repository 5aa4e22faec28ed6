"""Which layers a study maps, on which sites."""

from typing import Any

import pytest

from unitscope.concepts.labels import LabelSource
from unitscope.concepts.pictures import PlaceSource
from unitscope.concepts.words import WordSource
from unitscope.errors import PlanError
from unitscope.models.base import Layer
from unitscope.study.layers import chosen_layers, parse_sites

CELLS = "30x40 cells of 4x4 from 0,0 in 120x160"
LABELS, WORDS, PLACE = LabelSource(("class",)), WordSource(), PlaceSource()


class Model:
    """Two layers of words and one of whole items."""

    def __init__(self, *layers: Layer) -> None:
        self.known = list(layers)

    def layers(self) -> list[Layer]:
        return self.known

    def resolve(self, patterns: list[str]) -> list[Layer]:
        return [layer for layer in self.known if layer.address in patterns]


class Pictures(Model):
    size = (120, 160)

    def on_cells(self, layer: Layer, rows: int, columns: int) -> Layer:
        return Layer(layer.address, layer.width, f"image:{rows}x{columns}")

    def thinned(self, layer: Layer, most: int) -> Layer:
        return Layer(layer.address, layer.width, f"image:thin{most}")


TEXTS = Model(
    Layer("a", 4, "source", "block", order=0), Layer("b", 4, "source", order=1), Layer("pooler", 4, "item", order=2)
)
IMAGES = Pictures(Layer("c", 4, "image:30x40", "block", cells=CELLS))


def _chosen(model: Any, patterns: list[str], *sources: Any, grid: str | None = None, sites: str = "cells") -> list[str]:
    found = chosen_layers(model, patterns, roles=("block",), grid=grid, sites=sites, sources=sources)
    assert [layer.order for layer in found] == sorted(layer.order for layer in found)
    return [layer.address for layer in found]


def test_what_concepts_are_about_chooses_the_grid() -> None:
    assert _chosen(TEXTS, [], WORDS) == ["a"]
    assert _chosen(TEXTS, [], LABELS) == ["a@item"]
    assert _chosen(TEXTS, [], WORDS, LABELS) == ["a", "a@item"]


def test_options_and_patterns_choose_it_too() -> None:
    assert _chosen(TEXTS, [], WORDS, grid="both") == ["a", "a@item"]
    assert _chosen(TEXTS, ["b", "a@item"], WORDS, LABELS, grid="words") == ["a@item", "b"]
    assert _chosen(TEXTS, ["a", "a@item"], WORDS, LABELS) == ["a", "a@item"]
    assert _chosen(TEXTS, ["pooler"], LABELS) == ["pooler"]
    with pytest.raises(PlanError, match="No layer is left"):
        _chosen(TEXTS, ["pooler"], WORDS)


def test_sites_of_images() -> None:
    def grid(sites: str) -> str:
        found = chosen_layers(IMAGES, [], roles=("block",), grid=None, sites=sites, sources=[PLACE])  # type: ignore[arg-type]
        return found[0].grid

    assert [grid(sites) for sites in ("cells", "all", "7x9", "pixels")] == [
        "image:thin400",
        "image:30x40",
        "image:7x9",
        "image:120x160",
    ]


def test_a_layer_pooled_is_pooled_over_the_sites_it_is_on() -> None:
    found = chosen_layers(IMAGES, [], roles=("block",), grid="both", sites="7x9", sources=[PLACE])  # type: ignore[arg-type]
    assert [(layer.grid, layer.pooled_from) for layer in found] == [("image:7x9", ""), ("item", "image:7x9")]


@pytest.mark.parametrize("sites", ["", "0x4", "cell", "4x", "4x4x4"])
def test_other_sites_are_refused(sites: str) -> None:
    with pytest.raises(PlanError, match="sites"):
        parse_sites(sites)


@pytest.mark.parametrize("sites", ["all", "pixels", "4x4"])
def test_texts_have_no_cells(sites: str) -> None:
    with pytest.raises(PlanError, match="texts"):
        _chosen(TEXTS, [], WORDS, sites=sites)
