"""A project whose systems stand in files and in functions of its own."""

import atexit
import shutil
import tempfile
from pathlib import Path

import numpy as np
import scipy.io
import scipy.sparse

GRAPHENE = {
    (0, 0, 0): [[0, -1], [-1, 0]],
    (1, 0, 0): [[0, 0], [-1, 0]],
    (0, 1, 0): [[0, 0], [-1, 0]],
}
"""Honeycomb lattice: A and B of a cell, B and A of the next one along both lattice vectors."""
WIRE = {
    (0, 0, 0): [[0.3, -0.7 + 0.1j], [-0.7 - 0.1j, -0.2]],
    (1, 0, 0): [[-0.5, 0.2j], [-0.1, 0.4]],
    (2, 0, 0): [[0.1, 0], [0, 0.05]],
}
"""Two orbitals, hoppings to the second next cell, complex."""
DEGENERACIES = (3, 2, 1, 2, 3)


def both_ways(blocks):
    """The hoppings along R and along -R."""
    found = {vector: np.array(block, complex) for vector, block in blocks.items()}
    opposite = {tuple(-x for x in vector): b.conj().T for vector, b in found.items()}
    return dict(sorted((opposite | found).items()))


def hr_dat(blocks, degeneracies=None):
    """The text of a file of Wannier90."""
    blocks = both_ways(blocks)
    degeneracies = degeneracies or [1] * len(blocks)
    size = len(next(iter(blocks.values())))
    lines = [" written by a test", f"{size:12d}", f"{len(blocks):12d}"]
    numbers = [f"{x:5d}" for x in degeneracies]
    lines += ["".join(numbers[k : k + 15]) for k in range(0, len(numbers), 15)]
    for (vector, block), degeneracy in zip(blocks.items(), degeneracies, strict=True):
        for j in range(size):
            for i in range(size):
                x = block[i, j] * degeneracy
                place = "".join(f"{n:5d}" for n in (*vector, i + 1, j + 1))
                lines.append(f"{place}{x.real:12.6f}{x.imag:12.6f}")
    return "\n".join(lines) + "\n"


def strip_with_flux():
    """Six columns of four rows with a flux of 0.4 in each plaquette, and energies of the sites."""
    site = np.arange(24).reshape(6, 4)
    h = np.diag(0.7 * np.sin(1.3 * np.arange(1, 25) ** 2)).astype(complex)
    h[site[1:], site[:-1]] = -np.exp(-0.4j * np.arange(1, 5))
    h[site[:, 1:], site[:, :-1]] = -1
    return np.tril(h) + np.tril(h, -1).conj().T


def losses():
    """Loss of three sites in a row, and of the bonds between them."""
    p = np.zeros((24, 24), complex)
    p[[5, 9, 13], [5, 9, 13]] = 0.05, 0.1, 0.15
    p[[9, 13], [5, 9]] = 0.05j
    p[[5, 9], [9, 13]] = -0.05j
    return p


MODEL = """\
import numpy as np
from .helpers import HOPPING


def chain(sites, energy=0.0):
    h = energy * np.eye(sites)
    return h - HOPPING * (np.eye(sites, k=1) + np.eye(sites, k=-1))


def described(sites, energy=0.0):
    lead = {"cell": [[0.0]], "hopping": [[-1.0]]}
    return {
        "hamiltonian": chain(sites, energy),
        "leads": {"left": lead | {"orbitals": [0]}, "right": lead | {"orbitals": [sites - 1]}},
        "loss": 0.02 * np.eye(sites),
        "gain": np.diag([0.0, 0.03, *[0.0] * (sites - 2)]),
    }


def failing(sites):
    return 1 / (sites - 5)


def whole(sites, energy=0):
    h = np.diag([energy] * sites)
    h[0, 1] = h[1, 0] = -0.5
    return h


def wrong(sites):
    return {"hamiltonian": chain(sites) + 1j * np.eye(sites)}
"""


