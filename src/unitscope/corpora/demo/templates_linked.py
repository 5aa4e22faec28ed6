"""Templates of several clauses: relatives, coordination, subordination, reported speech, infinitives and gerunds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.clauses import Clause, marked, relative, statement, verb_phrase
from unitscope.corpora.demo.drafts import (
    FUTURE,
    PAST,
    PAST_BARE,
    PRESENT,
    Draft,
    adjective_phrase,
    comma_after,
    copular,
    describable,
    extended,
    frames_about,
    fronted,
    noun_of_object,
    of_clause,
    same,
    state,
    vp,
)
from unitscope.corpora.demo.lexicon import Frame, Noun
from unitscope.corpora.demo.nominals import Nominal, adjective_word, prepositional, pronominal
from unitscope.corpora.demo.phrases import Phrases
from unitscope.corpora.demo.sampler import Sampler, Verbal
from unitscope.corpora.demo.tree import Node, Part, Phrase, Word, capitalised, phrase

_Gap = Literal["nsubj", "obj"]


def with_relative(s: Sampler, noun: Noun, gap: _Gap, *, role: str = "subj") -> Nominal | None:
    """The noun with a relative clause whose subject or object it is: 'the nurse who called', 'the ball I kicked'."""
    frames = frames_about(s, noun, "subject" if gap == "nsubj" else "object")
    if not frames:
        return None
    frame = s.choose.draw(("about", noun.base, gap, s.topic.name), frames)
    number = s.number(noun, role)
    animate = noun.human or "group" in noun.flags
    verbal = PAST_BARE if s.choose.chance(0.7) or "bad" in frame.flags else replace(PAST_BARE, tense="Pres")
    if gap == "nsubj":
        empty = Nominal(Phrase("NP", ()), number, gender="Masc" if noun.human else "Neut", head=noun.lemma)
        if noun.human and any(slot.own for slot in frame.slots):
            return None
        clause = s.clause(frame, subject=empty, verbal=verbal, adjuncts=0.4)
        form: str | None = "who" if noun.human and s.choose.chance(0.9) else s.choose.pick(("that", "which"))
        form = "that" if noun.human and form == "which" else form
    else:
        clause = s.clause(frame, verbal=verbal, skip="obj", adjuncts=0.4, lean=True)
        if Phrases.says_no(clause.subject) or clause.subject.head == noun.lemma:
            return None
        form = s.choose.pick(("that", None, "whom" if animate and noun.human else "which"))
    clause = replace(clause, clitic=False)
    pronoun = None if form is None else closed.wh_pronoun(form, relative=True)
    tree = relative(clause, s.lexicon.inflection, pronoun, gap)
    choice = s.choose.pick(("the", "the", "the", "a")) if number == "Sing" else s.choose.pick(("the", "the", "some"))
    if noun.kind == "mass" or "sg" in noun.flags:
        choice = "the"
    return s.noun_phrase(noun, role, number=number, choice=choice, adjectives=0.15, after=(("acl:relcl", tree),))


def relative_subject(s: Sampler) -> Draft | None:
    """'The nurse who treated the burn left early.'"""
    return _relative_of_subject(s, "nsubj")


def relative_object(s: Sampler) -> Draft | None:
    """'The patient whom the nurse treated left early.'"""
    return _relative_of_subject(s, "obj")


def _relative_of_subject(s: Sampler, gap: _Gap) -> Draft | None:
    frame = s.frame()
    if not frame.nouns:
        return None
    noun = s.choose.draw(("relative", s.topic.name, frame.nouns), frame.nouns)
    subject = with_relative(s, noun, gap)
    if subject is None:
        return None
    verbal = replace(s.verbal(frame), perfect=False)
    clause = s.clause(frame, subject=subject, verbal=verbal, adjuncts=0.4, lean=True)
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def relative_in_object(s: Sampler) -> Draft | None:
    """'The nurse called the patient who had lost his ticket.'"""
    frame = s.frame(obj=True)
    if any(slot.relation == "iobj" for slot in frame.slots):
        return None
    noun = noun_of_object(s, frame, human=s.choose.chance(0.4)) or noun_of_object(s, frame)
    if noun is None:
        return None
    who = s.subject(frame)
    what = with_relative(s, noun, s.choose.pick(("nsubj", "obj")), role="obj")
    if what is None or s.says_no(who) or who.head == noun.lemma:
        return None
    verbal = replace(s.verbal(frame), negated=False)
    clause = s.clause(frame, subject=who, verbal=verbal, skip="obj", lean=True, adjuncts=0.0)
    at = sum(relation == "compound:prt" for relation, _ in clause.parts)
    parts = (*clause.parts[:at], ("obj", what.phrase), *clause.parts[at:])
    clause = replace(clause, parts=parts)
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def copular_relative(s: Sampler) -> Draft | None:
    """'The song that she wrote was beautiful.' 'The song written by Anna is beautiful.'"""
    found = describable(s)
    if found is None or found[0].human:
        return None
    noun, adjectives = found
    form = s.choose.draw(("said of", noun.adjectives), adjectives)
    subject = with_participle(s, noun) if s.choose.chance(0.5) else with_relative(s, noun, "obj")
    if subject is None:
        return None
    clause = copular(subject, adjective_phrase(s.adjective(form, 0.3)), state(s), nt=s.choose.chance(0.5))
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def with_participle(s: Sampler, noun: Noun) -> Nominal | None:
    """'the song written by Anna'."""
    frames = [frame for frame in frames_about(s, noun, "object") if not frame.flags & {"nopass", "state"}]
    frames = [frame for frame in frames if not any(slot.relation == "iobj" for slot in frame.slots)]
    if not frames:
        return None
    frame = s.choose.draw(("participle", noun.base, s.topic.name), frames)
    number = s.number(noun, "subj")
    agent = s.person("agent") if not frame.nouns else s.nominal(frame.nouns, "agent")
    if s.says_no(agent) or agent.head == noun.lemma:
        return None
    empty = Nominal(Phrase("NP", ()), number, head=noun.lemma)
    parts = s.complements(frame, empty, skip="obj", lean=True)
    by: Part = ("obl:agent", prepositional("by", agent.as_object))
    at = sum(relation == "compound:prt" for relation, _ in parts)
    word = closed.verb(frame.verb, "pass", s.lexicon.inflection, "")
    tree = phrase("VP", ("head", word), *parts[:at], by, *parts[at:])
    return s.noun_phrase(noun, "subj", number=number, choice="the", adjectives=0.1, after=(("acl", tree),))


def coordinated(first: Node, conjunction: str, second: Node, *, comma: bool = False) -> Part:
    """'and the second', to stand behind the first."""
    parts: list[Part] = [("punct", closed.punct(","))] if comma else []
    parts += [("cc", closed.conjunction(conjunction)), ("head", second)]
    return "conj", Phrase("", tuple(parts)) if first is not second else second


def two_verbs(s: Sampler) -> Draft | None:
    """'The chef sliced the onions and fried them.'"""
    frame = s.frame(human=True)
    kept = s.frame(human=True)
    if frame is kept or frame.subject == "it":
        return None
    who = shared_subject(s, frame, kept)
    if who is None:
        return None
    verbal = s.choose.pick((PAST_BARE, PAST_BARE, replace(FUTURE, time=None), replace(PRESENT, time=None)))
    one = s.clause(frame, subject=who, verbal=verbal, adjuncts=0.5)
    two = replace(s.clause(kept, subject=who, verbal=verbal, adjuncts=0.5), adverb=None)
    inflection = s.lexicon.inflection
    if verbal.modal:
        tail = verb_phrase(replace(two, modal=""), inflection, "inf")
    else:
        tail = verb_phrase(two, inflection)
    head = verb_phrase(one, inflection)
    whole = phrase("VP", ("head", head), coordinated(head, s.choose.pick(("and", "and", "but")), tail))
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


def feeling_clause(s: Sampler) -> Draft | None:
    """'She left early because she was tired.' 'Although he was nervous, he sang well.'"""
    frame = s.frame(human=True, event=True)
    who = s.subject(frame)
    feelings = s.lexicon.lists["feeling"]
    if s.says_no(who) or not feelings:
        return None
    first = s.choose.chance(0.35)
    outer_who, inner_who = (same(who), who) if first else (who, same(who))
    predicate = adjective_phrase(s.adjective(s.choose.draw("feeling", feelings), 0.4))
    marker = s.choose.draw("feeling markers", ("because", "although", "because", "though", "since"))
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
    adjectives = tuple(a for a in noun.adjectives if a not in attributive) if noun is not None else ()
    if noun is None or not adjectives or "group" in noun.flags:
        return None
    form = s.choose.draw(("said of", noun.adjectives), adjectives)
    marker = s.choose.draw("property markers", ("because", "if", "although", "because", "unless", "if"))
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
    if kind == "notice" or verb in ("claim", "admit", "announce", "explain", "insist", "repeat") or s.choose.chance(0.6):
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


def control(s: Sampler) -> Draft | None:
    """'The pupil forgot to close the window.' 'She wants to learn the flute.'"""
    verbs = s.lexicon.lists["want"]
    frame = s.frame(wanted=True)
    who = s.subject(frame)
    if not verbs or s.says_no(who):
        return None
    verb = s.choose.draw("want", verbs)
    stative = verb in ("want", "need", "hope", "like", "love", "hate", "expect", "agree", "refuse", "promise")
    verbal = s.verbal()
    if stative and (verbal.progressive or verbal.perfect):
        verbal = PAST_BARE
    if verbal.modal not in ("", "will"):
        verbal = PAST_BARE
    inner = vp(s, frame, who, "inf", to=True)
    clause = Clause(
        who, verb, (("xcomp", inner),), tense=verbal.tense, modal=verbal.modal, perfect=verbal.perfect,
        progressive=verbal.progressive, negated=verbal.negated, nt=s.choose.chance(0.6), clitic=s.choose.chance(0.4),
    )  # fmt: skip
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def gerund_object(s: Sampler) -> Draft | None:
    """'They enjoy singing in the choir.'"""
    verbs = s.lexicon.lists["enjoy"]
    frame = s.frame(wanted=True)
    who = s.subject(frame)
    if not verbs or s.says_no(who):
        return None
    verb = s.choose.draw("enjoy", verbs)
    inner = vp(s, frame, who, "ger")
    verbal = s.choose.pick((PAST_BARE, PAST_BARE, PRESENT, replace(FUTURE, time=None)))
    negated = s.choose.chance(0.12)
    clause = Clause(
        who, verb, (("xcomp", inner),), tense=verbal.tense, modal=verbal.modal, negated=negated, nt=True,
        clitic=s.choose.chance(0.4),
    )  # fmt: skip
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def asking(s: Sampler) -> Draft | None:
    """'The teacher asked us to read the poem.' 'They let him leave.'"""
    bare = s.choose.chance(0.35)
    verbs = s.lexicon.lists["make" if bare else "ask"]
    frame = s.frame(wanted=True)
    if not verbs or any(slot.own for slot in frame.slots):
        return None
    verb = s.choose.draw(("asking", bare), verbs)
    who = s.person()
    whom = s.person("obj", avoid=(who.pronoun, who.head))
    if s.says_no(who) or s.says_no(whom) or who.head == whom.head:
        return None
    inner = vp(s, frame, whom, "inf", to=not bare)
    tense: Literal["Past", "Pres"] = "Past" if bare or s.choose.chance(0.8) else "Pres"
    clause = Clause(
        who, verb, (("obj", whom.as_object), ("xcomp", inner)), tense=tense, negated=s.choose.chance(0.1), nt=True
    )
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def gerund_subject(s: Sampler) -> Draft | None:
    """'Slicing onions is easy.' 'It is easy to slice onions.'"""
    forms = s.lexicon.lists["task_adj"]
    frame = s.frame(wanted=True)
    if not forms:
        return None
    clause = replace(s.clause(frame, subject=pronominal("they"), verbal=PAST_BARE, adjuncts=0.2), adverb=None)
    if any(slot.own for slot in frame.slots):
        return None
    predicate = adjective_phrase(s.adjective(s.choose.draw("task_adj", forms), 0.3))
    verbal = state(s)
    inflection = s.lexicon.inflection
    if s.choose.chance(0.5):
        subject = Nominal(phrase("S", ("head", verb_phrase(clause, inflection, "ger"))), "Sing")
        outer = copular(subject, predicate, verbal, nt=s.choose.chance(0.5))
        tree = statement(outer, inflection)
        return of_clause(Phrase(tree.label, (("csubj", tree.parts[0][1]), *tree.parts[1:])), outer)
    inner = verb_phrase(clause, inflection, "inf", to=True)
    parts: tuple[Part, ...] = (("csubj", phrase("S", ("head", inner))),)
    outer = replace(copular(pronominal("it"), predicate, verbal, clitic=s.choose.chance(0.4), nt=True), parts=parts)
    tree = statement(outer, inflection)
    return of_clause(Phrase(tree.label, (("expl", tree.parts[0][1]), *tree.parts[1:])), outer)


def purpose(s: Sampler) -> Draft | None:
    """'She stayed to help the nurse.' 'They came to hear the band.'"""
    verbs = s.lexicon.lists["motion"]
    frame = s.frame(wanted=True)
    who = s.subject(frame)
    if not verbs or s.says_no(who):
        return None
    inner = vp(s, frame, who, "inf", to=True)
    verb = s.choose.draw("motion", verbs)
    parts: list[Part] = []
    places = s.lexicon.lists["city"] if verb in ("go", "come", "return") else ()
    if places:
        word = proper(s, places)
        parts = [("obl", prepositional("to", word))]
    verbal = s.choose.pick((PAST_BARE, PAST_BARE, replace(FUTURE, time=None)))
    clause = Clause(
        who, verb, (*parts, ("advcl", inner)), tense=verbal.tense, modal=verbal.modal, clitic=s.choose.chance(0.4)
    )
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def proper(s: Sampler, places: Sequence[str]) -> Phrase:
    """A city as a noun phrase."""
    name = s.choose.draw("city", places)
    return phrase("NP", ("head", Word(name, name, "PROPN", "NNP", "Number=Sing", meaning="place")))


def degree_to(s: Sampler) -> Draft | None:
    """'He was too tired to drive the bus.' 'She is brave enough to climb the tree.'"""
    frame = s.frame(wanted=True)
    who = s.subject(frame)
    too = s.choose.chance(0.5)
    forms = s.lexicon.lists["too" if too else "enough"]
    if not forms or s.says_no(who):
        return None
    word = adjective_word(s.lexicon, s.choose.draw("too" if too else "enough", forms))
    inner: Part = ("advcl", vp(s, frame, who, "inf", to=True))
    if too:
        predicate = phrase("ADJP", ("advmod", closed.adverb("too")), ("head", word), inner)
    else:
        predicate = phrase("ADJP", ("head", word), ("advmod", closed.adverb("enough", meaning="quantity")), inner)
    clause = copular(who, predicate, state(s), nt=s.choose.chance(0.5), clitic=s.choose.chance(0.5))
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def cleft(s: Sampler) -> Draft | None:
    """'It was the striker who scored the goal.'"""
    frame = s.frame(human=True, event=True)
    who = s.subject(frame)
    if who.pronoun or s.says_no(who) or any(slot.own for slot in frame.slots):
        return None
    clause = s.clause(frame, subject=who, verbal=PAST_BARE, adjuncts=0.4)
    tree = relative(replace(clause, adverb=None), s.lexicon.inflection, closed.wh_pronoun("who", relative=True), "nsubj")
    whole = phrase("NP", ("head", who.phrase), ("acl:relcl", tree))
    outer = copular(pronominal("it"), whole, Verbal(time=None, negated=s.choose.chance(0.2)), nt=True)
    return of_clause(statement(outer, s.lexicon.inflection), outer)


def comma_clause(s: Sampler) -> Draft | None:
    """'Anna, who is a nurse, called the patient.'"""
    frame = s.frame(human=True, event=True)
    who = s.member()
    roles = [noun for noun in s.topic.people if "role" in noun.flags]
    role = s.noun_phrase(s.choose.draw(("roles", s.topic.name), roles), "obj", number="Sing", choice="a")
    inner = copular(who, role.phrase, state(s, negation=0.0))
    tree = relative(inner, s.lexicon.inflection, closed.wh_pronoun("who", relative=True), "nsubj")
    aside = phrase("", ("punct", closed.punct(",")), ("head", tree), ("punct", closed.punct(",")))
    whole = phrase("NP", ("head", who.phrase), ("acl:relcl", aside))
    subject = replace(who, phrase=whole)
    clause = s.clause(frame, subject=subject, verbal=PAST_BARE, adjuncts=0.5)
    return of_clause(statement(clause, s.lexicon.inflection), clause)
