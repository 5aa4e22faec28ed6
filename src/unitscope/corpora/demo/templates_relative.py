"""Templates with relative clauses and participles, clefts included."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.clauses import relative, statement
from unitscope.corpora.demo.drafts import (
    PAST_BARE,
    Draft,
    adjective_phrase,
    copular,
    describable,
    frames_about,
    noun_of_object,
    of_clause,
    state,
)
from unitscope.corpora.demo.lexicon import Noun
from unitscope.corpora.demo.nominals import (
    Nominal,
    prepositional,
    pronominal,
    suits,
)
from unitscope.corpora.demo.phrases import Phrases
from unitscope.corpora.demo.sampler import Sampler, Verbal
from unitscope.corpora.demo.tree import Part, Phrase, phrase

_Gap = Literal["nsubj", "obj"]


def with_relative(s: Sampler, noun: Noun, gap: _Gap, *, role: str = "subj") -> Nominal | None:
    """The noun with a relative clause whose subject or object it is: 'the nurse who called', 'the ball I kicked'."""
    frames = frames_about(s, noun, "subject" if gap == "nsubj" else "object")
    if gap == "obj":
        frames = [frame for frame in frames if "noimp" not in frame.flags]
    if not frames:
        return None
    frame = s.choose.draw(("about", noun.base, gap, s.topic.name), frames)
    number = s.number(noun, role)
    animate = noun.human or "group" in noun.flags
    verbal = PAST_BARE if s.choose.chance(0.7) or "bad" in frame.flags else replace(PAST_BARE, tense="Pres")
    if gap == "nsubj":
        empty = Nominal(Phrase("NP", ()), number, gender="Masc" if noun.human else "Neut", head=noun.lemma)
        if noun.human and any(slot.own for slot in frame.slots):
            return None
        clause = s.clause(frame, subject=empty, verbal=verbal, adjuncts=0.4)
        form: str | None = "who" if noun.human and s.choose.chance(0.9) else s.choose.pick(("that", "which"))
        form = "that" if noun.human and form == "which" else form
    else:
        clause = s.clause(frame, verbal=verbal, skip="obj", adjuncts=0.4, lean=True)
        if Phrases.says_no(clause.subject) or clause.subject.head == noun.lemma:
            return None
        form = s.choose.pick(("that", None, "whom" if animate and noun.human else "which"))
    clause = replace(clause, clitic=False)
    pronoun = None if form is None else closed.wh_pronoun(form, relative=True)
    tree = relative(clause, s.lexicon.inflection, pronoun, gap)
    choice = s.choose.pick(("the", "the", "the", "a")) if number == "Sing" else s.choose.pick(("the", "the", "some"))
    if noun.kind == "mass" or "sg" in noun.flags:
        choice = "the"
    return s.noun_phrase(noun, role, number=number, choice=choice, adjectives=0.15, after=(("acl:relcl", tree),))


def relative_subject(s: Sampler) -> Draft | None:
    """'The nurse who treated the burn left early.'"""
    return _relative_of_subject(s, "nsubj")


def relative_object(s: Sampler) -> Draft | None:
    """'The patient whom the nurse treated left early.'"""
    return _relative_of_subject(s, "obj")


def _relative_of_subject(s: Sampler, gap: _Gap) -> Draft | None:
    frame = s.frame()
    if not frame.nouns:
        return None
    noun = s.choose.draw(("relative", s.topic.name, frame.nouns), frame.nouns)
    subject = with_relative(s, noun, gap)
    if subject is None:
        return None
    verbal = replace(s.verbal(frame), perfect=False)
    clause = s.clause(frame, subject=subject, verbal=verbal, adjuncts=0.4, lean=True)
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def relative_in_object(s: Sampler) -> Draft | None:
    """'The nurse called the patient who had lost his ticket.'"""
    frame = s.frame(obj=True)
    if any(slot.relation == "iobj" for slot in frame.slots):
        return None
    noun = noun_of_object(s, frame, human=s.choose.chance(0.4)) or noun_of_object(s, frame)
    if noun is None:
        return None
    who = s.subject(frame)
    what = with_relative(s, noun, s.choose.pick(("nsubj", "obj")), role="obj")
    if what is None or s.says_no(who) or who.head == noun.lemma:
        return None
    verbal = replace(s.verbal(frame), negated=False)
    clause = s.clause(frame, subject=who, verbal=verbal, skip="obj", lean=True, adjuncts=0.0)
    at = sum(relation == "compound:prt" for relation, _ in clause.parts)
    parts = (*clause.parts[:at], ("obj", what.phrase), *clause.parts[at:])
    clause = replace(clause, parts=parts)
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def copular_relative(s: Sampler) -> Draft | None:
    """'The song that she wrote was beautiful.' 'The song written by Anna is beautiful.'"""
    found = describable(s)
    if found is None or found[0].human:
        return None
    noun, adjectives = found
    form = s.choose.draw(("said of", noun.adjectives), adjectives)
    subject = with_participle(s, noun) if s.choose.chance(0.5) else with_relative(s, noun, "obj")
    if subject is None:
        return None
    clause = copular(subject, adjective_phrase(s.adjective(form, 0.3)), state(s), nt=s.choose.chance(0.5))
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def with_participle(s: Sampler, noun: Noun) -> Nominal | None:
    """'the song written by Anna'."""
    frames = [frame for frame in frames_about(s, noun, "object") if not frame.flags & {"nopass", "state"}]
    frames = [frame for frame in frames if not any(slot.relation == "iobj" for slot in frame.slots)]
    if not frames:
        return None
    frame = s.choose.draw(("participle", noun.base, s.topic.name), frames)
    number = s.number(noun, "subj")
    agent = s.person("agent") if not frame.nouns else s.nominal(frame.nouns, "agent")
    if s.says_no(agent) or agent.head == noun.lemma:
        return None
    empty = Nominal(Phrase("NP", ()), number, head=noun.lemma)
    parts = s.complements(frame, empty, skip="obj", lean=True)
    by: Part = ("obl:agent", prepositional("by", agent.as_object))
    at = sum(relation == "compound:prt" for relation, _ in parts)
    word = closed.verb(frame.verb, "pass", s.lexicon.inflection, "")
    tree = phrase("VP", ("head", word), *parts[:at], by, *parts[at:])
    return s.noun_phrase(noun, "subj", number=number, choice="the", adjectives=0.1, after=(("acl", tree),))


def cleft(s: Sampler) -> Draft | None:
    """'It was the striker who scored the goal.'"""
    frame = s.frame(human=True, event=True)
    who = s.subject(frame)
    if who.pronoun or s.says_no(who) or any(slot.own for slot in frame.slots):
        return None
    clause = s.clause(frame, subject=who, verbal=PAST_BARE, adjuncts=0.4)
    tree = relative(
        replace(clause, adverb=None), s.lexicon.inflection, closed.wh_pronoun("who", relative=True), "nsubj"
    )
    whole = phrase("NP", ("head", who.phrase), ("acl:relcl", tree))
    outer = copular(pronominal("it"), whole, Verbal(time=None, negated=s.choose.chance(0.2)), nt=True)
    return of_clause(statement(outer, s.lexicon.inflection), outer)


def comma_clause(s: Sampler) -> Draft | None:
    """'Anna, who is a nurse, called the patient.'"""
    frame = s.frame(human=True, event=True)
    who = s.member()
    roles = [noun for noun in s.topic.people if "role" in noun.flags]
    noun = s.choose.draw(("roles", s.topic.name), roles)
    if not suits(noun.lemma, who):
        return None
    role = s.noun_phrase(noun, "obj", number="Sing", choice="a")
    inner = copular(who, role.phrase, state(s, negation=0.0))
    tree = relative(inner, s.lexicon.inflection, closed.wh_pronoun("who", relative=True), "nsubj")
    aside = phrase("", ("punct", closed.punct(",")), ("head", tree), ("punct", closed.punct(",")))
    whole = phrase("NP", ("head", who.phrase), ("acl:relcl", aside))
    subject = replace(who, phrase=whole)
    clause = s.clause(frame, subject=subject, verbal=PAST_BARE, adjuncts=0.5)
    return of_clause(statement(clause, s.lexicon.inflection), clause)
