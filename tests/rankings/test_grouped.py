"""Rankings from groups of units by name."""

from __future__ import annotations

import numpy as np
import pytest

import unitscope
from unitscope.activations import Activations
from unitscope.atlas import Atlas
from unitscope.concepts.table import ConceptTable
from unitscope.errors import RankingError


@pytest.fixture(scope="module")
def alike() -> Activations:
    """`x:0`, `x:1` (turned) and `y:0` say the same, `x:2` and `y:1` another thing, `y:2` is alone, `y:3` constant."""
    random = np.random.default_rng(0)
    base, noise = random.normal(size=(300, 3)), 0.1 * random.normal(size=(300, 7))
    columns = [base[:, 0], -base[:, 0], base[:, 1], base[:, 0], base[:, 1], base[:, 2]]
    values = np.stack([*columns, np.zeros(300)], axis=1) + noise * [1, 1, 1, 1, 1, 1, 0]
    nothing = ConceptTable((), (), np.zeros(1, np.int64), np.zeros(0, np.int32), 300)
    return Activations.of_arrays({"x": values[:, :3].astype("f4"), "y": values[:, 3:].astype("f4")}, nothing)


def test_one_unit_stands_for_each_cluster(alike: Activations) -> None:
    (found,) = unitscope.rank(alike, by="clusters")
    assert found.scores.tolist() == [3.0, 2.0, 1.0]
    assert found.units[0] in {"x:0", "x:1", "y:0"}
    assert found.units[1] in {"x:2", "y:1"}
    assert found.units[2] == "y:2"
    rows = {row["layer"]: row for row in found.origin.parameters["redundancy"]}
    assert rows["x"]["removable"] == pytest.approx(1 - (1 / 3 + 1 / 3 + 1 / 2) / 3)
    (signed,) = unitscope.rank(alike, by="clusters:signed=true")
    assert signed.scores.tolist() == [2.0, 2.0, 1.0, 1.0]
    (cut,) = unitscope.rank(alike, by="clusters:cut=0,linkage=complete")
    assert cut.scores.tolist() == [1.0] * 6


def test_factors_hold_the_units_that_say_the_same(alike: Activations) -> None:
    found = {each.target: each for each in unitscope.rank(alike, by="factors:n=3")}
    assert list(found) == ["all", "factor:1", "factor:2", "factor:3"]
    assert set(found["factor:1"].top(3)) == {"x:0", "x:1", "y:0"}
    assert set(found["factor:2"].top(2)) == {"x:2", "y:1"}
    assert found["factor:3"].top(1) == ("y:2",)
    assert "y:3" not in found["all"].units
    assert found["all"].origin.parameters["figures"]["held_out"] > 0.9


def test_groups_are_kept_beside_the_order(atlas: Atlas) -> None:
    from pyarrow import parquet

    (found,) = unitscope.rank(atlas, by="clusters", layers=["encoder.layer.?"], name="clusters")
    table = parquet.read_table(atlas.path / "rankings" / "clusters.groups.parquet").to_pylist()
    assert len(table) == 32
    assert len({row["cluster"] for row in table}) == len(found)


def test_what_makes_no_sense_is_told(alike: Activations) -> None:
    with pytest.raises(RankingError, match="Got linkage 'single'"):
        unitscope.rank(alike, by="clusters:linkage=single")
    with pytest.raises(RankingError, match="Got half 'b' for rankings by clusters"):
        unitscope.rank(alike, by="clusters", half="b")
    with pytest.raises(RankingError, match="Got 50 factors"):
        unitscope.rank(alike, by="factors:n=50")
