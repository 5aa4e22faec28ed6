import pytest

from unitscope.concepts import ConceptTableBuilder, parse_sources
from unitscope.concepts.combine import CombineSource
from unitscope.concepts.labels import LabelSource
from unitscope.concepts.tags import TagSource
from unitscope.corpora.demo import DemoCorpus
from unitscope.errors import ConceptError
from unitscope.sites import Item, Text

DEMO = DemoCorpus(n_documents=6)


def test_a_combination_is_what_it_says():
    (source,) = parse_sources(["combine:plural noun=upos:NOUN and feats:Number=Plur and not deprel:nsubj"], DEMO)
    n_held = 0
    for item in DEMO:
        columns = item.grids["source"].columns
        expected = [
            upos == "NOUN" and "Number=Plur" in feats.split("|") and deprel != "nsubj"
            for upos, feats, deprel in zip(columns["upos"], columns["feats"], columns["deprel"])
        ]
        assert [entry == ("plural noun",) for entry in source.annotate(item, "source")] == expected
        n_held += sum(expected)
    assert n_held > 5


def test_a_label_stands_beside_words():
    (source,) = parse_sources(["combine:q=upos:NOUN and labels:type=wh_question"], DEMO)
    assert source.speaks("source")
    assert not source.speaks("item")
    for item in DEMO:
        nouns = [tag == "NOUN" for tag in item.grids["source"].columns["upos"]]
        expected = [noun and item.labels["type"] == "wh_question" for noun in nouns]
        assert [bool(entry) for entry in source.annotate(item, "source")] == expected


def test_labels_alone_are_of_items():
    (source,) = parse_sources(["combine:past question=labels:tense=past and not labels:type=declarative"], DEMO)
    assert source.speaks("item")
    assert not source.speaks("source")
    for item in DEMO:
        held = item.labels["tense"] == "past" and item.labels["type"] != "declarative"
        assert source.annotate(item, "item") == [("past question",) if held else ()]


def test_not_known_where_the_rest_does_not_decide():
    item = Item(
        "1", "g", {"source": Text.from_words("abcd", {"a": ("x", None, None, "y"), "b": ("x", "x", "y", None)})}
    )
    both = CombineSource((("c", "a:x and b:x"),), (TagSource("a", "a"), TagSource("b", "b")))
    assert both.annotate(item, "source") == [("c",), None, (), ()]


def test_specs_join_and_go_last():
    given = ["combine:a=upos:NOUN", "combine:b=words:the or upos:DET", "upos@7"]
    first, last = parse_sources(given, DEMO)
    assert (first.category, first.min_sites) == ("upos", 7)
    assert last.entries == (("a", "upos:NOUN"), ("b", "words:the or upos:DET"))
    assert [member.category for member in last.members] == ["upos", "words"]
    assert "upos:NOUN" in repr(last)


def test_sources_that_are_given_come_first():
    kin = TagSource("meaning", "kin", "|")
    (source,) = parse_sources(["combine:a=kin:kin"], DEMO, [kin])
    assert source.members == (kin,)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["combine:a"], "'combine:a' has no expression. Expected: combine:NAME=upos:NOUN and feats:Number=Plur."),
        (["combine:a=upso:NOUN"], "No source says 'upso:NOUN' of combination 'a'. Expected: the category of a source"),
        (["combine:a=lexicon:x"], "No source says 'lexicon:x' of combination 'a'."),
        (["combine:a=upos:X", "combine:a=upos:Y"], "Combination 'a' is given twice. Rename one of them."),
        (["combine:a=upos:X", "combine:b=upos:Y@3"], "Combinations ask for 20 and for 3 sites. Give all of them"),
    ],
)
def test_mistakes(specs, message):
    with pytest.raises(ConceptError) as caught:
        parse_sources(specs, DEMO)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("upos:NUON", "'upos:NUON' of combination 'a' holds at no site of the corpus. Closest: 'upos:NOUN'"),
        ("upos:NOUN and upos:VERB", "The combination 'a' holds at no site of the corpus. Its parts exclude each other"),
    ],
)
def test_what_holds_nowhere_is_told(expression, message):
    builder = ConceptTableBuilder(parse_sources([f"combine:a={expression}@1"], DEMO))
    for item in DEMO:
        builder.add(item, "source")
    with pytest.raises(ConceptError) as caught:
        builder.build()
    assert str(caught.value).startswith(message)


def test_grids_of_one_run_do_not_disturb_each_other():
    members = (TagSource("upos", "upos"), LabelSource(("type",)))
    source = CombineSource((("n", "upos:NOUN"), ("d", "labels:type=declarative")), members, 1)
    for grid, expected in (("source", "combine:n"), ("item", "combine:d")):
        builder = ConceptTableBuilder([source])
        for item in DEMO:
            builder.add(Item(item.id, item.group, {**item.grids, "item": Text("", ((0, 0),))}, item.labels), grid)
        assert builder.build().names == (expected,)
