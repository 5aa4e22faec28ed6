"""Templates that say what something is like, what it is, where it is, and how it compares."""

from __future__ import annotations

from dataclasses import replace

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.clauses import Clause, statement
from unitscope.corpora.demo.drafts import (
    Draft,
    adjective_phrase,
    copular,
    describable,
    fronted,
    of_clause,
    state,
)
from unitscope.corpora.demo.lexicon import Noun
from unitscope.corpora.demo.nominals import (
    Nominal,
    common,
    graded,
    prepositional,
    pronominal,
    proper,
    suits,
)
from unitscope.corpora.demo.sampler import Sampler
from unitscope.corpora.demo.tree import Node, Part, Phrase, phrase

SCALES = frozenset(
    [
        "old",
        "long",
        "big",
        "large",
        "high",
        "deep",
        "tall",
        "heavy",
        "fast",
        "strong",
        "hot",
        "cold",
        "thick",
        "wide",
        "expensive",
        "dangerous",
        "difficult",
        "good",
        "fresh",
        "clean",
        "safe",
        "bad",
        "hard",
        "painful",
        "cheap",
        "loud",
        "busy",
        "famous",
        "clever",
        "experienced",
        "rich",
        "popular",
        "powerful",
        "crowded",
    ]
)
"""Adjectives that one asks 'how' about, or ranks by."""


def copula_adjective(s: Sampler) -> Draft | None:
    """'The soup was cold.'"""
    clause = described(s)
    return None if clause is None else of_clause(fronted(s, clause), clause)


def described(s: Sampler, *, question: bool = False) -> Clause | None:
    """Something is said to be, seem or look some way."""
    found = describable(s)
    if found is None:
        return None
    noun, adjectives = found
    subject = s.noun_phrase(noun, "told", adjectives=0.0, question=question)
    if noun.human and s.choose.chance(0.5) and s.lexicon.lists["feeling"]:
        subject = s.person()
        form = s.choose.draw("feeling", s.lexicon.lists["feeling"])
    else:
        form = s.choose.draw(("said of", noun.adjectives), adjectives)
    verbal = state(s, negation=0.1)
    if s.says_no(subject):
        verbal = replace(verbal, negated=False)
    predicate = adjective_phrase(s.adjective(form, 0.0 if verbal.negated else 0.35))
    linking = s.lexicon.lists["linking"]
    if linking and not question and s.choose.chance(0.22):
        verb = s.choose.draw("linking", linking)
        parts: tuple[Part, ...] = (("xcomp", predicate),)
        return Clause(subject, verb, parts, tense=verbal.tense, negated=verbal.negated, nt=s.choose.chance(0.6))
    return copular(subject, predicate, verbal, nt=s.choose.chance(0.5), clitic=s.choose.chance(0.5))


def copula_noun(s: Sampler) -> Draft | None:
    """'Anna is a talented goalkeeper.'"""
    people = [noun for noun in s.topic.people if "role" in noun.flags]
    subject = s.member() if s.choose.chance(0.45) else s.person(avoid=())
    noun = s.choose.draw(("roles", s.topic.name), people)
    verbal = state(s)
    choice = "" if subject.number == "Plur" else "a"
    number = subject.number
    if subject.pronoun == "you":
        number, choice = "Sing", "a"
    if subject.head == noun.lemma or (not subject.pronoun and subject.number == "Plur"):
        subject = s.member()
        number, choice = "Sing", "a"
    if subject.pronoun != "I" and not suits(noun.lemma, subject):
        return None
    inner = s.noun_phrase(noun, "obj", number=number, choice=choice, adjectives=0.7)
    clause = copular(subject, inner.phrase, verbal, nt=s.choose.chance(0.5), clitic=s.choose.chance(0.5))
    return of_clause(fronted(s, clause), clause)


