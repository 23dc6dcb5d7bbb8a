"""The Python in the README and in the pages on metrics and queries runs as it stands."""

import pathlib
import re

import pytest

from metricspace.dynamic import DynamicIndex

ROOT = pathlib.Path(__file__).parents[1]


def run(page):
    """Run the Python of a page, one block after the other, and return what it defines."""
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(page), "exec"), names)
    return names


def test_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run(ROOT / "README.md")
    assert names["hits"].ids[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert names["nearest"] == (0, 0.0)
    assert (tmp_path / "vectors.index").exists()


METRICS = sorted((ROOT / "docs" / "metrics").glob("*.md"))
STRUCTURES = sorted((ROOT / "docs" / "structures").glob("*.md"))
QUERIES = [ROOT / "docs" / f"{name}.md" for name in ("queries", "joins", "complex", "reverse")]
PAGES = [*METRICS, *STRUCTURES, *QUERIES]


def test_every_metric_has_its_laws_on_the_page():
    import metricspace as ms

    page = (ROOT / "docs" / "metrics" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*) \|(.*)\|(.*)\|(.*)\|(.*)\|$", page, re.MULTILINE)
    params = {"minkowski": {"p": 3}, "quadratic_form": {"matrix": [[1.0]]}, "mahalanobis": {"VI": [[1.0]]}}
    stated = {name: "✓" in hilbert for names, hilbert, *_ in rows for name in re.findall(r"`(\w+)`", names)}
    stated |= {"minkowski": False}  # which is in both rows, by its parameters
    for name in ms.metrics():
        assert ms.metric(name, **params.get(name, {})).laws.hilbert == stated[name], name


def test_every_structure_has_its_page_and_picture():
    import metricspace as ms

    folder = ROOT / "docs" / "structures"
    gallery = (folder / "README.md").read_text(encoding="utf-8")
    for key, structure in ms.indexes().items():
        page = (folder / f"{key}.md").read_text(encoding="utf-8")
        assert f"(`{key}`)" in page.splitlines()[0]
        for part in ("## Idea", "## Search", "## Parameters", "## Source", f"<!-- structure:{key} -->"):
            assert part in page, (key, part)
        params = set(structure().params())
        listed = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
        assert params - {"metric", "seed", "max_bytes"} <= listed <= params, key
        assert f"({key}.md)" in gallery
        dynamic = issubclass(structure, DynamicIndex)
        assert bool(re.search(rf"^\| \[`{key}`\].*✓ \|$", gallery, re.MULTILINE)) == dynamic, key
        drawn = (ROOT / "docs" / "images" / "structures" / f"{key}.png").exists()
        assert drawn or not structure.suits(ms.metric("euclidean")), key  # pictures are of the plane


@pytest.mark.parametrize("page", PAGES, ids=[f"{page.parent.stem}/{page.stem}" for page in PAGES])
def test_the_pages_run(page):
    assert len(run(page)) > 1
