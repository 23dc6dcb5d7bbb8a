"""What all tests share."""

import pytest

from tests.workloads import DATA, workloads


def pytest_generate_tests(metafunc):
    """Run a test that takes a `workload` on every one, and one that takes a `structure` on every one."""
    if "workload" in metafunc.fixturenames:
        every = workloads()
        metafunc.parametrize("workload", every, ids=[one.name for one in every], scope="module")
    if "structure" in metafunc.fixturenames:
        import metricspace as ms

        metafunc.parametrize("structure", list(ms.indexes().values()), ids=list(ms.indexes()), scope="module")


@pytest.fixture(scope="session")
def data():
    """The folder of real data sets; the test is skipped where there is none."""
    if not DATA.is_dir():
        pytest.skip("the real data sets are not beside this checkout")
    return DATA
