"""Templates that ask: yes/no questions, questions with what, which, when, how."""

from __future__ import annotations

from dataclasses import replace

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.clauses import Clause, inverted, statement
from unitscope.corpora.demo.drafts import (
    Draft,
    comma_before,
    copular,
    describable,
    extended,
    noun_of_object,
    of_clause,
    state,
)
from unitscope.corpora.demo.lexicon import Frame
from unitscope.corpora.demo.nominals import (
    Nominal,
    common,
    pronominal,
)
from unitscope.corpora.demo.sampler import Sampler, Verbal
from unitscope.corpora.demo.templates_copular import SCALES, demonstrative_subject, described, existential
from unitscope.corpora.demo.templates_plain import passive_clause
from unitscope.corpora.demo.tree import Node, Part, Phrase, Word, phrase


def askable(s: Sampler, frame: Frame, *, skip: str = "", time: bool = True, wanted: bool = False) -> Clause:
    """A clause fit to be asked: no negative subject, no adverb before the verb."""
    who = s.subject(frame, question=True)
    for _ in range(6):
        if who.pronoun not in ("I",) and not s.says_no(who):
            break
        who = s.subject(frame, question=True)
    if who.pronoun == "I" or s.says_no(who):
        who = s.member() if frame.human else pronominal("they")
    verbal = s.verbal(frame, question=True)
    if skip or not time:
        verbal = replace(verbal, time=None if not time else verbal.time, negated=False)
    if verbal.modal in ("may", "might", "must"):
        verbal = replace(verbal, modal="will")
    clause = s.clause(frame, subject=who, verbal=verbal, question=True, skip=skip, adjuncts=0.8 if time else 0.0)
    return replace(clause, adverb=None, nt=True)


def yes_no(s: Sampler) -> Draft:
    """'Did the coach train the team on Monday?'"""
    clause = askable(s, s.frame(base=True))
    return of_clause(inverted(clause, s.lexicon.inflection), clause, "yesno_question", "?")


def yes_no_passive(s: Sampler) -> Draft | None:
    """'Was the burglar arrested?'"""
    clause = passive_clause(s, question=True)
    if clause is None or s.says_no(clause.subject) or clause.modal in ("may", "might"):
        return None
    clause = replace(clause, nt=True, adverb=None)
    return of_clause(inverted(clause, s.lexicon.inflection), clause, "yesno_question", "?")


def yes_no_copula(s: Sampler) -> Draft | None:
    """'Is the soup cold?'"""
    clause = described(s, question=True)
    if clause is None or clause.predicate is None or s.says_no(clause.subject) or clause.subject.pronoun == "I":
        return None
    clause = replace(clause, nt=True)
    return of_clause(inverted(clause, s.lexicon.inflection), clause, "yesno_question", "?")


def yes_no_there(s: Sampler) -> Draft | None:
    """'Are there any bags near the door?'"""
    clause = existential(s, question=True)
    if clause is None:
        return None
    clause = replace(clause, nt=True)
    return of_clause(inverted(clause, s.lexicon.inflection), clause, "yesno_question", "?")


def request(s: Sampler) -> Draft:
    """'Could you open the window, please?' 'Shall we open the window?'"""
    frame = s.frame(wanted=True, base=True)
    word = s.choose.draw("request", ("can", "could", "would", "will", "shall", "should"))
    who = pronominal("we" if word in ("shall", "should") else "you")
    clause = replace(
        s.clause(frame, subject=who, verbal=Verbal("Pres", word, time="order"), question=True), adverb=None
    )
    tree = inverted(clause, s.lexicon.inflection)
    if who.pronoun == "you" and s.choose.chance(0.4):
        tree = extended(tree, back=("discourse", comma_before(please())))
    return of_clause(tree, clause, "yesno_question", "?")


def please() -> Phrase:
    """The word 'please'."""
    return phrase("INTJ", ("head", Word("please", "please", "INTJ", "UH")))


