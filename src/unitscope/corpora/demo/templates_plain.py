"""Templates of one clause with a full verb: statements, passives, parts of a whole, amounts, dates."""

from __future__ import annotations

from dataclasses import replace

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.clauses import Clause, statement
from unitscope.corpora.demo.drafts import (
    PAST,
    Draft,
    adjective_phrase,
    copular,
    fronted,
    of_clause,
    state,
    vp,
)
from unitscope.corpora.demo.nominals import (
    Nominal,
    common,
    named,
    prepositional,
    proper,
)
from unitscope.corpora.demo.phrases import Phrases
from unitscope.corpora.demo.sampler import Sampler, Verbal
from unitscope.corpora.demo.tree import Part, Phrase, Word, phrase

_AGES = {
    "grandmother": (62, 95), "grandfather": (62, 95), "mother": (38, 80), "father": (38, 80), "aunt": (30, 80),
    "uncle": (30, 80), "son": (2, 30), "daughter": (2, 30), "niece": (2, 30), "nephew": (2, 30),
}  # fmt: skip


_PLURAL_WHOLE = ("some", "most", "all", "many", "few", "several", "none")


def simple(s: Sampler) -> Draft:
    """'The coach trained the team on Monday.'"""
    clause = s.clause(s.frame(base=s.choose.chance(0.4)))
    return of_clause(fronted(s, clause), clause)


def about_noun(s: Sampler) -> Draft | None:
    """'The coach mentioned the long walk.' 'Nobody talks about the search.' 'The answer surprised Anna.'"""
    nouns = [noun for group in s.topic.classes.values() for noun in group if s.lacks(noun.lemma, "NOUN")]
    if not nouns:
        nouns = [noun for group in s.topic.classes.values() for noun in group]
    noun = s.lacking(("about", s.topic.name, len(nouns)), nouns)
    who = s.person()
    if who.head == noun.lemma or s.says_no(who):
        return None
    tense = state(s).tense
    kind = s.choose.pick(("regard", "regard", "about", "about", "quality"))
    if kind == "quality" and "role" not in noun.flags:
        adjectives = [form for form in noun.adjectives if form not in s.lexicon.lists["attributive"]]
        if adjectives:
            subject = s.noun_phrase(noun, "told", adjectives=0.0)
            predicate = adjective_phrase(s.adjective(s.choose.draw(("said of", noun.adjectives), adjectives), 0.3))
            clause = copular(subject, predicate, state(s), nt=s.choose.chance(0.5))
            return of_clause(fronted(s, clause), clause)
    verbs = s.lexicon.lists["about" if kind == "about" else "regard"]
    if not verbs:
        return None
    verb = s.choose.draw(kind, verbs)
    what = s.noun_phrase(noun, "obl", adjectives=0.4)
    part: Part = ("obl", prepositional("about", what.phrase)) if kind == "about" else ("obj", what.phrase)
    parts = [part]
    if tense == "Past" and s.choose.chance(0.4) and (when := s.times.when("past")) is not None:
        parts.append(when)
    clause = Clause(who, verb, tuple(parts), tense=tense, timed=len(parts) == 2)
    return of_clause(fronted(s, clause), clause)


def negative(s: Sampler) -> Draft:
    """'The coach did not train the team.'"""
    frame = s.frame(base=True)
    verbal = replace(s.verbal(frame), negated=True)
    clause = s.clause(frame, verbal=verbal, adjuncts=0.5)
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def modal(s: Sampler) -> Draft:
    """'The coach must train the team.'"""
    frame = s.frame(wanted=True, base=True)
    who = s.subject(frame)
    options = ["can", "could", "may", "might", "must", "should", "would"] + (["shall"] * (who.person == "1"))
    verbal = Verbal("Pres", s.choose.draw(("modals", len(options)), options), time="future")
    clause = s.clause(frame, subject=who, verbal=verbal)
    return of_clause(fronted(s, clause), clause)


def passive(s: Sampler) -> Draft | None:
    """'The burglar was arrested by the police.'"""
    clause = passive_clause(s)
    return None if clause is None else of_clause(fronted(s, clause), clause)


