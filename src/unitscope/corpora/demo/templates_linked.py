"""Templates that coordinate, subordinate and report."""

from __future__ import annotations

from dataclasses import replace

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.clauses import Clause, marked, statement, verb_phrase
from unitscope.corpora.demo.drafts import (
    FUTURE,
    PAST,
    PAST_BARE,
    PRESENT,
    Draft,
    adjective_phrase,
    comma_after,
    copular,
    extended,
    fronted,
    noun_of_object,
    of_clause,
    same,
)
from unitscope.corpora.demo.lexicon import Frame
from unitscope.corpora.demo.nominals import (
    Nominal,
    pronominal,
)
from unitscope.corpora.demo.sampler import Sampler, Verbal
from unitscope.corpora.demo.tree import Node, Part, Phrase, Word, capitalised, phrase


def coordinated(first: Node, conjunction: str, second: Node, *, comma: bool = False) -> Part:
    """'and the second', to stand behind the first."""
    parts: list[Part] = [("punct", closed.punct(","))] if comma else []
    parts += [("cc", closed.conjunction(conjunction)), ("head", second)]
    return "conj", Phrase("", tuple(parts)) if first is not second else second


def two_verbs(s: Sampler) -> Draft | None:
    """'The chef sliced the onions and fried them.'"""
    frame = s.frame(human=True, event=True)
    kept = s.frame(human=True, event=True)
    if frame is kept or frame.subject == "it":
        return None
    who = shared_subject(s, frame, kept)
    if who is None:
        return None
    verbal = s.choose.pick((PAST_BARE, PAST_BARE, replace(FUTURE, time=None), replace(PRESENT, time=None)))
    one = s.clause(frame, subject=who, verbal=verbal, adjuncts=0.5)
    two = replace(s.clause(kept, subject=who, verbal=verbal, adjuncts=0.5), adverb=None)
    inflection = s.lexicon.inflection
    bare = replace(two, modal="")
    tail = verb_phrase(bare, inflection, "inf" if verbal.modal else "finite")
    head = verb_phrase(one, inflection)
    whole = phrase("VP", ("head", head), coordinated(head, "and", tail))
    return of_clause(phrase("S", ("nsubj", who.phrase), ("head", whole)), one)


def shared_subject(s: Sampler, one: Frame, two: Frame) -> Nominal | None:
    """A subject that two frames have in common."""
    if one.subject == "person" and two.subject == "person":
        return s.person()
    if one.subject == "person" or two.subject == "person":
        return s.subject(two if one.subject == "person" else one)
    nouns = [noun for noun in one.nouns if any(noun.base == other.base for other in two.nouns)]
    return s.nominal(nouns, "subj") if nouns else None


def two_clauses(s: Sampler) -> Draft:
    """'The chef sliced the onions, and the waiter set the table.'"""
    verbal = s.choose.pick((PAST, PAST, FUTURE, Verbal("Pres", progressive=True, time="now")))
    one = s.clause(s.frame(event=True), verbal=replace(verbal, time=None), adjuncts=0.6)
    negated = s.choose.chance(0.25)
    two = s.clause(s.frame(event=True), verbal=replace(verbal, time=None, negated=negated), adjuncts=0.4, lean=True)
    inflection = s.lexicon.inflection
    first, second = statement(one, inflection), statement(two, inflection)
    link = "but" if negated else s.choose.pick(("and", "and", "but"))
    tree = phrase("S", ("head", first), coordinated(first, link, second, comma=True))
    return of_clause(tree, one)


def two_nouns(s: Sampler) -> Draft | None:
    """'The chef and the waiter left.' 'Neither the chef nor the waiter left.'"""
    frame = s.frame(human=True, event=True)
    one, two = s.subject(frame), s.subject(frame)
    for who in (one, two):
        if who.pronoun or s.says_no(who):
            return None
    if one.head == two.head:
        return None
    pair = s.choose.weighted(((6.0, ("", "and")), (2.0, ("both", "and")), (2.0, ("neither", "nor"))))
    subject = joined(s, one, two, pair)
    verbal = replace(s.verbal(frame), negated=False)
    clause = s.clause(frame, subject=subject, verbal=verbal)
    if pair[0] == "neither" and clause.adverb is not None and clause.adverb.meaning == "negation":
        clause = replace(clause, adverb=None)
    return of_clause(fronted(s, clause), clause)


def joined(s: Sampler, one: Nominal, two: Nominal, pair: tuple[str, str]) -> Nominal:
    """Two noun phrases as one plural one."""
    first: list[Part] = []
    if pair[0]:
        word = closed.conjunction(pair[0])
        first = [("cc:preconj", word._replace(meaning="negation" if pair[0] == "neither" else ""))]
    tree = Phrase("NP", (*first, ("head", one.phrase), coordinated(one.phrase, pair[1], two.phrase)))
    return Nominal(tree, "Plur", head=one.head)


