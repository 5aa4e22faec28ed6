"""Templates of one clause: statements, passives, copular and existential sentences, comparisons, amounts."""

from __future__ import annotations

from dataclasses import replace

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.clauses import Clause, statement
from unitscope.corpora.demo.drafts import (
    PAST,
    Draft,
    adjective_phrase,
    copular,
    describable,
    fronted,
    of_clause,
    state,
    vp,
)
from unitscope.corpora.demo.lexicon import Noun
from unitscope.corpora.demo.nominals import Nominal, common, graded, named, prepositional, pronominal, proper
from unitscope.corpora.demo.phrases import Phrases
from unitscope.corpora.demo.sampler import Sampler, Verbal
from unitscope.corpora.demo.tree import Node, Part, Phrase, Word, phrase

_PLURAL_WHOLE = ("some", "most", "all", "many", "few", "several", "none")


def simple(s: Sampler) -> Draft:
    """'The coach trained the team on Monday.'"""
    clause = s.clause(s.frame())
    return of_clause(fronted(s, clause), clause)


def negative(s: Sampler) -> Draft:
    """'The coach did not train the team.'"""
    frame = s.frame()
    verbal = replace(s.verbal(frame), negated=True)
    clause = s.clause(frame, verbal=verbal, adjuncts=0.5)
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def modal(s: Sampler) -> Draft:
    """'The coach must train the team.'"""
    frame = s.frame(wanted=True)
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


def copula_adjective(s: Sampler) -> Draft | None:
    """'The soup was cold.'"""
    clause = described(s)
    return None if clause is None else of_clause(fronted(s, clause), clause)


def described(s: Sampler, *, question: bool = False) -> Clause | None:
    """Something is said to be, seem or look some way."""
    found = describable(s)
    if found is None:
        return None
    noun, adjectives = found
    subject = s.noun_phrase(noun, "subj", adjectives=0.0, question=question)
    if noun.human and s.choose.chance(0.5) and s.lexicon.lists["feeling"]:
        subject = s.person()
        form = s.choose.draw("feeling", s.lexicon.lists["feeling"])
    else:
        form = s.choose.draw(("said of", noun.adjectives), adjectives)
    verbal = state(s, negation=0.1)
    if s.says_no(subject):
        verbal = replace(verbal, negated=False)
    predicate = adjective_phrase(s.adjective(form, 0.0 if verbal.negated else 0.35))
    linking = s.lexicon.lists["linking"]
    if linking and not question and s.choose.chance(0.22):
        verb = s.choose.draw("linking", linking)
        parts: tuple[Part, ...] = (("xcomp", predicate),)
        return Clause(subject, verb, parts, tense=verbal.tense, negated=verbal.negated, nt=s.choose.chance(0.6))
    return copular(subject, predicate, verbal, nt=s.choose.chance(0.5), clitic=s.choose.chance(0.5))


def copula_noun(s: Sampler) -> Draft:
    """'Anna is a talented goalkeeper.'"""
    people = [noun for noun in s.topic.people if "role" in noun.flags]
    subject = s.member() if s.choose.chance(0.45) else s.person(avoid=())
    noun = s.choose.draw(("roles", s.topic.name), people)
    verbal = state(s)
    choice = "" if subject.number == "Plur" else "a"
    number = subject.number
    if subject.pronoun == "you":
        number, choice = "Sing", "a"
    if subject.head == noun.lemma or (not subject.pronoun and subject.number == "Plur"):
        subject = s.member()
        number, choice = "Sing", "a"
    inner = s.noun_phrase(noun, "obj", number=number, choice=choice, adjectives=0.7)
    clause = copular(subject, inner.phrase, verbal, nt=s.choose.chance(0.5), clitic=s.choose.chance(0.5))
    return of_clause(fronted(s, clause), clause)