STUDY = """\
title: What a system of one's own may say
study: steady-current
system:
  lattice: LATTICE
  regions: {near: {where: x < 3}, far: {start: 1, stop: 2}, both: [1, 2]}
  loss: LOSS
  leads:
    left: LEFT
    right: {kind: wide-band, broadening: $(2 * q), chemical_potential: $U, temperature: 1, site: 2}
axes:
  q: {inner: [0.5, 2 * pi], natural_units: t, long_name: energy}
  U: {outer: {linspace: [0, pi / 2, 3]}}
"""
WIDE = "{kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.1, site: 1}"
CHAIN = "{kind: chain, sites: 4, onsite: $(q * site)}"
LOSSES = [
    "{kind: sites, sites: near, rate: $(0.1 * site)}",
    "{kind: sites, sites: {where: x > 2}, rate: 0.1}",
    "{kind: sites, sites: {start: 1, stop: 3, step: 2}, rate: 0.1}",
    "{kind: sites, rates: {1: 0.1, 2: $q}}",
    "{kind: vectors, vectors: [{1: 0.3, 2: 0.2j}, {3: $q}]}",
    "{kind: bond, rate: $q, bonds: [[1, 2], [2, 3]]}",
]
LATTICES = [
    "{kind: chain, sites: 4, onsite: [0, 1, $q, 2]}",
    "{kind: chain, sites: 4, orbitals: 2, onsite: {file: data/lead.npz, name: cell}}",
    "{kind: chain, sites: 4, hopping: exp(1j * x)}",
    "{kind: chain, sites: 4, hopping: 1+2i}",
    "{kind: chain, sites: 4, orbitals: 2, onsite: [[0, 1j], [-1j, $q]], hopping: [[1, 0], [0, 1]]}",
    "{kind: matrix, hamiltonian: {file: data/lead.npz, name: cell}}",
    "{kind: matrix, hamiltonian: [[0, 1+2i], [[1, -2], $q]]}",
    "{kind: file, path: data/strip.npz}",
    "{kind: file, path: data/wire_hr.dat, cut: {cells: 3}}",
    "{kind: square, length: 3, width: 2, hopping: {x: 1, y: $(1 + x)}}",
    "{kind: square, shape: [{kind: disc, radius: 2}, {kind: rectangle, length: 3, width: 2}]}",
    '{kind: python, function: "parts/my_model.py:described", parameters: {sites: 4, energy: $q}}',
]
LEADS = [
    "{kind: continued, chemical_potential: 0, temperature: 0.1}",
    "{kind: unit-cell, cell: {file: data/lead.npz}, hopping: {file: data/lead.npz}, "
    "site: [1, 2], chemical_potential: 0, temperature: 0.1}",
    "{kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.1, "
    "site: {1: 1, 2: 1j}}",
    "{kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.1, "
    "site: {start: 1, stop: 3}}",
]


def studies():
    """Studies of systems of a user's own in all forms that they may have, in this project."""
    return [
        *(_study(loss=each) for each in LOSSES),
        *(_study(lattice=each) for each in LATTICES),
        *(_study(lead=each) for each in LEADS),
    ]


def _study(lattice=CHAIN, loss=LOSSES[0], lead=WIDE):
    return STUDY.replace("LATTICE", lattice).replace("LOSS", loss).replace("LEFT", lead)


def write(root):
    """Write the project into a folder."""
    for name in ("config/studies", "data", "parts"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "config" / "config.yaml").write_text("studies: all\n")
    (root / "parts" / "my_model.py").write_text(MODEL)
    (root / "parts" / "helpers.py").write_text("HOPPING = 1.0\n")
    data = root / "data"
    (data / "graphene_hr.dat").write_text(hr_dat(GRAPHENE))
    (data / "wire_hr.dat").write_text(hr_dat(WIRE, DEGENERACIES))
    h = scipy.sparse.csr_array(strip_with_flux())
    scipy.sparse.save_npz(data / "strip.npz", h)
    np.savez(data / "strip_arrays.npz", hamiltonian=h.toarray(), loss=losses())
    np.savez(data / "lead.npz", cell=np.diag([0.2, -0.2]), hopping=[[-1, 0.3], [-0.3, -1]])
    for name, matrix in (("strip", h), ("loss", scipy.sparse.csr_array(losses()))):
        scipy.io.mmwrite(data / f"{name}.mtx", matrix, symmetry="hermitian", precision=17)
    return root


def temporary():
    """Return the folder of a project that lasts as long as the process."""
    root = Path(tempfile.mkdtemp(prefix="nessflow-own-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return write(root)
