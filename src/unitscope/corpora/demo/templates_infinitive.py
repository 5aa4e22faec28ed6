"""Templates with infinitives and gerunds: control, causation, purpose, degree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.clauses import Clause, statement, verb_phrase
from unitscope.corpora.demo.drafts import (
    FUTURE,
    PAST_BARE,
    PRESENT,
    Draft,
    adjective_phrase,
    copular,
    of_clause,
    state,
    vp,
)
from unitscope.corpora.demo.nominals import Nominal, adjective_word, prepositional, pronominal
from unitscope.corpora.demo.sampler import Sampler
from unitscope.corpora.demo.tree import Part, Phrase, Word, phrase


def control(s: Sampler) -> Draft | None:
    """'The pupil forgot to close the window.' 'She wants to learn the flute.'"""
    verbs = s.lexicon.lists["want"]
    frame = s.frame(wanted=True, base=True)
    who = s.subject(frame)
    if not verbs or s.says_no(who):
        return None
    verb = s.choose.draw("want", verbs)
    stative = verb in ("want", "need", "hope", "like", "love", "hate", "expect", "agree", "refuse", "promise")
    verbal = s.verbal()
    if stative and (verbal.progressive or verbal.perfect):
        verbal = PAST_BARE
    if verbal.modal not in ("", "will"):
        verbal = PAST_BARE
    inner = vp(s, frame, who, "inf", to=True)
    clause = Clause(
        who, verb, (("xcomp", inner),), tense=verbal.tense, modal=verbal.modal, perfect=verbal.perfect,
        progressive=verbal.progressive, negated=verbal.negated, nt=s.choose.chance(0.6), clitic=s.choose.chance(0.4),
    )  # fmt: skip
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def gerund_object(s: Sampler) -> Draft | None:
    """'They enjoy singing in the choir.'"""
    verbs = s.lexicon.lists["enjoy"]
    frame = s.frame(wanted=True)
    who = s.subject(frame)
    if not verbs or s.says_no(who):
        return None
    verb = s.choose.draw("enjoy", verbs)
    inner = vp(s, frame, who, "ger")
    verbal = s.choose.pick((PAST_BARE, PAST_BARE, PRESENT, replace(FUTURE, time=None)))
    negated = s.choose.chance(0.12)
    clause = Clause(
        who, verb, (("xcomp", inner),), tense=verbal.tense, modal=verbal.modal, negated=negated, nt=True,
        clitic=s.choose.chance(0.4),
    )  # fmt: skip
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def asking(s: Sampler) -> Draft | None:
    """'The teacher asked us to read the poem.' 'They let him leave.'"""
    bare = s.choose.chance(0.35)
    verbs = s.lexicon.lists["make" if bare else "ask"]
    frame = s.frame(wanted=True, base=True)
    if not verbs or any(slot.own for slot in frame.slots):
        return None
    verb = s.choose.draw(("asking", bare), verbs)
    who = s.person()
    whom = s.person("obj", avoid=(who.pronoun, who.head))
    if s.says_no(who) or s.says_no(whom) or who.head == whom.head:
        return None
    inner = vp(s, frame, whom, "inf", to=not bare)
    tense: Literal["Past", "Pres"] = "Past" if bare or s.choose.chance(0.8) else "Pres"
    clause = Clause(
        who, verb, (("obj", whom.as_object), ("xcomp", inner)), tense=tense, negated=s.choose.chance(0.1), nt=True
    )
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def gerund_subject(s: Sampler) -> Draft | None:
    """'Slicing onions is easy.' 'It is easy to slice onions.'"""
    forms = s.lexicon.lists["task_adj"]
    frame = s.frame(wanted=True, base=True)
    if not forms:
        return None
    clause = replace(s.clause(frame, subject=pronominal("they"), verbal=PAST_BARE, adjuncts=0.2), adverb=None)
    if any(slot.own for slot in frame.slots):
        return None
    predicate = adjective_phrase(s.adjective(s.choose.draw("task_adj", forms), 0.3))
    verbal = state(s)
    inflection = s.lexicon.inflection
    if s.choose.chance(0.5):
        subject = Nominal(phrase("S", ("head", verb_phrase(clause, inflection, "ger"))), "Sing")
        outer = copular(subject, predicate, verbal, nt=s.choose.chance(0.5))
        tree = statement(outer, inflection)
        return of_clause(Phrase(tree.label, (("csubj", tree.parts[0][1]), *tree.parts[1:])), outer)
    inner = verb_phrase(clause, inflection, "inf", to=True)
    parts: tuple[Part, ...] = (("csubj", phrase("S", ("head", inner))),)
    outer = replace(copular(pronominal("it"), predicate, verbal, clitic=s.choose.chance(0.4), nt=True), parts=parts)
    tree = statement(outer, inflection)
    return of_clause(Phrase(tree.label, (("expl", tree.parts[0][1]), *tree.parts[1:])), outer)


def purpose(s: Sampler) -> Draft | None:
    """'She stayed to help the nurse.' 'They came to hear the band.'"""
    verbs = s.lexicon.lists["motion"]
    frame = s.frame(wanted=True, base=True)
    who = s.subject(frame)
    if not verbs or s.says_no(who):
        return None
    inner = vp(s, frame, who, "inf", to=True)
    verb = s.choose.draw("motion", verbs)
    parts: list[Part] = []
    places = s.lexicon.lists["city"] if verb in ("go", "come", "return") else ()
    if places:
        word = proper(s, places)
        parts = [("obl", prepositional("to", word))]
    verbal = s.choose.pick((PAST_BARE, PAST_BARE, replace(FUTURE, time=None)))
    clause = Clause(
        who, verb, (*parts, ("advcl", inner)), tense=verbal.tense, modal=verbal.modal, clitic=s.choose.chance(0.4)
    )
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def proper(s: Sampler, places: Sequence[str]) -> Phrase:
    """A city as a noun phrase."""
    name = s.choose.draw("city", places)
    return phrase("NP", ("head", Word(name, name, "PROPN", "NNP", "Number=Sing", meaning="place")))


def degree_to(s: Sampler) -> Draft | None:
    """'He was too tired to drive the bus.' 'She is brave enough to climb the tree.'"""
    frame = s.frame(wanted=True, base=True)
    who = s.subject(frame)
    too = s.choose.chance(0.5)
    forms = s.lexicon.lists["too" if too else "enough"]
    if not forms or s.says_no(who):
        return None
    word = adjective_word(s.lexicon, s.choose.draw("too" if too else "enough", forms))
    inner: Part = ("advcl", vp(s, frame, who, "inf", to=True))
    if too:
        predicate = phrase("ADJP", ("advmod", closed.adverb("too")), ("head", word), inner)
    else:
        predicate = phrase("ADJP", ("head", word), ("advmod", closed.adverb("enough", meaning="quantity")), inner)
    clause = copular(who, predicate, state(s), nt=s.choose.chance(0.5), clitic=s.choose.chance(0.5))
    return of_clause(statement(clause, s.lexicon.inflection), clause)
