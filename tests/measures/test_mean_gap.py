import numpy as np

from unitscope.measures.mean_gap import MeanGap

RNG = np.random.default_rng(0)
MASKS = RNG.random((120, 2)) < [0.5, 0.05]
VALUES = (RNG.normal(size=(120, 4)) + MASKS[:, [0]] + 5).astype(np.float16).astype(float)


def test_gap_of_means_in_standard_deviations_or_plain():
    gap = np.array(
        [[VALUES[MASKS[:, c], u].mean() - VALUES[~MASKS[:, c], u].mean() for c in range(2)] for u in range(4)]
    )
    np.testing.assert_allclose(MeanGap(standardised=False).on(VALUES, MASKS), gap, rtol=1e-9)
    np.testing.assert_allclose(MeanGap().on(VALUES, MASKS), gap / VALUES.std(axis=0)[:, None], rtol=1e-9)


def test_scale_matters_to_the_plain_gap_only():
    np.testing.assert_allclose(MeanGap().on(1024 * VALUES, MASKS), MeanGap().on(VALUES, MASKS), rtol=1e-9)
    plain = MeanGap(standardised=False)
    np.testing.assert_allclose(plain.on(1024 * VALUES, MASKS), 1024 * plain.on(VALUES, MASKS), rtol=1e-9)


def test_a_constant_unit_has_no_gap():
    constant = np.full((120, 1), 0.5)
    np.testing.assert_array_equal(MeanGap(standardised=False).on(constant, MASKS), 0.0)
    assert np.isnan(MeanGap().on(constant, MASKS)).all()
