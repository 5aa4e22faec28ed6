"""Heads read from checkpoints of every layout, and tokens as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import unitscope
from unitscope.errors import ModelError
from unitscope.models.heads import head_of, token_texts


def test_a_head_of_its_own_and_a_tied_one(language_model: Callable[[str], Path]) -> None:
    for kind, tied in (("llama", False), ("llama tied", True)):
        model: Any = unitscope.load_model(str(language_model(kind)))
        weight, bias, found = model.head()
        stored = load_file(language_model(kind) / "model.safetensors")
        assert torch.equal(weight, stored["model.embed_tokens.weight" if tied else "lm_head.weight"])
        assert (bias, found) == (None, tied)


def test_a_sharded_checkpoint_and_a_bias(language_model: Callable[[str], Path], tmp_path: Path) -> None:
    stored = load_file(language_model("llama") / "model.safetensors")
    head = {"lm_head.weight": stored.pop("lm_head.weight"), "lm_head.bias": torch.arange(48.0)}
    save_file(stored, tmp_path / "a.safetensors")
    save_file(head, tmp_path / "b.safetensors")
    where = dict.fromkeys(stored, "a.safetensors") | dict.fromkeys(head, "b.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    model: Any = unitscope.load_model(str(language_model("llama")))
    weight, bias, tied = head_of(model.module, str(tmp_path), "mine")
    assert torch.equal(weight, head["lm_head.weight"])
    assert bias is not None
    assert torch.equal(bias, head["lm_head.bias"])
    assert not tied


def test_a_checkpoint_without_the_head_it_should_have(language_model: Callable[[str], Path], tmp_path: Path) -> None:
    model: Any = unitscope.load_model(str(language_model("llama")))
    stored = load_file(language_model("llama") / "model.safetensors")
    del stored["lm_head.weight"]
    save_file(stored, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"The checkpoint of mine has no output embedding \(lm_head, "):
        head_of(model.module, str(tmp_path), "mine")


def test_tokens_are_shown_as_they_stand_in_a_text(language_models: Any) -> None:
    tokenizer = language_models.tokenizer()
    numbers = tokenizer.convert_tokens_to_ids(["Ġdog", "s", "Ġ", "<end>"])
    assert token_texts(tokenizer, numbers) == [" dog", "s", " ", "<end>"]


def test_sentencepiece_tokens_keep_their_blank_and_empty_ones_their_name() -> None:
    class Pieces:
        def convert_ids_to_tokens(self, numbers: list[int]) -> list[str]:
            return [["▁the", "ing", "<s>"][number] for number in numbers]

        def decode(self, numbers: list[int], **_: Any) -> str:
            return ["the", "ing", ""][numbers[0]]

    assert token_texts(Pieces(), [0, 1, 2]) == [" the", "ing", "<s>"]
