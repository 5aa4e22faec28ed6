"""Seeded choices."""

from collections import Counter

from unitscope.corpora.demo.choice import Chooser


def test_same_seed_same_choices():
    one, two, three = Chooser("7"), Chooser("7"), Chooser("8")
    draws = [[c.number(0, 10**6) for _ in range(5)] for c in (one, two, three)]
    assert draws[0] == draws[1] != draws[2]


def test_a_deck_deals_everything_once_before_anything_twice():
    choose = Chooser("deck")
    dealt = [choose.draw("letters", "abcdefg") for _ in range(21)]
    assert all(sorted(dealt[i : i + 7]) == list("abcdefg") for i in (0, 7, 14))
    assert dealt[:7] != dealt[7:14]


def test_weights_chances_and_bounds():
    choose = Chooser("weights")
    counts = Counter(choose.weighted(((3.0, "a"), (1.0, "b"), (0.0, "c"))) for _ in range(4000))
    assert counts["c"] == 0
    assert 0.70 < counts["a"] / 4000 < 0.80
    assert 0.17 < sum(choose.chance(0.2) for _ in range(4000)) / 4000 < 0.23
    assert {choose.number(2, 4) for _ in range(100)} == {2, 3, 4}
    assert {choose.pick("xy") for _ in range(50)} == {"x", "y"}


def test_reseeding_keeps_the_decks():
    choose = Chooser("a")
    first = [choose.draw("d", "abcd") for _ in range(2)]
    choose.reseed("b")
    assert set(first).isdisjoint(choose.draw("d", "abcd") for _ in range(2))
