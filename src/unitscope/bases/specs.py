"""How bases are written: `GLOB=KIND[:ARGUMENT]`, as `encoder.layer.3=pca:64` or `encoder.layer.3=sae:FOLDER`.

A spec says which layers it is for and makes the basis of one of them. What must be fitted to values (principal
components, gates) says so and is fitted by the study on half A; everything else is made at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from unitscope.errors import BasisError, closest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unitscope.bases.base import Basis

MARK = "~"
"""Between a layer's address and the name of a basis on it."""
KINDS = ("pca", "rotation", "matrix", "sae")
ROLES = {
    "pca": "principal components",
    "rotation": "rotated directions",
    "matrix": "given directions",
    "sae": "latents of an autoencoder",
    "mass": "attention mass",
    "gate": "units at one density",
}
FORMS = "GLOB=pca[:COMPONENTS], GLOB=rotation[:SEED], GLOB=matrix:FILE or GLOB=sae:FOLDER"


class Fitter(Protocol):
    """Sums up a layer's values on half A."""

    def add(self, values: NDArray[np.float32]) -> None:
        """Take in rows [S, D] in corpus order."""

    def finish(self) -> Basis:
        """The fitted basis."""


class BasisSpec(Protocol):
    """A basis before it has met its layer. Frozen dataclasses, so that their repr says what they are."""

    @property
    def kind(self) -> str:
        """Name of the kind, a key of `ROLES`."""

    @property
    def name(self) -> str:
        """What the layer's address ends in."""

    def describe(self) -> str:
        """What determines the basis, as a part of the study's key; no paths."""

    def width(self, n_inputs: int, layer: str) -> int:
        """Number of units on a layer of `n_inputs`. Raises BasisError when it does not fit."""

    def make(self, n_inputs: int, layer: str) -> Basis | None:
        """The basis for a layer, None when it must be fitted."""

    def fitter(self, n_inputs: int, layer: str) -> Fitter:
        """Fits the basis; asked for only where `make` gives None."""


@dataclass(frozen=True)
class Pca:
    """Principal components of a layer on half A; all of them where `n` is None."""

    n: int | None = None
    kind: ClassVar[str] = "pca"
    name: ClassVar[str] = "pca"

    def describe(self) -> str:
        """`pca` or `pca:64`."""
        return "pca" if self.n is None else f"pca:{self.n}"

    def width(self, n_inputs: int, layer: str) -> int:
        """Number of components."""
        if self.n is not None and self.n > n_inputs:
            raise BasisError(
                f"Got {self.n} principal components of layer '{layer}'.",
                expected=f"at most {n_inputs}, the layer's width",
                fix=f"Ask for fewer (pca:{n_inputs}).",
            )
        return n_inputs if self.n is None else self.n

    def make(self, n_inputs: int, layer: str) -> Basis | None:
        """Nothing yet."""
        return None

    def fitter(self, n_inputs: int, layer: str) -> Fitter:
        """A covariance summed up row by row."""
        return _PcaFitter(n_inputs, self.n, layer)


class _PcaFitter:
    def __init__(self, n_inputs: int, n: int | None, layer: str) -> None:
        from unitscope.bases.pca import Covariance

        self.n, self.layer, self.seen = n, layer, Covariance.blank(n_inputs)

    def add(self, values: NDArray[np.float32]) -> None:
        self.seen.add(values)

    def finish(self) -> Basis:
        return self.seen.components(self.n, self.layer)


@dataclass(frozen=True)
class Rotation:
    """A random rotation."""

    seed: int = 0
    kind: ClassVar[str] = "rotation"

    @property
    def name(self) -> str:
        """`rotation`, with the seed behind it where that is not 0."""
        return f"rotation{self.seed or ''}"

    def describe(self) -> str:
        """`rotation:SEED`."""
        return f"rotation:{self.seed}"

    def width(self, n_inputs: int, layer: str) -> int:
        """The layer's own."""
        return n_inputs

    def make(self, n_inputs: int, layer: str) -> Basis | None:
        """Draw it."""
        from unitscope.bases.rotation import rotation

        return rotation(n_inputs, self.seed, layer)

    def fitter(self, n_inputs: int, layer: str) -> Fitter:
        """There is none."""
        raise BasisError("A rotation is not fitted.")


