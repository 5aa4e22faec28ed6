"""Targets and methods by their names, as the command line and `unitscope.attribute` take them.

A target is `KIND[:WHAT][@POSITION]`:

- `class:3`, `class:top`: logit of a class, of a network with classes;
- `output:7`, `output:7:first`: a coordinate of the last hidden state, pooled (mean, first, last);
- `next`, `probability`, `loss`: logit, log-probability and loss of the token that really follows;
- `token:WORD`: logit of a token after a position (the last, where none is given);
- `unit:LAYER:5`: a unit's value, its mean over the item or at a position;
- `python:pkg.module:function`: a function of the network's output and the batch that gives one number an item.
"""

from __future__ import annotations

import importlib
from typing import Any

from unitscope.causal.ablation import Ablation
from unitscope.causal.feeding import Network
from unitscope.causal.methods import Conductance, GradientXActivation, IntegratedGradients, InternalInfluence, Method
from unitscope.causal.targets import ClassLogit, Coordinate, Function, NextToken, Target, UnitValue, Value
from unitscope.errors import AttributionError, closest

TARGETS = ("class", "output", "next", "probability", "loss", "token", "unit", "python")
METHODS = ("conductance", "integrated-gradients", "gradient-x-activation", "internal-influence", "ablation")
_VALUES: dict[str, Value] = {"next": "logit", "probability": "log-probability", "loss": "loss"}
_EXPECTED = (
    "class:3, class:top, output:7, next, probability, loss, token:WORD, unit:LAYER:5, python:pkg.module:function"
)


def target_of(text: str, model: Network) -> Target:
    """A target by its name. Raises AttributionError for one that cannot be read.

    >>> target_of("class:3", None), target_of("loss@-2", None)
    (ClassLogit(index=3), NextToken(token=None, position=-2, value='loss', label=''))
    """
    if text.startswith("python:"):
        return _function(text)
    body, at, place = text.rpartition("@")
    # A layer's address may end in @in.
    position = _number(place) if at else None
    if position is None:
        body = text
    kind, _, what = body.partition(":")
    if kind == "class" and position is None and (what == "top" or _number(what) is not None):
        return ClassLogit(None if what == "top" else _number(what))
    if kind in _VALUES and not what:
        return NextToken(position=position, value=_VALUES[kind])
    if kind == "token" and what:
        return NextToken(_token(what, model), position, label=what)
    if kind == "unit":
        layer, _, unit = what.rpartition(":")
        number = _number(unit)
        if layer and number is not None:
            return UnitValue(model.resolve([layer])[0].address, number, position)
    if kind == "output" and position is None:
        unit, _, pool = what.partition(":")
        number = _number(unit)
        if number is not None and pool in ("", "mean", "first", "last"):
            return Coordinate(number, pool or "mean")  # type: ignore[arg-type]
    raise AttributionError(f"Cannot read the target '{text}'.", expected=_EXPECTED, fix=closest(kind, TARGETS))


def _number(text: str) -> int | None:
    return int(text) if text.removeprefix("-").isdecimal() else None


def _token(word: str, model: Network) -> int:
    """The number of a token; a word is looked for with the blank before it first."""
    tokenizer: Any = getattr(getattr(model, "adapter", None), "tokenizer", None)
    if tokenizer is None:
        raise AttributionError(f"{model.name} has no tokenizer to read the token '{word}'.")
    for text in (f" {word}", word):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) == 1 and ids[0] != tokenizer.unk_token_id:
            return int(ids[0])
    raise AttributionError(f"'{word}' is no single token of {model.name}.", expected="one token, as the model has it")


def _function(text: str) -> Target:
    name, _, function = text.removeprefix("python:").partition(":")
    try:
        found = getattr(importlib.import_module(name), function)
    except Exception as error:  # importing runs a module of the user's, which may fail in any way
        raise AttributionError(f"Cannot import '{text}': {error}.", expected="python:pkg.module:function") from error
    return Function(found, text)


def method_of(name: str, steps: int, units: dict[str, list[int]] | None = None) -> Method:
    """A method by its name; `captum:CLASS` is a layer attribution of Captum. Raises AttributionError."""
    if steps < 1:
        raise AttributionError(f"Got {steps} steps.", expected="1 or more")
    if name == "conductance":
        return Conductance(steps)
    if name == "integrated-gradients":
        return IntegratedGradients(steps)
    if name == "gradient-x-activation":
        return GradientXActivation()
    if name == "internal-influence":
        return InternalInfluence(steps)
    if name == "ablation":
        return Ablation(units or {})
    if name.startswith("captum:"):
        from unitscope.causal.captum import CaptumLayer

        return CaptumLayer(name.removeprefix("captum:"))
    raise AttributionError(f"Unknown method '{name}'.", expected=", ".join(METHODS), fix=closest(name, METHODS))
