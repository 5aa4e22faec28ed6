import pytest

from unitscope.corpora.columns import Columns, parse_columns
from unitscope.errors import CorpusError


def test_roles():
    said = parse_columns(["text=title+description", "label=class", "group=doc", "names=classes.txt@1"])
    assert said == Columns(
        text=("title", "description"), label=("class",), group="doc", names="classes.txt", names_from=1
    )
    assert said.named == ("title", "description", "doc", "class")
    assert said.says_content
    assert parse_columns({"label": "none"}) == Columns(label=())
    assert not parse_columns([]).given
    assert parse_columns(["names=a@b.txt"]).names == "a@b.txt"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["title"], "Got 'title' in --columns. Expected: ROLE=NAME, as in text=title,label=class."),
        (
            ["txt=title"],
            "Unknown role 'txt' in --columns. Expected: one of text, source, target, words, label, group, ",
        ),
        (["text="], "'text=' names no column. Expected: text=NAME."),
        (["text=a", "text=b"], "The role 'text' is given twice. Expected: a role once; several names joined by '+'."),
        (["source=a"], "Got one side of a pair in --columns. Expected: source=NAME and target=NAME."),
        (["text=a", "words=b"], "Got 'text' and 'words' in --columns. Expected: text, or source and target, or words."),
    ],
)
def test_mistakes(given, message):
    with pytest.raises(CorpusError) as caught:
        parse_columns(given)
    assert str(caught.value).startswith(message)


def test_a_file_of_names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("World\n\n Sports \n")
    assert parse_columns({"names": str(path)}).value_names() == ("World", "Sports")
    with pytest.raises(CorpusError, match="Cannot read"):
        parse_columns({"names": str(tmp_path / "none.txt")}).value_names()
