"""Translations beside those of the plain model, and scores beside sacrebleu's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
import torch
import transformers
from typer.testing import CliRunner

from unitscope import edits
from unitscope.causal.effects import measured
from unitscope.causal.tasks.translation import Translation, Writer
from unitscope.cli import app
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.huggingface import from_pretrained
from unitscope.sites import Item

LAYERS = {"marian": "encoder.layers.0.fc2@in", "t5": "encoder.block.0.layer.1.DenseReluDense.wo@in"}


def plain_texts(folder: Path, items: Sequence[Item], most: int, beams: int = 1, cut: Any = None) -> list[str]:
    """One text at a time, with the model as its makers load it."""
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    if cut is not None:
        cut(model)
    found = []
    for item in items:
        inputs = tokens(item.grids["source"].text, return_tensors="pt")
        ids = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=most,
            num_beams=beams,
            do_sample=False,
        )
        found.append(tokens.decode(ids[0], skip_special_tokens=True).strip())
    return found


@pytest.mark.parametrize("kind", ["marian", "t5"])
def test_scores_are_those_of_sacrebleu_on_plain_translations(
    translator: Callable[[str], Path], labelled: list[Item], kind: str
) -> None:
    folder, items = translator(kind), labelled[:12]
    wanted = plain_texts(folder, items, 12)
    assert len(set(wanted)) > 2, "the model tells its inputs apart"
    model = from_pretrained(folder)
    assert Writer(model, 12, 1).texts(items, Edit(), 5) == wanted
    references = [item.grids["target"].text for item in items]
    # References that share words with what is written: random weights earn nothing else.
    for at in (0, 3, 5):
        references[at] = wanted[at]
    items = [
        replace(i, grids={**i.grids, "target": replace(i.grids["target"], text=t)}) for i, t in zip(items, references)
    ]
    for by, score in (("bleu", sacrebleu.corpus_bleu), ("chrf", sacrebleu.corpus_chrf)):
        bound = Translation(by, max_new_tokens=12).bound(model, items)
        found = measured(model, bound, [Edit()], range(12), batch_size=4)
        assert found.values[0] == pytest.approx(score(wanted, [references]).score, rel=1e-12)
        assert 1 < found.values[0] < 100
        without = [at for at in range(12) if at not in (3, 4)]
        part = score([wanted[at] for at in without], [[references[at] for at in without]]).score
        assert bound.value(found.statistics[0, without].sum(axis=0)) == pytest.approx(part, rel=1e-12)


UPPER = {"marian": "model.decoder.layers.1.fc2", "t5": "decoder.block.1.layer.2.DenseReluDense.wo"}


@pytest.mark.parametrize("kind", ["marian", "t5"])
def test_an_edited_network_writes_what_a_cut_one_does(
    translator: Callable[[str], Path], labelled: list[Item], kind: str
) -> None:
    folder, items = translator(kind), labelled[:9]

    def cut(model: Any) -> None:
        seen: dict[str, torch.Tensor] = {}

        def note(_: Any, args: Any, kwargs: Any) -> None:
            seen["ids"] = kwargs["input_ids"]

        def special_alone(_: Any, args: Any) -> Any:
            return (args[0] * torch.isin(seen["ids"], torch.tensor([0, 1]))[..., None],)

        model.get_decoder().register_forward_pre_hook(note, with_kwargs=True)
        model.get_submodule(UPPER[kind]).register_forward_pre_hook(special_alone)

    model = from_pretrained(folder)
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    found = Writer(model, 10, 1).texts(items, edits.zero(UPPER[kind].removeprefix("model.") + "@in"), 4)
    assert found == plain_texts(folder, items, 10, cut=cut)
    assert found != plain_texts(folder, items, 10)
    assert all(torch.equal(before[name], value) for name, value in model.module.state_dict().items())


@pytest.mark.parametrize("kind", ["marian", "t5"])
def test_loss_is_that_of_the_model_itself(translator: Callable[[str], Path], labelled: list[Item], kind: str) -> None:
    folder, items = translator(kind), labelled[:8]
    model = from_pretrained(folder)
    bound = Translation("loss").bound(model, items)
    found = measured(model, bound, [Edit(), edits.zero(LAYERS[kind])], range(8), batch_size=3)
    plain = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    for at, item in enumerate(items):
        ids = tokens(item.grids["source"].text, return_tensors="pt")["input_ids"]
        labels = tokens(text_target=item.grids["target"].text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            loss = float(plain(input_ids=ids, labels=labels).loss)
        assert found.counts[at] == labels.shape[1]
        assert found.sums[0, at] / found.counts[at] == pytest.approx(loss, rel=1e-5)
    assert found.values[1] != pytest.approx(found.values[0], rel=1e-5)


def test_beams_and_errors(translator: Callable[[str], Path], labelled: list[Item], tiny_model: Path) -> None:
    folder, items = translator("marian"), labelled[:5]
    model = from_pretrained(folder)
    assert Writer(model, 8, 3).texts(items, Edit()) == plain_texts(folder, items, 8, beams=3)
    bare = [Item(item.id, item.group, {"source": item.grids["source"]}) for item in items]
    with pytest.raises(TaskError, match="Item 's0' has no 'target' text, which is the reference"):
        Translation().bound(model, bare)
    with pytest.raises(TaskError, match=r"Got 48 new tokens\. Expected: 1 to 47"):
        Translation(max_new_tokens=48).bound(model, items)
    with pytest.raises(TaskError, match="does not translate"):
        Translation().bound(from_pretrained(tiny_model), items)
    assert Translation()._most(model) == 47
    long = replace(items[0], grids={**items[0].grids, "source": replace(items[0].grids["source"], text="dog " * 60)})
    assert Translation("loss").bound(model, [long, *items[1:]]).left_out == 1
    np.testing.assert_array_equal(Translation("bleu").bound(model, items).value(np.zeros(10)), 0.0)


def test_from_the_command_line(translator: Callable[[str], Path], labelled: list[Item], tmp_path: Path) -> None:
    def call(verb: str, *arguments: object) -> Any:
        return CliRunner().invoke(app, [verb, *map(str, arguments)], prog_name="unitscope")

    pairs = [f"{item.grids['source'].text}\t{item.grids['target'].text}" for item in labelled]
    (tmp_path / "pairs.tsv").write_text("\n\n".join(pairs) + "\n", encoding="utf-8")
    atlas, layer = tmp_path / "atlas", LAYERS["marian"]
    line = ("--corpus", tmp_path / "pairs.tsv", "--layers", layer, "--concepts", "words", "--workers", 1)
    mapped = call("map", translator("marian"), *line, "--measures", "auroc", "--out", atlas)
    assert mapped.exit_code == 0, mapped.stderr
    assert call("rank", atlas, "--by", "variance", "--name", "v").exit_code == 0
    asked = ("--ranking", "v", "--units", "1,24", "--draws", 1, "--max-items", 15, "--json")
    found = call("ablate", atlas, "--task", "translation:chrf", *asked)
    assert found.exit_code == 0, found.stderr
    data = json.loads(found.stdout)
    assert data["metric"] == "chrF"
    assert data["n_items"] == 15
    assert 0 < data["unedited"] < 100
    top = next(row for row in data["curve"] if (row["selection"], row["n_units"]) == ("top", 24))
    assert top["effect"] != 0
    assert top["low"] < top["effect"] < top["high"]