def comparative(s: Sampler) -> Draft | None:
    """'The bus was slower than the train.' and 'The bus is not as fast as the train.'"""
    found = describable(s, graded=True)
    if found is None:
        return None
    noun, adjectives = found
    rivals = comparable(s, noun) if "body" not in noun.flags else []
    if not rivals:
        return None
    rival = s.choose.pick(rivals)
    number = s.number(noun, "subj")
    subject = s.noun_phrase(noun, "subj", number=number, choice=s.choose.pick(("the", "the", "this")), adjectives=0.0)
    matching = number if rival.kind == "count" and not rival.flags & {"sg", "def"} else s.number(rival, "obj")
    other = s.noun_phrase(rival, "obj", number=matching, choice="the", adjectives=0.0)
    if noun.human and s.choose.chance(0.4):
        subject, other = s.cast[0], s.choose.pick(s.cast[1:])
        if subject.head == other.head:
            return None
    form = s.choose.draw(("said of", noun.adjectives), adjectives)
    if s.choose.chance(0.3):
        predicate = as_as(s, form, other)
        verbal = state(s, negation=0.6)
    else:
        than: Part = ("obl", prepositional("than", other.as_object))
        better = graded(s.lexicon, form, "Cmp")
        first: list[Part] = []
        if s.choose.chance(0.2):
            first = [("advmod", closed.adverb(s.choose.pick(("much", "even", "far"))))]
        predicate = Phrase("ADJP", (*first, ("head", better), than))
        verbal = state(s)
    clause = copular(subject, predicate, verbal, nt=s.choose.chance(0.5))
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def comparable(s: Sampler, noun: Noun) -> list[Noun]:
    """Other nouns of the same class."""
    return [
        other
        for nouns in s.topic.classes.values()
        if noun in nouns
        for other in nouns
        if other.base != noun.base and not other.modifiers
    ]


def as_as(s: Sampler, form: str, other: Nominal) -> Phrase:
    """'as tall as the other'."""
    word = s.adjective(form)
    first = closed.adverb("as")
    return phrase("ADJP", ("advmod", first), ("head", word), ("obl", prepositional("as", other.as_object)))


def superlative(s: Sampler) -> Draft | None:
    """'Anna is the fastest runner in Boston.'"""
    found = describable(s, graded=True)
    if found is None or found[0].kind != "count" or found[0].flags & {"sg", "def"}:
        return None
    noun, adjectives = found
    if not noun.human:
        adjectives = tuple(form for form in adjectives if form in SCALES or form in s.lexicon.sentiment)
    if not adjectives:
        return None
    form = s.choose.draw(("best", adjectives), adjectives)
    best = graded(s.lexicon, form, "Sup")
    name = s.choose.pick(("city", "country"))
    place: Node = phrase("NP", ("head", proper(s.choose.draw(name, s.lexicon.lists[name]), "place")))
    if s.lexicon.lists["world"] and s.choose.chance(0.4):
        word = common(s.lexicon, s.choose.pick(s.lexicon.lists["world"]))
        place = phrase("NP", ("det", closed.article(True)), ("head", word))
    inner = s.plain(noun, "Sing", ("det", closed.article(True)), ("amod", best))
    whole = phrase("NP", ("head", inner.phrase), ("nmod", prepositional("in", place)))
    subject = s.member() if noun.human else demonstrative_subject(s)
    if noun.human and s.choose.chance(0.3):
        subject = pronominal(s.choose.pick(("he", "she")))
    if noun.human and not suits(noun.lemma, subject):
        return None
    clause = copular(subject, whole, state(s, negation=0.05), clitic=s.choose.chance(0.5))
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def demonstrative_subject(s: Sampler, *, plural: bool = False) -> Nominal:
    """'this' or 'that' (or 'these', 'those') on its own."""
    number: closed.Number = "Plur" if plural else "Sing"
    word = closed.demonstrative(s.choose.pick(("this", "that")), number, pronoun=True)
    return Nominal(phrase("NP", ("head", word)), number, head="this")


