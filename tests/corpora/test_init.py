import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

import unitscope.corpora
from unitscope.corpora import READERS, Corpus, load_corpus
from unitscope.corpora.conllu import ConlluCorpus
from unitscope.corpora.pairs import PairsCorpus
from unitscope.corpora.txt import TxtCorpus
from unitscope.errors import CorpusError


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("a b\nc\n\nd\ne\n")
    return path


@pytest.mark.parametrize(("ending", "reader"), [(".conllu", ConlluCorpus), (".txt", TxtCorpus), (".TSV", PairsCorpus)])
def test_reader_by_ending(tmp_path, ending, reader):
    path = tmp_path / f"a{ending}"
    path.touch()
    corpus = load_corpus(str(path))
    assert isinstance(corpus, reader)
    assert isinstance(corpus, Corpus)


def test_views_compose(text):
    corpus = load_corpus(str(text), max_items=2, per_group=1, target="copy")
    assert [item.grids["target"].text for item in corpus] == ["a b", "d"]
    assert corpus.name == "notes.txt[1 per group][:2][target=copy]"
    assert load_corpus(str(text)).fingerprint() != corpus.fingerprint()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("a.conlu", "Unknown ending '.conlu' of corpus 'a.conlu'. Expected: 'demo', 'hf:NAME' or a file ending in "),
        ("a.conlu", "Closest: '.conllu'"),
        (
            "dmeo",
            "Unknown corpus 'dmeo'. Expected: 'demo', 'hf:NAME' or a file ending in .conllu, .csv, .json, .jsonl, "
            ".parquet, .tsv, .txt. Closest: 'demo'.",
        ),
        ("nowhere/a.txt", "No file 'nowhere/a.txt'. Check the path."),
    ],
)
def test_unknown_specs(spec, message):
    with pytest.raises(CorpusError) as caught:
        load_corpus(spec)
    assert message in str(caught.value)


def test_a_near_miss_of_a_file_is_named(text):
    with pytest.raises(CorpusError, match=r"Closest: 'notes.txt'."):
        load_corpus(str(text.with_name("note.txt")))


def test_a_folder_is_no_file(tmp_path):
    folder = tmp_path / "a.txt"
    folder.mkdir()
    with pytest.raises(CorpusError, match=r"No images in '.*a.txt' or in a folder of it"):
        load_corpus(str(folder))


def test_wrong_options(text):
    with pytest.raises(CorpusError, match=r"Got target='swap'. Expected: 'copy' or None."):
        load_corpus(str(text), target="swap")
    with pytest.raises(CorpusError, match="Got max_items=0"):
        load_corpus(str(text), max_items=0)
    with pytest.raises(CorpusError, match="Got per_group=0"):
        load_corpus(str(text), per_group=0)


def test_other_packages_bring_readers(monkeypatch, tmp_path):
    points = [
        EntryPoint(".log", "unitscope.corpora.txt:TxtCorpus", "unitscope.corpora"),
        EntryPoint(".bad", "no_such_package:Reader", "unitscope.corpora"),
        EntryPoint(".txt", "no_such_package:Reader", "unitscope.corpora"),
    ]
    monkeypatch.setattr(unitscope.corpora, "entry_points", lambda group: points if group == "unitscope.corpora" else [])
    for name in ("a.log", "a.bad", "a.txt"):
        (tmp_path / name).write_text("x\n")
    assert [item.id for item in load_corpus(str(tmp_path / "a.log"))] == ["1"]
    assert isinstance(load_corpus(str(tmp_path / "a.txt")), TxtCorpus)
    with pytest.raises(CorpusError, match=r"The reader of '.bad' files \(no_such_package:Reader\) cannot be imported"):
        load_corpus(str(tmp_path / "a.bad"))
    with pytest.raises(
        CorpusError, match=r"ending in .bad, .conllu, .csv, .json, .jsonl, .log, .parquet, .tsv, .txt. Closest: '.log'"
    ):
        load_corpus("a.logs")


def test_readers_are_read_only():
    with pytest.raises(TypeError):
        READERS[".x"] = TxtCorpus


def test_nothing_here_imports_torch():
    code = "import sys, unitscope.corpora, unitscope.concepts; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
