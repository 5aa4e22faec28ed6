import importlib.metadata
import pkgutil
from dataclasses import dataclass
from typing import ClassVar

import pytest

import unitscope.measures
from unitscope.errors import MeasureError
from unitscope.measures import default_measures, measures, parse_measure, parse_measures
from unitscope.measures.auroc import AUROC
from unitscope.measures.base import Measure
from unitscope.measures.iou import IoU
from unitscope.measures.mean_gap import MeanGap
from unitscope.measures.mutual_information import MutualInformation

NEAR = "Closest: 'mean_gap'."


def test_one_measure_a_file_by_its_name():
    files = {info.name for info in pkgutil.iter_modules(unitscope.measures.__path__)} - {"base"}
    found = measures()
    assert files <= set(found)
    for name, kind in found.items():
        assert issubclass(kind, Measure)
        assert kind.name == name
        assert kind.__doc__


def test_defaults_are_every_measure_and_both_tails():
    keys = [measure.key for measure in default_measures()]
    assert len(set(keys)) == len(keys)
    assert {"auroc", "iou", "iou_lower", "average_precision", "average_precision_lower"} <= set(keys)
    assert {measure.name for measure in default_measures()} == set(measures())


@pytest.mark.parametrize(
    ("spec", "measure"),
    [
        ("auroc", AUROC()),
        ("iou", IoU()),
        ("iou:quantile=0.995", IoU(0.995)),
        ("iou:quantile=0.9,tail=lower", IoU(0.9, "lower")),
        ("mutual_information:n_bins=3", MutualInformation(3)),
        ("mean_gap:standardised=false", MeanGap(False)),
        ("mean_gap:standardised=YES", MeanGap(True)),
    ],
)
def test_a_specification_is_a_name_and_parameters(spec, measure):
    assert parse_measure(spec) == measure


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("mean_gaps", f"Unknown measure 'mean_gaps'. Expected: one of {', '.join(sorted(measures()))}. {NEAR}"),
        ("iou:bins=3", "Measure 'iou' has no parameter 'bins'. Expected: one of quantile, tail."),
        ("auroc:bins=3", "Measure 'auroc' has no parameter 'bins'. Expected: one of none."),
        ("iou:quantile=high", "Got 'high' for parameter 'quantile' of measure 'iou'. Expected: a number."),
        ("iou:quantile", "Got '' for parameter 'quantile' of measure 'iou'. Expected: a number."),
        ("iou:quantile=1", "Got quantile=1.0 for measure 'iou'. Expected: a number between 0 and 1."),
        ("iou:quantile=nan", "Got quantile=nan for measure 'iou'. Expected: a number between 0 and 1."),
        ("iou:tail=left", "Got tail=left for measure 'iou'. Expected: upper or lower."),
        (
            "mutual_information:n_bins=8.5",
            "Got '8.5' for parameter 'n_bins' of measure 'mutual_information'. Expected: a whole number.",
        ),
        ("mutual_information:n_bins=1", "Got n_bins=1 for measure 'mutual_information'. Expected: 2 or more."),
        (
            "mean_gap:standardised=maybe",
            "Got 'maybe' for parameter 'standardised' of measure 'mean_gap'. Expected: true or false.",
        ),
    ],
)
def test_a_wrong_specification_says_what_is_expected(spec, text):
    with pytest.raises(MeasureError) as caught:
        parse_measure(spec)
    assert str(caught.value) == text


@pytest.mark.parametrize("measure", default_measures(), ids=lambda measure: measure.key)
def test_written_parameters_read_back(measure):
    spec = ",".join(f"{name}={value}" for name, value in measure.parameters.items())
    assert parse_measure(f"{measure.name}:{spec}") == measure


def test_matching_rests_on_auroc_which_is_always_there():
    assert [measure.key for measure in parse_measures(["iou"])] == ["iou", "auroc"]
    assert [measure.key for measure in parse_measures(["auroc", "iou"])] == ["auroc", "iou"]
    assert [measure.key for measure in parse_measures([])] == ["auroc"]


def test_all_stands_for_the_defaults():
    assert parse_measures(["all"]) == default_measures()
    assert parse_measures(["all", "iou"]) == default_measures()


def test_both_tails_of_one_measure_may_differ_but_not_one_tail_twice():
    both = parse_measures(["iou:quantile=0.9", "iou:tail=lower"])
    assert [measure.key for measure in both] == ["iou", "iou_lower", "auroc"]
    with pytest.raises(MeasureError) as caught:
        parse_measures(["iou", "iou:quantile=0.9"])
    assert str(caught.value) == (
        "Got one measure twice with different parameters. Expected: each measure once for each tail."
    )


@dataclass(frozen=True)
class Registered(AUROC):
    name: ClassVar[str] = "registered"
    power: int = 2


def test_other_packages_register_measures(monkeypatch):
    entry = importlib.metadata.EntryPoint("registered", f"{__name__}:Registered", "unitscope.measures")
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda self: Registered)
    monkeypatch.setattr(unitscope.measures, "entry_points", lambda group: [entry])
    assert measures()["registered"] is Registered
    assert parse_measure("registered:power=3") == Registered(3)
    assert Registered() in default_measures()
