"""A study whose system Kwant builds, run by the workflow: transmissions and noise by amplitudes."""

import kwant
import numpy as np
import pytest

from conftest import copy_project
from nessflow.store.store import read_dataset

BUILD = """\
import kwant
import numpy as np


def build(width, **params):
    lattice = kwant.lattice.square(norbs=1)

    def along(first, second, flux):
        return -np.exp(-0.5j * flux * (first.pos[1] + second.pos[1]))

    def filled(builder, sites):
        builder[sites] = lambda site, height: height * (site.pos[0] == 2) * (site.pos[1] > 0)
        builder[lattice.neighbors()] = -1.0
        return builder

    builder = filled(kwant.Builder(), [lattice(x, y) for x in range(5) for y in range(width)])
    builder[kwant.HoppingKind((1, 0), lattice)] = along
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lattice(0, y) for y in range(width))] = 0.0
    lead[lattice.neighbors()] = -1.0
    lead[kwant.HoppingKind((1, 0), lattice)] = along
    arm = kwant.Builder(kwant.TranslationalSymmetry((0, 1)))
    arm[(lattice(x, 0) for x in (1, 2))] = 0.1
    arm[lattice.neighbors()] = -1.0
    for each in (lead, lead.reversed(), arm):
        builder.attach_lead(each)
    return builder.finalized()
"""
STUDY = """\
title: A junction that Kwant builds
study: transmission
system:
  lattice:
    kind: python
    function: "parts/junction.py:build"
    parameters: {width: $W, flux: $phi, height: $U}
  leads:
    lead0: {kind: continued, chemical_potential: 3, temperature: 0}
    lead1: {kind: continued, chemical_potential: -3, temperature: 0}
    lead2: {kind: continued, chemical_potential: $mu, temperature: 0}
energies: [-1.7, -0.8, 0.35]
observables:
  - transmission-eigenvalues: {energies: [-1.7, -0.8, 0.35]}
axes:
  W: {outer: [2, 4], natural_units: "1", long_name: width}
  phi: {inner: [0, 0.4], natural_units: rad, long_name: flux}
  U: {inner: [0, 1.5], natural_units: t, long_name: height}
  mu: {inner: [-3, 3]}
"""
CLOSE = {"rtol": 0, "atol": 1e-9}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("kwant") / "project", {"junction": STUDY})
    (project.folder / "parts").mkdir()
    (project.folder / "parts" / "junction.py").write_text(BUILD)
    done = project.snakemake("junction", cores=1)
    assert done.returncode == 0, done.stderr
    found = read_dataset(project.folder / "results" / "junction" / "data.nc")
    assert (found["status"] == 0).all()
    return found


def scattered(width, flux, height, energy):
    names = {}
    exec(BUILD, names)
    params = {"flux": flux, "height": height}
    return kwant.smatrix(names["build"](width), energy, params=params)


def channels(matrix, a):
    """Which channels of a scattering matrix are those of lead a."""
    block = np.zeros(len(matrix.data))
    block[matrix.block_coords(a, a)[0]] = 1
    return np.diag(block)


def test_transmissions_are_those_of_kwant(data):
    for point in data["transmission"].stack(point=("W", "phi", "U", "mu", "energy")).T:
        at = {name: float(point[name]) for name in ("W", "phi", "U", "energy")}
        matrix = scattered(int(at["W"]), at["phi"], at["U"], at["energy"])
        for a in range(3):
            for b in {0, 1, 2} - {a}:
                here = {"terminal": f"lead{a}", "terminal_2": f"lead{b}"}
                expected = matrix.transmission(a, b)
                np.testing.assert_allclose(point.sel(here), expected, **CLOSE)
    assert data["transmission"].max() > 1.5


def test_noise_is_that_of_kwants_amplitudes(data):
    """``S_ab = Tr[n A_a (1 - n) A_b]/2 pi``, ``A_a = 1_a - s^+ 1_a s``, of Buttiker."""
    for point in data["spectral_particle_noise"].stack(at=("W", "phi", "U", "mu", "energy")).T:
        at = {name: float(point[name]) for name in ("W", "phi", "U", "mu", "energy")}
        matrix = scattered(int(at["W"]), at["phi"], at["U"], at["energy"])
        s, own = matrix.data, [channels(matrix, a) for a in range(3)]
        n = own[0] + own[2] * (at["mu"] > 0)
        flows = [one - s.conj().T @ one @ s for one in own]
        for a in range(3):
            for b in range(3):
                expected = np.trace(n @ flows[a] @ (np.eye(len(n)) - n) @ flows[b]).real
                found = point.sel(lead=f"lead{a}", lead_2=f"lead{b}") * 2 * np.pi
                np.testing.assert_allclose(found, expected, **CLOSE)
    assert data["spectral_particle_noise"].max() > 0.02


def test_modes_are_those_of_kwants_amplitudes(data):
    for point in data["fano_factor"].stack(at=("W", "phi", "U", "mu", "energy")).T:
        at = {name: float(point[name]) for name in ("W", "phi", "U", "energy")}
        matrix = scattered(int(at["W"]), at["phi"], at["U"], at["energy"])
        t = np.linalg.svd(matrix.submatrix(1, 0), compute_uv=False) ** 2
        found = point.sel(lead="lead1", lead_2="lead0")
        np.testing.assert_allclose(found, (t * (1 - t)).sum() / t.sum(), **CLOSE)
