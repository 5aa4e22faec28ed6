"""Agreement, checked by rules that know nothing of the grammar: forms and dependencies only."""

import itertools
import re

import pytest

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.clauses import Clause, inverted, statement
from unitscope.corpora.demo.lexicon import load_lexicon
from unitscope.corpora.demo.nominals import pronominal
from unitscope.corpora.demo.tree import Word, flatten, phrase

SINGULAR_FORMS = {"is", "was", "has", "does", "'s"}
PLURAL_FORMS = {"are", "were", "have", "do", "'re", "'ve"}
FIRST = {"am", "was", "have", "do", "'m", "'ve"}


def number_of(sentence, index) -> str | None:
    """'Sing', 'Plur' or None where English allows both, of the phrase headed by a word, by naive rules."""
    token = sentence[index]
    below = [i for i, t in enumerate(sentence) if t.head == index]
    if any(sentence[i].deprel == "conj" for i in below):
        return "Plur"
    form = token.form.lower()
    if form in ("we", "they", "you", "these", "those"):
        return "Plur"
    if form in ("i", "who", "that", "which", "whom", "none", "there"):
        return None
    partitive = [i for i in below if sentence[i].deprel == "nmod" and sentence[i].head == index]
    if token.lemma in ("dozen", "hundred", "thousand", "lot", "plenty", "couple") and partitive:
        return number_of(sentence, partitive[0])
    if token.upos in ("ADJ", "DET") or form == "half":
        return "Plur"
    if token.upos == "NUM":
        return "Sing" if form == "one" else "Plur"
    if token.xpos in ("NNS", "NNPS"):
        return "Plur"
    return "Sing"


def test_subject_and_finite_verb_agree(sentences):
    checked = 0
    for sentence in sentences:
        for index, token in enumerate(sentence):
            if token.deprel not in ("nsubj", "nsubj:pass", "csubj", "expl"):
                continue
            verb = token.head
            group = sorted(i for i, t in enumerate(sentence) if t.head == verb and t.deprel.startswith(("aux", "cop")))
            finite = group[0] if group else verb
            if token.form.lower() == "there":
                real = next(i for i, t in enumerate(sentence) if t.head == verb and t.deprel == "nsubj")
                number = number_of(sentence, real)
            elif (sentence[verb].xpos == "VB" and not group) or (
                token.deprel == "nsubj" and sentence[verb].lemma == "be"
            ):
                continue
            else:
                number = "Sing" if token.deprel == "csubj" else number_of(sentence, index)
            form, xpos = sentence[finite].form.lower(), sentence[finite].xpos
            text = " ".join(t.form for t in sentence)
            if token.form == "I":
                assert form in FIRST or xpos in ("MD", "VBD", "VBP"), text
            elif number == "Sing":
                assert form not in PLURAL_FORMS, text
                assert xpos != "VBP", text
                checked += xpos in ("VBZ",) or form == "was"
            elif number == "Plur":
                assert form not in SINGULAR_FORMS, text
                assert xpos != "VBZ", text
                checked += xpos == "VBP" or form == "were"
    assert checked > 1000


def test_determiner_and_noun_agree(sentences):
    checked = 0
    for sentence in sentences:
        for token in sentence:
            if token.head < 0 or token.deprel != "det":
                continue
            noun, form = sentence[token.head], token.form.lower()
            text = " ".join(t.form for t in sentence)
            if form in ("a", "an", "this", "that", "every", "each", "another"):
                assert noun.xpos in ("NN", "NNP", "CD"), text
                checked += 1
            if form in ("these", "those", "both"):
                assert noun.xpos == "NNS", text
                checked += 1
            if form in ("a", "an"):
                assert noun.lemma not in ("water", "money", "luggage", "advice", "evidence"), text
    assert checked > 1000


