from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from unitscope.concepts import parse_sources
from unitscope.corpora.demo import DemoCorpus
from unitscope.models.base import Captured, Layer
from unitscope.study import minimal_pairs
from unitscope.study.minimal_pairs import LEAST_FORMS, PairResults, make_pairs, run_pairs, sign_test
from unitscope.study.plan import Study

LAYERS = (Layer("reads", 4, "source"), Layer("other", 2, "target"))


@pytest.fixture(scope="module")
def pairs() -> minimal_pairs.Pairs:
    sources = parse_sources(["upos", "feats", "meaning", "words:20"], DemoCorpus(n_documents=1))
    return make_pairs(sources, seed=0, n=20)


def test_pairs_vary_just_their_concepts(pairs: minimal_pairs.Pairs) -> None:
    assert len(pairs.items) == 2 * len(pairs.site)
    for name in ("upos:NOUN", "feats:Number=Plur"):
        which, way = pairs.concepts[name]
        assert len(which) >= 20
        for pair, sign in zip(which.tolist(), way.tolist(), strict=True):
            texts = [pairs.items[2 * pair + side].grids["source"] for side in (0, 1)]
            column, value = name.split(":")
            has = [value in (text.columns[column][pairs.site[pair]] or "").split("|") for text in texts]
            assert has == [sign == 1, sign == -1]


def test_a_concept_that_few_words_carry_is_no_test_of_more_than_words(pairs: minimal_pairs.Pairs) -> None:
    for name, (which, way) in pairs.concepts.items():
        words = [
            [pairs.items[2 * pair + side].grids["source"].words[pairs.site[pair]].lower() for side in (0, 1)]
            for pair in which.tolist()
        ]
        forms = {each[sign < 0] for each, sign in zip(words, way.tolist(), strict=True)}
        assert len(forms) >= LEAST_FORMS or all(first == second for first, second in words), name
    assert len(pairs.concepts["meaning:negation"][0]) == 0, "'never' and 'not' are two words"
    assert not any(name.startswith("words:") and len(which) for name, (which, _) in pairs.concepts.items())


class Reader:
    """A model whose unit 0 knows plurals, 1 their opposite, 2 the word's length, 3 nothing (or no number)."""

    def run(self, items: Any, layers: Any, **_: Any) -> Captured:
        assert [layer.address for layer in layers] == ["reads"], "no layer of another grid is asked for"
        rows = []
        for item in items:
            text = item.grids["source"]
            for word, feats in zip(text.words, text.columns["feats"], strict=True):
                plural = float("Number=Plur" in (feats or ""))
                rows.append([plural, -plural, len(word), np.nan if word == "the" else 1.0])
        valid = np.ones(len(rows), np.bool_)
        return Captured({"reads": torch.tensor(rows)}, {"source": valid})


def test_running_keeps_which_value_is_greater(
    pairs: minimal_pairs.Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study("m", "0", "c", "0", LAYERS, (), ())
    model: Any = Reader()
    run_pairs(model, study, pairs, tmp_path / "pairs")
    found = PairResults.read(tmp_path / "pairs")
    which, way = pairs.concepts["feats:Number=Plur"]
    counts = found.counts("reads", np.arange(4), "feats:Number=Plur")
    assert counts[0].tolist() == [len(which), 0, 0]
    assert counts[1].tolist() == [0, len(which), 0]
    assert counts[3].tolist() == [0, 0, len(which)]
    longer = [
        np.sign(len(a) - len(b)) * sign
        for a, b, sign in (
            (*(pairs.items[2 * p + side].grids["source"].words[pairs.site[p]] for side in (0, 1)), sign)
            for p, sign in zip(which.tolist(), way.tolist(), strict=True)
        )
    ]
    assert counts[2].tolist() == [longer.count(1), longer.count(-1), longer.count(0)]
    assert found.counts("reads", np.arange(2), "no:such").tolist() == [[0, 0, 0]] * 2
    assert found.counts("other", np.arange(2), "upos:NOUN").tolist() == [[0, 0, 0]] * 2
    monkeypatch.setattr(minimal_pairs, "ITEMS_AT_ONCE", 6)
    run_pairs(model, study, pairs, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "pairs").read_bytes()


def test_layers_are_run_in_groups_that_fit() -> None:
    layers = [Layer(str(i), width, "source") for i, width in enumerate((9000, 9000, 5000, 40_000, 10))]
    groups = [[layer.address for layer in group] for group in minimal_pairs._groups(layers)]
    assert groups == [["0"], ["1", "2"], ["3"], ["4"]]
    assert list(minimal_pairs._groups([])) == []


def test_a_source_of_which_the_sentences_know_nothing_varies_nothing() -> None:
    corpus: Any = SimpleNamespace(columns=("entity",))
    assert make_pairs(parse_sources(["entity"], corpus), seed=0, n=2).concepts == {}


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 10))
def test_sign_test_is_scipys(right: int, wrong: int, ties: int) -> None:
    found = {name: values[0] for name, values in sign_test(np.array([[right, wrong, ties]])).items()}
    n = right + wrong + ties
    assert found["n"] == n
    if n < minimal_pairs.LEAST:
        assert all(np.isnan(found[name]) for name in ("effect", "low", "high", "p"))
        return
    assert found["effect"] == pytest.approx((right + ties / 2) / n)
    expected = stats.binomtest(right, right + wrong, alternative="greater").pvalue if right + wrong else 1.0
    assert found["p"] == pytest.approx(expected)
    assert 0 <= found["low"] <= found["effect"] <= found["high"] <= 1
    if not ties:
        interval = stats.binomtest(right, n).proportion_ci(method="wilson")
        assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high))
