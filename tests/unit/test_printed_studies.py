"""Studies and their pieces on pages that are read, not followed from top to bottom, compute."""

import re
import shutil
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from ruamel.yaml import YAML

from conftest import ROOT
from nessflow.config.project import load_study
from nessflow.outcome import Status
from nessflow.registry import use_project
from nessflow.verbs.point import evaluate_point
from pages import NOT_RUN, blocks_of, page

PAGES = ("hamiltonians.md", "disorder.md", "study-files.md", "studies.md", "figures.md")
BLOCKS = [
    block
    for name in PAGES
    for block in blocks_of(page(name))
    # test_docs.py completes these two.
    if block.language == "yaml" and not block.text.startswith(("axes:", "figures:"))
]
LEAD = {"kind": "semi-infinite-chain", "chemical_potential": 0.1, "temperature": 0.1}
CHAIN = {"kind": "chain", "sites": 12}
SQUARE = {"kind": "square", "length": 4, "width": 4}
VALUES = {"k": 0.3, "phi": 0.2, "V": 0.5, "gamma": 0.1, "bias": 0.1}
"""Of axes that a piece names and does not have."""


def study_of(block):
    """Return the study of which a block is a piece, the rest being a wire or a bar."""
    text = YAML(typ="safe").load(block.text)
    if "system" in text and "study" in text:
        return {"title": "Printed", **text}
    lattice, leads = CHAIN, {"left": LEAD, "right": {**LEAD, "chemical_potential": -0.1}}
    if "thermopowers" in block.text:
        lattice = SQUARE
        leads = {side: {**LEAD, "kind": "continued"} for side in ("left", "right", "top", "bottom")}
    if "orbital:" in block.text:
        lattice = {**CHAIN, "orbitals": 2}
    if "bias:" in block.text:
        leads["left"] = {**LEAD, "chemical_potential": "$bias"}
    system = {"lattice": lattice, "leads": leads, **text.pop("system", {})}
    system |= {key: text.pop(key) for key in ("lattice", "disorder", "leads") if key in text}
    study = {"title": "Printed", "study": "steady-current", "system": system}
    if study | text == study:
        study["observables"] = ["currents"]
    if "disorder" in system:
        study["ensemble"] = {"samples": 2}
    for name in sorted(set(re.findall(r"\$(\w+)", f"{system}")) & VALUES.keys()):
        axis = {"inner": [VALUES[name]], "natural_units": "1", "long_name": name}
        study.setdefault("axes", {})[name] = axis
    return study | text


@pytest.fixture
def project(tmp_path):
    """A project with the files that the pages name."""
    (tmp_path / "data").mkdir()
    (tmp_path / "parts").mkdir()
    (tmp_path / "config" / "studies").mkdir(parents=True)
    hopping = -np.eye(6, k=2)
    np.savez(tmp_path / "data" / "dot.npz", hamiltonian=hopping + hopping.T)
    np.savez(tmp_path / "data" / "lead.npz", cell=np.zeros((2, 2)), hopping=-np.eye(2))
    scipy.io.mmwrite(tmp_path / "data" / "loss.mtx", scipy.sparse.eye(6) * 0.01)
    ours = ROOT / "config" / "data" / "honeycomb_hr.dat"
    shutil.copy(ours, tmp_path / "data" / "graphene_hr.dat")
    (model,) = (
        block.text for block in blocks_of(page("parts.md")) if block.text.startswith("# parts/my_m")
    )
    (tmp_path / "parts" / "my_model.py").write_text(model)
    yield tmp_path
    use_project(Path(__file__))


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_what_is_printed_computes(block, project):
    written = StringIO()
    YAML().dump(study_of(block), written)
    path = project / "config" / "studies" / "printed.yaml"
    path.write_text(written.getvalue())
    study = load_study(path)
    found = evaluate_point(study)
    assert found["status"] == Status.OK, found["message"]


FOLLOWED = {
    "README.md": "workflow/test_readme.py",
    "tutorial.md": "workflow/test_pages.py",
    "archive.md": "workflow/test_pages.py",
    "fits.md": "workflow/test_pages.py",
    "library.md": "workflow/test_library_page.py",
    "own-project.md": "workflow/test_own_project.py",
    "module.md": "workflow/test_module.py",
    "data-elsewhere.md": "unit/test_export.py",
    "parts.md": "unit/test_parts_page.py",
    "from-kwant.md": "peers/test_kwant_page.py",
    **dict.fromkeys(PAGES, "unit/test_printed_studies.py"),
}
"""The tests that run what pages print; the site itself runs the cells of notebooks."""


def test_every_block_of_code_is_run_or_says_why_not():
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        code = [x for x in blocks_of(path) if x.language in ("console", "python", "yaml")]
        if any(not block.text.startswith(NOT_RUN) for block in code):
            test = ROOT / "tests" / FOLLOWED[path.name]
            assert f'"{path.name}"' in test.read_text(), path.name
