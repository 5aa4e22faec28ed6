import sys
from types import ModuleType

import numpy as np
import pytest

from unitscope.concepts.predicate import PredicateSource
from unitscope.errors import ConceptError
from unitscope.sites import Item, Text

ITEM = Item("7", "g", {"source": Text.from_words(["a", "Bank", "ab"])})


@pytest.fixture
def module(monkeypatch):
    made = ModuleType("made_up_predicates")
    monkeypatch.setitem(sys.modules, "made_up_predicates", made)
    return made


def annotate(module, function):
    module.rule = function
    return PredicateSource("made_up_predicates:rule").annotate(ITEM, "source")


def test_booleans(module):
    is_long = lambda item, grid: [len(word) > 1 for word in item.grids[grid].words]  # noqa: E731
    assert annotate(module, is_long) == [(), ("yes",), ("yes",)]
    assert annotate(module, lambda item, grid: np.array([True, False, True])) == [("yes",), (), ("yes",)]
    assert PredicateSource("made_up_predicates:rule").category == "predicate.rule"


def test_names_sets_and_the_unknown(module):
    assert annotate(module, lambda item, grid: ["x", None, ["y", "x"]]) == [("x",), None, ("y", "x")]
    assert annotate(module, lambda item, grid: [{"b", "a"}, (), True]) == [("a", "b"), (), ("yes",)]


@pytest.mark.parametrize("entry", [3, 1.0, ["x", 2], b"x"])
def test_wrong_entries(module, entry):
    with pytest.raises(ConceptError) as caught:
        annotate(module, lambda item, grid: [True, entry, True])
    assert str(caught.value) == (
        f"Predicate 'made_up_predicates:rule' returned {entry!r} in item '7'. "
        "Expected: a boolean, a name, names, or None for each site."
    )


def test_wrong_number(module):
    with pytest.raises(ConceptError) as caught:
        annotate(module, lambda item, grid: [True])
    assert str(caught.value) == (
        "Predicate 'made_up_predicates:rule' returned 1 entries for item '7'. Expected: one for each of its 3 sites."
    )


def test_a_failing_function_is_named_with_the_item(module):
    with pytest.raises(ConceptError) as caught:
        annotate(module, lambda item, grid: item.grids["image"])
    assert str(caught.value) == "Predicate 'made_up_predicates:rule' failed on item '7': KeyError: 'image'."
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("rule", "Predicate 'rule'. Expected: pkg.module:function."),
        (":rule", "Predicate ':rule'. Expected: pkg.module:function."),
        ("made_up_predicates:ruel", "Module 'made_up_predicates' has no function 'ruel'. Closest: 'rule'."),
        ("made_up_predicates:table", "Module 'made_up_predicates' holds, but not as a function 'table'."),
        (
            "no_such_module_here:rule",
            "Module 'no_such_module_here' of predicate 'no_such_module_here:rule' cannot be imported: "
            "No module named 'no_such_module_here'. Its folder must be on PYTHONPATH.",
        ),
    ],
)
def test_functions_that_are_not_there(module, target, message):
    module.rule, module.table = len, [1]
    with pytest.raises(ConceptError) as caught:
        _ = PredicateSource(target).function
    assert str(caught.value).startswith(message)
