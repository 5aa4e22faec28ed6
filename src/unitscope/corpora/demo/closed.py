"""Closed-class words: articles, pronouns, auxiliaries, numerals, punctuation, as annotated words.

Features are those of the English Web Treebank, in alphabetical order.
"""

from __future__ import annotations

from typing import Literal

from unitscope.corpora.demo.inflection import Inflection, surface
from unitscope.corpora.demo.tree import Word

Number = Literal["Sing", "Plur"]

PRONOUNS: dict[str, tuple[str, str, str]] = {
    "I": ("me", "my", "Number=Sing|Person=1"),
    "you": ("you", "your", "Person=2"),
    "he": ("him", "his", "Gender=Masc|Number=Sing|Person=3"),
    "she": ("her", "her", "Gender=Fem|Number=Sing|Person=3"),
    "it": ("it", "its", "Gender=Neut|Number=Sing|Person=3"),
    "we": ("us", "our", "Number=Plur|Person=1"),
    "they": ("them", "their", "Number=Plur|Person=3"),
}
"""Nominative pronoun: accusative, possessive, features."""

MODALS = ("can", "could", "may", "might", "must", "shall", "should", "will", "would")

DEMONSTRATIVES = {
    ("this", "Sing"): "this",
    ("this", "Plur"): "these",
    ("that", "Sing"): "that",
    ("that", "Plur"): "those",
}


def punct(form: str, *, glue: bool = True) -> Word:
    """A punctuation mark, attached to the word before it unless `glue` is false."""
    xpos = {"?": ".", "!": ".", ";": ":"}.get(form, form)
    return Word(form, form, "PUNCT", xpos, glue=glue)


def opening_quote() -> Word:
    """An opening quotation mark, attached to the word after it."""
    return Word('"', '"', "PUNCT", "``")


def closing_quote() -> Word:
    """A closing quotation mark."""
    return Word('"', '"', "PUNCT", "''", glue=True)


def adposition(form: str) -> Word:
    """A preposition."""
    return Word(form, form, "ADP", "IN")


def conjunction(form: str) -> Word:
    """A coordinating conjunction."""
    return Word(form, form, "CCONJ", "CC", meaning="negation" if form == "nor" else "")


def subordinator(form: str) -> Word:
    """A subordinating conjunction; `when` is an interrogative adverb, as the treebank has it."""
    if form == "when":
        return wh_adverb("when")._replace(meaning="")
    return Word(form, form, "SCONJ", "IN")


def wh_adverb(form: str) -> Word:
    """`when`, `where`, `why` or `how`."""
    return Word(form, form, "ADV", "WRB", "PronType=Int", meaning="wh_question")


def adverb(form: str, *, degree: str = "", xpos: str = "RB", meaning: str = "") -> Word:
    """An adverb; -ly is segmented."""
    pieces = f"{form[:-2]}+ly" if form.endswith("ly") and form not in {"early", "only"} else ""
    return Word(form, form, "ADV", xpos, f"Degree={degree}" if degree else "", pieces, meaning)


def to_particle() -> Word:
    """The infinitive's `to`."""
    return Word("to", "to", "PART", "TO")


def not_particle(*, contracted: bool = False) -> Word:
    """`not`, or `n't` attached to the auxiliary before it."""
    form = "n't" if contracted else "not"
    return Word(form, "not", "PART", "RB", "Polarity=Neg", meaning="negation", glue=contracted)


def possessive_s(owner: str) -> Word:
    """The possessive ending after `owner`."""
    form = "'" if owner.endswith("s") else "'s"
    return Word(form, "'s", "PART", "POS", glue=True)


def article(definite: bool) -> Word:
    """`the` or `a` (made `an` where the next word asks for it)."""
    if definite:
        return Word("the", "the", "DET", "DT", "Definite=Def|PronType=Art")
    return Word("a", "a", "DET", "DT", "Definite=Ind|PronType=Art")


def demonstrative(lemma: str, number: Number, *, pronoun: bool = False) -> Word:
    """`this`, `that`, `these`, `those` as determiner or pronoun."""
    form = DEMONSTRATIVES[lemma, number]
    return Word(form, lemma, "PRON" if pronoun else "DET", "DT", f"Number={number}|PronType=Dem", "", "demonstrative")


def determiner(form: str) -> Word:
    """`some`, `any`, `no`, `every`, `each`, `all`, `both`, `another`, `half`."""
    kind = {"some": "Ind", "any": "Ind", "another": "Ind", "no": "Neg", "half": "Ind"}.get(form, "Tot")
    feats = f"NumForm=Word|NumType=Frac|PronType={kind}" if form == "half" else f"PronType={kind}"
    return Word(form, form, "DET", "DT", feats, meaning="negation" if form == "no" else "quantity")


def quantifier(form: str) -> Word:
    """`many`, `few`, `several`, `more`, `most`, `much`, `various`, `enough`: adjectives of quantity."""
    xpos, degree = {"more": ("JJR", "Cmp"), "most": ("JJS", "Sup")}.get(form, ("JJ", "Pos"))
    return Word(form, form, "ADJ", xpos, f"Degree={degree}", meaning="quantity")


def pronoun(lemma: str, case: Literal["Nom", "Acc"] = "Nom") -> Word:
    """A personal pronoun."""
    accusative, _, feats = PRONOUNS[lemma]
    form = lemma if case == "Nom" else accusative
    return Word(form, lemma, "PRON", "PRP", f"Case={case}|{feats}|PronType=Prs")


