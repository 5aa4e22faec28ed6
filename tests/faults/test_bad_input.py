"""Input that is wrong, strange or empty gives a defined answer or an error that says how to mend it."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import unitscope
from unitscope.atlas import Atlas
from unitscope.errors import (
    ConceptError,
    CorpusError,
    MeasureError,
    ModelError,
    PlanError,
    StoreError,
    UnitscopeError,
    UnknownLayerError,
)
from unitscope.models.torch import TorchModel
from unitscope.sites import Item, Text

SETTINGS: dict[str, Any] = {
    "layers": ("mix",),
    "concepts": ("upos", "words:20"),
    "measures": ("auroc",),
    "workers": 1,
}
Map = Callable[..., Atlas]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def make(small_model: str, small_corpus: str) -> Map:
    def make(out: Path, model: Any = small_model, corpus: Any = small_corpus, **settings: Any) -> Atlas:
        return unitscope.map(model, corpus, out=out, **{**SETTINGS, **settings})

    return make


@pytest.fixture(scope="module")
def whole(make: Map, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("whole") / "atlas").path


def told(error: pytest.ExceptionInfo[UnitscopeError], *parts: str) -> None:
    for part in parts:
        assert part in str(error.value)


# What is asked for


@pytest.mark.parametrize(
    ("settings", "kind", "parts"),
    [
        ({"layers": ["mixx"]}, UnknownLayerError, ["Layer 'mixx' not in", "Closest: 'mix'", "unitscope layers"]),
        ({"layers": ["decoder.*"]}, UnknownLayerError, ["'decoder.*'", "unitscope layers"]),
        ({"layers": "mix"}, PlanError, ["Got layers='mix'. Expected: a list, as layers=['...']."]),
        ({"measures": ["auroq"]}, MeasureError, ["Unknown measure 'auroq'", "Closest: 'auroc'"]),
        ({"measures": ["iou:quantile=2"]}, MeasureError, ["quantile=2", "between 0 and 1"]),
        ({"measures": ["iou:quantil=.9"]}, MeasureError, ["has no parameter 'quantil'", "quantile"]),
        ({"concepts": ["upso"]}, ConceptError, ["Unknown concept source 'upso'", "Closest: 'upos'"]),
        ({"concepts": ["upos", "upos"]}, ConceptError, ["'upos' is given twice"]),
        ({"concepts": ["regex:none=zzz"]}, ConceptError, ["No site of the corpus holds 'regex:none'"]),
        ({"concepts": ["words:100000"]}, ConceptError, ["No concept is left", "fewer than 100000 sites"]),
        ({"concepts": "upos"}, PlanError, ["Got concepts='upos'", "a list"]),
        ({"baselines": ["untrainde"]}, PlanError, ["Unknown baseline 'untrainde'", "Closest: 'untrained'"]),
        ({"baselines": "untrained"}, PlanError, ["Got baselines='untrained'", "a list"]),
        ({"resample": "median"}, PlanError, ["Unknown resampling 'median'", "one of last, first, mean, max"]),
        ({"long_items": "drop"}, PlanError, ["Got 'drop' for long items", "window or truncate"]),
        ({"batch_size": 0}, PlanError, ["Got batch_size=0. Expected: 1 or more."]),
        ({"threads": 0}, PlanError, ["Got threads=0"]),
        ({"workers": 0}, PlanError, ["Got workers=0"]),
        ({"seed": -1}, PlanError, ["Got seed=-1. Expected: a whole number from 0"]),
        ({"max_items": 0}, CorpusError, ["Got max_items=0. Expected: at least 1."]),
        ({"target": "source"}, CorpusError, ["Got target='source'"]),
        ({"disk": 0}, PlanError, ["The budgets allow 0 units at a time. Expected: at least 12:", "Raise --memory or"]),
        ({"memory": 10**6}, PlanError, ["The budgets allow 0 units at a time", "0.7 GB of memory"]),
        ({"disk": -5}, PlanError, ["The budgets allow 0 units"]),
    ],
    ids=str,
)
def test_settings_that_make_no_sense(
    settings: dict[str, Any], kind: type[UnitscopeError], parts: list[str], make: Map, tmp_path: Path
) -> None:
    with pytest.raises(kind) as caught:
        make(tmp_path / "atlas", **settings)
    told(caught, *parts)
    assert not (tmp_path / "atlas").exists()


def test_an_unknown_argument(make: Map, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"unexpected arguments: layer, \w+"):
        make(tmp_path / "atlas", layer=["mix"], wrokers=1)


def test_a_mended_command_is_not_barred_by_its_failed_forerunner(make: Map, whole: Path, tmp_path: Path) -> None:
    """What failed before anything was worked leaves nothing that a run with other settings would have to respect."""
    with pytest.raises(ConceptError):
        make(tmp_path / "atlas", concepts=["words:100000"])
    assert contents(make(tmp_path / "atlas").path) == contents(whole)


def test_a_budget_that_was_too_small_is_mended_by_a_larger(make: Map, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError):
        make(tmp_path / "atlas", disk=10)
    assert contents(make(tmp_path / "atlas").path) == contents(whole)


# The corpus


@dataclass(frozen=True)
class Made:
    """A corpus of given sentences, one a document."""

    sentences: tuple[str, ...]
    name: str = "made"
    grids: tuple[str, ...] = ("source",)
    columns: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        return f"{hash(self.sentences):x}"

    def __iter__(self) -> Iterator[Item]:
        for number, sentence in enumerate(self.sentences):
            yield Item(f"s{number}", f"d{number}", {"source": Text.from_words(sentence.split())})


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("empty.conllu", "", ["empty.conllu holds no sentence"]),
        ("comments.conllu", "# newdoc id = 1\n\n", ["comments.conllu holds no sentence"]),
        ("empty.txt", "", ["empty.txt holds no text"]),
        ("blank.txt", "\n \n\t\n", ["blank.txt holds no text"]),
        ("short.conllu", "1\tword\tword\n\n", ["line 1", "10"]),
        ("bytes.txt", "caf\udce9\n", ["UTF-8"]),
    ],
)
def test_a_corpus_without_items(name: str, text: str, parts: list[str], make: Map, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CorpusError) as caught:
        make(tmp_path / "atlas", corpus=str(tmp_path / name), concepts=["words:1"])
    told(caught, *parts)


def test_a_corpus_without_words(make: Map, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"Corpus 'made' has no words. Expected: at least one item with words"):
        make(tmp_path / "atlas", corpus=Made(("", "", "")), concepts=["words:1"])


def test_a_corpus_of_one_item(make: Map, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="at least two items with sites, so that halves can be made"):
        make(tmp_path / "atlas", corpus=Made(("the cat sat",)), concepts=["words:1"])


@pytest.mark.parametrize("corpus", ["nothing.conllu", "folder", "text.doc", "text"])
def test_no_such_corpus(corpus: str, make: Map, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(CorpusError):
        make(tmp_path / "atlas", corpus=str(tmp_path / corpus))


def test_the_least_of_corpora_gives_an_atlas(make: Map, tmp_path: Path) -> None:
    atlas = make(tmp_path / "atlas", corpus=Made(("a", "", "the", "a")), concepts=["words:1"])
    atlas.verify()
    assert atlas.summary["trained"]["mix"]["units"] == 12
    assert atlas.summary["trained"]["all"]["tested"] == 0
    assert atlas.matches() == []


def test_limits_beside_a_corpus_object_are_not_ignored(make: Map, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"Got max_items=5 beside a corpus object. Expected: a path"):
        make(tmp_path / "atlas", corpus=Made(("a", "the")), max_items=5)


def test_a_layer_of_a_grid_that_the_corpus_lacks(make: Map, tmp_path: Path) -> None:
    class Target(Made):
        def __iter__(self) -> Iterator[Item]:
            for item in super().__iter__():
                yield Item(item.id, item.group, {"target": item.grids["source"]})

    with pytest.raises(CorpusError, match=r"Item 's0' of corpus 'made' has no grid 'source', which a chosen layer"):
        make(tmp_path / "atlas", corpus=Target(("a", "the")), concepts=["words:1"])


# Concept sources


@dataclass(frozen=True)
class Partly:
    """Known at some words only."""

    category: str = "partly"
    min_sites: int = 20
    unknown: str = "t"

    def annotate(self, item: Item, grid: str) -> list[tuple[str, ...] | None]:
        words = item.grids[grid].words
        return [None if word.startswith(self.unknown) else (("long",) if len(word) > 3 else ()) for word in words]


@pytest.mark.parametrize(
    "sources",
    [[Partly()], [Partly(), Partly("other", unknown="b")], [Partly(), Partly("other", unknown="@")]],
    ids=["one", "two", "one of two"],
)
def test_concepts_that_are_known_at_some_sites_only(sources: list[Any], make: Map, whole: Path, tmp_path: Path) -> None:
    """What does not depend on concepts is the same as with concepts known everywhere."""
    atlas = make(tmp_path / "atlas", concepts=(), sources=sources)
    same = ("status", "mean", "sd", "least", "greatest", "threshold_upper", "n_on_upper", "threshold_lower")
    for mine, theirs in zip(atlas.units(), Atlas.open(whole).units(), strict=True):
        assert {name: mine[name] for name in same} == {name: theirs[name] for name in same}
    highest = {(row["unit"], row["rank"]): (row["item"], row["position"], row["value"]) for row in clips(whole)}
    for row in clips(atlas.path):
        assert highest.get((row["unit"], row["rank"]), row) in ((row["item"], row["position"], row["value"]), row)
    known = {row["concept"]: row["n_known"] for row in atlas.concepts()}
    assert known["partly:long"] == atlas.manifest["grids"]["source"]["sites"] - sum(
        row["n"] for row in Atlas.open(whole).concepts() if row["concept"] == "words:the"
    )


def clips(path: Path) -> list[dict[str, Any]]:
    return Atlas.open(path).sql("select * from clips where kind = 'top'")


def test_a_source_that_gives_too_few_entries(make: Map, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Short(Partly):
        def annotate(self, item: Item, grid: str) -> list[tuple[str, ...] | None]:
            return super().annotate(item, grid)[1:]

    with pytest.raises(ConceptError, match=r"Source 'partly' gave .* entries for item"):
        make(tmp_path / "atlas", concepts=(), sources=[Short()])


def test_a_source_that_describes_itself_by_its_address(make: Map, tmp_path: Path) -> None:
    class Plain:
        category, min_sites = "plain", 1

        def annotate(self, item: Item, grid: str) -> list[tuple[str, ...] | None]:
            return []

    with pytest.raises(ConceptError, match=r"differs from run to run.*Make it a frozen dataclass"):
        make(tmp_path / "atlas", concepts=(), sources=[Plain()])


# The network


class Odd(nn.Module):
    """Units: 0 sound; 1 NaN, 2 inf and 3 -inf at one word; 4 constant; 5 zero; 6 NaN always; 7 dead; 8 huge; 9 tiny."""

    def __init__(self, words: Any) -> None:
        super().__init__()
        table = torch.randn(51, 10, generator=torch.Generator().manual_seed(0))
        bank, zebra = (sum(word.encode()) % 50 + 1 for word in ("bank", "zebra"))
        table[bank, 1:4] = torch.tensor([torch.nan, torch.inf, -torch.inf])
        table[:, 4], table[:, 5], table[:, 6], table[:, 7] = 2.5, 0, torch.nan, 0
        table[zebra, 7] = 1
        self.register_buffer("scale", torch.tensor([1.0, 1, 1, 1, 0, 0, 1, 0, 1e30, 1e-20]))
        table[:, 8:] *= self.scale[8:]
        self.table, self.end = nn.Embedding.from_pretrained(table), nn.Identity()
        self.adapter = words

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        wave = torch.sin(ids.cumsum(1).float() * 7.3)[..., None]
        return self.end(self.table(ids) + 0.3 * self.scale * wave)


@pytest.fixture(scope="module")
def odd(small_model: str, make: Map, tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    from small_model import WORDS, Words

    model = TorchModel(Odd(Words()), Words(), name="odd")
    draw = random.Random(2)
    sentences = [" ".join(draw.choice(WORDS) for _ in range(6)) for _ in range(300)]
    sentences[280] += " zebra zebra"
    corpus = Made(tuple(sentences))
    return make(
        tmp_path_factory.mktemp("odd") / "atlas", model, corpus, layers=["end"], concepts=["words:20"], measures=["all"]
    )


def test_units_of_every_kind_are_counted(odd: Atlas) -> None:
    status = [row["status"] for row in odd.units()]
    assert status == ["live", "nan", "nan", "nan", "constant", "constant", "nan", "dead", "live", "live"]
    summary = odd.summary["trained"]["end"]
    assert {name: summary[name] for name in ("units", "live", "dead", "constant", "nan")} == {
        "units": 10,
        "live": 3,
        "dead": 1,
        "constant": 2,
        "nan": 4,
    }


def test_units_that_are_no_numbers_have_no_statistics(odd: Atlas) -> None:
    for unit in (1, 2, 3, 6):
        row = odd.units()[unit]
        names = ("mean", "sd", "least", "greatest", "share_form", "tested", "concept", "threshold_upper")
        assert [row[name] for name in names] == [None] * 8
        for measure in odd.manifest["measures"]:
            assert np.isnan(odd.scores(measure, "end")[unit]).all()
        assert odd.sql("select count(*) as n from matches where unit = ?", [unit]) == [{"n": 0}]
        assert odd.sql("select count(*) as n from clips where unit = ?", [unit]) == [{"n": 0}]


def test_constant_units_are_not_tested(odd: Atlas) -> None:
    for unit, value in ((4, 2.5), (5, 0.0)):
        row = odd.units()[unit]
        assert (row["mean"], row["sd"], row["least"], row["greatest"], row["tested"]) == (
            value,
            0.0,
            value,
            value,
            None,
        )
        assert (odd.scores("auroc", "end")[unit] == 0.5).all()


def test_huge_and_tiny_units_keep_their_scale(odd: Atlas) -> None:
    rows = odd.units()
    assert rows[0]["sd"] > 0.1
    assert 0.1 < rows[8]["sd"] / 1e30 < 10
    assert 0.1 < rows[9]["sd"] / 1e-20 < 10
    assert rows[8]["tested"]
    assert rows[9]["tested"]


class Hasty(nn.Module):
    """Changes the output of `first` in place after it was handed out."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(51, 4)
        self.first, self.last = nn.Linear(4, 4), nn.Identity()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        held = self.first(self.table(ids))
        held.mul_(0).add_(7)
        return self.last(held)


