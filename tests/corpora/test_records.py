import gzip
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.corpora import load_corpus, records
from unitscope.corpora.records import JsonRows
from unitscope.corpora.table import BETWEEN
from unitscope.errors import CorpusError

NER = {"tokens": ["John", "ran", "."], "ner_tags": ["B-PER", None, 0], "doc": "a", "id": "x", "topic": ["s", "p", "s"]}


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_tokens_with_tags(tmp_path):
    rows = [NER, {"tokens": ["A", "dog"], "doc": "a", "id": "x", "topic": "p"}]
    corpus = load_corpus(write(tmp_path / "a.jsonl", *rows), columns={"label": "topic"})
    first, second = corpus
    assert (corpus.columns, corpus.labels, corpus.grids) == (("ner_tags",), ("topic",), ("source",))
    text = first.grids["source"]
    assert (text.text, text.columns["ner_tags"]) == ("John ran .", ("B-PER", None, "0"))
    assert [(item.id, item.group) for item in (first, second)] == [("x", "a"), ("x#2", "a")]
    assert first.labels["topic"] == f"s{BETWEEN}p"
    assert "ner_tags" not in second.grids["source"].columns


def test_objects_one_a_word(tmp_path):
    words = [{"form": "It", "upos": "PRON", "space_after": False, "n": 1}, {"form": "'s", "upos": None}]
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"words": words, "label": True}, {"words": [], "label": False}], indent=2))
    corpus = load_corpus(str(path))
    counts = Counter()
    (item,) = corpus.read(counts)
    assert item.grids["source"].text == "It's"
    assert item.grids["source"].columns == {"upos": ("PRON", None), "n": ("1", None)}
    assert (item.labels, counts) == ({"label": "true"}, {"rows without text": 1})


def test_nested_pairs(tmp_path):
    path = write(tmp_path / "a.jsonl", {"translation": {"en": "A dog.", "de": "Ein Hund."}}, {"translation": None})
    corpus = load_corpus(path)
    assert [item.grids["target"].words for item in corpus] == [("Ein", "Hund", ".")]


def test_bad_values_are_counted(tmp_path):
    rows = [{"text": "fine \ud800"}, {"text": None}, {"text": float("nan")}, {"label": "x"}]
    corpus = load_corpus(write(tmp_path / "a.jsonl", *rows))
    counts = Counter()
    (item,) = corpus.read(counts)
    assert item.grids["source"].text == "fine �"
    assert counts == {"rows without text": 3, "rows with broken characters": 1}
    words = load_corpus(write(tmp_path / "b.jsonl", {"words": ["a"]}, {"words": ["a", " "]}, {"words": ["a", None]}))
    counts = Counter()
    assert len(list(words.read(counts))) == 1
    assert counts == {"rows with an empty word": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.jsonl holds no rows."),
        ('{"text": "a"}\n{"text": \n', "a.jsonl, line 2: broken JSON at character 10: Expecting value."),
        ('{"text": "a"}\n[1]\n', "a.jsonl, line 2: [1] is no object."),
        ('{"text": "a"}\n\n{"text": 5}\n', "a.jsonl, line 3: 'text' holds the number 5. Expected: text."),
        ('{"n": 5}\n', "No column of a.jsonl looks like text. Expected: one of n named by --columns text=NAME."),
        (
            '{"tokens": ["a", "b"], "t": ["x", "y"]}\n{"tokens": ["a"], "t": ["x", "y"]}\n',
            "a.jsonl, line 2: 't' holds 2 ",
        ),
        ('{"tokens": ["a"]}\n{"tokens": ["a", 3]}\n', "a.jsonl, line 2: a word of 'tokens' is the number 3."),
        ('{"tokens": ["a"]}\n{"tokens": "a b"}\n', "a.jsonl, line 2: 'tokens' holds the text 'a b'."),
        (
            '{"text": "a", "label": "x"}\n{"text": "a", "label": [{}]}\n',
            "a.jsonl, line 2: the label 'label' holds an obj",
        ),
        ("[" * 100_000, "a.jsonl, line 1: "),
    ],
)
def test_broken_lines(tmp_path, content, message):
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(CorpusError) as caught:
        list(load_corpus(str(path), columns={"text": "text"} if "5}\n" in content and "text" in content else {}))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.json, line 1: nothing. Expected: a list of objects"),
        ('{"text": "a"}', 'a.json, line 1: \'{"text": "a"}\' begins no list.'),
        ('[{"text": "a"},\n', "a.json, line 2: the list does not end."),
        ('[{"text": "a"},\n{"text"}]', "a.json, line 2: an element that is broken: Expecting ':' delimiter."),
        ('[{"text": "a"}, 3]', "a.json, line 1: 3 is no object."),
    ],
)
def test_broken_lists(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(CorpusError) as caught:
        list(load_corpus(str(path)))
    assert str(caught.value).startswith(message)


VALUES = st.dictionaries(st.text(max_size=3), st.text(max_size=20) | st.integers() | st.none(), max_size=4)


@given(rows=st.lists(VALUES, max_size=6), indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_a_list_is_read_as_the_standard_library_does(tmp_path_factory, rows, indent, ascii_only):
    path = tmp_path_factory.mktemp("json") / "a.json"
    content = json.dumps(rows, indent=indent, ensure_ascii=ascii_only)
    try:
        path.write_bytes(content.encode())
    except UnicodeEncodeError:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_CHUNK", 3)
        assert [row for _, row in JsonRows(path, whole=True)] == rows


def test_packed(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a dog"}\n'))
    assert [item.grids["source"].words for item in load_corpus(str(path))] == [("a", "dog")]
    path.write_bytes(gzip.compress(b'{"text": "a dog"}\n' * 50)[:-6])
    with pytest.raises(CorpusError, match=r"'a.jsonl.gz' is no whole gzip file"):
        list(load_corpus(str(path)))