def possessive(lemma: str) -> Word:
    """The possessive of a personal pronoun; its lemma is its own form, as in the treebank."""
    _, form, feats = PRONOUNS[lemma]
    return Word(form, form, "PRON", "PRP$", f"Case=Gen|{feats}|Poss=Yes|PronType=Prs")


def indefinite(form: str) -> Word:
    """`someone`, `everybody`, `nothing`, ...: pronouns of one person or thing."""
    kind = {"some": "Ind", "any": "Ind", "ever": "Tot", "no": "Neg"}
    pron_type = next(value for prefix, value in kind.items() if form.startswith(prefix))
    meaning = "negation" if pron_type == "Neg" else ""
    tail = next(tail for tail in ("one", "body", "thing") if form.endswith(tail))
    return Word(form, form, "PRON", "NN", f"Number=Sing|PronType={pron_type}", f"{form[: -len(tail)]}+{tail}", meaning)


def wh_pronoun(form: str, *, relative: bool = False) -> Word:
    """`who`, `whom`, `what`, `which`, `that`, `whose` as question words or relatives."""
    kind = "PronType=Rel" if relative else "PronType=Int"
    xpos = {"that": "WDT", "which": "WDT", "whose": "WP$"}.get(form, "WP")
    feats = f"Poss=Yes|{kind}" if form == "whose" else kind
    lemma = {"whom": "who"}.get(form, form)
    return Word(form, lemma, "PRON", xpos, feats, meaning="" if relative else "wh_question")


def wh_determiner(form: str) -> Word:
    """`which` or `what` before a noun."""
    return Word(form, form, "DET", "WDT", "PronType=Int", meaning="wh_question")


def existential_there() -> Word:
    """The subject of `there is`."""
    return Word("there", "there", "PRON", "EX")


def numeral(form: str, *, time: bool = False) -> Word:
    """A cardinal in words or digits."""
    kind = "Digit" if form[0].isdigit() else "Word"
    meaning = "number|number_time" if time else "number"
    return Word(form, form, "NUM", "CD", f"NumForm={kind}|NumType=Card", meaning=meaning)


def modal(lemma: str, *, clitic: str = "", before_nt: bool = False) -> Word:
    """A modal auxiliary; `clitic` is its contracted form, `before_nt` the stem that `n't` follows."""
    form = clitic or lemma
    if before_nt:
        form = {"can": "ca", "will": "wo"}.get(lemma, lemma)
    return Word(form, lemma, "AUX", "MD", "VerbForm=Fin", meaning="modal", glue=bool(clitic))


def finite_feats(tense: str, number: str, person: str) -> str:
    """Features of a finite indicative verb; the second person has no number."""
    agreement = "Person=2" if person == "2" else f"Number={number}|Person={person}"
    return f"Mood=Ind|{agreement}|Tense={tense}|VerbForm=Fin"


def auxiliary(lemma: str, form: str, feats: str, *, upos: str = "AUX", clitic: str = "") -> Word:
    """A form of be, have or do."""
    xpos = {"am": "VBP", "are": "VBP", "is": "VBZ", "has": "VBZ", "does": "VBZ", "have": "VBP", "do": "VBP"}.get(
        form, ""
    )
    if not xpos or "VerbForm=Inf" in feats:
        xpos = "VB" if "Inf" in feats or "Imp" in feats else "VBN" if "Tense=Past|VerbForm=Part" in feats else "VBD"
        xpos = "VBG" if form.endswith("ing") else xpos
    pieces = {"having": "hav+ing", "being": "be+ing"}.get(form, "")
    return Word(clitic or form, lemma, upos, xpos, feats, "" if clitic else pieces, glue=bool(clitic))


def verb(
    segmented: str, form: str, inflection: Inflection, meaning: str, agreement: tuple[str, str] = ("", "")
) -> Word:
    """A full verb in `form`: 'inf', 'imp', 'pres', 'past', 'part' (perfect), 'pass', 'prog' or 'ger'.

    `agreement` is (number, person) of the subject, used by finite forms.
    """
    lemma = surface(segmented)
    if form in ("inf", "imp"):
        feats = "VerbForm=Inf" if form == "inf" else "Mood=Imp|Person=2|VerbForm=Fin"
        return Word(lemma, lemma, "VERB", "VB", feats, segmented, meaning)
    if form == "pres":
        third = agreement == ("Sing", "3")
        pieces = inflection.third_person(segmented) if third else segmented
        return Word(
            surface(pieces), lemma, "VERB", "VBZ" if third else "VBP", finite_feats("Pres", *agreement), pieces, meaning
        )
    if form == "past":
        pieces = inflection.past(segmented)
        return Word(surface(pieces), lemma, "VERB", "VBD", finite_feats("Past", *agreement), pieces, meaning)
    if form in ("part", "pass"):
        pieces = inflection.participle(segmented)
        feats = "Tense=Past|VerbForm=Part" + ("|Voice=Pass" if form == "pass" else "")
        return Word(surface(pieces), lemma, "VERB", "VBN", feats, pieces, meaning)
    pieces = inflection.gerund(segmented)
    feats = "VerbForm=Ger" if form == "ger" else "Tense=Pres|VerbForm=Part"
    return Word(surface(pieces), lemma, "VERB", "VBG", feats, pieces, meaning)
