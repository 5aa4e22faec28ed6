import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from unitscope.corpora import load_corpus
from unitscope.errors import CorpusError


def write(path, columns, features=None):
    table = pa.table(columns)
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    parquet.write_table(table, path)
    return str(path)


def test_text_and_label(tmp_path):
    columns = {"text": ["A dog.", None, "Cats"], "label": [1.0, 0.0, None], "picture": [b"x", b"y", b"z"]}
    corpus = load_corpus(write(tmp_path / "a.parquet", columns))
    assert [(item.id, item.grids["source"].text, dict(item.labels)) for item in corpus] == [
        ("1", "A dog.", {"label": "1"}),
        ("3", "Cats", {}),
    ]
    assert "picture" not in corpus.notes[0]


def test_names_of_classes(tmp_path):
    tags = {"feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"}, "_type": "List"}
    features = {"tokens": {}, "ner_tags": tags, "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    columns = {"tokens": [["Ann", "ran"], ["x"]], "ner_tags": [[1, 0], [0]], "label": [1, -1]}
    first, second = load_corpus(write(tmp_path / "a.parquet", columns, features))
    assert first.grids["source"].columns["ner_tags"] == ("B-PER", "O")
    assert (dict(first.labels), dict(second.labels)) == ({"label": "pos"}, {})


def test_more_rows_than_a_batch(tmp_path):
    corpus = load_corpus(write(tmp_path / "a.parquet", {"text": [f"w{i}" for i in range(2500)]}))
    assert [item.grids["source"].text for item in corpus] == [f"w{i}" for i in range(2500)]


@pytest.mark.parametrize("columns", [{"n": [1, 2]}, {"text": pa.array([], pa.string())}])
def test_no_text(tmp_path, columns):
    with pytest.raises(CorpusError, match=r"a.parquet (looks like text|holds no rows)"):
        load_corpus(write(tmp_path / "a.parquet", columns))


def test_no_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"text,label\n")
    with pytest.raises(CorpusError, match=r"a.parquet is no Parquet file: .* Is the ending right\?"):
        load_corpus(str(path))
    write(path, {"text": [f"word {i}" * 50 for i in range(5000)]})
    content = bytearray(path.read_bytes())
    content[5000:40000] = bytes(35000)
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"a.parquet is damaged after row [0-9]+"):
        list(load_corpus(str(path)))
