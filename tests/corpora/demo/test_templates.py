"""Every template, in every topic, makes the type of sentence it is meant to make."""

import pytest

from unitscope.corpora.demo.choice import Chooser
from unitscope.corpora.demo.documents import templates, write
from unitscope.corpora.demo.lexicon import load_lexicon
from unitscope.corpora.demo.sampler import Sampler

TEMPLATES = dict(templates())
NEEDED = {
    "passive": {"aux:pass"},
    "relative_subject": {"acl:relcl"},
    "relative_object": {"acl:relcl"},
    "time_clause": {"advcl"},
    "feeling_clause": {"advcl"},
    "property_clause": {"advcl"},
    "that_clause": {"ccomp"},
    "quotation": {"ccomp", "punct"},
    "control": {"xcomp", "mark"},
    "gerund_object": {"xcomp"},
    "two_verbs": {"conj", "cc"},
    "two_clauses": {"conj", "cc"},
    "two_nouns": {"conj", "cc"},
    "there_is": {"expl"},
    "copula_noun": {"cop"},
    "comparative": {"cop", "case"},
    "partitive": {"nmod"},
    "request": {"aux"},
    "cleft": {"acl:relcl", "cop"},
    "comma_clause": {"acl:relcl", "punct"},
    "degree_to": {"advcl", "cop"},
    "indefinite_object": {"obj"},
}


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_template(name):
    lexicon = load_lexicon()
    sampler = Sampler(lexicon, Chooser(name))
    made = 0
    for topic in lexicon.topics:
        sampler.enter(topic)
        for _ in range(12):
            draft = TEMPLATES[name](sampler)
            if draft is None:
                continue
            made += 1
            text = write(draft, lexicon)
            relations = set(text.columns["deprel"])
            assert NEEDED.get(name, set()) <= relations, text.text
            assert (text.words[-1] == "?") == draft.kind.endswith("question"), text.text
            if draft.kind == "imperative":
                assert "Mood=Imp" in " ".join(text.columns["feats"]), text.text
                assert not any(relation.startswith("nsubj") for relation in relations), text.text
            if draft.kind in ("declarative", "wh_question", "yesno_question"):
                assert relations & {"nsubj", "nsubj:pass", "csubj"}, text.text
    assert made >= 10


@pytest.mark.parametrize("half", ["A", "B"])
def test_templates_of_half_a_lexicon_either_work_or_decline(half):
    lexicon = load_lexicon(half)
    for name, template in TEMPLATES.items():
        sampler = Sampler(lexicon, Chooser(name))
        for topic in lexicon.topics[::3]:
            sampler.enter(topic)
            for _ in range(4):
                draft = template(sampler)
                assert draft is None or write(draft, lexicon).n_sites >= 2
