"""docs/library.md runs from top to bottom and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from nessflow.registry import use_project

DOCS = Path(__file__).resolve().parents[2] / "docs"
CELLS = re.findall(
    r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", (DOCS / "library.md").read_text(), re.DOTALL
)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]\d+)?")
LEAD = re.search(r"# parts/semicircle.py\n(.*?)```", (DOCS / "parts.md").read_text(), re.DOTALL)[1]
STUDY = re.search(r"```yaml\n(.*?)```", (DOCS.parent / "README.md").read_text(), re.DOTALL)[1]


def output(code, names):
    """Return what a cell prints; an error is its last line."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(code, "library.md", "exec"), names)
        except ValueError as error:
            print(f"{type(error).__name__}: {error}")
    return printed.getvalue()


def same(found, expected):
    """Assert that texts agree, numbers but their errors to six digits."""
    assert NUMBER.sub("#", found) == NUMBER.sub("#", expected)
    values = (NUMBER.findall(re.sub(r"\+- \S+e-1\d", "", text)) for text in (found, expected))
    np.testing.assert_allclose(*(np.array(each, float) for each in values), rtol=1e-6, atol=1e-12)


@pytest.fixture
def here(project, monkeypatch):
    """A project with the study of the README, of fewer points, and the lead of parts.md."""
    for name in ("chain", "spectrum"):
        project.study(name).unlink()
    text = STUDY.replace("[0, 1, 6]", "[0.4, 1, 2]").replace(
        "samples: 20, per_block: 10", "samples: 4"
    )
    assert text != STUDY
    project.study("my-wire").write_text(text)
    (project.folder / "parts").mkdir()
    (project.folder / "parts" / "semicircle.py").write_text(LEAD)
    done = project.snakemake("my-wire")
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(project.folder)
    matplotlib.use("Agg")
    use_project(project.folder)
    yield project.folder
    use_project(DOCS)


def test_the_page_runs_as_it_is_printed(here):
    names = {}
    for code, expected in CELLS:
        same(output(code, names), expected)
    assert (here / "transmission.png").stat().st_size > 10_000
