"""What goes into a probe: values of units read in pieces, a class or a number at each site, and groups of sites.

A probe never asks for all values at once: it reads a `Matrix` block by block, and keeps what it read only where that
fits the memory it was given. Anything with `n_sites`, `n_units` and `blocks` is a matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unitscope.concepts.table import ConceptTable
from unitscope.errors import ConceptError, ProbeError, closest

Columns = NDArray[np.integer] | slice | None
Block = tuple[slice, NDArray[np.float32]]

UNLABELLED = -1
ROWS_PER_BLOCK = 2048


@runtime_checkable
class Matrix(Protocol):
    """Values of U units at S sites, read in pieces and as often as one likes."""

    @property
    def n_sites(self) -> int:
        """Number of sites, S."""

    @property
    def n_units(self) -> int:
        """Number of units, U."""

    def blocks(self, columns: Columns = None) -> Iterator[Block]:
        """Rows and their float32 values [n, U'] in site order, each once; all units, or the `columns` asked for."""


@dataclass(frozen=True, eq=False)
class ArrayMatrix:
    """A matrix in memory: `values` [S, U] of any float type, handed out `rows` sites at a time.

    Raises ProbeError where the array has not two axes of numbers.
    """

    values: NDArray[np.floating]
    rows: int = ROWS_PER_BLOCK

    def __post_init__(self) -> None:
        if np.ndim(self.values) != 2 or not np.issubdtype(np.asarray(self.values).dtype, np.number):
            raise ProbeError(
                f"Got {np.asarray(self.values).dtype} values of shape {np.shape(self.values)}.",
                expected="numbers [sites, units]",
            )

    @property
    def n_sites(self) -> int:
        """Number of sites, S."""
        return int(self.values.shape[0])

    @property
    def n_units(self) -> int:
        """Number of units, U."""
        return int(self.values.shape[1])

    def blocks(self, columns: Columns = None) -> Iterator[Block]:
        """As `Matrix.blocks`."""
        for start in range(0, self.n_sites, self.rows):
            rows = slice(start, min(start + self.rows, self.n_sites))
            part = self.values[rows] if columns is None else self.values[rows][:, columns]
            yield rows, np.asarray(part, np.float32)


@dataclass(frozen=True, eq=False)
class Subset:
    """The sites of a matrix where `keep` [S] is true, and the units `columns` of it; nothing is copied.

    Raises ProbeError when the mask does not fit the matrix.
    """

    matrix: Matrix
    keep: NDArray[np.bool_] | None = None
    columns: NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        if self.keep is not None:
            checked_mask(self.keep, self.matrix.n_sites)

    @property
    def n_sites(self) -> int:
        """Number of kept sites."""
        return self.matrix.n_sites if self.keep is None else int(self.keep.sum())

    @property
    def n_units(self) -> int:
        """Number of kept units."""
        return self.matrix.n_units if self.columns is None else len(self.columns)

    def blocks(self, columns: Columns = None) -> Iterator[Block]:
        """As `Matrix.blocks`, over the kept sites; blocks without one are passed over."""
        wanted = columns if self.columns is None else self.columns if columns is None else self.columns[columns]
        start = 0
        for rows, values in self.matrix.blocks(wanted):
            part = values if self.keep is None else values[self.keep[rows]]
            if len(part):
                yield slice(start, start + len(part)), part
                start += len(part)


@dataclass(frozen=True, eq=False)
class Labels:
    """A class at each site: `names` [C], and `of_site` int32 [S] with indices into them, -1 where there is none.

    Classes may be without a site (`counts` tells). Raises ProbeError when an index is out of range.
    """

    names: tuple[str, ...]
    of_site: NDArray[np.int32]

    def __post_init__(self) -> None:
        of_site = np.asarray(self.of_site)
        if of_site.ndim != 1 or not np.issubdtype(of_site.dtype, np.integer):
            raise ProbeError(f"Got {of_site.dtype} labels of shape {of_site.shape}.", expected="int32 [sites]")
        if len(of_site) and not (of_site.min() >= UNLABELLED and of_site.max() < len(self.names)):
            raise ProbeError(
                f"Got labels from {of_site.min()} to {of_site.max()} for {len(self.names)} classes.",
                expected=f"indices of classes, or {UNLABELLED} for none",
            )
        object.__setattr__(self, "of_site", of_site.astype(np.int32, copy=False))

    @property
    def n_sites(self) -> int:
        """Number of sites, labelled or not."""
        return len(self.of_site)

    @property
    def n_classes(self) -> int:
        """Number of classes, C."""
        return len(self.names)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Where there is a class, [S]."""
        return np.asarray(self.of_site != UNLABELLED)

    def counts(self) -> NDArray[np.int64]:
        """Number of sites of each class, [C]."""
        return np.bincount(self.of_site[self.labelled], minlength=self.n_classes).astype(np.int64)

    def absent(self) -> tuple[str, ...]:
        """Classes without a site."""
        return tuple(name for name, count in zip(self.names, self.counts(), strict=True) if not count)

    def select_sites(self, keep: NDArray[np.bool_]) -> Labels:
        """The labels at kept sites; all classes stay."""
        return replace(self, of_site=self.of_site[checked_mask(keep, self.n_sites)])

    @classmethod
    def of_names(cls, names: Sequence[str | None]) -> Labels:
        """From a class name a site; None where there is none. Classes come in order of their names.

        >>> Labels.of_names(["b", None, "a"]).of_site.tolist()
        [1, -1, 0]
        """
        classes = tuple(sorted({name for name in names if name is not None}))
        index = {name: i for i, name in enumerate(classes)}
        return cls(classes, np.array([UNLABELLED if n is None else index[n] for n in names], np.int32))

    @classmethod
    def of_category(cls, table: ConceptTable, category: str) -> Labels:
        """The concepts of one category as classes that exclude each other; sites with none of them have no label.

        Names are full (`upos:NOUN`). Raises ConceptError when there is no such category, and ProbeError when a site
        holds two of its concepts.
        """
        chosen = [i for i, name in enumerate(table.categories) if name == category]
        if not chosen:
            known = sorted(set(table.categories))
            raise ConceptError(
                f"No concept of category '{category}' here.",
                expected=f"one of {', '.join(known)}",
                fix=closest(category, known),
            )
        of_site = np.full(table.n_sites, UNLABELLED, np.int32)
        for index, concept in enumerate(chosen):
            sites = table.sites_of(concept)
            twice = sites[of_site[sites] != UNLABELLED]
            if len(twice):
                other = table.names[chosen[of_site[twice[0]]]]
                raise ProbeError(
                    f"'{other}' and '{table.names[concept]}' hold together at {len(twice)} site(s).",
                    expected="classes that exclude each other",
                    fix=f"Probe one concept of '{category}' at a time.",
                )
            of_site[sites] = index
        return cls(tuple(table.names[i] for i in chosen), of_site)

    @classmethod
    def of_concept(cls, table: ConceptTable, name: str) -> Labels:
        """One concept as two classes, `not NAME` and `NAME`, at the sites where its category is known.

        Raises ConceptError when there is no such concept.
        """
        if name not in table.names:
            raise ConceptError(f"No concept '{name}' here.", fix=closest(name, table.names))
        concept = table.names.index(name)
        of_site = np.zeros(table.n_sites, np.int32)
        known = table.known.get(table.categories[concept])
        if known is not None:
            of_site[~known] = UNLABELLED
        of_site[table.sites_of(concept)] = 1
        return cls((f"not {name}", name), of_site)


@dataclass(frozen=True, eq=False)
class Targets:
    """A number at each site: `values` float64 [S], NaN where there is none.

    Raises ProbeError for infinite values or another shape.
    """

    name: str
    values: NDArray[np.float64] = field(repr=False)

    def __post_init__(self) -> None:
        values = np.asarray(self.values, np.float64)
        if values.ndim != 1 or np.isinf(values).any():
            raise ProbeError(
                f"Targets '{self.name}' have shape {values.shape} and {int(np.isinf(values).sum())} infinite value(s).",
                expected="one finite number a site, NaN where there is none",
            )
        object.__setattr__(self, "values", values)

    @property
    def n_sites(self) -> int:
        """Number of sites, with a number or without."""
        return len(self.values)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Where there is a number, [S]."""
        return ~np.isnan(self.values)

    def select_sites(self, keep: NDArray[np.bool_]) -> Targets:
        """The numbers at kept sites."""
        return replace(self, values=self.values[checked_mask(keep, self.n_sites)])


def checked_mask(keep: NDArray[np.bool_], n_sites: int) -> NDArray[np.bool_]:
    """The mask itself. Raises ProbeError unless it is boolean [S]."""
    if keep.shape != (n_sites,) or keep.dtype != np.bool_:
        raise ProbeError(f"Got a {keep.dtype} mask of shape {keep.shape}.", expected=f"bool [{n_sites}]")
    return keep


def hold_out(group: NDArray[np.integer], share: float, seed: int) -> NDArray[np.bool_]:
    """Sites of whole groups drawn at random until they hold about `share` of all sites, bool [S].

    `group` [S] is the group of each site. At least one group is held out and one is not. Raises ProbeError when there
    are fewer than two groups or `share` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ProbeError(f"Got a share of {share} to hold out.", expected="more than 0, less than 1")
    names, dense = np.unique(group, return_inverse=True)
    if len(names) < 2:
        raise ProbeError(f"Got {len(names)} group(s) of sites.", expected="2 or more, to hold some out")
    order = np.random.default_rng([seed, 11]).permutation(len(names))
    before = np.cumsum(np.bincount(dense, minlength=len(names))[order])
    # The cut nearest to the share asked for.
    n_held = int(np.argmin(np.abs(before[:-1] - share * len(group)))) + 1
    held = np.zeros(len(names), np.bool_)
    held[order[:n_held]] = True
    return held[dense]


def folds(group: NDArray[np.integer], n_folds: int, seed: int) -> NDArray[np.int32]:
    """Fold of each site [S], whole groups together, folds about equal in sites.

    Groups are dealt in random order, each to the fold with fewest sites so far. Raises ProbeError when there are fewer
    groups than folds.
    """
    names, dense = np.unique(group, return_inverse=True)
    if n_folds < 2 or len(names) < n_folds:
        raise ProbeError(f"Got {n_folds} folds of {len(names)} group(s).", expected="2 folds or more, a group for each")
    sizes = np.bincount(dense, minlength=len(names))
    order = np.random.default_rng([seed, 12]).permutation(len(names))
    held = np.zeros(n_folds, np.int64)
    fold = np.zeros(len(names), np.int32)
    # Large groups first: what is dealt last evens out.
    for name in order[np.argsort(-sizes[order], kind="stable")]:
        fold[name] = int(np.argmin(held))
        held[fold[name]] += sizes[name]
    return fold[dense]
