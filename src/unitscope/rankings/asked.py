"""What a method of ranking is, and what it is given: a question, and where atlas and activations come from.

A method is a frozen dataclass whose fields are its parameters. It makes one ranking a class and one for all of them
together (`all`), or only the latter where it knows no classes. Methods that learn from sites see half A unless they are
told otherwise, so that whatever is ranked can be judged on half B.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import RankingError
from unitscope.rankings.base import Origin, Ranking

if TYPE_CHECKING:
    from unitscope.activations import Activations
    from unitscope.atlas import Atlas
    from unitscope.probes.base import Labels

Half = Literal["a", "b", "all"]
HALVES: tuple[Half, ...] = ("a", "b", "all")


@dataclass(frozen=True)
class Question:
    """What units are ranked for.

    Either the concepts of one `category`, which must exclude each other where a method compares classes, or single
    `concepts`, each for itself, or neither. `layers` are addresses or globs; none means all. `half` says which sites
    are used: `a`, `b`, `all`, or None for what the method uses by itself.
    """

    category: str | None = None
    concepts: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    half: Half | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.category is not None and self.concepts:
            raise RankingError(
                f"Got the category '{self.category}' and the concept '{self.concepts[0]}'.", expected="one of them"
            )
        if self.half is not None and self.half not in HALVES:
            raise RankingError(f"Got half '{self.half}'.", expected=f"one of {', '.join(HALVES)}")
        if not 0 <= self.seed < 1 << 63:
            raise RankingError(f"Got seed={self.seed}.", expected="a whole number from 0 to 2**63 - 1")

    def to_json(self) -> dict[str, Any]:
        """What of the question belongs in an origin."""
        return {"category": self.category, "concepts": list(self.concepts), "layers": list(self.layers)}


@dataclass
class Source:
    """A question with the data to answer it from, each read only when a method asks.

    `atlas` is None where units are ranked from activations alone; `read` makes those, `others` those of further models
    on the same corpus, by name. Methods put columns into `tables`, by table, for what is to be kept beside the order.
    """

    question: Question
    atlas: Atlas | None
    read: Callable[[], Activations] = field(repr=False)
    others: Mapping[str, Callable[[], Activations]] = field(default_factory=dict, repr=False)
    tick: Callable[[str, int, int], None] = field(default=lambda what, done, total: None, repr=False)
    tables: dict[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict, repr=False)

    @cached_property
    def activations(self) -> Activations:
        """Values of the units, and the concepts at their sites."""
        return self.read()

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        """Columns of the activations that are ranked."""
        return self.activations.columns(self.question.layers)

    @cached_property
    def addresses(self) -> list[str]:
        """Address of each of those columns."""
        known = self.activations.addresses
        return [known[i] for i in self.columns.tolist()]

    def half(self, default: Half) -> Half:
        """The half that is used."""
        return self.question.half or default

    def kept(self, half: Half) -> NDArray[np.bool_] | None:
        """Sites of a half, bool [S]; None for all."""
        if half == "all":
            return None
        return self.activations.halves.a if half == "a" else self.activations.halves.b

    def labels(self, half: Half) -> list[Labels]:
        """Classes at the sites of a half: those of the category, or two for each single concept.

        Raises RankingError without either, and where fewer than two classes have sites in the half.
        """
        from unitscope.probes.base import UNLABELLED, Labels

        question, table = self.question, self.activations.concepts
        if question.category is not None:
            found = [Labels.of_category(table, question.category)]
        elif question.concepts:
            found = [Labels.of_concept(table, name) for name in question.concepts]
        else:
            categories = ", ".join(sorted(set(table.categories)))
            raise RankingError(
                "Got no classes to rank units for.",
                expected="a category or a concept",
                fix=f"Categories here: {categories}." if categories else "Map with concepts first.",
            )
        keep = self.kept(half)
        if keep is not None:
            found = [Labels(each.names, np.where(keep, each.of_site, UNLABELLED).astype(np.int32)) for each in found]
        for each in found:
            present = [name for name, n in zip(each.names, each.counts().tolist()) if n]
            if len(present) < 2:
                sites = "all sites" if half == "all" else f"half {half.upper()}"
                raise RankingError(
                    f"Only one class has sites: {present[0]} ({sites})."
                    if present
                    else f"None of the classes {', '.join(each.names[:5])} has a site ({sites}).",
                    expected="two classes with sites, or more",
                    fix="Give a larger corpus or other concepts, or --half all.",
                )
        return found


@dataclass(frozen=True)
class Method(ABC):
    """A way of ranking units. `name` is what the command line calls it; `formula` and `source` say what it is."""

    name: ClassVar[str]

    @property
    def parameters(self) -> dict[str, Any]:
        """Fields and values, for the origin."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @abstractmethod
    def rank(self, source: Source) -> list[Ranking]:
        """Rankings, one a target. Raises RankingError where the question makes no sense for the method."""

    def origin(self, source: Source, half: Half | None = None, **more: Any) -> Origin:
        """Origin of a ranking made now."""
        parent = source.atlas.manifest["key"] if source.atlas is not None else source.activations.parent
        asked = source.question.to_json()
        used = {} if half is None else {"half": half}
        return Origin(self.name, {**self.parameters, **asked, **used, **more}, source.question.seed, str(parent))


def refuse_half(method: Method, half: Half | None, only: Sequence[Half]) -> None:
    """Raise RankingError where a method cannot use the half asked for."""
    if half is not None and half not in only:
        raise RankingError(
            f"Got half '{half}' for rankings by {method.name}.",
            expected=" or ".join(only) if only else "no half",
            fix="Leave --half out.",
        )
