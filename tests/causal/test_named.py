"""Tasks by their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unitscope.activations import Activations
from unitscope.causal.bound import Bound
from unitscope.causal.named import Given, chance_of, check_name, needs_labels, task_of, words_of
from unitscope.concepts.table import ConceptTable
from unitscope.errors import ConceptError, TaskError
from unitscope.models.huggingface import from_pretrained
from unitscope.sites import Item, Text
from unitscope.study.prepare import Sites

TEXTS = ("the old dog", "a red house .", "the river", "she saw the dog")
TAGS = {"the": "DET", "a": "DET", "old": "ADJ", "red": "ADJ", "she": "PRON", "saw": "VERB", ".": "PUNCT"}


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return [
        Item(f"s{n}", f"g{n}", {"source": Text.from_words(text.split())}, {"kind": str(n % 2), "score": str(n)})
        for n, text in enumerate(TEXTS * 4)
    ]


@pytest.fixture(scope="module")
def values(items: list[Item]) -> Activations:
    """Of the second word of the first item there is no value."""
    sites = [
        (at, place, word) for at, item in enumerate(items) for place, word in enumerate(item.grids["source"].words)
    ]
    sites.pop(1)
    item, position, length = (
        np.array(each, np.int32)
        for each in zip(*((at, place, items[at].grids["source"].n_sites) for at, place, _ in sites), strict=True)
    )
    tags = [TAGS.get(word, "NOUN") for *_, word in sites]
    names = sorted(set(tags))
    places = [[n for n, tag in enumerate(tags) if tag == name] for name in names]
    table = ConceptTable(
        tuple(f"upos:{name}" for name in names),
        ("upos",) * len(names),
        np.cumsum([0, *map(len, places)]).astype(np.int64),
        np.array([at for each in places for at in each], np.int32),
        len(sites),
    )
    found = Activations.of_arrays(
        {"encoder.layer.0": np.zeros((len(sites), 2), np.float32)},
        table,
        sites=Sites(item, position, length, np.zeros(len(sites), np.int32)),
    )
    from dataclasses import replace

    return replace(found, item_ids=tuple(each.id for each in items))


@pytest.fixture(scope="module")
def given(tiny_model: Path, items: list[Item], values: Activations) -> Given:
    return Given(from_pretrained(tiny_model), items, values, ("encoder.layer.0",))


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("lm", "loss"),
        ("lm:perplexity", "perplexity"),
        ("lm:upos", "loss"),
        ("lm:upos:NOUN:perplexity", "perplexity"),
        ("label:kind:balanced", "balanced accuracy"),
        ("label:upos:PUNCT", "accuracy"),
        ("token:upos", "accuracy"),
        ("token:upos:NOUN:loss", "loss"),
        ("probe:encoder.layer.1:upos:balanced", "balanced accuracy"),
        ("probe:encoder.layer.1:upos:NOUN", "accuracy"),
        ("own:kind:loss", "loss"),
        ("own:top", "agreement"),
        ("own:top:probability", "probability"),
        ("translation:bleu", "BLEU"),
        ("translation:chrf:4", "chrF"),
        ("similarity", "cosine"),
        ("similarity:pairs", "accuracy of retrieval"),
        ("similarity:kind", "accuracy of retrieval"),
        ("similarity:spearman:score", "spearman correlation"),
        ("python:math:sqrt", "value"),
    ],
)
def test_a_name_is_read_and_told_again(given: Given, text: str, metric: str) -> None:
    task = task_of(text, given)
    assert task.name == text
    assert task.metric == metric
    assert task.rising == (metric not in ("loss", "perplexity"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bleu", "Unknown task 'bleu'"),
        ("lable:x", "Closest: 'label'"),
        ("label", "Unknown task 'label'"),
        ("own:", "Unknown task 'own:'"),
        ("probe:upos", "Unknown task 'probe:upos'.*probe:LAYER:CATEGORY"),
        ("translation:ter", "Unknown task 'translation:ter'.*translation:bleu"),
        ("translation:bleu:x", "with ':4' for 4 beams"),
        ("similarity:spearman", "similarity:spearman:COLUMN"),
        ("similarity:x:y", "similarity:pearson:COLUMN"),
        ("python:no:such", "Cannot import 'no:such'"),
        ("label:knid", r"0 class\(es\) by the label 'knid'.*Labels here: kind, score"),
        ("probe:encoder.layer.0:upos", "does not lie above 'encoder.layer.0', which is edited"),
    ],
)
def test_names_that_cannot_be(given: Given, text: str, told: str) -> None:
    with pytest.raises(TaskError, match=told):
        task_of(text, given)


def test_no_such_category(given: Given) -> None:
    with pytest.raises(ConceptError, match="No concept of category 'upso'"):
        task_of("token:upso", given)
    with pytest.raises(TaskError, match="'lm:upos' needs the concepts of an atlas"):
        task_of("lm:upos", Given(given.model, given.train))


def test_words_and_items_with_a_concept(given: Given, items: list[Item], values: Activations) -> None:
    words = words_of(values, "upos")
    assert [words.names[at] if at >= 0 else "-" for at in words.of(items[0])] == ["upos:DET", "-", "upos:NOUN"]
    one = words_of(values, "upos:NOUN")
    assert one.names == ("not upos:NOUN", "upos:NOUN")
    assert one.of(items[1]).tolist() == [0, 0, 1, 0]
    head = task_of("label:upos:PUNCT", given)
    assert dict(head.of_item or {})["s1"] == "with"  # type: ignore[attr-defined]
    assert dict(head.of_item or {})["s0"] == "without"  # type: ignore[attr-defined]


def test_whose_labels_are_read() -> None:
    asked = ("label:kind", "own:kind", "similarity:kind", "similarity:pearson:score")
    assert all(needs_labels(text) for text in asked)
    assert not any(needs_labels(text) for text in ("lm", "own:top", "similarity", "token:upos", "translation:bleu"))
    check_name("similarity:pairs")


def test_chance(given: Given, items: list[Item]) -> None:
    of_number = (np.array([0, 0, 0]), np.array([1]))
    bound = Bound(tuple(items[:2]), None, classes=("a", "b"), of_number=of_number)
    assert chance_of(task_of("own:kind", given), bound) == 0.75
    assert chance_of(task_of("own:kind:balanced", given), bound) == 0.5
    assert np.isnan(chance_of(task_of("own:kind:loss", given), bound))
    assert np.isnan(chance_of(task_of("own:top", given), bound))
