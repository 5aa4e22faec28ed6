import json

import pytest

from unitscope.concepts import parse_sources
from unitscope.concepts.lexicon import LexiconSource
from unitscope.corpora.demo import DemoCorpus
from unitscope.errors import ConceptError

DEMO = DemoCorpus(n_documents=1)
TOML = """
specs = ["upos", "words:30"]
min_sites = 5
[lexicon]
kin = ["mother", "father"]
[regex]
year = "[0-9]{4}@20"
[regex-text]
date = "in the .*"
[combine]
"plural noun" = "upos:NOUN and feats:Number=Plur and not lexicon:kin"
"""


def test_toml_and_json_say_the_same(tmp_path):
    import tomllib

    (tmp_path / "a.toml").write_text(TOML)
    (tmp_path / "a.json").write_text(json.dumps(tomllib.loads(TOML)))
    sources = parse_sources([f"concepts:{tmp_path / 'a.toml'}"], DEMO)
    assert sources == parse_sources([f"concepts:{tmp_path / 'a.json'}"], DEMO)
    assert [(source.category, source.min_sites) for source in sources] == [
        ("lexicon", 5),
        ("regex", 5),
        ("regex-text", 5),
        ("upos", 20),
        ("words", 30),
        ("combine", 5),
    ]
    assert sources[1].patterns == (("year", "[0-9]{4}@20"),)


def test_beside_other_specs(tmp_path):
    (tmp_path / "a.toml").write_text('[lexicon]\na = ["x"]\n')
    (tmp_path / "b.txt").write_text("y\n")
    (source,) = parse_sources([f"concepts:{tmp_path / 'a.toml'}", f"lexicon:{tmp_path / 'b.txt'}"], DEMO)
    assert source == LexiconSource((("a", ("x",)), ("b", ("y",))))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.toml",
            "x = 1",
            "a.toml holds 'x'. Expected: keys among lexicon, regex, regex-text, combine, specs, min_sites.",
        ),
        ("a.toml", "lexicn = {}", "a.toml holds 'lexicn'. Expected: keys among lexicon, "),
        ("a.toml", "x =", "a.toml is broken: "),
        ("a.toml", "", "a.toml holds no concept. Expected: one of lexicon, regex, regex-text, combine, specs."),
        ("a.json", '{"specs": "upos"}', "a.json: 'specs' is 'upos'. Expected: a list of texts."),
        ("a.json", '{"lexicon": ["a"]}', "a.json: 'lexicon' is ['a']. Expected: names with their values."),
        ("a.json", '{"lexicon": {"a": "b"}}', "a.json: 'a' is 'b'. Expected: a list of texts."),
        ("a.json", '{"regex": {"a": 3}}', "a.json: 'regex' holds 'a' = 3. Expected: a name with a text."),
        ("a.json", '{"regex": {"a": "x", "a": "y"}}', "a.json gives 'a' twice. Rename one of them."),
        ("a.json", '{"min_sites": 0}', "a.json: 'min_sites' is 0. Expected: a whole number from 1."),
        ("a.json", "[]", "a.json is no object."),
        ("a.json", "{", "a.json, line 1: "),
        ("a.json", '{"specs": ["concepts:b.json"]}', "'"),
        ("a.json", '{"combine": {"a": "b"}}', "Got 'b' at character 1 of 'b'."),
    ],
)
def test_broken(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ConceptError) as caught:
        parse_sources([f"concepts:{tmp_path / name}"], DEMO)
    assert str(caught.value).startswith(message)


def test_no_file(tmp_path):
    with pytest.raises(ConceptError, match="Cannot read"):
        parse_sources([f"concepts:{tmp_path / 'none.toml'}"], DEMO)
    with pytest.raises(ConceptError, match=r"'concepts:' names no file. Expected: concepts:FILE."):
        parse_sources(["concepts:"], DEMO)
