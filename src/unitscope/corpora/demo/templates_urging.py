"""Templates that order and exclaim."""

from __future__ import annotations

from dataclasses import replace

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.clauses import Clause, statement, verb_phrase
from unitscope.corpora.demo.drafts import (
    PAST_BARE,
    PRESENT,
    Draft,
    adjective_phrase,
    comma_after,
    comma_before,
    copular,
    describable,
    extended,
    noun_of_object,
    of_clause,
    state,
)
from unitscope.corpora.demo.lexicon import Frame
from unitscope.corpora.demo.nominals import (
    prepositional,
    pronominal,
)
from unitscope.corpora.demo.phrases import Phrases
from unitscope.corpora.demo.sampler import Sampler, Verbal
from unitscope.corpora.demo.templates_asking import please
from unitscope.corpora.demo.tree import Part, Phrase, Word, phrase


def ordered(s: Sampler, frame: Frame) -> Clause:
    """A clause said to 'you'."""
    verbal = Verbal("Pres", time="order" if s.choose.chance(0.5) else None)
    clause = s.clause(frame, subject=pronominal("you"), verbal=verbal)
    return replace(clause, adverb=None)


def imperative(s: Sampler) -> Draft:
    """'Open the window, please.'"""
    clause = ordered(s, s.frame(wanted=True, base=True))
    tree: Phrase = phrase("S", ("head", verb_phrase(clause, s.lexicon.inflection, "imp")))
    if s.choose.chance(0.3):
        if s.choose.chance(0.5):
            tree = extended(tree, front=("discourse", please()))
        else:
            tree = extended(tree, back=("discourse", comma_before(please())))
    elif s.choose.chance(0.15):
        tree = extended(tree, back=("vocative", comma_before(s.choose.pick(s.cast).phrase)))
    elif s.choose.chance(0.2) and not clause.timed:
        always = closed.adverb("always")
        tree = phrase("S", ("advmod", always), ("head", verb_phrase(clause, s.lexicon.inflection, "imp")))
    return Draft(tree, "imperative", end=s.choose.pick((".", ".", "!")))


def imperative_negative(s: Sampler) -> Draft:
    """'Don't open the window!' 'Never lose your ticket!'"""
    frame = s.frame(human=True, event=True, base=True)
    for _ in range(10):
        if "noimp" not in frame.flags:
            break
        frame = s.frame(human=True, event=True, base=True)
    clause = ordered(s, frame)
    parts = verb_phrase(clause, s.lexicon.inflection, "imp").parts
    at = next(index for index, (relation, _) in enumerate(parts) if relation == "head")
    if s.choose.chance(0.25):
        never = closed.adverb("never", meaning="negation")._replace(feats="PronType=Neg")
        tree = Phrase("VP", (("advmod", never), *parts))
    else:
        do = closed.auxiliary("do", "do", "Mood=Imp|Person=2|VerbForm=Fin")
        word = parts[at][1]
        bare = word._replace(feats="VerbForm=Inf") if isinstance(word, Word) else word
        negation = closed.not_particle(contracted=s.choose.chance(0.75))
        tree = Phrase("VP", (("aux", do), ("advmod", negation), *parts[:at], ("head", bare), *parts[at + 1 :]))
    return Draft(phrase("S", ("head", tree)), "imperative", end=s.choose.pick((".", "!", "!")))


def imperative_be(s: Sampler) -> Draft | None:
    """'Be careful!' 'Please be quiet during the lesson.'"""
    forms = s.lexicon.lists["be_imp"]
    if not forms:
        return None
    predicate = adjective_phrase(s.adjective(s.choose.draw("be_imp", forms), 0.2))
    events = s.topic.unions.get("EVENT", ())
    parts: tuple[Part, ...] = ()
    if events and s.choose.chance(0.8):
        noun = s.choose.draw(("during", s.topic.name), events)
        inner = s.noun_phrase(noun, "obj", number="Sing", choice=s.choose.pick(("the", "this")), adjectives=0.2)
        parts = (("obl", prepositional("during", inner.phrase)),)
    clause = replace(copular(pronominal("you"), predicate, PRESENT), parts=parts)
    tree: Phrase = phrase("S", ("head", verb_phrase(clause, s.lexicon.inflection, "imp")))
    kind = s.choose.pick(("please", "name", ""))
    if kind == "please":
        tree = extended(tree, front=("discourse", please()))
    elif kind == "name":
        tree = extended(tree, front=("vocative", comma_after(s.choose.pick(s.cast).phrase)))
    return Draft(tree, "imperative", end=s.choose.pick((".", "!", "!")))


