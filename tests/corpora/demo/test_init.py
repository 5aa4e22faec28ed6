"""The corpus as a whole: size, variety, uniqueness, halves, fingerprint."""

import os
import subprocess
import sys
from collections import Counter, defaultdict

import pytest

from unitscope.corpora.base import Corpus
from unitscope.corpora.demo import DemoCorpus, split_by_lexeme, split_by_template
from unitscope.corpora.demo.lexicon import FUNCTION_LEXEMES
from unitscope.errors import CorpusError
from unitscope.sites import Item, Text

MEANINGS = [
    "number",
    "number_time",
    "number_question",
    "quantity",
    "wh_question",
    "demonstrative",
    "positive",
    "negative",
    "month",
    "weekday",
    "role",
    "color",
    "place",
    "name",
    "kin",
    "animal",
    "food",
    "body",
    "modal",
    "negation",
]
ALL_OF_ENGLISH = {"demonstrative": 4, "wh_question": 9, "weekday": 7, "negation": 8}


def test_is_a_repeatable_corpus(items):
    corpus = DemoCorpus()
    assert isinstance(corpus, Corpus)
    assert (corpus.name, corpus.grids) == ("demo", ("source",))
    assert all(set(item.grids["source"].columns) == set(corpus.columns) for item in items)
    assert [item.to_json() for item in DemoCorpus(n_documents=7)] == [
        i.to_json() for i in items if i.group < "demo-007"
    ]


def test_size(items, sentences):
    assert len(items) >= 4000
    texts = [item.grids["source"].text for item in items]
    assert len(set(texts)) == len(texts)
    assert len({item.id for item in items}) == len(items)
    assert len({token.form.lower() for sentence in sentences for token in sentence}) >= 2500
    assert len({tuple(token.upos for token in sentence) for sentence in sentences}) >= 150
    assert all(sum(t.upos != "PUNCT" for t in sentence) >= 3 and len(sentence) <= 25 for sentence in sentences)


def test_documents_and_topics(items):
    groups = Counter(item.group for item in items)
    assert len(groups) == 400
    assert set(groups.values()) <= {10, 11}
    topics = defaultdict(set)
    for item in items:
        topics[item.group].add(item.labels["topic"])
        assert item.id.startswith(item.group)
    assert all(len(found) == 1 for found in topics.values())
    assert len({item.labels["topic"] for item in items}) >= 10


def test_documents_differ_in_lexicon(items):
    """Sentences of two documents of a topic share more nouns than those of two topics."""
    nouns = defaultdict(Counter)
    for item in items:
        c = item.grids["source"].columns
        pairs = zip(c["lemma"], c["upos"], strict=True)
        nouns[item.labels["topic"]].update(lemma for lemma, tag in pairs if tag == "NOUN")
    frequent = {topic: {lemma for lemma, _ in count.most_common(50)} for topic, count in nouns.items()}
    shares = [len(frequent[a] & frequent[b]) / 50 for a in frequent for b in frequent if a < b]
    assert sum(shares) / len(shares) < 0.25


def test_ambiguous_forms(sentences):
    """At least 150 forms occur five times or more under each of two tags, most of them as noun and verb."""
    counts = defaultdict(Counter)
    for sentence in sentences:
        for token in sentence:
            counts[token.form.lower()][token.upos] += 1
    ambiguous = [form for form, tags in counts.items() if sum(n >= 5 for n in tags.values()) >= 2]
    assert len(ambiguous) >= 150
    assert sum(counts[form]["NOUN"] >= 5 <= counts[form]["VERB"] for form in ambiguous) >= 100
    for form, tags in {"that": ("DET", "PRON", "SCONJ"), "to": ("PART", "ADP"), "patient": ("NOUN", "ADJ")}.items():
        assert all(counts[form][tag] >= 5 for tag in tags)
    cases = Counter(t.feats.get("Case") for s in sentences for t in s if t.form.lower() == "her")
    assert min(cases["Acc"], cases["Gen"]) >= 20


