"""Attribution of an output to the units of layers: gradient x activation, integrated gradients, conductance, influence.

With F the output, h a layer's values, x the input, x' its baseline and x(a) the line between them:

- gradient x activation: h dF/dh, at x.
- integrated gradients at the layer (Sundararajan et al. 2017, eq. 1): (h - h') times the mean of dF/dh while this
  layer alone moves from h' to h and all else stays as x makes it. Sums to what putting h' in place of h takes away.
- conductance (Dhamdhere et al. 2018, eq. 3): integral over a of dF/dh dh/da. Sums to F(x) - F(x') where the layer is
  all that the output sees of the input.
- internal influence (Leino et al. 2018, def. 1, on the line): the mean of dF/dh along the line.

One backward pass gives dF/dh of all units at all sites of all layers asked for, however many these are: for one
output, reverse mode is the cheaper one. Steps are streamed: one is held at a time, and gradients begin at the first
layer asked for, so nothing below it is kept.

Units of a basis are attributed to by the same sums in the basis' coordinates: the decoder is linear, so the chain rule
is exact, and the reconstruction error is a part of its own (as in Marks et al. 2024, section 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from unitscope.causal.feeding import Fed, Network, Place
from unitscope.causal.forward import Action, Keep, Replace, run
from unitscope.causal.path import Line, Origin, Rule, nodes
from unitscope.causal.targets import Target, scalar
from unitscope.edits import Edit
from unitscope.errors import AttributionError
from unitscope.models.editing import Editing
from unitscope.models.many import PICTURE, POSITIONS, outputs
from unitscope.models.probe import Tap
from unitscope.models.rows import announced

Tensors = dict[Place, list[torch.Tensor]]


@dataclass
class Cost:
    """Passes of one batch each: forward, backward, forward with tangents, and under edits."""

    forwards: int = 0
    backwards: int = 0
    tangents: int = 0
    edited: int = 0


@dataclass(frozen=True)
class Step:
    """Scores [B] at one point, with values and gradients of each place."""

    score: torch.Tensor
    values: Tensors
    gradients: Tensors


@dataclass(frozen=True)
class Found:
    """Attributions of one batch.

    `values` [B, T, U] by place; `explained` [B] is what they should add up to, by place (empty where a method promises
    no sum). `n_positions` tells that T are positions; else T is 1 and values are an item's.
    """

    values: Mapping[Place, torch.Tensor]
    explained: Mapping[Place, torch.Tensor] = field(default_factory=dict)
    by_position: bool = True


class Work:
    """One batch, its line and its target: what methods ask for values and gradients at points of the line."""

    def __init__(
        self, model: Network, fed: Fed, places: Sequence[Place], origin: Origin, target: Target, cost: Cost
    ) -> None:
        self.model, self.fed, self.places, self.origin, self.cost = model, fed, tuple(places), origin, cost
        self.target = self._bound(target)
        self._line: Line | None = None

    @property
    def line(self) -> Line:
        """The line from the baseline to the input, made when first asked for."""
        if self._line is None:
            self._line = self.origin.line(self.fed)
        return self._line

    @torch.no_grad()
    def _bound(self, target: Target) -> Target:
        if not target.binds:
            return target
        self.cost.forwards += 1
        return target.bound(run(self.model.module, self.fed.args, self.fed.kwargs, [], self.fed.n_steps), self.fed)

    def score(self, actions: Sequence[tuple[Tap, Action]] = ()) -> torch.Tensor:
        """The target [B] of a pass with actions."""
        from unitscope.causal.feeding import layers_of

        readers = {place: Keep() for place in layers_of(self.model, self.target.reads)} if self.target.reads else {}
        kept = [(place.tap, keep) for place, keep in readers.items()]
        self.cost.forwards += 1
        output = run(self.model.module, self.fed.args, self.fed.kwargs, [*actions, *kept], self.fed.n_steps)
        seen = {place.address: place.positions(keep.tensors, self.fed.n_steps) for place, keep in readers.items()}
        return scalar(self.target.score(output, seen, self.fed, self.model), self.target, len(self.fed.rows))

    @torch.no_grad()
    def plain(self, actions: Sequence[tuple[Tap, Action]] = ()) -> torch.Tensor:
        """`score` without gradients."""
        return self.score(actions)

    @torch.no_grad()
    def under(self, edits: Sequence[Edit]) -> torch.Tensor:
        """The target [E, B] under each edit alone; what lies below the edits is run once."""
        fed = self.fed
        assert fed.again is not None
        self.cost.edited += len(edits)
        found = torch.zeros(len(edits), len(fed.rows))
        if self.target.reads:  # what it reads may lie in what is not run again
            for at, edit in enumerate(edits):
                with announced(fed.again(fed.items, 1)[2]), Editing(self.model, [edit]):
                    found = found.to(score := self.score())
                found[at] = score
            return found
        size = sum(fed.n_steps.values()) if fed.real else PICTURE
        for at, output in outputs(self.model, fed.items, edits, max(1, POSITIONS // (size * len(fed.rows))), fed.again):
            score = scalar(self.target.score(output, {}, fed, self.model), self.target, len(fed.rows))
            found = found.to(score)
            found[at] = score
        return found

    @torch.no_grad()
    def values(self, actions: Sequence[tuple[Tap, Action]] = ()) -> tuple[torch.Tensor, Tensors]:
        """Scores and the places' values, without gradients."""
        keeps = {place: Keep() for place in self.places}
        score = self.score([*actions, *((place.tap, keep) for place, keep in keeps.items())])
        return score, {place: keep.tensors for place, keep in keeps.items()}

    @torch.no_grad()
    def reached(self, actions: Sequence[tuple[Tap, Action]]) -> Tensors:
        """The places' values by a pass that goes no further than the last of them."""
        keeps = {place: Keep() for place in self.places}
        self.cost.forwards += 1
        kept = [(place.tap, keep) for place, keep in keeps.items()]
        run(self.model.module, self.fed.args, self.fed.kwargs, [*actions, *kept], self.fed.n_steps, stop=True)
        return {place: keep.tensors for place, keep in keeps.items()}

    def step(self, actions: Sequence[tuple[Tap, Action]] = (), places: Sequence[Place] | None = None) -> Step:
        """Scores, values and gradients of a pass with actions. AttributionError: a layer is not depended on.

        Items of a batch do not see one another, so the gradient of their scores' sum is each one's own.
        """
        keeps = {place: Keep(leaf=True) for place in (self.places if places is None else places)}
        with torch.enable_grad():
            score = self.score([*actions, *((place.tap, keep) for place, keep in keeps.items())])
            if not score.requires_grad:
                raise _apart(self.target, next(iter(keeps)))
            flat = [tensor for keep in keeps.values() for tensor in keep.tensors]
            self.cost.backwards += 1
            gradients = iter(torch.autograd.grad(score.sum(), flat, allow_unused=True))
        found: Tensors = {}
        for place, keep in keeps.items():
            own = [next(gradients) for _ in keep.tensors]
            if all(each is None for each in own):
                raise _apart(self.target, place)
            found[place] = [torch.zeros_like(h) if g is None else g for g, h in zip(own, keep.tensors, strict=True)]
        values = {place: [each.detach() for each in keep.tensors] for place, keep in keeps.items()}
        return Step(score.detach(), values, found)

    def positions(self, sums: Tensors) -> dict[Place, torch.Tensor]:
        """Tensors of places as [B, T, U]."""
        return {place: place.positions(tensors, self.fed.n_steps) for place, tensors in sums.items()}


