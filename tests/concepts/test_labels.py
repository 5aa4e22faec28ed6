import pytest

from unitscope.concepts import ConceptTableBuilder, parse_sources
from unitscope.concepts.covariates import CovariateSource
from unitscope.concepts.labels import LabelSource
from unitscope.concepts.words import WordSource
from unitscope.corpora.demo import DemoCorpus
from unitscope.corpora.table import BETWEEN
from unitscope.errors import ConceptError
from unitscope.sites import Item, Text

ONE = Text("", ((0, 0),))


def items(*labels):
    return [
        Item(str(i), "g", {"source": Text.from_words(["a", "b"]), "item": ONE}, each) for i, each in enumerate(labels)
    ]


def table(sources, grid, *labels):
    builder = ConceptTableBuilder(sources)
    for item in items(*labels):
        builder.add(item, grid)
    return builder.build()


def test_labels_are_concepts_of_items():
    labels = ({"class": "World"}, {"class": "Sports", "tags": f"x{BETWEEN}y"}, {}, {"class": "World"})
    built = table([LabelSource(("class", "tags"), 1), WordSource(1)], "item", *labels)
    assert built.names == ("labels:class=Sports", "labels:class=World", "labels:tags=x", "labels:tags=y")
    assert built.n_sites == 4
    assert built.known["labels"].tolist() == [True, True, False, True]
    assert built.sites_of(1).tolist() == [0, 3]


def test_lengths_are_concepts_of_items_too():
    built = table([LabelSource(("c",), 1), CovariateSource(1)], "item", {"c": "x"}, {"c": "y"})
    assert built.names == ("labels:c=x", "labels:c=y")
    assert built.always == ("covariates:length 1-5",)


def test_on_words_there_are_none():
    built = table([LabelSource(("c",), 1), WordSource(1)], "source", {"c": "x"}, {"c": "y"})
    assert built.names == ("words:a", "words:b")
    with pytest.raises(ConceptError, match=r"'labels' says nothing of this grid. .* need a layer pooled to items"):
        table([LabelSource(("c",), 1)], "source", {"c": "x"}, {"c": "y"})


def test_one_class():
    with pytest.raises(ConceptError) as caught:
        table([LabelSource(("c", "d"), 1)], "item", {"c": "x"}, {"c": "x", "d": "z"})
    assert str(caught.value) == (
        "Each label has one value: 'c=x' (2 items), 'd=z' (1 items). Expected: two values or more of a label. "
        "Leave 'labels' out, give another column (--columns label=NAME), or more items."
    )
    with pytest.raises(ConceptError, match=r"No item has a label of 'c'. .* --columns label=NAME."):
        table([LabelSource(("c",), 1)], "item", {}, {})


def test_specs():
    demo = DemoCorpus(n_documents=1)
    assert parse_sources(["labels:tense@3"], demo) == [LabelSource(("tense",), 3)]
    (every,) = parse_sources(["labels"], demo)
    assert set(every.names_of_labels) == set(next(iter(demo)).labels)
    with pytest.raises(ConceptError, match=r"'demo' has no label 'tens'. Expected: one of type, .* Closest: 'tense'"):
        parse_sources(["labels:tens"], demo)