def test_changes_in_place_after_capture_do_not_reach_what_was_captured(
    small_model: str, small_corpus: str, make: Map, tmp_path: Path
) -> None:
    from small_model import Words

    module = Hasty()
    model = TorchModel(module, Words(), name="hasty")
    items = list(unitscope.load_corpus(small_corpus))[:40]
    captured = model.run(items, model.resolve(["first", "last"]))
    texts = [item.grids["source"] for item in items]
    with torch.no_grad():
        expected = torch.cat(
            [module.first(module.table(Words().encode([text]).args[0]))[0] for text in texts]  # not by `forward`
        )
    torch.testing.assert_close(captured.values["first"], expected)
    assert (captured.values["last"] == 7).all()
    atlas = make(tmp_path / "atlas", model, layers=["first", "last"])
    assert atlas.summary["trained"]["first"]["constant"] == 0
    assert atlas.summary["trained"]["last"]["constant"] == 4


class Letters:
    """An adapter that drops words with a digit and takes 8 positions at most."""

    max_positions = 8

    def encode(self, texts: Sequence[Text]) -> Any:
        from unitscope.models.adapters import Encoded

        spans = [[span for span, word in zip(t.spans, t.words) if not re.search(r"\d", word)] for t in texts]
        ids = torch.zeros(len(texts), max(len(row) for row in spans), dtype=torch.long)
        for number, (text, row) in enumerate(zip(texts, spans)):
            ids[number, : len(row)] = torch.tensor([len(text.text[a:b]) for a, b in row])
        return Encoded(spans=spans, args=(ids,))


