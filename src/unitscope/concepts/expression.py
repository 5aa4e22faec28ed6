"""Expressions over concepts: `upos:NOUN and not (feats:Number=Plur or lexicon:animals)`.

`not` binds closest, then `and`, then `or`; a name with blanks, or one that reads like an operator, stands in quotes.
What is not known stays so unless the rest decides: the three-valued logic of Kleene 1938, *On notation for ordinal
numbers*, JSL 3(4). Nothing is ever evaluated as a program.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from unitscope.errors import ConceptError

_TOKEN = re.compile(r"""\s*(\(|\)|"[^"]*"|'[^']*'|[^\s()]+)""")
_LIKE = "upos:NOUN and not feats:Number=Plur"
_DEEPEST = 50
_OPERATORS = ("and", "or", "not", "(", ")")


@dataclass(frozen=True)
class Atom:
    """A concept by its full name."""

    name: str


@dataclass(frozen=True)
class Not:
    """Where the operand does not hold."""

    operand: Expression


@dataclass(frozen=True)
class All:
    """Where all operands hold."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class Any:
    """Where at least one operand holds."""

    operands: tuple[Expression, ...]


Expression: TypeAlias = Atom | Not | All | Any


def parse_expression(text: str) -> Expression:
    """The expression that a text writes. Raises ConceptError, with the place, for anything else.

    >>> parse_expression("a:1 and not b:2 or c:3")
    Any(operands=(All(operands=(Atom(name='a:1'), Not(operand=Atom(name='b:2')))), Atom(name='c:3')))
    """
    return _Parser(text).whole()


def atoms(expression: Expression) -> Iterator[str]:
    """Names of the concepts in an expression, from left to right, repeated as they are."""
    match expression:
        case Atom(name):
            yield name
        case Not(operand):
            yield from atoms(operand)
        case All(operands) | Any(operands):
            for operand in operands:
                yield from atoms(operand)


def holds(expression: Expression, value: Callable[[str], bool | None]) -> bool | None:
    """Whether the expression holds, given whether each concept does; None where that is not known.

    >>> holds(parse_expression("a:1 or b:2"), {"a:1": None, "b:2": True}.get)
    True
    """
    match expression:
        case Atom(name):
            return value(name)
        case Not(operand):
            found = holds(operand, value)
            return None if found is None else not found
        case All(operands):
            return _decided(operands, value, by=False)
        case Any(operands):
            return _decided(operands, value, by=True)


def _decided(operands: tuple[Expression, ...], value: Callable[[str], bool | None], *, by: bool) -> bool | None:
    """`by` when one operand is; else None when one is not known; else the other truth."""
    found = [holds(operand, value) for operand in operands]
    if by in found:
        return by
    return None if None in found else not by


class _Parser:
    """Recursive descent over tokens with their places."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, int]] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:  # cannot be, as any character begins a token
                break
            self._tokens.append((match[1], match.start(1)))
            at = match.end()
        self._next = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._or()
        if self._next < len(self._tokens):
            token, at = self._tokens[self._next]
            fix = "A name with blanks stands in quotes." if token not in _OPERATORS else ""
            raise self._broken(f"'{token}'", at, "'and', 'or' or the end", fix)
        return expression

    def _or(self) -> Expression:
        operands = [self._and()]
        while self._takes("or"):
            operands.append(self._and())
        return operands[0] if len(operands) == 1 else Any(tuple(operands))

    def _and(self) -> Expression:
        operands = [self._not()]
        while self._takes("and"):
            operands.append(self._not())
        return operands[0] if len(operands) == 1 else All(tuple(operands))

    def _not(self) -> Expression:
        negated = False
        while self._takes("not"):
            negated = not negated
        operand = self._operand()
        return Not(operand) if negated else operand

    def _operand(self) -> Expression:
        if self._next == len(self._tokens):
            raise self._broken("nothing", len(self._text), "a concept, as upos:NOUN")
        token, at = self._tokens[self._next]
        self._next += 1
        if token == "(":
            self._depth += 1
            if self._depth > _DEEPEST:
                raise self._broken("a bracket", at, f"at most {_DEEPEST} inside each other")
            inner = self._or()
            self._depth -= 1
            if not self._takes(")"):
                raise self._broken("no ')'", len(self._text), f"one for '(' at character {at + 1}")
            return inner
        name = token[1:-1] if token[0] in "\"'" and token[-1] == token[0] and len(token) > 1 else token
        if token.lower() in _OPERATORS or not all(name.partition(":")[::2]):
            raise self._broken(f"'{token}'", at, "a concept by its full name, as upos:NOUN")
        return Atom(name)

    def _takes(self, operator: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next][0].lower() == operator:
            self._next += 1
            return True
        return False

    def _broken(self, got: str, at: int, expected: str, fix: str = "") -> ConceptError:
        return ConceptError(
            f"Got {got} at character {at + 1} of '{self._text}'.", expected=expected, fix=fix or f"As in: {_LIKE}"
        )
