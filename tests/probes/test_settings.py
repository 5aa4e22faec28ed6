"""Settings of a probe: names, plain values, and what makes no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from unitscope.errors import ProbeError, UnitscopeError
from unitscope.probes.settings import settings_of


def test_names_are_made_from_the_concepts_and_the_kind() -> None:
    assert settings_of("upos", {}).called == "upos"
    assert settings_of("feats:Number=Plur", {"kind": "gaussian"}).called == "feats-Number=Plur-gaussian"
    assert settings_of("!?", {}).called == "probe"
    assert settings_of("upos", {"name": "mine"}).called == "mine"
    assert settings_of("=x" + "y" * 200, {"kind": "gaussian"}).called == "x" + "y" * 79 + "-gaussian"


def test_parameters_are_plain_and_leave_out_what_changes_nothing() -> None:
    plain = settings_of("upos", {"layers": ["a", "b"], "threads": 2, "name": "x"}).parameters()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["layers"] == ["a", "b"]
    assert not {"threads", "name", "device", "memory"} & set(plain)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"kind": "gausian"},
            r"Unknown kind of probe 'gausian'\. Expected: linear or gaussian\. Closest: 'gaussian'\.",
        ),
        ({"seeds": 1}, r"Got seeds=1\. Expected: 2 or more"),
        ({"l1": -1.0}, r"Got l1=-1\.0\. Expected: 0 or a positive number"),
        ({"l2": float("nan")}, "Got l2=nan"),
        ({"kind": "gaussian", "l1": 0.1}, "Got a penalty for a Gaussian probe"),
        ({"delta": 0.0}, r"Got delta=0\.0\. Expected: a number between 0 and 1"),
        ({"layers": "encoder.*"}, r"Got layers='encoder\.\*'\. Expected: a list"),
        ({"shares": (0.0,)}, r"Got shares \[0\.0\] of units"),
        ({"seed": -1}, "Got seed=-1"),
        ({"name": "../x"}, r"Got the name '\.\./x'"),
    ],
)
def test_bad_values(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UnitscopeError, match=told):
        settings_of("upos", given)


def test_no_concepts_and_unknown_arguments() -> None:
    with pytest.raises(ProbeError, match="Got concepts=''"):
        settings_of("", {})
    with pytest.raises(TypeError, match=r"probe\(\) got unexpected arguments: seedz"):
        settings_of("upos", {"seedz": 3})
