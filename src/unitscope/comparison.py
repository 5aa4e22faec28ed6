"""Two atlases side by side: which units kept their concept, which moved to another, which lost or gained one.

Two networks, two checkpoints, a fine-tuned network and its base, a network and its untrained copy, two layers. Where
the networks share their units, a unit is compared with the unit at the same address. Where they do not (other
architectures, other seeds), with the unit whose profile over the shared concepts is most like its own. Both stand
beside a random pairing of the same units.

All verdicts rest on held-out effects. A unit has *moved* only if the concept it left is weaker, or the one it took up
stronger, beyond the errors of both sides: of two concepts that a unit tells equally well, either may come first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unitscope.compared.pairing import Pairing, pair
from unitscope.compared.sides import Shared, Side
from unitscope.compared.tables import concept_table, layer_table, partner_table, unit_table
from unitscope.errors import PlanError

if TYPE_CHECKING:
    from unitscope.annex import Annex
    from unitscope.atlas import Atlas

KIND = "comparisons"
Match = Literal["auto", "address", "profile"]
MATCHES = ("auto", "address", "profile")
STATUSES = ("kept", "turned", "undecided", "moved", "lost", "gained", "none", "unshared")
"""What became of a unit's first concept."""
DRAWS = 200
"""Random pairings."""
Table = Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """A comparison: its tables by name (`units`, `layers`, `concepts` and, by profile, `partners`), and what it is of.

    `about` holds both sides, how units were paired, counts of all statuses, and `notes` in words.
    """

    a: Side
    b: Side
    tables: Mapping[str, Table]
    about: Mapping[str, Any]

    @property
    def match(self) -> str:
        """How units were paired: `address` or `profile`."""
        return str(self.about["match"])

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Rows of a table; what is not known is None."""
        columns = {name: _plain(values) for name, values in self.tables[table].items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def save(self, name: str) -> Annex:
        """Write it beside atlas A as `comparisons/NAME`. Raises StoreError for a bad name, or where it cannot be."""
        from unitscope.annex import write_annex

        return write_annex(self.a.atlas, KIND, name, self.tables, self.about)


def compare(
    a: str | Path | Atlas,
    b: str | Path | Atlas,
    *,
    layers: Sequence[str] = (),
    match: Match = "auto",
    seed: int = 0,
    out: str | None = None,
) -> Comparison:
    """Compare the units of two atlases, or of layers or baselines of them.

    `a` and `b` are atlases or `FOLDER[@BASELINE][:LAYER]`, as `atlas@untrained` or `atlas:encoder.layer.3`; `layers`
    are globs for both. `match` says how units are paired; `auto` takes equal addresses where layers have equal
    addresses and widths and units at them are more alike than at random ones, else profiles. `out` is a name under
    which the result is kept beside `a`.

    Raises StoreError for what is no atlas or of another schema, PlanError where nothing can be compared.
    """
    if match not in MATCHES:
        raise PlanError(f"Unknown pairing '{match}'.", expected="auto, address or profile")
    if not 0 <= seed < 1 << 63:
        raise PlanError(f"Got seed={seed}.", expected="a whole number from 0 to 2**63 - 1")
    if isinstance(layers, str):
        raise PlanError(f"Got layers='{layers}'.", expected="a list, as layers=['...']")
    sides = Side.of(a, layers), Side.of(b, layers)
    if sides[0].same_as(sides[1]):
        raise PlanError("Both sides are the same units.", fix="Give another atlas, layer or baseline for one of them.")
    shared = Shared.of(*sides)
    pairs = pair(*sides, shared, match, DRAWS, np.random.default_rng(seed))
    units = unit_table(shared, pairs)
    tables = {
        "units": units,
        "layers": layer_table(units, pairs, DRAWS),
        "concepts": concept_table(shared, units),
    }
    if pairs.match == "profile":
        tables["partners"] = partner_table(units)
    found = Comparison(*sides, tables, _about(sides, shared, pairs, units, seed))
    if out is not None:
        found.save(out)
    return found


def _about(sides: tuple[Side, Side], shared: Shared, pairs: Pairing, units: Table, seed: int) -> dict[str, Any]:
    status = list(units["status"])
    return {
        "type": "comparison",
        "a": sides[0].describe(),
        "b": sides[1].describe(),
        "match": pairs.match,
        "seed": seed,
        "draws": DRAWS,
        "concepts": {"shared": shared.n_concepts, **shared.dropped},
        "counts": {
            "units": len(status),
            **{each: status.count(each) for each in STATUSES},
            "stronger": int((units["change"] == "stronger").sum()),
            "weaker": int((units["change"] == "weaker").sum()),
        },
        "chance": pairs.overall(DRAWS),
        "notes": [*_notes(sides, shared), *pairs.notes],
    }


def _notes(sides: tuple[Side, Side], shared: Shared) -> list[str]:
    """What a reader must know of the two sides."""
    a, b = (side.atlas.manifest["study"] for side in sides)
    said = []
    if a["corpus_hash"] != b["corpus_hash"]:
        said.append(
            f"The corpora differ ({a['corpus']}, {b['corpus']}): effects are of other sites, and a change may be the "
            "corpus' doing."
        )
    else:
        said.append("Both are of the same corpus: intervals of differences are wider than need be.")
    if a["weight_hash"] == b["weight_hash"] and sides[0].variant == sides[1].variant == "trained":
        said.append("Both are of the same weights.")
    only = shared.dropped
    if any(only.values()):
        said.append(
            f"{shared.n_concepts} concepts are shared and can be tested on both sides. Left out: {only['only_a']} only "
            f"in A, {only['only_b']} only in B, {only['too_rare']} too rare to be tested."
        )
    return said


def _plain(values: Any) -> list[Any]:
    column = np.asarray(values)
    if column.dtype.kind == "f":
        return [None if value != value else value for value in column.tolist()]
    found: list[Any] = column.tolist()
    return found
