"""Headed phrase trees: one structure from which dependencies and constituents are both read.

Every phrase has one part that is its head; each other part depends on it by a Universal Dependencies relation. The
lexical head of a phrase is found by going down the heads, so that the dependency tree and the phrase structure of a
sentence cannot contradict each other. Relations follow https://universaldependencies.org/en, part-of-speech tags and
features follow its English Web Treebank, phrase labels the Penn Treebank.
"""

from __future__ import annotations

from typing import NamedTuple

from unitscope.sites import Column, Text

COLUMNS = ("lemma", "upos", "xpos", "feats", "head", "deprel", "morphemes", "constituents", "meaning")
"""Names of the word columns that every generated sentence carries."""

_VOWELS = frozenset("aeiou")


class Word(NamedTuple):
    """One word with its annotation. `glue`: no blank before it; `morphemes` is empty where it equals the form."""

    form: str
    lemma: str
    upos: str
    xpos: str
    feats: str = ""
    morphemes: str = ""
    meaning: str = ""
    glue: bool = False


class Phrase(NamedTuple):
    """Parts in reading order as (relation to the head, part); the head's own relation is written 'head'.

    A phrase with an empty label groups words without being a constituent.
    """

    label: str
    parts: tuple[tuple[str, Word | Phrase], ...]


Node = Word | Phrase
Part = tuple[str, Node]


def phrase(label: str, *parts: Part) -> Phrase:
    """Build a phrase; exactly one part has the relation 'head'."""
    return Phrase(label, parts)


def leaf_words(node: Node) -> list[Word]:
    """Words under a node, in reading order."""
    if isinstance(node, Word):
        return [node]
    return [word for _, part in node.parts for word in leaf_words(part)]


def capitalised(node: Node) -> Node:
    """Return the node with its first word that is not an opening quotation mark capitalised."""
    if isinstance(node, Word):
        if node.upos == "PUNCT":
            return node
        upper = node.form[:1].upper() + node.form[1:]
        pieces = node.morphemes[:1].upper() + node.morphemes[1:]
        return node._replace(form=upper, morphemes=pieces)
    parts = list(node.parts)
    for index, (relation, part) in enumerate(parts):
        changed = capitalised(part)
        if changed is not part:
            parts[index] = (relation, changed)
            return Phrase(node.label, tuple(parts))
        if not (isinstance(part, Word) and part.upos == "PUNCT"):
            return node
    return node


class _Flattening:
    """Walks a tree once and collects words, heads, relations and open phrases."""

    def __init__(self) -> None:
        self.words: list[Word] = []
        self.heads: list[int] = []
        self.relations: list[str] = []
        self.open: list[str] = []
        self._n_phrases = 0

    def walk(self, node: Node, above: str) -> int:
        """Append the words under `node` and return the index of its lexical head."""
        if isinstance(node, Word):
            self.words.append(node)
            self.heads.append(-1)
            self.relations.append("root")
            self.open.append(above)
            return len(self.words) - 1
        if node.label:
            above = f"{above} {node.label}:{self._n_phrases}" if above else f"{node.label}:{self._n_phrases}"
            self._n_phrases += 1
        head = -1
        dependents: list[tuple[int, str]] = []
        for relation, part in node.parts:
            index = self.walk(part, above)
            if relation == "head":
                head = index
            else:
                dependents.append((index, relation))
        for index, relation in dependents:
            self.heads[index] = head
            self.relations[index] = relation
        return head


def _says_an(following: str, hear_a: frozenset[str], hear_an: frozenset[str]) -> bool:
    """Whether the article before `following` is 'an': by its first sound, not its first letter."""
    lowered = following.lower()
    if any(lowered.startswith(word) for word in hear_an):
        return True
    if any(lowered == word or lowered == f"{word}s" for word in hear_a):
        return False
    if following[0].isdigit():
        return following[0] == "8" or following in {"11", "18"}
    return lowered[0] in _VOWELS


def flatten(
    root: Node, *, question: bool = False, hear_a: frozenset[str] = frozenset(), hear_an: frozenset[str] = frozenset()
) -> Text:
    """Write a tree as a `Text` with the columns `COLUMNS`.

    The first word is capitalised, the indefinite article takes the form its neighbour asks for, and in a question
    every number also means 'number_question'. `hear_a` and `hear_an` are words whose first sound their spelling hides.
    """
    walk = _Flattening()
    walk.walk(capitalised(root), "")
    words = walk.words
    for index in range(len(words) - 1):
        word = words[index]
        if word.upos == "DET" and word.lemma == "a":
            form = "an" if _says_an(words[index + 1].form, hear_a, hear_an) else "a"
            words[index] = word._replace(form=form.capitalize() if word.form[0] == "A" else form)
    if question:
        for index, word in enumerate(words):
            if "number" in word.meaning:
                words[index] = word._replace(meaning=f"{word.meaning}|number_question")
    columns: dict[str, Column] = {
        "lemma": tuple([word.lemma for word in words]),
        "upos": tuple([word.upos for word in words]),
        "xpos": tuple([word.xpos for word in words]),
        "feats": tuple([word.feats for word in words]),
        "head": tuple([str(head + 1) for head in walk.heads]),
        "deprel": tuple(walk.relations),
        "morphemes": tuple([word.morphemes or word.form for word in words]),
        "constituents": tuple(walk.open),
        "meaning": tuple([word.meaning for word in words]),
    }
    space_after = [not words[index + 1].glue for index in range(len(words) - 1)] + [True]
    for index, word in enumerate(words):
        if word.xpos == "``" or word.xpos == "$":
            space_after[index] = False
    return Text.from_words([word.form for word in words], columns, space_after)
