"""A finished probe: its scores beside what they must be compared with, its curve, and where its units lie.

On disk it is the annex `probes/NAME` of an atlas, a table for each part and a record of the parameters; the orderings
of units that it gives are the annex `rankings/NAME`. In Python the same rows are attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from unitscope.errors import StoreError

if TYPE_CHECKING:
    from unitscope.annex import Annex
    from unitscope.atlas import Atlas

Row = dict[str, Any]
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "scores": ("probe", "variant", "metric", "value", "low", "high", "n_sites", "n_blocks"),
    "repeats": ("variant", "repeat", "metric", "value", "n_sites"),
    "curve": ("selection", "mode", "share", "n_units", "accuracy", "low", "high"),
    "search": ("step", "n_units", "accuracy"),
    "classes": (
        "class",
        "n_train",
        "n_held",
        "recall",
        "low",
        "high",
        "precision",
        "untrained_recall",
        "form_recall",
        "n_units",
        "n_exclusive",
        "n_shared",
    ),
    "layers": ("class", "layer", "count", "share", "mass"),
    "weights": ("class", "layer", "unit", "weight"),
}
"""Tables of a probe and their columns, in order."""


@dataclass(frozen=True)
class ProbeResult:
    """One finished probe. `about` has its parameters, seed and figures; the others are the rows of its tables."""

    name: str
    about: Mapping[str, Any]
    scores: tuple[Row, ...]
    repeats: tuple[Row, ...] = ()
    curve: tuple[Row, ...] = ()
    search: tuple[Row, ...] = field(default=(), repr=False)
    classes: tuple[Row, ...] = ()
    layers: tuple[Row, ...] = ()
    weights: tuple[Row, ...] = field(default=(), repr=False)

    @property
    def metric(self) -> str:
        """The figure that everything is judged by: `accuracy`, or `r2` for numbers."""
        return str(self.about["metric"])

    def score(self, probe: str, variant: str = "", metric: str = "") -> Row | None:
        """The row of a probe (`linear`, `form`, `majority` ...) on a variant, or None where there is none."""
        wanted = metric or self.metric
        rows = (row for row in self.scores if row["probe"] == probe and row["metric"] == wanted)
        return next((row for row in rows if not variant or row["variant"] == variant), None)

    @property
    def value(self) -> float:
        """The probe's own score on the evaluation sites."""
        row = self.score(str(self.about["kind"]), "trained")
        return float("nan") if row is None else float(row["value"])

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """Columns by table, of those that have rows."""
        return {
            table: {name: [row[name] for row in getattr(self, table)] for name in names}
            for table, names in COLUMNS.items()
            if getattr(self, table)
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values: what was asked, every table but the weights."""
        shown = (table for table in COLUMNS if table != "weights")
        return {"name": self.name, **self.about, **{table: list(getattr(self, table)) for table in shown}}


def rows_of(table: str, values: Sequence[Sequence[Any]]) -> tuple[Row, ...]:
    """Rows of a table from values in the order of its columns."""
    return tuple(dict(zip(COLUMNS[table], row, strict=True)) for row in values)


def save(atlas: Atlas, result: ProbeResult) -> None:
    """Write a probe beside its atlas."""
    from unitscope.annex import write_annex

    write_annex(atlas, "probes", result.name, result.tables(), result.about)


def load(atlas: Atlas, name: str) -> ProbeResult:
    """A probe that lies beside an atlas. Raises StoreError when there is none of this name."""
    from unitscope.annex import read_annex

    return of_annex(read_annex(atlas, "probes", name))


def of_annex(annex: Annex) -> ProbeResult:
    """The probe that an annex holds. Raises StoreError where it is of another kind of result."""
    if "scores" not in annex.tables:
        raise StoreError(f"'{annex.kind}/{annex.name}' holds no probe.", fix="Delete it and run the probe again.")
    return ProbeResult(
        annex.name,
        annex.about,
        **{table: tuple(annex.rows(table)) for table in COLUMNS if table in annex.tables},
    )


def finished(atlas: Atlas, name: str, parameters: Mapping[str, Any]) -> ProbeResult | None:
    """The probe of this name if it was run with the same parameters; None where there is none yet.

    Raises StoreError when the name is taken by a probe with other parameters.
    """
    from unitscope.annex import annexes

    if name not in annexes(atlas, "probes"):
        return None
    found = load(atlas, name)
    old = dict(found.about["parameters"])
    changed = sorted(key for key in {*old, *parameters} if old.get(key) != parameters.get(key))
    if changed:
        told = ", ".join(f"{key} {old.get(key)!r}, now {parameters.get(key)!r}" for key in changed[:3])
        raise StoreError(
            f"This atlas has a probe '{name}' with other parameters ({told}).",
            fix="Give another --name, or delete the old one.",
        )
    return found
