import csv
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.corpora import load_corpus
from unitscope.corpora.columns import Columns
from unitscope.corpora.delimited import DelimitedRows, looks_like_header
from unitscope.corpora.pairs import PairsCorpus
from unitscope.errors import CorpusError


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


NEWS = 'class,title,body\n3,"Oil, up","He said ""no""\nthen left."\n4,Moon,A rocket.\n'


def test_a_header_is_found_and_columns_are_guessed(write):
    corpus = load_corpus(write("news.csv", NEWS))
    first, second = corpus
    assert first.grids["source"].text == 'He said "no"\nthen left.'
    assert [(item.id, item.group, dict(item.labels)) for item in (first, second)] == [
        ("3", "line#3", {"class": "3"}),
        ("4", "line#4", {"class": "4"}),
    ]
    assert (corpus.columns, corpus.labels) == ((), ("class",))
    assert corpus.notes == (
        "news.csv is read as text=body, label=class; each row is its own group; not used: title "
        "(guessed: text, label; --columns says otherwise)",
    )


def test_columns_that_the_user_names(write):
    path = write("news.csv", NEWS)
    corpus = load_corpus(path, columns={"text": "title+body", "label": "none", "group": "class"})
    assert [(item.grids["source"].text, item.group, dict(item.labels)) for item in corpus] == [
        ('Oil, up\nHe said "no"\nthen left.', "3", {}),
        ("Moon\nA rocket.", "4", {}),
    ]
    assert corpus.fingerprint() != load_corpus(path).fingerprint()
    assert load_corpus(path).fingerprint() == load_corpus(path).fingerprint()


def test_without_a_header(write):
    rows = "".join(f"{i % 4 + 1},Title {i},A longer text number {i}.\n" for i in range(40))
    path = write("part.csv", rows)
    corpus = load_corpus(path)
    assert next(iter(corpus)).grids["source"].text == "A longer text number 0."
    assert corpus.labels == ("column1",)
    assert len(list(corpus)) == 40
    by_number = load_corpus(path, columns=["text=2", "label=1"])
    assert next(iter(by_number)).grids["source"].text == "Title 0"
    named = load_corpus(path, columns=["header=class+title+body", "text=title", "label=class"])
    assert next(iter(named)).labels == {"class": "1"}
    with pytest.raises(CorpusError, match="It has no header: number its columns"):
        load_corpus(path, columns=["text=title"])
    with pytest.raises(CorpusError, match=r"header= names 2 columns, part.csv has 3. Expected: one name a column."):
        load_corpus(path, columns=["header=a+b", "text=a"])


def test_a_header_that_says_nothing(write):
    path = write("a.csv", "foo,bar\nA dog.,x\n")
    assert len(list(load_corpus(path, columns=["text=1"]))) == 2
    assert [item.grids["source"].text for item in load_corpus(path, columns=["text=foo"])] == ["A dog."]
    forced = load_corpus(path, columns=["header=first"])
    assert [item.grids["source"].text for item in forced] == ["A dog."]
    text = write("b.csv", "text,label\nA dog.,x\n")
    assert len(list(load_corpus(text, columns=["header=none"]))) == 2


def test_names_of_labels(write):
    path, names = write("a.csv", "text,label\nA dog.,1\nA cat.,2\nB,\n"), write("names.txt", "World\nSports\n")
    found = [dict(item.labels) for item in load_corpus(path, columns={"names": f"{names}@1"})]
    assert found == [{"label": "World"}, {"label": "Sports"}, {}]
    with pytest.raises(CorpusError, match=r"a.csv, line 3: the label 'label' is '2'. Expected: a number from 0 to 1. "):
        list(load_corpus(path, columns={"names": names}))


def test_semicolons(write):
    assert [i.labels["label"] for i in load_corpus(write("a.csv", "text;label\nA dog;x\n"))] == ["x"]


def test_tsv_pairs_stay_pairs(write):
    assert isinstance(load_corpus(write("a.tsv", "A dog.\tEin Hund.\n")), PairsCorpus)
    named = load_corpus(write("b.tsv", "source\ttarget\nA dog.\tEin Hund.\n\nTwo\tZwei\n"))
    assert [item.grids["target"].text for item in named] == ["Ein Hund.", "Zwei"]
    assert named.grids == ("source", "target")


def test_tsv_with_whole_numbers_is_no_pair(write):
    corpus = load_corpus(write("a.tsv", 'one "long string\t0\nof cliches\t1\n'))
    assert [(item.grids["source"].text, dict(item.labels)) for item in corpus] == [
        ('one "long string', {"column2": "0"}),
        ("of cliches", {"column2": "1"}),
    ]


def test_rows_without_text_are_counted(write):
    corpus = load_corpus(write("a.csv", "text,label\nA dog.,x\n,y\n  ,y\n"))
    counts = Counter()
    assert len(list(corpus.read(counts))) == 1
    assert counts == {"rows without text": 2}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "a.csv is empty. Expected: rows with text."),
        ("a.csv", "text,label\n", "a.csv holds no rows. Expected: at least one row with text."),
        ("a.csv", "text,label\n,x\n", "a.csv holds no text: 1 rows without text. Expected: a row with text."),
        ("a.csv", "text,label\nA,x\nB\n", "a.csv, line 3: 1 value. Expected: 2: text, label. Put quotes around"),
        ("a.tsv", "text\tlabel\nA\tx\tz\n", "a.tsv, line 2: 3 values. Expected: 2: text, label."),
        ("a.csv", 'text,label\n"A,x\nB,y\n', "a.csv, line 3: unexpected end of data. Expected: values in double"),
        ("a.csv", b"text,label\nA,x\n\xff,y\n", "a.csv, line 3: byte 1 (0xff) is not UTF-8. Expected: UTF-8 text."),
        ("a.csv", "text,text\nA,x\n", "a.csv, line 1: the header is 'text', 'text'. Expected: distinct names."),
        ("a.csv", "1,2\n3,4\n", "No column of a.csv looks like text. Expected: one of column1, column2 named by "),
        ("a.csv.gz", b"no gzip", "'a.csv.gz' is no whole gzip file: "),
    ],
)
def test_broken(write, name, content, message):
    path = write(name, content)
    columns = {"header": "first"} if "text,text" in str(content) else {}
    with pytest.raises(CorpusError) as caught:
        list(load_corpus(path, columns=columns))
    assert str(caught.value).startswith(message)


def test_a_missing_column_has_near_misses(write):
    with pytest.raises(CorpusError) as caught:
        load_corpus(write("news.csv", NEWS), columns=["text=titel"])
    assert str(caught.value) == (
        "news.csv has no column 'titel'. Expected: one of class, title, body. Closest: 'title'."
    )


def test_headers():
    assert looks_like_header(["sentence", "Label"])
    assert not looks_like_header(["a", "b"])
    assert not looks_like_header(["text", "text"])
    assert not looks_like_header(["text", "3"])


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=8)


@given(rows=st.lists(st.tuples(CELLS.filter(str.strip), CELLS), min_size=1, max_size=5))
def test_what_the_csv_module_writes_is_read_again(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("text", "label"), *rows])
    read = [tuple(row.values()) for _, row in DelimitedRows(path, Columns(header=("first",)))]
    assert read == rows