def wh_subject(s: Sampler) -> Draft | None:
    """'Who trained the team?'"""
    frame = s.frame(human=True)
    if any(slot.own for slot in frame.slots):
        return None
    who = Nominal(phrase("WHNP", ("head", closed.wh_pronoun("who"))), "Sing", head="who")
    nouns = frame.nouns
    if nouns and s.choose.chance(0.35):
        noun = s.choose.draw(("which", s.topic.name, nouns), nouns)
        number = s.number(noun, "subj")
        inner = s.plain(noun, number, ("det", closed.wh_determiner("which")))
        who = replace(inner, phrase=Phrase("WHNP", inner.phrase.parts))
    verbal = replace(s.verbal(frame, question=True), negated=False)
    if verbal.modal in ("may", "might", "must"):
        verbal = replace(verbal, modal="can")
    clause = replace(s.clause(frame, subject=who, verbal=verbal, question=True), adverb=None)
    tree = statement(clause, s.lexicon.inflection)
    return of_clause(Phrase("SBARQ", tree.parts), clause, "wh_question", "?")


def wh_object(s: Sampler) -> Draft | None:
    """'What did the coach plan?' 'Whom did she call?'"""
    frame = s.frame(obj=True, base=True)
    obj = frame.obj
    if obj is None or any(slot.relation == "iobj" for slot in frame.slots):
        return None
    humans = [noun.human or "group" in noun.flags for noun in obj.nouns]
    if any(humans) and not all(humans):
        return None
    form = s.choose.pick(("who", "whom")) if all(humans) else "what"
    clause = askable(s, frame, skip="obj")
    what = phrase("WHNP", ("head", closed.wh_pronoun(form)))
    return _wh(s, clause, ("obj", what))


def _wh(s: Sampler, clause: Clause, first: Part) -> Draft:
    clause = replace(clause, negated=False)
    tree = phrase("SBARQ", first, ("head", inverted(clause, s.lexicon.inflection)))
    return of_clause(tree, clause, "wh_question", "?")


def which_object(s: Sampler) -> Draft | None:
    """'Which song did they sing?' 'How many letters did he write?' 'Whose book did she borrow?'"""
    frame = s.frame(obj=True, base=True)
    if any(slot.relation == "iobj" for slot in frame.slots):
        return None
    noun = noun_of_object(s, frame)
    if noun is None or "group" in noun.flags or "def" in noun.flags:
        return None
    kind = s.choose.draw("which object", ("which", "what", "many", "which", "whose", "many"))
    if kind == "whose" and "own" not in noun.flags:
        kind = "which"
    number = s.number(noun, "obj")
    if kind == "many":
        number = "Sing" if noun.kind == "mass" else "Plur"
        if "sg" in noun.flags and noun.kind == "count":
            return None
        quantity = closed.quantifier("much" if noun.kind == "mass" else "many")
        how = phrase("ADJP", ("advmod", closed.wh_adverb("how")), ("head", quantity))
        inner = s.plain(noun, number, ("amod", how))
    elif kind == "whose":
        inner = s.plain(noun, number, ("nmod:poss", closed.wh_pronoun("whose")))
    else:
        inner = s.plain(noun, number, ("det", closed.wh_determiner(kind)))
    clause = askable(s, frame, skip="obj")
    return _wh(s, clause, ("obj", Phrase("WHNP", inner.phrase.parts)))


def wh_adverb(s: Sampler) -> Draft:
    """'When did the coach train the team?' 'Why is the guard watching the house?'"""
    word = s.choose.draw("wh adverb", ("when", "where", "why", "how", "when", "where", "why"))
    frame = s.frame(event=True, human=True, base=True)
    clause = askable(s, frame, time=False)
    if word != "why" or clause.perfect:
        clause = replace(clause, perfect=False, progressive=False)
    if word == "where":
        clause = replace(clause, parts=tuple(part for part in clause.parts if part[0] != "obl" or keep(frame, part)))
    if word == "how" and any(relation == "advmod" for relation, _ in clause.parts):
        clause = replace(clause, parts=tuple(part for part in clause.parts if part[0] != "advmod"))
    return _wh(s, clause, ("advmod", phrase("WHADVP", ("head", closed.wh_adverb(word)))))


def keep(frame: Frame, part: Part) -> bool:
    """Whether an oblique is one the frame cannot do without."""
    needed = {slot.preposition for slot in frame.slots if slot.relation == "obl" and not slot.optional}
    first = part[1].parts[0][1] if isinstance(part[1], Phrase) else None
    return isinstance(first, Word) and first.form in needed | {"to", "for"}


