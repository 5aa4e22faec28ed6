"""Draws keep to what verbs select and to what their caller asks for."""

import pytest

from unitscope.corpora.demo.choice import Chooser
from unitscope.corpora.demo.clauses import statement
from unitscope.corpora.demo.lexicon import load_lexicon
from unitscope.corpora.demo.nominals import pronominal
from unitscope.corpora.demo.sampler import Sampler, Verbal, double_lives
from unitscope.corpora.demo.tree import flatten, leaf_words


@pytest.fixture
def sampler():
    return Sampler(load_lexicon(), Chooser("sampler"))


def test_frames_of_the_kind_asked_for(sampler):
    for _ in range(100):
        assert sampler.frame(human=True).human
        assert sampler.frame(wanted=True).wanted
        assert "state" not in sampler.frame(event=True).flags
        assert sampler.has_object(sampler.frame(obj=True))


def test_objects_are_of_the_classes_the_verb_selects(sampler):
    for topic in sampler.lexicon.topics:
        sampler.enter(topic)
        for frame in topic.frames[:30]:
            if not sampler.has_object(frame):
                continue
            allowed = {noun.lemma for noun in frame.obj.nouns}
            for relation, node in sampler.complements(frame, pronominal("she")):
                words = leaf_words(node)
                if relation == "obj" and not any(w.upos in ("PROPN", "PRON") for w in words):
                    assert allowed & ({word.lemma for word in words} | {word.form for word in words}), (
                        frame.verb,
                        [w.form for w in words],
                    )


def test_body_parts_belong_to_the_subject(sampler):
    sampler.enter(sampler.lexicon.topics[0])
    frame = next(f for f in sampler.topic.frames if any(slot.own for slot in f.slots))
    for lemma, own in (("she", "her"), ("we", "our"), ("I", "my")):
        clause = sampler.clause(frame, subject=pronominal(lemma), verbal=Verbal(time=None), adjuncts=0.0)
        assert own in flatten(statement(clause, sampler.lexicon.inflection)).words


def test_pronouns_do_not_clash(sampler):
    for _ in range(200):
        assert sampler.pronoun("obj", ["I"]).pronoun not in ("I", "we")
        assert sampler.pronoun("obj", ["she"]).pronoun != "she"


def test_negated_clauses_have_no_some(sampler):
    for _ in range(300):
        frame = sampler.frame()
        clause = sampler.clause(frame, verbal=Verbal(time=None, negated=True))
        words = [w.lower() for w in flatten(statement(clause, sampler.lexicon.inflection)).words]
        if {"not", "n't"} & set(words):
            after = words[words.index("not" if "not" in words else "n't") :]
            assert "some" not in after
            assert "no" not in after


def test_ambiguous_verbs_are_known():
    double = double_lives(load_lexicon())
    assert {"run", "watch", "light", "book", "clean", "plan"} <= double
    assert "forget" not in double
