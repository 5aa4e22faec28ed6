"""The programs behind the page on what units do: its steps, its tables, and the small GPT-2's figures."""

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent.parent


def module(folder: str, name: str):
    spec = importlib.util.spec_from_file_location(f"{folder.replace('/', '_')}_{name}", ROOT / folder / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def causes():
    return module("docs/figures", "causes")


@pytest.fixture(scope="module")
def gpt2():
    return module("benchmarks", "small_gpt2")


def test_every_option_of_a_step_is_there(causes) -> None:
    from typer.main import get_command

    from unitscope.cli import app

    commands = get_command(app).commands
    for step in causes.STEPS:
        name, *words = shlex.split(step.command)
        known = {option for each in commands[name].params for option in (*each.opts, *each.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known, step.command
        assert set(re.findall(r"{(\w+)}", step.command)) <= {"run", "data", "minilm", "gpt2"}


def test_the_page_has_a_place_for_every_table(causes) -> None:
    page = causes.PAGE.read_text(encoding="utf-8")
    names = [match["name"] for match in causes.TABLE.finditer(page)]
    assert len(names) == len(set(names))
    assert causes.filled(page, {}) == page
    filled = causes.filled(page, {"planted": "| made |\n"})
    assert "| made |" in filled
    with pytest.raises(KeyError):
        causes.filled(page, {"unheard": ""})


def test_zero_and_mean_disagree_where_one_alone_is_sure(causes) -> None:
    row = {"difference_low": 0.1, "difference_high": 0.2, "other_low": -0.1, "other_high": 0.1}
    assert causes._disagree(row)
    assert not causes._disagree({**row, "other_low": 0.05})
    assert causes._disagree({**row, "other_low": -0.2, "other_high": -0.1})
    assert not causes._disagree({**row, "other_low": None})


def test_planted_figures_are_a_table(causes) -> None:
    methods = {"ablation": {"recall": 0.975, "low": 0.95, "high": 1.0, "false": 0.0}}
    made = causes.planted(json.dumps({"methods": methods, "networks": 3}))
    assert "| ablation | .97 [.95, 1.00] | .00 |" in made
    assert made.endswith("3 networks.\n")


def test_bigrams_are_mixed_as_defined(gpt2) -> None:
    train = [np.array(row) for row in ([0, 1, 2, 0], [0, 1, 1, 0], [0, 3, 0])]
    found = gpt2.count_losses(train, [np.array([0, 1, 2, 3]), np.array([2, 2])], size=5)
    said = [1, 2, 0, 1, 1, 0, 3, 0]
    unigram = [(said.count(token) + 4 / 5) / (len(said) + 4) for token in range(5)]
    assert np.exp(-found["unigrams"][0]) == pytest.approx([unigram[1], unigram[2], unigram[3]])
    # After 0 came 1, 1, 3 (two kinds of three); after 1 came 2, 1, 0; after 2 came 0; 2 after 2 was never seen.
    after = [(2 + 2 * unigram[1]) / 5, (1 + 3 * unigram[2]) / 6, (0 + 1 * unigram[3]) / 2]
    assert np.exp(-found["bigrams"][0]) == pytest.approx(after)
    assert np.exp(-found["bigrams"][1]) == pytest.approx([unigram[2] / 2])
    for context in range(4):
        rows = [np.array([context, token]) for token in range(5)]
        losses = gpt2.count_losses(train, rows, size=5)["bigrams"]
        assert sum(float(np.exp(-each[0])) for each in losses) == pytest.approx(1.0)


def test_batches_hold_every_text_once_and_padding_says_nothing(gpt2) -> None:
    rng = np.random.default_rng(0)
    rows = [np.append(np.arange(n), 1000 + at) for at, n in enumerate(rng.integers(1, 9, 203).tolist())]
    seen = [int(row[-1]) for batch in gpt2.batches(rows, np.random.default_rng(1)) for row in batch]
    assert sorted(seen) == list(range(1000, 1203))
    read, said = gpt2.padded([np.array([0, 5, 6, 0]), np.array([0, 7])])
    assert said.tolist() == [[5, 6, 0], [7, -100, -100]]
    assert read[0].tolist() == [0, 5, 6]


def test_a_network_learns_and_equal_seeds_give_equal_bytes(gpt2, tmp_path, monkeypatch) -> None:
    texts = ["a dog runs .", "two men sit .", "a man sits .", "two dogs run ."] * 16
    for name, value in {"VOCABULARY": 280, "WIDTH": 16, "LAYERS": 1, "HEADS": 2, "BATCH": 8}.items():
        monkeypatch.setattr(gpt2, name, value)
    tokenizer = gpt2.tokenizer_of(texts)
    assert tokenizer.decode(tokenizer(["a dog runs ."])["input_ids"][0], skip_special_tokens=True).strip() == texts[0]
    rows = gpt2.encoded(tokenizer, texts)
    found = []
    for _ in range(2):
        model = gpt2.network(tokenizer, 3)
        before = np.concatenate(gpt2.network_losses(model, rows[:4])).mean()
        gpt2.train(model, rows, 6, 3)
        after = np.concatenate(gpt2.network_losses(model, rows[:4])).mean()
        assert after < before - 0.3
        found.append(gpt2.save(model, tokenizer, [texts[:2], texts[2:4]], tmp_path))
    assert found[0] == found[1]
    assert (tmp_path / "captions.txt").read_text() == "a dog runs .\ntwo men sit .\n\na man sits .\ntwo dogs run .\n"
    judged = gpt2.perplexity(gpt2.network_losses(model, rows), np.arange(len(rows)))
    assert judged["low"] <= judged["perplexity"] <= judged["high"]
    assert torch.get_num_threads() >= 1
