"""`unitscope.attribute`: attribution of an output to units, or of units to words, with models and corpora by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from unitscope.causal.asked import method_of, target_of
from unitscope.causal.feeding import network
from unitscope.causal.methods import Method
from unitscope.causal.path import Baseline
from unitscope.causal.targets import Function, Target
from unitscope.causal.to_tokens import Kind, TokenMap, TokenMethod, attribute_tokens
from unitscope.causal.to_units import Progress, UnitAttribution, attribute_units
from unitscope.errors import AttributionError
from unitscope.models.base import Model
from unitscope.sites import Item


def attribute(
    model: str | Model,
    corpus: str | Iterable[Item] | Sequence[str],
    *,
    layers: str | Sequence[str],
    target: str | Target | Any,
    method: str | Method = "conductance",
    steps: int = 20,
    baseline: Baseline = "zero",
    path: str | None = None,
    batch_size: int = 32,
    keep_sites: bool = False,
    progress: Progress | None = None,
) -> UnitAttribution:
    """How much of `target` flows through every unit of `layers`, over the items of a corpus.

    `model` is a model or what `load_model` takes; `corpus` items, texts, or what `load_corpus` takes. `target` is a
    name (see `unitscope.causal.asked`), a `Target`, or a function of output and batch that gives one number an item.
    Raises AttributionError for targets that are not scalar, not there, or do not depend on a layer.
    """
    found = _model(model)
    return attribute_units(
        found,
        items_of(corpus),
        layers=[layers] if isinstance(layers, str) else list(layers),
        target=_target(target, found),
        method=method_of(method, steps) if isinstance(method, str) else method,
        baseline=baseline,
        path=path,
        batch_size=batch_size,
        keep_sites=keep_sites,
        progress=progress,
    )


def attribute_words(
    model: str | Model,
    corpus: str | Iterable[Item] | Sequence[str],
    *,
    layer: str,
    units: Sequence[int],
    method: Kind | TokenMethod = "integrated-gradients",
    steps: int = 20,
    baseline: Baseline = "zero",
    at: Any = "peak",
) -> list[TokenMap]:
    """What the words of each item give units of a layer, in order of items; see `causal.to_tokens.attribute_tokens`."""
    kind = method if isinstance(method, TokenMethod) else TokenMethod(method, steps)
    maps = attribute_tokens(_model(model), items_of(corpus), layer, units, method=kind, at=at, baseline=baseline)
    return sorted(maps, key=lambda each: each.item)


def _model(model: str | Model) -> Model:
    from unitscope.models import load_model

    return load_model(model) if isinstance(model, str) else model


def _target(target: Any, model: Model) -> Target:
    if isinstance(target, str):
        return target_of(target, network(model))
    if isinstance(target, Target):
        return target
    if callable(target):
        return Function(target, getattr(target, "__name__", "function"))
    raise AttributionError(f"Got a {type(target).__name__} for a target.", expected="a name, a Target or a function")


def items_of(corpus: str | Iterable[Item] | Sequence[str], limit: int | None = None) -> list[Item]:
    """Items of a corpus by name, of texts, or as they are."""
    if isinstance(corpus, str):
        from unitscope.corpora import load_corpus

        found = list(load_corpus(corpus))
    else:
        parts: list[Any] = list(corpus)
        found = [_text(index, each) if isinstance(each, str) else each for index, each in enumerate(parts)]
    return found if limit is None else found[:limit]


def _text(index: int, text: str) -> Item:
    from unitscope.corpora.txt import split_words
    from unitscope.sites import Text

    return Item(f"text-{index + 1}", f"text-{index + 1}", {"source": Text(text, tuple(split_words(text)))})
