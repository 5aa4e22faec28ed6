import numpy as np
import pytest
from scipy.special import ndtr
from sklearn.metrics import roc_auc_score

from unitscope import planted
from unitscope.arrays import to_keys
from unitscope.errors import ConceptError
from unitscope.models.base import Layer
from unitscope.planted import N_CHILDREN, SHAPES, Concept, Language, Noise, Population, Unit
from unitscope.study import assemble
from unitscope.study.frame import make_frame
from unitscope.study.plan import Study
from unitscope.study.unitpass import score
from unitscope.study.verdicts import find_matches


@pytest.fixture(scope="module")
def language():
    return Language.draw(3)


@pytest.fixture(scope="module")
def corpus(language):
    return language.corpus(80, 5)


@pytest.fixture(scope="module")
def large(language):
    return language.corpus(1500, 6)


def named(language, name):
    return next(concept for concept in language.concepts if concept.name == name)


def concepts_of(language, field):
    return [concept for concept in language.concepts if concept.field == field]


def test_sites_are_words_of_sentences_of_documents(corpus, language):
    for item in (0, 7, int(corpus.item.max())):
        here = corpus.item == item
        n = int(here.sum())
        assert corpus.position[here].tolist() == list(range(n))
        assert set(corpus.length[here].tolist()) == {n}
        assert 5 <= n <= 20
        assert len(set(corpus.document[here].tolist())) == len(set(corpus.topic[here].tolist())) == 1
        assert {corpus.groups[item]} == {f"document {d}" for d in corpus.document[here].tolist()}
    assert (np.diff(corpus.document) >= 0).all()
    assert len(corpus.groups) == corpus.item.max() + 1
    np.testing.assert_array_equal(corpus.tag, language.parent[corpus.subtag])
    np.testing.assert_array_equal(
        corpus.field("place_from_end")[corpus.position == 0] + 1, corpus.length[corpus.position == 0]
    )


def test_tags_follow_one_another_as_the_language_says(large, language):
    after = (large.position > 0) & (large.field("place_from_end") > 0)
    for tag in (0, 5, 9):
        previous = np.flatnonzero(after & (np.roll(large.subtag, 1) == tag))
        share = np.bincount(large.subtag[previous], minlength=len(language.parent)) / len(previous)
        error = np.sqrt(language.follow[tag] / len(previous)) + 1e-3
        assert (np.abs(share - language.follow[tag]) < 4.5 * error).all()
    first = np.bincount(large.subtag[large.position == 0], minlength=len(language.parent)) / (large.item.max() + 1)
    np.testing.assert_allclose(first, language.start, atol=0.02)
    last = large.tag[large.field("place_from_end") == 0]
    assert (last == len(N_CHILDREN) - 1).mean() > 0.5


def test_words_go_with_tags_and_topics(large, language):
    for topic, tag in ((0, 1), (4, 8)):
        here = (large.topic == topic) & (large.subtag == tag)
        share = np.bincount(large.form[here], minlength=planted.N_FORMS) / here.sum()
        error = np.sqrt(language.emit[topic, tag] / here.sum()) + 1e-3
        assert (np.abs(share - language.emit[topic, tag]) < 5 * error).all()


def test_many_words_are_ambiguous_and_the_usual_shares_are_right(large, language):
    tags_of = np.zeros((len(language.parent), planted.N_FORMS))
    np.add.at(tags_of, (large.subtag, large.form), 1)
    assert ((tags_of > 0).sum(axis=0) > 1)[large.form].mean() > 0.4
    inner = (large.position > 3) & (large.field("place_from_end") > 0)
    middle = np.zeros_like(tags_of)
    np.add.at(middle, (large.subtag[inner], large.form[inner]), 1 / inner.sum())
    assert language.usual.sum() == pytest.approx(1)
    np.testing.assert_allclose(middle.sum(axis=1), language.usual.sum(axis=1), atol=0.01)
    assert np.corrcoef(middle.ravel(), language.usual.ravel())[0, 1] > 0.99


def test_table_holds_the_masks(corpus, language):
    concepts = [*language.concepts, *corpus.with_marks([30], 0).mark_concepts]
    marked = corpus.with_marks([30], 0)
    table = marked.table(concepts)
    for index, concept in enumerate(concepts):
        np.testing.assert_array_equal(table.sites_of(index), np.flatnonzero(marked.mask(concept)))
    assert len(set(table.names)) == table.n_concepts
    children = [c for c in concepts if c.name.startswith("subtag:1.")]
    inside = np.stack([marked.mask(c) for c in children])
    assert len(children) == N_CHILDREN[1]
    np.testing.assert_array_equal(inside.sum(axis=0), marked.mask(named(language, "tag:1")))


def test_marks_have_their_size_and_keep_to_their_documents(corpus):
    marked = corpus.with_marks([25, 200], 1).with_marks([200], 1, share=0.2)
    assert [int(mask.sum()) for mask in marked.marks.values()] == [25, 200, 200]
    assert list(marked.marks) == ["mark:0", "mark:1", "mark:2"]
    documents = [len(np.unique(marked.document[mask])) for mask in marked.marks.values()]
    assert documents[1] > 60
    assert documents[2] <= 16
    assert not corpus.marks


