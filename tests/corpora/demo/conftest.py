"""The default corpus, written once for all tests of the demo corpus."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from unitscope.corpora.demo import DemoCorpus
from unitscope.sites import Item


class Token(NamedTuple):
    """One word with its annotation, heads counted from 0 and -1 for the root."""

    form: str
    lemma: str
    upos: str
    xpos: str
    feats: dict[str, str]
    head: int
    deprel: str
    morphemes: str
    constituents: str
    meaning: str


def tokens(item: Item) -> list[Token]:
    text = item.grids["source"]
    c = text.columns
    return [
        Token(
            text.words[i],
            c["lemma"][i],
            c["upos"][i],
            c["xpos"][i],
            dict(pair.split("=") for pair in c["feats"][i].split("|") if pair),
            int(c["head"][i]) - 1,
            c["deprel"][i],
            c["morphemes"][i],
            c["constituents"][i],
            c["meaning"][i],
        )
        for i in range(text.n_sites)
    ]


@pytest.fixture(scope="session")
def items() -> list[Item]:
    return list(DemoCorpus())


@pytest.fixture(scope="session")
def sentences(items: list[Item]) -> list[list[Token]]:
    return [tokens(item) for item in items]


@pytest.fixture
def words(sentences: list[list[Token]]) -> Iterator[Token]:
    return (token for sentence in sentences for token in sentence)
