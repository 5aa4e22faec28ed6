"""What reports call things on each kind of grid: words have a form and a position, cells an appearance and a place.

The tables have the same columns for all grids (`within_form`, `share_position`); only the words for them differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from unitscope.atlas import Atlas
from unitscope.sites import kind_of


def _named(**names: str) -> Mapping[str, str]:
    same = {name: name for name in ("form", "position", "length", "context", "document", "rest")}
    return MappingProxyType(same | names)


@dataclass(frozen=True)
class Wording:
    """Words for one kind of grid; `parts` are names of the shares of variance."""

    sites: str = "words"
    items: str = "items"
    group: str = "group"
    groups: str = "groups"
    form: str = "word form"
    explained: str = "word form or position"
    in_form: str = "in form"
    within_form: str = "within form"
    in_place: str = "in form×pos."
    within_place: str = "within form × position"
    all_there: str = "No word was dropped or cut off.\n"
    parts: Mapping[str, str] = field(default_factory=_named)
    shares: str = (
        "word form; position in the sentence; sentence length; context as far as the concepts describe it beyond "
        "these; document; rest."
    )
    legend: str = ""


TEXTS = Wording(
    legend="AUROC: how well the unit tells the concept's words from all others, on documents that were not used to "
    "choose the concept (.5 chance, 1 perfect; where the unit falls, it is low at them), in brackets with its 95 % "
    "interval. within form: the same among words of equal form; within form × position: and at like positions in "
    "sentences of like length; untrained p99: what one in a hundred units of an untrained copy exceeds there. "
    "prevalence, n: share and number of words with the concept, on the held-out half. q: expected share of false ones "
    "among matches at least as strong. contextual: it holds beyond word form and position, and more strongly than in "
    "an untrained copy where one was run; positional: position or length explains it; lexical: all else, "
    "mostly mere word "
    "form."
)
IMAGES = Wording(
    sites="cells",
    items="images",
    group="video",
    groups="videos",
    form="appearance",
    explained="appearance or place",
    in_form="in appear.",
    within_form="within appearance",
    in_place="in app.×place",
    within_place="within appearance × place",
    all_there="Every image was read.\n",
    parts=_named(form="appearance", position="row", length="column", document="scene"),
    shares="appearance (mean colour and texture of the cell); row in the image; column; context as far as the concepts "
    "describe it beyond these; scene (run of images); rest.",
    legend="AUROC: how well the unit tells the concept's cells from all others, on images that were not used to choose "
    "the concept (.5 chance, 1 perfect; where the unit falls, it is low at them), in brackets with its 95 % interval. "
    "within appearance: the same among cells of like colour and texture; within appearance × place: and in the same "
    "ninth of the image; untrained p99: what one in a hundred units of an untrained copy exceeds there. prevalence, n: "
    "share and number of cells with the concept, on the held-out half. q: expected share of false ones among "
    "matches at "
    "least as strong. contextual: it holds beyond appearance and place, and more strongly than in an untrained copy "
    "where one was run; positional: place explains it; appearance: all else, mostly what the cell itself looks like.",
)
ITEMS = Wording(
    sites="items",
    form="nothing",
    explained="the words or their number",
    in_form="in form",
    within_form="within form (none for items)",
    in_place="in length",
    within_place="within length",
    parts=_named(form="(none)", position="(none)", length="length"),
    shares="nothing stands for word form and position; length of the text; context as far as the concepts describe it; "
    "document; rest.",
    legend="AUROC: how well the unit's value pooled over an item tells items with the label from all others, on items "
    "that were not used to choose it (.5 chance, 1 perfect; where the unit falls, it is low at them), in brackets with "
    "its 95 % interval. within length: the same among texts of like length; untrained p99: what one in a hundred units "
    "of an untrained copy exceeds there. prevalence, n: share and number of items with the label, on the "
    "held-out half. "
    "q: expected share of false ones among matches at least as strong. contextual: it holds among texts of like length "
    "and more strongly than in an untrained copy, which was run; lexical (of images: appearance): all else, as the "
    "items' words may explain it.",
)
_ORDINALS = MappingProxyType({2: "second", 3: "third", 4: "fourth", 5: "fifth"})
_BY_KIND = MappingProxyType({"text": TEXTS, "image": IMAGES, "item": ITEMS})


def of_grid(grid: str) -> Wording:
    """Words for a grid, by its name.

    >>> of_grid("image:13x13").sites, of_grid("source").sites
    ('cells', 'words')
    """
    return _BY_KIND[kind_of(grid)]


def of_cells(grid: str) -> tuple[str, str] | None:
    """Cells of the feature map that a grid has a part of, and which: None where it has all.

    >>> of_cells("image:19x19of55x55"), of_cells("image:13x13")
    (('55x55', 'third'), None)
    """
    part, _, whole = grid.partition(":")[2].partition("of")
    if not whole:
        return None
    step = -(-int(whole.partition("x")[0]) // int(part.partition("x")[0]))
    return whole, _ORDINALS.get(step, f"{step}th")


def wording(atlas: Atlas) -> Wording:
    """Words for an atlas as a whole: for texts where any layer has words, else for images, else for items."""
    kinds = {kind_of(grid) for grid in atlas.manifest["grids"]}
    return next(_BY_KIND[kind] for kind in ("text", "image", "item") if kind in kinds)


def parts(atlas: Atlas) -> Mapping[str, str]:
    """Names of the shares of variance in this atlas."""
    return wording(atlas).parts
