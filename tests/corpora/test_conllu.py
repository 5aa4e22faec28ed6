from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.corpora.conllu import COLUMNS, ConlluCorpus, UniqueIds
from unitscope.errors import CorpusError
from unitscope.sites import Item

EWT = Path(__file__).parents[2].parent / "shared" / "data" / "ud_english_ewt"


def row(number, form, misc="_", **fields):
    values = [fields.get(name, "_") for name in COLUMNS]
    return "\t".join([str(number), form, *values, "_", misc])


def write(path: Path, *lines: str, end: str = "\n") -> ConlluCorpus:
    path.write_bytes(end.join([*lines, ""]).encode())
    return ConlluCorpus(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tiny.conllu"


def source(item: Item):
    return item.grids["source"]


def test_words_spans_and_columns(path):
    corpus = write(
        path,
        "# newdoc id = letter",
        "# sent_id = letter-1",
        "# text = not to be trusted",
        row(1, "Banks", lemma="bank", upos="NOUN", xpos="NNS", feats="Number=Plur", head="2", deprel="nsubj"),
        row(2, "lend", "SpaceAfter=No", lemma="lend", upos="VERB", head="0", deprel="root"),
        row(3, ".", "A=1|SpaceAfter=No", upos="PUNCT", head="2", deprel="punct"),
        "",
    )
    (item,) = corpus
    text = source(item)
    assert (item.id, item.group, text.text) == ("letter-1", "letter", "Banks lend.")
    assert text.spans == ((0, 5), (6, 10), (10, 11))
    assert text.columns["lemma"] == ("bank", "lend", None)
    assert text.columns["upos"] == ("NOUN", "VERB", "PUNCT")
    assert text.columns["xpos"] == ("NNS", None, None)
    assert text.columns["feats"] == ("Number=Plur", "", "")
    assert text.columns["head"] == ("2", "0", "2")
    assert text.columns["deprel"] == ("nsubj", "root", "punct")
    assert (corpus.name, corpus.grids, corpus.columns) == ("tiny.conllu", ("source",), COLUMNS)


def test_an_unannotated_sentence_has_no_features_known(path):
    bare, tagged = write(path, row(1, "a"), row(2, "b"), "", row(1, "a"), row(2, "b", upos="X"), "")
    assert all(set(column) == {None} for column in source(bare).columns.values())
    assert source(tagged).columns["feats"] == ("", "")
    assert source(tagged).columns["upos"] == (None, "X")


def test_only_a_misc_key_of_that_name_glues(path):
    (item,) = write(path, row(1, "a", "NoteSpaceAfter=No"), row(2, "b", "SpaceAfter=Now"), row(3, "c"), "")
    assert source(item).text == "a b c"


def test_multiword_token_shares_its_surface(path):
    (item,) = write(
        path,
        row("1-2", "don't", "SpaceAfter=No"),
        row(1, "do"),
        row(2, "n't", "SpaceAfter=No"),
        row(3, "!", "SpaceAfter=No"),
        row(4, "ok"),
        "",
    )
    assert source(item).text == "don't!ok"
    assert source(item).words == ("do", "n't", "!", "ok")


def test_multiword_token_that_is_no_concatenation_is_written_apart(path):
    (item,) = write(
        path,
        row(1, "l'", "SpaceAfter=No"),
        row("2-3", "du"),
        row(2, "de", "SpaceAfter=No"),
        row(3, "le"),
        row(4, "x"),
        "",
    )
    assert source(item).text == "l'de le x"
    assert source(item).words == ("l'", "de", "le", "x")


def test_empty_nodes_are_no_words(path):
    (item,) = write(path, row("0.1", "ghost"), row(1, "a", head="2"), row("1.1", "is"), row(2, "b", head="0"), "")
    assert source(item).words == ("a", "b")
    assert source(item).columns["head"] == ("2", "0")


def test_groups(path):
    lines = []
    for comments in (
        [],
        ["# newdoc"],
        [],
        ["# newdoc id = news 3"],
        ["#newdoc id=b"],
        ["# newdoc id ="],
        ["# newdocument"],
    ):
        lines += [*comments, row(1, "w"), ""]
    groups = [item.group for item in write(path, *lines)]
    assert groups == ["doc#0", "doc#1", "doc#1", "news 3", "b", "doc#4", "doc#4"]


def test_a_block_of_comments_counts_for_what_follows(path):
    (item,) = write(path, "# generator = x", "", "# newdoc id = d", "", "", row(1, "w"), "")
    assert (item.group, item.id) == ("d", "1")


def test_ids_are_unique_and_repeatable(path):
    lines = [line for name in ("a", "a", "a#2", "a", "") for line in (f"# sent_id = {name}", row(1, "w"), "")]
    corpus = write(path, *lines)
    ids = [item.id for item in corpus]
    assert ids == ["a", "a#2", "a#2#2", "a#3", "5"]
    assert [item.id for item in corpus] == ids


@given(st.lists(st.sampled_from(["a", "a#2", "a#2#2", "b", "a#3"]), max_size=20))
def test_unique_ids_never_repeat(wanted):
    ids = UniqueIds()
    given_out = [ids.take(name) for name in wanted]
    assert len(set(given_out)) == len(wanted)
    assert all(out.startswith(name) for out, name in zip(given_out, wanted))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last_blank", [True, False])
def test_line_ends_byte_order_mark_and_a_missing_last_blank_line(path, end, bom, last_blank):
    lines = ["# newdoc id = d", row(1, "a", "SpaceAfter=No"), row(2, "b", "SpaceAfter=No"), "", row(1, "c")]
    content = end.join(lines) + (end + end if last_blank else "")
    path.write_bytes(bom + content.encode())
    items = list(ConlluCorpus(path))
    assert [(item.group, source(item).text) for item in items] == [("d", "ab"), ("d", "c")]


@pytest.mark.parametrize(
    "form", ["New York", "\x00", "a\u2028b", "\x85", "_", "#", "\U0001f469\u200d\U0001f4bb", "a\rb"]
)
def test_odd_forms_survive(path, form):
    (item,) = write(path, row(1, form), row(2, "x"), "")
    assert source(item).words == (form, "x")


BROKEN = {
    "columns": ([row(1, "a"), "2\tb\t_"], "tiny.conllu, line 3: 3 columns. Expected: 10 columns separated by tabs."),
    "one column": (["1 a _ _"], "tiny.conllu, line 2: 1 column. Expected: 10 columns separated by tabs."),
    "too many": ([row(1, "a") + "\t_"], "tiny.conllu, line 2: 11 columns. Expected: 10 columns separated by tabs."),
    "id": ([row("one", "a")], "line 2: word id 'one' is not a whole number. Expected: '1'."),
    "superscript": ([row("²", "a")], "line 2: word id '²' is not a whole number. Expected: '1'."),
    "from zero": ([row(0, "a")], "line 2: word id '0'. Expected: '1'. Number the words from 1."),
    "gap": ([row(1, "a"), row(3, "b")], "line 3: word id '3'. Expected: '2'. Number the words from 1."),
    "repeat": ([row(1, "a"), row(2, "b"), row(2, "c")], "line 4: word id '2'. Expected: '3'."),
    "no blank": (
        [row(1, "a"), row(1, "b")],
        "line 3: word id '1'. Expected: '2'. Is a blank line missing before this sentence?",
    ),
    "comment": (
        [row(1, "a"), "# sent_id = 2", row(1, "b")],
        "line 3: a comment inside a sentence. Expected: comments before a sentence's first word. "
        "Put a blank line after the sentence above.",
    ),
    "empty form": ([row(1, "")], "line 2: the form (column 2) is empty. Expected: a word, or '_' for an underscore."),
    "blanks": ([row(1, "a"), row(2, "  ")], "line 3: the form (column 2) holds only blanks."),
    "head": ([row(1, "a", head="2")], "line 2: head '2' (column 7). Expected: '_' or a number from 0 to 1."),
    "negative head": ([row(1, "a"), row(2, "b", head="-1")], "line 3: head '-1' (column 7)."),
    "head word": ([row(1, "a", head="root")], "line 2: head 'root' (column 7)."),
    "head behind empty node": (
        [row(1, "a"), row("1.1", "g"), row("2-3", "bc"), row(2, "b"), row(3, "c", head="9")],
        "line 6: head '9' (column 7). Expected: '_' or a number from 0 to 3.",
    ),
    "backward range": (
        [row("2-1", "ab"), row(1, "a")],
        "line 2: multiword token '2-1'. Expected: a range such as '1-2'.",
    ),
    "late range": ([row(1, "a"), row("1-2", "ab")], "line 3: multiword token '1-2'. Expected: a range such as '2-3'."),
    "nested range": ([row("1-3", "abc"), row("1-2", "ab")], "line 3: multiword token '1-2'."),
    "range beyond": ([row("1-3", "abc"), row(1, "a"), row(2, "bc")], "line 4: a multiword token ends at word 3 of 2."),
    "empty range": ([row("1-2", ""), row(1, "a"), row(2, "b")], "line 2: multiword token '1-2' has an empty form."),
    "no words": ([row("0.1", "ghost")], "line 2: a sentence without words. Expected: at least one word line."),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_lines_are_named(path, name):
    lines, message = BROKEN[name]
    corpus = write(path, "# sent_id = 1", *lines, "")
    with pytest.raises(CorpusError) as caught:
        list(corpus)
    assert message in str(caught.value)
    assert str(caught.value).startswith("tiny.conllu, line ")


def test_items_before_a_broken_line_are_streamed(path):
    items = iter(write(path, row(1, "a"), "", row(2, "b"), ""))
    assert source(next(items)).words == ("a",)
    with pytest.raises(CorpusError, match="line 3"):
        next(items)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# newdoc\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_sentences(path, content):
    path.write_bytes(content)
    with pytest.raises(CorpusError) as caught:
        list(ConlluCorpus(path))
    assert str(caught.value).startswith("tiny.conllu holds no sentence. Expected: CoNLL-U")


def test_bytes_that_are_not_utf8(path):
    path.write_bytes(f"{row(1, 'a')}\n".encode() + b"2\t\xe9t\xe9\n")
    with pytest.raises(CorpusError, match=r"tiny.conllu, line 2: byte 3 \(0xe9\) is not UTF-8. Expected: UTF-8 text."):
        list(ConlluCorpus(path))


def test_a_missing_file(path):
    with pytest.raises(CorpusError, match=r"Cannot read .*tiny.conllu': No such file or directory"):
        list(ConlluCorpus(path))


def test_fingerprint_is_of_the_content(path, tmp_path):
    first = write(path, row(1, "a"), "").fingerprint()
    assert write(tmp_path / "other.conllu", row(1, "a"), "").fingerprint() == first
    assert write(path, row(1, "b"), "").fingerprint() != first


letters = st.characters(exclude_categories=("Cs",), exclude_characters="\t\n\r ")
forms = st.text(letters, min_size=1, max_size=4)
values = st.one_of(st.none(), st.text(letters, min_size=1, max_size=3).filter(lambda value: value != "_"))


@st.composite
def sentences(draw):
    words = draw(st.lists(forms, min_size=1, max_size=6))
    columns = {name: tuple(draw(values) for _ in words) for name in ("lemma", "upos", "xpos", "deprel")}
    columns["upos"] = ("X", *columns["upos"][1:])  # annotated, so that absent features are known
    columns["feats"] = tuple(draw(values) or "" for _ in words)
    heads = st.one_of(st.none(), st.integers(0, len(words)).map(str))
    columns["head"] = tuple(draw(heads) for _ in words)
    glue = [draw(st.booleans()) for _ in words]
    split = draw(st.integers(0, max(0, len(words) - 2))) if len(words) > 1 and draw(st.booleans()) else None
    return words, columns, glue, split


def render(sentence) -> list[str]:
    words, columns, glue, split = sentence
    lines = []
    for index, word in enumerate(words):
        misc = "SpaceAfter=No" if glue[index] else "_"
        if split == index:
            surface_misc = "SpaceAfter=No" if glue[index + 1] else "_"
            lines.append(row(f"{index + 1}-{index + 2}", word + words[index + 1], surface_misc))
        fields = {name: column[index] or "_" for name, column in columns.items()}
        lines.append(row(index + 1, word, misc, **fields))
    return [*lines, ""]


@given(st.lists(sentences(), min_size=1, max_size=4))
def test_what_is_written_is_read(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("round") / "trip.conllu"
    corpus = write(path, *(line for sentence in written for line in render(sentence)))
    read = list(corpus)
    assert len(read) == len(written)
    for item, (words, columns, glue, split) in zip(read, written):
        text = source(item)
        assert text.words == tuple(words)
        assert dict(text.columns) == columns
        glued = [g or split == i for i, g in enumerate(glue)]
        assert text.text == "".join(w if g else w + " " for w, g in zip(words[:-1], glued)) + words[-1]


@pytest.mark.skipif(not EWT.exists(), reason="needs the English Web Treebank beside the project")
def test_english_web_treebank():
    items = list(ConlluCorpus(EWT / "train.conllu"))
    assert len(items) == 12_544
    assert len({item.group for item in items}) == 540
    assert len({item.id for item in items}) == 12_544
    assert sum(source(item).n_sites for item in items) == 204_577


@pytest.mark.skipif(not EWT.exists(), reason="needs the English Web Treebank beside the project")
def test_rebuilt_text_agrees_with_the_treebanks_own():
    path = EWT / "dev.conllu"
    lines = path.read_bytes().decode().split("\n")
    told = [line.removeprefix("# text = ") for line in lines if line.startswith("# text = ")]
    assert [source(item).text for item in ConlluCorpus(path)] == told
