import json
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet

from unitscope.corpora import load_corpus
from unitscope.errors import CorpusError

CLASSES = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    pytest.importorskip("datasets", reason="the extra 'datasets' is not installed")
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    root = tmp_path / "reviews"
    for split, texts in (("train", ["A good dog.", None, "Bad."]), ("test", ["Fine."])):
        (root / "data").mkdir(parents=True, exist_ok=True)
        table = pa.table({"text": texts, "label": [1, 0, -1][: len(texts)]})
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": CLASSES}})})
        parquet.write_table(table, root / "data" / f"{split}-00000-of-00001.parquet")
    return root


def test_a_folder_in_the_hubs_format(folder):
    corpus = load_corpus(f"hf:{folder}")
    assert (corpus.name, corpus.labels) == ("reviews:train", ("label",))
    assert [(item.grids["source"].text, dict(item.labels)) for item in corpus] == [
        ("A good dog.", {"label": "pos"}),
        ("Bad.", {}),
    ]
    test = load_corpus(f"hf:{folder}:test")
    assert [item.grids["source"].text for item in test] == ["Fine."]
    assert test.fingerprint() != corpus.fingerprint()
    assert load_corpus(f"hf:{folder}:default:train").fingerprint() == corpus.fingerprint()
    assert load_corpus(f"hf:{folder}", columns=["label=none"]).fingerprint() != corpus.fingerprint()


def test_wrong_parts(folder, tmp_path):
    for spec, message in (
        (f"hf:{folder}:tset", r"has no split 'tset'. Expected: one of train, test. Closest: 'test'."),
        (f"hf:{folder}:defualt:train", r"has no configuration 'defualt'. Expected: one of default."),
        (f"hf:{folder}:a:b:c", r"Expected: hf:NAME, hf:NAME:SPLIT or hf:NAME:CONFIG:SPLIT."),
        ("hf:", r"Expected: hf:NAME"),
        (f"hf:{tmp_path / 'none'}", r"cannot be read: "),
        ("hf:no/such", r"Data set 'no/such' cannot be read: "),
    ):
        with pytest.raises(CorpusError, match=message):
            load_corpus(spec)
    with pytest.raises(CorpusError, match=r"reviews:train has no column 'txt'. .* Closest: 'text'."):
        load_corpus(f"hf:{folder}", columns=["text=txt"])


def test_the_package_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(CorpusError) as caught:
        load_corpus("hf:imdb")
    assert str(caught.value) == (
        "'hf:' needs the package datasets, which is not installed. pip install 'unitscope[datasets]'"
    )
