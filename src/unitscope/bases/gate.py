"""Units of a basis brought to one number and one density, so that bases can be compared.

A share q of the sites of half A lies above each unit's threshold; the unit's value is what it exceeds that by, else
zero. A dense neuron and a sparse latent are then on equally often. Only the upper end of a unit's scale is kept, as it
is all that a latent has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import BasisError

if TYPE_CHECKING:
    from unitscope.bases.base import Basis
    from unitscope.bases.specs import BasisSpec, Fitter

MOST_ROWS = 32_768
"""Sites of half A that thresholds rest on; of more, evenly spaced ones are taken."""


@dataclass(frozen=True)
class Gate:
    """`n` units of a basis (`inner`; None: the layer's own units), on at a share `density` of sites; None: as they are.

    Principal components are taken in their order, units of all other bases at random by `seed`, of those that are on
    often enough.
    """

    inner: BasisSpec | None
    n: int
    density: float | None = None
    seed: int = 0

    @property
    def kind(self) -> str:
        """The inner basis'."""
        return "neurons" if self.inner is None else self.inner.kind

    @property
    def name(self) -> str:
        """The kind, and whether its units are thinned."""
        return self.kind if self.density is None else f"{self.kind}-sparse"

    def describe(self) -> str:
        """All that determines it."""
        inner = "the layer" if self.inner is None else self.inner.describe()
        return f"{self.n} units at density {self.density} by seed {self.seed} of {inner}"

    def __repr__(self) -> str:
        return self.describe()

    def width(self, n_inputs: int, layer: str) -> int:
        """The number of units asked for."""
        whole = n_inputs if self.inner is None else self.inner.width(n_inputs, layer)
        if self.n > whole:
            raise BasisError(
                f"Got {self.n} units of {whole} ('{self.kind}' on '{layer}').", expected=f"at most {whole}"
            )
        return self.n

    def make(self, n_inputs: int, layer: str) -> Basis | None:
        """Nothing yet: thresholds are fitted."""
        return None

    def fitter(self, n_inputs: int, layer: str) -> Fitter:
        """Keeps rows for thresholds, and hands them on to the inner basis' own fit."""
        return _GateFitter(self, n_inputs, layer)


class _GateFitter:
    def __init__(self, gate: Gate, n_inputs: int, layer: str) -> None:
        from unitscope.bases.base import Basis

        self.gate, self.layer = gate, layer
        self.rows: list[NDArray[np.float32]] = []
        self.seen, self.step = 0, 1
        if gate.inner is None:
            self.basis: Basis | None = Basis(np.eye(n_inputs, dtype=np.float32))
        else:
            self.basis = gate.inner.make(n_inputs, layer)
        self.inner = None if self.basis is not None or gate.inner is None else gate.inner.fitter(n_inputs, layer)

    def add(self, values: NDArray[np.float32]) -> None:
        if self.inner is not None:
            self.inner.add(values)
        here = np.arange(self.seen, self.seen + len(values))
        self.seen += len(values)
        self.rows.append(values[here % self.step == 0])
        if sum(map(len, self.rows)) > MOST_ROWS:
            self.rows = [np.concatenate(self.rows)[::2]]
            self.step *= 2

    def finish(self) -> Basis:
        import torch

        gate = self.gate
        basis = self.basis if self.inner is None else self.inner.finish()
        assert basis is not None
        with torch.inference_mode():
            units = basis.encode(torch.from_numpy(np.concatenate(self.rows))).numpy()
        usable = np.arange(basis.width)
        if basis.nonlinearity != "identity":
            usable = np.flatnonzero((units > 0).mean(axis=0) >= (gate.density or 1 / max(len(units), 1)))
        if len(usable) < gate.n:
            raise BasisError(
                f"Only {len(usable)} units of the basis '{gate.kind}' on '{self.layer}' are on at "
                f"{'any' if gate.density is None else f'{gate.density:.2%} of'} sites of half A.",
                expected=f"at least {gate.n}",
                fix="Ask for fewer units (--units), a lower --density, or a wider autoencoder.",
            )
        if gate.kind == "pca":
            chosen = usable[: gate.n]
        else:
            draw = np.random.default_rng([gate.seed, 11])
            chosen = np.sort(draw.choice(usable, gate.n, replace=False))
        if gate.density is None:
            return basis.cut(chosen.astype(np.int64))
        floor = np.quantile(units[:, chosen], 1 - gate.density, axis=0, method="higher")
        return basis.cut(chosen.astype(np.int64), floor.astype(np.float32))
