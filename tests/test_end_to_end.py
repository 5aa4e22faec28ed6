"""From a model and a corpus to an opened atlas, family by family, against plain loops over one sentence at a time."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from sklearn.metrics import average_precision_score, roc_auc_score
from typer.testing import CliRunner

import unitscope
from unitscope.api import Settings, make_run
from unitscope.atlas import Atlas
from unitscope.cli import app
from unitscope.measures import parse_measures
from unitscope.merge import merge

HERE = Path(__file__).parent
Mapped = Callable[[str], Atlas]
Checkpoint = Callable[[str], Path]


def loaded(name: str, path: Path) -> Any:
    """A module of the tests, importable by name from then on."""
    loader = SourceFileLoader(name, str(path))
    sys.modules[name] = module = module_from_spec(spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


plain_loops = loaded("plain_loops", HERE / "plain_loops.py")
families = loaded("families", HERE / "families.py")
FAMILIES, model_of, on_grid = families.FAMILIES, families.model_of, families.on_grid
sites, turned = families.sites, families.turned
folder, texts, corpora = families.folder, families.texts, families.corpora
mapped, observed = families.mapped, families.observed
checkpoint = loaded("models_conftest", HERE / "models" / "conftest.py").checkpoint


@pytest.mark.parametrize("name", FAMILIES)
def test_the_atlas_is_whole_and_has_the_layers_asked_for(mapped: Mapped, name: str) -> None:
    atlas = Atlas.open(mapped(name).path)
    atlas.verify()
    layers = [(each["address"], each["width"], each["grid"]) for each in atlas.manifest["study"]["layers"]]
    assert layers == FAMILIES[name].expected
    assert atlas.layers == [address for address, _, _ in layers]
    per_layer = atlas.sql(
        "select layer, count(*) as n, count(distinct unit) as d, max(unit) as m from units group by layer"
    )
    assert {(row["layer"], row["n"], row["d"], row["m"] + 1) for row in per_layer} == {
        (address, width, width, width) for address, width, _ in layers
    }
    assert not atlas.path.with_name(f"{atlas.path.name}.partial").exists()


@pytest.mark.parametrize("name", FAMILIES)
def test_every_score_is_within_its_measures_bounds(mapped: Mapped, name: str) -> None:
    atlas = mapped(name)
    measures = {measure.key: measure for measure in parse_measures(["all"])}
    assert set(atlas.manifest["measures"]) == set(measures)
    n_of = {(row["grid"], row["concept"]): row["n"] for row in atlas.concepts()}
    for address, width, grid in FAMILIES[name].expected:
        concepts = atlas.concept_names(address)
        there = np.array([n_of[grid, concept] > 0 for concept in concepts])
        for key, measure in measures.items():
            scores = atlas.scores(key, address)
            assert scores.shape == (width, len(concepts))
            assert not np.isnan(scores[:, there]).any(), (key, address)
            low, high = measure.bounds
            assert np.nanmin(scores) >= low
            assert np.nanmax(scores) <= high


@pytest.mark.parametrize("name", FAMILIES)
def test_scores_equal_those_of_a_plain_loop(
    mapped: Mapped, observed: Callable[[str], Any], texts: list[Any], name: str
) -> None:
    atlas, rows, draw = mapped(name), observed(name), random.Random(name)
    for grid in sorted({grid for _, _, grid in FAMILIES[name].expected}):
        layers = on_grid(name, grid)
        valid = rows.valid(layers)
        assert atlas.manifest["grids"][grid]["sites"] == valid.sum()
        kept = [site for site, here in zip(sites(name, grid, texts), valid, strict=True) if here]
        for address in layers:
            values = rows.values(address, valid).astype(np.float16).astype(np.float64)
            concepts = atlas.concept_names(address)
            plain = [at for at, concept in enumerate(concepts) if not concept.startswith("covariates")]
            for concept in draw.sample(plain, 8):
                mask = np.array([plain_loops.holds(concepts[concept], *site) for site in kept])
                if not mask.any():
                    continue
                unit = draw.randrange(values.shape[1])
                expected = roc_auc_score(mask, values[:, unit])
                # A batch's rounding may tip a value to the next half-precision number.
                assert atlas.scores("auroc", address)[unit, concept] == pytest.approx(expected, abs=1e-3)
                precision = average_precision_score(mask, values[:, unit])
                assert atlas.scores("average_precision", address)[unit, concept] == pytest.approx(precision, abs=0.01)


@pytest.mark.parametrize("name", FAMILIES)
def test_units_and_their_clips_equal_those_of_a_plain_loop(
    mapped: Mapped, observed: Callable[[str], Any], texts: list[Any], name: str
) -> None:
    atlas, rows = mapped(name), observed(name)
    for address, _, grid in FAMILIES[name].expected:
        valid = rows.valid(on_grid(name, grid))
        values = rows.values(address, valid)
        units = atlas.units(address)
        tolerance = {"rtol": 2e-3, "atol": 1e-3 * float(np.abs(values).max())}
        found = {key: [row[key] for row in units] for key in ("mean", "sd", "least", "greatest", "status")}
        expected = {"mean": values.mean(0), "sd": values.std(0), "least": values.min(0), "greatest": values.max(0)}
        for key, value in expected.items():
            np.testing.assert_allclose(found[key], value, **tolerance, err_msg=key)
        assert set(found["status"]) <= {"live", "dead"}
        kept = [site for site, here in zip(sites(name, grid, texts), valid, strict=True) if here]
        last = len(units) - 1
        record = atlas.unit(f"{address}:{last}")
        assert (record.row["layer"], record.row["unit"]) == (address, last)
        top = record.of_kind("top")
        first = atlas.sql("select sign from tests where layer = ? and unit = ? and slot = 1", [address, last])
        n = 6 if first and first[0]["sign"] < 0 else 12  # fewer at the end at which it does not detect
        assert [clip["rank"] for clip in top] == list(range(1, n + 1))
        best: dict[str, float] = {}
        for (sentence, _), value in zip(kept, values[:, last].tolist(), strict=True):
            best[sentence.id] = max(best.get(sentence.id, value), value)
        np.testing.assert_allclose([clip["value"] for clip in top], sorted(best.values())[: -n - 1 : -1], **tolerance)
        value_at = {
            (sentence.id, place): (sentence.words[place].form, value)
            for (sentence, place), value in zip(kept, values[:, last].tolist(), strict=True)
        }
        for clip in record.clips:
            if FAMILIES[name].corpus == "conllu":  # the ids of pairs are line numbers
                word, value = value_at[clip["id"], clip["position"]]
                assert (clip["word"], clip["group"]) == (word, clip["id"].partition("-")[0])
                np.testing.assert_allclose(clip["value"], value, **tolerance)
                for place, shown in enumerate(clip["values"], clip["first"]):
                    word, value = value_at.get((clip["id"], place), (clip["words"][place], None))
                    assert clip["words"][place] == word
                    assert (shown is None) == (value is None)
                    np.testing.assert_allclose(shown or 0, value or 0, **tolerance)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_manifest_counts_items_sites_and_dropped_words(
    mapped: Mapped, observed: Callable[[str], Any], texts: list[Any], name: str
) -> None:
    atlas, rows, family = mapped(name), observed(name), FAMILIES[name]
    run = json.loads((atlas.path / "run.json").read_text("utf-8"))
    grids = sorted({grid for _, _, grid in family.expected})
    assert list(atlas.manifest["grids"]) == grids
    assert run["plan"]["items"] == len(texts)
    n_dropped = 0
    for grid in grids:
        valid = rows.valid(on_grid(name, grid))
        notes = atlas.manifest["grids"][grid]
        forms = {
            sentence.words[place].form
            for (sentence, place), here in zip(sites(name, grid, texts), valid, strict=True)
            if not here
        }
        assert forms >= set(family.dropped) if family.dropped else not forms
        assert (notes["sites"], notes["sites_without_position"]) == (valid.sum(), (~valid).sum())
        assert notes["sites_a"] + notes["sites_b"] == notes["sites"]
        assert abs(notes["sites_a"] - notes["sites_b"]) < 0.05 * notes["sites"]
        assert (notes["groups"], notes["blocks"]) == (plain_loops.N_DOCUMENTS, plain_loops.N_DOCUMENTS)
        assert notes["concepts"] == len(atlas.concept_names(on_grid(name, grid)[0]))
        n_dropped += int((~valid).sum())
    counts = atlas.manifest["notes"]["counts"]
    assert counts == {"dropped_words": n_dropped, "truncated_items": 0, "truncated_words": 0, "windowed_items": 0}


@pytest.mark.parametrize("name", ["bert", "t5 copy", "lstm"])
def test_units_matches_and_queries_agree(mapped: Mapped, name: str) -> None:
    atlas = mapped(name)
    matches = atlas.matches()
    assert matches
    assert [row["score"] for row in matches] == sorted((row["score"] for row in matches), reverse=True)
    assert all(0.5 < row["score"] <= 1 and row["q"] < 0.05 and row["n"] >= 20 for row in matches)
    for layer in atlas.layers:
        assert atlas.matches(layer=layer) == [row for row in matches if row["layer"] == layer]
    record = atlas.unit(f"{matches[0]['layer']}:{matches[0]['unit']}")
    assert matches[0] in record.matches
    assert record.row["n_matches"] == sum(row["measure"] == "auroc" for row in record.matches) >= 1
    assert record.matches[0]["concept"] == record.row["concept"]
    assert atlas.sql("select count(*) as n from matches where measure = ?", ["auroc"]) == [{"n": len(matches)}]
    for layer in atlas.layers:
        counts = atlas.summary["trained"][layer]
        rows = atlas.units(layer)
        assert counts["units"] == len(rows)
        assert counts["reported"] == sum(row["kind"] is not None for row in rows)
        for kind in ("contextual", "lexical", "positional"):
            assert counts[kind] == sum(row["kind"] == kind for row in rows)
    n = {row["concept"]: row["n"] for row in atlas.concepts() if row["grid"] == "source"}
    assert n["upos:NOUN"] > n["feats:Number=Plur"] > 0


def test_a_concept_whose_sites_were_all_dropped_is_kept_and_never_tested(mapped: Mapped) -> None:
    atlas = mapped("bert")
    (row,) = atlas.sql("select * from concepts where concept = 'upos:SYM'")
    assert (row["n"], row["eligible"]) == (0, False)
    at = atlas.concept_names("encoder.layer.0").index("upos:SYM")
    assert np.isnan(atlas.scores("auroc", "encoder.layer.0")[:, at]).all()
    assert not atlas.sql("select * from tests where concept = 'upos:SYM'")


def test_baselines_of_bert(mapped: Mapped) -> None:
    atlas = mapped("bert")
    assert set(atlas.summary) == {"trained", "untrained", "rotation"}
    tables = {variant: atlas.table(f"baselines/{variant}.units").to_pylist() for variant in ("untrained", "rotation")}
    tables["trained"] = atlas.sql("select * from units")
    for rows in tables.values():
        assert {(row["layer"], row["unit"]) for row in rows} == {
            (address, unit) for address, width, _ in FAMILIES["bert"].expected for unit in range(width)
        }
    least = {name: [row["least"] for row in rows] for name, rows in tables.items()}
    assert least["trained"] != least["rotation"] != least["untrained"]
    # A rotation keeps the sum of all units' variances.
    for layer in atlas.layers:
        total = {
            name: sum(row["sd"] ** 2 + row["mean"] ** 2 for row in rows if row["layer"] == layer)
            for name, rows in tables.items()
        }
        assert total["rotation"] == pytest.approx(total["trained"], rel=2e-3)
        if layer.endswith("intermediate"):  # others end in a normalisation
            assert total["untrained"] != pytest.approx(total["trained"], rel=0.01)
    bars = {row["layer"]: row["untrained_p99"] for row in atlas.matches()}
    for layer, bar in bars.items():
        assert bar == pytest.approx(atlas.summary["untrained"][layer]["within_form_position_p99"], abs=1e-6)


def test_gated_neurons_of_llama_by_hand(mapped: Mapped, checkpoint: Checkpoint, texts: list[Any]) -> None:
    gate = "layers.1.mlp.gate_proj@in"
    rows = plain_loops.read_transformer(checkpoint("llama"), {gate: "source"}, texts)
    given = torch.from_numpy(rows.values(gate, rows.valid([gate])))
    mlp = transformers.AutoModel.from_pretrained(checkpoint("llama")).layers[1].mlp
    with torch.no_grad():
        neurons = (torch.nn.functional.silu(mlp.gate_proj(given)) * mlp.up_proj(given)).numpy()
    means = [row["mean"] for row in mapped("llama").units("layers.1.mlp.down_proj@in")]
    np.testing.assert_allclose(means, neurons.mean(0), atol=1e-3 * float(np.abs(neurons).max()))
    layers = {each["address"]: each for each in mapped("llama").manifest["study"]["layers"]}
    heads = layers["layers.1.self_attn.o_proj@in"]
    assert (heads["role"], heads["n_heads"]) == ("attention heads", 4)


def test_a_long_item_is_cut_or_read_through_windows(folder: Path, texts: list[Any], checkpoint: Checkpoint) -> None:
    words = [word for sentence in texts[:20] for word in sentence.words if word.form != plain_loops.INVISIBLE]
    long = plain_loops.laid_out("long", "d99", words)
    corpus = plain_loops.write_conllu(folder / "long.conllu", [*texts, long])
    atlases = {
        how: unitscope.map(
            str(checkpoint("bert")),
            str(corpus),
            out=folder / f"long-{how}",
            layers=["encoder.layer.0"],
            concepts=["upos"],
            measures=["auroc"],
            long_items=how,
            workers=1,
        )
        for how in ("window", "truncate")
    }
    n_invisible = sum(word.form == plain_loops.INVISIBLE for sentence in texts for word in sentence.words)
    n_sites = sum(len(sentence.words) for sentence in [*texts, long])
    counts = {how: atlas.manifest["notes"]["counts"] for how, atlas in atlases.items()}
    none = {"dropped_words": n_invisible, "truncated_items": 0, "truncated_words": 0, "windowed_items": 0}
    assert counts["window"] == none | {"windowed_items": 1}
    # The longest row has 64 positions, two of them special; a word is kept where all of its own are before that.
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint("bert"))
    before = np.cumsum([len(tokenizer(word.form, add_special_tokens=False)["input_ids"]) for word in words])
    n_cut = int((before > 62).sum())
    assert 0 < n_cut < len(words)
    assert counts["truncate"] == none | {"truncated_items": 1, "truncated_words": n_cut}
    for how, n_missing in (("window", n_invisible), ("truncate", n_invisible + n_cut)):
        grid = atlases[how].manifest["grids"]["source"]
        assert (grid["sites"], grid["sites_without_position"]) == (n_sites - n_missing, n_missing)


def test_atlases_of_two_sets_of_layers_merge_into_that_of_one_run(
    mapped: Mapped, corpora: dict[str, Path], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    whole = mapped("gpt2")
    for number in (0, 1):
        layers = whole.layers[number::2]
        unitscope.map(
            str(checkpoint("gpt2")), str(corpora["conllu"]), out=tmp_path / str(number), layers=layers, workers=1
        )
    assert contents(merge([tmp_path / "1", tmp_path / "0"], tmp_path / "m")) == contents(whole)


def contents(atlas: Atlas) -> dict[str, bytes]:
    """Bytes of every file but run.json."""
    files = sorted(path for path in atlas.path.rglob("*") if path.is_file() and path.name != "run.json")
    return {path.relative_to(atlas.path).as_posix(): path.read_bytes() for path in files}


def test_encoder_and_decoder_merge_into_one_run_up_to_rounding(
    mapped: Mapped, corpora: dict[str, Path], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    whole = mapped("t5 pairs")
    for grid in ("source", "target"):
        layers = on_grid("t5 pairs", grid)
        unitscope.map(str(checkpoint("t5")), str(corpora["pairs"]), out=tmp_path / grid, layers=layers, workers=1)
    merged = merge([tmp_path / "target", tmp_path / "source"], tmp_path / "m")
    merged.verify()
    assert merged.layers == whole.layers
    assert merged.manifest["grids"] == whole.manifest["grids"]
    assert merged.manifest["notes"]["counts"] == whole.manifest["notes"]["counts"]
    assert merged.concepts() == whole.concepts()
    for layer in whole.layers:
        np.testing.assert_allclose(merged.scores("auroc", layer), whole.scores("auroc", layer), atol=1e-3)


def test_live_objects_give_the_same_atlas(
    mapped: Mapped, corpora: dict[str, Path], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    family = FAMILIES["bert mean"]
    model = unitscope.load_model(str(checkpoint("bert")))
    corpus = unitscope.load_corpus(str(corpora["conllu"]))
    atlas = unitscope.map(model, corpus, out=tmp_path / "a", layers=family.layers, **dict(family.settings))
    assert contents(atlas) == contents(mapped("bert mean"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("convolutions", ["embed", "same", "pool", "strided"]),
        ("lstm", ["lstm"]),
        ("cells", ["cell"]),
    ],
)
def test_layers_by_default(corpora: dict[str, Path], tmp_path: Path, name: str, expected: list[str]) -> None:
    run = make_run(f"python:families:{name}", str(corpora["conllu"]), tmp_path / "a", Settings())
    assert [layer.address for layer in run.study.layers] == expected


def test_the_command_line_makes_the_same_atlas_of_bert(
    mapped: Mapped, corpora: dict[str, Path], checkpoint: Checkpoint, tmp_path: Path
) -> None:
    family, out = FAMILIES["bert mean"], tmp_path / "a"
    arguments = [
        "map",
        str(checkpoint("bert")),
        "--corpus",
        str(corpora["conllu"]),
        "--layers",
        ",".join(family.layers),
    ]
    arguments += ["--resample", "mean", "--workers", "1", "--out", str(out), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    expected = mapped("bert mean")
    assert (told["key"], told["summary"]) == (expected.manifest["key"], expected.summary)
    assert contents(Atlas.open(told["out"])) == contents(expected)


def test_the_command_line_makes_the_same_atlas_of_a_network_of_our_own(
    mapped: Mapped, corpora: dict[str, Path], tmp_path: Path
) -> None:
    """In its own process and two workers, which find the network in the current folder."""
    command = [sys.executable, "-m", "unitscope", "map", "python:families:lstm", "--corpus", str(corpora["conllu"])]
    command += ["--layers", "lstm", "--resample", "mean", "--workers", "2", "--out", str(tmp_path / "a"), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(unitscope.__file__).parents[1])}
    ended = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["key"] == mapped("lstm mean").manifest["key"]
    assert contents(Atlas.open(tmp_path / "a")) == contents(mapped("lstm mean"))
