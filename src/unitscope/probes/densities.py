"""How surprised a probe is by the class of each site, for many candidate units at once: the loop of greedy selection.

With the units of a set A chosen, a candidate j adds to each class's Gaussian one factor: the density of x_j given x_A,
again a Gaussian. So a candidate needs, at each site and for each class, one residual, one square, one exponential; no
matrix is inverted anew. The loop runs over candidates innermost, which a compiler turns into vector instructions, in
single precision, with an exponential of basic arithmetic; sums over sites are in double precision.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import kernel

Floats = NDArray[np.float32]

_TILE = 256
_LOG2E = np.float32(1 / np.log(2))
_LN2 = np.float32(np.log(2))
_ROUND = np.float32(1.5 * 2**23)
_LEAST = np.float32(-87.0)
_C2, _C3, _C4, _C5 = (np.float32(1 / n) for n in (2, 6, 24, 120))
_ONE, _ZERO = np.float32(1), np.float32(0)


@kernel
def surprise(
    values: Floats,
    of_site: NDArray[np.int32],
    base: Floats,
    white: Floats,
    mean: Floats,
    slope: Floats,
    sharpness: Floats,
    offset: Floats,
    chunk: int,
    per_product: int,
) -> NDArray[np.float64]:
    """Sum over each `chunk` of sites of -log P(class | x_A, x_j), in nats: [chunks, J] for J candidates.

    `values` [S, >= J] are the candidates' in the first columns, `of_site` [S] the class; `base` [S, C] the log of prior
    times density of x_A, `white` [S, C, T] x_A whitened in each class; the candidate's conditional mean in class c is
    `mean` [C, J] plus `white` times `slope` [C, T, J], its `sharpness` [C, J] is 1 / sqrt(2 var), its `offset` [C, J]
    -log(var) / 2. Sums of exponentials over classes (1 to C each) are multiplied `per_product` at a time before a
    logarithm is taken: C ** per_product must not overflow.
    """
    n_sites, n_classes, n_candidates = values.shape[0], mean.shape[0], mean.shape[1]
    found = np.zeros((-(-n_sites // chunk), n_candidates))
    joint = np.zeros((n_classes, _TILE), np.float32)
    residual, most, total = np.empty(_TILE, np.float32), np.empty(_TILE, np.float32), np.empty(_TILE, np.float32)
    product, linear = np.empty(_TILE, np.float32), np.empty(_TILE, np.float32)
    for left in range(0, n_candidates, _TILE):
        width = min(_TILE, n_candidates - left)
        for part in range(found.shape[0]):
            first, last = part * chunk, min((part + 1) * chunk, n_sites)
            product[:] = _ONE
            linear[:] = _ZERO
            for s in range(first, last):
                row = values[s, left : left + width]
                for c in range(n_classes):
                    into = joint[c]
                    _residuals(row, mean[c, left : left + width], slope[c], white[s, c], left, residual)
                    sharp, shift, start = sharpness[c, left : left + width], offset[c, left : left + width], base[s, c]
                    for j in range(width):
                        scaled = residual[j] * sharp[j]
                        into[j] = start + shift[j] - scaled * scaled
                _greatest(joint, most, total)
                for c in range(n_classes):
                    _add_exponentials(joint[c], most, width, total)
                own = joint[of_site[s]]
                for j in range(width):
                    linear[j] += most[j] - own[j]
                    product[j] *= total[j]
                if (s - first + 1) % per_product == 0 or s == last - 1:
                    into64 = found[part, left : left + width]
                    for j in range(width):
                        into64[j] += np.log(np.float64(product[j])) + np.float64(linear[j])
                    product[:] = _ONE
                    linear[:] = _ZERO
    return found


@kernel
def _residuals(row: Floats, mean: Floats, slope: Floats, white: Floats, left: int, into: Floats) -> None:
    """Values less their conditional mean; four chosen units at a time, so that less is written between."""
    width, n_chosen = row.shape[0], slope.shape[0]
    for j in range(width):
        into[j] = row[j] - mean[j]
    whole = n_chosen - n_chosen % 4
    for k in range(0, whole, 4):
        w0, w1, w2, w3 = white[k], white[k + 1], white[k + 2], white[k + 3]
        s0, s1 = slope[k, left : left + width], slope[k + 1, left : left + width]
        s2, s3 = slope[k + 2, left : left + width], slope[k + 3, left : left + width]
        for j in range(width):
            into[j] -= w0 * s0[j] + w1 * s1[j] + (w2 * s2[j] + w3 * s3[j])
    for k in range(whole, n_chosen):
        w0, s0 = white[k], slope[k, left : left + width]
        for j in range(width):
            into[j] -= w0 * s0[j]


@kernel
def _greatest(joint: Floats, most: Floats, total: Floats) -> None:
    """Greatest of each column into `most`, zero into `total`; added to rather than replaced, which spares a branch."""
    n_classes, n_columns = joint.shape
    for j in range(n_columns):
        most[j] = joint[0, j]
        total[j] = _ZERO
    for c in range(1, n_classes):
        for j in range(n_columns):
            gap = joint[c, j] - most[j]
            most[j] += gap if gap > _ZERO else _ZERO


@kernel
def _add_exponentials(joint: Floats, most: Floats, width: int, total: Floats) -> None:
    """Add exp(joint - most) to `total`: 2^n e^r with |r| <= log(2) / 2, e^r by its series to r^5 / 120 (error 3e-6)."""
    for j in range(width):
        x = joint[j] - most[j]
        x = x if x > _LEAST else _LEAST
        shifted = x * _LOG2E + _ROUND
        r = x - (shifted - _ROUND) * _LN2
        p = _ONE + r * (_ONE + r * (_C2 + r * (_C3 + r * (_C4 + r * _C5))))
        # The low bits of `shifted` are n: moved to the exponent they multiply by 2^n.
        power = np.int32(np.int32(np.float32(shifted).view(np.int32)) << np.int32(23))
        total[j] += np.int32(np.int32(np.float32(p).view(np.int32)) + power).view(np.float32)


@kernel
def gather(
    values: Floats, rows: NDArray[np.int64], columns: NDArray[np.int64], into_rows: NDArray[np.int64], into: Floats
) -> None:
    """Copy values[rows][:, columns] to rows `into_rows` of `into`, without anything between."""
    for i in range(rows.shape[0]):
        source, target = values[rows[i]], into[into_rows[i]]
        for j in range(columns.shape[0]):
            target[j] = source[columns[j]]