def time_clause(s: Sampler) -> Draft | None:
    """'After the chef sliced the onions, she fried them.'"""
    frame, other = s.frame(human=True, event=True), s.frame(human=True, event=True)
    who = shared_subject(s, frame, other)
    if who is None or s.says_no(who):
        return None
    marker = s.choose.draw("time markers", ("when", "after", "before", "while", "when"))
    future = marker != "while" and s.choose.chance(0.25)
    inner_verbal = PRESENT if future else PAST_BARE
    if marker == "while":
        inner_verbal = replace(inner_verbal, progressive=True)
    first = s.choose.chance(0.45)
    outer_who, inner_who = (same(who), who) if first else (who, same(who))
    if marker != "while" and s.choose.chance(0.3):
        second = s.subject(other)
        if not s.says_no(second) and second.pronoun == "":
            inner_who = second
            outer_who = who
    inner = replace(s.clause(other, subject=inner_who, verbal=inner_verbal, adjuncts=0.3, lean=True), adverb=None)
    outer_verbal = replace(FUTURE if future else PAST_BARE, time=None)
    outer = s.clause(frame, subject=outer_who, verbal=outer_verbal, adjuncts=0.4)
    return of_clause(subordinate(s, outer, inner, closed.subordinator(marker), first=first), outer)


def subordinate(s: Sampler, outer: Clause, inner: Clause, marker: Word, *, first: bool) -> Phrase:
    """Main clause with an adverbial clause before (and a comma) or after it."""
    inflection = s.lexicon.inflection
    aside = marked(marker, statement(inner, inflection))
    main = statement(outer, inflection)
    if first:
        return extended(main, front=("advcl", comma_after(aside)))
    return extended(main, back=("advcl", aside))


_HINDERING = frozenset(
    [
        "sad",
        "angry",
        "tired",
        "hungry",
        "nervous",
        "sick",
        "late",
        "bored",
        "anxious",
        "upset",
        "worried",
        "thirsty",
        "lonely",
        "miserable",
        "scared",
    ]
)


def feeling_clause(s: Sampler) -> Draft | None:
    """'She left early because she was tired.' 'Although he was nervous, he sang well.'"""
    frame = s.frame(human=True, event=True)
    who = s.subject(frame)
    feelings = s.lexicon.lists["feeling"]
    if s.says_no(who) or not feelings:
        return None
    first = s.choose.chance(0.35)
    outer_who, inner_who = (same(who), who) if first else (who, same(who))
    form = s.choose.draw("feeling", feelings)
    predicate = adjective_phrase(s.adjective(form, 0.4))
    sore = form in _HINDERING
    if ("bad" in frame.flags) == sore:
        marker = s.choose.draw("causes", ("because", "because", "when", "since"))
    else:
        marker = s.choose.draw("obstacles", ("although", "though", "when", "while"))
    inner = copular(inner_who, predicate, PAST_BARE)
    outer = s.clause(frame, subject=outer_who, verbal=PAST_BARE, adjuncts=0.5)
    return of_clause(subordinate(s, outer, inner, closed.subordinator(marker), first=first), outer)


def property_clause(s: Sampler) -> Draft | None:
    """'The farmer sold the cow because it was old.' 'If the apples are ripe, we will peel them.'"""
    frame = s.frame(human=True, obj=True, event=True)
    if any(slot.relation == "iobj" for slot in frame.slots):
        return None
    noun = noun_of_object(s, frame)
    attributive = s.lexicon.lists["attributive"]
    unfit = {*attributive, *s.lexicon.lists["color"]}
    adjectives = tuple(a for a in noun.adjectives if a not in unfit) if noun is not None else ()
    if noun is None or not adjectives or "group" in noun.flags:
        return None
    form = s.choose.draw(("said of", noun.adjectives), adjectives)
    marker = s.choose.draw("property markers", ("because", "if", "although", "because", "unless", "if"))
    feeling = s.lexicon.sentiment.get(form)
    if marker in ("because", "although") and feeling is not None:
        marker = "because" if (feeling == "negative") == ("bad" in frame.flags) else "although"
    number = s.number(noun, "obj")
    full = s.noun_phrase(noun, "subj", number=number, choice=s.choose.pick(("the", "the", "this")), adjectives=0.0)
    if noun.kind == "mass":
        full = s.noun_phrase(noun, "subj", number=number, choice="the", adjectives=0.0)
    short = pronominal("they" if number == "Plur" else "it")
    conditional = marker in ("if", "unless")
    first = conditional or s.choose.chance(0.3)
    who = s.subject(frame)
    if s.says_no(who):
        return None
    verbal = FUTURE if conditional else PAST_BARE
    if conditional and s.choose.chance(0.3):
        verbal = replace(FUTURE, modal=s.choose.pick(("can", "may", "should", "must")))
    outer = s.clause(frame, subject=who, verbal=replace(verbal, time=None), skip="obj", lean=True, adjuncts=0.4)
    parts = s.order([("obj", (short if first else full).as_object), *outer.parts], frame)
    prt = [part for part in parts if part[0] == "compound:prt"]
    if prt and not first:
        parts = prt + [part for part in parts if part[0] != "compound:prt"]
    outer = replace(outer, parts=tuple(parts))
    predicate = adjective_phrase(s.adjective(form, 0.25))
    inner = copular(full if first else short, predicate, PRESENT if conditional else PAST_BARE)
    return of_clause(subordinate(s, outer, inner, closed.subordinator(marker), first=first), outer)


