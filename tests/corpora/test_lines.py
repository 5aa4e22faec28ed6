from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.corpora.lines import broken, read_lines, reader_fingerprint
from unitscope.errors import CorpusError


@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n")), max_size=5), st.booleans()
)
def test_lines_round_trip(tmp_path_factory, lines, windows):
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    end = "\r\n" if windows else "\n"
    path.write_bytes(b"\xef\xbb\xbf" + "".join(line + end for line in lines).encode())
    assert list(read_lines(path)) == lines or not lines


def test_only_a_line_feed_ends_a_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("a\x0bb\x85c\u2028d\x00\re\nf".encode())
    assert list(read_lines(path)) == ["a\x0bb\x85c\u2028d\x00\re", "f"]


def test_broken_bytes_have_line_and_place(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"ok\nab\xff\n")
    with pytest.raises(CorpusError) as caught:
        list(read_lines(path))
    assert str(caught.value) == (
        "a.txt, line 2: byte 3 (0xff) is not UTF-8. Expected: UTF-8 text. Convert the file, for instance with iconv."
    )


def test_a_folder_cannot_be_read(tmp_path):
    with pytest.raises(CorpusError, match=r"Cannot read '.*': Is a directory. Check the path."):
        list(read_lines(tmp_path))


def test_errors_name_no_folder():
    assert str(broken(Path("/some/where/a.tsv"), 7, "odd.", expected="even")) == "a.tsv, line 7: odd. Expected: even."


def test_fingerprint_differs_by_reader(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("x")
    assert reader_fingerprint("txt 1", path) != reader_fingerprint("txt 2", path)
