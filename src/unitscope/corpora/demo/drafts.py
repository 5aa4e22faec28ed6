"""What a template makes, and the steps that several templates share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.clauses import Clause, statement, verb_phrase
from unitscope.corpora.demo.lexicon import Frame, Noun
from unitscope.corpora.demo.nominals import Nominal, pronominal
from unitscope.corpora.demo.sampler import Sampler, Verbal
from unitscope.corpora.demo.tree import Node, Part, Phrase, Word, phrase

Kind = Literal["declarative", "wh_question", "yesno_question", "imperative", "exclamative"]

PAST = Verbal(time="past")
PAST_BARE = Verbal(time=None)
PRESENT = Verbal("Pres", time=None)
FUTURE = Verbal("Pres", "will", time="future")


@dataclass(frozen=True)
class Draft:
    """A sentence without its last punctuation mark, with its labels. `voice` and `tense` are the main clause's."""

    tree: Phrase
    kind: Kind = "declarative"
    tense: str = "none"
    voice: str = "active"
    end: str = "."


Template = Callable[[Sampler], Draft | None]
"""Makes one sentence, or None where the half of the lexicon lacks a word it needs."""


def of_clause(tree: Phrase, clause: Clause, kind: Kind = "declarative", end: str = ".") -> Draft:
    """A draft whose tense and voice are those of its main clause."""
    return Draft(tree, kind, clause.tense_label, clause.voice_label, end)


def comma_after(node: Node) -> Phrase:
    """The node and the comma that sets it off (which depends on it)."""
    return phrase("", ("head", node), ("punct", closed.punct(",")))


def comma_before(node: Node) -> Phrase:
    """A comma and the node it sets off."""
    return phrase("", ("punct", closed.punct(",")), ("head", node))


def extended(tree: Phrase, *, front: Part | None = None, back: Part | None = None) -> Phrase:
    """The phrase with a part more at its beginning or end."""
    parts = tree.parts
    if front is not None:
        parts = (front, *parts)
    if back is not None:
        parts = (*parts, back)
    return Phrase(tree.label, parts)


def fronted(s: Sampler, clause: Clause, probability: float = 0.3) -> Phrase:
    """The statement, at times with its time expression or a sentence adverb first."""
    if clause.timed and s.choose.chance(probability):
        relation, node = clause.parts[-1]
        rest = statement(replace(clause, parts=clause.parts[:-1], clitic=clause.clitic), s.lexicon.inflection)
        return extended(rest, front=(relation, comma_after(node)))
    tree = statement(clause, s.lexicon.inflection)
    if s.choose.chance(0.05) and (adverb := s.listed_adverb("sentence_adv")) is not None:
        aside = phrase("ADVP", ("head", adverb))
        return extended(tree, front=("advmod", aside if adverb.form in ("maybe", "perhaps") else comma_after(aside)))
    return tree


def vp(s: Sampler, frame: Frame, who: Nominal, first: Literal["inf", "ger"], *, to: bool = False) -> Phrase:
    """An infinitive or gerund of the frame, said of `who`; little more than what the verb needs."""
    clause = s.clause(frame, subject=who, verbal=PAST_BARE, adjuncts=0.45)
    return verb_phrase(replace(clause, adverb=None), s.lexicon.inflection, first, to=to)


def same(nominal: Nominal) -> Nominal:
    """The pronoun that takes the nominal up."""
    return pronominal(nominal.anaphor)


def copular(subject: Nominal, predicate: Node, verbal: Verbal, *, nt: bool = False, clitic: bool = False) -> Clause:
    """'subject is predicate'."""
    return Clause(
        subject, "", predicate=predicate, tense=verbal.tense, modal=verbal.modal, negated=verbal.negated, nt=nt,
        clitic=clitic,
    )  # fmt: skip


def state(s: Sampler, *, negation: float = 0.12) -> Verbal:
    """Past or present, seldom negated."""
    tense: Literal["Past", "Pres"] = "Past" if s.choose.chance(0.5) else "Pres"
    return Verbal(tense, time=None, negated=s.choose.chance(negation))


_MIXED = frozenset(
    {
        "more",
        "thing",
        "stuff",
        "more_mass",
        "trailer",
        "city_place",
        "light_time",
        "family",
        "friend",
        "limb",
        "head",
        "gazette",
    }
)


def describable(s: Sampler, *, graded: bool = False) -> tuple[Noun, tuple[str, ...]] | None:
    """A noun of the topic and the adjectives that can be said of it."""
    attributive = s.lexicon.lists["attributive"]
    classes = [nouns for name, nouns in s.topic.classes.items() if name not in _MIXED]
    for attempt in range(40):
        wanting = attempt < 12 and not graded
        nouns = s.choose.draw(("classes", s.topic.name), classes)
        noun = s.lacking(("class nouns", nouns), nouns)
        if wanting and not s.lacks(noun.lemma, "NOUN"):
            continue
        adjectives = tuple(a for a in noun.adjectives if a not in attributive)
        if graded:
            adjectives = tuple(a for a in adjectives if a not in s.lexicon.ungraded)
        if adjectives:
            return noun, adjectives
    return None


def adjective_phrase(node: Node) -> Phrase:
    """The node as an adjective phrase."""
    return phrase("ADJP", ("head", node)) if isinstance(node, Word) else node


def noun_of_object(s: Sampler, frame: Frame, *, human: bool = False) -> Noun | None:
    """A noun that the frame's object can be."""
    obj = frame.obj
    if obj is None:
        return None
    nouns = [noun for noun in obj.nouns if noun.human == human]
    return s.choose.draw(("object", tuple(n.base for n in nouns)), nouns) if nouns else None


def frames_about(s: Sampler, noun: Noun, place: Literal["subject", "object"]) -> list[Frame]:
    """Frames of the topic in which the noun can stand as subject or object."""
    found = []
    for frame in s.topic.frames:
        if place == "subject":
            nouns = frame.nouns
        else:
            obj = frame.obj
            nouns = obj.nouns if obj is not None and s.has_object(frame) else ()
        if any(other.base == noun.base and other.modifiers == noun.modifiers for other in nouns):
            found.append(frame)
    return found
