"""What a user can get wrong: one clear line for each fault, status 2, nothing written."""

import os
import re

import pytest

from nessflow.store.store import read_dataset
from nessflow.verbs.workflow import open_project

CASES = {
    "misspelt key": ("rate: 0.1", "raet: 0.1", ["chain.yaml:6", "system.loss", "raet", "rate"]),
    "negative temperature": (
        "chemical_potential: $mu, temperature: 1.0e-2",
        "chemical_potential: $mu, temperature: -1.0",
        ["chain.yaml:8", "system.leads.left.temperature", "-1", ">= 0"],
    ),
    "negative rate": (
        "rate: 0.1",
        "rate: -0.1",
        ["chain.yaml:6", "system.loss.rate", "-0.1", ">= 0"],
    ),
    "zero samples": (
        "samples: 20",
        "samples: 0",
        ["chain.yaml:13", "ensemble.samples", "0", ">= 1"],
    ),
    "empty axis": ("inner: [0.5, 1.0]", "inner: []", ["chain.yaml:12", "axes.V.inner"]),
    "NaN": ("rate: 0.1", "rate: .nan", ["chain.yaml:6", "system.loss.rate", "finite"]),
    "an axis that no parameter uses": (
        "half_width: $V",
        "half_width: 1.0",
        ["chain.yaml:12", "axes.V"],
    ),
    "1e7 points": ("samples: 20", "samples: 10000000", ["ensemble.samples"]),
    "too many points": (
        "inner: [0.5, 1.0]",
        "inner: {linspace: [0.5, 1, 500000]}",
        ["allow_large=true", "--allow-large"],
    ),
    "not YAML": ("title: Small", "title: [Small", ["chain.yaml"]),
    "unknown kind": ("steady-current", "stead-current", ["chain.yaml:2", "steady-current"]),
    "an expression without its axis": ("half_width: $V", "half_width: $W", ["chain.yaml", "W"]),
    "an unknown plot": ("plot: samples", "plot: sampels", ["chain.yaml:15", "samples"]),
    "a figure of an unknown variable": (
        "y: net_particle_current",
        "y: net_particel_current",
        ["chain.yaml:15", "net_particel_current", "net_particle_current"],
    ),
    "a lead without a site": (
        "    right:",
        "    rihgt:",
        ["chain.yaml", "lead rihgt: site is missing", "left and right"],
    ),
    "a lead named loss": (
        "    right:",
        "    loss:",
        ["chain.yaml:9", "system.leads.loss", "the terminal of loss"],
    ),
    "a lead beside the chain": (
        "chemical_potential: $mu, temperature: 1.0e-2",
        "chemical_potential: $mu, temperature: 1.0e-2, site: [1, 99]",
        ["chain.yaml:8", "system.leads.left.site.1 = 99", "the chain has 6 sites"],
    ),
    "a site twice in one lead": (
        "chemical_potential: $mu, temperature: 1.0e-2",
        "chemical_potential: $mu, temperature: 1.0e-2, site: [1, 1]",
        ["chain.yaml:8", "system.leads.left.site.1", "listed twice"],
    ),
    "an unknown key of a lead": (
        "chemical_potential: $mu, temperature: 1.0e-2",
        "chemical_potential: $mu, temperature: 1.0e-2, sties: 1",
        ["chain.yaml:8", "system.leads.left.sties", "site"],
    ),
    "loss beside the chain": (
        "{kind: onsite, rate: 0.1}",
        "{kind: sites, rates: {7: 0.1}}",
        ["chain.yaml", "7"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_of_a_study_file(project, name):
    old, new, expected = CASES[name]
    project.edit("config/studies/chain.yaml", old, new)
    runs = [project.nessflow_here("plan")]
    # All read the studies through one function; a few cases show that processes say the same.
    if name in list(CASES)[:3]:
        runs += [project.nessflow("plan"), project.snakemake()]
    for done in runs:
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        for text in expected:
            assert text in done.stderr
    assert not (project.folder / "results").exists()


def test_all_faults_at_once(project):
    project.edit("config/studies/chain.yaml", "rate: 0.1", "rate: -0.1")
    project.edit("config/studies/chain.yaml", "samples: 20", "samples: 0")
    project.edit("config/studies/spectrum.yaml", "points: 7", "points: 1")
    done = project.nessflow_here("plan")
    assert done.returncode == 2
    for text in ("system.loss.rate", "ensemble.samples", "energies.points"):
        assert text in done.stderr


def test_a_hamiltonian_that_is_not_hermitian(project):
    project.edit(
        "config/studies/spectrum.yaml",
        "{kind: chain, sites: 4, hopping: $t_S}",
        "{kind: matrix, hamiltonian: [[0, $t_S], [0.3, 0]]}",
    )
    done = project.snakemake()
    assert done.returncode == 2
    assert "not Hermitian" in done.stderr
    assert "spectrum.yaml:4" in done.stderr


def test_an_unknown_study(project):
    done = project.nessflow_here("plan", "chian")
    assert done.returncode == 2
    assert "chian" in done.stderr
    assert "'chain'" in done.stderr


def test_an_unknown_choice_of_a_run(project):
    """Passed over, a typing error would run the whole paper tier."""
    done = project.snakemake("--config", "teir=smoke")
    assert done.returncode == 2
    assert "--config teir: expected one of tier, studies, allow_large" in done.stderr
    assert "did you mean 'tier'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_project_that_cannot_be_written(project, monkeypatch, capsys):
    """As on a disk mounted read-only, where Snakemake itself ends in a traceback."""
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(SystemExit) as caught:
        open_project(project.folder, {})
    assert caught.value.code == 2
    assert f"{project.folder}: cannot write; copy the project" in capsys.readouterr().err


def test_a_results_folder_that_cannot_be_written(project):
    # A file in the folder's place: root, who runs in containers, may write anywhere else.
    (project.folder / "results").write_text("in the way\n")
    done = project.snakemake()
    assert done.returncode != 0
    assert "results" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_truncated_block_is_named_and_computed_again(ready, finished):
    block = ready.folder / "results/chain/blocks/mu~0.1/seeds~00000-00009.nc"
    block.write_bytes(block.read_bytes()[:-100])
    (ready.folder / "results/chain/data.nc").unlink()
    done = ready.snakemake()
    assert done.returncode == 0, done.stderr
    assert "seeds~00000-00009.nc: cut short" in done.stderr
    assert done.stderr.count(" computed; CPU") == 1
    assert ready.data("chain") == finished.data("chain")


def test_damaged_data_are_not_served(ready, monkeypatch):
    import nessflow
    from nessflow.store.files import StoreError

    data = ready.folder / "results/chain/data.nc"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(bytes(content))
    monkeypatch.chdir(ready.folder)
    with pytest.raises(StoreError, match=r"data\.nc"):
        nessflow.load("chain")
    assert ready.nessflow("verify").returncode == 1


def test_a_failed_point_does_not_stop_the_others(project):
    """A zero line that does not exist in the bracket fails its point; the run completes."""
    project.study("no-root").write_text(ROOT_STUDY)
    done = project.snakemake("no-root")
    assert done.returncode == 0, done.stderr
    failures = (project.folder / "results/no-root/failures.csv").read_text().splitlines()
    assert len(failures) == 2
    assert "no root" in failures[1]


ROOT_STUDY = """\
title: Root
study: zero-current
system:
  lattice: {kind: chain, sites: 4}
  loss: {kind: onsite, rate: 0.1}
  gain: {kind: onsite, rate: $g}
  leads:
    left:  {kind: wide-band, broadening: 1.1, chemical_potential: 0, temperature: 20}
    right: {kind: wide-band, broadening: 1.1, chemical_potential: 0, temperature: 20}
lower: -5
upper: 5
axes:
  g: {inner: [0.1, 0.3]}
"""


CUT = """\
title: Levels that are degenerate or cut off
study: master-equations
network: {sites: 3, energy: 0.2, detuning: $d, tunnelling: $g}
reservoirs:
  bandwidth: 10
  coupling: 0.1
  left:  {chemical_potential: 0.5, temperature: 0.1}
  right: {chemical_potential: -0.5, temperature: 0.1}
axes:
  g: {ROLE: [0, 0.5]}
  d: {inner: [0, 0.3]}
"""


def test_a_point_that_is_not_possible_fails_alone(project):
    """Also where it is the first of the study, and where it has a block of its own."""
    for role in ("inner", "outer"):
        project.study(role).write_text(CUT.replace("ROLE", role))
    done = project.snakemake("inner", "outer")
    assert done.returncode == 0, done.stderr
    for role in ("inner", "outer"):
        assert re.search(
            rf"config/studies/{role}\.yaml:\d+: network = .*: a state near", done.stderr
        )
    assert "Traceback" not in done.stderr
    inner, outer = (
        read_dataset(project.folder / "results" / role / "data.nc") for role in ("inner", "outer")
    )
    assert (inner["status"].sel(g=0) > 0).all()
    assert (inner["status"].sel(g=0.5) == 0).all()
    assert inner["particle_current"].sel(g=0.5).notnull().all()
    for text in inner["message"].sel(g=0).values:
        assert text.startswith("not possible: network = ")
        assert "a state near energy 0.2 is coupled to no terminal" in text
        assert ".yaml" not in text
    assert outer.drop_attrs().equals(inner.drop_attrs())


FORMULAS = {
    "$(exp((V - 0.75)**0.5))": "-0.25 ** 0.5 is not a real number",
    "$(1/(V - 0.5))": "division by zero",
    "$(V*exp((1 - V)*5000))": "math range error",
    "$(V - 0.75)": "a number >= 0",
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_without_a_value_is_a_fault_of_its_points(project, formula):
    axis = "{inner: [0.5, 1.0], natural_units: t, long_name: disorder}"
    project.edit("config/studies/chain.yaml", "{inner: [0.5, 1.0]}", axis)
    project.edit("config/studies/chain.yaml", "half_width: $V", f"half_width: {formula}")
    done = project.nessflow_here("plan")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: config/studies/chain.yaml:12: axes.V.inner.0 = 0.5: expected")
    assert FORMULAS[formula] in line
    done = project.nessflow_here("point", "chain", "--set", "V=0.5")
    assert done.returncode == 2
    assert FORMULAS[formula] in done.stderr


def test_a_text_that_no_file_can_hold_is_refused(project):
    """It would be written into every block, and each would fail as if the disk were bad."""
    project.edit("config/studies/chain.yaml", "Small disordered chain", '"Small\\0chain"')
    done = project.nessflow_here("plan")
    assert done.returncode == 2
    assert "chain.yaml:1: title: expected text without control characters" in done.stderr
