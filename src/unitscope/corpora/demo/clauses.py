"""Clauses: a subject, a verb with its complements, and the grammar that makes words of them.

A `Clause` says what is meant (tense, aspect, polarity, voice); the functions say it as a statement, a question, an
infinitive, a relative clause. The chain of auxiliaries, do-support, agreement, contraction and inversion live here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.inflection import Inflection
from unitscope.corpora.demo.nominals import Nominal
from unitscope.corpora.demo.tree import Node, Part, Phrase, Word, phrase

First = Literal["finite", "inf", "ger", "imp", "part"]
_CLITICS = {"am": "'m", "is": "'s", "are": "'re", "has": "'s", "have": "'ve", "had": "'d", "will": "'ll", "would": "'d"}
_NO_NT = frozenset({"am", "may", "might", "shall"})
_FORMS = {
    "be": {"inf": "be", "part": "been", "prog": "being", "ger": "being", "imp": "be"},
    "have": {"inf": "have", "part": "had", "prog": "having", "ger": "having", "imp": "have"},
    "do": {"inf": "do", "imp": "do"},
}
_NONFINITE = {
    "inf": "VerbForm=Inf",
    "part": "Tense=Past|VerbForm=Part",
    "prog": "Tense=Pres|VerbForm=Part",
    "ger": "VerbForm=Ger",
    "imp": "Mood=Imp|Person=2|VerbForm=Fin",
}


@dataclass(frozen=True)
class Clause:
    """What a clause says. `verb` is segmented, empty where `predicate` follows a copula.

    `parts` follow the verb in order, with their relations to it; `adverb` stands before the verb. `clitic` contracts
    the auxiliary with a pronoun subject, `nt` the negation with the auxiliary, both only where English does;
    `timed` says that the last part is a time expression; `there` that the
    verb is the existential 'be', whose real subject follows.
    """

    subject: Nominal
    verb: str
    parts: tuple[Part, ...] = ()
    meaning: str = ""
    predicate: Node | None = None
    tense: Literal["Past", "Pres"] = "Past"
    modal: str = ""
    perfect: bool = False
    progressive: bool = False
    passive: bool = False
    negated: bool = False
    nt: bool = False
    clitic: bool = False
    adverb: Word | None = None
    timed: bool = False
    there: bool = False

    @property
    def future(self) -> bool:
        """Whether its modal makes it a future."""
        return self.modal in ("will", "shall")

    @property
    def tense_label(self) -> str:
        """'past', 'present' or 'future'."""
        return "future" if self.future else "present" if self.tense == "Pres" or self.modal else "past"

    @property
    def voice_label(self) -> str:
        """'active' or 'passive'."""
        return "passive" if self.passive else "active"

    @property
    def subject_relation(self) -> str:
        """Relation of the subject to the verb."""
        if self.there:
            return "expl"
        return "nsubj:pass" if self.passive else "nsubj"


def _links(clause: Clause) -> list[tuple[str, str]]:
    """Auxiliaries (relation, lemma) before the full verb; a copula comes last."""
    links = [("aux", clause.modal)] if clause.modal else []
    if clause.perfect:
        links.append(("aux", "have"))
    if clause.progressive:
        links.append(("aux", "be"))
    if clause.passive:
        links.append(("aux:pass", "be"))
    if clause.predicate is not None:
        links.append(("cop", "be"))
    if clause.there:
        links.append(("head", "be"))
    return links


def _next_form(relation: str, lemma: str) -> str:
    """Form that an auxiliary asks of the verb after it."""
    if relation == "aux:pass":
        return "pass"
    return {"have": "part", "be": "prog"}.get(lemma, "inf")


def _finite_auxiliary(lemma: str, clause: Clause) -> Word:
    number, person = clause.subject.agreement
    feats = closed.finite_feats(clause.tense, number, person)
    if lemma in closed.MODALS:
        return closed.modal(lemma)
    singular = number == "Sing" and person != "2"
    if lemma == "be":
        present = "am" if singular and person == "1" else "is" if singular else "are"
        form = present if clause.tense == "Pres" else "was" if singular else "were"
    else:
        third = singular and person == "3"
        pair = {"have": ("has", "have", "had"), "do": ("does", "do", "did")}[lemma]
        form = pair[2] if clause.tense == "Past" else pair[0] if third else pair[1]
    return closed.auxiliary(lemma, form, feats)


def _contract(word: Word, clause: Clause, *, inverted: bool) -> list[tuple[str, Word]]:
    """The first auxiliary, contracted with what is around it, and the negation after it (relation left to be 'aux')."""
    use_nt = clause.negated and clause.nt and word.form not in _NO_NT
    if use_nt:
        if word.xpos == "MD":
            word = closed.modal(word.lemma, before_nt=True)
    elif clause.clitic and clause.subject.pronoun and not inverted and word.form in _CLITICS and word.lemma != "do":
        word = word._replace(form=_CLITICS[word.form], morphemes="", glue=True)
    parts = [("", word)]
    if clause.negated:
        negation = closed.not_particle(contracted=use_nt)
        if word.form == "can" and not inverted:
            negation = negation._replace(glue=True)
        parts.append(("advmod", negation))
    return parts


def verb_group(
    clause: Clause, inflection: Inflection, first: First = "finite", *, inverted: bool = False
) -> tuple[list[Part], list[Part]]:
    """Words of the verb group: (those before an inverted subject, those after it), complements not included."""
    links = _links(clause)
    if not links and first == "finite" and (clause.negated or inverted):
        links = [("aux", "do")]
    front: list[Part] = []
    rest: list[Part] = []
    wanted: str = first
    if first != "finite" and clause.negated:
        rest.append(("advmod", closed.not_particle()))
    for index, (relation, lemma) in enumerate(links):
        if wanted == "finite":
            both = _contract(_finite_auxiliary(lemma, clause), clause, inverted=inverted)
            both[0] = (relation, both[0][1]._replace(upos="VERB") if relation == "head" else both[0][1])
            is_split = inverted and len(both) == 2 and not both[1][1].glue
            front.extend(both[:1] if is_split else both)
            rest.extend(both[1:] if is_split else [])
        else:
            form = "part" if wanted == "pass" else wanted
            rest.append((relation, closed.auxiliary(lemma, _FORMS[lemma][form], _NONFINITE[form])))
        wanted = _next_form(relation, lemma)
        if index == 0 and clause.adverb is not None:
            rest.append(("advmod", clause.adverb))
    if not links and clause.adverb is not None:
        rest.append(("advmod", clause.adverb))
    if clause.predicate is not None:
        rest.append(("head", clause.predicate))
    elif not clause.there:
        form = ("past" if clause.tense == "Past" else "pres") if wanted == "finite" else wanted
        agreement = clause.subject.agreement
        rest.append(("head", closed.verb(clause.verb, form, inflection, clause.meaning, agreement)))
    return (front, rest) if inverted else ([], front + rest)


def verb_phrase(clause: Clause, inflection: Inflection, first: First = "finite", *, to: bool = False) -> Phrase:
    """The clause without its subject; `to` puts the infinitive's particle first."""
    _, rest = verb_group(clause, inflection, first)
    if to:
        at = 1 if clause.negated else 0
        rest.insert(at, ("mark", closed.to_particle()))
    return Phrase("VP", (*rest, *clause.parts))