@pytest.mark.parametrize("long_items", ["window", "truncate"])
def test_dropped_words_and_long_items_are_counted(long_items: str, make: Map, tmp_path: Path) -> None:
    sentences = ["the cat 42 sat on a mat"] * 30 + ["a dog read a big red book in the bank she said"] * 12
    model = TorchModel(nn.Sequential(nn.Embedding(51, 4), nn.Linear(4, 4)), Letters(), name="letters")
    atlas = make(
        tmp_path / "atlas", model, Made(tuple(sentences)), layers=["1"], concepts=["words:12"], long_items=long_items
    )
    counts = atlas.manifest["notes"]["counts"]
    cut = long_items == "truncate"
    assert counts == {
        "dropped_words": 30,
        "truncated_items": 12 * cut,
        "truncated_words": 12 * 4 * cut,
        "windowed_items": 12 * (not cut),
    }
    grid = atlas.manifest["grids"]["source"]
    assert grid["sites_without_position"] == 30 + 48 * cut
    assert grid["sites"] == 30 * 6 + 12 * 12 - 48 * cut
    assert {row["concept"]: row["n"] for row in atlas.concepts()}["words:cat"] == 30
    assert not any(row["concept"] == "words:42" and row["n"] for row in atlas.concepts())


def test_a_model_that_has_a_position_for_no_word(make: Map, tmp_path: Path) -> None:
    model = TorchModel(nn.Sequential(nn.Embedding(51, 4), nn.Linear(4, 4)), Letters(), name="letters")
    with pytest.raises(PlanError, match=r"a position for none of the corpus' words. Check tokenizer and corpus"):
        make(tmp_path / "atlas", model, Made(("1 2 3", "4 5 6")), layers=["1"], concepts=["words:1"])


