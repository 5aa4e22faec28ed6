"""Similarities of sentences beside vectors of the plain model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from scipy.stats import pearsonr, spearmanr

from unitscope import edits
from unitscope.causal.effects import measured
from unitscope.causal.tasks.similarity import Similarity
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.huggingface import from_pretrained
from unitscope.sites import Item

FFN = "encoder.layer.0.intermediate"


def vectors(folder: Path, items: Sequence[Item], grid: str = "source", cut: bool = False) -> np.ndarray:
    """Unit vectors of the plain model, one text at a time."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    if cut:
        part = model.encoder.layer[0].intermediate
        part.register_forward_hook(lambda _, args, out: torch.cat([out[:, :1], 0 * out[:, 1:-1], out[:, -1:]], dim=1))
    found = []
    with torch.no_grad():
        for item in items:
            found.append(model(**tokens(item.grids[grid].text, return_tensors="pt")).last_hidden_state[0].mean(dim=0))
    rows = torch.stack(found).double().numpy()
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_how_far_sentences_moved(tiny_model: Path, labelled: list[Item]) -> None:
    model, items = from_pretrained(tiny_model), labelled[:12]
    bound = Similarity("moved").bound(model, items)
    found = measured(model, bound, [Edit(), edits.zero(FFN)], range(12), batch_size=5)
    np.testing.assert_allclose(found.sums[0], 1, rtol=1e-6)
    wanted = (vectors(tiny_model, items) * vectors(tiny_model, items, cut=True)).sum(axis=1)
    np.testing.assert_allclose(found.sums[1], wanted, rtol=1e-4)
    assert found.values[1] < 0.999


def test_nearest_targets_and_likes(tiny_model: Path, labelled: list[Item]) -> None:
    model, items = from_pretrained(tiny_model), labelled[:15]
    one, other = vectors(tiny_model, items), vectors(tiny_model, items, "target")
    found = measured(model, Similarity("pairs").bound(model, items), [Edit(), edits.zero(FFN)], range(15))
    np.testing.assert_array_equal(found.sums[0], (one @ other.T).argmax(axis=1) == np.arange(15))
    assert 0 < found.values[0] <= 1
    alone = [*items, replace(labelled[20], labels={"kind": "only"})]
    bound = Similarity("neighbours", "kind").bound(model, alone)
    assert bound.left_out == 1
    names = np.array([item.labels["kind"] for item in items])
    near = one @ one.T - 9 * np.eye(15)
    np.testing.assert_array_equal(measured(model, bound, [Edit()], range(15)).sums[0], names[near.argmax(1)] == names)


def test_correlations_with_scores(tiny_model: Path, labelled: list[Item]) -> None:
    model, items = from_pretrained(tiny_model), labelled[:24]
    gold = np.array([float(item.labels["n"]) for item in items])
    for cut in (False, True):
        one, other = (vectors(tiny_model, items, grid, cut) for grid in ("source", "target"))
        cosine = (one * other).sum(axis=1)
        for kind, oracle in (("pearson", pearsonr), ("spearman", spearmanr)):
            bound = Similarity(kind, "n").bound(model, items)  # type: ignore[arg-type]
            found = measured(model, bound, [Edit(), edits.zero(FFN)], range(24))
            assert found.values[int(cut)] == pytest.approx(oracle(cosine, gold)[0], rel=1e-3, abs=1e-4)
            if kind == "pearson" and not cut:
                part = bound.value(found.statistics[0, 3:].sum(axis=0))
                assert part == pytest.approx(pearsonr(cosine[3:], gold[3:])[0], rel=1e-3, abs=1e-4)


def test_what_cannot_be_compared(tiny_model: Path, labelled: list[Item], translator: Callable[[str], Path]) -> None:
    model = from_pretrained(tiny_model)
    bare = [Item(item.id, item.group, {"source": item.grids["source"]}, item.labels) for item in labelled]
    with pytest.raises(TaskError, match="no 'target' text to compare with"):
        Similarity("pairs").bound(model, bare)
    with pytest.raises(TaskError, match=r"is 'dog'\..*a number, the score of a pair"):
        Similarity("spearman", "kind").bound(model, labelled)
    with pytest.raises(TaskError, match=r"no label 'score'\..*Labels here: good, kind, n"):
        Similarity("pearson", "score").bound(model, labelled)
    with pytest.raises(TaskError, match="scores are all the same"):
        Similarity("pearson", "n").bound(model, labelled[::7])
    with pytest.raises(TaskError, match="No two items have the same label 'kind'"):
        Similarity("neighbours", "kind").bound(model, labelled[:3])
    with pytest.raises(TaskError, match="has a decoder"):
        Similarity("moved").bound(from_pretrained(translator("t5")), labelled)
