"""Captum's attributions as methods: any of its layer or neuron attributions, fed and summed up as our own are.

Captum (Kokhlikyan et al. 2020, arXiv 2009.07896) takes a function of tensors and a module. The function here puts its
argument in place of what the token embedding gives (or of a picture), runs the network and returns the target, one
number an item; so token numbers, masks and padding are handled as everywhere. The extra `captum` installs it.

>>> from unitscope.causal.captum import CaptumLayer
>>> CaptumLayer("LayerDeepLift").name
'captum:LayerDeepLift'
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from unitscope.causal.forward import Replace
from unitscope.causal.methods import Found, Method, Work
from unitscope.errors import AttributionError
from unitscope.models.units import BasisTap


@dataclass(frozen=True)
class CaptumLayer(Method):
    """A layer attribution of Captum: `kind` is a class of `captum.attr` or its name, `options` go to `attribute`.

    A `kind` that takes a baseline is given the path's start. One layer is attributed at a time.
    """

    kind: Any
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The class' name."""
        return f"captum:{_kind_name(self.kind)}"

    def parameters(self) -> dict[str, Any]:
        """Plain options."""
        return {key: value for key, value in self.options.items() if isinstance(value, (str, int, float, bool))}

    def of_batch(self, work: Work) -> Found:
        """See `Method`."""
        found = {}
        for place in work.places:
            if isinstance(place.tap, BasisTap):
                raise AttributionError(
                    f"Captum reads modules, and '{place.address}' is a basis' units.", expected="a method of our own"
                )
            if place.tap.address.call not in (None, 0) or place.tap.site_axis is None:
                raise AttributionError(f"Captum reads a module's first call, not '{place.address}'.")
            forward, start, end = forwarded(work)
            part = work.model.module.get_submodule(place.tap.address.module)
            made = _made(self.kind, forward, part)
            options: dict[str, Any] = dict(self.options)
            if place.tap.address.side == "in":
                options["attribute_to_layer_input"] = True
            if "baselines" in inspect.signature(made.attribute).parameters:
                options.setdefault("baselines", start)
            with torch.enable_grad():
                values = made.attribute(end, **options)
            tensors = values if isinstance(values, (tuple, list)) else (values,)
            found[place] = place.positions([tensors[place.tap.address.element].detach()], work.fed.n_steps)
        return Found(found)


def neuron(kind: Any, work: Work, position: int, unit: int, options: Mapping[str, Any] | None = None) -> torch.Tensor:
    """A neuron attribution of Captum for one unit at one position of each row of a batch: parts [B, T] by input token.

    The unit is of the work's only place; see `unitscope.causal.to_tokens` for all units at once.
    """
    place = work.places[0]
    forward, start, end = forwarded(work)
    made = _made(kind, forward, work.model.module.get_submodule(place.tap.address.module))
    with torch.enable_grad():
        values = made.attribute(end, (position, unit), baselines=start, **dict(options or {}))
    found: torch.Tensor = values.detach().sum(dim=2)
    return found


def forwarded(work: Work) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """The network as a function of what moves along the line, with both ends.

    Captum may stack several points of the line as further rows; the rest of the batch is repeated as often.
    """
    places = list(work.line.ends)
    if len(places) != 1 or len(work.line.ends[places[0]]) != 1:
        raise AttributionError("Captum moves one tensor; this network's input is embedded several times.")
    place = places[0]
    start, end = work.line.starts[place][0], work.line.ends[place][0]

    def forward(points: torch.Tensor) -> torch.Tensor:
        times = len(points) // len(end)
        return _repeated(work, times).score([(place.tap, Replace([points]))])

    return forward, start, end


def _repeated(work: Work, times: int) -> Work:
    if times == 1:
        return work
    fed, n = work.fed, len(work.fed.rows)

    def again(value: Any) -> Any:
        is_batch = isinstance(value, torch.Tensor) and value.dim() and len(value) == n
        return torch.cat([value] * times) if is_batch else value

    longer = replace(
        fed,
        rows=np.tile(fed.rows, times),
        args=tuple(again(each) for each in fed.args),
        kwargs={name: again(value) for name, value in fed.kwargs.items()},
        real={grid: torch.cat([each] * times) for grid, each in fed.real.items()},
    )
    return Work(work.model, longer, work.places, work.origin, _again(work.target, times), work.cost)


def _again(target: Any, times: int) -> Any:
    chosen = getattr(target, "chosen", None)
    return target if chosen is None else replace(target, chosen=torch.cat([chosen] * times))


def _made(kind: Any, forward: Any, part: Any) -> Any:
    if isinstance(kind, str):
        try:
            import captum.attr
        except ImportError as error:
            raise AttributionError(
                "Captum is not installed.", fix="Install it: pip install 'unitscope[captum]'"
            ) from error
        found = getattr(captum.attr, kind, None)
        if found is None:
            raise AttributionError(f"Captum has no '{kind}'.", expected="a class of captum.attr, as LayerDeepLift")
        kind = found
    return kind(forward, part)


def _kind_name(kind: Any) -> str:
    return kind if isinstance(kind, str) else str(getattr(kind, "__name__", type(kind).__name__))
