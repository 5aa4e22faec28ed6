"""Values of units as tensors: in memory where they fit, else block by block, and small batches that mix the corpus.

A small batch is every k-th row of what is in memory. Rows of one document stand together, so such a batch holds rows of
all of them, and it is a view: nothing is gathered or shuffled.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import ProbeError
from unitscope.probes.base import ArrayMatrix, Matrix

if TYPE_CHECKING:
    import torch

CHUNK = 512
SAMPLE = 1024
MEMORY = 2 << 30


class Rows:
    """Rows of a matrix as float32 tensors on a device, read as often as one likes.

    They are held where S * U * 4 bytes are within `memory`, and handed over without a copy where the matrix is a
    float32 array; otherwise every pass reads the matrix again. Units in `blank` read as 0.
    """

    def __init__(
        self, matrix: Matrix, *, device: str = "cpu", memory: int = MEMORY, blank: NDArray[np.bool_] | None = None
    ) -> None:
        import torch

        try:
            self.device = torch.empty(0, device=device).device
        except (RuntimeError, AssertionError) as error:
            first = str(error).partition("\n")[0]
            raise ProbeError(f"Device '{device}' cannot be used: {first}", fix="Use --device cpu.") from error
        self.matrix = matrix
        self.n_sites, self.n_units = matrix.n_sites, matrix.n_units
        self._blank = torch.from_numpy(np.flatnonzero(blank)) if blank is not None and blank.any() else None
        self._held = self._hold() if self.n_sites * self.n_units * 4 <= memory else None

    @property
    def held(self) -> bool:
        """Whether all rows are in memory."""
        return self._held is not None

    def blocks(self) -> Iterator[tuple[int, torch.Tensor]]:
        """First row and values [n, U] of each block, in order."""
        if self._held is not None:
            yield 0, self._held
            return
        for rows, values in self.matrix.blocks():
            yield rows.start, self._tensor(values)

    def chunks(self, n_rows: int = CHUNK) -> Iterator[tuple[slice, torch.Tensor]]:
        """Rows and values of pieces of at most `n_rows` rows, in order."""
        for start, values in self.blocks():
            for at in range(0, len(values), n_rows):
                part = values[at : at + n_rows]
                yield slice(start + at, start + at + len(part)), part

    def batches(self, n_rows: int, draw: np.random.Generator) -> Iterator[tuple[slice, torch.Tensor]]:
        """Every row once, in batches of about `n_rows` rows that lie apart; batches of a block in random order."""
        for start, values in self.blocks():
            n_batches = max(1, -(-len(values) // n_rows))
            for k in draw.permutation(n_batches):
                yield slice(start + int(k), start + len(values), n_batches), values[int(k) :: n_batches]

    def n_batches(self, n_rows: int) -> int:
        """About how many batches a pass has."""
        return max(1, -(-self.n_sites // n_rows))

    def _hold(self) -> torch.Tensor:
        import torch

        given = self.matrix.values if isinstance(self.matrix, ArrayMatrix) else None
        if given is not None and given.dtype == np.float32 and given.flags.c_contiguous:
            return self._tensor(given)
        held = torch.empty((self.n_sites, self.n_units), dtype=torch.float32, device=self.device)
        for rows, values in self.matrix.blocks():
            held[rows] = self._tensor(values)
        return held

    def _tensor(self, values: NDArray[np.float32]) -> torch.Tensor:
        import torch

        with warnings.catch_warnings():
            # Arrays that cannot be written to are welcome: nothing here writes to them.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            found = torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device)
        if self._blank is None:
            return found
        found = found.clone()
        found[:, self._blank.to(found.device)] = 0
        return found


@dataclass(frozen=True, eq=False)
class Standard:
    """What standardises units: `mean` and `scale` float64 [U], from the sites that are fitted to.

    `scale` is the standard deviation (divisor n), and infinite for `constant` units: they standardise to 0. `bad`
    units hold a NaN or an infinite value somewhere and count as constant. `sample` [n, U] has kept rows spread evenly
    over the sites, as they are.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    constant: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    sample: NDArray[np.float32]


def standardise(rows: Rows, keep: NDArray[np.bool_]) -> Standard:
    """Mean and standard deviation of every unit over the kept sites [S], in one pass.

    Sums are of distances from the first kept row, so that a constant unit has exactly none. Raises ProbeError without
    sites.
    """
    import torch

    n = int(keep.sum())
    if not n:
        raise ProbeError("No site has a label.", expected="some sites to fit to")
    device = rows.device
    first: torch.Tensor | None = None
    weight = torch.from_numpy(keep.astype(np.float32)).to(device)
    total, squares = (torch.zeros(rows.n_units, dtype=torch.float64, device=device) for _ in range(2))
    every, sample = max(1, rows.n_sites // SAMPLE), []
    for at, values in rows.chunks():
        if not keep[at].any():
            continue
        if first is None:
            first = values[int(keep[at].argmax())].clone()
        apart = values - first
        total += weight[at] @ apart
        squares += weight[at] @ apart.square_()
        chosen = np.flatnonzero(keep[at] & (np.arange(at.start, at.stop) % every == 0))
        sample.append(values[torch.from_numpy(chosen).to(device)].cpu())
    assert first is not None
    with np.errstate(invalid="ignore", over="ignore"):
        offset = (total / n).cpu().numpy()
        variance = np.maximum((squares / n).cpu().numpy() - offset**2, 0)
        mean = first.double().cpu().numpy() + offset
    bad = ~(np.isfinite(mean) & np.isfinite(variance))
    # What float32 sums of n terms cannot tell from 0.
    constant = bad | (variance <= 1e-12 * np.maximum(offset**2, np.finfo(np.float32).tiny))
    scale = np.where(constant, np.inf, np.sqrt(np.where(bad, 0, variance)))
    spread = torch.cat(sample).numpy()
    return Standard(np.where(bad, 0.0, mean), scale, constant, bad, np.where(bad, np.float32(0), spread))
