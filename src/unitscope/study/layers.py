"""Which layers a study maps, on which sites: patterns and options turned into layers.

`grid` says whether layers are compared on their own sites (`words`, which for images are cells), pooled to one site an
item (`items`), or on `both`; without it, on both where a concept source is about items alone. A pattern `ADDRESS@item`
asks for the pooled layer alone. `sites` are the sites of images: `cells` of each feature map; `pixels`, those of the
network's input; or `ROWSxCOLUMNS`, a grid that all layers are interpolated to. Of larger feature maps `cells` takes
every second, third ... row and column, so that at most 400 cells an image are left (55 x 55 gives 19 x 19): neighbours
say nearly the same, and a study of all of them takes many times as long. `all` takes them all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from unitscope.concepts.base import ConceptSource, speaks
from unitscope.corpora.base import Corpus
from unitscope.errors import CorpusError, PlanError
from unitscope.models.address import split_pooled
from unitscope.models.base import Layer, Model
from unitscope.sites import IMAGE, ITEM
from unitscope.study.pooling import pooled_layer

MOST_CELLS = 400
"""Cells of an image that `cells` takes at most."""
GRIDS = ("words", "items", "both")
_SIZE = re.compile(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})")


def parse_sites(sites: str) -> tuple[int, int] | None:
    """Rows and columns of the sites of images; (0, 0) for pixels and None for cells of each feature map itself.

    >>> parse_sites("56x56"), parse_sites("cells")
    ((56, 56), None)
    """
    if sites in ("cells", "all", "pixels"):
        return (0, 0) if sites == "pixels" else None
    match = _SIZE.fullmatch(sites)
    if match is None:
        raise PlanError(f"Got sites '{sites}'.", expected="cells, all, pixels, or ROWSxCOLUMNS as 56x56")
    return int(match[1]), int(match[2])


def chosen_layers(
    model: Model,
    patterns: Sequence[str],
    *,
    roles: Sequence[str],
    grid: str | None,
    sites: str,
    sources: Sequence[ConceptSource],
) -> tuple[Layer, ...]:
    """Layers in order of execution, each before its pooled one, none twice.

    Without patterns those of certain roles, or all. Raises UnknownLayerError for a pattern that matches nothing.
    """
    plain = [pattern for pattern in patterns if not split_pooled(pattern)[1]]
    asked = [split_pooled(pattern)[0] for pattern in patterns if split_pooled(pattern)[1]]
    if patterns:
        found = model.resolve(plain) if plain else []
    else:
        known = list(model.layers())
        found = [layer for layer in known if layer.role in roles] or known
    own_grids = {layer.grid for layer in found} - {ITEM}
    about_items = any(speaks(source, ITEM) for source in sources)
    if grid is None:
        about_sites = [any(speaks(source, each) for each in own_grids) for source in sources]
        alone = any(speaks(source, ITEM) and not own for source, own in zip(sources, about_sites, strict=True))
        grid = ("both" if any(about_sites) or not own_grids else "items") if alone else "words"
    pooled = {layer.address for layer in (model.resolve(asked) if asked else [])}
    layers: dict[str, Layer] = {}
    whole = {layer.address for layer in found}
    for layer in sorted([*found, *(model.resolve(asked) if asked else [])], key=lambda each: each.order):
        if layer.address in whole and grid != "items" and (layer.grid != ITEM or about_items):
            own = _on_sites(model, layer, sites)
            layers[own.address] = own
        if layer.address in pooled or (layer.address in whole and grid != "words"):
            each = pooled_layer(_on_sites(model, layer, sites))  # over the sites that its own layer is on
            layers[each.address] = each
    if not layers:
        raise PlanError("No layer is left on the sites asked for.", fix="Choose other --layers, or another --grid.")
    return tuple(layers.values())


def _on_sites(model: Model, layer: Layer, sites: str) -> Layer:
    size = parse_sites(sites)
    if size is None:
        thin: Any = getattr(model, "thinned", None)
        if thin is None and sites == "all":
            raise PlanError("Got sites 'all' for a model of texts.", fix="Leave --sites out.")
        if thin is None or sites == "all":
            return layer
        thinned: Layer = thin(layer, MOST_CELLS)
        return thinned
    move: Any = getattr(model, "on_cells", None)
    if move is None:
        raise PlanError(f"Got sites '{sites}' for a model of texts.", fix="Leave --sites out.")
    rows, columns = size if size != (0, 0) else getattr(model, "size")  # noqa: B009 - only models of images have it
    moved: Layer = move(layer, rows, columns)
    return moved


def check_modality(model: Model, corpus: Corpus) -> None:
    """Raise CorpusError where a model of images is given texts, or a model of texts images."""
    reads_images = IMAGE in getattr(model, "grids", ())
    if reads_images != (IMAGE in corpus.grids):
        what, reads = ("texts", "images") if reads_images else ("images", "texts")
        raise CorpusError(
            f"Corpus '{corpus.name}' is of {what}, and {model.name} reads {reads}.",
            fix="Give a model of images a folder of images, and a model of texts a corpus of texts.",
        )


def has_masks(corpus: Corpus) -> bool:
    """Whether a corpus of images (or a view of one) has label masks."""
    inner: Any = corpus
    while not hasattr(inner, "has_masks"):
        if not hasattr(inner, "corpus"):
            return False
        inner = inner.corpus
    return bool(inner.has_masks)
