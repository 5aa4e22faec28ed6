import pytest

from unitscope.concepts import SPECS, parse_sources
from unitscope.concepts.covariates import CovariateSource
from unitscope.concepts.lexicon import LexiconSource
from unitscope.concepts.predicate import PredicateSource
from unitscope.concepts.regex import TextRegexSource, WordRegexSource
from unitscope.concepts.tags import TagSource
from unitscope.concepts.words import PositionSource, WordSource
from unitscope.errors import ConceptError


class Fixed:
    name, grids = "tiny", ("source",)

    def __init__(self, *columns):
        self.columns = columns

    def fingerprint(self):
        return "f"

    def __iter__(self):
        return iter(())


CORPUS = Fixed("lemma", "upos", "xpos", "feats", "deprel", "morphemes", "meaning", "sense")


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        ("upos", TagSource("upos", "upos", "", 20)),
        ("xpos@3", TagSource("xpos", "xpos", "", 3)),
        ("feats", TagSource("feats", "feats", "|", 20)),
        ("deprel@100", TagSource("deprel", "deprel", "", 100)),
        ("morphemes", TagSource("morphemes", "morphemes", "+", 20)),
        ("meaning", TagSource("meaning", "meaning", "|", 20)),
        ("column:meaning", TagSource("meaning", "meaning", "|", 20)),
        ("column:sense:/@2", TagSource("sense", "sense", "/", 2)),
        ("column:sense::", TagSource("sense", "sense", ":", 20)),
        ("column:feats:", TagSource("feats", "feats", "", 20)),
        ("words", WordSource(40)),
        ("words:7", WordSource(7)),
        ("words@7", WordSource(7)),
        ("lemmas", TagSource("lemma", "lemmas", "", 40)),
        ("lemmas:9", TagSource("lemma", "lemmas", "", 9)),
        ("position@5", PositionSource(5)),
        ("covariates", CovariateSource(20, CORPUS)),
        (r"regex:year=\d{4}", WordRegexSource((("year", r"\d{4}"),), 20)),
        ("regex:mail=.*@.*=x:y@4", WordRegexSource((("mail", ".*@.*=x:y"),), 4)),
        ("regex-text:ny=New York", TextRegexSource((("ny", "New York"),), 20)),
        ("predicate:os.path:join@6", PredicateSource("os.path:join", 6)),
    ],
)
def test_specs(spec, source):
    assert parse_sources([spec], CORPUS) == [source]


def test_lexicon_file(tmp_path):
    path = tmp_path / "colour.txt"
    path.write_text("red\n")
    assert parse_sources([f"lexicon:{path}@2"], CORPUS) == [LexiconSource((("colour", ("red",)),), 2)]


def test_the_corpus_is_handed_to_covariates():
    (source,) = parse_sources(["covariates"], CORPUS)
    assert source.corpus is CORPUS


def test_order_is_kept_and_like_kinds_are_joined(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("x\n")
    specs = ["regex:a=x", "upos", f"lexicon:{tmp_path}/a.txt", "regex:b=y", f"lexicon:{tmp_path}/b.txt"]
    specs += ["regex-text:c=x", "regex-text:d=y"]
    assert parse_sources(specs, CORPUS) == [
        WordRegexSource((("a", "x"), ("b", "y"))),
        TagSource("upos", "upos"),
        LexiconSource((("a", ("x",)), ("b", ("x",)))),
        TextRegexSource((("c", "x"), ("d", "y"))),
    ]
    assert parse_sources([], CORPUS) == []


KINDS = ", ".join(SPECS)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (
            ["uposs"],
            f"Unknown concept source 'uposs'. Expected: one of {KINDS}, lemma, meaning, sense. "
            "Closest: 'upos', 'xpos', 'phrases'.",
        ),
        (["upos@x"], "Unknown concept source 'upos@x'. "),
        (["upos:NOUN"], "'upos:NOUN' has an argument. Expected: 'upos' or 'upos@MIN'."),
        (["sense:x"], "'sense:x' has an argument. Expected: 'sense' or 'sense@MIN'."),
        (["position:1"], "'position:1' has an argument. Expected: 'position' or 'position@MIN'."),
        (["upos@0"], "Minimum '0' in 'upos@0'. Expected: a whole number from 1."),
        (["words:many"], "Minimum 'many' in 'words:many'. Expected: a whole number from 1."),
        (["words:0"], "Minimum '0' in 'words:0'. Expected: a whole number from 1."),
        (["words:3@4"], "'words:3@4' gives two minimums. Expected: words:MIN or words@MIN."),
        (["column:"], "'column:' names no column. Expected: column:NAME or column:NAME:SEP."),
        (
            ["column:lemmata"],
            "'column:lemmata' needs the column 'lemmata' of 'tiny': it has lemma, upos, xpos, feats, deprel, "
            "morphemes, meaning, sense. Closest: 'lemma', 'feats'.",
        ),
        (["lexicon:"], "'lexicon:' names no file. Expected: lexicon:FILE."),
        (["lexicon:nowhere.txt"], "Cannot read 'nowhere.txt': No such file or directory. Check the path."),
        (["regex:year"], "'regex:year' has no pattern. Expected: regex:NAME=PATTERN."),
        (["regex-text:=x"], "'regex-text:=x' has no pattern. Expected: regex-text:NAME=PATTERN."),
        (["regex:a=("], "Pattern 'a' = '(' is broken: missing ), unterminated subpattern at character 1."),
        (["regex:a=x", "regex:a=y"], "Pattern 'x' has the name 'a'. Expected: one name for each pattern."),
        (
            ["regex:a=x", "regex:b=y@3"],
            "'regex:b=y@3' asks for 3 sites, 'regex' before it for 20. Give all 'regex' specs the same '@MIN'.",
        ),
        (["words:3", "words:4"], "Category 'words' is given twice, again by 'words:4'. Leave one out."),
        (["upos", "column:upos"], "Category 'upos' is given twice, again by 'column:upos'. Leave one out."),
        (["predicate:os.path:jion"], "Module 'os.path' has no function 'jion'. Closest: 'join'"),
        (["predicate:"], "Predicate ''. Expected: pkg.module:function."),
    ],
)
def test_broken_specs(specs, message):
    with pytest.raises(ConceptError) as caught:
        parse_sources(specs, CORPUS)
    assert str(caught.value).startswith(message)


def test_a_corpus_without_columns():
    for spec in ("upos", "lemmas", "column:x"):
        with pytest.raises(ConceptError, match=f"'{spec}' needs the column '.*' of 'tiny': it has none."):
            parse_sources([spec], Fixed())
