"""Minimal pairs: two sentences of one derivation that differ in one property, and the site where they do.

For 'number', 'tense', 'negation', 'person' and 'polarity_word' the two sentences are equally long and differ in one
word. For 'question' the auxiliary moves to the front. For 'noun_verb', 'that', 'to' and 'her' the site holds the same
form in both sentences under another tag, behind the same words up to its left neighbour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.choice import Chooser
from unitscope.corpora.demo.clauses import Clause, inverted, marked, statement
from unitscope.corpora.demo.documents import acceptable, labels, write
from unitscope.corpora.demo.drafts import PAST_BARE, Draft, adjective_phrase, copular, of_clause, vp
from unitscope.corpora.demo.lexicon import Frame, load_lexicon
from unitscope.corpora.demo.nominals import Nominal, common, meaning_of, prepositional, pronominal
from unitscope.corpora.demo.sampler import Sampler, Verbal
from unitscope.corpora.demo.templates_infinitive import proper
from unitscope.corpora.demo.tree import Node, Part, phrase
from unitscope.errors import CorpusError, closest
from unitscope.sites import Item, Text

Two = tuple[Draft, Draft] | None
_TRIES = 300


def _pair(s: Sampler, first: Clause, second: Clause) -> Two:
    inflection = s.lexicon.inflection
    return of_clause(statement(first, inflection), first), of_clause(statement(second, inflection), second)


def _plain(s: Sampler, frame: Frame, subject: Nominal, verbal: Verbal = PAST_BARE) -> Clause:
    """A clause with nothing that depends on tense or polarity."""
    clause = s.clause(frame, subject=subject, verbal=verbal, adjuncts=0.0)
    return replace(clause, adverb=None, clitic=False, nt=False)


def _frame(s: Sampler, *, human: bool = False) -> Frame:
    """A frame whose complements do not agree with the subject."""
    for _ in range(50):
        frame = s.frame(human=human, event=True)
        if not any(slot.own for slot in frame.slots):
            return frame
    raise LookupError("no frame of this kind")


def _subject(s: Sampler, frame: Frame, number: Literal["Sing", "Plur"]) -> Nominal | None:
    nouns = [n for n in frame.nouns or s.topic.people if n.kind == "count" and not n.flags & {"sg", "def", "kin"}]
    if not nouns:
        return None
    return s.plain(s.choose.draw(("pairs", s.topic.name, len(nouns)), nouns), number, ("det", closed.article(True)))


def _number(s: Sampler) -> Two:
    frame = _frame(s)
    nouns = [n for n in frame.nouns if n.kind == "count" and not n.flags & {"sg", "def", "kin"}]
    if not nouns:
        return None
    noun = s.choose.draw(("pairs", s.topic.name, tuple(nouns)), nouns)
    the: Part = ("det", closed.article(True))
    clause = _plain(s, frame, s.plain(noun, "Sing", the))
    return _pair(s, clause, replace(clause, subject=s.plain(noun, "Plur", the)))


def _tense(s: Sampler) -> Two:
    frame = _frame(s)
    subject = _subject(s, frame, s.choose.pick(("Sing", "Plur")))
    if subject is None:
        return None
    clause = _plain(s, frame, subject)
    return _pair(s, clause, replace(clause, tense="Pres"))


def _person(s: Sampler) -> Two:
    one, three = s.choose.pick((("I", "he"), ("I", "she"), ("we", "they")))
    clause = _plain(s, _frame(s, human=True), pronominal(one))
    return _pair(s, clause, replace(clause, subject=pronominal(three)))


def _negation(s: Sampler) -> Two:
    frame = _frame(s, human=True)
    subject = _subject(s, frame, s.choose.pick(("Sing", "Plur")))
    if subject is None:
        return None
    kind = s.choose.pick(("never", "has not", "is not"))
    if kind == "never":
        clause = _plain(s, frame, subject)
        never = closed.adverb("never", meaning="negation")._replace(feats="PronType=Neg")
        return _pair(s, replace(clause, adverb=closed.adverb("often")), replace(clause, adverb=never))
    verbal = Verbal("Pres", perfect=kind == "has not", progressive=kind == "is not", time=None)
    clause = _plain(s, frame, subject, verbal)
    word = closed.adverb("just" if kind == "has not" else "now")
    return _pair(s, replace(clause, adverb=word), replace(clause, negated=True))


def _question(s: Sampler) -> Two:
    frame = _frame(s, human=True)
    subject = _subject(s, frame, s.choose.pick(("Sing", "Plur")))
    if subject is None:
        return None
    verbals = (Verbal("Pres", "will"), Verbal("Pres", "can"), Verbal("Pres", perfect=True), Verbal(progressive=True))
    clause = _plain(s, frame, subject, replace(s.choose.pick(verbals), time=None))
    asked = inverted(clause, s.lexicon.inflection)
    told = of_clause(statement(clause, s.lexicon.inflection), clause)
    return told, of_clause(asked, clause, "yesno_question", "?")


def _polarity_word(s: Sampler) -> Two:
    nouns = [*s.topic.unions.get("FUN", ()), *s.topic.unions.get("NEED", ())]
    noun = s.choose.draw(("judged", s.topic.name), nouns)
    if noun.lemma in s.lexicon.sentiment:
        return None
    number: Literal["Sing", "Plur"] = "Plur" if noun.kind == "count" and s.choose.chance(0.4) else "Sing"
    subject = s.noun_phrase(noun, "told", number=number, adjectives=0.0)
    good = s.choose.draw("judgment_good", s.lexicon.lists["judgment_good"])
    bad = s.choose.draw("judgment_bad", s.lexicon.lists["judgment_bad"])
    verbal = Verbal("Past" if s.choose.chance(0.6) else "Pres", time=None)
    first = copular(subject, adjective_phrase(s.adjective(good)), verbal)
    return _pair(s, first, copular(subject, adjective_phrase(s.adjective(bad)), verbal))


def _noun_verb(s: Sampler) -> Two:
    word = s.choose.draw("noun_verb", s.lexicon.lists["noun_verb"])
    verb = s.choose.draw("desire", s.lexicon.lists["desire"])
    subject = s.person()
    if s.says_no(subject):
        return None
    when = s.times.when("future")
    noun = phrase("NP", ("det", closed.article(False)), ("head", common(s.lexicon, word)))
    inner = phrase("VP", ("mark", closed.to_particle()), ("head", closed.verb(word, "inf", s.lexicon.inflection, "")))
    after = () if when is None else (when,)
    clause = Clause(subject, verb, (("obj", noun), *after))
    return _pair(s, clause, replace(clause, parts=(("xcomp", inner), *after)))


def _that(s: Sampler) -> Two:
    verb = s.choose.draw("that", [v for v in s.lexicon.lists["notice"] if v not in ("hear", "see", "discover")])
    things = (*s.topic.unions.get("THING", ()), *s.topic.people)
    noun = s.choose.draw(("that", s.topic.name), things)
    if noun.kind != "count" or noun.flags & {"kin", "tie"}:
        return None
    subject = s.member()
    what = s.plain(noun, "Sing", ("det", closed.demonstrative("that", "Sing")))
    frame = s.frame(event=True)
    inner = replace(s.clause(frame, verbal=PAST_BARE, adjuncts=0.3, lean=True), adverb=None)
    content = marked(closed.subordinator("that"), statement(inner, s.lexicon.inflection))
    clause = Clause(subject, verb, (("obj", what.phrase),))
    return _pair(s, clause, replace(clause, parts=(("ccomp", content),)))


def _to(s: Sampler) -> Two:
    subject = s.person()
    frame = s.frame(wanted=True)
    if s.says_no(subject):
        return None
    verb = s.choose.pick(("go", "come", "return"))
    place = prepositional("to", proper(s, s.lexicon.lists["city"]))
    clause = Clause(subject, verb, (("obl", place),))
    purpose: Node = vp(s, frame, subject, "inf", to=True)
    return _pair(s, clause, replace(clause, parts=(("advcl", purpose),)))


def _her(s: Sampler) -> Two:
    verb = s.choose.draw("both_objects", s.lexicon.lists["both_objects"])
    things = s.topic.unions.get("THING", ())
    noun = s.choose.draw(("hers", s.topic.name), things)
    subject = s.person()
    if subject.pronoun == "she" or s.says_no(subject):
        return None
    when = s.times.when("past")
    after = () if when is None else (when,)
    number = s.number(noun, "obj")
    owned = s.plain(noun, number, ("nmod:poss", closed.possessive("she")))
    clause = Clause(subject, verb, (("obj", pronominal("she").as_object), *after), meaning_of(s.lexicon, verb))
    return _pair(s, clause, replace(clause, parts=(("obj", owned.phrase), *after)))


_MAKERS: Mapping[str, Callable[[Sampler], Two]] = MappingProxyType(
    {
        "number": _number,
        "tense": _tense,
        "noun_verb": _noun_verb,
        "negation": _negation,
        "question": _question,
        "person": _person,
        "polarity_word": _polarity_word,
        "that": _that,
        "to": _to,
        "her": _her,
    }
)
PHENOMENA = tuple(_MAKERS)
"""Names that `minimal_pairs` knows."""
HOMOGRAPHS = frozenset({"noun_verb", "that", "to", "her"})
"""Phenomena whose site holds the same form in both sentences."""


def site_of(phenomenon: str, first: Text, second: Text) -> int | None:
    """Index of the site where the pair differs as the phenomenon says, or None where it does not."""
    words, others = first.words, second.words
    if phenomenon in HOMOGRAPHS:
        tags = [list(zip(t.columns["upos"], t.columns["xpos"], strict=True)) for t in (first, second)]
        shared = range(min(len(words), len(others)))
        return next((i for i in shared if words[i] == others[i] and tags[0][i] != tags[1][i]), None)
    if phenomenon == "question":
        same_words = sorted(w.lower() for w in words[:-1]) == sorted(w.lower() for w in others[:-1])
        return 0 if same_words and words[0].lower() != others[0].lower() else None
    if len(words) != len(others):
        return None
    places = [index for index, (one, other) in enumerate(zip(words, others, strict=True)) if one != other]
    return places[0] if len(places) == 1 else None


def minimal_pairs(phenomenon: str, n: int, seed: int = 0) -> Iterator[tuple[Item, Item, int]]:
    """Draw `n` pairs of items that differ in one property, with the index of the site where they do.

    The two items of a pair share their group. Raises CorpusError when the phenomenon is unknown, `n` is negative, or
    the grammar has no more pairs.

    >>> first, second, site = next(minimal_pairs("number", 1))
    >>> first.grids["source"].columns["feats"][site], second.grids["source"].columns["feats"][site]
    ('Number=Sing', 'Number=Plur')
    """
    if phenomenon not in _MAKERS:
        known = ", ".join(f"'{name}'" for name in PHENOMENA)
        raise CorpusError(
            f"Phenomenon '{phenomenon}' is unknown.", expected=f"one of {known}", fix=closest(phenomenon, PHENOMENA)
        )
    if n < 0:
        raise CorpusError(f"Got n={n} pairs.", expected="0 or more")
    return _draw(phenomenon, n, seed)


def _draw(phenomenon: str, n: int, seed: int) -> Iterator[tuple[Item, Item, int]]:
    lexicon = load_lexicon()
    sampler = Sampler(lexicon, Chooser(f"{seed}:{phenomenon}"))
    seen: set[tuple[str, str]] = set()
    for index in range(n):
        sampler.enter(lexicon.topics[index % len(lexicon.topics)])
        for _ in range(_TRIES):
            two = _MAKERS[phenomenon](sampler)
            if two is None:
                continue
            texts = (write(two[0], lexicon), write(two[1], lexicon))
            site = site_of(phenomenon, *texts)
            key = (texts[0].text, texts[1].text)
            if site is not None and all(map(acceptable, texts)) and key not in seen:
                break
        else:
            raise CorpusError(f"No new pair for '{phenomenon}' after {index}.", fix="Ask for fewer pairs.")
        seen.add(key)
        group = f"demo-{phenomenon}-{index:04d}"
        items = [
            Item(
                f"{group}-{side}", group, MappingProxyType({"source": text}),
                MappingProxyType(labels(draft, text, f"pair_{phenomenon}", sampler.topic.name)),
            )
            for side, draft, text in zip("ab", two, texts, strict=True)
        ]  # fmt: skip
        yield items[0], items[1], site
