"""Draws noun phrases and clauses that make sense together: subjects, complements and adjuncts that a verb selects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.adjuncts import Times, When
from unitscope.corpora.demo.choice import Chooser
from unitscope.corpora.demo.clauses import Clause
from unitscope.corpora.demo.closed import Number
from unitscope.corpora.demo.inflection import surface
from unitscope.corpora.demo.lexicon import Frame, Lexicon, Noun, Slot, Topic
from unitscope.corpora.demo.nominals import (
    FEMALE_KIN,
    Gender,
    Nominal,
    adverb_phrase,
    gender_of,
    meaning_of,
    named,
    prepositional,
    pronominal,
    proper,
)
from unitscope.corpora.demo.phrases import Phrases
from unitscope.corpora.demo.tree import Part, Word, phrase

Role = Literal["subj", "obj", "obl", "agent"]
_SUBJECT_PRONOUNS = ((12.0, "I"), (9.0, "you"), (14.0, "we"), (22.0, "they"), (22.0, "he"), (22.0, "she"))
_OBJECT_PRONOUNS = ((2.0, "I"), (1.0, "you"), (2.0, "we"), (3.0, "they"), (4.0, "he"), (5.0, "she"))
_PAIRED = frozenset({"eye", "tooth"})
_CLASHES = ({"I", "we"}, {"you"}, {"he"}, {"she"}, {"they"})


@dataclass(frozen=True)
class Verbal:
    """Tense, aspect and polarity of a clause, and the time expressions that fit them."""

    tense: Literal["Past", "Pres"] = "Past"
    modal: str = ""
    perfect: bool = False
    progressive: bool = False
    negated: bool = False
    time: When | None = "past"


_EVENTS: tuple[tuple[float, Verbal], ...] = (
    (40, Verbal()),
    (14, Verbal("Pres", time="habit")),
    (9, Verbal("Pres", "will", time="future")),
    (10, Verbal("Pres", "?", time="future")),
    (9, Verbal("Pres", progressive=True, time="now")),
    (5, Verbal("Past", progressive=True, time="past")),
    (6, Verbal("Pres", perfect=True, time=None)),
    (2, Verbal("Past", perfect=True, time=None)),
)
_BASE_FORMS: tuple[tuple[float, Verbal], ...] = (
    (4, Verbal("Pres", "will", time="future")),
    (4, Verbal("Pres", "?", time="future")),
    (2, Verbal("Past", negated=True)),
)
_STATES: tuple[tuple[float, Verbal], ...] = (
    (45, Verbal("Past", time=None)),
    (45, Verbal("Pres", time=None)),
    (10, Verbal("Pres", "?", time=None)),
)
_MODALS = ((5.0, "can"), (3.0, "could"), (4.0, "may"), (4.0, "might"), (4.0, "must"), (5.0, "should"))
_STATE_MODALS = ((4.0, "may"), (4.0, "might"))


_REPEATED = frozenset(["daily", "regularly", "often", "twice", "yearly", "early"])
_SETTLED = frozenset(
    ["like", "love", "hate", "fear", "trust", "admire", "value", "doubt", "remember", "prefer", "forget"]
)
"""Verbs whose object is known already: not 'I like a lunch'."""


_GOAL = 8


def double_lives(lexicon: Lexicon) -> frozenset[str]:
    """Verbs whose base form is also a noun or an adjective of the lexicon: 'run', 'light', 'clean'."""
    verbs = {surface(frame.verb) for topic in lexicon.topics for frame in (*topic.frames, *topic.general)}
    nouns = [noun for topic in lexicon.topics for group in topic.classes.values() for noun in group]
    return frozenset(verbs & ({noun.lemma for noun in nouns} | {form for noun in nouns for form in noun.adjectives}))


class Sampler(Phrases):
    """Draws phrases and clauses of one topic; `enter` moves it to another document."""

    def __init__(self, lexicon: Lexicon, choose: Chooser) -> None:
        super().__init__(lexicon, choose, Times(lexicon, choose))
        self.double = double_lives(lexicon)
        self.uses: Counter[tuple[str, str]] = Counter()
        self.enter(lexicon.topics[0])

    def enter(self, topic: Topic) -> None:
        """Start a document: its topic and its cast of four people."""
        self.topic = topic
        self.settled = self.washing = False
        self.cast: list[Nominal] = []
        genders: tuple[tuple[str, Gender], ...] = (("female", "Fem"), ("male", "Masc"))
        for name, gender in genders * 2:
            first = self.choose.draw(name, self.lexicon.lists[name])
            if self.choose.chance(0.35):
                self.cast.append(named((first, self.choose.draw("surname", self.lexicon.lists["surname"])), gender))
            else:
                self.cast.append(named((first,), gender))

    def lacks(self, form: str, upos: str) -> int:
        """How many more uses an ambiguous form should have under this tag; 0 for every other form."""
        return max(0, _GOAL - self.uses[form, upos]) if form in self.double else 0

    def note(self, words: Iterable[str], upos: Iterable[str | None]) -> None:
        """Count the forms of a sentence that was kept."""
        for word, tag in zip(words, upos, strict=True):
            if word in self.double:
                self.uses[word, tag or ""] += 1

    def frame(
        self, *, human: bool = False, wanted: bool = False, obj: bool = False, event: bool = False, base: bool = False
    ) -> Frame:
        """Next frame of the topic, or one that fits every topic. The flags ask for frames of that kind only.

        `base` tells that the verb will stand in its base form: frames whose verb is also a noun, and was seldom used
        as a verb, are then preferred.
        """
        general = self.choose.chance(0.12 if base else 0.26)
        frames = self.topic.general if general else self.topic.frames
        key = ("frames", self.topic.name, general)
        best: Frame | None = None
        n_better = 8 if base else 1
        for _ in range(200):
            frame = self.choose.draw(key, frames)
            fits = (frame.human or not human) and (frame.wanted or not wanted) and (self.has_object(frame) or not obj)
            if not fits or (event and "state" in frame.flags):
                continue
            n_better -= 1
            if best is None or self.lacks(surface(frame.verb), "VERB") > self.lacks(surface(best.verb), "VERB"):
                best = frame
            if n_better == 0:
                return best
        raise LookupError("no frame of this kind")

    @staticmethod
    def has_object(frame: Frame) -> bool:
        """Whether a frame has a direct object that can be asked for or made a passive's subject."""
        obj = frame.obj
        return obj is not None and not obj.own and not obj.words and bool(obj.nouns)

    def verbal(self, frame: Frame | None = None, *, question: bool = False) -> Verbal:
        """Tense, aspect, modality and polarity for a frame; a modal where the verb's base form lacks uses."""
        flags = frame.flags if frame is not None else frozenset[str]()
        state = "state" in flags
        if "once" in flags:
            return Verbal()
        verbal = self.choose.weighted(_STATES if state else _EVENTS)
        lacking = frame is not None and not state and self.lacks(surface(frame.verb), "VERB") > 0
        if lacking and self.choose.chance(0.4):
            verbal = self.choose.weighted(_BASE_FORMS)
        if verbal.modal == "?":
            human = frame is not None and frame.human and not flags & {"bad", "noimp"}
            modals = _MODALS if human and not state else _STATE_MODALS
            verbal = replace(verbal, modal=self.choose.weighted(modals))
        negated = self.choose.chance(0.05 if question else 0.11) and verbal.modal not in ("may", "could")
        return replace(verbal, negated=negated or (verbal.negated and not question))

    def person(self, role: Role = "subj", avoid: Collection[str] = ()) -> Nominal:
        """Somebody: a role of the topic, one of the cast, a relative or a pronoun."""
        kind = self.choose.weighted(((40.0, "role"), (20.0, "name"), (17.0, "kin"), (23.0, "pronoun")))
        if kind == "pronoun" and role != "agent":
            return self.pronoun(role, avoid)
        if kind == "name":
            return self.member(avoid)
        if kind == "kin" and (kin := self.kin()) is not None:
            return kin
        people = self.topic.people
        return self.noun_phrase(self.choose.draw(("people", self.topic.name), people), role)

    def pronoun(self, role: Role, avoid: Collection[str] = ()) -> Nominal:
        """A personal pronoun that does not clash with those to avoid."""
        options = _SUBJECT_PRONOUNS if role == "subj" else _OBJECT_PRONOUNS
        clashing = {lemma for group in _CLASHES for lemma in group if group & set(avoid)}
        fitting = [(weight, lemma) for weight, lemma in options if lemma not in clashing]
        return pronominal(self.choose.weighted(fitting))

    def member(self, avoid: Collection[str] = ()) -> Nominal:
        """One of the document's cast."""
        fitting = [member for member in self.cast if member.head not in avoid]
        return self.choose.pick(fitting or self.cast)

    def kin(self, owner: str = "") -> Nominal | None:
        """A relative: 'my mother', 'her uncle'."""
        nouns = self.topic.classes.get("family", ())
        if not nouns:
            return None
        noun = self.choose.draw("family", nouns)
        lemma = owner or self.choose.pick(("I", "I", "he", "she", "we", "they", "you"))
        if noun.lemma in ("wife", "husband") and lemma != "I":
            lemma = "he" if noun.lemma == "wife" else "she"
        gender: Gender = "Fem" if noun.lemma in FEMALE_KIN else "Masc"
        return self.plain(noun, "Sing", ("nmod:poss", closed.possessive(lemma)), gender=gender)

    def nominal(
        self, nouns: Sequence[Noun], role: Role, *, negated: bool = False, question: bool = False,
        avoid: Collection[str] = (),
    ) -> Nominal:  # fmt: skip
        """One of the nouns as a phrase, or for people a name or pronoun."""
        fitting = [noun for noun in nouns if noun.lemma not in avoid] or list(nouns)
        noun = fitting[0] if len(fitting) == 1 else self.lacking(tuple(n.base for n in fitting), fitting)
        if noun.human and self.choose.chance(0.4 if role != "obl" else 0.25):
            if self.choose.chance(0.5) and role != "agent":
                return self.pronoun(role, avoid)
            gender = gender_of(noun.lemma)
            member = self.member(avoid)
            if gender is None or member.gender == gender:
                return member
        if not noun.human and "group" not in noun.flags and role == "obj" and self.choose.chance(0.05):
            return pronominal("it" if self.choose.chance(0.6) or noun.kind != "count" else "they")
        return self.noun_phrase(noun, role, negated=negated, question=question)

    def lacking(self, deck: Hashable, nouns: Sequence[Noun]) -> Noun:
        """Of the next nouns of a deck, the one that lacks uses as a noun most."""
        best = self.choose.draw(deck, nouns)
        for _ in range(min(5, len(nouns) - 1)):
            other = self.choose.draw(deck, nouns)
            if self.lacks(other.lemma, "NOUN") > self.lacks(best.lemma, "NOUN"):
                best = other
        return best

    def number(self, noun: Noun, role: str) -> Number:
        """A number that the noun has, the singular where that form lacks uses."""
        number = super().number(noun, role)
        few = self.lacks(noun.lemma, "NOUN") and noun.kind == "count" and self.choose.chance(0.7)
        return "Sing" if few else number

    def subject(self, frame: Frame, *, question: bool = False, negated: bool = False) -> Nominal:
        """A subject for the frame."""
        if frame.subject == "it":
            return pronominal("it")
        if frame.subject == "person":
            return self.person()
        return self.nominal(frame.nouns, "subj", question=question, negated=negated)

    def fill(self, slot: Slot, subject: Nominal, avoid: list[str], *, negated: bool, question: bool) -> Part | None:
        """Fill one slot; None where the half of the lexicon has nothing for it."""
        if slot.relation == "prt":
            word = Word(slot.words[0], slot.words[0], "ADP", "RP")
            return "compound:prt", phrase("PRT", ("head", word))
        if slot.relation == "adj":
            inner = self.adjective(self.choose.pick(slot.words), 0.15)
            return "xcomp", phrase("ADJP", ("head", inner)) if isinstance(inner, Word) else inner
        special = self.special(slot)
        if special is not None:
            return special
        if not slot.nouns:
            return None
        if slot.own:
            noun = self.choose.pick(slot.nouns)
            paired = noun.lemma in _PAIRED or (self.washing and noun.lemma in ("hand", "foot"))
            number: Number = "Plur" if subject.number == "Plur" or paired else "Sing"
            number = number if noun.kind == "count" else "Sing"
            owner = ("nmod:poss", closed.possessive(subject.anaphor))
            filler = self.plain(noun, number, owner)
        elif slot.bare:
            filler = self.plain(self.choose.pick(slot.nouns), "Sing")
        else:
            role: Role = "obl" if slot.relation == "obl" else "obj"
            filler = self.nominal(slot.nouns, role, negated=negated or self.settled, question=question, avoid=avoid)
        avoid.append(filler.head)
        if slot.relation == "obl":
            return "obl", prepositional(slot.preposition, filler.as_object)
        return slot.relation, filler.as_object

    def special(self, slot: Slot) -> Part | None:
        """Fill a slot with a proper name or an amount, where it asks for one."""
        if not slot.words or (slot.nouns and self.choose.chance(0.6)):
            return None
        kind = slot.words[0]
        if kind == '"money':
            return slot.relation, self.times.money()
        if kind == '"duration':
            duration = self.times.duration()
            return None if duration is None else ("obl:unmarked", duration)
        if kind == "@name":
            return slot.relation, self.member().phrase
        name = "weekday" if kind == "@weekday" else self.choose.pick(("city", "country"))
        meaning = "weekday" if kind == "@weekday" else "place"
        word = proper(self.choose.draw(name, self.lexicon.lists[name]), meaning)
        inner = phrase("NP", ("head", word))
        return slot.relation, prepositional(slot.preposition, inner) if slot.preposition else inner

    def complements(
        self, frame: Frame, subject: Nominal, *, negated: bool = False, question: bool = False,
        skip: str = "", lean: bool = False,
    ) -> list[Part]:  # fmt: skip
        """The frame's slots filled, in order; `skip` leaves a relation out, `lean` all that is optional."""
        avoid = [subject.pronoun or subject.head]
        parts: list[Part] = []
        self.settled = frame.verb in _SETTLED
        self.washing = frame.verb == "wash"
        for slot in frame.slots:
            if slot.relation == skip or (slot.optional and (lean or not self.choose.chance(0.42))):
                continue
            part = self.fill(slot, subject, avoid, negated=negated, question=question)
            if part is not None:
                parts.append(part)
        return self.order(parts, frame)

    def order(self, parts: list[Part], frame: Frame) -> list[Part]:
        """Pronoun objects before particles; now and then 'give it to her' for 'give her it'."""
        relations = [relation for relation, _ in parts]
        if "iobj" in relations and "obj" in relations and "nodat" not in frame.flags:
            at = relations.index("iobj")
            direct = parts[relations.index("obj")]
            is_pronoun = self.is_pronoun(direct)
            if is_pronoun or self.choose.chance(0.35):
                to = "for" if "for" in frame.flags else "to"
                recipient = parts[at][1]
                parts = [p for p in parts if p[0] not in ("iobj", "obj")]
                return [direct, ("obl", prepositional(to, recipient)), *parts]
        if "compound:prt" in relations and "obj" in relations and self.is_pronoun(parts[relations.index("obj")]):
            particle = parts.pop(relations.index("compound:prt"))
            at = next(i for i, (relation, _) in enumerate(parts) if relation == "obj")
            parts.insert(at + 1, particle)
        return parts

    def manner(self, frame: Frame, probability: float = 0.3, *, ongoing: bool = False) -> list[Part]:
        """A manner adverb of the frame, or none; what happens daily is not `ongoing`."""
        if not frame.manner or not self.choose.chance(probability):
            return []
        form = self.choose.draw(("manner", frame.manner), frame.manner)
        if ongoing and form in _REPEATED:
            return []
        word = adverb_phrase(self.lexicon, form)
        return [("advmod", phrase("ADVP", ("head", word)))]

    def clause(
        self, frame: Frame, *, subject: Nominal | None = None, verbal: Verbal | None = None, question: bool = False,
        skip: str = "", adjuncts: float = 1.0, lean: bool = False,
    ) -> Clause:  # fmt: skip
        """A clause of the frame; `adjuncts` scales how often manner, time and frequency are said."""
        verbal = self.verbal(frame, question=question) if verbal is None else verbal
        who = self.subject(frame, question=question, negated=verbal.negated) if subject is None else subject
        if self.says_no(who):
            verbal = replace(verbal, negated=False)
        parts = self.complements(frame, who, negated=verbal.negated, question=question, skip=skip, lean=lean)
        ongoing = verbal.progressive or verbal.perfect
        at = next((index for index, (relation, _) in enumerate(parts) if relation == "obl"), len(parts))
        parts[at:at] = self.manner(frame, (0.3 if len(parts) < 2 else 0.08) * adjuncts, ongoing=ongoing)
        adverb = None
        timed = False
        weather_time = verbal.time is not None and len(parts) < 3
        if weather_time and self.choose.chance(0.42 * adjuncts) and (when := self.times.when(verbal.time or "any")):
            parts.append(when)
            timed = True
        elif len(parts) < 2 and frame.human and "state" not in frame.flags and self.choose.chance(0.05 * adjuncts):
            parts.append(self.in_city())
        likely = 0.9 if verbal.perfect and verbal.tense == "Past" else 0.3
        if not timed and not question and self.choose.chance(likely * adjuncts):
            adverb = self.mid_adverb(verbal, who, frame)
        return Clause(
            who, frame.verb, tuple(parts), meaning_of(self.lexicon, surface(frame.verb)),
            tense=verbal.tense, modal=verbal.modal, perfect=verbal.perfect, progressive=verbal.progressive,
            negated=verbal.negated, nt=self.choose.chance(0.6), clitic=self.choose.chance(0.45), adverb=adverb,
            timed=timed,
        )  # fmt: skip

    def in_city(self) -> Part:
        """A city as the place of what happens."""
        word = proper(self.choose.draw("city", self.lexicon.lists["city"]), "place")
        return "obl", prepositional("in", phrase("NP", ("head", word)))

    def mid_adverb(self, verbal: Verbal, subject: Nominal, frame: Frame) -> Word | None:
        """A frequency or phase adverb where the tense allows one."""
        if verbal.modal or verbal.negated or self.says_no(subject) or frame.subject == "it":
            return None
        if verbal.perfect:
            return self.listed_adverb("midtime")
        if verbal.progressive:
            return closed.adverb("still") if verbal.tense == "Pres" else None
        if verbal.tense == "Past" and "state" in frame.flags:
            return None
        if self.choose.chance(0.25):
            return closed.adverb("never", meaning="negation")._replace(feats="PronType=Neg")
        return self.listed_adverb("frequency")
