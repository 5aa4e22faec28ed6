import gzip
from collections import Counter

import pytest

from unitscope.corpora import load_corpus
from unitscope.corpora.parallel import ParallelCorpus
from unitscope.errors import CorpusError


def write(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def test_two_files(tmp_path):
    english = write(tmp_path / "a.en.gz", "A dog.\n\nTwo men\nLost\n")
    german = write(tmp_path / "a.de", "Ein Hund.\n\nZwei Männer\n \n")
    corpus = load_corpus(f"{english},{german}")
    assert (corpus.name, corpus.grids) == ("a.en.gz,a.de", ("source", "target"))
    counts = Counter()
    items = list(corpus.read(counts))
    assert [(item.id, item.group, item.grids["target"].text) for item in items] == [
        ("1", "doc#1", "Ein Hund."),
        ("3", "doc#2", "Zwei Männer"),
    ]
    assert counts == {"pairs with an empty side": 1}
    assert items == list(corpus)
    assert corpus.fingerprint() != ParallelCorpus(german, english).fingerprint()


def test_unequal_lengths(tmp_path):
    a, b = write(tmp_path / "a", "1\n2\n"), write(tmp_path / "b", "1\n")
    with pytest.raises(CorpusError, match="b ends after line 1, the other file goes on"):
        list(ParallelCorpus(a, b))
    write(a, "\n")
    with pytest.raises(CorpusError, match="a,a hold no pair"):
        list(ParallelCorpus(a, a))


def test_wrong_specs(tmp_path):
    a = write(tmp_path / "a.txt", "1\n")
    csv = write(tmp_path / "a.csv", "1\n")
    for spec, message in (
        (f"{a},{a},{a}", "Got 3 files in"),
        (f"{a},{tmp_path / 'b.txt'}", "No file"),
        (f"{a},{csv}", "'a.csv' is no side of a pair"),
    ):
        with pytest.raises(CorpusError, match=message):
            load_corpus(spec)
    with pytest.raises(CorpusError, match=r"has no columns to choose from"):
        load_corpus(f"{a},{a}", columns=["text=a"])
    with pytest.raises(CorpusError, match=r"'a.txt' has no columns to choose from"):
        load_corpus(str(a), columns=["text=a"])
