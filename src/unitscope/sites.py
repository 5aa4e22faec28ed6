"""Items and their sites: where in the data a unit can be active.

An *item* is one document's sentence, one sentence pair, later one image. It carries one or more named *grids*
(`source`, `target`, `image`, `item`); a grid's *sites* are the places at which units are compared with concepts.
For text a grid is a `Text`: words with their character spans. Layers and concepts each declare one grid and only
equal grids are tallied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from unitscope.errors import CorpusError

Column = tuple[str | None, ...]


@dataclass(frozen=True)
class Text:
    """Words of one text, in reading order: the sites of a text grid.

    `text` is the raw string; `spans` are half-open character spans [n_sites] of (start, end), increasing and
    disjoint; `columns` hold one annotation per word (`None`: not annotated), for instance `upos`, `lemma`, `feats`.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    columns: Mapping[str, Column] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def n_sites(self) -> int:
        """Number of words."""
        return len(self.spans)

    @property
    def words(self) -> tuple[str, ...]:
        """Surface forms, one a site.

        >>> Text("a cat", ((0, 1), (2, 5))).words
        ('a', 'cat')
        """
        return tuple(self.text[start:end] for start, end in self.spans)

    @classmethod
    def from_words(
        cls,
        words: Sequence[str],
        columns: Mapping[str, Column] | None = None,
        space_after: Sequence[bool] | None = None,
    ) -> Text:
        """Join words by single blanks (where `space_after` is true; by default everywhere).

        Raises CorpusError when a column has another length than `words`.

        >>> Text.from_words(["It", "'s"], space_after=[False, True]).text
        "It's"
        """
        pieces: list[str] = []
        spans: list[tuple[int, int]] = []
        at = 0
        for index, word in enumerate(words):
            spans.append((at, at + len(word)))
            pieces.append(word)
            at += len(word)
            if index + 1 < len(words) and (space_after is None or space_after[index]):
                pieces.append(" ")
                at += 1
        for name, values in (columns or {}).items():
            if len(values) != len(words):
                raise CorpusError(
                    f"Column '{name}' has {len(values)} values for {len(words)} words.", expected="one value a word"
                )
        return cls("".join(pieces), tuple(spans), MappingProxyType(dict(columns or {})))


@dataclass(frozen=True)
class Item:
    """One unit of reading with a stable id, the group it came from (document, video), and its grids by name.

    `labels` are item-level annotations (class of a text, sentence type).
    """

    id: str
    group: str
    grids: Mapping[str, Text]
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self) -> dict[str, Any]:
        """What a model needs of the item (text and spans, no annotation), as plain JSON values."""
        grids = {name: {"text": grid.text, "spans": [list(s) for s in grid.spans]} for name, grid in self.grids.items()}
        return {"id": self.id, "group": self.group, "grids": grids}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Item:
        """Invert `to_json`."""
        grids = {
            name: Text(grid["text"], tuple((int(a), int(b)) for a, b in grid["spans"]))
            for name, grid in data["grids"].items()
        }
        return cls(data["id"], data["group"], grids)