def pointing(s: Sampler) -> Draft | None:
    """'This is my ticket.' 'Those were the players.'"""
    things = s.topic.unions.get("THING", ())
    if not things:
        return None
    noun = s.choose.draw(("things", s.topic.name), things)
    plural = noun.kind == "count" and s.choose.chance(0.4)
    subject = demonstrative_subject(s, plural=plural)
    choices = ("own", "of", "a", "the") if not plural else ("own", "of", "", "the")
    choice = s.choose.pick(choices)
    if noun.kind == "mass" and choice == "a":
        choice = "own"
    inner = s.noun_phrase(noun, "obj", number=subject.number, choice=choice, adjectives=0.75 if choice else 1.0)
    clause = copular(subject, inner.phrase, state(s), nt=s.choose.chance(0.5))
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def _people(s: Sampler) -> tuple[Noun, ...]:
    return tuple(noun for noun in s.topic.people if not noun.flags & {"kin", "tie"})


def there_is(s: Sampler) -> Draft | None:
    """'There are three bags near the door.'"""
    clause = existential(s)
    return None if clause is None else of_clause(statement(clause, s.lexicon.inflection), clause)


def existential(s: Sampler, *, question: bool = False) -> Clause | None:
    """Something is somewhere; the verb 'be' is the head and agrees with what there is."""
    things = s.topic.unions.get("THING", ()) if s.choose.chance(0.55) else _people(s)
    if not things:
        return None
    noun = s.choose.draw(("there", s.topic.name, len(things)), things)
    number = s.number(noun, "subj")
    if noun.kind == "count":
        number = "Plur" if s.choose.chance(0.5) else "Sing"
    negated = s.choose.chance(0.12)
    if noun.kind == "mass":
        choice = s.choose.pick(("some", "no", "plenty"))
    elif number == "Plur":
        choice = s.choose.pick(("number", "some", "several", "many", "no", "dozens"))
    else:
        choice = s.choose.pick(("a", "a", "another", "one", "no"))
    if negated or question:
        choice = "any" if number == "Plur" or noun.kind == "mass" else "a"
        if question and number == "Plur" and s.choose.chance(0.4):
            choice = "number"
    what = s.noun_phrase(noun, "obj", number=number, choice=choice, adjectives=0.35)
    if choice == "number":
        what = s.plain(noun, number, ("nummod", s.times.count(2, 20, time=False)))
    there = Nominal(phrase("NP", ("head", closed.existential_there())), what.number)
    parts: list[Part] = [("nsubj", what.phrase)]
    near = s.lexicon.lists["near"]
    if near:
        where = s.choose.draw("near", near)
        place = phrase("NP", ("det", closed.article(True)), ("head", common(s.lexicon, where)))
        preposition = "in" if where in ("corner", "hall", "room") else s.choose.pick(("near", "by"))
        parts.append(("obl", prepositional(preposition, place)))
    tense = "Past" if s.choose.chance(0.5) else "Pres"
    return Clause(
        there, "", tuple(parts), predicate=None, tense="Past" if tense == "Past" else "Pres", negated=negated,
        nt=s.choose.chance(0.7), there=True,
    )  # fmt: skip


def possession(s: Sampler) -> Draft | None:
    """'Anna has a green bicycle.'"""
    verbs, things = s.lexicon.lists["have"], s.topic.unions.get("THING", ())
    if not verbs or not things:
        return None
    noun = s.choose.draw(("have", s.topic.name), things)
    verbal = state(s)
    number = s.number(noun, "obj")
    choice = "a" if number == "Sing" else s.choose.pick(("number", "many", "some"))
    if noun.kind == "mass":
        choice = "some"
    if verbal.negated:
        choice = "a" if choice == "a" else "any"
    what = s.noun_phrase(noun, "obj", number=number, choice=choice, adjectives=0.6)
    subject = s.person()
    if s.says_no(subject):
        verbal = replace(verbal, negated=False)
    clause = Clause(subject, "have", (("obj", what.phrase),), tense=verbal.tense, negated=verbal.negated, nt=True)
    return of_clause(fronted(s, clause), clause)