def test_an_unknown_field_is_named(corpus):
    with pytest.raises(ConceptError) as caught:
        corpus.field("colour")
    assert "No field 'colour' in the planted corpus." in str(caught.value)
    assert "place_from_end" in str(caught.value)
    assert "with_marks" in str(caught.value)


def test_noise_varies_by_document_sentence_and_drift(large):
    noise = Noise(document=0.3, sentence=0.2, drift=0.3, memory=0.8)
    values = planted.activations([planted.null(noise)] * 6, large, 0).astype(np.float64)
    neighbours = (np.diff(large.item) == 0).nonzero()[0]
    across = ((np.diff(large.item) != 0) & (np.diff(large.document) == 0)).nonzero()[0]
    documents = (np.diff(large.document) != 0).nonzero()[0]
    products = values[:, :-1] * values[:, 1:]
    assert (values**2).mean() == pytest.approx(1, abs=0.03)
    assert products[:, neighbours].mean() == pytest.approx(0.3 + 0.2 + 0.3 * 0.8, abs=0.03)
    assert products[:, across].mean() == pytest.approx(0.3 + 0.3 * 0.8, abs=0.04)
    assert products[:, documents].mean() == pytest.approx(0, abs=0.04)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(large, shape):
    values = planted.activations([planted.null(Noise(shape=shape))], large, 2)[0].astype(np.float64)
    if shape == "rectified":
        assert (values == 0).mean() == pytest.approx(ndtr(planted.CUT), abs=0.01)
        assert values.min() == 0
        return
    kurtosis = (values**4).mean() / (values**2).mean() ** 2
    assert values.std() == pytest.approx(1, abs=0.05)
    assert kurtosis > 8 if shape == "heavy" else kurtosis == pytest.approx(3, abs=0.15)


def test_same_seed_same_values(corpus, language):
    units = [planted.detector(language.concepts[0], 1.0, Noise(0.1, 0.1, 0.1, 0.5)), planted.null(Noise())]
    first, again, other = (planted.activations(units, corpus, seed) for seed in (4, 4, 5))
    assert first.dtype == np.float16
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9
    assert Language.draw(1).corpus(5, 2).form.tolist() == Language.draw(1).corpus(5, 2).form.tolist()


def test_decoys_know_one_thing_only(corpus, language):
    rng = np.random.default_rng(0)
    tag = named(language, "tag:1")
    word = planted.word_decoy(language, tag, Noise(), rng)
    share = language.usual[language.parent == 1].sum(axis=0) / language.usual.sum(axis=0)
    assert word.field == "form"
    assert np.corrcoef(word.values, share)[0, 1] == pytest.approx(0.7, abs=0.15)
    for kind, low in (("position", 0), ("length", 5)):
        decoys = [planted.place_decoy(kind, Noise(), rng) for _ in range(20)]
        assert {decoy.field for decoy in decoys} == {kind}
        spread = [decoy.values[low:].std() for decoy in decoys]
        assert 0.69 < min(spread) < max(spread) < 2.01


@pytest.mark.parametrize("shape", SHAPES)
def test_superiority_is_what_sampling_gives(shape):
    noise, rng = Noise(shape=shape), np.random.default_rng(0)
    levels = np.array([-1.0, 0.0, 0.5, 2.0])
    values = [noise.apply(np.array(level), rng.standard_normal(200_000)) for level in levels]
    others = [noise.apply(np.array(level), rng.standard_normal(200_000)) for level in levels]
    found = planted.superiority(levels, noise)
    for i, j in np.ndindex(4, 4):
        sampled = (values[i] > others[j]).mean() + (values[i] == others[j]).mean() / 2
        assert found[i, j] == pytest.approx(sampled, abs=0.005)
    np.testing.assert_allclose(found + found.T, 1, atol=0.002)


@pytest.mark.parametrize("shape", SHAPES)
def test_true_scores_are_those_of_large_samples(large, language, shape):
    rng = np.random.default_rng(1)
    noise = Noise(shape=shape)
    marked = large.with_marks([3000], 0)
    mark = marked.mark_concepts[0]
    tag, child = named(language, "tag:0"), concepts_of(language, "subtag")[0]
    word, last = concepts_of(language, "form")[0], named(language, "position:last")
    cases = [
        (planted.detector(tag, 2.0, noise), tag),
        (planted.detector(tag, 2.0, noise), child),
        (planted.detector(child, 1.0, noise), last),
        (planted.detector(mark, 1.5, noise), mark),
        (planted.detector(mark, 1.5, noise), tag),
        (planted.word_decoy(language, tag, noise, rng), tag),
        (planted.word_decoy(language, tag, noise, rng), word),
        (planted.place_decoy("position", noise, rng), tag),
        (planted.place_decoy("length", noise, rng), last),
    ]
    values = planted.activations([unit for unit, _ in cases], marked, 3)
    population = Population(large)
    for row, (unit, concept) in zip(values, cases, strict=True):
        mask = marked.mask(concept)
        error = 4 * np.sqrt(1 / (12 * mask.sum()))
        assert population.auroc(unit, concept) == pytest.approx(roc_auc_score(mask, row), abs=error)


