"""The Python on the pages about data, evaluation and indexability runs as it stands."""

import pytest

from tests.test_readme import ROOT, run


@pytest.mark.parametrize("page", ["data", "evaluation", "indexability"])
def test_the_page_runs(page):
    assert len(run(ROOT / "docs" / f"{page}.md")) > 1
