"""Determiners, numbers, adjectives and possessors of a noun, drawn at random and in agreement with it."""

from __future__ import annotations

from collections.abc import Sequence

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.adjuncts import Times
from unitscope.corpora.demo.choice import Chooser
from unitscope.corpora.demo.closed import Number
from unitscope.corpora.demo.lexicon import Lexicon, Noun
from unitscope.corpora.demo.nominals import (
    Gender,
    Nominal,
    adjective_word,
    adverb_phrase,
    common,
    gender_of,
    noun_phrase,
    prepositional,
)
from unitscope.corpora.demo.tree import Node, Part, Phrase, Word, leaf_words, phrase

_SINGULAR = {
    "subj": ((62.0, "the"), (13.0, "a"), (5.0, "this"), (4.0, "that"), (7.0, "own"), (2.0, "every"), (1.0, "each"),
             (1.5, "no"), (1.0, "another"), (4.0, "of"), (1.5, "one")),
    "obj": ((42.0, "the"), (28.0, "a"), (5.0, "this"), (4.0, "that"), (12.0, "own"), (1.5, "another"), (0.7, "every"),
            (5.0, "of"), (1.2, "one")),
    "obl": ((62.0, "the"), (14.0, "a"), (4.0, "this"), (3.0, "that"), (12.0, "own"), (5.0, "of")),
    "told": ((70.0, "the"), (8.0, "this"), (7.0, "that"), (12.0, "own"), (6.0, "of")),
}  # fmt: skip
_PLURAL = {
    "subj": ((44.0, "the"), (10.0, ""), (4.0, "these"), (4.0, "those"), (8.0, "some"), (6.0, "many"), (5.0, "several"),
             (2.0, "few"), (3.0, "most"), (4.0, "all"), (2.5, "both"), (11.0, "number"), (6.0, "own"),
             (4.0, "dozens")),
    "obj": ((38.0, "the"), (15.0, ""), (5.0, "these"), (4.0, "those"), (10.0, "some"), (4.0, "many"), (5.0, "several"),
            (1.5, "few"), (4.0, "all"), (2.0, "both"), (12.0, "number"), (9.0, "own"), (6.0, "dozens"),
            (1.0, "more"), (0.7, "enough"), (1.0, "various")),
    "obl": ((64.0, "the"), (6.0, "these"), (5.0, "those"), (4.0, "some"), (2.0, "several"), (5.0, "number"),
            (9.0, "own")),
    "told": ((70.0, "the"), (9.0, "these"), (7.0, "those"), (4.0, "all"), (2.5, "both"), (4.0, "most"), (4.0, "some"),
             (12.0, "own")),
}  # fmt: skip
_MASS = {
    "subj": ((76.0, "the"), (10.0, ""), (10.0, "this"), (4.0, "some"), (6.0, "own")),
    "obj": ((48.0, "the"), (22.0, ""), (5.0, "this"), (16.0, "some"), (3.0, "more"), (2.0, "enough"), (8.0, "own"),
            (4.0, "plenty")),
    "obl": ((66.0, "the"), (24.0, ""), (6.0, "this"), (6.0, "own")),
    "told": ((80.0, "the"), (12.0, "this"), (8.0, "own")),
}  # fmt: skip
_OWNERS = ("I", "I", "he", "she", "we", "they", "you")
_DEMONSTRATIVES = {"this": "this", "that": "that", "these": "this", "those": "that"}


