"""Times, dates and amounts."""

import pytest

from unitscope.corpora.demo.adjuncts import Times
from unitscope.corpora.demo.choice import Chooser
from unitscope.corpora.demo.lexicon import load_lexicon
from unitscope.corpora.demo.tree import flatten, leaf_words


@pytest.fixture
def times():
    return Times(load_lexicon(), Chooser("times"))


@pytest.mark.parametrize("when", ["past", "future", "habit", "now", "any", "long", "late", "order"])
def test_times_fit_their_tense(times, when):
    seen = set()
    for _ in range(150):
        relation, node = times.when(when)
        assert relation in ("obl", "obl:unmarked", "advmod")
        forms = [word.form for word in leaf_words(node)]
        seen.add(" ".join(forms))
        if when == "past":
            assert not {"tomorrow", "next", "soon", "every"} & set(forms)
        if when in ("future", "order", "late"):
            assert not {"yesterday", "last", "ago"} & set(forms)
    assert len(seen) > 3


def test_numbers_in_times_are_marked(times):
    for _ in range(200):
        for word in leaf_words(times.when("past")[1]):
            assert ("number_time" in word.meaning) == (word.upos == "NUM")


def test_money_and_shares_are_plain_numbers(times):
    texts = {flatten(times.money()).text[0] for _ in range(40)}
    assert "$" in texts
    for _ in range(20):
        numeral = next(word for word in leaf_words(times.percentage()) if word.upos == "NUM")
        assert numeral.meaning == "number"


def test_small_numbers_are_mostly_spelled(times):
    forms = [times.count(2, 9, time=False).form for _ in range(300)]
    assert 0.02 < sum(form.isdigit() for form in forms) / 300 < 0.25


def test_half_lexicons_may_have_no_time_but_never_another_halfs(times):
    for half in ("A", "B"):
        lexicon = load_lexicon(half)
        own = {word for words in lexicon.lists.values() for word in words}
        some = Times(lexicon, Chooser("x"))
        for _ in range(100):
            part = some.when("past")
            for word in leaf_words(part[1]) if part else ():
                assert word.upos not in ("NOUN", "PROPN") or word.lemma in own | {"a.m.", "p.m."}