def comparative(s: Sampler) -> Draft | None:
    """'The bus was slower than the train.' and 'The bus is not as fast as the train.'"""
    found = describable(s, graded=True)
    if found is None:
        return None
    noun, adjectives = found
    rivals = comparable(s, noun)
    if not rivals:
        return None
    rival = s.choose.pick(rivals)
    number = s.number(noun, "subj")
    subject = s.noun_phrase(noun, "subj", number=number, choice=s.choose.pick(("the", "the", "this")), adjectives=0.0)
    other_choice = "the" if "sg" in rival.flags or rival.kind != "count" else "the"
    other = s.noun_phrase(rival, "obj", number=s.number(rival, "obj"), choice=other_choice, adjectives=0.0)
    if noun.human and s.choose.chance(0.4):
        subject, other = s.cast[0], s.choose.pick(s.cast[1:])
        if subject.head == other.head:
            return None
    form = s.choose.draw(("said of", noun.adjectives), adjectives)
    if s.choose.chance(0.3):
        predicate = as_as(s, form, other)
        verbal = state(s, negation=0.6)
    else:
        than: Part = ("obl", prepositional("than", other.as_object))
        better = graded(s.lexicon, form, "Cmp")
        first: list[Part] = []
        if s.choose.chance(0.2):
            first = [("advmod", closed.adverb(s.choose.pick(("much", "even", "far"))))]
        predicate = Phrase("ADJP", (*first, ("head", better), than))
        verbal = state(s)
    clause = copular(subject, predicate, verbal, nt=s.choose.chance(0.5))
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def comparable(s: Sampler, noun: Noun) -> list[Noun]:
    """Other nouns of the same class."""
    return [
        other
        for nouns in s.topic.classes.values()
        if noun in nouns
        for other in nouns
        if other.base != noun.base and not other.modifiers
    ]


def as_as(s: Sampler, form: str, other: Nominal) -> Phrase:
    """'as tall as the other'."""
    word = s.adjective(form)
    first = closed.adverb("as")
    return phrase("ADJP", ("advmod", first), ("head", word), ("obl", prepositional("as", other.as_object)))


def superlative(s: Sampler) -> Draft | None:
    """'Anna is the fastest runner in Boston.'"""
    found = describable(s, graded=True)
    if found is None or found[0].kind != "count" or found[0].flags & {"sg", "def"}:
        return None
    noun, adjectives = found
    form = s.choose.draw(("said of", noun.adjectives), adjectives)
    best = graded(s.lexicon, form, "Sup")
    name = s.choose.pick(("city", "country"))
    place: Node = phrase("NP", ("head", proper(s.choose.draw(name, s.lexicon.lists[name]), "place")))
    if s.lexicon.lists["world"] and s.choose.chance(0.4):
        word = common(s.lexicon, s.choose.pick(s.lexicon.lists["world"]))
        place = phrase("NP", ("det", closed.article(True)), ("head", word))
    inner = s.plain(noun, "Sing", ("det", closed.article(True)), ("amod", best))
    whole = phrase("NP", ("head", inner.phrase), ("nmod", prepositional("in", place)))
    subject = s.member() if noun.human else demonstrative_subject(s)
    if noun.human and s.choose.chance(0.3):
        subject = pronominal(s.choose.pick(("he", "she")))
    clause = copular(subject, whole, state(s, negation=0.05), clitic=s.choose.chance(0.5))
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def demonstrative_subject(s: Sampler, *, plural: bool = False) -> Nominal:
    """'this' or 'that' (or 'these', 'those') on its own."""
    number: closed.Number = "Plur" if plural else "Sing"
    word = closed.demonstrative(s.choose.pick(("this", "that")), number, pronoun=True)
    return Nominal(phrase("NP", ("head", word)), number, head="this")


def pointing(s: Sampler) -> Draft | None:
    """'This is my ticket.' 'Those were the players.'"""
    things = s.topic.unions.get("THING", ())
    if not things:
        return None
    noun = s.choose.draw(("things", s.topic.name), things)
    plural = noun.kind == "count" and s.choose.chance(0.4)
    subject = demonstrative_subject(s, plural=plural)
    choices = ("own", "of", "a", "the") if not plural else ("own", "of", "", "the")
    choice = s.choose.pick(choices)
    if noun.kind == "mass" and choice == "a":
        choice = "own"
    inner = s.noun_phrase(noun, "obj", number=subject.number, choice=choice, adjectives=0.75 if choice else 1.0)
    clause = copular(subject, inner.phrase, state(s), nt=s.choose.chance(0.5))
    return of_clause(statement(clause, s.lexicon.inflection), clause)


def there_is(s: Sampler) -> Draft | None:
    """'There are three bags near the door.'"""
    clause = existential(s)
    return None if clause is None else of_clause(statement(clause, s.lexicon.inflection), clause)


