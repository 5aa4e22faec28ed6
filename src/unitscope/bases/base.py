"""A basis on a layer: from the layer's values to units and back, with what is lost on the way kept apart.

Every kind is an encoder, a nonlinearity and a decoder. With x a layer's values, normalised where the basis asks for
it, units are z = f((x - center) W + bias), and z D + offset gives back as much of x as the basis holds. f is the
identity (rotation, principal components), ReLU (Bricken et al. 2023), the k greatest at a site (Gao et al. 2024), or
JumpReLU: z where z > threshold, else 0 (Rajamanoharan et al. 2024).

An edit of units must not throw away what the basis does not hold: `replace` adds the difference of two decodings to
the values, so that the reconstruction error stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import BasisError

if TYPE_CHECKING:
    import torch

Nonlinearity = Literal["identity", "relu", "topk", "jumprelu"]
Normalisation = Literal["none", "layer_norm", "constant_norm_rescale"]
NONLINEARITIES = ("identity", "relu", "topk", "jumprelu")
COLUMNS = 1024
"""Units are computed in blocks of so many, always the same ones, so that asking for a part changes no bit of it."""
ROWS = 16_000_000
"""Values of all units held at once where a nonlinearity must see them all."""
_EPSILON = 1e-5
_ARRAYS = ("encoder", "bias", "center", "decoder", "offset", "threshold", "rescale", "floor", "chosen")


@dataclass(frozen=True, eq=False, repr=False)
class Basis:
    """Units on a layer of D values.

    `encoder` [D, M], `bias` [M], `center` [D]; `decoder` [M, D], `offset` [D]; all float32. `threshold` [M] is
    JumpReLU's, `k` TopK's. `rescale` [M] multiplies what enters the nonlinearity and divides what is decoded.
    `chosen` (indices into M) says which are its units, None for all; `floor` [M] is taken off their values, which end
    at zero then (see `unitscope.bases.gate`). Raises BasisError where the shapes do not fit.

    >>> import numpy as np
    >>> turned = Basis(np.array([[0, 1], [1, 0]], "f4"))
    >>> turned.n_inputs, turned.width, turned.is_affine
    (2, 2, True)
    """

    encoder: NDArray[np.float32]
    bias: NDArray[np.float32] | None = None
    center: NDArray[np.float32] | None = None
    decoder: NDArray[np.float32] | None = None
    offset: NDArray[np.float32] | None = None
    nonlinearity: Nonlinearity = "identity"
    k: int = 0
    threshold: NDArray[np.float32] | None = None
    rescale: NDArray[np.float32] | None = None
    normalisation: Normalisation = "none"
    chosen: NDArray[np.int64] | None = None
    floor: NDArray[np.float32] | None = None
    _moved: dict[tuple[str, str], torch.Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.encoder.ndim != 2 or not self.encoder.size:
            raise BasisError(f"Got an encoder of shape {self.encoder.shape}.", expected="two axes, inputs and units")
        d, m = self.encoder.shape
        shapes = {"bias": (m,), "center": (d,), "decoder": (m, d), "offset": (d,), "threshold": (m,), "floor": (m,)}
        for name, shape in {**shapes, "rescale": (m,)}.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise BasisError(f"Got '{name}' of shape {array.shape}.", expected=f"{shape} beside {d} x {m} weights")
        for name in _ARRAYS[:-1]:
            array = getattr(self, name)
            if array is not None and not np.isfinite(array).all():
                raise BasisError(f"'{name}' has values that are no finite numbers.", fix="Make the basis again.")
        if self.nonlinearity not in NONLINEARITIES:
            raise BasisError(f"Unknown nonlinearity '{self.nonlinearity}'.", expected=f"one of {NONLINEARITIES}")
        if self.nonlinearity == "topk" and not 0 < self.k <= m:
            raise BasisError(f"Got k={self.k} of {m} units.", expected=f"a whole number from 1 to {m}")
        if self.nonlinearity == "jumprelu" and self.threshold is None:
            raise BasisError("A JumpReLU basis has no 'threshold'.", expected="one number a unit")

    def __repr__(self) -> str:
        return f"Basis({self.n_inputs} -> {self.width}, {self.nonlinearity})"

    @property
    def n_inputs(self) -> int:
        """Values of the layer that it reads."""
        return int(self.encoder.shape[0])

    @property
    def width(self) -> int:
        """Its number of units."""
        return int(self.encoder.shape[1]) if self.chosen is None else len(self.chosen)

    @property
    def is_affine(self) -> bool:
        """Whether units are sums of the layer's values, so that means over positions may be taken before or after."""
        return self.nonlinearity == "identity" and self.normalisation == "none" and self.floor is None

    def encode(self, values: torch.Tensor, units: tuple[int, int] | torch.Tensor | None = None) -> torch.Tensor:
        """Units [..., U] of a layer's values [..., D]: all, those of a range [start, stop), or those of indices.

        Raises BasisError when the values are not D wide.
        """
        import torch

        self._check(values, self.n_inputs, "values")
        rows = values.reshape(-1, self.n_inputs)
        step = max(1, ROWS // self.encoder.shape[1]) if self.nonlinearity == "topk" else max(1, len(rows))
        parts = (
            [self._encode(part, units) for part in torch.split(rows, step)]
            if len(rows)
            else [self._encode(rows, units)]
        )
        found = torch.cat(parts) if len(parts) > 1 else parts[0]
        return found.reshape(*values.shape[:-1], found.shape[-1])

    def decode(self, units: torch.Tensor, *, of: torch.Tensor | None = None) -> torch.Tensor:
        """The layer's values [..., D] that units [..., U] stand for.

        A basis that normalises its input gives back each site's own mean and scale, which it takes from `of`, the
        values [..., D] that were encoded. Raises BasisError where those are needed and not given.
        """
        self._check(units, self.width, "units")
        decoder = self._on("decoder", units) if self.decoder is not None else self._inverse(units)
        if self.rescale is not None:
            decoder = decoder / self._on("rescale", units)[:, None]
        if self.chosen is not None:
            decoder = decoder[self._on("chosen", units)]
        found = units @ decoder
        offset = "offset" if self.offset is not None else "center"
        if getattr(self, offset) is not None:
            found = found + self._on(offset, units)
        if self.normalisation == "none":
            return found
        if of is None:
            raise BasisError("This basis normalises its input; its units alone do not say the scale.", fix="Give 'of'.")
        _, shift, scale = self._normalised(of)
        whole: torch.Tensor = found * scale + shift
        return whole

    def reconstruct(self, values: torch.Tensor) -> torch.Tensor:
        """What the basis holds of a layer's values [..., D]."""
        return self.decode(self.encode(values), of=values)

    def error(self, values: torch.Tensor) -> torch.Tensor:
        """What the basis does not hold of a layer's values [..., D]: `values - reconstruct(values)`."""
        return values - self.reconstruct(values)

    def replace(self, values: torch.Tensor, units: torch.Tensor) -> torch.Tensor:
        """A layer's values [..., D] with its units set to `units` [..., U] and the reconstruction error kept.

        That is `values + decode(units) - decode(encode(values))`; units as they were change nothing.
        """
        return values + (self.decode(units, of=values) - self.decode(self.encode(values), of=values))

    def cut(self, chosen: NDArray[np.int64], floor: NDArray[np.float32] | None = None) -> Basis:
        """The same with some units only, less `floor` [U'] and ending at zero where that is given."""
        whole = None
        if floor is not None:
            whole = np.zeros(self.encoder.shape[1], np.float32)
            whole[chosen if self.chosen is None else self.chosen[chosen]] = floor
        return replace(self, chosen=chosen if self.chosen is None else self.chosen[chosen], floor=whole)

    def save(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and parameters for `unitscope.store`."""
        arrays = {name: getattr(self, name) for name in _ARRAYS if getattr(self, name) is not None}
        return arrays, {"nonlinearity": self.nonlinearity, "k": self.k, "normalisation": self.normalisation}

    @classmethod
    def load(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Basis:
        """Invert `save`."""
        known = {each.name for each in fields(cls)}
        parts: dict[str, Any] = {name: value for name, value in meta.items() if name in known} | dict(arrays)
        return cls(**parts)

    def _check(self, tensor: torch.Tensor, width: int, what: str) -> None:
        if tensor.shape[-1] != width:
            raise BasisError(f"Got {what} of width {tensor.shape[-1]}.", expected=f"width {width}, the basis' own")

    def _on(self, name: str, like: torch.Tensor) -> torch.Tensor:
        """One of the arrays on a tensor's device."""
        import torch

        key = (name, str(like.device))
        if key not in self._moved:
            with torch.inference_mode(False):  # it is kept for uses that need gradients
                array = np.array(getattr(self, name))  # a copy of its own, which torch may keep
                self._moved[key] = torch.from_numpy(array).to(like.device)
        return self._moved[key]

    def _inverse(self, like: torch.Tensor) -> torch.Tensor:
        """The pseudo-inverse of the encoder [M, D], for a basis without a decoder of its own."""
        import torch

        key = ("inverse", str(like.device))
        if key not in self._moved:
            inverse = np.linalg.pinv(self.encoder.astype(np.float64)).astype(np.float32)
            with torch.inference_mode(False):
                self._moved[key] = torch.from_numpy(inverse).to(like.device)
        return self._moved[key]

    def _normalised(self, values: torch.Tensor) -> tuple[torch.Tensor, Any, Any]:
        """Values as the encoder takes them, and the shift and scale that undo it."""
        if self.normalisation == "layer_norm":
            mean = values.mean(dim=-1, keepdim=True)
            spread = (values - mean).std(dim=-1, keepdim=True)
            return (values - mean) / (spread + _EPSILON), mean, spread
        if self.normalisation == "constant_norm_rescale":
            norm = values.norm(dim=-1, keepdim=True).clamp(min=1e-12)
            factor = self.n_inputs**0.5 / norm
            return values * factor, 0.0, 1 / factor
        return values, 0.0, 1.0

    def _encode(self, rows: torch.Tensor, units: tuple[int, int] | torch.Tensor | None) -> torch.Tensor:
        import torch

        rows, _, _ = self._normalised(rows.float())
        if self.center is not None:
            rows = rows - self._on("center", rows)
        if self.chosen is not None:
            chosen = self._on("chosen", rows)
            if not isinstance(units, torch.Tensor):  # all of them, so that a part has the same bits
                return _taken(self._activated(rows, chosen), units)
            units = chosen[units.to(rows.device)]
        return self._activated(rows, units)

    def _activated(self, rows: torch.Tensor, units: tuple[int, int] | torch.Tensor | None) -> torch.Tensor:
        """Units from normalised and centred rows."""
        if self.nonlinearity == "topk":
            found = _taken(self._topk(self._before(rows, None)), units)
        else:
            found = self._before(rows, units)
            if self.nonlinearity == "relu":
                found = found.relu()
            elif self.nonlinearity == "jumprelu":
                found = found.relu() * (found > _taken(self._on("threshold", rows), units))
        return found if self.floor is None else (found - _taken(self._on("floor", rows), units)).relu()

    def _before(self, rows: torch.Tensor, units: tuple[int, int] | torch.Tensor | None) -> torch.Tensor:
        """What the nonlinearity is given."""
        import torch

        encoder, m = self._on("encoder", rows), self.encoder.shape[1]
        if isinstance(units, torch.Tensor):
            found = rows @ encoder.index_select(1, units.to(rows.device))
        else:
            start, stop = units or (0, m)
            first = start // COLUMNS * COLUMNS
            parts = [rows @ encoder[:, at : at + COLUMNS] for at in range(first, stop, COLUMNS)]
            found = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
            found = found[:, start - first : stop - first]
        for name in ("bias", "rescale"):
            if getattr(self, name) is not None:
                array = _taken(self._on(name, rows), units)
                found = found + array if name == "bias" else found * array
        return found

    def _topk(self, before: torch.Tensor) -> torch.Tensor:
        import torch

        top = before.topk(self.k, dim=-1, sorted=False)
        return torch.zeros_like(before).scatter_(-1, top.indices, top.values.relu())


def _taken(values: torch.Tensor, units: tuple[int, int] | torch.Tensor | None) -> torch.Tensor:
    """Some units of a tensor whose last axis is units."""
    if units is None:
        return values
    if isinstance(units, tuple):
        return values[..., slice(*units)]
    return values.index_select(-1, units.to(values.device))
