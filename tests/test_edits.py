"""Edits as declarations: how units are named, values given, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope import edits
from unitscope.changes import Put
from unitscope.edits import Edit, Target
from unitscope.errors import EditError
from unitscope.models.base import Layer


@dataclass(frozen=True)
class Ranked:
    """What edits need of a ranking."""

    units: tuple[str, ...]
    scores: Any


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("h.1:3", [("h.1", (3,))]),
        ("h.1:3,0", [("h.1", (3, 0))]),
        ("h.1@in[1]#2:3", [("h.1@in[1]#2", (3,))]),
        ("h.1~sae:12", [("h.1~sae", (12,))]),
        ("h.1", [("h.1", None)]),
        (["h.1:3", "h.0:2", "h.1:1"], [("h.1", (3, 1)), ("h.0", (2,))]),
        (("h.1", np.array([4, 2])), [("h.1", (4, 2))]),
        ((Layer("h.1", 8, "source"), [4]), [("h.1", (4,))]),
        (Layer("h.1", 8, "source"), [("h.1", None)]),
        (("h.1:1", "h.2:0"), [("h.1", (1,)), ("h.2", (0,))]),
        (Ranked(("h.1:5", "h.0:1"), np.array([2.0, 1.0])), [("h.1", (5,)), ("h.0", (1,))]),
    ],
)
def test_units_can_be_named_in_many_ways(units: Any, expected: list[Any]) -> None:
    assert [(target.layer, target.units) for target, _ in edits.targets(units)] == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=12, unique=True))
def test_values_follow_the_order_in_which_units_are_named(named: list[tuple[int, int]]) -> None:
    edit = edits.set([f"h.{layer}:{unit}" for layer, unit in named], np.arange(len(named)))
    found = {}
    for step in edit.steps:
        assert isinstance(step.change, Put)
        numbers = np.broadcast_to(step.change.numbers, len(step.target.units or ()))
        found |= {(step.target.layer, unit): number for unit, number in zip(step.target.units or (), numbers)}
    assert found == {(f"h.{layer}", unit): float(at) for at, (layer, unit) in enumerate(named)}


def test_composition_keeps_order_and_has_an_identity() -> None:
    a, b = edits.zero("h.0:1"), edits.scale("h.1:1", 2.0)
    assert (a + b).steps == (*a.steps, *b.steps)
    assert (Edit() + a).steps == (a + Edit()).steps == a.steps
    assert (b + a).layers == ("h.1", "h.0")
    assert edits.ranked(Ranked(("h.0:1", "h.0:2", "h.0:3"), np.zeros(3)), 2) == ("h.0:1", "h.0:2")  # type: ignore[arg-type]
    assert edits.zero(edits.head("h.0@in", 1)).steps[0].target == Target("h.0@in", heads=(1,))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: edits.zero("h.0:x"), "Cannot read 'h.0:x' as a unit. Expected: LAYER:UNIT, as 'encoder.layer.3:17'"),
        (lambda: edits.zero("h.0:-1"), "Cannot read 'h.0:-1' as a unit"),
        (lambda: edits.zero("h.0:²"), "Cannot read 'h.0:²' as a unit"),
        (lambda: edits.zero([]), "No units were named. Expected: addresses"),
        (lambda: edits.zero(3), "Got 3 as units. Expected: addresses"),
        (lambda: edits.zero(["h.0:1", "h.0:1"]), "Unit 'h.0:1' is named twice in one edit. Compose edits with +"),
        (lambda: edits.set("h.0:1,2", [1.0, 2.0, 3.0]), r"Got values of shape \(3,\) for 2 units"),
        (lambda: edits.set("h.0:1", float("nan")), "Got a value that is no finite number"),
        (lambda: edits.zero("h.0:1", where="somewhere"), "Got where='somewhere'. Expected: a Mask, 'everywhere'"),
        (lambda: edits.project_out("h.0", [0.0, 0.0]), "The directions are zero, and span nothing"),
        (lambda: edits.project_out("h.0", [np.inf, 0.0]), "Expected: finite numbers"),
        (lambda: edits.quantile("h.0:0", 1.5, {}), "Got the quantile 1.5. Expected: a number from 0 to 1"),
        (lambda: edits.mean("h.0:0", {"h.1": np.ones((2, 2))}), "There are no values of layer 'h.0'. Closest: 'h.1'"),
        (lambda: edits.mean("h.1:2", {"h.1": np.ones((2, 2))}), r"Unit 'h.1:2' is out of range. Expected: 0 to 1"),
        (lambda: edits.mean("h.1:0", {"h.1": np.ones((2, 2))}, sites=np.zeros(2, bool)), "No site of layer 'h.1' is"),
        (lambda: edits.mean("h.1:0", {"h.1": np.ones((2, 2))}, concept="upos:NOUN"), "These values have no concepts"),
        (lambda: edits.mean(edits.head("h.1", 0), {}), "Values are taken unit by unit"),
        (
            lambda: edits.mean(["h.1:0", "h.0:0"], {"h.1": np.ones((2, 2)), "h.0": np.ones((3, 2))}),
            "The layers' values are at different sites",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, text: str) -> None:
    with pytest.raises(EditError, match=text):
        make()


def test_declaring_edits_needs_no_torch() -> None:
    code = "import sys; from unitscope import edits, masks; edits.zero('h.0:1'); print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
