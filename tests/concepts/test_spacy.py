"""The source against a stand-in for spaCy, and against spaCy itself where it is installed."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from unitscope.concepts import parse_sources
from unitscope.concepts.spacy import SpacySource
from unitscope.corpora.demo import DemoCorpus
from unitscope.errors import ConceptError
from unitscope.sites import Item, Text

DEMO = DemoCorpus(n_documents=1)
SAID = {
    "river": ("NOUN", "NN", "nsubj", "river", "Number=Sing|Case=Nom", ""),
    "Ann": ("PROPN", "NNP", "", "Ann", "", "PER"),
}


class Doc(list):
    """Tokens of the words it is given, all annotated by the pipeline's one component."""

    def __init__(self, vocab, words, spaces):
        assert len(words) == len(spaces)
        super().__init__(SimpleNamespace(text=word, pos_="", ent_type_="") for word in words)
        self.spaces, self.done = spaces, False

    def has_annotation(self, attribute):
        return self.done and attribute != "DEP"


def tagger(document):
    for token in document:
        pos, tag, dep, lemma, morph, ent = SAID.get(token.text, ("X", "X", "", "x", "", ""))
        vars(token).update(pos_=pos, tag_=tag, dep_=dep, lemma_=lemma, morph=morph, ent_type_=ent)
    if any(token.text == "boom" for token in document):
        raise ValueError("no idea")
    document.done = True
    return document


@pytest.fixture
def stand_in(monkeypatch):
    spacy, tokens = ModuleType("spacy"), ModuleType("spacy.tokens")

    def load(name):
        if name != "en_tiny":
            raise OSError(f"[E050] Can't find model '{name}'.\nmore")
        return SimpleNamespace(
            vocab=None, pipeline=[("tagger", tagger)], meta={"name": "tiny", "version": "1.2"}, path=None
        )

    spacy.__version__, spacy.load, tokens.Doc = "3.8.0", load, Doc
    spacy.util = SimpleNamespace(get_installed_models=lambda: ["en_tiny"])
    monkeypatch.setitem(sys.modules, "spacy", spacy)
    monkeypatch.setitem(sys.modules, "spacy.tokens", tokens)


def item(*words, spaces=None):
    return Item("1", "g", {"source": Text.from_words(words, None, spaces)})


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("pos", [("NOUN",), ("PROPN",)]),
        ("tag", [("NN",), ("NNP",)]),
        ("lemma", [("river",), ("Ann",)]),
        ("morph", [("Number=Sing", "Case=Nom"), ()]),
        ("ent", [(), ("PER",)]),
        ("dep", [None, None]),
    ],
)
def test_columns(stand_in, column, said):
    (source,) = parse_sources([f"spacy:en_tiny:{column}@5"], DEMO)
    assert (source.category, source.min_sites) == (f"spacy.{column}", 5)
    assert source.annotate(item("river", "Ann"), "source") == said
    assert source.annotate(item(), "source") == []


def test_the_pipeline_is_in_the_key(stand_in):
    (source,) = parse_sources(["spacy:en_tiny"], DEMO)
    assert repr(source) == ("SpacySource(model='en_tiny', column='pos', min_sites=20, version='spacy 3.8.0, tiny 1.2')")


def test_blanks_are_those_of_the_text(stand_in):
    source = SpacySource.load("en_tiny", None)
    assert source._annotated(item("It", "'s", "red", spaces=[False, True, False]).grids["source"]).spaces == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("spacy", "'spacy:' names no pipeline. Expected: spacy:MODEL or spacy:MODEL:COLUMN."),
        (
            "spacy:en_tiny:poss",
            "Unknown column 'poss' of 'spacy:en_tiny'. Expected: one of pos, tag, dep, lemma, morph, ",
        ),
        (
            "spacy:en_tinny",
            "The pipeline 'en_tinny' cannot be loaded: [E050] Can't find model 'en_tinny'. Expected: a fol",
        ),
    ],
)
def test_mistakes(stand_in, spec, message):
    with pytest.raises(ConceptError) as caught:
        parse_sources([spec], DEMO)
    assert str(caught.value).startswith(message)


def test_a_pipeline_that_fails(stand_in):
    source = SpacySource.load("en_tiny", None)
    with pytest.raises(ConceptError, match="Pipeline 'en_tiny' failed on item '1': ValueError: no idea"):
        source.annotate(item("boom"), "source")


def test_spacy_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(ConceptError) as caught:
        parse_sources(["spacy:en_core_web_sm"], DEMO)
    assert str(caught.value) == (
        "'spacy:' needs the package spacy, which is not installed. pip install 'unitscope[spacy]'"
    )


def test_a_real_pipeline(tmp_path):
    spacy = pytest.importorskip("spacy", reason="the extra 'spacy' is not installed")
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("attribute_ruler")
    ruler.add([[{"LOWER": "river"}]], {"POS": "NOUN"})
    entities = pipeline.add_pipe("entity_ruler")
    entities.add_patterns([{"label": "PER", "pattern": "Ann"}])
    pipeline.to_disk(tmp_path / "ruled")
    pos, ent, dep = parse_sources([f"spacy:{tmp_path / 'ruled'}:{column}" for column in ("pos", "ent", "dep")], DEMO)
    words = item("Ann", "saw", "the", "river", ".")
    assert pos.annotate(words, "source") == [None, None, None, ("NOUN",), None]
    assert ent.annotate(words, "source") == [("PER",), (), (), (), ()]
    assert dep.annotate(words, "source") == [None] * 5
    assert str(tmp_path) not in repr(pos)
    assert repr(pos) == repr(parse_sources([f"spacy:{tmp_path / 'ruled'}"], DEMO)[0])
