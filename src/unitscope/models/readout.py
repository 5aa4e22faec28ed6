"""From the residual stream to tokens: a language model's final norm and output embedding, checked on a forward pass.

A pre-norm decoder adds what its modules write to one stream x; its logits are U norm(x) + b. With the norm's division
left out, that is linear: U G x, where G takes off the mean (layer norm; not RMS norm) and multiplies by the norm's
gain. So a direction in the stream has a fixed effect on every token's logit, up to one positive number a site
(nostalgebraist 2020, "interpreting GPT: the logit lens"; Elhage et al. 2021, "A mathematical framework for
transformer circuits"). Nothing here trusts names: that the norm is what it seems to be and that the stream is the sum
of what is written to it is tested on a few tokens, and a model where it does not hold is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from unitscope.errors import ModelError
from unitscope.models.probe import given
from unitscope.models.roles import _BLOCK, HEADS, HIDDEN, NEURONS
from unitscope.models.torch import TorchModel
from unitscope.models.weights import digest

N_PROBED = 12
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Readout:
    """How a stream of width D becomes logits of V tokens.

    `unembedding` [V, D], `bias` [V] or None; the final norm `norm` (a module's name) has `gain` [D], `shift` [D] and
    `epsilon`, and takes off the mean where `centred`. `stream` names the modules whose output is the stream itself;
    `writers` those that add to it, empty where what they add does not sum up to it, with `why` not.
    """

    unembedding: torch.Tensor
    bias: torch.Tensor | None
    norm: str
    gain: torch.Tensor
    shift: torch.Tensor
    centred: bool
    epsilon: float
    stream: tuple[str, ...]
    entry: str
    writers: tuple[str, ...]
    why: str = ""
    tied: bool = True
    chance: dict[tuple[int, bool, int], Any] = field(default_factory=dict, init=False, repr=False)
    """What random directions give, kept between layers."""
    _cache: dict[str, torch.Tensor] = field(default_factory=dict, init=False, repr=False)

    @property
    def n_tokens(self) -> int:
        """Number of tokens V."""
        return int(self.unembedding.shape[0])

    @property
    def contrast(self) -> torch.Tensor:
        """The unembedding less its mean over tokens [V, D]: softmax does not see what all tokens share."""
        if "contrast" not in self._cache:
            self._cache["contrast"] = self.unembedding - self.unembedding.mean(dim=0)
        return self._cache["contrast"]

    def fold(self, directions: torch.Tensor) -> torch.Tensor:
        """Directions in the stream [..., D] through the linear part of the norm."""
        if self.centred:
            directions = directions - directions.mean(dim=-1, keepdim=True)
        return directions * self.gain

    def scale(self, stream: torch.Tensor) -> torch.Tensor:
        """What the norm divides a stream [..., D] by, [...]."""
        x = stream - stream.mean(dim=-1, keepdim=True) if self.centred else stream
        return torch.sqrt(x.pow(2).mean(dim=-1) + self.epsilon)

    def fingerprint(self) -> str:
        """SHA-256 of what it consists of."""
        bias = torch.zeros(0) if self.bias is None else self.bias
        parts = {"unembedding": self.unembedding, "bias": bias, "gain": self.gain, "shift": self.shift}
        return digest(sorted(parts.items()))


def readout(model: Any) -> Readout:
    """The readout of a model, found once. Raises ModelError that says why a model has none."""
    if not isinstance(model, TorchModel):
        raise ModelError(f"{model.name} is no model of this package's backends; its output embedding is not known.")
    known = model.__dict__.get("_readout")
    if known is None:
        try:
            known = _find(model)
        except ModelError as error:
            known = error
        model.__dict__["_readout"] = known
    if isinstance(known, ModelError):
        raise known
    found: Readout = known
    return found


def _find(model: TorchModel) -> Readout:
    head = getattr(model, "head", None)
    if head is None:
        raise ModelError(f"{model.name} has no output embedding that is known.")
    unembedding, bias, tied = head()
    if model.grids != ("source",):
        raise ModelError(f"{model.name} is an encoder-decoder; only decoders that stand alone are read out.")
    seen = _Seen(model)
    norm, gain, shift, centred, epsilon = _norm(model, seen)
    if unembedding.shape[1] != len(gain):
        raise ModelError(f"The output embedding of {model.name} is not as wide as its last hidden state.")
    blocks = [layer for layer in model.layers() if layer.role == HIDDEN and _BLOCK.fullmatch(layer.address)]
    if not blocks:
        raise ModelError(f"{model.name} has no stack of blocks that is recognised.")
    entry = blocks[0].address
    last = seen.inputs[norm]
    start = seen.inputs[entry]
    if not _close(seen.outputs[blocks[-1].address], last):
        raise ModelError(f"What {model.name} normalises at the end is not what its last block gives.")
    stream = tuple(
        layer.address
        for layer in model.layers()
        if layer.role == HIDDEN
        and layer.address != norm
        and (layer in blocks or _close(seen.outputs.get(layer.address), start))
    )
    writers, why = _writers(model, seen, start, last)
    return Readout(unembedding.detach(), bias, norm, gain, shift, centred, epsilon, stream, entry, writers, why, tied)


class _Seen:
    """What every module was given and gave in one forward pass over a few tokens."""

    def __init__(self, model: TorchModel) -> None:
        self.inputs: dict[str, torch.Tensor] = {}
        self.outputs: dict[str, torch.Tensor] = {}
        self.order: list[str] = []
        rows = [model.feed.probe(grid, N_PROBED) for grid in ("source",)]
        batch = model.feed.collate({"source": rows})
        args, kwargs = model.moved(batch)
        if "input_ids" in kwargs:
            # A token repeated would leave little to compare.
            n = int(getattr(model.feed, "_n_vocabulary", 2))
            ids = torch.arange(kwargs["input_ids"].numel(), device=kwargs["input_ids"].device)
            kwargs["input_ids"] = ((ids * 7919 + 11) % n).reshape(kwargs["input_ids"].shape)
        handles = [
            part.register_forward_hook(self._hook(name), with_kwargs=True)
            for name, part in model.module.named_modules()
        ]
        try:
            with torch.inference_mode():
                model.module(*args, **kwargs)
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, name: str) -> Callable[..., None]:
        def note(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            taken, gave = _first(given(args, kwargs)), _first(output)
            if taken is not None:
                self.inputs[name] = taken.clone()
            if gave is not None:
                self.outputs[name] = gave.clone()
            self.order.append(name)

        return note


def _first(value: Any) -> torch.Tensor | None:
    """The first floating tensor in what a module takes or gives."""
    if isinstance(value, torch.Tensor):
        return value if value.is_floating_point() else None
    parts: Sequence[Any] = (
        tuple(value.values()) if isinstance(value, dict) else value if hasattr(value, "__len__") else ()
    )
    return next((part for part in parts if isinstance(part, torch.Tensor) and part.is_floating_point()), None)


def _close(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    """Whether two tensors are equal up to rounding."""
    if a is None or b is None or a.shape != b.shape:
        return False
    size = float(b.abs().max())
    return bool((a - b).abs().max() <= _TOLERANCE * max(size, 1e-12))


def _norm(model: TorchModel, seen: _Seen) -> tuple[str, torch.Tensor, torch.Tensor, bool, float]:
    """Name, gain, shift, whether the mean is taken off, and epsilon of the final norm."""
    parts = dict(model.module.named_modules())
    names = [name for name in seen.order if "norm" in type(parts[name]).__name__.lower()]
    if not names:
        raise ModelError(f"{model.name} has no norm at its end.")
    name = names[-1]
    part, x, y = parts[name], seen.inputs.get(name), seen.outputs.get(name)
    weight = getattr(part, "weight", None)
    if x is None or y is None or weight is None or _inside_block(name):
        raise ModelError(
            f"{model.name} normalises inside its blocks and not at its end: what is written is not linear."
        )
    hidden = seen.outputs.get("")
    if hidden is not None and hidden.shape == y.shape and not _close(hidden, y):
        raise ModelError(f"The last hidden state of {model.name} is not what its final norm gives.")
    weight = weight.detach()
    shift = getattr(part, "bias", None)
    shift = torch.zeros_like(weight) if shift is None else shift.detach()
    found = next((getattr(part, key) for key in ("eps", "variance_epsilon", "epsilon") if hasattr(part, key)), 1e-5)
    epsilon = float(found)
    for centred in (True, False):
        base = x - x.mean(dim=-1, keepdim=True) if centred else x
        base = base / torch.sqrt(base.pow(2).mean(dim=-1, keepdim=True) + epsilon)
        for gain in (weight, 1 + weight):
            if _close(base * gain + shift, y):
                return name, gain, shift, centred, epsilon
    raise ModelError(f"The final norm of {model.name}, a {type(part).__name__}, is of no kind that is known.")


def _inside_block(name: str) -> bool:
    parts = name.split(".")
    return any(_BLOCK.fullmatch(".".join(parts[:n])) for n in range(1, len(parts)))


def _writers(model: TorchModel, seen: _Seen, start: torch.Tensor, last: torch.Tensor) -> tuple[tuple[str, ...], str]:
    """Modules that write to the stream: projections of neurons and heads, if with `start` they add up to `last`."""
    names = []
    for layer in model.layers():
        if layer.role in (NEURONS, HEADS):
            name = writer_of(model, layer.address)
            if name is None:
                return (), f"What '{layer.address}' is multiplied by is not known."
            if name not in names:
                names.append(name)
    total = start.clone()
    for name in names:
        if name not in seen.outputs or seen.outputs[name].shape != start.shape:
            return (), f"'{name}' does not write to the stream."
        total = total + seen.outputs[name]
    if not _close(total, last):
        return (), "What neurons and heads write does not add up to the stream: more is done to it on the way."
    return tuple(names), ""


def writer_of(model: TorchModel, address: str) -> str | None:
    """The linear module that a layer of neurons or heads is the input of; None where it is not known."""
    parts = dict(model.module.named_modules())
    if address.endswith("@in"):
        name = address.removesuffix("@in")
    elif address.endswith(".mlp.act"):
        name = f"{address.removesuffix('.act')}.c_proj"
    else:
        return None
    return name if name in parts and weight_rows(parts[name]) is not None else None


def weight_rows(part: nn.Module) -> torch.Tensor | None:
    """The direction [U, D] that each input of a linear module is written to; None for other modules."""
    weight = getattr(part, "weight", None)
    if weight is None or weight.dim() != 2 or isinstance(part, nn.Embedding):
        return None
    # transformers' Conv1D keeps its weight as inputs x outputs.
    rows: torch.Tensor = weight.detach() if type(part).__name__ == "Conv1D" else weight.detach().T
    return rows


def directions(model: TorchModel, read: Readout, address: str) -> tuple[torch.Tensor, bool] | None:
    """What each unit of a layer writes to the stream, [U, D], and whether the final norm is still ahead.

    Feed-forward neurons and attention heads' units write the rows of the projection that follows; a hidden state's
    units are the stream's own coordinates. A layer `LAYER~NAME` writes what its basis' decoder turns its units into,
    passed on by LAYER. None for layers that do not write to the stream directly.
    """
    source, mark, _ = address.rpartition("~")
    if mark:
        under = directions(model, read, source)
        rows = _decoder(model, address)
        return None if under is None or rows is None else (rows.to(under[0].device) @ under[0], under[1])
    if address == read.norm:
        return torch.eye(len(read.gain), device=read.gain.device), False
    if address in read.stream:
        return torch.eye(len(read.gain), device=read.gain.device), True
    name = writer_of(model, address)
    if name is None or name not in read.writers:
        return None
    rows = weight_rows(model.module.get_submodule(name))
    return None if rows is None else (rows, True)


def _decoder(model: TorchModel, address: str) -> torch.Tensor | None:
    """The decoder [U, D] of the basis of a layer, where its tap has one that does not depend on its input."""
    further = getattr(model, "further", {})
    tap = further[address][1] if address in further else None
    basis = getattr(tap, "basis", None)
    if basis is None or getattr(basis, "normalisation", "none") != "none":
        return None
    n = int(basis.width)
    decoded: torch.Tensor = basis.decode(torch.cat([torch.zeros(1, n), torch.eye(n)]))
    return decoded[1:] - decoded[:1]
