"""Concepts at sites as a sparse table: the masks that every measure is computed against.

A site holds few concepts, so the table keeps the sites of each concept (concept-major, as in a compressed sparse column
matrix), and per category a mask of the sites where it is known. It is built in one pass over the items for all
sources together: see `unitscope.concepts.build`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import ConceptError, StoreError


@dataclass(frozen=True, eq=False)
class ConceptTable:
    """Boolean masks of C concepts over S sites.

    `names` [C] are full names (`upos:NOUN`), `categories` [C] the category of each. Concept c holds at
    `sites[indptr[c]:indptr[c + 1]]` (int32, ascending); `indptr` is int64 [C + 1]. `known` has a boolean mask [S] for
    each category that is not known everywhere; its concepts hold at known sites only. `dropped` counts, by category,
    concepts with fewer than the source's `min_sites`; `always` names those that were left out because they
    hold at every known site, where nothing can be told from them.
    """

    names: tuple[str, ...]
    categories: tuple[str, ...]
    indptr: NDArray[np.int64]
    sites: NDArray[np.int32]
    n_sites: int
    known: Mapping[str, NDArray[np.bool_]] = field(default_factory=lambda: MappingProxyType({}))
    dropped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    always: tuple[str, ...] = ()

    @property
    def n_concepts(self) -> int:
        """Number of concepts, C."""
        return len(self.names)

    def sites_of(self, concept: int) -> NDArray[np.int32]:
        """Sites where the concept with this index holds, ascending."""
        return self.sites[self.indptr[concept] : self.indptr[concept + 1]]

    def counts(self) -> NDArray[np.int64]:
        """Number of sites of each concept, [C]."""
        return np.diff(self.indptr)

    def by_site(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The same table site-major: `indptr` [S + 1] and the concepts of each site, ascending."""
        indptr = np.zeros(self.n_sites + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.sites, minlength=self.n_sites), out=indptr[1:])
        concepts = np.repeat(np.arange(self.n_concepts, dtype=np.int32), self.counts())
        return indptr, concepts[np.argsort(self.sites, kind="stable")]

    def select_sites(self, keep: NDArray[np.bool_]) -> ConceptTable:
        """The table over the kept sites, numbered anew; all concepts stay, even without a site.

        `keep` is boolean [S]. Raises ConceptError when it has another shape or type.
        """
        if keep.shape != (self.n_sites,) or keep.dtype != np.bool_:
            raise ConceptError(f"Got a {keep.dtype} mask of shape {keep.shape}.", expected=f"bool [{self.n_sites}]")
        renumbered = np.cumsum(keep, dtype=np.int64) - 1
        kept = keep[self.sites]
        before = np.zeros(len(kept) + 1, dtype=np.int64)
        np.cumsum(kept, out=before[1:])
        return replace(
            self,
            indptr=before[self.indptr],
            sites=renumbered[self.sites[kept]].astype(np.int32),
            n_sites=int(keep.sum()),
            known=_partial({category: mask[keep] for category, mask in self.known.items()}),
        )

    def universes(self) -> list[tuple[tuple[int, ...], NDArray[np.bool_] | None]]:
        """Indices of concepts that are known at the same sites, with that mask [S]; None where known everywhere.

        In order of the first concept of each; every concept is in exactly one.
        """
        members: dict[bytes | None, list[int]] = {}
        masks: dict[bytes | None, NDArray[np.bool_] | None] = {}
        keys = {category: np.packbits(mask).tobytes() for category, mask in self.known.items()}
        for concept, category in enumerate(self.categories):
            key = keys.get(category)
            members.setdefault(key, []).append(concept)
            masks.setdefault(key, self.known.get(category))
        return [(tuple(concepts), masks[key]) for key, concepts in members.items()]

    def save_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays (for safetensors) and the rest as plain JSON values; `from_arrays` inverts it."""
        arrays: dict[str, NDArray[Any]] = {"indptr": self.indptr, "sites": self.sites}
        for index, mask in enumerate(self.known.values()):
            arrays[f"known.{index}"] = mask
        meta = {
            "names": list(self.names),
            "categories": list(self.categories),
            "n_sites": self.n_sites,
            "known": list(self.known),
            "dropped": dict(self.dropped),
            "always": list(self.always),
        }
        return arrays, meta

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> ConceptTable:
        """Invert `save_arrays`. Raises StoreError when a part is missing or the parts do not fit."""
        try:
            table = cls(
                names=tuple(meta["names"]),
                categories=tuple(meta["categories"]),
                indptr=arrays["indptr"],
                sites=arrays["sites"],
                n_sites=meta["n_sites"],
                known=MappingProxyType({name: arrays[f"known.{i}"] for i, name in enumerate(meta["known"])}),
                dropped=MappingProxyType(dict(meta["dropped"])),
                always=tuple(meta["always"]),
            )
        except KeyError as error:
            raise StoreError(f"The concept table has no {error}.", fix="Make it again.") from error
        if not table._fits():
            raise StoreError("The parts of the concept table do not fit together.", fix="Make it again.")
        return table

    def _fits(self) -> bool:
        """Whether shapes and types agree and each concept's sites ascend within range."""
        if self.indptr.dtype != np.int64 or self.sites.dtype != np.int32 or self.sites.ndim != 1:
            return False
        if self.indptr.shape != (self.n_concepts + 1,) or len(self.categories) != self.n_concepts:
            return False
        if self.indptr[0] != 0 or self.indptr[-1] != len(self.sites) or (self.counts() < 0).any():
            return False
        if any(mask.shape != (self.n_sites,) or mask.dtype != np.bool_ for mask in self.known.values()):
            return False
        if not len(self.sites):
            return True
        ascends = np.diff(self.sites.astype(np.int64)) > 0
        starts = self.indptr[(self.indptr > 0) & (self.indptr < len(self.sites))]
        ascends[starts - 1] = True
        return bool(ascends.all() and self.sites.min() >= 0 and self.sites.max() < self.n_sites)


def _partial(known: Mapping[str, NDArray[np.bool_]]) -> Mapping[str, NDArray[np.bool_]]:
    """Only the masks that leave a site out."""
    return MappingProxyType({category: mask for category, mask in known.items() if not mask.all()})
