import pytest

from unitscope.corpora.pairs import PairsCorpus
from unitscope.errors import CorpusError


def test_pairs(tmp_path):
    path = tmp_path / "en_de.tsv"
    path.write_text("A dog.\tEin Hund.\r\n\nTwo men \t Zwei Männer\n", encoding="utf-8", newline="")
    corpus = PairsCorpus(path)
    first, second = corpus
    assert (corpus.name, corpus.grids, corpus.columns) == ("en_de.tsv", ("source", "target"), ())
    assert first.grids["source"].words == ("A", "dog", ".")
    assert first.grids["target"].words == ("Ein", "Hund", ".")
    assert second.grids["target"].text == "Zwei Männer"
    assert [(item.id, item.group) for item in (first, second)] == [("1", "doc#1"), ("3", "doc#2")]
    assert list(corpus) == [first, second]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\nonly one\n", "p.tsv, line 2: 1 column. Expected: 2: source and target, separated by a tab."),
        ("a\tb\tc\n", "p.tsv, line 1: 3 columns. Expected: 2: source and target, separated by a tab."),
        ("a\t \n", "p.tsv, line 1: the target is empty. Expected: a sentence on both sides."),
        ("\tb\n", "p.tsv, line 1: the source is empty. Expected: a sentence on both sides."),
        ("\n", "p.tsv holds no text. Expected: source<TAB>target, one pair a line."),
    ],
)
def test_broken(tmp_path, content, message):
    path = tmp_path / "p.tsv"
    path.write_text(content)
    with pytest.raises(CorpusError) as caught:
        list(PairsCorpus(path))
    assert str(caught.value) == message