def _apart(target: Target, place: Place) -> AttributionError:
    return AttributionError(
        f"The target '{target.name}' does not depend on '{place.address}': no gradient reaches it.",
        fix="Ask for layers that the target is computed from.",
    )


class Method:
    """Base of all methods: small frozen objects whose fields are their parameters.

    `splits`: it sums up products of a layer's own changes (or values) and gradients on the input's line. What it gives
    a layer is then the same in all coordinates, so that of a basis the reconstruction error's part can be told.
    """

    name: str = ""
    splits: bool = False

    def of_batch(self, work: Work) -> Found:
        """Attributions of one batch."""
        raise NotImplementedError

    def parameters(self) -> dict[str, Any]:
        """What it was asked with, as plain values."""
        return {key: value for key, value in vars(self).items() if isinstance(value, (str, int, float, bool))}


@dataclass(frozen=True)
class GradientXActivation(Method):
    """h dF/dh at the input: what the output would lose without the unit, were it linear."""

    name = "gradient-x-activation"
    splits = True

    def of_batch(self, work: Work) -> Found:
        """See `Method`."""
        step = work.step()
        products = {
            place: [h * g for h, g in zip(step.values[place], step.gradients[place], strict=True)]
            for place in work.places
        }
        return Found(work.positions(products))


