from threadpoolctl import threadpool_info

from unitscope.limits import numeric_threads, release_memory


def test_numeric_pools_are_held_and_released():
    import numpy  # noqa: F401 - brings a pool

    before = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    with numeric_threads(1):
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()} == before


def test_releasing_memory_keeps_what_is_in_use():
    import numpy

    kept = numpy.arange(100_000)
    release_memory()
    assert kept.sum() == 4_999_950_000