@dataclass(frozen=True)
class Given:
    """A basis that is there already: of a matrix, of an autoencoder, or any object of Python's."""

    kind: str
    basis: Basis
    label: str = ""

    @property
    def name(self) -> str:
        """The kind."""
        return self.kind

    def describe(self) -> str:
        """The kind and a hash of all it consists of."""
        import hashlib

        arrays, meta = self.basis.save()
        digest = hashlib.sha256(repr(sorted(meta.items())).encode())
        for name, array in sorted(arrays.items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(array.tobytes())
        return f"{self.kind} {digest.hexdigest()}"

    def __repr__(self) -> str:
        return self.describe()

    def width(self, n_inputs: int, layer: str) -> int:
        """Its own. Raises BasisError when the layer has another width than it reads."""
        if self.basis.n_inputs != n_inputs:
            raise BasisError(
                f"{self.label or f'The {self.kind} basis'} reads {self.basis.n_inputs} values, but layer '{layer}' has "
                f"{n_inputs} units.",
                expected="a layer of the width it was made for",
                fix="Check which layer that is (its cfg.json may say hook_name); list layers: unitscope layers MODEL",
            )
        return self.basis.width

    def make(self, n_inputs: int, layer: str) -> Basis | None:
        """Itself."""
        return self.basis

    def fitter(self, n_inputs: int, layer: str) -> Fitter:
        """There is none."""
        raise BasisError("A given basis is not fitted.")


Request = tuple[str, BasisSpec]
"""Which layers (addresses or a glob), and the basis."""


def parse_bases(specs: Sequence[str | tuple[str, BasisSpec | Basis]]) -> list[Request]:
    """Read specs; pairs of a glob and a `BasisSpec` or `Basis` are taken as they are.

    Raises BasisError for an unknown kind, a number that is none, a file that cannot be read.

    >>> parse_bases(["encoder.layer.3=pca:64"])
    [('encoder.layer.3', Pca(n=64))]
    """
    found: list[Request] = []
    for spec in specs:
        if not isinstance(spec, str):
            basis: Any = spec[1]
            found.append((spec[0], basis if hasattr(basis, "describe") else Given("given", basis)))
            continue
        glob, equals, rest = spec.partition("=")
        if not equals or not glob or not rest:
            raise BasisError(f"Got basis '{spec}'.", expected=FORMS)
        kind, _, argument = rest.partition(":")
        found.append((glob, _parse(kind, argument, spec)))
    return found


def _parse(kind: str, argument: str, spec: str) -> BasisSpec:
    if kind == "pca":
        return Pca(_number(argument, spec, 1) if argument else None)
    if kind == "rotation":
        return Rotation(_number(argument, spec, 0) if argument else 0)
    if kind == "matrix" and argument:
        from unitscope.bases.matrix import matrix

        return Given("matrix", matrix(Path(argument).expanduser()), f"'{Path(argument).name}'")
    if kind == "sae" and argument:
        return Given("sae", _sae(argument), f"The autoencoder '{Path(argument).name}'")
    raise BasisError(f"Got basis '{spec}'.", expected=FORMS, fix="" if kind in KINDS else closest(kind, KINDS))


def _number(text: str, spec: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise BasisError(f"Got '{text}' in basis '{spec}'.", expected=f"a whole number of {least} or more")
    return int(text)


def _sae(argument: str) -> Basis:
    """A folder, or `hub:RELEASE/ID` by way of the package sae_lens."""
    if argument.startswith("hub:"):
        return _from_hub(argument.removeprefix("hub:"))
    from unitscope.bases.saelens import saelens

    return saelens(Path(argument).expanduser())


def _from_hub(name: str) -> Basis:
    release, _, at = name.partition("/")
    if not at:
        raise BasisError(f"Got autoencoder 'hub:{name}'.", expected="sae:hub:RELEASE/ID, as SAELens names them")
    try:
        from sae_lens import SAE
    except ImportError as error:
        raise BasisError(
            "Autoencoders of the hub are read by way of sae_lens, which is not installed.",
            fix="pip install 'unitscope[sae]', or give a folder that SAE.save_model wrote.",
        ) from error
    from unitscope.bases.saelens import from_parts

    loaded: Any = SAE.from_pretrained(release, at, device="cpu")
    loaded = loaded[0] if isinstance(loaded, tuple) else loaded
    state = {key: value.float().numpy() for key, value in loaded.state_dict().items()}
    return from_parts(loaded.cfg.to_dict(), state, name)