def test_unrelated_units_and_concepts_are_at_one_half(large, language):
    marked = large.with_marks([3000, 3000], 0)
    marks, tags, topics = marked.mark_concepts, concepts_of(language, "tag"), concepts_of(language, "topic")
    unrelated = [(topics[0], tags[0]), (tags[1], topics[2]), (marks[0], marks[1]), (tags[0], marks[0])]
    related = [(topics[0], concepts_of(language, "form")[0]), (tags[0], concepts_of(language, "position")[0])]
    related += [(marks[0], marks[0]), (tags[0], concepts_of(language, "subtag")[0])]
    for one, other in unrelated:
        unit = planted.detector(one, 2.0, Noise())
        assert not planted.related(unit, other)
        assert not planted.related(planted.detector(other, 2.0, Noise()), one)
        assert Population(large).auroc(unit, other) == 0.5
        value = planted.activations([unit], marked, 0)[0]
        # Documents differ in topic, so that their number counts.
        assert roc_auc_score(marked.mask(other), value) == pytest.approx(0.5, abs=0.02)
    assert all(planted.related(planted.detector(one, 2.0, Noise()), other) for one, other in related)
    assert not any(planted.related(planted.null(Noise()), concept) for concept in (*tags, *marks, *topics))


def matches_of(corpus, concepts, units, seed=0):
    """Rows (unit, concept, kind) that the study reports of planted units."""
    everywhere = np.ones(corpus.n_sites, np.bool_)
    frame = make_frame(corpus.sites, corpus.groups, corpus.table(concepts), everywhere, seed)
    arrays = score(frame, (), to_keys(planted.activations(units, corpus, seed)), np.ones(len(units), np.float32))
    arrays |= {"layer": np.zeros(len(units), np.int32), "unit": np.arange(len(units), dtype=np.int32)}
    study = Study("planted", "", "planted", "", (Layer("planted", len(units), "source"),), (), ())
    found = find_matches(assemble.test_table(study, {"source": frame}, (), arrays), (), {"planted": np.nan})
    return list(zip(*(found[name].tolist() for name in ("unit", "concept", "kind")), strict=True))


def test_the_study_finds_detectors_and_says_what_they_are(corpus, language):
    commonest = int(np.bincount(corpus.topic).argmax())
    names = ("tag:0", "subtag:1.4", "position:first", f"topic:{commonest}")
    concepts = [named(language, name) for name in names]
    concepts += concepts_of(language, "form")[:1]
    noise = Noise(document=0.1, sentence=0.1, drift=0.2, memory=0.7)
    found = matches_of(corpus, language.concepts, [planted.detector(concept, 2.0, noise) for concept in concepts])
    first = {unit: (concept, kind) for unit, concept, kind in reversed(found)}
    kinds = ("contextual", "contextual", "positional", "contextual", "lexical")
    assert first == {u: (concept.name, kind) for u, (concept, kind) in enumerate(zip(concepts, kinds, strict=True))}


def test_noise_that_varies_by_document_is_no_topic(corpus, language):
    units = [planted.null(Noise(document=0.5, sentence=0.3)) for _ in range(60)]
    concepts = [*concepts_of(language, "topic"), *concepts_of(language, "length")]
    assert len(matches_of(corpus, concepts, units)) <= 1


def test_a_detector_of_a_tag_is_not_called_contextual_for_its_sub_tags(corpus, language):
    tags = [concept for concept in language.concepts if concept.field in ("tag", "subtag")]
    parents = [named(language, f"tag:{t}") for t in range(4)]
    found = matches_of(corpus, tags, [planted.detector(parent, 2.0, Noise()) for parent in parents * 5])
    contextual = {(unit, concept) for unit, concept, kind in found if kind == "contextual"}
    own = {(u, parent.name) for u, parent in enumerate(parents * 5)}
    children = [(u, name) for u, name, _ in found if name.startswith(f"subtag:{parents[u % 4].low}.")]
    assert own <= contextual
    assert len(children) >= 10
    assert len(contextual.intersection(children)) <= 1


def test_what_a_unit_shows_of_two_concepts_stays_contextual(corpus, language):
    values = np.zeros(planted.N_FORMS)
    values[[0, 8]] = 2.5  # sub-tags of two tags
    found = matches_of(corpus, concepts_of(language, "subtag"), [Unit("detector", "", "subtag", values, Noise())])
    contextual = {concept for _, concept, kind in found if kind == "contextual"}
    assert {"subtag:0.0", "subtag:3.8"} <= contextual


def test_a_concept_is_a_range_of_a_field(corpus):
    mask = corpus.mask(Concept("position:2-3", "position", 1, 2))
    np.testing.assert_array_equal(mask, (corpus.position == 1) | (corpus.position == 2))
