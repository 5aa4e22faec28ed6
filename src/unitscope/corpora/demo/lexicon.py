"""The demo corpus's lexicon: nouns by class, adjectives that fit them, and verbs with what they select.

One text file a topic under `lexicon/`, in three kinds of lines:

- `N class flags = nouns | adjectives`: a class of nouns; `milk%` is a mass noun, `oats!` has only a plural,
  `ice_cream` is a compound, `strik+er` is segmented into morphemes.
- `U NAME = classes`: a union of classes, which the frames of `general.txt` draw on.
- `V subjects verb slots %adverbs *flags`: a frame. Slots: `ball,net` an object, `>guest` an indirect object,
  `with:knife` a prepositional complement, `@up` a particle, `=happy,sad` an adjective; `?` marks what may be left
  out, `$` what belongs to the subject, `^` what has no determiner, `@place` a proper name; a dot
  (`fire.`) means the noun where a class has the same name.

Flags of a frame: `state` (no progressive, no point in time), `bad` (nobody does it on purpose), `noimp` (no order),
`nopass` (no passive), `once` (past only), `nodat` (no 'to' for the indirect object), `for` ('for' instead). Flags of a
class: the meanings, `human`, `group`, `own` (can be possessed), `sg` (no plural), `def` (always 'the'), `tie` (a
relation, seldom without a possessor).

`wordlists.txt` holds lists that are no classes. A *half* of the lexicon keeps every second content lexeme, so that
the two halves share none; a frame lives in a half where all it needs does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal, cast

from unitscope.corpora.demo.inflection import Inflection, surface
from unitscope.errors import CorpusError

Half = Literal["A", "B"]
Kind = Literal["count", "mass", "plural"]

TOPICS = (
    "sport", "cooking", "weather", "finance", "medicine", "travel", "school", "law", "farming", "music", "nature",
    "politics", "home", "film",
)  # fmt: skip

FUNCTION_LEXEMES = frozenset(
    {
        "a.m.", "be", "enough", "few", "half", "last", "many", "more", "most", "much", "next", "p.m.", "several",
        "various",
    }
)  # fmt: skip
"""Lexemes tagged as nouns, verbs or adjectives that are closed-class all the same: both halves have them."""
MEANING_FLAGS = ("role", "kin", "animal", "food", "body")
_SPECIAL = ("@place", "@name", "@weekday", '"money', '"duration')


@dataclass(frozen=True)
class Noun:
    """A noun as a member of one class; `modifiers` are the earlier words of a compound, all segmented."""

    base: str
    modifiers: tuple[str, ...]
    kind: Kind
    flags: frozenset[str]
    adjectives: tuple[str, ...]

    @property
    def lemma(self) -> str:
        """Unsegmented head word."""
        return surface(self.base)

    @property
    def lemmas(self) -> tuple[str, ...]:
        """All content lexemes of the noun, compound parts included."""
        return (*(surface(part) for part in self.modifiers), self.lemma)

    @property
    def human(self) -> bool:
        """Whether the noun names one person (and a pronoun 'he' or 'she' may stand for it)."""
        return "human" in self.flags


@dataclass(frozen=True)
class Slot:
    """A place beside the verb: its relation (`obj`, `iobj`, `obl`, `prt`, `adj`) and what fills it."""

    relation: str
    nouns: tuple[Noun, ...] = ()
    words: tuple[str, ...] = ()
    preposition: str = ""
    optional: bool = False
    own: bool = False
    bare: bool = False


@dataclass(frozen=True)
class Frame:
    """A verb with its subject nouns, slots, manner adverbs and flags. `subject` is '' or 'it' or 'person'."""

    verb: str
    subject: str
    nouns: tuple[Noun, ...]
    slots: tuple[Slot, ...]
    manner: tuple[str, ...]
    flags: frozenset[str]

    @property
    def human(self) -> bool:
        """Whether every possible subject is a person."""
        return self.subject == "person" or (bool(self.nouns) and all(noun.human for noun in self.nouns))

    @property
    def obj(self) -> Slot | None:
        """The slot of the direct object."""
        return next((slot for slot in self.slots if slot.relation == "obj"), None)

    @property
    def wanted(self) -> bool:
        """Whether somebody can do this on purpose."""
        return self.human and not self.flags & {"bad", "state", "noimp"}


@dataclass(frozen=True)
class Topic:
    """Nouns and frames of one topic; `unions` maps a union's name to its nouns."""

    name: str
    classes: Mapping[str, tuple[Noun, ...]]
    unions: Mapping[str, tuple[Noun, ...]]
    frames: tuple[Frame, ...]
    general: tuple[Frame, ...]

    @property
    def people(self) -> tuple[Noun, ...]:
        """All nouns for persons of the topic."""
        return tuple(noun for nouns in self.classes.values() for noun in nouns if noun.human)


