from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.errors import UnknownLayerError
from unitscope.models.address import Address, parse, select

KNOWN = ["h.0@in", "h.0", "h.0.act", "h.1@in", "h.1", "lstm", "lstm[1]", "shared#0", "shared@in#1", "shared#1"]
LISTED = [address for address in KNOWN if "@in" not in address]


@given(
    st.builds(
        Address,
        st.from_regex(r"[a-z_0-9]+(\.[a-z_0-9]+){0,3}", fullmatch=True),
        st.sampled_from(["in", "out"]),
        st.integers(0, 12),
        st.none() | st.integers(0, 12),
    )
)
def test_parsing_inverts_writing(address: Address) -> None:
    assert parse(str(address)) == address


@pytest.mark.parametrize("text", ["", "h.*", "h.[ab]", "h@out", "h#", "h[1][2]", "h.0@in@in", "h.?"])
def test_what_is_no_address(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["h.1", "h.0"], ["h.0", "h.1"]),
        (["h.0", "h.0"], ["h.0"]),
        (["h.0@in"], ["h.0@in"]),
        (["h.*"], ["h.0", "h.0.act", "h.1"]),
        (["h.?"], ["h.0", "h.1"]),
        (["h.*@in"], ["h.0@in", "h.1@in"]),
        (["h.[01]"], ["h.0", "h.1"]),
        (["lstm[1]"], ["lstm[1]"]),
        (["lstm[0]"], ["lstm"]),
        (["shared"], ["shared#0", "shared#1"]),
        (["shared@in"], ["shared@in#1"]),
        (["shared#1"], ["shared#1"]),
        (["*"], LISTED),
    ],
)
def test_select(patterns: list[str], expected: list[str]) -> None:
    assert select(patterns, KNOWN, LISTED, "tiny") == expected


@pytest.mark.parametrize("pattern", ["h.2", "H.0", "shared#2", "zzz*", "h", ""])
def test_nothing_matched(pattern: str) -> None:
    with pytest.raises(UnknownLayerError) as caught:
        select(["h.0", pattern], KNOWN, LISTED, "tiny")
    assert str(caught.value).startswith(f"Layer '{pattern}' not in tiny.")
    assert str(caught.value).endswith("List them: unitscope layers MODEL")