def passive_clause(s: Sampler, *, question: bool = False, verbal: Verbal | None = None) -> Clause | None:
    """A passive of a frame with an object, with or without its agent."""
    frame = s.frame(obj=True)
    obj = frame.obj
    if obj is None or frame.flags & {"nopass", "state"} or any(slot.relation == "iobj" for slot in frame.slots):
        return None
    subject = s.nominal(obj.nouns, "subj", question=question)
    if verbal is None:
        verbal = s.verbal(frame, question=question)
    if verbal.perfect or verbal.progressive:
        verbal = replace(verbal, time=None, progressive=verbal.progressive and not verbal.perfect)
    base = s.clause(frame, subject=subject, verbal=verbal, question=question, skip="obj")
    parts = list(base.parts)
    if s.choose.chance(0.4):
        nouns = frame.nouns
        agent = s.person("agent") if not nouns else s.nominal(nouns, "agent")
        if agent.head != subject.head and not s.says_no(agent):
            at = sum(relation == "compound:prt" for relation, _ in parts)
            parts.insert(at, ("obl:agent", prepositional("by", agent.as_object)))
    return replace(base, parts=tuple(parts), passive=True)


def partitive(s: Sampler) -> Draft:
    """'Three of the players left early.' 'One of the nurses was called.'"""
    frame = s.frame(human=True, event=True)
    people = [noun for noun in (frame.nouns or s.topic.people) if not noun.flags & {"group", "kin"}]
    noun = s.choose.draw(("part", s.topic.name), people)
    kind = s.choose.pick(("one", "number", "number", "word", "half"))
    inner = s.noun_phrase(noun, "obj", number="Plur", choice=s.choose.pick(("the", "the", "these", "own")))
    of: Part = ("nmod", prepositional("of", inner.phrase))
    number: closed.Number = "Sing" if kind == "one" else "Plur"
    if kind == "one":
        head: Word = closed.numeral("one")
    elif kind == "number":
        head = s.times.count(2, 20, time=False)
    elif kind == "half":
        head = closed.determiner("half")._replace(upos="NOUN", xpos="NN", feats="Number=Sing|NumForm=Word|NumType=Frac")
    else:
        word = s.choose.draw("whole", _PLURAL_WHOLE)
        known = closed.quantifier if word in ("most", "many", "few", "several") else closed.determiner
        head = known(word)
        if word == "none":
            head = Word("none", "none", "PRON", "NN", "PronType=Neg", meaning="negation")
    subject = Nominal(phrase("NP", ("head", phrase("NP", ("head", head))), of), number, head=noun.lemma)
    subject = replace(subject, gender=inner.gender) if number == "Sing" else subject
    clause = s.clause(frame, subject=subject, verbal=replace(s.verbal(frame), negated=False), adjuncts=0.7)
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def indefinite(s: Sampler) -> Draft:
    """'Nobody answered the question.' 'Everyone liked the song.'"""
    frame = s.frame(human=True)
    form = s.choose.draw("indefinite", ("everyone", "everybody", "someone", "somebody", "nobody", "nobody"))
    subject = Nominal(phrase("NP", ("head", closed.indefinite(form))), "Sing", gender="Neut", head=form)
    if any(slot.own for slot in frame.slots):
        subject = s.person()
    verbal = replace(s.verbal(frame), negated=False)
    clause = s.clause(frame, subject=subject, verbal=verbal)
    if form.startswith("some") and clause.adverb is not None and clause.adverb.meaning == "negation":
        clause = replace(clause, adverb=None)
    return of_clause(fronted(s, clause), clause)


