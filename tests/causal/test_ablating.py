"""An ablation from an atlas, called from Python: halves, short passes, and what is kept while it runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from unitscope import edits
from unitscope.atlas import Atlas
from unitscope.causal.ablating import ablate, mask_at, partial_of
from unitscope.causal.halves import halves_of
from unitscope.causal.question import Question
from unitscope.errors import TaskError
from unitscope.extraction import activations_of
from unitscope.models.huggingface import from_pretrained

FFN = "encoder.layer.1.intermediate"


@pytest.fixture(scope="module")
def atlas(tiny_atlas: Path, tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    return Atlas.open(
        shutil.copytree(
            tiny_atlas, tmp_path_factory.mktemp("ablating") / "atlas", ignore=shutil.ignore_patterns("activations")
        )
    )


def test_effects_of_half_b_by_a_plain_loop(atlas: Atlas, tiny_model: Path) -> None:
    said: list[str] = []
    question = Question("similarity", named=(f"{FFN}:3=upos:VERB",), max_items=12)
    found = ablate(atlas, question, tick=lambda what, done, total: said.append(what))
    held = halves_of(activations_of(atlas, layers=[FFN]))[1]
    assert found.items == tuple(item.id for item in held[:12])
    model = from_pretrained(tiny_model)
    turned = []
    for item in held[:12]:
        args, kwargs, _ = model.fed([item])
        with torch.no_grad():
            first, second = (
                model.edited(edit, items=[item])(*args, **kwargs).last_hidden_state[0].mean(dim=0)
                for edit in (edits.Edit(), edits.zero(f"{FFN}:3"))
            )
        turned.append(float(torch.nn.functional.cosine_similarity(first, second, dim=0)) - 1)
    assert sum(turned) < -1e-5
    each = found.specific[0]
    total = each.inside.effect * each.n_inside + (each.outside.effect * each.n_outside if each.n_outside else 0)
    assert total / 12 == pytest.approx(sum(turned) / 12, abs=1e-6)


def test_values_are_read_only_where_they_are_needed() -> None:
    assert not Question("lm", ranking="f").reads_values
    assert all(
        question.reads_values
        for question in (
            Question("lm", ranking="f", edit="mean"),
            Question("lm", doses=("a:1",)),
            Question("lm", causes=2),
        )
    )


def test_a_mask_of_a_concept_is_its_sites(atlas: Atlas) -> None:
    values = activations_of(atlas, layers=[FFN])
    items = halves_of(values)[1][:5]
    mask = mask_at(values, "upos:VERB", items)
    names = dict(zip(values.item_ids, range(len(values.item_ids)), strict=True))
    verbs = set(values.concepts.sites_of(values.concepts.names.index("upos:VERB")).tolist())
    for item in items:
        here = [at for at, of in enumerate(values.sites.item.tolist()) if of == names[item.id]]
        expected = {int(values.sites.position[at]) for at in here if at in verbs}
        assert set(mask.sites[item.id].nonzero()[0].tolist()) == expected  # type: ignore[attr-defined]
    with pytest.raises(TaskError, match="no concept 'upos:NUON'"):
        mask_at(values, "upos:NUON", items)


def test_another_question_is_kept_in_another_place(atlas: Atlas) -> None:
    first = partial_of(atlas, Question("lm", ranking="f"))
    assert first.folder == partial_of(atlas, Question("lm", ranking="f")).folder
    assert first.folder != partial_of(atlas, Question("lm", ranking="f", seed=1)).folder
