"""Methods by name."""

from __future__ import annotations

import pytest

from unitscope.errors import RankingError
from unitscope.rankings.measured import Measured
from unitscope.rankings.methods import method_names, parse_method
from unitscope.rankings.supervised import Probeless


def test_specs_are_read() -> None:
    assert parse_method("probeless:standardise=yes,min_sites=5") == Probeless(5, True)
    assert parse_method("iou_lower") == Measured("iou_lower")
    assert parse_method("auroc:end=upper") == Measured("auroc", "upper")
    assert parse_method("informedness", ("informedness",)) == Measured("informedness")
    assert {"probeless", "f", "variance", "random", "effect", "auroc", "iou_lower"} <= set(method_names())


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("probless", r"Unknown method 'probless'\. Expected: one of probeless, f, .*Closest: 'probeless'"),
        ("f:min=3", r"Method 'f' has no parameter 'min'\. Expected: one of min_sites.*Closest: 'min_sites'"),
        ("variance:x=1", r"Method 'variance' has no parameter 'x'\. Expected: no parameter"),
        ("f:min_sites=few", r"Got min_sites=few for method 'f'\. Expected: a whole number"),
        ("probeless:standardise=2", r"Got standardise=2 for method 'probeless'\. Expected: true or false"),
        ("auroc:measure=iou", "has no parameter 'measure'"),
    ],
)
def test_what_is_no_method_is_told(spec: str, told: str) -> None:
    with pytest.raises(RankingError, match=told):
        parse_method(spec)