def existential(s: Sampler, *, question: bool = False) -> Clause | None:
    """Something is somewhere; the verb 'be' is the head and agrees with what there is."""
    things = s.topic.unions.get("THING", ())
    if not things:
        return None
    noun = s.choose.draw(("there", s.topic.name), things)
    number = s.number(noun, "subj") if noun.kind != "count" else s.choose.pick(("Sing", "Plur"))
    negated = s.choose.chance(0.12)
    if noun.kind == "mass":
        choice = s.choose.pick(("some", "no", "plenty"))
    elif number == "Plur":
        choice = s.choose.pick(("number", "some", "several", "many", "no", "dozens"))
    else:
        choice = s.choose.pick(("a", "a", "another", "one", "no"))
    if negated or question:
        choice = "any" if number == "Plur" or noun.kind == "mass" else "a"
        if question and number == "Plur" and s.choose.chance(0.4):
            choice = "number"
    what = s.noun_phrase(noun, "obj", number=number, choice=choice, adjectives=0.35)
    if choice == "number":
        what = s.plain(noun, number, ("nummod", s.times.count(2, 20, time=False)))
    there = Nominal(phrase("NP", ("head", closed.existential_there())), what.number)
    parts: list[Part] = [("nsubj", what.phrase)]
    near = s.lexicon.lists["near"]
    if near:
        place = phrase("NP", ("det", closed.article(True)), ("head", common(s.lexicon, s.choose.draw("near", near))))
        parts.append(("obl", prepositional(s.choose.pick(("near", "by", "behind")), place)))
    tense = "Past" if s.choose.chance(0.5) else "Pres"
    return Clause(
        there, "", tuple(parts), predicate=None, tense="Past" if tense == "Past" else "Pres", negated=negated,
        nt=s.choose.chance(0.7), there=True,
    )  # fmt: skip


def partitive(s: Sampler) -> Draft:
    """'Three of the players left early.' 'One of the nurses was called.'"""
    frame = s.frame(human=True, event=True)
    people = [noun for noun in (frame.nouns or s.topic.people) if "group" not in noun.flags]
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
    number: closed.Number = "Plur" if noun not in ("temperature", "population") and s.choose.chance(0.4) else "Sing"
    det = [("det", closed.article(True))] if number == "Sing" or s.choose.chance(0.3) else []
    subject = Nominal(Phrase("NP", (*det, ("head", common(s.lexicon, noun, number)))), number, head=noun)
    measured = noun not in ("temperature", "population")
    if measured and s.choose.chance(0.35):
        low = s.times.money(100, 900)
        parts: list[Part] = [("obl", prepositional("by", low))]
    else:
        parts = [("obl", prepositional("by", s.times.percentage()))]
    time = s.choose.pick(("past", "past", "future"))
    if (when := s.times.when("future" if time == "future" else "past")) is not None:
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
    years = phrase("NP", ("nummod", s.times.count(18, 90, time=False)), ("head", common(s.lexicon, "year", "Plur")))
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


def possession(s: Sampler) -> Draft | None:
    """'Anna has a green bicycle.'"""
    verbs, things = s.lexicon.lists["have"], s.topic.unions.get("THING", ())
    if not verbs or not things:
        return None
    noun = s.choose.draw(("have", s.topic.name), things)
    verbal = state(s)
    number = s.number(noun, "obj")
    choice = s.choose.pick(("a", "a", "another", "one")) if number == "Sing" else s.choose.pick(("number", "many", "some"))
    if noun.kind == "mass":
        choice = "some"
    if verbal.negated:
        choice = "a" if choice in ("a", "another", "one") else "any"
    what = s.noun_phrase(noun, "obj", number=number, choice=choice, adjectives=0.6)
    subject = s.person()
    if s.says_no(subject):
        verbal = replace(verbal, negated=False)
    clause = Clause(subject, "have", (("obj", what.phrase),), tense=verbal.tense, negated=verbal.negated, nt=True)
    return of_clause(fronted(s, clause), clause)


def going_to(s: Sampler) -> Draft | None:
    """'She is going to open the bank.' 'We used to sing in the choir.'"""
    frame = s.frame(wanted=True)
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