def how_often(s: Sampler) -> Draft:
    """'How often do you sing in the choir?' 'What time did the train leave?'"""
    frame = s.frame(human=True, event=True, base=True)
    clause = askable(s, frame, time=False)
    if s.choose.chance(0.6) or not s.lexicon.lists["time_noun"]:
        clause = replace(clause, perfect=False, progressive=False)
        often = closed.adverb("often")
        how = phrase("WHADVP", ("advmod", closed.wh_adverb("how")), ("head", often))
        return _wh(s, clause, ("advmod", how))
    what = phrase("WHNP", ("det", closed.wh_determiner("what")), ("head", common(s.lexicon, "time")))
    return _wh(s, clause, ("obl:unmarked", what))


def how_adjective(s: Sampler) -> Draft | None:
    """'How old is the house?' 'What color is her coat?'"""
    found = describable(s, graded=True)
    if found is None:
        return None
    noun, adjectives = found
    forms = [a for a in adjectives if a in SCALES]
    if not forms:
        return None
    subject = s.noun_phrase(noun, "subj", choice=s.choose.pick(("the", "this", "that")), adjectives=0.0, number="Sing")
    word = s.adjective(s.choose.pick(forms))
    how = phrase("WHADJP", ("advmod", closed.wh_adverb("how")), ("head", word))
    return _asked_of(s, how, subject)


def _asked_of(s: Sampler, asked: Node, subject: Nominal) -> Draft:
    """'How old is the house?': the adjective is the head, the copula and the subject follow it."""
    tense = state(s, negation=0.0)
    front = inverted(copular(subject, asked, tense), s.lexicon.inflection).parts[0]
    tree = phrase("SBARQ", ("head", asked), ("cop", front[1]), ("nsubj", subject.phrase))
    return Draft(tree, "wh_question", "past" if tense.tense == "Past" else "present", end="?")


def what_color(s: Sampler) -> Draft | None:
    """'What color is her coat?'"""
    colors = set(s.lexicon.lists["color"])
    if not s.lexicon.lists["color_noun"]:
        return None
    nouns = [n for ns in s.topic.classes.values() for n in ns if colors & set(n.adjectives) and n.kind == "count"]
    if not nouns:
        return None
    noun = s.choose.draw(("colored", s.topic.name), nouns)
    subject = s.noun_phrase(noun, "subj", choice=s.choose.pick(("the", "own", "this")), adjectives=0.0, number="Sing")
    what = phrase("WHNP", ("det", closed.wh_determiner("what")), ("head", common(s.lexicon, "color")))
    return _asked_of(s, what, subject)


def whose(s: Sampler) -> Draft | None:
    """'Whose book is this?' 'What is that?' 'Who are those players?'"""
    things = [noun for noun in s.topic.unions.get("THING", ()) if "own" in noun.flags and noun.kind == "count"]
    if not things:
        return None
    noun = s.choose.draw(("whose", s.topic.name), things)
    plural = s.choose.chance(0.4)
    subject = demonstrative_subject(s, plural=plural)
    inner = s.plain(noun, subject.number, ("nmod:poss", closed.wh_pronoun("whose")))
    return _asked_of(s, Phrase("WHNP", inner.phrase.parts), subject)


def who_is(s: Sampler) -> Draft:
    """'Who is the new coach?' 'Where are the players?'"""
    people = [noun for noun in s.topic.people if "role" in noun.flags]
    noun = s.choose.draw(("who is", s.topic.name), people)
    subject = s.noun_phrase(noun, "subj", choice="the", adjectives=0.6)
    if s.choose.chance(0.4) and (things := s.topic.unions.get("THING", ())):
        thing = s.choose.draw(("where is", s.topic.name), things)
        subject = s.noun_phrase(thing, "subj", choice=s.choose.pick(("the", "own")), adjectives=0.3)
        return _asked_of(s, phrase("WHADVP", ("head", closed.wh_adverb("where"))), subject)
    word = s.choose.weighted(((3.0, "who"), (2.0, "where")))
    if word == "where":
        return _asked_of(s, phrase("WHADVP", ("head", closed.wh_adverb("where"))), subject)
    return _asked_of(s, phrase("WHNP", ("head", closed.wh_pronoun("who"))), subject)
