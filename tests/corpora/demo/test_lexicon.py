"""Every line of the lexicon is read, and its halves share nothing."""

import pytest

from unitscope.corpora.demo.inflection import surface
from unitscope.corpora.demo.lexicon import FUNCTION_LEXEMES, TOPICS, _draft, _resolve, load_lexicon, share_out
from unitscope.errors import CorpusError


def test_every_topic_has_people_things_and_frames():
    lexicon = load_lexicon()
    assert tuple(topic.name for topic in lexicon.topics) == TOPICS
    for topic in lexicon.topics:
        assert len(topic.people) >= 10
        assert len(topic.frames) >= 50
        assert {"THING", "THEME", "EVENT", "DEED", "NEED", "LONG", "FUN"} <= set(topic.unions)


def test_frames_are_read_as_written():
    sport = load_lexicon().topics[0]
    kick = next(frame for frame in sport.frames if frame.verb == "kick")
    assert [slot.relation for slot in kick.slots][:2] == ["obj", "obl"]
    assert kick.slots[1].preposition == "into"
    assert kick.slots[1].optional
    assert kick.manner == ("hard", "cleanly")
    assert kick.human
    assert kick.wanted
    hurt = next(frame for frame in sport.frames if frame.verb == "hurt")
    assert hurt.slots[0].own
    assert not hurt.wanted


def test_share_out_balances_every_list():
    halves = share_out([("a", "b", "c", "d"), ("b", "e"), ("a", "c", "f", "g")])
    for words in (("a", "b", "c", "d"), ("b", "e"), ("a", "c", "f", "g")):
        counts = [sum(halves[word] == half for word in words) for half in "AB"]
        assert abs(counts[0] - counts[1]) <= 1


def nouns_of(lexicon):
    return {lemma for topic in lexicon.topics for group in topic.classes.values() for n in group for lemma in n.lemmas}


def test_halves():
    whole, a, b = load_lexicon(), load_lexicon("A"), load_lexicon("B")
    assert nouns_of(a) | nouns_of(b) <= nouns_of(whole)
    assert not nouns_of(a) & nouns_of(b)
    verbs = [{surface(f.verb) for t in lexicon.topics for f in t.frames + t.general} for lexicon in (a, b)]
    assert not verbs[0] & verbs[1]
    assert not (verbs[0] & nouns_of(b))
    assert not (verbs[1] & nouns_of(a))
    assert min(len(t.frames) for lexicon in (a, b) for t in lexicon.topics) >= 15
    assert "be" in FUNCTION_LEXEMES


def test_an_unknown_noun_is_named():
    draft = _draft("sport", ())
    with pytest.raises(CorpusError, match="No noun or class 'bal' in the demo lexicon's topic 'sport'"):
        _resolve(draft, draft, ["bal"])
    assert [noun.lemma for noun in _resolve(draft, draft, ["ball"])] == ["ball"]
