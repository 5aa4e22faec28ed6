"""Forward mode: how all units of layers change at once as the input moves in one direction, or in many.

A tangent of the input is carried through the network beside its values (Wengert 1964); `torch.func.jvp` does so, and
`vmap` carries many tangents past values that are computed once. One sweep a direction gives every unit at every site,
where reverse mode needs one pass a unit and site. Fast attention kernels have no forward derivative, so attention is
computed plainly meanwhile.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.func import jvp, vmap

from unitscope.causal.feeding import Fed, Network, Place
from unitscope.causal.forward import Keep, Replace, run
from unitscope.models.mass import plain_attention

if TYPE_CHECKING:
    from unitscope.causal.methods import Tensors, Work


@contextmanager
def forward_mode(module: nn.Module) -> Iterator[None]:
    """What forward mode needs: no graph, plain attention, and torch's rules, whose loading warns of its own age."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("torch._decomp.decompositions_for_jvp")
    with torch.no_grad(), plain_attention(module):
        yield


def along(work: Work, alpha: float) -> Tensors:
    """dh/da of every place at a point of the line: one tangent, the whole of x - x'."""
    origins = list(work.line.starts)
    points = [each for place in origins for each in work.line.point(place, alpha)]
    directions = [each for place in origins for each in work.line.difference(place)]
    calls = [len(work.line.starts[place]) for place in origins]
    work.cost.tangents += 1

    def values(*moved: torch.Tensor) -> tuple[torch.Tensor, ...]:
        flat = reached(work.model, work.fed, origins, calls, moved, work.places)
        return tuple(tensor for tensors in flat for tensor in tensors)

    with forward_mode(work.model.module):
        tangents = iter(jvp(values, tuple(points), tuple(directions))[1])
    n_calls = [1 if place.tap.site_axis is not None else work.fed.n_steps[place.tap.grid] for place in work.places]
    return {place: [next(tangents) for _ in range(n)] for place, n in zip(work.places, n_calls, strict=True)}


def reached(
    model: Network,
    fed: Fed,
    origins: Sequence[Place],
    calls: Sequence[int],
    points: Sequence[torch.Tensor],
    places: Sequence[Place],
) -> list[list[torch.Tensor]]:
    """Values of `places`, one tensor a call, with `points` in place of what `origins` give; no deeper than needed."""
    rest = iter(points)
    actions = [(place.tap, Replace([next(rest) for _ in range(n)])) for place, n in zip(origins, calls, strict=True)]
    keeps = {place: Keep() for place in places}
    kept = [(place.tap, keep) for place, keep in keeps.items()]
    run(model.module, fed.args, fed.kwargs, [*actions, *kept], fed.n_steps, stop=True)
    return [keeps[place].tensors for place in places]


def many(
    model: Network,
    fed: Fed,
    origin: Place,
    point: torch.Tensor,
    directions: torch.Tensor,
    place: Place,
) -> torch.Tensor:
    """Change of a layer's positions [n, B, T, U] for each of n `directions` [n, ...] of one tensor at `point`."""

    def values(moved: torch.Tensor) -> torch.Tensor:
        return place.positions(reached(model, fed, [origin], [1], [moved], [place])[0], fed.n_steps)

    with forward_mode(model.module):
        found: torch.Tensor = vmap(lambda tangent: jvp(values, (point,), (tangent,))[1])(directions)
    return found
