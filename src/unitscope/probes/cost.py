"""What a probe run will cost, from the atlas alone: passes of the model, bytes, and probes to fit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from unitscope.extraction import extraction_bytes, layers_of
from unitscope.probes.curves import sizes
from unitscope.probes.settings import ProbeSettings
from unitscope.report.plain import counted, size

if TYPE_CHECKING:
    from unitscope.atlas import Atlas

_SEARCHED = 16
"""Probes that looking for the smallest number of units takes, about."""


@dataclass(frozen=True)
class Cost:
    """Layers, units and sites; passes of the model over the corpus, less where activations are kept already; bytes; and
    probes to fit on all units and on fewer. A corpus to judge on comes on top.
    """

    layers: int
    units: int
    sites: int
    passes: int
    disk_bytes: int
    memory_bytes: int
    whole_probes: int
    partial_probes: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def told(self) -> str:
        """One line."""
        return (
            f"{counted(self.units, 'unit')} of {counted(self.layers, 'layer')} at {counted(self.sites, 'site')}; up to "
            f"{counted(self.passes, 'pass', 'passes')} of the model, {size(self.disk_bytes)} of disk and "
            f"{size(self.memory_bytes)} of memory for values; about {counted(self.whole_probes, 'probe')} of all units "
            f"and {self.partial_probes} of fewer"
        )


def cost_of(atlas: Atlas, settings: ProbeSettings) -> Cost:
    """The cost of a run. Raises UnknownLayerError and PlanError for layers that are not there or on several grids."""
    layers = layers_of(atlas, settings.layers)
    n_sites = int(atlas.manifest["grids"][layers[0].grid]["sites"])
    n_units = sum(layer.width for layer in layers)
    passes = 1 + settings.untrained
    control = 2 if settings.control else 0
    retrained = len(sizes(settings.shares, n_units)) * (2 + settings.draws) + _SEARCHED + 1
    return Cost(
        layers=len(layers),
        units=n_units,
        sites=n_sites,
        passes=passes,
        disk_bytes=passes * extraction_bytes(layers, n_sites),
        memory_bytes=min(n_units * n_sites * 4, settings.memory),
        whole_probes=1 + settings.seeds + control + settings.untrained + settings.curves,
        partial_probes=retrained if settings.curves else 0,
    )