def test_indefinite_article_by_a_list_of_its_own(sentences):
    """Before a vowel letter 'an', else 'a', with the exceptions spelled out."""
    consonant = re.compile(r"(uni|use|usu|eu|one|once)", re.IGNORECASE)
    vowel = re.compile(r"(hour|honest|heir|x-ray|8|11$|18$)", re.IGNORECASE)
    seen = {"a": 0, "an": 0}
    for sentence in sentences:
        for token, after in itertools.pairwise(sentence):
            form = token.form.lower()
            if form in seen and token.upos == "DET":
                by_sound = bool(vowel.match(after.form)) or (
                    after.form[0].lower() in "aeiou" and not consonant.match(after.form)
                )
                assert (form == "an") == by_sound, f"{form} {after.form}"
                seen[form] += 1
    assert min(seen.values()) > 50


def test_numerals_and_quantities_take_plurals(sentences):
    for sentence in sentences:
        for token in sentence:
            if token.deprel != "nummod" or token.head < 0:
                continue
            noun = sentence[token.head]
            if noun.upos == "NOUN" and noun.lemma != "percent":
                assert (noun.xpos == "NN") == (token.form.lower() == "one"), " ".join(t.form for t in sentence)


def test_verb_forms_follow_their_auxiliary(sentences):
    wanted = {"have": "VBN", "do": "VB"}
    for sentence in sentences:
        for index, token in enumerate(sentence):
            if token.upos != "AUX":
                continue
            chain = [t for t in sentence[index + 1 :] if t.head == token.head and t.upos == "AUX"]
            if token.deprel == "cop":
                continue
            following = chain[0] if chain else sentence[token.head]
            if following.upos not in ("AUX", "VERB"):
                continue
            text = " ".join(t.form for t in sentence)
            if token.xpos == "MD":
                assert following.xpos == "VB", text
            elif token.lemma in wanted:
                assert following.xpos == wanted[token.lemma], text
            elif token.deprel == "aux:pass":
                assert following.feats.get("Voice") == "Pass", text
            else:
                assert following.xpos == "VBG", text


def test_pronouns_have_the_case_of_their_place(words):
    for token in words:
        if token.xpos == "PRP" and token.form.lower() not in ("you", "it", "'s"):
            subject = token.deprel.startswith("nsubj") or token.deprel == "expl"
            assert (token.feats["Case"] == "Nom") == subject, token


@pytest.mark.parametrize(
    ("clause", "told", "asked"),
    [
        ({}, "She called", "Did she call"),
        ({"negated": True, "nt": True}, "She didn't call", "Didn't she call"),
        ({"tense": "Pres"}, "She calls", "Does she call"),
        ({"modal": "can", "negated": True}, "She cannot call", "Can she not call"),
        ({"modal": "will", "negated": True, "nt": True}, "She won't call", "Won't she call"),
        ({"modal": "will", "clitic": True}, "She'll call", "Will she call"),
        ({"tense": "Pres", "perfect": True, "progressive": True}, "She has been calling", "Has she been calling"),
        ({"passive": True, "progressive": True}, "She was being called", "Was she being called"),
        ({"perfect": True, "clitic": True}, "She'd called", "Had she called"),
    ],
)
def test_verb_groups(clause, told, asked):
    inflection = load_lexicon().inflection
    said = Clause(pronominal("she"), "call", **clause)
    assert flatten(statement(said, inflection)).text == told
    assert flatten(inverted(said, inflection)).text == asked


def test_copula_agrees_and_inverts():
    cold = phrase("ADJP", ("head", Word("cold", "cold", "ADJ", "JJ", "Degree=Pos")))
    inflection = load_lexicon().inflection
    clause = Clause(pronominal("I"), "", predicate=cold, tense="Pres", clitic=True)
    text = flatten(statement(clause, inflection))
    assert text.text == "I'm cold"
    assert text.columns["deprel"] == ("nsubj", "cop", "root")
    assert flatten(inverted(clause, inflection)).text == "Am I cold"
    assert closed.PRONOUNS["she"][0] == "her"