class Phrases:
    """Builds noun phrases from one lexicon with one chooser."""

    def __init__(self, lexicon: Lexicon, choose: Chooser, times: Times) -> None:
        self.lexicon, self.choose, self.times = lexicon, choose, times
        self.cast: list[Nominal] = []

    def listed_adverb(self, name: str) -> Word | None:
        """Next adverb of a word list."""
        words = self.lexicon.lists[name]
        return adverb_phrase(self.lexicon, self.choose.draw(name, words)) if words else None

    def adjective(self, form: str, modified: float = 0.0) -> Node:
        """An adjective, with the given probability behind 'very' or the like."""
        word = adjective_word(self.lexicon, form)
        if form in self.lexicon.ungraded or form in self.lexicon.lists["extreme"] or not self.choose.chance(modified):
            return word
        degree = closed.adverb("very")
        if modified > 0.1 and self.choose.chance(0.4) and (other := self.listed_adverb("degree")) is not None:
            degree = other
        return phrase("ADJP", ("advmod", degree), ("head", word))

    def adjectives(self, noun: Noun, probability: float = 0.3) -> list[Part]:
        """None, one or two adjectives that fit the noun."""
        colored = probability > 0 and self.lexicon.lists["color"][0] in noun.adjectives
        if not noun.adjectives or not self.choose.chance(probability + 0.25 if colored else probability):
            return []
        form = self.choose.draw(noun.adjectives, noun.adjectives)
        parts: list[Part] = [("amod", self.adjective(form, 0.05))]
        if self.choose.chance(0.12):
            tall = [a for a in noun.adjectives if a in ("old", "new", "large", "small", "big", "young")]
            color = [a for a in noun.adjectives if a in self.lexicon.lists["color"]]
            if tall and color and form not in (*tall, *color):
                return [
                    ("amod", adjective_word(self.lexicon, tall[0])),
                    ("amod", adjective_word(self.lexicon, color[0])),
                ]
        return parts

    def number(self, noun: Noun, role: str) -> Number:
        """A number that the noun has."""
        if noun.kind == "plural":
            return "Plur"
        if noun.kind == "mass" or noun.flags & {"sg", "def"}:
            return "Sing"
        if "kin" in noun.flags:
            return "Sing"
        share = 0.15 if "group" in noun.flags else {"subj": 0.36, "obj": 0.33, "told": 0.36}.get(role, 0.12)
        return "Plur" if self.choose.chance(share) else "Sing"

    def determiner(self, noun: Noun, number: Number, role: str, *, negated: bool, question: bool) -> str:
        """Name of what stands first in the phrase."""
        if "def" in noun.flags:
            return "the"
        if noun.flags & {"kin", "tie"} and (number == "Sing" or self.choose.chance(0.5)):
            return "own"
        side = role if role in ("subj", "obl", "told") else "obj"
        table = (_MASS if noun.kind == "mass" else _PLURAL if number == "Plur" else _SINGULAR)[side]
        choice = self.choose.weighted(table)
        asked = question and number == "Plur" and noun.kind == "count"
        if asked and self.choose.chance({"subj": 0.34, "obj": 0.2}.get(side, 0.0)):
            return "the number" if side == "subj" else "number"
        if choice in ("own", "of") and "own" not in noun.flags and not (noun.human and choice == "own"):
            return "the"
        if choice in ("this", "that", "these", "those") and noun.human and self.choose.chance(0.5):
            return "the"
        if choice == "a" and (noun.kind != "count" or noun.flags & {"sg"}):
            return "the"
        if negated or question:
            plain = {"no": "the", "every": "the", "few": "the", "enough": "the", "another": "a", "most": "the"}
            choice = plain.get(choice, choice)
        vague = ("some", "more", "plenty", "dozens", "both", "several", "all", "many", "each", "various", "one")
        if negated and choice in vague:
            return "any" if side == "obj" else "the"
        return choice

    def plain(self, noun: Noun, number: Number, *before: Part, gender: Gender = "Neut") -> Nominal:
        """The noun with just what is given before it."""
        return noun_phrase(self.lexicon, noun, number, before, gender=gender)

    def noun_phrase(
        self, noun: Noun, role: str, *, number: Number | None = None, choice: str | None = None,
        negated: bool = False, question: bool = False, after: Sequence[Part] = (), adjectives: float = 0.3,
    ) -> Nominal:  # fmt: skip
        """The noun with a determiner, perhaps adjectives; `after` stands behind it (a relative clause)."""
        number = self.number(noun, role) if number is None else number
        if choice is None:
            choice = self.determiner(noun, number, role, negated=negated, question=question)
        gender: Gender = "Neut"
        if noun.human:
            gender = gender_of(noun.lemma) or ("Fem" if self.choose.chance(0.5) else "Masc")
        if choice in ("dozens", "plenty"):
            return self.quantity_of(noun, number, choice, role, after, gender)
        before = self.first_words(noun, number, choice)
        busy = choice in ("every", "each", "no", "another", "most", "few", "more", "enough", "all", "both", "any", "of")
        before += self.adjectives(noun, adjectives * 0.25 if busy else adjectives)
        return noun_phrase(self.lexicon, noun, number, before, after, gender)

    def first_words(self, noun: Noun, number: Number, choice: str) -> list[Part]:
        """Determiner, numeral, quantifier or possessor by name."""
        if choice in ("the", "a"):
            return [("det", closed.article(choice == "the"))]
        if choice in _DEMONSTRATIVES:
            lemma = _DEMONSTRATIVES[choice]
            return [("det", closed.demonstrative(lemma, number))]
        if choice in ("some", "any", "no", "every", "each", "another", "both"):
            return [("det", closed.determiner(choice))]
        if choice == "all":
            word = closed.determiner("all")
            return [("det:predet", word._replace(xpos="PDT")), ("det", closed.article(True))]
        if choice in ("many", "several", "few", "most", "more", "enough", "various"):
            return [("amod", closed.quantifier(choice))]
        if choice in ("number", "the number"):
            numeral = self.times.count(2, 12 if self.choose.chance(0.8) else 30, time=False)
            definite = choice == "the number" or self.choose.chance(0.3)
            first: list[Part] = [("det", closed.article(True))] if definite else []
            return [*first, ("nummod", numeral)]
        if choice == "one":
            return [("nummod", closed.numeral("one"))]
        if choice == "own":
            owners = {"wife": ("I", "he"), "husband": ("I", "she")}.get(noun.lemma, _OWNERS)
            return [("nmod:poss", closed.possessive(self.choose.pick(owners)))]
        if choice == "of":
            return [("nmod:poss", self.owner())]
        return []

    def owner(self) -> Phrase:
        """A possessor: one of the cast with 's."""
        member = self.choose.pick(self.cast)
        return self.genitive(member)

    def genitive(self, nominal: Nominal) -> Phrase:
        """The nominal with the possessive ending."""
        last = leaf_words(nominal.phrase)[-1].form
        return phrase("NP", ("head", nominal.phrase), ("case", closed.possessive_s(last)))

    def quantity_of(
        self, noun: Noun, number: Number, choice: str, role: str, after: Sequence[Part], gender: Gender
    ) -> Nominal:
        """'dozens of farmers', 'a lot of water': the quantity is the head, the noun sets the agreement."""
        known = self.lexicon.lists["quantity_noun"]
        plural = [word for word in ("dozen", "hundred", "thousand", "lot") if word in known]
        singular = [word for word in ("plenty", "lot", "couple") if word in known]
        if noun.kind == "mass" or number == "Sing":
            plural, singular = [w for w in plural if w == "lot"], [w for w in singular if w in ("plenty", "lot")]
        inner = noun_phrase(self.lexicon, noun, number, self.adjectives(noun, 0.15), after, gender)
        use_plural = bool(plural) and (role == "subj" or not singular or self.choose.chance(0.6))
        if not use_plural and not singular:
            return inner if number == "Plur" or noun.kind == "mass" else self.noun_phrase(noun, role, choice="the")
        lemma = self.choose.draw(("quantity", use_plural, noun.kind), plural if use_plural else singular)
        head: Part = ("head", common(self.lexicon, lemma, "Plur" if use_plural else "Sing", "quantity"))
        first: list[Part] = [] if use_plural or lemma == "plenty" else [("det", closed.article(False))]
        of: Part = ("nmod", prepositional("of", inner.phrase))
        core = Phrase("NP", (*first, head))
        return Nominal(phrase("NP", ("head", core), of), number, gender=gender, head=noun.lemma)

    @staticmethod
    def says_no(nominal: Nominal) -> bool:
        """Whether the phrase is itself negative: 'no farmer', 'nobody'."""
        return any(word.meaning == "negation" for word in leaf_words(nominal.phrase))

    @staticmethod
    def is_pronoun(part: Part) -> bool:
        """Whether a part is a personal pronoun alone."""
        words = leaf_words(part[1])
        return len(words) == 1 and words[0].xpos == "PRP"