def indefinite_object(s: Sampler) -> Draft | None:
    """'She bought nothing.' 'He did not find anything.'"""
    frame = s.frame(human=True, obj=True, event=True)
    obj = frame.obj
    if obj is None or any(noun.human or "group" in noun.flags for noun in obj.nouns):
        return None
    form = s.choose.draw("indefinite object", ("nothing", "something", "anything", "everything", "nothing"))
    verbal = replace(PAST, negated=form == "anything")
    clause = s.clause(frame, verbal=verbal, skip="obj", lean=True, adjuncts=0.5)
    if Phrases.says_no(clause.subject) or any(relation == "iobj" for relation, _ in clause.parts):
        return None
    never = clause.adverb is not None and clause.adverb.meaning == "negation"
    clause = replace(clause, adverb=None if never else clause.adverb)
    at = sum(relation == "compound:prt" for relation, _ in clause.parts)
    what: Part = ("obj", phrase("NP", ("head", closed.indefinite(form))))
    clause = replace(clause, parts=(*clause.parts[:at], what, *clause.parts[at:]))
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def amount(s: Sampler) -> Draft | None:
    """'The rent rose by 5% in March.' 'Taxes fell from $50 to $40.'"""
    verbs, nouns = s.lexicon.lists["change_verb"], s.lexicon.lists["change_noun"]
    if not verbs or not nouns:
        return None
    noun = s.choose.draw("change_noun", nouns)
    number: closed.Number = "Plur" if noun != "population" and s.choose.chance(0.4) else "Sing"
    det = [("det", closed.article(True))] if number == "Sing" or s.choose.chance(0.3) else []
    subject = Nominal(Phrase("NP", (*det, ("head", common(s.lexicon, noun, number)))), number, head=noun)
    measured = noun != "population"
    if measured and s.choose.chance(0.35):
        low = s.times.money(100, 900)
        parts: list[Part] = [("obl", prepositional("by", low))]
    else:
        parts = [("obl", prepositional("by", s.times.percentage()))]
    time = s.choose.pick(("past", "past", "future"))
    if (when := s.times.when("late" if time == "future" else "long")) is not None:
        parts.append(when)
    modal_ = s.choose.pick(("will", "may", "might", "could")) if time == "future" else ""
    clause = Clause(
        subject, s.choose.draw("change_verb", verbs), tuple(parts), tense="Past" if time == "past" else "Pres",
        modal=modal_, timed=len(parts) == 2,
    )  # fmt: skip
    return of_clause(fronted(s, clause, 0.4), clause)


def age(s: Sampler) -> Draft | None:
    """'My aunt is 42 years old.'"""
    if "year" not in s.lexicon.lists["span"] or "old" not in s.lexicon.lists["measure_adj"]:
        return None
    kin = s.kin() if s.choose.chance(0.5) else None
    low, high = _AGES.get(kin.head if kin is not None else "", (18, 60))
    years = phrase("NP", ("nummod", s.times.count(low, high, time=False)), ("head", common(s.lexicon, "year", "Plur")))
    old = phrase("ADJP", ("obl:unmarked", years), ("head", s.adjective("old")))
    clause = copular(kin or s.member(), old, state(s, negation=0.0))
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def born(s: Sampler) -> Draft | None:
    """'Anna was born in Paris on May 3.'"""
    verbs = s.lexicon.lists["born"]
    day = s.times.date()
    if not verbs or day is None:
        return None
    who = s.member() if s.choose.chance(0.4) else (s.kin() or s.member())
    first = s.choose.draw("born", ("female", "male"))
    if s.choose.chance(0.4):
        name = s.choose.draw(first, s.lexicon.lists[first])
        surname = s.choose.draw("surname", s.lexicon.lists["surname"])
        who = named((name, surname), "Fem" if first == "female" else "Masc")
    word = proper(s.choose.draw("city", s.lexicon.lists["city"]), "place")
    city: Part = ("obl", prepositional("in", phrase("NP", ("head", word))))
    when: Part = ("obl", prepositional("on", day))
    if s.choose.chance(0.5):
        when = ("obl", prepositional("in", phrase("NP", ("head", s.times.year()))))
    parts = s.choose.pick(((city, when), (when,), (city,), (when, city)))
    clause = Clause(who, "bear", parts, passive=True, meaning="")
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def going_to(s: Sampler) -> Draft | None:
    """'She is going to open the bank.' 'We used to sing in the choir.'"""
    frame = s.frame(wanted=True, base=True)
    who = s.subject(frame)
    if s.says_no(who):
        return None
    if s.lexicon.lists["go"] and s.choose.chance(0.6):
        parts: tuple[Part, ...] = (("xcomp", vp(s, frame, who, "inf", to=True)),)
        tense = "Past" if s.choose.chance(0.25) else "Pres"
        clause = Clause(
            who, "go", parts, tense="Past" if tense == "Past" else "Pres", progressive=True,
            negated=s.choose.chance(0.12), nt=True, clitic=s.choose.chance(0.5),
        )  # fmt: skip
        label = "future" if tense == "Pres" else "past"
        return Draft(statement(clause, s.lexicon.inflection), tense=label)
    if not s.lexicon.lists["use"]:
        return None
    clause = Clause(who, "use", (("xcomp", vp(s, frame, who, "inf", to=True)),))
    return of_clause(statement(clause, s.lexicon.inflection), clause)
