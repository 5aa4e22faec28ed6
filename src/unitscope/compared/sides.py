"""One side of a comparison: which units of which atlas, and the concepts that both sides can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.atlas import MANIFEST, Atlas
from unitscope.errors import PlanError, StoreError, closest


def split_spec(spec: str) -> tuple[str, str, str]:
    """Folder, baseline and layer of `FOLDER[@BASELINE][:LAYER]`; the longest part that is a folder of an atlas counts.

    A spec without such a part is all folder.
    """
    ends = [at for at, mark in enumerate(spec) if mark in "@:"]
    for end in (len(spec), *reversed(ends)):
        if end and (Path(spec[:end]) / MANIFEST).is_file():
            rest = spec[end:]
            if not rest.startswith("@"):
                return spec[:end], "", rest[1:]
            variant, _, layer = rest[1:].partition(":")
            return spec[:end], variant, layer
    return spec, "", ""


@dataclass(frozen=True)
class Side:
    """Units of some layers of an atlas, as the network is or in a baseline."""

    atlas: Atlas
    variant: str
    layers: tuple[str, ...]

    @classmethod
    def of(cls, spec: str | Path | Atlas, layers: Sequence[str] = ()) -> Side:
        """From an atlas or a spec. Raises StoreError for an unknown atlas, baseline or layer."""
        if isinstance(spec, Atlas):
            atlas, variant, layer = spec, "", ""
        else:
            folder, variant, layer = split_spec(str(spec))
            atlas = Atlas.open(folder)
        known = [each for each in atlas.summary if each != "trained"]
        if variant and variant not in ("trained", *known):
            there = f"Its baselines: {', '.join(known)}." if known else "It has none: map it with --baseline."
            raise StoreError(f"This atlas has no baseline '{variant}'.", fix=closest(variant, known) or there)
        for pattern in [*([layer] if layer else []), *layers]:
            if not any(_fits(each, pattern) for each in atlas.layers):
                near = closest(pattern, atlas.layers)
                fix = near or f"Its layers: {', '.join(atlas.layers)}."
                raise StoreError(f"Layer '{pattern}' is not in the atlas '{atlas.path.name}'.", fix=fix)
        chosen = [each for each in atlas.layers if not layer or _fits(each, layer)]
        chosen = [each for each in chosen if not layers or any(_fits(each, pattern) for pattern in layers)]
        if not chosen:
            raise PlanError(
                f"No layer is left of '{spec}'.", fix="Give the layer in one place: behind it or by --layers."
            )
        return cls(atlas, variant or "trained", tuple(chosen))

    def same_as(self, other: Side) -> bool:
        """Whether both are the same units of the same atlas."""
        keys = [each.atlas.manifest["key"] for each in (self, other)]
        return keys[0] == keys[1] and (self.variant, self.layers) == (other.variant, other.layers)

    def describe(self) -> dict[str, Any]:
        """Model, corpus, key of the atlas, baseline and layers."""
        study = self.atlas.manifest["study"]
        return {
            "atlas": self.atlas.path.name,
            "key": self.atlas.manifest["key"],
            "model": study["model"],
            "corpus": study["corpus"],
            "seed": study["seed"],
            "variant": self.variant,
            "layers": list(self.layers),
        }

    @cached_property
    def described(self) -> dict[str, Any]:
        """Each chosen layer's description in the manifest."""
        return {
            each["address"]: each for each in self.atlas.manifest["study"]["layers"] if each["address"] in self.layers
        }

    def sites_of(self, layer: str) -> str:
        """What the sites of a layer are: a grid's name without its size, as `source` or `image`."""
        return str(self.described[layer]["grid"]).partition(":")[0]

    @property
    def kinds_of_sites(self) -> set[str]:
        """Of all chosen layers."""
        return {self.sites_of(layer) for layer in self.layers}

    def eligible(self, sites: str) -> tuple[set[str], set[str]]:
        """Concepts over such sites that can be tested in every grid that layers have, and all concepts over them."""
        grids = {each["grid"] for each in self.described.values() if each["grid"].partition(":")[0] == sites}
        rows = [row for row in self.atlas.concepts() if row["grid"] in grids]
        names = {row["concept"] for row in rows}
        return names - {row["concept"] for row in rows if not row["eligible"]}, names

    @property
    def has_profiles(self) -> bool:
        """Whether scores of all concepts are kept: of the network itself, under AUROC."""
        return self.variant == "trained" and "auroc" in self.atlas.manifest["measures"]

    def table(self, name: str) -> Any:
        """One of this variant's tables: `units`, `tests` or `matches`."""
        return self.atlas.table(name if self.variant == "trained" else f"baselines/{self.variant}.{name}")

    def scores(self, layer: str, concepts: Sequence[str]) -> NDArray[np.float32]:
        """Unsplit AUROC [U, C] of a layer for these concepts; NaN for those that it has not."""
        names = {name: at for at, name in enumerate(self.atlas.concept_names(layer))}
        at = np.array([names.get(name, -1) for name in concepts], np.int64)
        found = self.atlas.scores("auroc", layer)[:, np.maximum(at, 0)]
        return np.where(at >= 0, found, np.float32(np.nan))


def _fits(layer: str, pattern: str) -> bool:
    return layer == pattern or fnmatchcase(layer, pattern)


@dataclass(frozen=True)
class Shared:
    """Concepts that can be tested on both sides, all kinds of sites together, and how many others there are."""

    names: tuple[str, ...]
    of_sites: dict[str, tuple[str, ...]]
    categories: dict[str, str]
    dropped: dict[str, int]

    @classmethod
    def of(cls, a: Side, b: Side) -> Shared:
        """Raises PlanError where nothing is shared."""
        both = sorted(a.kinds_of_sites & b.kinds_of_sites)
        if not both:
            raise PlanError(
                f"A's units are over {', '.join(sorted(a.kinds_of_sites))}, B's over "
                f"{', '.join(sorted(b.kinds_of_sites))}.",
                expected="units over the same kind of sites",
            )
        of_sites, dropped = {}, {"only_a": 0, "only_b": 0, "too_rare": 0}
        order = [row["concept"] for row in a.atlas.concepts()]
        for sites in both:
            (able_a, all_a), (able_b, all_b) = a.eligible(sites), b.eligible(sites)
            able = able_a & able_b
            dropped["only_a"] += len(all_a - all_b)
            dropped["only_b"] += len(all_b - all_a)
            dropped["too_rare"] += len((all_a & all_b) - able)
            of_sites[sites] = tuple(dict.fromkeys(name for name in order if name in able))
        if not any(of_sites.values()):
            raise PlanError(
                "The two share no concept that can be tested in both.", fix="Map both with like --concepts."
            )
        names = tuple(dict.fromkeys(name for each in of_sites.values() for name in each))
        categories = {row["concept"]: row["category"] for row in a.atlas.concepts()}
        return cls(names, of_sites, categories, dropped)

    @property
    def n_concepts(self) -> int:
        """Number of shared concepts."""
        return len(self.names)