def test_a_model_that_fails_in_the_middle(small_model: str, make: Map, whole: Path, tmp_path: Path) -> None:
    import small_model as module

    class Failing(module.Net):  # type: ignore[name-defined,misc]
        fails = False

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            if self.fails:
                raise ValueError("something in the network")
            return super().forward(ids)

    network = Failing()
    model = TorchModel(network, module.Words(), name="failing")
    model.layers()
    network.fails = True
    with pytest.raises(ModelError, match=r"failing failed on item .*ValueError: something in the network"):
        make(tmp_path / "atlas", model)
    network.fails = False
    make(tmp_path / "atlas", model).verify()


# Where the atlas goes


def test_the_same_command_again_gives_the_same_atlas_without_work(make: Map, whole: Path, tmp_path: Path) -> None:
    make(tmp_path / "atlas")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    atlas = make(tmp_path / "atlas")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert contents(atlas.path) == contents(whole)


def test_out_holds_another_run(make: Map, tmp_path: Path) -> None:
    make(tmp_path / "atlas")
    before = contents(tmp_path / "atlas")
    with pytest.raises(StoreError) as caught:
        make(tmp_path / "atlas", seed=1)
    told(caught, "'atlas' holds the atlas of another run. Expected: the same model", "Give another --out")
    assert contents(tmp_path / "atlas") == before
    assert [path.name for path in tmp_path.iterdir()] == ["atlas"]


