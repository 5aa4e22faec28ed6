"""Writing on under an edit: the same tokens as by hand-made hooks and transformers' own generation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from unitscope import edits
from unitscope.causal.continuing import GREEDY, Decoding, continued, decoded, distinct, prompts_of, surprise
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.huggingface import from_pretrained
from unitscope.sites import Item, Text

TEXTS = ("the old dog saw a house .", "she walk", "they see the red river and walk", "a dog not", "the red dog saw she")
UNITS = (3, 11, 40)


def items() -> list[Item]:
    return [Item(f"i{n}", f"i{n}", {"source": Text.from_words(text.split())}) for n, text in enumerate(TEXTS)]


def by_hand(folder: Path, ids: tuple[int, ...], n: int, push: float) -> list[int]:
    """The whole model of transformers, run anew on the whole text for each token, with a hook on one module."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()

    def hook(module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
        changed = output.clone()
        changed[..., list(UNITS)] += push
        return changed

    if push:
        model.transformer.h[1].mlp.act.register_forward_hook(hook)
    rows, found = list(ids), []
    with torch.no_grad():
        for _ in range(n):
            token = int(model(torch.tensor([rows])).logits[0, -1].argmax())
            if token == model.config.eos_token_id:
                break
            found.append(token)
            rows.append(token)
    return found


@pytest.mark.parametrize("push", [0.0, 5.0])
def test_the_same_as_hooks_by_hand(language_model: Callable[[str], Path], push: float) -> None:
    folder = language_model("gpt2")
    model = from_pretrained(folder)
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    prompts = prompts_of(model, items(), 2, GREEDY)
    assert [item.grids["source"].text for item in prompts.items] == ["the old", "they see", "a dog", "the red"]
    assert prompts.rest[0] == "dog saw a house ."
    assert prompts.left_out == 1
    edit = edits.add([f"h.1.mlp.act:{unit}" for unit in UNITS], push) if push else Edit()
    found = continued(model, prompts, edit, GREEDY, batch_size=3)
    assert found == [by_hand(folder, ids, GREEDY.n_tokens, push) for ids in prompts.ids]
    if push:
        assert found != continued(model, prompts, Edit(), GREEDY)
    assert all(torch.equal(before[name], value) for name, value in model.module.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.module.modules())


def test_draws_depend_on_the_seed_and_not_on_the_batch(language_model: Callable[[str], Path]) -> None:
    model = from_pretrained(language_model("gpt2"))
    decoding = Decoding(8, 1.0, 3)
    prompts = prompts_of(model, items(), 2, decoding)
    first = continued(model, prompts, Edit(), decoding)
    assert first == continued(model, prompts, Edit(), decoding, batch_size=1)
    assert first != continued(model, prompts, Edit(), Decoding(8, 1.0, 4))
    cold = continued(model, prompts, Edit(), Decoding(8, 1e-4, 3))
    assert cold == continued(model, prompts, Edit(), Decoding(8))


def test_surprise_is_the_loss_of_what_is_written(language_model: Callable[[str], Path]) -> None:
    folder = language_model("gpt2")
    model = from_pretrained(folder)
    prompts = prompts_of(model, items(), 2, GREEDY)
    written = [[4, 5, 6], [7], [], [8, 9]]
    found = surprise(model, prompts, written)
    whole = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    for prompt, mine, loss in zip(prompts.ids, written, found):
        if not mine:
            assert loss != loss
            continue
        labels = torch.tensor([[-100] * len(prompt) + mine])
        with torch.no_grad():
            assert loss == pytest.approx(float(whole(torch.tensor([[*prompt, *mine]]), labels=labels).loss), rel=1e-4)
    assert decoded(model, prompts.ids[0]) == "the old"
    assert (distinct([]), distinct([1, 1, 1])) == (1.0, 0.5)


def test_what_cannot_be_written_is_refused(language_model: Callable[[str], Path], tiny_model: Path) -> None:
    model = from_pretrained(language_model("gpt2"))
    with pytest.raises(TaskError, match=r"and 63 to write are \d+. Expected: at most 64"):
        prompts_of(model, items(), 2, Decoding(63))
    with pytest.raises(TaskError, match="No item has more than 50 words"):
        prompts_of(model, items(), 50, GREEDY)
    with pytest.raises(TaskError, match="prompts of 0 words"):
        prompts_of(model, items(), 0, GREEDY)
    with pytest.raises(TaskError, match="output embedding"):
        prompts_of(from_pretrained(tiny_model), items(), 2, GREEDY)
