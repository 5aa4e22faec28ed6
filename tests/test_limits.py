from threadpoolctl import threadpool_info

from unitscope.limits import numeric_threads


def test_numeric_pools_are_held_and_released():
    import numpy  # noqa: F401 - brings a pool

    before = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    with numeric_threads(1):
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()} == before