def lets(s: Sampler) -> Draft | None:
    """'Let's book the hotel tomorrow.'"""
    if not s.lexicon.lists["let"]:
        return None
    frame = s.frame(wanted=True, base=True)
    clause = s.clause(frame, subject=pronominal("we"), verbal=Verbal("Pres", time="order"))
    inner = verb_phrase(replace(clause, adverb=None), s.lexicon.inflection, "inf")
    let = closed.verb("let", "imp", s.lexicon.inflection, "")
    us = closed.pronoun("we", "Acc")._replace(form="'s", glue=True)
    tree = phrase("VP", ("head", let), ("obj", phrase("NP", ("head", us))), ("xcomp", inner))
    return Draft(phrase("S", ("head", tree)), "imperative", end=s.choose.pick((".", "!")))


def exclaim_what(s: Sampler) -> Draft | None:
    """'What a lovely song!' 'What a lovely song she wrote!'"""
    frame = s.frame(obj=True)
    noun = noun_of_object(s, frame)
    if noun is None or "def" in noun.flags:
        return None
    lists = s.lexicon.lists
    forms = [a for a in noun.adjectives if a in s.lexicon.sentiment and a not in lists["attributive"]]
    if not forms:
        forms = [form for form in noun.adjectives if form not in s.lexicon.ungraded]
    if not forms:
        return None
    form = s.choose.draw(("what a", tuple(forms)), forms)
    number = s.number(noun, "obj")
    what = closed.wh_determiner("what")._replace(xpos="PDT")
    first: list[Part] = [("det:predet", what)] if number == "Sing" and noun.kind == "count" else [("det", what)]
    if number == "Sing" and noun.kind == "count":
        first.append(("det", closed.article(False)))
    inner = s.plain(noun, number, *first, ("amod", s.adjective(form)))
    whole: Phrase = inner.phrase
    if s.choose.chance(0.5) and not any(slot.relation in ("iobj", "prt") for slot in frame.slots):
        clause = s.clause(frame, verbal=PAST_BARE, skip="obj", lean=True, adjuncts=0.0)
        if Phrases.says_no(clause.subject) or clause.negated:
            return None
        tree = phrase("S", ("obj", whole), *statement(clause, s.lexicon.inflection).parts)
        return of_clause(tree, clause, "exclamative", "!")
    return Draft(phrase("FRAG", ("head", whole)), "exclamative", end="!")


def exclaim_how(s: Sampler) -> Draft | None:
    """'How happy she was!'"""
    found = describable(s, graded=True)
    if found is None:
        return None
    noun, adjectives = found
    form = s.choose.draw(("said of", noun.adjectives), adjectives)
    subject = s.noun_phrase(noun, "subj", choice=s.choose.pick(("the", "this", "that")), adjectives=0.0, number="Sing")
    feelings = [f for f in s.lexicon.lists["feeling"] if f not in s.lexicon.ungraded]
    if s.choose.chance(0.5) and feelings:
        subject, form = s.person(), s.choose.draw("feelings graded", feelings)
    if s.says_no(subject) or (subject.number == "Plur" and not subject.pronoun):
        return None
    how = phrase("ADJP", ("advmod", closed.wh_adverb("how")), ("head", s.adjective(form)))
    tense = state(s, negation=0.0)
    clause = copular(subject, how, tense)
    vp = verb_phrase(clause, s.lexicon.inflection)
    cop: Part = next(part for part in vp.parts if part[0] == "cop")
    tree = phrase("S", ("head", how), ("nsubj", subject.phrase), cop)
    return of_clause(tree, clause, "exclamative", "!")
