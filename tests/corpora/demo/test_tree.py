"""Annotation is whole: spans, morphemes, heads, constituents, features."""

from collections import defaultdict

from unitscope.corpora.demo.tree import Phrase, Word, capitalised, flatten, phrase

RELATIONS = {
    "acl",
    "acl:relcl",
    "advcl",
    "advmod",
    "amod",
    "aux",
    "aux:pass",
    "case",
    "cc",
    "cc:preconj",
    "ccomp",
    "compound",
    "compound:prt",
    "conj",
    "cop",
    "csubj",
    "det",
    "det:predet",
    "discourse",
    "expl",
    "flat",
    "iobj",
    "mark",
    "nmod",
    "nmod:poss",
    "nmod:unmarked",
    "nsubj",
    "nsubj:pass",
    "nummod",
    "obj",
    "obl",
    "obl:agent",
    "obl:unmarked",
    "punct",
    "root",
    "vocative",
    "xcomp",
}
TAGS = {
    "NOUN": {"NN", "NNS"},
    "PROPN": {"NNP", "NNPS"},
    "VERB": {"VB", "VBD", "VBG", "VBN", "VBP", "VBZ"},
    "AUX": {"VB", "VBD", "VBG", "VBN", "VBP", "VBZ", "MD"},
    "ADJ": {"JJ", "JJR", "JJS"},
    "ADV": {"RB", "RBR", "RBS", "WRB"},
    "ADP": {"IN", "RP"},
    "SCONJ": {"IN"},
    "CCONJ": {"CC"},
    "DET": {"DT", "PDT", "WDT"},
    "PRON": {"PRP", "PRP$", "WP", "WP$", "WDT", "DT", "NN", "EX"},
    "PART": {"TO", "RB", "POS"},
    "NUM": {"CD"},
    "INTJ": {"UH"},
    "SYM": {"$", "NN"},
    "PUNCT": {".", ",", "``", "''"},
}


def test_spans_are_disjoint_and_cover_all_but_blanks(items):
    for item in items:
        text = item.grids["source"]
        covered = "".join(text.words)
        assert covered == text.text.replace(" ", "")
        assert all(a[1] <= b[0] for a, b in zip(text.spans, text.spans[1:], strict=False))
        assert "  " not in text.text
        assert text.text[0].isupper() or text.text[0] == '"'
        assert not any(bad in text.text for bad in (" .", " ,", " ?", " !", " n't", " 's ", "$ ", " %"))


def test_morphemes_concatenate_to_the_form(words):
    for token in words:
        assert token.morphemes.replace("+", "") == token.form
        assert not token.morphemes.startswith("+")


def test_heads_form_a_projective_tree(sentences):
    for sentence in sentences:
        assert [t.deprel for t in sentence].count("root") == 1
        for index, token in enumerate(sentence):
            assert (token.head == -1) == (token.deprel == "root")
            seen, at = {index}, token.head
            while at != -1:
                assert at not in seen
                seen.add(at)
                at = sentence[at].head
        arcs = [tuple(sorted((i, t.head))) for i, t in enumerate(sentence) if t.head != -1]
        assert not any(a < c < b < d for a, b in arcs for c, d in arcs)


def test_tags_and_relations_are_those_of_the_treebank(words):
    for token in words:
        assert token.deprel in RELATIONS
        assert token.xpos in TAGS[token.upos], token


def test_features_are_sorted(items):
    for item in items:
        for feats in item.grids["source"].columns["feats"]:
            names = [pair.split("=")[0] for pair in feats.split("|") if pair]
            assert names == sorted(names, key=str.lower)
            assert len(set(names)) == len(names)


def test_constituents_nest_and_are_contiguous(sentences):
    for sentence in sentences:
        places = defaultdict(list)
        above: dict[str, str] = {}
        for index, token in enumerate(sentence):
            path = token.constituents.split()
            assert path
            for depth, name in enumerate(path):
                label, _, number = name.partition(":")
                assert label.isupper()
                assert number.isdigit()
                places[name].append(index)
                parent = path[depth - 1] if depth else ""
                assert above.setdefault(name, parent) == parent
        assert all(found == list(range(found[0], found[-1] + 1)) for found in places.values())
        assert len({name.split(":")[1] for name in places}) == len(places)
        assert len({token.constituents.split()[0] for token in sentence}) == 1


def test_a_phrase_and_its_dependencies_agree():
    """In every noun phrase just one word depends on a word outside it."""
    the, cat = Word("the", "the", "DET", "DT"), Word("cat", "cat", "NOUN", "NN")
    tree = phrase(
        "S", ("nsubj", phrase("NP", ("det", the), ("head", cat))), ("head", Word("ran", "run", "VERB", "VBD"))
    )
    text = flatten(tree)
    assert text.text == "The cat ran"
    assert text.columns["head"] == ("2", "3", "0")
    assert text.columns["deprel"] == ("det", "nsubj", "root")
    assert text.columns["constituents"] == ("S:0 NP:1", "S:0 NP:1", "S:0")


def test_constituents_have_one_head_each(sentences):
    for sentence in sentences[::7]:
        inside = defaultdict(set)
        for index, token in enumerate(sentence):
            for name in token.constituents.split():
                inside[name].add(index)
        for name, members in inside.items():
            leaving = [i for i in members if sentence[i].head not in members]
            assert len(leaving) == 1, (name, [t.form for t in sentence])


def test_article_follows_the_sound_and_capitals_skip_quotes():
    def says(word: str) -> str:
        noun = Word(word, word, "NOUN", "NN")
        tree = phrase("NP", ("det", Word("a", "a", "DET", "DT")), ("head", noun))
        return flatten(tree, hear_a=frozenset({"university"}), hear_an=frozenset({"hour"})).text

    assert says("apple") == "An apple"
    assert says("university") == "A university"
    assert says("hour") == "An hour"
    assert says("8") == "An 8"
    quote = Word('"', '"', "PUNCT", "``")
    quoted = capitalised(Phrase("", (("punct", quote), ("head", Word("yes", "yes", "INTJ", "UH")))))
    assert flatten(quoted).text == '"Yes'
