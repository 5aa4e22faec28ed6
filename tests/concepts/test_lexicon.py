import json

import pytest

from unitscope.concepts.lexicon import LexiconSource, read_lexicon
from unitscope.errors import ConceptError
from unitscope.sites import Item, Text


def annotate(source, *words):
    return list(source.annotate(Item("1", "g", {"source": Text.from_words(words)}), "source"))


def test_lower_case_matches_any_case_and_a_capital_only_itself():
    source = LexiconSource((("pronoun", ("us", "we")), ("country", ("US", "Chad"))))
    assert annotate(source, "us", "US", "We", "chad", "Chad", "cat") == [
        ("pronoun",),
        ("country", "pronoun"),
        ("pronoun",),
        (),
        ("country",),
        (),
    ]
    assert (source.category, source.names) == ("lexicon", ("pronoun", "country"))


def test_text_file(tmp_path):
    path = tmp_path / "colour.txt"
    path.write_text("red\n\n blue \r\nsky blue\n#\n")
    source = read_lexicon(path, 7)
    assert source == LexiconSource((("colour", ("red", "blue", "sky blue", "#")),), 7)
    assert annotate(source, "sky", "sky blue", "#") == [(), ("colour",), ("colour",)]


def test_json_file(tmp_path):
    path = tmp_path / "lists.json"
    path.write_text(json.dumps({"colour": ["red"], "size": ["big", "red"]}, indent=1))
    source = read_lexicon(path)
    assert source.entries == (("colour", ("red",)), ("size", ("big", "red")))
    assert annotate(source, "red") == [("colour", "size")]


SHAPE = 'Expected: an object of names with lists of forms, {"colour": ["red", "blue"]}.'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": ["b"],\n oops}', "x.json, line 2: Expecting property name enclosed in double quotes. " + SHAPE),
        ('["b"]', 'x.json holds ["b"]. ' + SHAPE),
        ('{"a": "b"}', "x.json: 'a' holds \"b\". " + SHAPE),
        ('{"a": {"b": ["c"]}}', "x.json: 'a' holds an object. " + SHAPE),
        ('{"a": ["b", null]}', "x.json: the list 'a' holds null. " + SHAPE),
        ('{"a": [["b"]]}', "x.json: the list 'a' holds [\"b\"]. " + SHAPE),
        ('{"a": []}', "Lexicon 'a' has no forms. Expected: a name with at least one form."),
        ('{"a": ["b"], "a": ["c"]}', "Lexicon 'a' is given twice. Rename one of them."),
        ("{}", "A lexicon without lists. Expected: at least one name with its forms."),
    ],
)
def test_broken_json(tmp_path, content, message):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ConceptError) as caught:
        read_lexicon(path)
    assert str(caught.value) == message


def test_empty_and_missing_files(tmp_path):
    path = tmp_path / "x.txt"
    with pytest.raises(ConceptError, match=r"Cannot read '.*x.txt': No such file or directory. Check the path."):
        read_lexicon(path)
    path.write_text("\n \n")
    with pytest.raises(ConceptError, match="Lexicon 'x' has no forms"):
        read_lexicon(path)


def test_joined():
    joined = LexiconSource((("a", ("x",)),), 3).joined(LexiconSource((("b", ("y",)),), 3))
    assert joined == LexiconSource((("a", ("x",)), ("b", ("y",))), 3)
    with pytest.raises(ConceptError, match="'a' is given twice"):
        joined.joined(LexiconSource((("a", ("z",)),), 3))
