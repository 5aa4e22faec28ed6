"""Rankings come back as they were kept, and not beside another atlas."""

from __future__ import annotations

import numpy as np
import pytest

import unitscope
from unitscope.atlas import Atlas
from unitscope.errors import RankingError, StoreError
from unitscope.rankings import kept
from unitscope.rankings.base import Origin, Ranking

LAYER = "encoder.layer.1"


def ranking(target: str = "all", parent: str = "", units: tuple[str, ...] = (f"{LAYER}:3", f"{LAYER}:0")) -> Ranking:
    return Ranking(units, np.array([2.0, 1.5]), target, Origin("made", {"k": 3, "half": "a"}, 7, parent))


def test_they_come_back_as_they_were(atlas: Atlas) -> None:
    key = atlas.manifest["key"]
    given = [ranking("all", key), ranking("upos:NOUN", key)]
    kept.save(atlas, "by-hand", given)
    found = kept.load(atlas, "by-hand")
    assert [(each.units, each.scores.tolist(), each.target, each.origin) for each in found] == [
        (each.units, each.scores.tolist(), each.target, each.origin) for each in given
    ]
    assert kept.names(atlas) == ["by-hand"]
    assert kept.of_target(found, "upos:NOUN") is found[1]
    with pytest.raises(RankingError, match=r"No ranking for 'upos:NOUM' here.*Closest: 'upos:NOUN'"):
        kept.of_target(found, "upos:NOUM")
    with pytest.raises(StoreError, match=r"no 'by-hnd' among its rankings. Closest: 'by-hand'"):
        kept.load(atlas, "by-hnd")


def test_columns_are_those_that_are_documented(atlas: Atlas) -> None:
    from pyarrow import parquet

    unitscope.rank(atlas, by="auroc", concepts="upos", name="auroc.upos")
    table = parquet.read_table(atlas.path / "rankings" / "auroc.upos.units.parquet")
    assert table.column_names == ["target", "rank", "layer", "unit", "score"]
    first = table.slice(0, 1).to_pylist()[0]
    assert (first["target"], first["rank"]) == ("all", 1)


def test_the_same_question_gives_the_same_bytes(atlas: Atlas) -> None:
    def written(name: str) -> bytes:
        unitscope.rank(atlas, by="auroc", concepts="upos", name=name)
        return (atlas.path / "rankings" / f"{name}.units.parquet").read_bytes()

    assert written("one") == written("two")


def test_what_is_of_another_atlas_is_refused(atlas: Atlas) -> None:
    with pytest.raises(RankingError, match=r"is of another atlas \(key other"):
        kept.save(atlas, "x", [ranking(parent="other")])
    with pytest.raises(RankingError, match=r"has the unit 'encoder.layer.9:3', which this atlas has not.*Closest"):
        kept.save(atlas, "x", [ranking(units=("encoder.layer.9:3", f"{LAYER}:0"))])
    with pytest.raises(RankingError, match=f"has the unit '{LAYER}:16'"):
        kept.save(atlas, "x", [ranking(units=(f"{LAYER}:16", f"{LAYER}:0"))])
    with pytest.raises(RankingError, match="Got two rankings for one target"):
        kept.save(atlas, "x", [ranking(), ranking()])
    with pytest.raises(RankingError, match="several origins"):
        kept.save(atlas, "x", [ranking(), ranking("b", atlas.manifest["key"])])
    with pytest.raises(RankingError, match="Got no rankings to keep"):
        kept.save(atlas, "x", [])
    assert kept.names(atlas) == []
