"""The straight line from a baseline to an input, along which gradients are averaged, and how the integral is taken.

Token numbers cannot be moved along a line, so for texts the line is in what the token embedding gives (before position
and norm are added); pictures are moved themselves. x(a) = x' + a (x - x'), a from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from unitscope.causal.feeding import Fed, Network, Place, place_of
from unitscope.causal.forward import Action, Keep, Replace, run
from unitscope.errors import AttributionError
from unitscope.models.address import Address
from unitscope.models.base import Layer
from unitscope.models.images import ImageModel
from unitscope.models.probe import Tap
from unitscope.sites import IMAGE

Rule = Literal["gausslegendre", "midpoint", "trapezoid", "left", "right"]
RULES: tuple[Rule, ...] = ("gausslegendre", "midpoint", "trapezoid", "left", "right")
BASELINES = ("zero", "mean", "pad", "mask")
Baseline = str | Callable[[torch.Tensor], torch.Tensor]
"""`zero`; `mean` of the vocabulary's embeddings (of a picture: each channel's); `pad` or `mask`: that token's
embedding; or a function from what the embedding gave to the baseline, of the same shape."""


def nodes(rule: Rule, n: int) -> tuple[list[float], list[float]]:
    """Points in [0, 1] and weights that add up to 1, of a quadrature rule with `n` points.

    >>> nodes("midpoint", 2)
    ([0.25, 0.75], [0.5, 0.5])
    """
    if rule not in RULES:
        raise AttributionError(f"Unknown rule '{rule}'.", expected=", ".join(RULES))
    if n < (2 if rule == "trapezoid" else 1):
        raise AttributionError(f"Got {n} steps for the rule '{rule}'.", expected="1 or more; 2 for trapezoid")
    if rule == "gausslegendre":
        at, weight = np.polynomial.legendre.leggauss(n)
        return (0.5 * (1 + at)).tolist(), (0.5 * weight).tolist()
    if rule == "trapezoid":
        weights = np.full(n, 1 / (n - 1))
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, n).tolist(), weights.tolist()
    shift = {"left": 0.0, "midpoint": 0.5, "right": 1.0}[rule]
    return ((np.arange(n) + shift) / n).tolist(), [1 / n] * n


@dataclass(frozen=True)
class Origin:
    """Where the line is: places whose tensors are moved, and how their baseline is made."""

    places: tuple[Place, ...]
    baseline: Baseline
    model: Network

    def line(self, fed: Fed) -> Line:
        """The line of a batch."""
        kept = {place.tap: Keep() for place in self.places}
        with torch.no_grad():
            run(self.model.module, fed.args, fed.kwargs, list(kept.items()), fed.n_steps, stop=True)
        ends = {place: [each.detach() for each in kept[place.tap].tensors] for place in self.places}
        starts = {place: [self._start(place, end) for end in its] for place, its in ends.items()}
        return Line(starts, ends)

    def _start(self, place: Place, end: torch.Tensor) -> torch.Tensor:
        if callable(self.baseline):
            start = self.baseline(end)
            if not isinstance(start, torch.Tensor) or start.shape != end.shape:
                shape = getattr(start, "shape", type(start).__name__)
                raise AttributionError(f"The baseline is {shape}.", expected=f"a tensor of shape {tuple(end.shape)}")
            return start.to(end)
        if self.baseline == "zero":
            return torch.zeros_like(end)
        if place.is_image:
            if self.baseline != "mean":
                raise AttributionError(f"Pictures have no baseline '{self.baseline}'.", expected="zero or mean")
            return end.mean(dim=(-2, -1), keepdim=True).expand_as(end)
        weight = _embedding(self.model, place)
        if self.baseline == "mean":
            return weight.mean(dim=0).to(end).expand_as(end)
        return weight[self._token()].to(end).expand_as(end)

    def _token(self) -> int:
        tokenizer = getattr(self.model.adapter, "tokenizer", None)
        number = getattr(tokenizer, f"{self.baseline}_token_id", None)
        if number is None:
            raise AttributionError(
                f"The tokenizer of {self.model.name} has no {self.baseline} token.", expected="zero or mean"
            )
        return int(number)


@dataclass(frozen=True)
class Line:
    """Start and end tensors of each place of the line, one a call."""

    starts: dict[Place, list[torch.Tensor]]
    ends: dict[Place, list[torch.Tensor]]

    def at(self, alpha: float) -> list[tuple[Tap, Action]]:
        """Actions that put the point at `alpha` in place."""
        return [(place.tap, Replace(self.point(place, alpha))) for place in self.starts]

    def point(self, place: Place, alpha: float) -> list[torch.Tensor]:
        """x' + alpha (x - x')."""
        return [a + alpha * (b - a) for a, b in zip(self.starts[place], self.ends[place], strict=True)]

    def difference(self, place: Place) -> list[torch.Tensor]:
        """x - x'."""
        return [b - a for a, b in zip(self.starts[place], self.ends[place], strict=True)]


def origin_of(model: Network, baseline: Baseline = "zero", path: str | None = None) -> Origin:
    """Where the input's line is: `path` (a layer), or the token embedding of a text model, or a picture itself."""
    if isinstance(baseline, str) and baseline not in BASELINES:
        raise AttributionError(f"Unknown baseline '{baseline}'.", expected=", ".join(BASELINES))
    if path is not None:
        return Origin(tuple(place_of(model, layer) for layer in model.resolve([path])), baseline, model)
    if isinstance(model, ImageModel):
        return Origin((_pictures(),), baseline, model)
    name = _embedding_name(model)
    found = [layer for layer in model.resolve([name]) if layer.address.split("#")[0] == name]
    return Origin(tuple(place_of(model, layer) for layer in found), baseline, model)


def _pictures() -> Place:
    """The first argument of the module itself."""
    return Place(Tap(Address("", "in"), IMAGE, 3, 0, 2), Layer("@in", 3, IMAGE), is_image=True)


def _embedding_name(model: Network) -> str:
    module = model.module
    own: Any = getattr(module, "get_input_embeddings", lambda: None)()
    names = {id(part): name for name, part in module.named_modules()}
    if own is not None and id(own) in names:
        return names[id(own)]
    known = {layer.address.split("#")[0] for layer in model.layers()}
    for name, part in module.named_modules():
        if isinstance(part, nn.Embedding) and name in known:
            return name
    raise AttributionError(
        f"{model.name} has no token embedding that is known.", fix="Name the layer the path begins at (path=...)."
    )


def _embedding(model: Network, place: Place) -> torch.Tensor:
    weight = getattr(model.module.get_submodule(place.tap.address.module), "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.dim() != 2 or weight.shape[1] != place.layer.width:
        raise AttributionError(
            f"'{place.address}' is no token embedding.", expected="the baseline zero, or a function of your own"
        )
    return weight.detach()


