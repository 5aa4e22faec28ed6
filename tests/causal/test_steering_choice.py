"""The choice between two sets of tokens beside one text at a time, and what is written beside its own parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from unitscope import edits
from unitscope.activations import Activations
from unitscope.causal.continuing import Decoding
from unitscope.causal.steering_asked import property_of
from unitscope.causal.steering_choice import Choice
from unitscope.causal.steering_text import Written, pattern_judge
from unitscope.concepts.table import ConceptTable
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.huggingface import HuggingFaceModel, from_pretrained
from unitscope.sites import Item, Text
from unitscope.study.prepare import Sites

TEXTS = ("the old dog saw a house", "a dog and the red dog see", "they see she and they", "not the river", "she walk")
EDIT = edits.zero("h.1.mlp.act")


def items() -> list[Item]:
    return [Item(f"i{n}", f"i{n}", {"source": Text.from_words(text.split())}) for n, text in enumerate(TEXTS)]


@pytest.fixture
def model(language_model: Callable[[str], Path]) -> HuggingFaceModel:
    return from_pretrained(language_model("gpt2"))


@pytest.mark.parametrize("remove", [False, True])
def test_scores_are_those_of_each_text_alone(language_model: Callable[[str], Path], remove: bool) -> None:
    folder = language_model("gpt2")
    model = from_pretrained(folder)
    judge = Choice(("the", "dog"), ("see", "a"), remove).bound(model, [], items())
    found = judge.scores([Edit(), EDIT], batch_size=2)
    whole = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    one, two = (
        [tokens.convert_tokens_to_ids(f"Ġ{word}") for word in words] for words in (("the", "dog"), ("see", "a"))
    )
    right, harm, kinds = [], [], []
    for item in judge.items:
        ids = torch.tensor([tokens(item.grids["source"].text)["input_ids"]])
        with torch.no_grad():
            logits = whole(ids).logits[0]
        for at, token in enumerate(ids[0, 1:].tolist()):
            if token in one or (remove and token in two):
                odds = logits[at, two].logsumexp(0) - logits[at, one].logsumexp(0)
                right.append(bool(odds > 0) == (token in two) if remove else bool(odds > 0))
                kinds.append(token in two)
            if token not in one + two:
                harm.append(-float(logits[at].log_softmax(0)[token]))
    if remove:
        hits, of_two = np.array(right), np.array(kinds)
        wanted = (hits[of_two].mean() + hits[~of_two].mean()) / 2
    else:
        wanted = np.mean(right)
    assert found.success[0] == pytest.approx(wanted)
    assert found.harm[0].sum() / found.n_harm.sum() == pytest.approx(np.mean(harm), rel=1e-4)
    assert found.harm[1].sum() != found.harm[0].sum()
    assert judge.floor == (0.5 if remove else 0.0)
    assert len(judge.items) + judge.left_out == len(TEXTS)


def test_the_direction_is_between_the_words_before(model: HuggingFaceModel) -> None:
    own = items()
    sizes = [item.grids["source"].n_sites for item in own]
    item_of = np.repeat(np.arange(len(own)), sizes).astype(np.int32)
    place = np.concatenate([np.arange(n) for n in sizes]).astype(np.int32)
    table = ConceptTable(("x",), ("x",), np.array([0, 1]), np.array([0], np.int32), len(place))
    sites = Sites(item_of, place, place, place)
    values = Activations.of_arrays({"h": np.zeros((len(place), 1), np.float32)}, table, sites=sites)
    named = {str(n): Item(str(n), str(n), item.grids) for n, item in enumerate(own)}
    ((there, not_there),) = Choice(("dog",), ("see",)).contrasts(values, named, model)
    words = [word for text in TEXTS for word in text.split()]
    assert [words[at] for at in np.flatnonzero(there)] == ["dog", "they"]
    assert [words[at] for at in np.flatnonzero(not_there)] == ["old", "a", "red"]


def test_what_is_written_is_judged(model: HuggingFaceModel) -> None:
    asked = Written("regex:[aeiou]", pattern_judge("[aeiou]"), Decoding(5), 2)
    judge = asked.bound(model, [], items())
    found = judge.scores([Edit(), EDIT])
    assert judge.originals[0] == "the old [dog saw a house]"
    assert found.hits.tolist() == [[float(any(v in text for v in "aeiou")) for text in each] for each in found.said]
    assert found.facts["tokens as before"][0] == 1.0
    assert found.worn is not None
    assert found.worn[0] == 0.0
    assert found.limited[1] == max(found.collateral[1], found.worn[1])
    broken = Written("python:x:y", lambda text: 1 / 0, Decoding(5), 2).bound(model, [], items())
    with pytest.raises(TaskError, match="'python:x:y' failed on a text: division by zero"):
        broken.scores([Edit()])


def test_bad_sets_are_refused(model: HuggingFaceModel, tiny_model: Path) -> None:
    with pytest.raises(TaskError, match="'dog' is in both sets"):
        Choice(("the", "dog"), ("dog",)).bound(model, [], items())
    with pytest.raises(TaskError, match="'house saw' is no single token"):
        Choice(("house saw",), ("dog",)).bound(model, [], items())
    with pytest.raises(TaskError, match="has the token walk"):
        Choice(("walk",), ("dog",)).bound(model, [], items()[:3])
    with pytest.raises(TaskError, match="output embedding"):
        Choice(("dog",), ("house",)).bound(from_pretrained(tiny_model), [], items())


@pytest.mark.parametrize(
    ("text", "remove", "told"),
    [
        ("tense", False, "Cannot read the property 'tense'"),
        ("lable:x=y", False, "Closest: 'label'"),
        ("label:x", False, "label:COLUMN=VALUE to steer to"),
        ("label:x=y", True, "label:COLUMN to take away"),
        ("choice:is", False, "two sets of words"),
        ("choice:is|", False, "two sets of words"),
        ("words:,", False, "no word"),
        ("regex:(", False, "Cannot read the pattern"),
        ("python:no:such", False, "Cannot import 'no:such'"),
    ],
)
def test_bad_properties_are_refused(text: str, remove: bool, told: str) -> None:
    with pytest.raises(TaskError, match=told.replace("(", r"\(")):
        property_of(text, remove=remove)


def test_properties_by_name(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("was\nWere\n")
    found = property_of(f"words:{tmp_path}/list")
    assert isinstance(found, Written)
    assert (found.score("They were."), found.score("They are.")) == (1.0, 0.0)
    with pytest.raises(TaskError, match="no accuracy to keep"):
        property_of("choice:a|b", keep="x")