@pytest.mark.parametrize("what", ["folder", "file", "manifest"])
def test_out_is_no_atlas(what: str, make: Map, tmp_path: Path) -> None:
    out = tmp_path / "atlas"
    if what == "file":
        out.write_text("precious")
    else:
        out.mkdir()
        (out / ("manifest.json" if what == "manifest" else "notes.txt")).write_text('{"name": "precious"}')
    with pytest.raises(StoreError, match="Give another --out, or delete it if it is not needed"):
        make(out)
    assert "precious" in (out if what == "file" else next(out.iterdir())).read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["atlas"]


def test_out_is_an_empty_folder(make: Map, whole: Path, tmp_path: Path) -> None:
    (tmp_path / "atlas").mkdir()
    assert contents(make(tmp_path / "atlas").path) == contents(whole)


def test_out_is_given_relative_to_the_current_folder(
    make: Map, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert contents(make(Path("sub/atlas")).path) == contents(whole)
    with pytest.raises(StoreError, match="'here' exists and is no atlas"):
        make(Path("."))


def stop_at(label: str) -> Callable[[str, int, int], None]:
    def progress(what: str, done: int, total: int) -> None:
        if what == label:
            raise KeyboardInterrupt

    return progress


def test_unfinished_work_of_another_run_is_kept(make: Map, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "atlas", progress=stop_at("scoring units (trained)"))
    with pytest.raises(StoreError) as caught:
        make(tmp_path / "atlas", seed=5)
    told(caught, "'atlas.partial' holds the unfinished work of another run.", "Finish that run with its own command")
    spool = next((tmp_path / "atlas.partial" / "spool").rglob("*.safetensors"))
    made = spool.stat().st_mtime_ns
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "atlas", progress=stop_at("scoring units (trained)"))
    assert spool.stat().st_mtime_ns == made
    assert contents(make(tmp_path / "atlas").path) == contents(whole)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_something_else_is_where_unfinished_work_would_go(what: str, make: Map, tmp_path: Path) -> None:
    precious = tmp_path / "atlas.partial"
    if what == "folder":
        precious.mkdir()
        precious /= "thesis.txt"
    precious.write_text("precious")
    with pytest.raises(StoreError, match=r"atlas\.partial"):
        make(tmp_path / "atlas")
    assert precious.read_text() == "precious"


