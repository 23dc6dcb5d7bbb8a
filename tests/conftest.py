"""What all tests share."""

import signal

import pytest
from hypothesis import settings

from tests.workloads import DATA, pairs, workloads

# The suite says the same of a commit wherever it runs; --hypothesis-profile=default draws other examples.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


def pytest_generate_tests(metafunc):
    """Run a test that takes a `workload` or a `structure` on every one, and one that takes both on pairs."""
    import metricspace as ms

    structures, every = ms.indexes(), workloads()
    if {"workload", "structure"} <= set(metafunc.fixturenames):
        both = [
            pytest.param(load, structure, id=f"{load.name}-{structure.key}")
            for load, structure in pairs(every)
        ]
        metafunc.parametrize(("workload", "structure"), both, scope="module")
    elif "workload" in metafunc.fixturenames:
        metafunc.parametrize("workload", every, ids=[one.name for one in every], scope="module")
    elif "structure" in metafunc.fixturenames:
        metafunc.parametrize("structure", list(structures.values()), ids=list(structures), scope="module")


def unless_a_law_is_missing(item):
    """Skip a test of several structures for one that needs a law which the metric does not obey."""
    from metricspace.errors import NotAMetric

    try:
        return (yield)
    except NotAMetric as refusal:
        given = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if all(getattr(value, "needs", "triangle") in (None, "triangle") for value in given):
            raise
        pytest.skip(str(refusal))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    return (yield from unless_a_law_is_missing(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    return (yield from unless_a_law_is_missing(item))


@pytest.fixture(scope="session", autouse=True)
def interrupts():
    """Interrupts arrive: processes that share the tests out ignore them otherwise."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data():
    """The folder of real data sets; the test is skipped where there is none."""
    if not DATA.is_dir():
        pytest.skip("the real data sets are not beside this checkout")
    return DATA