@dataclass(frozen=True)
class Lexicon:
    """Everything the grammar draws from. `lists` maps a word list's name to its words."""

    topics: tuple[Topic, ...]
    lists: Mapping[str, tuple[str, ...]]
    inflection: Inflection
    sentiment: Mapping[str, str]
    ungraded: frozenset[str] = field(default_factory=frozenset)


@dataclass
class _Draft:
    """One topic file while it is read: classes, unions and the frame lines."""

    name: str
    classes: dict[str, tuple[Noun, ...]]
    unions: dict[str, tuple[str, ...]]
    frames: list[str]


def _noun(entry: str, flags: frozenset[str], adjectives: tuple[str, ...]) -> Noun:
    kind: Kind = "mass" if entry.endswith("%") else "plural" if entry.endswith("!") else "count"
    *modifiers, base = entry.rstrip("%!").split("_")
    return Noun(base, tuple(modifiers), kind, flags, adjectives)


def _read(name: str) -> str:
    return (files("unitscope.corpora.demo") / "lexicon" / f"{name}.txt").read_text(encoding="utf-8")


def _draft(name: str, colors: tuple[str, ...]) -> _Draft:
    draft = _Draft(name, {}, {}, [])
    for line in _read(name).splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "V":
            draft.frames.append(rest)
            continue
        left, _, right = rest.partition(" = ")
        if kind == "U":
            draft.unions[left.strip()] = tuple(right.strip().split(","))
        elif kind == "N":
            label, *flags = left.split()
            entries, _, adjectives = right.partition("|")
            words = tuple(w for entry in adjectives.split() for w in (colors if entry == "$color" else (entry,)))
            draft.classes[label] = tuple(_noun(entry, frozenset(flags), words) for entry in entries.split())
    return draft


def _resolve(draft: _Draft, shared: _Draft, names: Iterable[str]) -> tuple[Noun, ...]:
    """Nouns for class names, union names, or single nouns. Raises CorpusError for a name that is none of these."""
    found: dict[tuple[str, tuple[str, ...]], Noun] = {}
    for name in names:
        exact = name.endswith(".")
        if exact:
            nouns: tuple[Noun, ...] = ()
        elif name in draft.unions:
            nouns = _resolve(draft, shared, draft.unions[name])
        elif name in draft.classes or name in shared.classes:
            nouns = draft.classes.get(name) or shared.classes[name]
        if exact or not (name in draft.unions or name in draft.classes or name in shared.classes):
            name = name.rstrip(".")
            every = [n for part in (draft, shared) for nouns in part.classes.values() for n in nouns]
            wanted = tuple(name.split("_"))
            nouns = tuple(n for n in every if (*n.modifiers, n.base) == wanted or (n.lemma == name and not n.modifiers))
            nouns = nouns[:1]
        if not nouns:
            raise CorpusError(f"No noun or class '{name}' in the demo lexicon's topic '{draft.name}'.")
        for noun in nouns:
            found.setdefault((noun.base, noun.modifiers), noun)
    return tuple(found.values())


def _slot(token: str, draft: _Draft, shared: _Draft) -> Slot:
    optional, token = token.startswith("?"), token.removeprefix("?")
    if token.startswith("="):
        return Slot("adj", words=tuple(token[1:].split(",")), optional=optional)
    if token.startswith("@") and ":" not in token and token not in _SPECIAL:
        return Slot("prt", words=(token[1:],), optional=optional)
    preposition, colon, names = token.rpartition(":")
    relation = "obl" if colon else "obj"
    if names.startswith(">"):
        relation, names = "iobj", names[1:]
    own, bare = names.startswith("$"), "^" in names
    parts = [part.strip("$^") for part in names.split(",")]
    special = tuple(part for part in parts if part in _SPECIAL)
    nouns = _resolve(draft, shared, [part for part in parts if part not in _SPECIAL])
    return Slot(relation, nouns, special, preposition.replace("_", " "), optional, own, bare)


def _frame(line: str, draft: _Draft, shared: _Draft) -> Frame:
    subjects, verb, *tokens = line.split()
    slots = [_slot(token, draft, shared) for token in tokens if token[0] not in "%*"]
    manner = [word for token in tokens if token[0] == "%" for word in token[1:].split(",")]
    flags = frozenset(token[1:] for token in tokens if token[0] == "*")
    special = subjects if subjects in ("it", "person") else ""
    nouns = () if special else _resolve(draft, shared, subjects.split(","))
    return Frame(verb, special, nouns, tuple(slots), tuple(manner), flags)


def _topic(draft: _Draft, shared: _Draft) -> Topic:
    unions = {name: _resolve(draft, shared, [name]) for name in draft.unions}
    frames = tuple(_frame(line, draft, shared) for line in draft.frames)
    general = tuple(_frame(line, draft, shared) for line in shared.frames)
    return Topic(draft.name, {**shared.classes, **draft.classes}, unions, frames, general)