def statement(clause: Clause, inflection: Inflection) -> Phrase:
    """Subject and verb phrase."""
    return phrase("S", (clause.subject_relation, clause.subject.phrase), ("head", verb_phrase(clause, inflection)))


def marked(marker: Word, inner: Node) -> Phrase:
    """A subordinate clause behind its conjunction."""
    relation = "advmod" if marker.upos == "ADV" else "mark"
    return phrase("SBAR", (relation, marker), ("head", inner))


def inverted(clause: Clause, inflection: Inflection) -> Phrase:
    """The clause with its auxiliary before its subject, as in a yes/no question."""
    front, rest = verb_group(clause, inflection, inverted=True)
    if clause.there:
        return Phrase("SQ", (*front, ("expl", clause.subject.phrase), *rest, *clause.parts))
    whole = Phrase("VP", (*rest, *clause.parts))
    return Phrase("SQ", (*front, (clause.subject_relation, clause.subject.phrase), ("head", whole)))


def relative(clause: Clause, inflection: Inflection, pronoun: Word | None, gap: str) -> Phrase:
    """A relative clause: `gap` is 'nsubj', 'nsubj:pass' or 'obj', the place the relative pronoun fills.

    Without a pronoun the clause stands bare: 'the song she wrote'.
    """
    if gap.startswith("nsubj"):
        inner: Node = phrase("S", ("head", verb_phrase(clause, inflection)))
    else:
        inner = statement(clause, inflection)
    if pronoun is None:
        return phrase("SBAR", ("head", inner))
    return phrase("SBAR", (gap, phrase("WHNP", ("head", pronoun))), ("head", inner))
