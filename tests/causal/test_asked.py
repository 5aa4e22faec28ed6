"""Targets and methods by their names: what each is, and what is told of one that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unitscope.causal.ablation import Ablation
from unitscope.causal.asked import METHODS, method_of, target_of
from unitscope.causal.methods import Conductance, GradientXActivation, IntegratedGradients, InternalInfluence
from unitscope.causal.targets import ClassLogit, Coordinate, NextToken, UnitValue
from unitscope.errors import AttributionError
from unitscope.models.huggingface import from_pretrained


@pytest.fixture(scope="module")
def decoder(language_model: Callable[[str], Path]) -> Any:
    return from_pretrained(language_model("gpt2"))


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("class:3", ClassLogit(3)),
        ("class:top", ClassLogit(None)),
        ("next", NextToken(value="logit")),
        ("probability@2", NextToken(position=2, value="log-probability")),
        ("loss@-1", NextToken(position=-1, value="loss")),
        ("output:7", Coordinate(7, "mean")),
        ("output:7:first", Coordinate(7, "first")),
        ("unit:h.0.mlp.act:5", UnitValue("h.0.mlp.act", 5, None)),
        ("unit:h.0.mlp.act:5@1", UnitValue("h.0.mlp.act", 5, 1)),
    ],
)
def test_a_target_by_its_name(decoder: Any, text: str, target: Any) -> None:
    assert target_of(text, decoder) == target


def test_an_address_may_end_in_at_in(decoder: Any) -> None:
    layer = next(layer.address for layer in decoder.layers() if layer.address.endswith("@in"))
    assert target_of(f"unit:{layer}:2", decoder) == UnitValue(layer, 2, None)


def test_a_token_is_that_of_the_tokenizer(decoder: Any) -> None:
    tokenizer = decoder.adapter.tokenizer
    found = target_of("token:dog", decoder)
    assert isinstance(found, NextToken)
    assert tokenizer.decode([found.token]).strip() == "dog"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Cannot read the target ''"),
        ("lossy", "Cannot read the target 'lossy'"),
        ("class:x", "Cannot read the target 'class:x'"),
        ("output:3:middle", "Cannot read the target 'output:3:middle'"),
        ("unit:h.0.mlp.act", "Cannot read the target 'unit:h.0.mlp.act'"),
        ("token:qqqqzzzz", "is no single token"),
        ("python:no_such_module:f", "Cannot import 'python:no_such_module:f'"),
    ],
)
def test_what_is_no_target(decoder: Any, text: str, told: str) -> None:
    with pytest.raises(AttributionError, match=told):
        target_of(text, decoder)


def test_methods_by_their_names() -> None:
    kinds = (Conductance, IntegratedGradients, GradientXActivation, InternalInfluence, Ablation)
    assert [type(method_of(name, 5)) for name in METHODS] == list(kinds)
    assert method_of("conductance", 7) == Conductance(7)
    assert method_of("ablation", 5, {"a": [1]}) == Ablation({"a": [1]})
    with pytest.raises(AttributionError, match=r"Unknown method 'conductence'.*conductance"):
        method_of("conductence", 5)
    with pytest.raises(AttributionError, match="Got 0 steps"):
        method_of("conductance", 0)
