"""A random rotation of a layer: as many units as it has, none of them its own; the null of a privileged basis."""

from __future__ import annotations

import numpy as np

from unitscope.bases.base import Basis

MOST = 1024
"""Units of wider layers are dealt at random into sets of at most so many, which are rotated each in itself."""


def rotation(width: int, seed: int, address: str = "") -> Basis:
    """Uniformly random rotation (Haar measure) of `width` units, drawn from the seed and the layer's address.

    Wider layers than 1,024 are rotated by sets of units, so that no factorisation needs more than 8 MB.

    >>> basis = rotation(3, 0)
    >>> bool(np.allclose(basis.encoder.T @ basis.encoder, np.eye(3), atol=1e-6))
    True
    """
    draw = np.random.default_rng([seed, 7, *address.encode("utf-8")])
    encoder = np.zeros((width, width), np.float32)
    for units in np.array_split(draw.permutation(width), -(-width // MOST)):
        q, r = np.linalg.qr(draw.normal(size=(len(units), len(units))))
        encoder[np.ix_(units, units)] = q * np.sign(np.diag(r))
    return Basis(encoder, decoder=np.ascontiguousarray(encoder.T))