def test_a_finished_run_deletes_nothing_that_is_not_its_own(make: Map, tmp_path: Path) -> None:
    make(tmp_path / "atlas")
    (tmp_path / "atlas.partial").mkdir()
    (tmp_path / "atlas.partial" / "thesis.txt").write_text("precious")
    make(tmp_path / "atlas")
    assert (tmp_path / "atlas.partial" / "thesis.txt").read_text() == "precious"


def test_two_runs_never_meet_in_one_folder(make: Map, whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    errors: list[str] = []

    def meet(what: str, done: int, total: int) -> None:
        if what == "scoring units (trained)" and not errors:
            try:
                make(tmp_path / "atlas")
            except StoreError as error:
                errors.append(str(error))

    make(tmp_path / "atlas", progress=meet)
    assert errors == ["Another run is at work in 'atlas.partial'. Wait for it, stop it, or give another --out."]
    assert contents(tmp_path / "atlas") == contents(whole)


def test_runs_that_start_together_make_one_atlas(make: Map, whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    ends: list[str] = []

    def run() -> None:
        try:
            make(tmp_path / "atlas")
            ends.append("made")
        except StoreError as error:
            ends.append(error.got)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(ends) <= {"made", "Another run is at work in 'atlas.partial'."}
    assert "made" in ends
    assert contents(tmp_path / "atlas") == contents(whole)
    assert [path.name for path in tmp_path.iterdir()] == ["atlas"]


def test_a_live_model_goes_on_with_what_a_spec_began(make: Map, whole: Path, tmp_path: Path, small_model: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "atlas", progress=stop_at("scoring units (trained)"))
    model = unitscope.load_model(small_model)
    assert contents(make(tmp_path / "atlas", model).path) == contents(whole)


@pytest.fixture
def barred(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing can be written, for the superuser too where that can be had."""
    folder = tmp_path / "barred"
    folder.mkdir()
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions are not POSIX here")
    if os.geteuid():
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode or not sys.platform.startswith("linux"):
        pytest.skip("the superuser can write everywhere, and a read-only disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_out_cannot_be_written(make: Map, barred: Path) -> None:
    with pytest.raises(StoreError, match=r"Cannot write .*Check the folder's permissions"):
        make(barred / "atlas")


def test_the_folder_of_out_is_a_file(make: Map, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(StoreError, match="Cannot write"):
        make(tmp_path / "file" / "atlas")
    assert (tmp_path / "file").read_text() == "precious"
