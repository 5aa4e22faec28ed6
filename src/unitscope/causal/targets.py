"""Outputs that units are held to account for: one number a row of a batch, that gradients can be taken of.

Each target is a small frozen object. `bound` fixes what depends on the real input (which class is the top one), so
that the same number is followed along the whole path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch

from unitscope.causal.feeding import Fed, Network
from unitscope.errors import AttributionError, ModelError, UnitscopeError
from unitscope.models.adapters import TARGET

Seen = Mapping[str, torch.Tensor]
"""Values [B, T, U] of the layers that a target reads, by address."""
Value = Literal["logit", "log-probability", "loss"]
Pool = Literal["mean", "first", "last"]


@dataclass(frozen=True)
class Target:
    """Base of all targets. `name` is what reports call it; `reads` are layers whose values it is given."""

    @property
    def name(self) -> str:
        """Short name."""
        raise NotImplementedError

    @property
    def reads(self) -> tuple[str, ...]:
        """Addresses of layers it needs."""
        return ()

    @property
    def binds(self) -> bool:
        """Whether it depends on the output for the real input."""
        return False

    def bound(self, output: Any, fed: Fed) -> Target:
        """The target for one batch, given the output for its real input."""
        return self

    def score(self, output: Any, seen: Seen, fed: Fed, model: Network) -> torch.Tensor:
        """One number a row, [B]."""
        raise NotImplementedError


@dataclass(frozen=True)
class ClassLogit(Target):
    """The logit of a class, from an output [B, C]; the top class of each item where `index` is None."""

    index: int | None = None
    chosen: torch.Tensor | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Short name."""
        return "class:top" if self.index is None else f"class:{self.index}"

    @property
    def binds(self) -> bool:
        """The top class does, until it is known."""
        return self.index is None and self.chosen is None

    def bound(self, output: Any, fed: Fed) -> Target:
        """Hold on to the class that is the top one now."""
        return self if not self.binds else replace(self, chosen=class_logits(output).detach().argmax(dim=1))

    def score(self, output: Any, seen: Seen, fed: Fed, model: Network) -> torch.Tensor:
        """See `Target`. Raises AttributionError for a class that is not there, or no classes at all."""
        logits = class_logits(output)
        if self.chosen is not None:
            return logits.gather(1, self.chosen[:, None])[:, 0]
        index = 0 if self.index is None else self.index
        if not 0 <= index < logits.shape[1]:
            raise AttributionError(
                f"Class {index} of {logits.shape[1]}.", expected=f"a class from 0 to {logits.shape[1] - 1}"
            )
        return logits[:, index]


