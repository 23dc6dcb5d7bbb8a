"""The README's Python runs as it stands."""

import pathlib
import re


def test_the_readme_runs(tmp_path, monkeypatch):
    text = (pathlib.Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec("\n".join(blocks), names)
    assert names["hits"].ids[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert names["nearest"] == (0, 0.0)
    assert (tmp_path / "vectors.index").exists()
