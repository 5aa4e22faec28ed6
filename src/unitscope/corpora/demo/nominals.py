"""Noun phrases: what a subject or object is, with the number, person and gender that other words agree with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.closed import Number
from unitscope.corpora.demo.inflection import surface
from unitscope.corpora.demo.lexicon import MEANING_FLAGS, Lexicon, Noun
from unitscope.corpora.demo.tree import Node, Part, Phrase, Word, phrase

Gender = Literal["Masc", "Fem", "Neut"]

FEMALE_KIN = frozenset(["mother", "sister", "aunt", "daughter", "grandmother", "niece", "wife"])
MALE_KIN = frozenset(["father", "brother", "uncle", "son", "grandfather", "nephew", "husband"])
_FEMALE = FEMALE_KIN | frozenset(
    [
        "woman",
        "lady",
        "girl",
        "actress",
        "waitress",
        "queen",
        "ballerina",
        "witch",
        "milkmaid",
        "spokeswoman",
        "schoolgirl",
        "midwife",
    ]
)
_MALE = MALE_KIN | frozenset(
    [
        "man",
        "gentleman",
        "boy",
        "king",
        "fisherman",
        "lineman",
        "mailman",
        "salesman",
        "councilman",
        "schoolboy",
        "headmaster",
        "landlord",
    ]
)
_DEGREES = {"Pos": "JJ", "Cmp": "JJR", "Sup": "JJS"}
_UN_ADJECTIVES = frozenset(
    ["unfair", "unhappy", "unknown", "unpopular", "undecided", "unexpected", "unusual", "unreliable"]
)


@dataclass(frozen=True)
class Nominal:
    """A noun phrase and what agrees with it. `pronoun` is its lemma where it is a personal pronoun."""

    phrase: Phrase
    number: Number
    person: str = "3"
    gender: Gender = "Neut"
    accusative: Phrase | None = None
    pronoun: str = ""
    head: str = ""

    @property
    def as_object(self) -> Phrase:
        """The phrase where it is not a subject."""
        return self.phrase if self.accusative is None else self.accusative

    @property
    def anaphor(self) -> str:
        """Lemma of the pronoun that can stand for it."""
        if self.pronoun:
            return self.pronoun
        if self.number == "Plur":
            return "they"
        return {"Masc": "he", "Fem": "she", "Neut": "it"}[self.gender]

    @property
    def agreement(self) -> tuple[str, str]:
        """(number, person) for a finite verb."""
        return self.number, self.person


def gender_of(lemma: str) -> Gender | None:
    """Gender that a noun itself fixes, or None where either is possible."""
    return "Fem" if lemma in _FEMALE else "Masc" if lemma in _MALE else None


def suits(lemma: str, nominal: Nominal) -> bool:
    """Whether a noun can be said of somebody: no man is a waitress."""
    gender = gender_of(lemma)
    return gender is None or nominal.number == "Plur" or nominal.gender == gender


def pronominal(lemma: str) -> Nominal:
    """A personal pronoun as a noun phrase."""
    number: Number = "Plur" if lemma in ("we", "they", "you") else "Sing"
    person = "1" if lemma in ("I", "we") else "2" if lemma == "you" else "3"
    gender: Gender = "Masc" if lemma == "he" else "Fem" if lemma == "she" else "Neut"
    return Nominal(
        phrase("NP", ("head", closed.pronoun(lemma))),
        number,
        person,
        gender,
        phrase("NP", ("head", closed.pronoun(lemma, "Acc"))),
        lemma,
        lemma,
    )


def proper(form: str, meaning: str) -> Word:
    """A proper noun."""
    return Word(form, form, "PROPN", "NNP", "Number=Sing", meaning=meaning)


def named(names: Sequence[str], gender: Gender, meaning: str = "name") -> Nominal:
    """A person by first name, or by first name and surname."""
    first, *rest = (proper(name, meaning) for name in names)
    parts: list[Part] = [("head", first), *(("flat", word) for word in rest)]
    return Nominal(Phrase("NP", tuple(parts)), "Sing", gender=gender, head=names[0])


def meaning_of(lexicon: Lexicon, lemma: str, flags: frozenset[str] = frozenset()) -> str:
    """Meaning classes of a content word, joined by '|'."""
    classes = [flag for flag in MEANING_FLAGS if flag in flags]
    if lemma in lexicon.sentiment:
        classes.append(lexicon.sentiment[lemma])
    return "|".join(classes)


def noun_word(lexicon: Lexicon, noun: Noun, number: Number) -> Word:
    """The head word of a noun in a number; a mass noun is singular."""
    plural = number == "Plur"
    pieces = noun.base
    if plural and noun.kind == "count":
        pieces = lexicon.inflection.plural(noun.base)
    lemma = noun.lemma
    if noun.kind == "plural":
        lemma, pieces = lemma.removesuffix("s"), f"{noun.base.removesuffix('s')}+s"
    feats = f"Number={'Plur' if plural else 'Sing'}"
    form = surface(pieces)
    return Word(form, lemma, "NOUN", "NNS" if plural else "NN", feats, pieces, meaning_of(lexicon, lemma, noun.flags))


def common(lexicon: Lexicon, lemma: str, number: Number = "Sing", meaning: str = "") -> Word:
    """A noun that belongs to no class, such as 'week'."""
    pieces = lemma if number == "Sing" else lexicon.inflection.plural(lemma)
    xpos = "NN" if number == "Sing" else "NNS"
    return Word(surface(pieces), surface(lemma), "NOUN", xpos, f"Number={number}", pieces, meaning)


def noun_parts(lexicon: Lexicon, noun: Noun, number: Number) -> list[Part]:
    """Compound parts and head of a noun."""
    parts: list[Part] = []
    for modifier in noun.modifiers:
        lemma = surface(modifier)
        flags = noun.flags & {"animal", "food", "body"} if lemma == noun.lemma else frozenset[str]()
        meaning = meaning_of(lexicon, lemma, flags)
        parts.append(("compound", Word(lemma, lemma, "NOUN", "NN", "Number=Sing", modifier, meaning)))
    return [*parts, ("head", noun_word(lexicon, noun, number))]


def noun_phrase(
    lexicon: Lexicon,
    noun: Noun,
    number: Number,
    before: Sequence[Part] = (),
    after: Sequence[Part] = (),
    gender: Gender = "Neut",
) -> Nominal:
    """A noun with what stands before it; what follows it makes a larger phrase around it."""
    core = Phrase("NP", (*before, *noun_parts(lexicon, noun, number)))
    whole = Phrase("NP", (("head", core), *after)) if after else core
    return Nominal(whole, number, gender=gender, head=noun.lemma)


def adjective_word(lexicon: Lexicon, form: str) -> Word:
    """An adjective in its positive degree."""
    pieces, lemma = form, surface(form)
    if "+" not in form:
        for suffix in ("ful", "less"):
            if form.endswith(suffix):
                pieces = f"{form.removesuffix(suffix)}+{suffix}"
        if form in _UN_ADJECTIVES:
            pieces = f"un+{form[2:]}"
    if lemma in lexicon.lists["color"] or lemma in ("silver", "gold"):
        return Word(lemma, lemma, "ADJ", "JJ", "Degree=Pos", pieces, "color")
    if lemma[0].isupper():
        return Word(lemma, lemma, "ADJ", "JJ", "Degree=Pos", pieces)
    return Word(lemma, lemma, "ADJ", "JJ", "Degree=Pos", pieces, meaning_of(lexicon, lemma))


def graded(lexicon: Lexicon, form: str, degree: Literal["Cmp", "Sup"]) -> Node:
    """Comparative or superlative of an adjective: one word in -er or -est, or a phrase with more or most."""
    word = adjective_word(lexicon, form)
    inflect = lexicon.inflection.comparative if degree == "Cmp" else lexicon.inflection.superlative
    pieces = inflect(form)
    if pieces is not None:
        return word._replace(form=surface(pieces), xpos=_DEGREES[degree], feats=f"Degree={degree}", morphemes=pieces)
    more = closed.adverb("more" if degree == "Cmp" else "most", degree=degree, xpos="RBR" if degree == "Cmp" else "RBS")
    return phrase("ADJP", ("advmod", more._replace(meaning="quantity")), ("head", word))


def adverb_phrase(lexicon: Lexicon, form: str) -> Word:
    """An open-class adverb, with its sentiment."""
    return closed.adverb(form, meaning=meaning_of(lexicon, form))


def prepositional(preposition: str, inner: Node) -> Phrase:
    """A prepositional phrase; its head is the noun, as Universal Dependencies has it."""
    return phrase("PP", ("case", closed.adposition(preposition)), ("head", inner))
