"""Writes documents: templates dealt from a deck, sentences labelled, none written twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from unitscope.corpora.demo import (
    closed,
    templates_asking,
    templates_copular,
    templates_infinitive,
    templates_linked,
    templates_plain,
    templates_relative,
    templates_urging,
)
from unitscope.corpora.demo.choice import Chooser
from unitscope.corpora.demo.drafts import Draft, Template
from unitscope.corpora.demo.lexicon import Half, Lexicon, load_lexicon
from unitscope.corpora.demo.sampler import Sampler
from unitscope.corpora.demo.tree import Phrase, flatten
from unitscope.errors import CorpusError
from unitscope.sites import Item, Text

MIN_WORDS, MAX_WORDS = 3, 25
_TRIES = 400

_WEIGHTS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "plain": MappingProxyType(
            {
                "simple": 30, "about_noun": 19, "negative": 4, "modal": 6, "passive": 9, "partitive": 4,
                "indefinite": 4, "indefinite_object": 2, "amount": 3, "age": 1, "born": 2, "going_to": 4,
            }
        ),
        "copular": MappingProxyType(
            {
                "copula_adjective": 9, "copula_noun": 4, "comparative": 5, "superlative": 3, "pointing": 3,
                "there_is": 6, "possession": 4,
            }
        ),
        "relative": MappingProxyType(
            {
                "relative_subject": 5, "relative_object": 4, "relative_in_object": 4, "copular_relative": 4,
                "cleft": 2, "comma_clause": 2,
            }
        ),
        "linked": MappingProxyType(
            {
                "two_verbs": 6, "two_clauses": 5, "two_nouns": 4, "time_clause": 6, "feeling_clause": 4,
                "property_clause": 5, "that_clause": 8, "embedded_question": 4, "quotation": 4,
            }
        ),
        "infinitive": MappingProxyType(
            {"control": 7, "gerund_object": 4, "asking": 5, "gerund_subject": 4, "purpose": 4, "degree_to": 3}
        ),
        "asking": MappingProxyType(
            {
                "yes_no": 14, "yes_no_passive": 2, "yes_no_copula": 3, "yes_no_there": 3, "request": 4, "wh_subject": 4,
                "wh_object": 4, "which_object": 5, "wh_adverb": 7, "how_often": 2, "how_adjective": 2, "what_color": 2,
                "whose": 1, "who_is": 2,
            }
        ),
        "urging": MappingProxyType(
            {
                "imperative": 8, "imperative_negative": 4, "imperative_be": 2, "lets": 2, "exclaim_what": 4,
                "exclaim_how": 2,
            }
        ),
    }
)  # fmt: skip
_MODULES = MappingProxyType(
    {
        "plain": templates_plain,
        "copular": templates_copular,
        "relative": templates_relative,
        "linked": templates_linked,
        "infinitive": templates_infinitive,
        "asking": templates_asking,
        "urging": templates_urging,
    }
)


def template_halves() -> dict[str, Half]:
    """Half of every template: neighbours of a family alternate, so that each half has every type of sentence."""
    halves: dict[str, Half] = {}
    for family in _WEIGHTS.values():
        for index, name in enumerate(family):
            halves[name] = "A" if index % 2 == 0 else "B"
    return halves


def templates(half: Half | None = None) -> list[tuple[str, Template]]:
    """Templates by name, each as often as it is dealt."""
    halves = template_halves()
    return [
        (name, getattr(_MODULES[family], name))
        for family, weights in _WEIGHTS.items()
        for name, weight in weights.items()
        if half is None or halves[name] == half
        for _ in range(weight)
    ]


def write(draft: Draft, lexicon: Lexicon) -> Text:
    """The draft's text with its columns."""
    tree = draft.tree
    if draft.end:
        tree = Phrase(tree.label, (*tree.parts, ("punct", closed.punct(draft.end))))
    elif tree.parts:
        tree = _stop_inside(tree)
    lists = lexicon.lists
    question = draft.kind in ("wh_question", "yesno_question")
    return flatten(tree, question=question, hear_a=frozenset(lists["hear_a"]), hear_an=frozenset(lists["hear_an"]))