@pytest.mark.parametrize("meaning", MEANINGS)
def test_meaning_classes(meaning, sentences):
    forms: set[str] = set()
    n_sentences = 0
    for sentence in sentences:
        found = {token.form.lower() for token in sentence if meaning in token.meaning.split("|")}
        forms |= found
        n_sentences += bool(found)
    assert len(forms) >= ALL_OF_ENGLISH.get(meaning, 10), sorted(forms)
    assert n_sentences >= 100


def test_every_meaning_is_a_known_class(words):
    assert {meaning for token in words for meaning in token.meaning.split("|") if meaning} == set(MEANINGS)


def test_labels(items):
    values = defaultdict(Counter)
    for item in items:
        for name, value in item.labels.items():
            values[name][value] += 1
    assert set(values) == {"type", "tense", "polarity", "sentiment", "topic", "template", "voice"}
    assert set(values["type"]) == {"declarative", "wh_question", "yesno_question", "imperative", "exclamative"}
    assert min(values["type"].values()) >= 50
    assert set(values["tense"]) == {"past", "present", "future", "none"}
    assert set(values["polarity"]) == {"affirmative", "negative"}
    assert set(values["sentiment"]) == {"positive", "negative", "neutral"}
    assert set(values["voice"]) == {"active", "passive"}
    assert min(values["template"].values()) >= 5


def test_labels_agree_with_the_words(items):
    for item in items:
        text = item.grids["source"]
        lowered = [word.lower() for word in text.words]
        negated = {"not", "n't", "no", "never", "nobody", "nothing", "none", "neither", "nor"} & set(lowered)
        assert (item.labels["polarity"] == "negative") == bool(negated), text.text
        assert item.labels["type"].endswith("question") == (lowered[-1] == "?"), text.text
        if item.labels["type"] == "exclamative":
            assert lowered[0] in ("what", "how")
            assert lowered[-1] == "!"
        if item.labels["voice"] == "passive":
            assert {"nsubj:pass", "aux:pass"} & set(text.columns["deprel"])


def test_numbers_of_questions_are_marked(items):
    for item in items:
        meanings = [m.split("|") for m in item.grids["source"].columns["meaning"]]
        question = item.labels["type"].endswith("question")
        assert all(("number_question" in m) == (question and "number" in m) for m in meanings)


def test_fingerprint_does_not_depend_on_the_process():
    script = (
        "from unitscope.corpora.demo import DemoCorpus; import sys; sys.stdout.write(DemoCorpus(3, 20).fingerprint())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4242", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == DemoCorpus(3, 20).fingerprint()
    assert len(done.stdout) == 64
    assert done.stdout != DemoCorpus(4, 20).fingerprint()


def content(corpus) -> set[str]:
    found = set()
    for item in corpus:
        c = item.grids["source"].columns
        for lemma, tag in zip(c["lemma"], c["upos"], strict=True):
            if tag in ("NOUN", "PROPN", "VERB", "ADJ") or (tag == "ADV" and lemma.endswith("ly")):
                found.add(lemma)
    return found


def test_halves_by_lexeme_share_no_content_word():
    a, b = (content(corpus) for corpus in split_by_lexeme(n_documents=60))
    assert a & b <= FUNCTION_LEXEMES
    assert min(len(a), len(b)) > 400


def test_halves_by_template_share_no_template(items):
    halves = {half: list(DemoCorpus(n_documents=60, template_half=half)) for half in ("A", "B")}
    for half, own in halves.items():
        assert {split_by_template(item) for item in own} == {half}
        assert {item.labels["type"] for item in own} == {item.labels["type"] for item in items}
    names = [{item.labels["template"] for item in own} for own in halves.values()]
    assert not names[0] & names[1]


def test_errors():
    with pytest.raises(CorpusError, match=r"Got n_documents=0\. Expected: 1 or more\."):
        DemoCorpus(n_documents=0)
    with pytest.raises(CorpusError, match=r"Got lexicon_half='C'\. Expected: 'A', 'B' or None\."):
        DemoCorpus(lexicon_half="C")
    stranger = Item("x", "x", {"source": Text("a", ((0, 1),))})
    with pytest.raises(CorpusError, match="Item 'x' has no template of the demo corpus"):
        split_by_template(stranger)