def _content(topics: Sequence[Topic], lists: Mapping[str, tuple[str, ...]]) -> Iterable[tuple[str, ...]]:
    """Lists of lexemes that compete for one place, each to be shared out evenly between the halves."""
    for values in lists.values():
        yield tuple(surface(value.rstrip("%")) for value in values)
    for topic in topics:
        for nouns in topic.classes.values():
            yield tuple(lemma for noun in nouns for lemma in noun.lemmas)
            yield nouns[0].adjectives
        yield tuple(surface(frame.verb) for frame in topic.frames + topic.general)
        for frame in topic.frames:
            yield frame.manner
            yield tuple(word for slot in frame.slots if slot.relation == "adj" for word in slot.words)


def share_out(lists: Iterable[tuple[str, ...]]) -> dict[str, Half]:
    """Give each lexeme to a half, the one that has fewer of its list so far.

    >>> share_out([("red", "blue", "green"), ("green", "ripe")])
    {'red': 'A', 'blue': 'B', 'green': 'A', 'ripe': 'B'}
    """
    halves: dict[str, Half] = {}
    for words in lists:
        balance = sum((halves[word] == "A") - (halves[word] == "B") for word in words if word in halves)
        for word in words:
            if word not in halves:
                halves[word] = "A" if balance <= 0 else "B"
                balance += 1 if halves[word] == "A" else -1
    return halves


def _keep(frame: Frame, kept: Mapping[str, Half], half: Half) -> Frame | None:
    """The frame with only the half's words, or None where something it needs is missing."""
    if kept[surface(frame.verb)] != half:
        return None
    slots = []
    for slot in frame.slots:
        nouns = _keep_nouns(slot.nouns, kept, half)
        words = slot.words
        if slot.relation == "adj":
            words = tuple(word for word in words if kept[word] == half)
        if not nouns and not words:
            if not slot.optional:
                return None
            continue
        slots.append(Slot(slot.relation, nouns, words, slot.preposition, slot.optional, slot.own, slot.bare))
    nouns = _keep_nouns(frame.nouns, kept, half)
    if frame.nouns and not nouns:
        return None
    manner = tuple(word for word in frame.manner if kept[word] == half)
    return Frame(frame.verb, frame.subject, nouns, tuple(slots), manner, frame.flags)


def _keep_nouns(nouns: Iterable[Noun], kept: Mapping[str, Half], half: Half) -> tuple[Noun, ...]:
    kept_nouns = [noun for noun in nouns if all(kept[lemma] == half for lemma in noun.lemmas)]
    return tuple(
        Noun(n.base, n.modifiers, n.kind, n.flags, tuple(a for a in n.adjectives if kept[a] == half))
        for n in kept_nouns
    )


def _keep_topic(topic: Topic, kept: Mapping[str, Half], half: Half) -> Topic:
    classes = {name: found for name, nouns in topic.classes.items() if (found := _keep_nouns(nouns, kept, half))}
    unions = {name: _keep_nouns(nouns, kept, half) for name, nouns in topic.unions.items()}
    frames, general = (
        tuple(one for frame in side if (one := _keep(frame, kept, half))) for side in (topic.frames, topic.general)
    )
    return Topic(topic.name, classes, unions, frames, general)


def _word_lists() -> dict[str, str]:
    lists = {}
    for line in _read("wordlists").splitlines():
        name, equals, words = line.partition(" = ")
        if equals and not line.startswith("#"):
            lists[name] = words
    return lists


@cache
def load_lexicon(half: Half | None = None) -> Lexicon:
    """The bundled lexicon, whole or one half of its content lexemes. Raises CorpusError when a file is broken."""
    raw = _word_lists()
    inflection = Inflection.from_lists(raw)
    grammar = ("irregular_", "double", "er_two", "hear_", "positive", "negative", "ungraded", "extreme")
    lists = {name: tuple(words.split()) for name, words in raw.items() if not name.startswith(grammar)}
    shared = _draft("general", lists["color"])
    topics = tuple(_topic(_draft(name, lists["color"]), shared) for name in TOPICS)
    sentiment = dict.fromkeys(raw["positive"].split(), "positive") | dict.fromkeys(raw["negative"].split(), "negative")
    ungraded = frozenset(raw["ungraded"].split()) | frozenset(lists["color"])
    if half is not None:
        kept = share_out(_content(topics, lists))
        topics = tuple(_keep_topic(topic, kept, half) for topic in topics)
        lists = {
            name: tuple(word for word in words if kept[surface(word.rstrip("%"))] == half)
            for name, words in lists.items()
        }
    hear = {name: tuple(raw[name].split()) for name in ("hear_a", "hear_an", "extreme")}
    return Lexicon(topics, cast("Mapping[str, tuple[str, ...]]", lists | hear), inflection, sentiment, ungraded)
