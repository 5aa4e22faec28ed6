"""Combinations that the user names: `combine:NAME=upos:NOUN and not feats:Number=Plur`.

A combination is a concept like any other, made of what other sources say of the same site. A label of the item may
stand beside concepts of words, and then holds at all of the item's words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from unitscope.concepts.base import ITEM_GRID, Annotation, ConceptSource, speaks
from unitscope.concepts.expression import Expression, atoms, holds, parse_expression
from unitscope.errors import ConceptError, closest
from unitscope.sites import Item

Entries = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CombineSource:
    """Named expressions over the concepts of `members`, other sources with their own categories.

    `entries` are (name, expression) pairs. A site is known where all combinations are. Raises ConceptError for a broken
    expression, a name given twice, or a concept of no member.
    """

    entries: Entries
    members: tuple[ConceptSource, ...]
    min_sites: int = 20

    def __post_init__(self) -> None:
        names = [name for name, _ in self.entries]
        for name in names:
            if names.count(name) > 1:
                raise ConceptError(f"Combination '{name}' is given twice.", fix="Rename one of them.")
        known = [member.category for member in self.members]
        for name, text in self.entries:
            for atom in atoms(parse_expression(text)):
                if category_of(atom) not in known:
                    raise no_source(atom, name)

    @property
    def category(self) -> str:
        """Always 'combine'."""
        return "combine"

    @cached_property
    def _parsed(self) -> tuple[tuple[str, Expression], ...]:
        return tuple((name, parse_expression(text)) for name, text in self.entries)

    @cached_property
    def _on(self) -> dict[str, tuple[tuple[str, Expression], ...]]:
        return {}

    @cached_property
    def _known_names(self) -> dict[str, set[str]]:
        """Names that members have said so far, by category."""
        return {member.category: set() for member in self.members}

    @cached_property
    def _asked(self) -> dict[str, frozenset[str]]:
        """Names that the combinations ask for, by category."""
        pairs = [atom.partition(":") for _, expression in self._parsed for atom in atoms(expression)]
        return {m.category: frozenset(name for at, _, name in pairs if at == m.category) for m in self.members}

    @cached_property
    def _relevant(self) -> dict[tuple[str, Sequence[str] | None], frozenset[str] | None]:
        return {}

    @cached_property
    def _found(self) -> dict[tuple[str, tuple[frozenset[str] | None, ...]], tuple[str, ...] | None]:
        return {}

    def speaks(self, grid: str) -> bool:
        """Of grids on which a combination makes sense."""
        return bool(self._here(grid))

    def _here(self, grid: str) -> tuple[tuple[str, Expression], ...]:
        """Combinations of a grid: of items those of item-level members only, of words those with one word-level."""
        if grid not in self._on:
            speaking = {member.category: speaks(member, grid) for member in self.members}
            needed = all if grid == ITEM_GRID else any
            self._on[grid] = tuple(
                (name, expression)
                for name, expression in self._parsed
                if needed(speaking[category_of(atom)] for atom in atoms(expression))
            )
        return self._on[grid]

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The combinations that hold at each site of the grid; None where one is not known."""
        n_sites = 1 if grid == ITEM_GRID else item.grids[grid].n_sites
        said: list[Sequence[Sequence[str] | None]] = []
        for member in self.members:
            if speaks(member, grid):
                said.append(member.annotate(item, grid))
            elif speaks(member, ITEM_GRID):
                said.append([*member.annotate(item, ITEM_GRID)] * n_sites)
            else:
                said.append([None] * n_sites)
        return [self._at(grid, entries) for entries in zip(*said, strict=True)]

    def _at(self, grid: str, entries: tuple[Sequence[str] | None, ...]) -> tuple[str, ...] | None:
        names = tuple(self._only_asked(m.category, entry) for m, entry in zip(self.members, entries))
        key = (grid, names)
        if key not in self._found:
            here = {member.category: entry for member, entry in zip(self.members, names)}

            def value(atom: str) -> bool | None:
                entry = here[category_of(atom)]
                return None if entry is None else atom.partition(":")[2] in entry

            held = [(name, holds(expression, value)) for name, expression in self._here(grid)]
            unknown = any(each is None for _, each in held)
            self._found[key] = None if unknown else tuple(name for name, each in held if each)
        return self._found[key]

    def _only_asked(self, category: str, entry: Sequence[str] | None) -> frozenset[str] | None:
        """Of a member's entry what combinations ask for: few entries, where a member may say thousands of forms."""
        key = (category, None if entry is None else tuple(entry))
        if key not in self._relevant:
            self._known_names[category].update(entry or ())
            self._relevant[key] = None if entry is None else self._asked[category].intersection(entry)
        return self._relevant[key]

    def judge(self, grid: str, counts: Mapping[str, int], n_known: int) -> None:
        """Raise ConceptError for a concept that holds nowhere, most likely misspelt, or a combination that does."""
        for name, expression in self._here(grid):
            for atom in atoms(expression):
                said = self._known_names[category_of(atom)]
                if atom.partition(":")[2] not in said:
                    full = sorted(f"{category_of(atom)}:{each}" for each in said)
                    raise ConceptError(
                        f"'{atom}' of combination '{name}' holds at no site of the corpus.",
                        fix=closest(atom, full) or "Check it against the corpus, or use more items.",
                    )
            if not counts.get(name):
                raise ConceptError(
                    f"The combination '{name}' holds at no site of the corpus.",
                    fix="Its parts exclude each other here; check it, or use more items.",
                )

    def joined(self, other: CombineSource) -> CombineSource:
        """Both sources' combinations in one source, with this one's `min_sites`."""
        mine = {member.category for member in self.members}
        members = self.members + tuple(member for member in other.members if member.category not in mine)
        return replace(self, entries=self.entries + other.entries, members=members)


def category_of(atom: str) -> str:
    """Category of a concept's full name."""
    return atom.partition(":")[0]


def no_source(atom: str, name: str, known: Sequence[str] = ()) -> ConceptError:
    """An atom whose category no source has."""
    return ConceptError(
        f"No source says '{atom}' of combination '{name}'.",
        expected="the category of a source that is given, or that needs no argument",
        fix=closest(category_of(atom), known) or "Give its source too, as --concepts lexicon:FILE.",
    )
