"""English inflection with its segmentation: plural, verb forms, degrees of comparison.

Every function takes and returns a *segmented* word, pieces joined by '+': `strik+er` gives `strik+er+s`. The pieces
joined without '+' are the form. Irregular forms come from the bundled word lists; the spelling rules are those of any
English grammar (final e, y, doubling of consonants).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_VOWELS = frozenset("aeiou")
_SIBILANTS = ("s", "x", "z", "ch", "sh")


def surface(segmented: str) -> str:
    """Drop the boundaries.

    >>> surface("un+happi+ness")
    'unhappiness'
    """
    return segmented.replace("+", "")


def _pairs(entries: str) -> dict[str, list[str]]:
    """Read 'a/b/c d/e/f' as {'a': ['b', 'c'], 'd': ['e', 'f']}."""
    split = [entry.split("/") for entry in entries.split()]
    return {first: rest for first, *rest in split}


@dataclass(frozen=True)
class Inflection:
    """Inflects segmented words; the fields are the irregular words."""

    plurals: Mapping[str, list[str]]
    verbs: Mapping[str, list[str]]
    degrees: Mapping[str, list[str]]
    doubling: frozenset[str]
    es_after_o: frozenset[str]
    short: frozenset[str]

    @classmethod
    def from_lists(cls, lists: Mapping[str, str]) -> Inflection:
        """Read the word lists `irregular_plural`, `irregular_verb`, `irregular_degree`, `double`, `irregular_o`."""
        return cls(
            _pairs(lists["irregular_plural"]),
            _pairs(lists["irregular_verb"]),
            _pairs(lists["irregular_degree"]),
            frozenset(lists["double"].split()),
            frozenset(lists["irregular_o"].split()),
            frozenset(lists["er_two"].split()),
        )

    def plural(self, noun: str) -> str:
        """Plural of a noun: `city` to `citi+es`, `fish+er+man` to `fish+er+men`."""
        found = self._irregular(self.plurals, noun, 0)
        if found is None and noun.endswith("man") and not noun.endswith("human"):
            found = f"{noun[:-3]}men"
        return found if found is not None else self._with_s(noun)

    def third_person(self, verb: str) -> str:
        """Third person singular present: `carry` to `carri+es`."""
        return "has" if verb == "have" else self._with_s(verb)

    def past(self, verb: str) -> str:
        """Past tense: `stop` to `stopp+ed`, `run` to `ran`."""
        found = self._irregular(self.verbs, verb, 0)
        return found if found is not None else self._with_vowel(verb, "ed")

    def participle(self, verb: str) -> str:
        """Past participle: `stop` to `stopp+ed`, `write` to `written`."""
        found = self._irregular(self.verbs, verb, 1)
        return found if found is not None else self._with_vowel(verb, "ed")

    def gerund(self, verb: str) -> str:
        """Form in -ing: `bake` to `bak+ing`, `lie` to `ly+ing`."""
        if verb.endswith("ie"):
            return f"{verb[:-2]}y+ing"
        if verb.endswith(("ee", "oe", "ye")):
            return f"{verb}+ing"
        if verb.endswith("y"):
            return f"{verb}+ing"
        return self._with_vowel(verb, "ing")

    def comparative(self, word: str) -> str | None:
        """Comparative in -er, or None where English says 'more'."""
        return self._degree(word, 0, "er")

    def superlative(self, word: str) -> str | None:
        """Superlative in -est, or None where English says 'most'."""
        return self._degree(word, 1, "est")

    def _degree(self, word: str, which: int, suffix: str) -> str | None:
        plain = surface(word)
        if plain in self.degrees:
            return self.degrees[plain][which]
        syllables = _n_vowel_groups(plain[:-1] if plain.endswith("e") else plain)
        if plain.endswith("ly") and plain != "early" and "+" in word:
            return None
        is_short = syllables == 1 or (syllables == 2 and plain.endswith("y")) or plain in self.short
        if not is_short or "+" in word or plain.endswith(("ed", "ing", "ous")):
            return None
        return self._with_vowel(word, suffix)

    @staticmethod
    def _irregular(table: Mapping[str, list[str]], word: str, which: int) -> str | None:
        start, _, last = word.rpartition("+")
        if surface(word) in table:
            return table[surface(word)][which]
        if start and last in table:
            return f"{start}+{table[last][which]}"
        return None

    def _with_s(self, word: str) -> str:
        if word.endswith("y") and surface(word)[-2:-1] not in _VOWELS:
            return f"{word[:-1]}i+es"
        last = word.rpartition("+")[2]
        if word.endswith(_SIBILANTS) or surface(word) in self.es_after_o or last in self.es_after_o:
            return f"{word}+es"
        return f"{word}+s"

    def _with_vowel(self, word: str, suffix: str) -> str:
        if word.endswith("e"):
            return f"{word[:-1]}+{suffix}"
        if word.endswith("y") and surface(word)[-2:-1] not in _VOWELS:
            return f"{word[:-1]}i+{suffix}"
        if word.endswith("ic"):
            return f"{word}k+{suffix}"
        return f"{word}{word[-1]}+{suffix}" if self._doubles(word) else f"{word}+{suffix}"

    def _doubles(self, word: str) -> bool:
        plain = surface(word)
        if plain in self.doubling:
            return True
        if len(plain) < 3 or plain[-1] in _VOWELS or plain[-1] in "wxy":
            return False
        before = plain[-3:-2]
        closed = plain[-2] in _VOWELS and (before not in _VOWELS or plain[:-2].endswith("qu"))
        return closed and _n_vowel_groups(plain.replace("qu", "q")) == 1


def _n_vowel_groups(word: str) -> int:
    """Runs of vowel letters, a rough count of syllables.

    >>> _n_vowel_groups("beautiful"), _n_vowel_groups("stop")
    (3, 1)
    """
    count, inside = 0, False
    for index, letter in enumerate(word):
        vowel = letter in _VOWELS or (letter == "y" and index > 0)
        count += vowel and not inside
        inside = vowel
    return count
