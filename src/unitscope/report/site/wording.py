"""What pages call what is held fixed: word forms and positions of a text, appearance and place of an image."""

from __future__ import annotations

from dataclasses import dataclass

from unitscope.sites import kind_of


@dataclass(frozen=True)
class Words:
    """Labels of the effects within strata, and how sentences speak of them."""

    form: str
    place: str
    among: str
    alone: str
    everything: str
    held_out: str


_TEXT = Words(
    "same word form",
    "same form, like position",
    "among the same words at like positions",
    "the word itself",
    "all words",
    "documents",
)
_IMAGE = Words(
    "like appearance",
    "like appearance and place",
    "among cells of like appearance at like places",
    "appearance",
    "all cells",
    "images",
)
_ITEM = Words(
    "same form",
    "like length",
    "among items of like length",
    "what is in the items, not what they mean",
    "all items",
    "items",
)


def words_of(grid: str) -> Words:
    """Words for a grid's sites.

    >>> words_of("image").alone, words_of("source").alone
    ('appearance', 'the word itself')
    """
    return {"image": _IMAGE, "item": _ITEM}.get(kind_of(grid), _TEXT)