@dataclass(frozen=True)
class NextToken(Target):
    """What a language model says of the token after a position: its logit, log-probability or loss.

    `token` is a token's number, None for the one that really follows. `position` counts from 0, or from the text's end
    where it is negative; None is the mean over all positions that are followed by a token, or with a `token` the last.
    """

    token: int | None = None
    position: int | None = None
    value: Value = "logit"
    label: str = ""

    @property
    def name(self) -> str:
        """Short name."""
        shown = {"logit": "next", "log-probability": "probability", "loss": "loss"}[self.value]
        what = shown if self.token is None else f"token:{self.label or self.token}"
        return what if self.position is None else f"{what}@{self.position}"

    def score(self, output: Any, seen: Seen, fed: Fed, model: Network) -> torch.Tensor:
        """See `Target`. Raises AttributionError for models without an output embedding and positions not there."""
        grid = TARGET if TARGET in fed.real else "source"
        ids = fed.kwargs.get("decoder_input_ids" if grid == TARGET else "input_ids")
        if ids is None:
            raise AttributionError(f"{model.name} reads no token numbers.", expected="a language model")
        real = fed.real[grid]
        rows, at = self._positions(real)
        hidden = hidden_state(output)
        scores = token_logits(model, hidden[rows, at])
        if self.token is None:
            chosen = ids[rows, at + 1]
        else:
            if not 0 <= self.token < scores.shape[1]:
                raise AttributionError(f"Token {self.token} of {scores.shape[1]}.", expected="a token of the model")
            chosen = torch.full_like(rows, self.token)
        value = scores.gather(1, chosen[:, None])[:, 0]
        if self.value != "logit":
            value = value - scores.logsumexp(dim=1)
        if self.value == "loss":
            value = -value
        n = torch.zeros(len(real), dtype=value.dtype, device=value.device).index_add(0, rows, torch.ones_like(value))
        return torch.zeros_like(n).index_add(0, rows, value) / n

    def _positions(self, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        n = real.sum(dim=1)
        follows = 1 if self.token is None else 0  # a real next token must be there
        if self.position is None and self.token is None:
            if int(n.min()) < 2:
                raise AttributionError("A text of one token has no next one.", fix="Leave such items out.")
            rows, at = (real[:, 1:] & real[:, :-1]).nonzero(as_tuple=True)
            return rows, at
        place = -1 if self.position is None else self.position
        at = torch.full_like(n, place) if place >= 0 else n + place
        bad = (at < 0) | (at + follows >= n)
        if bool(bad.any()):
            short = int(n[bad][0])
            last = short - 1 - follows
            raise AttributionError(
                f"A text of {short} tokens has no position {place} for '{self.name}'.",
                expected=f"a position from 0 to {last}, or from {-short} to {last - short}",
            )
        return torch.arange(len(n), device=n.device), at


@dataclass(frozen=True)
class Coordinate(Target):
    """One coordinate of the last hidden state, pooled over an item's real positions (`mean`, `first` or `last`)."""

    index: int
    pool: Pool = "mean"

    @property
    def name(self) -> str:
        """Short name."""
        return f"output:{self.index}" if self.pool == "mean" else f"output:{self.index}:{self.pool}"

    def score(self, output: Any, seen: Seen, fed: Fed, model: Network) -> torch.Tensor:
        """See `Target`."""
        pooled = _pooled(hidden_state(output), fed, self.pool)
        if not 0 <= self.index < pooled.shape[1]:
            raise AttributionError(
                f"Coordinate {self.index} of an output of {pooled.shape[1]}.",
                expected=f"a number from 0 to {pooled.shape[1] - 1}",
            )
        return pooled[:, self.index]


@dataclass(frozen=True)
class HeadLogit(Target):
    """The logit of a class by a linear head [C, D] (and its bias [C]) on the pooled last hidden state."""

    weight: torch.Tensor = field(compare=False, repr=False)
    index: int
    bias: torch.Tensor | None = field(default=None, compare=False, repr=False)
    pool: Pool = "mean"

    @property
    def name(self) -> str:
        """Short name."""
        return f"class:{self.index}"

    def score(self, output: Any, seen: Seen, fed: Fed, model: Network) -> torch.Tensor:
        """See `Target`."""
        if not 0 <= self.index < len(self.weight):
            raise AttributionError(
                f"Class {self.index} of {len(self.weight)}.", expected=f"a class from 0 to {len(self.weight) - 1}"
            )
        pooled = _pooled(hidden_state(output), fed, self.pool)
        if pooled.shape[1] != self.weight.shape[1]:
            raise AttributionError(f"A head on {self.weight.shape[1]} inputs on an output of {pooled.shape[1]}.")
        logit = pooled @ self.weight[self.index].to(pooled)
        return logit if self.bias is None else logit + self.bias[self.index].to(pooled)


@dataclass(frozen=True)
class UnitValue(Target):
    """A unit's value, its mean over an item's real positions or at one position."""

    layer: str
    unit: int
    position: int | None = None

    @property
    def name(self) -> str:
        """Short name."""
        where = "" if self.position is None else f"@{self.position}"
        return f"unit:{self.layer}:{self.unit}{where}"

    @property
    def reads(self) -> tuple[str, ...]:
        """Its layer."""
        return (self.layer,)

    def score(self, output: Any, seen: Seen, fed: Fed, model: Network) -> torch.Tensor:
        """See `Target`."""
        values = seen[self.layer]
        if not 0 <= self.unit < values.shape[2]:
            raise AttributionError(
                f"Unit {self.unit} of '{self.layer}', which has {values.shape[2]}.",
                expected=f"a unit from 0 to {values.shape[2] - 1}",
            )
        column = values[:, :, self.unit]
        grid = next(iter(fed.real), None)
        real = fed.real.get(TARGET if "decoder" in self.layer and TARGET in fed.real else grid or "")
        if real is None or real.shape != column.shape:
            real = torch.ones_like(column, dtype=torch.bool)
        n = real.sum(dim=1)
        if self.position is None:
            return (column * real).sum(dim=1) / n
        at = torch.full_like(n, self.position) if self.position >= 0 else n + self.position
        if bool(((at < 0) | (at >= n)).any()):
            raise AttributionError(f"An item of {int(n.min())} positions has no position {self.position}.")
        return column.gather(1, at[:, None])[:, 0]


@dataclass(frozen=True)
class Function(Target):
    """A function of the module's output and the batch (`Fed`) that gives one number a row, [B]."""

    function: Callable[[Any, Fed], torch.Tensor]
    label: str = "function"

    @property
    def name(self) -> str:
        """Short name."""
        return self.label

    def score(self, output: Any, seen: Seen, fed: Fed, model: Network) -> torch.Tensor:
        """See `Target`. Raises AttributionError where the function fails."""
        try:
            return self.function(output, fed)
        except UnitscopeError:
            raise
        except Exception as error:
            raise AttributionError(
                f"The target '{self.label}' failed: {type(error).__name__}: {error}.",
                expected="a function of the network's output and the batch",
            ) from error


def scalar(found: Any, target: Target, n_rows: int) -> torch.Tensor:
    """What a target gave, checked: a floating number a row. Raises AttributionError."""
    expected = f"one number an item, a tensor of shape ({n_rows},)"
    if not isinstance(found, torch.Tensor) or found.shape != (n_rows,):
        shape = f"shape {tuple(found.shape)}" if isinstance(found, torch.Tensor) else f"type {type(found).__name__}"
        raise AttributionError(
            f"The target '{target.name}' is not scalar: it gave {shape} for {n_rows} items.", expected=expected
        )
    if not found.is_floating_point():
        raise AttributionError(
            f"The target '{target.name}' gave {str(found.dtype).removeprefix('torch.')}, which has no gradient.",
            expected=f"{expected}, of floating numbers",
        )
    return found


def class_logits(output: Any) -> torch.Tensor:
    """Class scores [B, C] in what a module gave. Raises AttributionError where there are none."""
    found = getattr(output, "logits", output)
    if isinstance(found, (tuple, list)) and found:
        found = found[0]
    if not isinstance(found, torch.Tensor) or found.flatten(1).dim() != 2 or found[0].numel() != found.shape[1]:
        shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise AttributionError(
            f"The network's output has no classes: it is {shape}.",
            expected="an output [items, classes]",
            fix="For a text model without a head ask for 'output:K', 'next' or 'unit:LAYER:K', or give a head.",
        )
    return found.flatten(1)


def hidden_state(output: Any) -> torch.Tensor:
    """The last hidden state [B, T, D] in what a module gave. Raises AttributionError where there is none."""
    found = getattr(output, "last_hidden_state", output)
    if isinstance(found, (tuple, list)) and found:
        found = found[0]
    if not isinstance(found, torch.Tensor) or found.dim() not in (2, 3):
        raise AttributionError(
            "The network gives no hidden state.", expected="an output [items, positions, units] or [items, units]"
        )
    return found if found.dim() == 3 else found[:, None]


def _pooled(hidden: torch.Tensor, fed: Fed, pool: Pool) -> torch.Tensor:
    real = fed.real.get(TARGET, fed.real.get("source"))
    if real is None or real.shape[1] != hidden.shape[1]:
        real = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
    if pool == "first":
        return hidden[:, 0]
    n = real.sum(dim=1)
    if pool == "last":
        return hidden[torch.arange(len(n), device=n.device), n - 1]
    return (hidden * real[..., None]).sum(dim=1) / n[:, None]


def token_logits(model: Network, hidden: torch.Tensor) -> torch.Tensor:
    """Logits [n, V] of hidden states [n, D] that the final norm gave."""
    head = getattr(model, "head", None)
    if head is None:
        raise AttributionError(f"{model.name} has no output embedding that is known.", expected="a language model")
    try:
        # Reading it may open the checkpoint; it is asked for at every step.
        if "_head" not in model.__dict__:
            model.__dict__["_head"] = head()
        unembedding, bias, _ = model.__dict__["_head"]
    except ModelError as error:
        raise AttributionError(str(error), expected="a language model for a target of tokens") from error
    logits: torch.Tensor = hidden @ unembedding.to(hidden).T
    if bias is not None:
        logits = logits + bias.to(hidden)
    cap = getattr(getattr(model.module, "config", None), "final_logit_softcapping", None)
    return logits if cap is None else cap * torch.tanh(logits / cap)