def _stop_inside(tree: Phrase) -> Phrase:
    """A full stop before the quotation mark that ends the sentence."""
    relation, quoted = tree.parts[-1]
    if not isinstance(quoted, Phrase):
        raise TypeError("a sentence without an end must close with a quotation")
    parts = (*quoted.parts[:-1], ("punct", closed.punct(".")), quoted.parts[-1])
    return Phrase(tree.label, (*tree.parts[:-1], (relation, Phrase(quoted.label, parts))))


def labels(draft: Draft, text: Text, name: str, topic: str) -> dict[str, str]:
    """Labels of a sentence. `polarity` is negative where a word negates; `sentiment` weighs its evaluating words."""
    meanings = [meaning for value in text.columns["meaning"] for meaning in (value or "").split("|")]
    balance = meanings.count("positive") - meanings.count("negative")
    return {
        "type": draft.kind,
        "tense": draft.tense,
        "polarity": "negative" if "negation" in meanings else "affirmative",
        "sentiment": "positive" if balance > 0 else "negative" if balance < 0 else "neutral",
        "topic": topic,
        "template": name,
        "voice": draft.voice,
    }


def acceptable(text: Text) -> bool:
    """Whether a sentence has a fit length and does not repeat itself awkwardly."""
    upos = text.columns["upos"]
    if upos[0] == "NUM" and text.text[0].isdigit():
        return False
    n_words = sum(tag != "PUNCT" for tag in upos)
    if not (n_words >= MIN_WORDS and text.n_sites <= MAX_WORDS):
        return False
    if sum(meaning == "place" for meaning in text.columns["meaning"]) > 1:
        return False
    seen: set[str] = set()
    for tag, lemma in zip(upos, text.columns["lemma"], strict=True):
        if tag in ("NOUN", "VERB", "ADJ", "PROPN", "ADV") and lemma not in _REPEATABLE:
            if lemma in seen:
                return False
            seen.add(lemma or "")
    return True


_REPEATABLE = frozenset({"as", "very", "not", "have", "be"})


def documents(
    seed: int, n_documents: int, lexicon_half: Half | None = None, template_half: Half | None = None
) -> Iterator[Item]:
    """Items of all documents, in order. A document's first items do not depend on how many documents follow."""
    lexicon = load_lexicon(lexicon_half)
    choose = Chooser(f"{seed}")
    sampler = Sampler(lexicon, choose)
    dealt = templates(template_half)
    written: set[str] = set()
    for index in range(n_documents):
        choose.reseed(f"{seed}:{index}")
        topic = lexicon.topics[index % len(lexicon.topics)]
        sampler.enter(topic)
        for place in range(10 + choose.number(0, 1)):
            name, draft, text = _new(sampler, dealt, written)
            written.add(text.text)
            group = f"demo-{index:03d}"
            yield Item(
                f"{group}-{place:02d}", group, MappingProxyType({"source": text}),
                MappingProxyType(labels(draft, text, name, topic.name)),
            )  # fmt: skip


def _new(sampler: Sampler, dealt: list[tuple[str, Template]], written: set[str]) -> tuple[str, Draft, Text]:
    """A sentence not written before. Raises CorpusError when none is found."""
    for attempt in range(_TRIES):
        if attempt % 8 == 0:
            name, template = sampler.choose.draw("templates", dealt)
        draft = template(sampler)
        if draft is None:
            continue
        text = write(draft, sampler.lexicon)
        if acceptable(text) and text.text not in written:
            sampler.note(text.words, text.columns["upos"])
            return name, draft, text
    raise CorpusError(f"The demo grammar found no new sentence in {_TRIES} tries.", fix="Ask for fewer documents.")
