import pytest

from unitscope.commands.specs import parse_bytes, split_concepts, split_measures, split_names
from unitscope.concepts import parse_sources
from unitscope.errors import PlanError
from unitscope.measures import default_measures, parse_measures


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        (["a", "b"], ["a", "b"]),
        (["a, b,", ",c"], ["a", "b", "c"]),
        (["encoder.[1,3].*,x"], ["encoder.[1,3].*", "x"]),
        (["h.0[1],h.1"], ["h.0[1]", "h.1"]),
    ],
)
def test_names(values: list[str], expected: list[str]) -> None:
    assert split_names(values) == expected


def test_measures_of_all_parameters_survive_the_commas() -> None:
    specs = [
        f"{measure.name}:{','.join(f'{key}={value}' for key, value in measure.parameters.items())}".rstrip(":")
        for measure in default_measures()
    ]
    assert split_measures([",".join(specs)]) == specs
    assert parse_measures(split_measures([",".join(specs)])) == default_measures()
    assert split_measures(specs) == specs


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["upos,feats", "words:40"], ["upos", "feats", "words:40"]),
        (["upos,regex:n=[0-9]{1,3}"], ["upos", "regex:n=[0-9]{1,3}"]),
        (["regex-text:n=a,b,upos"], ["regex-text:n=a,b,upos"]),
        ([" lexicon:a,b.txt"], ["lexicon:a,b.txt"]),
        (["combine:a=upos:X and upos:Y,words"], ["combine:a=upos:X and upos:Y", "words"]),
        (
            ["upos,combine:a='words:,' or (\"words:,\"),feats"],
            ["upos", "combine:a='words:,' or (\"words:,\")", "feats"],
        ),
        (["combine:a=words:don't or words:can't,upos"], ["combine:a=words:don't or words:can't", "upos"]),
        (["concepts:a.toml,upos"], ["concepts:a.toml", "upos"]),
        (["upos,"], ["upos"]),
        ([""], []),
    ],
)
def test_concepts(values: list[str], expected: list[str]) -> None:
    assert split_concepts(values) == expected


def test_a_pattern_with_commas_reaches_its_source() -> None:
    from unitscope.corpora.txt import TxtCorpus

    specs = split_concepts(["position,regex:year=[0-9]{2,4}"])
    sources = parse_sources(specs, TxtCorpus.__new__(TxtCorpus))
    assert [source.category for source in sources] == ["position", "regex"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("8GB", 8 * 10**9), ("8 gb", 8 * 10**9), ("1.5m", 1_500_000), ("2GiB", 2 * 1024**3), ("7", 7), ("3KB", 3000)],
)
def test_bytes(text: str, expected: int) -> None:
    assert parse_bytes(text, "--disk") == expected


@pytest.mark.parametrize("text", ["", "lots", "-1GB", "0", "1.2.3GB", "8 PB", "nan"])
def test_bad_bytes_are_told(text: str) -> None:
    with pytest.raises(PlanError, match=f"Got '{text}' for --disk. Expected: a number of bytes such as 8GB"):
        parse_bytes(text, "--disk")
    assert parse_bytes(None, "--disk") is None
