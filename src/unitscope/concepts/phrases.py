"""Phrases: constituents where the corpus has them, else the subtrees of its dependency trees.

A constituent's concept is its label (`NP`), and holds at every word below it. A subtree is a word with all that depends
on it, directly or not; of two words or more it is a phrase, named by the relation of its head (`rel=nsubj`) and by its
head's part of speech (`head=NOUN`). The whole sentence is none. With `edges`, a phrase's first and last word also hold
`NP begins` and `NP ends`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unitscope.concepts.base import Annotation
from unitscope.sites import Item, Text

CONSTITUENTS, HEAD, RELATION, TAG = "constituents", "head", "deprel", "upos"
BEGINS, ENDS = "begins", "ends"
_ROOT = "root"
_APART = ("punct",)
"""Relations of words that are no part of the phrase they hang on."""


@dataclass(frozen=True)
class PhraseSource:
    """Phrases over each word; with `edges`, also which word begins and ends one.

    Constituents are `LABEL:id`, outermost first, separated by blanks. An item without gold constituents and without
    heads, or whose heads make no tree, is not known.
    """

    edges: bool = False
    min_sites: int = 20

    @property
    def category(self) -> str:
        """Always 'phrases'."""
        return "phrases"

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The phrases over each word of the grid."""
        text = item.grids[grid]
        gold = text.columns.get(CONSTITUENTS)
        members = _constituents(gold) if gold is not None else _subtrees(text)
        if members is None:
            return [None] * text.n_sites
        names: list[dict[str, None]] = [{} for _ in range(text.n_sites)]
        for labels, words in members:
            for label in labels:
                for word in words:
                    names[word][label] = None
                if self.edges:
                    names[words[0]][f"{label} {BEGINS}"] = None
                    names[words[-1]][f"{label} {ENDS}"] = None
        return [tuple(each) for each in names]


Members = list[tuple[tuple[str, ...], list[int]]]
"""Phrases of one item: their names and their words, ascending."""


def _constituents(column: Sequence[str | None]) -> Members | None:
    """Phrases from a column of open constituents; None where a word says nothing."""
    words_of: dict[str, list[int]] = defaultdict(list)
    for at, value in enumerate(column):
        if value is None:
            return None
        for name in value.split():
            words_of[name].append(at)
    return [((name.rpartition(":")[0] or name,), words) for name, words in words_of.items()]


def _subtrees(text: Text) -> Members | None:
    """Phrases from heads and relations; None where they are missing or make no tree."""
    heads = _heads(text.columns, text.n_sites)
    if heads is None:
        return None
    below: list[list[int]] = [[] for _ in heads]
    relations = text.columns.get(RELATION) or (None,) * len(heads)
    tags = text.columns.get(TAG) or (None,) * len(heads)
    for word in range(len(heads)):
        at, steps = word, 0
        if (relations[word] or "").partition(":")[0] in _APART:
            below[word].append(word)
            continue
        while at >= 0:
            below[at].append(word)
            at, steps = heads[at], steps + 1
            if steps > len(heads):
                return None  # a circle
    members: Members = []
    for at, words in enumerate(below):
        if len(words) < 2 or heads[at] < 0:
            continue
        names = [f"rel={relations[at]}"] if relations[at] and relations[at] != _ROOT else []
        names += [f"head={tags[at]}"] if tags[at] else []
        members.append((tuple(names), words))
    return members


def _heads(columns: Mapping[str, Sequence[str | None]], n: int) -> list[int] | None:
    """Index of each word's head, -1 for the root; None where one is missing, no number, or out of range."""
    heads: list[int] = []
    for value in columns.get(HEAD) or (None,) * n:
        if value is None or not (value.isascii() and value.isdigit()) or int(value) > n:
            return None
        heads.append(int(value) - 1)
    return heads