def that_clause(s: Sampler) -> Draft | None:
    """'The coach said that the team had won.' 'I think she will win.'"""
    kind = s.choose.pick(("say", "think", "notice"))
    verbs = s.lexicon.lists[kind]
    if not verbs:
        return None
    who = s.person()
    if s.says_no(who):
        return None
    past = s.choose.chance(0.6) or kind == "notice"
    if past:
        options = (PAST_BARE, replace(PAST_BARE, perfect=True), replace(PAST_BARE, modal="would", tense="Pres"))
        verbal = s.choose.pick(options if kind != "notice" else options[:2])
    else:
        verbal = replace(s.choose.pick((FUTURE, PRESENT, replace(PRESENT, perfect=True))), time=None)
    frame = s.frame(event=True)
    second = s.subject(frame)
    inner = replace(s.clause(frame, subject=second, verbal=verbal, adjuncts=0.4), nt=False)
    verb = s.choose.draw(kind, verbs)
    outer_state = Verbal("Past" if past else "Pres", time=None)
    content: Node = statement(inner, s.lexicon.inflection)
    if (
        kind == "notice"
        or verb in ("claim", "admit", "announce", "explain", "insist", "repeat")
        or s.choose.chance(0.6)
    ):
        content = marked(closed.subordinator("that"), content)
    else:
        content = phrase("SBAR", ("head", content))
    outer = Clause(who, verb, (("ccomp", content),), tense=outer_state.tense)
    return of_clause(statement(outer, s.lexicon.inflection), outer)


def embedded_question(s: Sampler) -> Draft | None:
    """'I do not know why she left.' 'They asked whether the shop was open.'"""
    kind = s.choose.pick(("know_q", "ask_q"))
    verbs = s.lexicon.lists[kind]
    if not verbs:
        return None
    who = s.person()
    if s.says_no(who):
        return None
    past = s.choose.chance(0.6)
    frame = s.frame(human=True, event=True)
    marker = s.choose.draw("embedded", ("whether", "why", "when", "where", "how", "if"))
    inner = s.clause(frame, verbal=PAST_BARE if past else replace(FUTURE, time=None), adjuncts=0.0, lean=True)
    if s.says_no(inner.subject):
        return None
    word = closed.wh_adverb(marker) if marker in ("why", "when", "where", "how") else closed.subordinator(marker)
    relation = "advmod" if word.upos == "ADV" else "mark"
    front: Node = phrase("WHADVP", ("head", word)) if relation == "advmod" else word
    content = phrase("SBAR", (relation, front), ("head", statement(inner, s.lexicon.inflection)))
    negated = kind == "know_q" and s.choose.chance(0.5)
    if marker in ("whether", "if") and kind == "know_q":
        negated = True
    verb = s.choose.draw(kind, verbs)
    if marker in ("whether", "if") and verb in ("understand", "explain"):
        verb = s.choose.pick([v for v in verbs if v not in ("understand", "explain")] or [verb])
        if verb in ("understand", "explain"):
            return None
    outer = Clause(
        who, verb, (("ccomp", content),), tense="Past" if past else "Pres", negated=negated, nt=s.choose.chance(0.6)
    )
    return of_clause(statement(outer, s.lexicon.inflection), outer)


def quotation(s: Sampler) -> Draft | None:
    """'"The team lost the match," said the coach.'"""
    verbs = [verb for verb in s.lexicon.lists["say"] if verb in ("say", "explain", "announce", "repeat", "insist")]
    if not verbs:
        return None
    who = s.person()
    if s.says_no(who):
        return None
    frame = s.frame(event=True)
    inner = s.clause(frame, verbal=replace(s.verbal(frame), time=None), adjuncts=0.5)
    said = s.choose.draw("say quoted", verbs)
    content = capitalised(statement(inner, s.lexicon.inflection))
    outer = Clause(who, said, tense="Past")
    main = statement(outer, s.lexicon.inflection)
    opening, closing = ("punct", closed.opening_quote()), ("punct", closed.closing_quote())
    comma: Part = ("punct", closed.punct(","))
    if s.choose.chance(0.5):
        quoted = phrase("", opening, ("head", content), ("punct", closed.punct(",")), closing)
        return of_clause(extended(main, front=("ccomp", quoted)), outer)
    quoted = phrase("", comma, opening, ("head", content), closing)
    return Draft(extended(main, back=("ccomp", quoted)), tense="past", end="")
