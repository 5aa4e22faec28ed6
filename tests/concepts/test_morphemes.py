import os
import random
import subprocess
import sys

import pytest

from unitscope.concepts import parse_sources
from unitscope.concepts.morphemes import MorphemeSource, installed_version
from unitscope.concepts.tags import TagSource
from unitscope.corpora.demo import DemoCorpus
from unitscope.errors import ConceptError
from unitscope.sites import Item, Text

STEMS = ("walk", "jump", "talk", "play", "laugh", "paint", "climb", "help")
ENDINGS = ("", "ed", "ing", "s", "er", "ers")


class Words:
    name, grids, columns = "words", ("source",), ()

    def __iter__(self):
        words = [stem + ending for stem in STEMS for ending in ENDINGS]
        yield Item("1", "g", {"source": Text.from_words([*words, "Walked", "3", "re-do", "."])})

    def fingerprint(self):
        return "words"


def test_endings_are_found():
    state = random.getstate()
    (item,) = Words()
    source = MorphemeSource(corpus=Words())
    morphs = dict(zip(item.grids["source"].words, source.annotate(item, "source")))
    assert random.getstate() == state
    assert morphs["jumping"] == ("jump", "ing")
    assert morphs["Walked"] == morphs["walked"] == ("walk", "ed")
    assert morphs["3"] == morphs["re-do"] == morphs["."] == ()
    assert repr(source) == f"MorphemeSource(min_sites=20, seed=0, n_trained=10000, version='{installed_version()}')"


def test_rare_forms_are_cut_by_what_was_learned():
    (item,) = Words()
    source = MorphemeSource(n_trained=40, corpus=Words())
    assert all(
        "".join(m) == w.lower() for w, m in zip(item.grids["source"].words, source.annotate(item, "source")) if m
    )


SCRIPT = """
from test_morphemes import Words, MorphemeSource
(item,) = Words()
print(MorphemeSource(corpus=Words()).annotate(item, "source"))
"""


def test_the_same_in_every_process():
    said = []
    for seed in ("1", "2"):
        env = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path]),
        }
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True)
        assert not done.stderr
        said.append(done.stdout)
    assert said[0] == said[1] != ""


def test_gold_morphemes_come_first():
    assert parse_sources(["morphemes"], DemoCorpus(n_documents=1)) == [TagSource("morphemes", "morphemes", "+", 20)]
    (source,) = parse_sources(["morphemes@5"], Words())
    assert source == MorphemeSource(5)


def test_mistakes(monkeypatch):
    item = Item("1", "g", {"source": Text.from_words(["12", "."])})

    class Numbers(Words):
        def __iter__(self):
            yield item

    with pytest.raises(ConceptError, match="No word of 'words' is made of letters"):
        MorphemeSource(corpus=Numbers()).annotate(item, "source")
    with pytest.raises(ConceptError, match="was given no corpus"):
        MorphemeSource().annotate(item, "source")
    monkeypatch.setitem(sys.modules, "morfessor", None)
    with pytest.raises(
        ConceptError, match=r"need the package morfessor, which is not installed. pip install morfessor"
    ):
        MorphemeSource(corpus=Words()).annotate(item, "source")
