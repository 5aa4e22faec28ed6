"""What a spec asks: categories, features, single concepts, numbers, and what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from unitscope.concepts.table import ConceptTable
from unitscope.errors import ConceptError, ProbeError
from unitscope.probes.base import Labels, Targets
from unitscope.probes.questions import aligned, kept_classes, question_of
from unitscope.study.prepare import Sites


def table_of(columns: dict[str, list[int]], n_sites: int = 8) -> ConceptTable:
    names = tuple(columns)
    indptr = np.cumsum([0, *(len(sites) for sites in columns.values())]).astype(np.int64)
    sites = np.array([site for column in columns.values() for site in column], np.int32)
    return ConceptTable(names, tuple(name.partition(":")[0] for name in names), indptr, sites, n_sites)


TABLE = table_of(
    {
        "upos:NOUN": [0, 1, 2],
        "upos:VERB": [3, 4, 5],
        "feats:Tense=Past": [3, 4],
        "feats:Tense=Pres": [4, 5],
        "feats:Number=Sing": [0, 3],
        "feats:Number=Plur": [1],
        "feats:Foreign=Yes": [2],
        "words:the": [6],
    }
)
FORM = np.array([0, 0, 0, 0, 1, 2, 2, 3], np.int32)
EACH = np.arange(8, dtype=np.int32)
SITES = Sites(EACH // 4, EACH % 4, np.full(8, 4, np.int32), FORM)


def classes(spec: str) -> Labels:
    asked = question_of(TABLE, SITES, spec).asked
    assert isinstance(asked, Labels)
    return asked


def test_a_category() -> None:
    asked = classes("upos")
    assert asked.names == ("upos:NOUN", "upos:VERB")
    assert asked.of_site.tolist() == [0, 0, 0, 1, 1, 1, -1, -1]


@pytest.mark.parametrize("spec", ["Tense", "feats:Tense"])
def test_a_feature_by_name_or_address_without_sites_of_two_values(spec: str) -> None:
    asked = classes(spec)
    assert asked.names == ("feats:Tense=Past", "feats:Tense=Pres")
    assert asked.of_site.tolist() == [-1, -1, -1, 0, -1, 1, -1, -1]


def test_a_single_concept() -> None:
    assert classes("feats:Foreign=Yes").of_site.tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert classes("feats:Foreign=Yes").names == ("not feats:Foreign=Yes", "feats:Foreign=Yes")


def test_numbers() -> None:
    expected = {
        "covariate:position": [0, 1, 2, 3, 0, 1, 2, 3],
        "covariate:length": [4] * 8,
        "covariate:frequency": np.log10([4, 4, 4, 4, 1, 2, 2, 1]),
    }
    for spec, values in expected.items():
        question = question_of(TABLE, SITES, spec)
        assert isinstance(question.asked, Targets)
        assert question.is_number
        np.testing.assert_allclose(question.asked.values, values)


def test_concepts_that_hold_together_say_which_features_there_are() -> None:
    with pytest.raises(ProbeError, match=r"hold together.*Probe one feature at a time: Number, Tense\."):
        question_of(TABLE, SITES, "feats")


@pytest.mark.parametrize(
    ("spec", "fix"),
    [("Tens", "Closest: 'Tense'"), ("upos:NOUM", "Closest: 'upos:NOUN'"), ("covariate:lenght", "covariate:length")],
)
def test_unknown_names_get_near_misses(spec: str, fix: str) -> None:
    with pytest.raises(ConceptError, match=fix):
        question_of(TABLE, SITES, spec)


def test_classes_that_a_split_lacks_are_left_out_and_told() -> None:
    labels = Labels(("a", "b", "c"), np.array([0, 1, 2, 0, 1, 2, 0, 1], np.int32))
    question = question_of(TABLE, SITES, "upos")
    question = type(question)("x", labels)
    train = np.array([1, 1, 1, 1, 1, 0, 0, 0], bool)
    left = np.array([0, 0, 0, 0, 0, 0, 1, 1], bool)
    kept = kept_classes(question, train, left, 1)
    assert kept.names == ("a", "b")
    assert isinstance(kept.asked, Labels)
    assert kept.asked.of_site.tolist() == [0, 1, -1, 0, 1, -1, 0, 1]
    assert kept.notes == ("'c' is left out: 1 training site and 0 evaluation sites, and 1 of each are needed.",)
    with pytest.raises(ProbeError, match=r"'x' has 0 class\(es\) with 2 sites or more in both splits \(none\)"):
        kept_classes(question, train, left, 2)


def test_one_class_is_refused() -> None:
    question = type(question_of(TABLE, SITES, "upos"))("x", Labels(("a", "b"), np.zeros(8, np.int32)))
    half = EACH % 2 == 0
    with pytest.raises(ProbeError, match=r"'x' has 1 class\(es\).*\(a\)\. Expected: two classes or more"):
        kept_classes(question, half, ~half, 1)


def test_a_number_that_never_differs_is_refused() -> None:
    half = EACH % 2 == 0
    with pytest.raises(ProbeError, match="'covariate:length' is the same number at all training sites"):
        kept_classes(question_of(TABLE, SITES, "covariate:length"), half, ~half, 1)


def test_classes_of_another_corpus_are_put_in_the_same_order() -> None:
    question = type(question_of(TABLE, SITES, "upos"))("x", Labels(("b", "z", "a"), np.array([0, 1, 2, -1], np.int32)))
    asked = aligned(question, ("a", "b", "c")).asked
    assert isinstance(asked, Labels)
    assert asked.names == ("a", "b", "c")
    assert asked.of_site.tolist() == [1, -1, 0, -1]