@dataclass(frozen=True)
class IntegratedGradients(Method):
    """Integrated gradients in a layer's own values, one layer at a time.

    Its line ends where the input puts the layer, and begins where the input's baseline puts it (`start` "input") or at
    zero. Sundararajan et al. 2017, eq. 1.
    """

    steps: int = 20
    rule: Rule = "gausslegendre"
    start: Literal["input", "zero"] = "input"
    name = "integrated-gradients"

    def of_batch(self, work: Work) -> Found:
        """See `Method`."""
        whole, ends = work.values()
        starts = {place: [torch.zeros_like(each) for each in tensors] for place, tensors in ends.items()}
        if self.start == "input":
            starts = work.values(work.line.at(0.0))[1]
        alphas, weights = nodes(self.rule, self.steps)
        values: Tensors = {}
        explained = {}
        for place in work.places:
            moved = [b - a for a, b in zip(starts[place], ends[place], strict=True)]
            total = [torch.zeros_like(each) for each in moved]
            for alpha, weight in zip(alphas, weights, strict=True):
                point = [a + alpha * d for a, d in zip(starts[place], moved, strict=True)]
                for into, gradient in zip(total, work.step([(place.tap, Replace(point))], [place]).gradients[place]):
                    into.add_(gradient, alpha=weight)
            values[place] = [each * d for each, d in zip(total, moved, strict=True)]
            explained[place] = whole - work.plain([(place.tap, Replace(starts[place]))])
        return Found(work.positions(values), explained)


How = Literal["trapezoid", "left", "tangents"]


@dataclass(frozen=True)
class Conductance(Method):
    """Integral of dF/dh dh/da along the input's line, of all layers at once. Dhamdhere et al. 2018, eq. 3.

    `how`: `trapezoid`, the default, takes dh from differences of neighbouring points and the mean of the gradients at
    both (an error of order 1/steps²). `left` takes the gradient at the first of the two, at Gauss-Legendre points:
    the sum that Captum's LayerConductance forms. `tangents` takes dh/da itself, in forward mode, at Gauss-Legendre
    points: the most exact, at about three times the cost of a step.
    """

    steps: int = 20
    how: How = "trapezoid"
    name = "conductance"
    splits = True

    def of_batch(self, work: Work) -> Found:
        """See `Method`."""
        if self.how not in ("trapezoid", "left", "tangents"):
            raise AttributionError(f"Unknown kind of conductance '{self.how}'.", expected="trapezoid, left, tangents")
        if self.how == "trapezoid":
            total, explained = self._differences(work)
        else:
            total = self._tangents(work) if self.how == "tangents" else self._differences(work)[0]
            explained = work.plain() - work.plain(work.line.at(0.0))
        return Found(work.positions(total), dict.fromkeys(work.places, explained))

    def _differences(self, work: Work) -> tuple[Tensors, torch.Tensor]:
        """The sums, and how much the output changes from the first point to the last."""
        rule: Rule = "gausslegendre" if self.how == "left" else "trapezoid"
        alphas, _ = nodes(rule, self.steps + 1)
        total: Tensors = {}
        before: Step | None = None
        change = torch.zeros(0)
        for at, alpha in enumerate(alphas):
            last = at == self.steps
            if last and self.how == "left":  # the gradient there is not used
                now = Step(before.score if before else torch.zeros(0), work.reached(work.line.at(alpha)), {})
            else:
                now = work.step(work.line.at(alpha))
            change = now.score if before is None else change
            if before is None:
                total = {place: [torch.zeros_like(h) for h in tensors] for place, tensors in now.values.items()}
            else:
                self._add(total, before, now)
            before = now
        assert before is not None
        return total, before.score - change

    def _add(self, total: Tensors, before: Step, now: Step) -> None:
        for place, sums in total.items():
            for call, into in enumerate(sums):
                moved = now.values[place][call] - before.values[place][call]
                if self.how == "left":
                    into.addcmul_(moved, before.gradients[place][call])
                else:
                    into.addcmul_(moved, before.gradients[place][call] + now.gradients[place][call], value=0.5)

    def _tangents(self, work: Work) -> Tensors:
        from unitscope.causal.tangents import along

        alphas, weights = nodes("gausslegendre", self.steps)
        total: Tensors = {}
        for alpha, weight in zip(alphas, weights, strict=True):
            gradients = work.step(work.line.at(alpha)).gradients
            for place, tensors in along(work, alpha).items():
                sums = total.setdefault(place, [torch.zeros_like(each) for each in tensors])
                for into, tangent, gradient in zip(sums, tensors, gradients[place], strict=True):
                    into.addcmul_(tangent, gradient, value=weight)
        return total


@dataclass(frozen=True)
class InternalInfluence(Method):
    """The mean of dF/dh along the input's line, of all layers at once. Leino et al. 2018, def. 1."""

    steps: int = 20
    rule: Rule = "gausslegendre"
    name = "internal-influence"

    def of_batch(self, work: Work) -> Found:
        """See `Method`."""
        alphas, weights = nodes(self.rule, self.steps)
        total: Tensors = {}
        for alpha, weight in zip(alphas, weights, strict=True):
            for place, gradients in work.step(work.line.at(alpha)).gradients.items():
                sums = total.setdefault(place, [torch.zeros_like(each) for each in gradients])
                for into, gradient in zip(sums, gradients, strict=True):
                    into.add_(gradient, alpha=weight)
        return Found(work.positions(total))
