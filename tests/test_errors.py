import pytest

from unitscope import errors
from unitscope.errors import UnitscopeError, closest

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, UnitscopeError) and kind is not UnitscopeError
]


def test_text_says_what_was_got_what_was_expected_and_how_to_mend_it():
    error = UnitscopeError("Got 3 columns.", expected="10 columns", fix="Check the file's format.")
    assert str(error) == "Got 3 columns. Expected: 10 columns. Check the file's format."
    assert (error.got, error.expected, error.fix) == ("Got 3 columns.", "10 columns", "Check the file's format.")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "Got nothing."),
        ({"expected": "two items"}, "Got nothing. Expected: two items."),
        ({"fix": "Give a larger corpus."}, "Got nothing. Give a larger corpus."),
    ],
)
def test_missing_parts_leave_no_trace(more, text):
    assert str(UnitscopeError("Got nothing.", **more)) == text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_caught_by_the_root(kind):
    with pytest.raises(UnitscopeError, match=r"^Broken\. Expected: whole\.$"):
        raise kind("Broken.", expected="whole")
    assert kind.__doc__


def test_there_are_errors_for_each_concern():
    names = {kind.__name__ for kind in KINDS}
    assert {"CorpusError", "ConceptError", "ModelError", "MeasureError", "PlanError", "StoreError"} <= names


def test_an_unknown_layer_is_an_error_of_the_model():
    assert issubclass(errors.UnknownLayerError, errors.ModelError)


def test_closest_names_near_misses():
    assert closest("feature.10", ["features.10", "classifier.1"]) == "Closest: 'features.10'."


def test_closest_lists_at_most_n_best_first():
    assert closest("aaaa", ["aaab", "aaaa", "aabb", "zzzz"], n=2) == "Closest: 'aaaa', 'aaab'."


def test_closest_is_silent_without_near_misses():
    assert closest("iou", ["mean_gap"]) == ""
    assert closest("iou", []) == ""
    assert closest("iou", iter(["iou2"])) == "Closest: 'iou2'."
