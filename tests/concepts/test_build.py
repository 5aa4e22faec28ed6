from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.concepts import parse_sources
from unitscope.concepts.build import ConceptTableBuilder
from unitscope.concepts.regex import WordRegexSource
from unitscope.concepts.tags import TagSource
from unitscope.concepts.words import WordSource
from unitscope.corpora.conllu import ConlluCorpus
from unitscope.errors import ConceptError
from unitscope.sites import Item, Text

EWT = Path(__file__).parents[2].parent / "shared" / "data" / "ud_english_ewt" / "dev.conllu"


@dataclass(frozen=True)
class Told:
    """A source that gives what it is told, item by item id."""

    entries: tuple
    category: str = "told"
    min_sites: int = 1

    def annotate(self, item, grid):
        return self.entries[int(item.id)]


def item(number, n_words):
    return Item(str(number), "g", {"source": Text.from_words(["w"] * n_words)})


def table(*sources, sizes):
    builder = ConceptTableBuilder(sources)
    for number, size in enumerate(sizes):
        builder.add(item(number, size), "source")
    return builder.build()


def naive(sources, n_items):
    """Concept names with their sites, known masks and the number dropped, by plain loops."""
    kept, known_of, dropped, always = {}, {}, {}, []
    for source in sources:
        entries = [entry for number in range(n_items) for entry in source.entries[number]]
        sites_of = defaultdict(list)
        for site, entry in enumerate(entries):
            for name in sorted(set(entry or ())):
                sites_of[name].append(site)
        known = [entry is not None for entry in entries]
        dropped[source.category] = sum(len(sites) < source.min_sites for sites in sites_of.values())
        found = False
        for name in sorted(sites_of):
            if len(sites_of[name]) < source.min_sites:
                continue
            if len(sites_of[name]) == sum(known):
                always.append(f"{source.category}:{name}")
            else:
                kept[f"{source.category}:{name}"] = sites_of[name]
                found = True
        if found and not all(known):
            known_of[source.category] = known
    return kept, known_of, dropped, always


entry = st.one_of(st.none(), st.lists(st.sampled_from("abcd"), max_size=3).map(tuple), st.lists(st.sampled_from("ab")))
annotations = st.lists(st.lists(entry, max_size=4), min_size=1, max_size=5)


@given(annotations, st.integers(1, 3), st.integers(1, 3), st.data())
def test_against_plain_loops(first, min_first, min_second, data):
    second = [[data.draw(entry) for _ in entries] for entries in first]
    sources = [Told(tuple(first), "x", min_first), Told(tuple(second), "y", min_second)]
    kept, known_of, dropped, always = naive(sources, len(first))
    sizes = [len(entries) for entries in first]
    if not kept:
        with pytest.raises(ConceptError, match="No concept is left"):
            table(*sources, sizes=sizes)
        return
    built = table(*sources, sizes=sizes)
    assert built.names == tuple(kept)
    assert built.categories == tuple(name[0] for name in kept)
    assert [built.sites_of(index).tolist() for index in range(len(kept))] == list(kept.values())
    assert {name: mask.tolist() for name, mask in built.known.items()} == known_of
    assert (dict(built.dropped), list(built.always)) == (dropped, always)
    assert built.n_sites == sum(sizes)
    assert (built.indptr.dtype, built.sites.dtype) == (np.int64, np.int32)


def test_nothing_left_says_why():
    with pytest.raises(ConceptError) as caught:
        table(Told(((("a",), ("a",), ("a", "b")),), min_sites=2), sizes=[3])
    assert str(caught.value) == (
        "No concept is left over 3 sites: 1 of 'told' have fewer than 2 sites, 'told:a' holds at every site. "
        "Use more items, lower a minimum (as in 'upos@5'), or add a concept source."
    )


@pytest.mark.parametrize("sources", [[], [WordSource()], [TagSource("upos", "upos")]])
def test_no_sites_at_all(sources):
    with pytest.raises(ConceptError, match=r"No concept is left over 0 sites. Use more items"):
        ConceptTableBuilder(sources).build()


def test_a_named_concept_without_a_site_is_an_error():
    source = WordRegexSource((("here", "w"), ("year", r"\d{4}")), min_sites=1)
    with pytest.raises(ConceptError) as caught:
        table(source, Told((((), ("a",)),)), sizes=[2])
    assert str(caught.value) == (
        "No site of the corpus holds 'regex:year'. "
        "Check the forms or the pattern against the corpus's words, or use more items."
    )


def test_many_named_concepts_without_a_site_are_cut_short():
    source = WordRegexSource(tuple((f"p{n}", "nowhere") for n in range(8)))
    with pytest.raises(ConceptError, match=r"holds 'regex:p0', 'regex:p1', .* 'regex:p4' and 3 more\."):
        table(source, sizes=[2])


def test_categories_are_unique():
    with pytest.raises(ConceptError, match=r"Two sources have the category 'words'. Expected: one source each."):
        ConceptTableBuilder([WordSource(1), WordSource(2)])


def test_wrong_annotations():
    with pytest.raises(ConceptError) as caught:
        table(Told((((),),)), sizes=[2])
    assert str(caught.value) == ("Source 'told' gave 1 entries for item '0'. Expected: one for each of its 2 sites.")
    for wrong in ("ab", ("",), (3,)):
        with pytest.raises(
            ConceptError, match=r"Source 'told' gave .* for a site. Expected: a sequence of names, none"
        ):
            table(Told(((wrong,),)), sizes=[1])


def test_a_missing_grid():
    builder = ConceptTableBuilder([WordSource()])
    with pytest.raises(ConceptError, match=r"Item '0' has no grid 'target'. Expected: 'source'."):
        builder.add(item(0, 1), "target")
    assert builder.n_sites == 0


def test_a_hundred_thousand_forms():
    words = [f"w{number}" for number in range(100_000)]
    builder = ConceptTableBuilder([WordSource(1)])
    for start in range(0, len(words), 1000):
        builder.add(Item("0", "g", {"source": Text.from_words(words[start : start + 1000])}), "source")
    built = builder.build()
    assert built.n_concepts == 100_000
    assert built.counts().max() == 1
    assert built.names[built.by_site()[1][77_777]] == "words:w77777"


@pytest.mark.skipif(not EWT.exists(), reason="needs the English Web Treebank beside the project")
def test_english_web_treebank_against_its_lines():
    corpus = ConlluCorpus(EWT)
    builder = ConceptTableBuilder(parse_sources(["upos", "feats", "deprel", "words"], corpus))
    for one in corpus:
        builder.add(one, "source")
    built = builder.build()
    rows = [line.split("\t") for line in EWT.read_text(encoding="utf-8").split("\n") if line[:1].isdigit()]
    rows = [row for row in rows if row[0].isdigit()]
    counts = dict(zip(built.names, built.counts().tolist()))
    assert built.n_sites == len(rows)
    assert counts["upos:NOUN"] == sum(row[3] == "NOUN" for row in rows)
    assert counts["feats:Number=Plur"] == sum("Number=Plur" in row[5].split("|") for row in rows)
    assert counts["deprel:nmod:poss"] == sum(row[7] == "nmod:poss" for row in rows)
    assert counts["words:the"] == sum(row[1].lower() == "the" for row in rows)
    assert min(counts.values()) >= 20
