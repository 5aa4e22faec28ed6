"""Real tables and texts beside the project: they are read whole, and say what is known of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from unitscope.concepts import ConceptTableBuilder, parse_sources
from unitscope.corpora import load_corpus
from unitscope.corpora.base import read_items

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not (DATA / "ag_news").exists(), reason="real data is not beside the project")


@needs_data
def test_ag_news_without_a_header() -> None:
    folder = DATA / "ag_news"
    corpus = load_corpus(
        str(folder / "part.csv"),
        columns=["header=class+title+description", "text=title", "label=class", f"names={folder / 'classes.txt'}@1"],
    )
    counts: Counter[str] = Counter()
    labels = Counter(item.labels["class"] for item in read_items(corpus, counts))
    assert set(labels) == {"World", "Sports", "Business", "Sci/Tech"}
    assert sum(labels.values()) == 3800
    assert not counts
    assert load_corpus(str(folder / "part.csv")).notes[0].startswith("part.csv is read as text=column3, label=column1;")


@needs_data
def test_sst2_is_no_file_of_pairs() -> None:
    corpus = load_corpus(str(DATA / "sst2" / "dev.tsv"))
    assert Counter(item.labels["column2"] for item in corpus) == {"0": 428, "1": 444}


@needs_data
def test_multi30k_from_two_packed_files() -> None:
    folder = DATA / "multi30k"
    corpus = load_corpus(f"{folder / 'val.en.gz'},{folder / 'val.de.gz'}")
    items = list(corpus)
    assert len(items) == 1014
    assert items[0].grids["source"].words[:3] == ("A", "group", "of")
    assert items[0].grids["target"].words[:2] == ("Eine", "Gruppe")


@needs_data
def test_phrases_and_combinations_of_a_treebank() -> None:
    corpus = load_corpus(str(DATA / "ud_english_ewt" / "dev.conllu"), max_items=300)
    sources = parse_sources(["phrases@5", "combine:to before a verb=upos:PART and words:to@5", "ngrams:2:10"], corpus)
    builder = ConceptTableBuilder(sources)
    for item in corpus:
        builder.add(item, "source")
    table = builder.build()
    at = {name: set(table.sites_of(index).tolist()) for index, name in enumerate(table.names)}
    tags = [tag for item in corpus for tag in item.grids["source"].columns["upos"]]
    words = [word.lower() for item in corpus for word in item.grids["source"].words]
    assert at["combine:to before a verb"] == {s for s, tag in enumerate(tags) if tag == "PART" and words[s] == "to"}
    assert {words[site] for site in at["ngrams:of the"]} == {"the"}
    assert all(words[site - 1] == "of" for site in at["ngrams:of the"])
    # A subject of several words mostly holds its noun.
    assert sum(tags[site] == "NOUN" for site in at["phrases:rel=nsubj"]) > 0.2 * len(at["phrases:rel=nsubj"])
