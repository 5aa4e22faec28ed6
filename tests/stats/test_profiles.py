"""Profiles: the most alike unit beside a plain search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.stats import profiles


def naive(a, b):
    """Most alike row of b for each of a, by one cosine after another."""
    found = []
    for row in a:
        cosines = [
            float(row @ other) / (np.linalg.norm(row) * np.linalg.norm(other) or np.inf) if row.any() else 0.0
            for other in b
        ]
        at = max(range(len(b)), key=lambda i: abs(cosines[i]))
        found.append((at if cosines[at] else -1, cosines[at]))
    return found


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9), st.integers(1, 5))
def test_nearest_is_the_plain_search(seed, n_a, n_b, n_concepts):
    rng = np.random.default_rng(seed)
    scores = [rng.uniform(0, 1, (n, n_concepts)) for n in (n_a, n_b)]
    scores[0][rng.random(n_a) < 0.2] = 0.5  # tells nothing
    scores[1][rng.random((n_b, n_concepts)) < 0.1] = np.nan
    a, b = (profiles.profiles(each) for each in scores)
    found = profiles.nearest(a, b)
    raw = [np.nan_to_num(each.astype(np.float32) - np.float32(0.5)).astype(float) for each in scores]
    expected, back = naive(*raw), naive(raw[1], raw[0])
    for at, (partner, cosine) in enumerate(expected):
        assert found.cosine[at] == pytest.approx(cosine, abs=1e-5)
        if partner >= 0 and n_concepts > 1:
            size = np.sort(np.abs(raw[1] @ raw[0][at]) / np.maximum(np.linalg.norm(raw[1], axis=1), 1e-30))
            if len(size) == 1 or size[-1] - size[-2] > 1e-5 * np.linalg.norm(raw[0][at]):
                assert found.partner[at] == partner
                assert found.mutual[at] == (back[partner][0] == at) or n_a > 1
        if partner < 0:
            assert found.partner[at] == -1
            assert not found.mutual[at]


def test_a_shuffled_copy_is_found_again_mirror_images_too():
    rng = np.random.default_rng(3)
    scores = rng.uniform(0, 1, (40, 12))
    order = rng.permutation(40)
    turned = scores[order].copy()
    turned[::2] = 1 - turned[::2]
    found = profiles.nearest(profiles.profiles(scores), profiles.profiles(turned))
    assert order[found.partner].tolist() == list(range(40))
    assert found.mutual.all()
    assert np.abs(found.cosine) == pytest.approx(1, abs=1e-5)
    assert (found.cosine < 0).tolist() == (found.partner % 2 == 0).tolist()


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(4)
    a, b = (profiles.profiles(rng.uniform(0, 1, (n, 7))) for n in (23, 17))
    whole = profiles.nearest(a, b)
    monkeypatch.setattr(profiles, "_BLOCK", 17 * 4)
    parts = profiles.nearest(a, b)
    assert whole.partner.tolist() == parts.partner.tolist()
    assert whole.mutual.tolist() == parts.mutual.tolist()


def test_nobody_to_be_like():
    found = profiles.nearest(profiles.profiles(np.full((3, 2), 0.7)), profiles.profiles(np.empty((0, 2))))
    assert found.partner.tolist() == [-1, -1, -1]
    assert not found.mutual.any()
