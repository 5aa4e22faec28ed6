"""The demo corpus: English written by a grammar, with gold annotation, from a seed.

No file and no network: `DemoCorpus()` yields the same sentences everywhere, in documents of ten or eleven, each about
one topic, with every word's lemma, tags, features, dependency, morphemes, phrases and meaning known by construction.
`DemoCorpus(lexicon_half=...)` and `DemoCorpus(template_half=...)` write corpora that share no content word, or no
template, with those of the other half; `minimal_pairs` draws pairs of sentences that differ in one property.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from unitscope.corpora.demo.documents import documents, template_halves
from unitscope.corpora.demo.lexicon import Half
from unitscope.corpora.demo.pairs import PHENOMENA, minimal_pairs
from unitscope.corpora.demo.tree import COLUMNS
from unitscope.errors import CorpusError
from unitscope.sites import Item

__all__ = ["PHENOMENA", "DemoCorpus", "minimal_pairs", "split_by_lexeme", "split_by_template"]


LABELS = ("type", "tense", "polarity", "sentiment", "topic", "template", "voice")


@dataclass(frozen=True)
class DemoCorpus:
    """Sentences of `n_documents` documents, written from `seed`.

    One grid, `source`, with the columns `unitscope.corpora.demo.tree.COLUMNS`, one value a word and none missing;
    'feats' and 'meaning' are empty where a word has none. `head` counts words from 1, '0' is the root. `constituents`
    names the phrases open over a word, outermost first, as `LABEL:id` with ids unique in the sentence. Labels of an
    item: `type`, `tense`, `polarity`, `sentiment`, `topic`, `template`, `voice`.

    `lexicon_half` keeps the content lexemes of one half, `template_half` the templates of one. Raises CorpusError
    when `n_documents` is below 1 or a half is none of 'A', 'B', None.

    >>> corpus = DemoCorpus(n_documents=1)
    >>> next(iter(corpus)).id
    'demo-000-00'
    """

    seed: int = 0
    n_documents: int = 400
    lexicon_half: Half | None = None
    template_half: Half | None = None

    def __post_init__(self) -> None:
        if self.n_documents < 1:
            raise CorpusError(f"Got n_documents={self.n_documents}.", expected="1 or more")
        for name, half in (("lexicon_half", self.lexicon_half), ("template_half", self.template_half)):
            if half not in ("A", "B", None):
                raise CorpusError(f"Got {name}={half!r}.", expected="'A', 'B' or None")

    @property
    def name(self) -> str:
        """Short name for tables and manifests."""
        return "demo"

    @property
    def grids(self) -> tuple[str, ...]:
        """Names of the grids that every item carries."""
        return ("source",)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the word columns."""
        return COLUMNS

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels that every item carries."""
        return LABELS

    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of all items: ids, texts, spans, columns and labels."""
        digest = hashlib.sha256()
        for item in self:
            columns = {name: list(values) for name, values in item.grids["source"].columns.items()}
            content = {**item.to_json(), "columns": columns, "labels": dict(item.labels)}
            digest.update(json.dumps(content, sort_keys=True, ensure_ascii=False).encode())
        return digest.hexdigest()

    def __iter__(self) -> Iterator[Item]:
        """Items in document order, written anew each time."""
        return documents(self.seed, self.n_documents, self.lexicon_half, self.template_half)


def split_by_template(item: Item) -> Half:
    """Half to which an item's template belongs; both halves have every type of sentence.

    Raises CorpusError when the item has no template of this corpus.

    >>> split_by_template(next(iter(DemoCorpus(n_documents=1, template_half="B"))))
    'B'
    """
    template = item.labels.get("template", "")
    halves = template_halves()
    if template not in halves:
        raise CorpusError(f"Item '{item.id}' has no template of the demo corpus.", expected="an item of DemoCorpus")
    return halves[template]


def split_by_lexeme(seed: int = 0, n_documents: int = 200) -> tuple[DemoCorpus, DemoCorpus]:
    """Two corpora of `n_documents` documents each that share no noun, name, verb, adjective or open-class adverb."""
    return DemoCorpus(seed, n_documents, lexicon_half="A"), DemoCorpus(seed, n_documents, lexicon_half="B")
