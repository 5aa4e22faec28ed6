"""Time expressions and amounts: when something happens, how long it lasts, what it costs.

Each function returns a part (relation, node) for the clause it stands in. Numbers inside a time or a date carry the
meaning 'number|number_time', other numbers 'number'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.choice import Chooser
from unitscope.corpora.demo.lexicon import Lexicon
from unitscope.corpora.demo.nominals import common, prepositional, proper
from unitscope.corpora.demo.tree import Node, Part, Phrase, Word, phrase

When = Literal["past", "future", "habit", "now", "any", "long", "late", "order"]
_Maker = Callable[["Times"], Part | None]

_HOURS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_MINUTES = ("00", "05", "10", "15", "20", "30", "40", "45", "50")
_BARE: Literal["obl:unmarked"] = "obl:unmarked"


class Times:
    """Makes time expressions from one lexicon with one chooser."""

    def __init__(self, lexicon: Lexicon, choose: Chooser) -> None:
        self.lexicon, self.choose = lexicon, choose

    def word(self, name: str) -> str | None:
        """Next word of a list, None where the half of the lexicon has none."""
        words = self.lexicon.lists[name]
        return self.choose.draw(name, words) if words else None

    def when(self, time: When) -> Part | None:
        """A time expression that fits the tense, or None where the half of the lexicon has none."""
        for _ in range(3):
            part = self.choose.weighted(_BY_TENSE[time])(self)
            if part is not None:
                return part
        return None

    def clock(self) -> Node:
        """An hour: 'seven', 'seven o'clock', '7:30', '7 p.m.'."""
        kind = self.choose.number(0, 3)
        if kind < 2:
            hour = closed.numeral(self.choose.draw("hours", _HOURS), time=True)
            if kind == 0:
                return phrase("NP", ("head", hour))
            return phrase("NP", ("head", hour), ("advmod", Word("o'clock", "o'clock", "ADV", "RB")))
        if kind == 2:
            minutes = self.choose.draw("minutes", _MINUTES)
            return phrase("NP", ("head", closed.numeral(f"{self.choose.number(1, 12)}:{minutes}", time=True)))
        half = self.choose.pick(("a.m.", "p.m."))
        noun = Word(half, half, "NOUN", "NN", "Number=Sing")
        hour = closed.numeral(str(self.choose.number(1, 11)), time=True)
        return phrase("NP", ("head", hour), ("nmod:unmarked", noun))

    def date(self) -> Node | None:
        """A day of the year, with or without the year."""
        month = self.word("month")
        if month is None:
            return None
        day = closed.numeral(str(self.choose.number(1, 28)), time=True)
        parts: list[Part] = [("head", proper(month, "month")), ("nummod", day)]
        return Phrase("NP", tuple(parts))

    def year(self) -> Word:
        """A year of the past, in digits."""
        return closed.numeral(str(self.choose.number(1948, 2021)), time=True)

    def count(self, low: int, high: int, *, time: bool) -> Word:
        """A number above one, in words where it is short, else in digits."""
        value = self.choose.number(low, high)
        word = _SPELLED.get(value)
        digits = word is None or self.choose.chance(0.12 if value < 13 else 0.5)
        return closed.numeral(str(value) if word is None or digits else word, time=time)

    def span(self, *, time: bool = True) -> Node | None:
        """A stretch of time: 'three weeks', 'an hour'."""
        noun = self.word("span")
        if noun is None:
            return None
        if self.choose.chance(0.15):
            return phrase("NP", ("det", closed.article(False)), ("head", common(self.lexicon, noun)))
        counted = common(self.lexicon, noun, "Plur")
        return phrase("NP", ("nummod", self.count(2, 12, time=time)), ("head", counted))

    def duration(self) -> Node | None:
        """How long an event lasts: minutes or hours."""
        units = [word for word in self.lexicon.lists["span"] if word in ("minute", "hour")]
        if not units:
            return None
        counted = common(self.lexicon, self.choose.pick(units), "Plur")
        return phrase("NP", ("nummod", self.count(2, 50, time=True)), ("head", counted))

    def money(self, low: int = 5, high: int = 900) -> Node:
        """An amount of money: '$50' or '50 euros'."""
        amount = closed.numeral(str(self.choose.number(low // 5, high // 5) * 5))
        currency = self.word("currency") if self.choose.chance(0.5) else None
        if currency is not None:
            counted = common(self.lexicon, currency, "Plur")
            return phrase("NP", ("nummod", amount), ("head", counted))
        return phrase("NP", ("head", Word("$", "$", "SYM", "$")), ("nummod", amount))

    def percentage(self) -> Node:
        """A share: '12%' or '12 percent'."""
        amount = closed.numeral(str(self.choose.number(2, 60)))
        noun = self.word("share") if self.choose.chance(0.6) else None
        if noun is not None:
            return phrase("NP", ("nummod", amount), ("head", common(self.lexicon, noun)))
        return phrase("NP", ("nummod", amount), ("head", Word("%", "%", "SYM", "NN", "Number=Sing", glue=True)))


def _obl(preposition: str, inner: Node | None) -> Part | None:
    return None if inner is None else ("obl", prepositional(preposition, inner))


def _weekday(times: Times) -> Part | None:
    day = times.word("weekday")
    return None if day is None else _obl("on", phrase("NP", ("head", proper(day, "weekday"))))


def _weekdays(times: Times) -> Part | None:
    day = times.word("weekday")
    if day is None:
        return None
    word = Word(f"{day}s", day, "PROPN", "NNPS", "Number=Plur", f"{day}+s", "weekday")
    return _obl("on", phrase("NP", ("head", word)))


def _month(times: Times) -> Part | None:
    month = times.word("month")
    return None if month is None else _obl("in", phrase("NP", ("head", proper(month, "month"))))


def _clock(times: Times) -> Part | None:
    return _obl(times.choose.weighted(((4.0, "at"), (1.0, "before"), (1.0, "after"), (1.0, "around"))), times.clock())


def _date(times: Times) -> Part | None:
    return _obl("on", times.date())


def _year(times: Times) -> Part | None:
    return _obl("in", phrase("NP", ("head", times.year())))


def _ago(times: Times) -> Part | None:
    units = [word for word in times.lexicon.lists["span"] if word not in ("second", "hour")]
    return _counted_ago(times, units)


def _ago_long(times: Times) -> Part | None:
    return _counted_ago(times, [word for word in times.lexicon.lists["span"] if word in ("month", "year")])


def _counted_ago(times: Times, units: list[str]) -> Part | None:
    if not units:
        return None
    counted = common(times.lexicon, times.choose.pick(units), "Plur")
    span = phrase("NP", ("nummod", times.count(2, 12, time=True)), ("head", counted))
    return "advmod", phrase("ADVP", (_BARE, span), ("head", closed.adverb("ago")))


def _in_span_short(times: Times) -> Part | None:
    units = [word for word in times.lexicon.lists["span"] if word in ("minute", "hour", "day")]
    if not units:
        return None
    counted = common(times.lexicon, times.choose.pick(units), "Plur")
    return _obl("in", phrase("NP", ("nummod", times.count(2, 30, time=True)), ("head", counted)))


def _in_span(times: Times) -> Part | None:
    span = times.span()
    return None if span is None else _obl("in", span)


def _bare(list_name: str, adjective: str) -> _Maker:
    def make(times: Times) -> Part | None:
        noun = times.word(list_name)
        if noun is None:
            return None
        if adjective in ("every", "each"):
            return _BARE, phrase("NP", ("det", closed.determiner(adjective)), ("head", common(times.lexicon, noun)))
        if adjective == "this":
            this = closed.demonstrative("this", "Sing")
            return _BARE, phrase("NP", ("det", this), ("head", common(times.lexicon, noun)))
        word = Word(adjective, adjective, "ADJ", "JJ", "Degree=Pos")
        return _BARE, phrase("NP", ("amod", word), ("head", common(times.lexicon, noun)))

    return make


def _weekday_bare(adjective: str) -> _Maker:
    def make(times: Times) -> Part | None:
        day = times.word("weekday")
        if day is None:
            return None
        node: Part = ("amod", Word(adjective, adjective, "ADJ", "JJ", "Degree=Pos"))
        if adjective == "every":
            node = ("det", closed.determiner("every"))
        return _BARE, phrase("NP", node, ("head", proper(day, "weekday")))

    return make


def _day(*days: str) -> _Maker:
    def make(times: Times) -> Part | None:
        known = [day for day in days if day in times.lexicon.lists["day_name"]]
        if not known:
            return None
        day = times.choose.pick(known)
        pieces = {"today": "to+day", "tonight": "to+night", "yesterday": "yester+day"}.get(day, "")
        return _BARE, phrase("NP", ("head", Word(day, day, "NOUN", "NN", "Number=Sing", pieces)))

    return make


def _adverb(*forms: str) -> _Maker:
    def make(times: Times) -> Part:
        return "advmod", phrase("ADVP", ("head", closed.adverb(times.choose.pick(forms))))

    return make


def _times_a(times: Times) -> Part | None:
    unit = times.choose.pick([w for w in times.lexicon.lists["span"] if w not in ("second", "minute")] or [""])
    if not unit:
        return None
    per: Part = (_BARE, phrase("NP", ("det", closed.article(False)), ("head", common(times.lexicon, unit))))
    return "advmod", phrase("ADVP", ("head", closed.adverb(times.choose.pick(("once", "twice")))), per)


_BY_TENSE: dict[When, tuple[tuple[float, _Maker], ...]] = {
    "past": (
        (3, _day("yesterday")), (3, _bare("past_unit", "last")), (2, _weekday_bare("last")), (5, _weekday),
        (4, _month), (5, _clock), (3, _date), (2, _year), (4, _ago), (1, _bare("day_part", "this")),
    ),
    "future": (
        (4, _day("tomorrow", "tonight")), (3, _bare("future_unit", "next")), (2, _weekday_bare("next")),
        (4, _weekday), (3, _month), (4, _clock), (3, _date), (3, _in_span), (2, _adverb("soon", "later")),
    ),
    "habit": (
        (4, _bare("span", "every")), (4, _weekdays), (2, _month), (3, _weekday_bare("every")), (3, _times_a),
        (2, _bare("day_part", "every")), (1, _bare("span", "each")),
    ),
    "now": (
        (3, _day("today")), (3, _adverb("now")), (2, _bare("day_part", "this")), (2, _bare("future_unit", "this")),
    ),
    "long": ((4, _year), (3, _bare("future_unit", "last")), (3, _month), (2, _ago_long)),
    "order": (
        (4, _day("tomorrow", "tonight")), (3, _weekday), (2, _clock), (2, _adverb("soon", "later", "now")),
        (1, _weekday_bare("next")), (1, _in_span_short),
    ),
    "late": ((4, _bare("future_unit", "next")), (3, _month)),
    "any": ((3, _weekday), (3, _clock), (2, _month), (2, _day("today"))),
}  # fmt: skip

_SPELLED = {
    2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten", 11: "eleven",
    12: "twelve", 13: "thirteen", 14: "fourteen", 15: "fifteen", 16: "sixteen", 17: "seventeen", 18: "eighteen",
    19: "nineteen", 20: "twenty", 30: "thirty", 40: "forty", 50: "fifty",
}  # fmt: skip
