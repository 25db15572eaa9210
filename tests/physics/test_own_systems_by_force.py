"""Random systems of a user: every number that is stored is that of dense matrices, to its error."""

import numpy as np
import pytest

import nessflow as nf
from by_force import Dense, Terminal


def complex_numbers(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def hermitian(rng, n, size=1.0):
    a = complex_numbers(rng, n, n)
    return size * (a + a.conj().T) / 2


def of_low_rank(rng, n):
    """Hopping from a cell to the next one that leaves part of the cell out."""
    rank = max(1, n // 2)
    return complex_numbers(rng, n, rank) @ complex_numbers(rng, rank, n) / np.sqrt(n)


def listed(matrix):
    return [[complex(x) for x in row] for row in np.atleast_2d(matrix)]


def random_lattice(rng):
    """Lattice as in a study file, and its Hamiltonian."""
    if rng.random() < 0.5:
        n = int(rng.integers(4, 9))
        h = hermitian(rng, n) * np.sqrt(3 / n)
        h[np.triu_indices(n, 3)] = 0
        h[np.tril_indices(n, -3)] = 0
        return {"kind": "matrix", "hamiltonian": listed(h)}, h
    length, width, orbitals = int(rng.integers(2, 4)), int(rng.integers(1, 3)), 2
    flux, energies = rng.uniform(-2, 2), rng.normal(size=length * width) * 0.5
    across, along = complex_numbers(rng, 2, 2, 2) * 0.5
    field = hermitian(rng, 2, 0.3)
    lattice = {"kind": "square", "length": length, "width": width, "flux": flux}
    lattice |= {"orbitals": orbitals, "hopping": {"x": listed(along), "y": listed(across)}}
    lattice["onsite"] = [listed(field + e * np.eye(2)) for e in energies]
    h = np.kron(np.diag(energies), np.eye(2)) + np.kron(np.eye(length * width), field)
    for x in range(length):
        for y in range(width):
            here = slice(2 * (x * width + y), 2 * (x * width + y) + 2)
            for ahead, hop in (
                (x * width + y + 1 if y + 1 < width else None, -across),
                (
                    (x + 1) * width + y if x + 1 < length else None,
                    -along * np.exp(1j * flux * (y + 1)),
                ),
            ):
                if ahead is not None:
                    there = slice(2 * ahead, 2 * ahead + 2)
                    h[here, there] = hop
                    h[there, here] = hop.conj().T
    return lattice, h


def random_lead(rng, n, orbitals, filling):
    """Lead as in a study file, and as matrices; in sites of several orbitals it takes all."""
    mu, t = filling
    keys = {"chemical_potential": mu, "temperature": t}
    sites = n // orbitals
    kind = rng.choice(["unit-cell", "wide-band", "strip", "chain"], p=[0.45, 0.2, 0.2, 0.15])
    if kind == "strip" and orbitals > 1:
        kind = "unit-cell"
    m = int(rng.integers(1, min(3, sites) + 1)) if orbitals == 1 else 1
    place = rng.choice(sites, m, replace=False)
    rows = tuple(int(s * orbitals + o) for s in place for o in range(orbitals))
    site = [int(s) + 1 for s in place]
    size = len(rows)
    if kind == "unit-cell":
        inner = size + int(rng.integers(0, 2))
        cell, hopping = hermitian(rng, inner), of_low_rank(rng, inner)
        coupling = complex_numbers(rng, size, inner) * 0.5
        lead = {"kind": "unit-cell", "cell": listed(cell), "hopping": listed(hopping)}
        lead |= {"coupling": listed(coupling), "site": site}
        return lead | keys, Terminal(rows, mu, t, cell, hopping, coupling)
    if kind == "wide-band":
        broadening = rng.uniform(0.2, 1.5)
        if orbitals == 1 and rng.random() < 0.5:
            v = complex_numbers(rng, size)
            lead = {"kind": kind, "broadening": broadening}
            lead["site"] = {s: complex(x) for s, x in zip(site, v, strict=True)}
            return lead | keys, Terminal(rows, mu, t, broadening=broadening * np.outer(v, v.conj()))
        lead = {"kind": kind, "broadening": broadening, "site": site}
        return lead | keys, Terminal(rows, mu, t, broadening=broadening * np.eye(size))
    hopping, coupling, onsite = rng.uniform(0.6, 1.6), rng.uniform(0.3, 1.2), rng.normal() * 0.3
    lead = {"hopping": hopping, "coupling": coupling, "onsite": onsite, "site": site}
    cell = onsite * np.eye(size)
    if kind == "strip":
        cell = cell - hopping * (np.eye(size, k=1) + np.eye(size, k=-1))
    lead["kind"] = f"semi-infinite-{kind}"
    matrices = cell, -hopping * np.eye(size), -coupling * np.eye(size)
    return lead | keys, Terminal(rows, mu, t, *(x.astype(complex) for x in matrices))


def random_channels(rng, lattice, n, orbitals):
    """Loss or gain on all sites and between some, with complex amplitudes; the amplitudes."""
    amplitudes = np.zeros((n + n // 2, n), complex)
    amplitudes[:n] = np.diag(rng.uniform(0.05, 0.3, n))
    for row in amplitudes[n:]:
        at = rng.choice(n, 2, replace=False)
        row[at] = 0.3 * complex_numbers(rng, 2)
    return amplitudes


def random_system(seed):
    rng = np.random.default_rng(seed)
    lattice, h = random_lattice(rng)
    orbitals, n = lattice.get("orbitals", 1), len(h)
    leads, terminals = {}, []
    for name in ("left", "right", "third", "fourth")[: int(rng.integers(2, 5))]:
        t = 0.0 if rng.random() < 0.2 else rng.uniform(0.03, 0.5)
        filling = float(rng.normal() * 0.7), float(t)
        leads[name], terminal = random_lead(rng, n, orbitals, filling)
        terminals.append(terminal)
    system, rates = {"lattice": lattice, "leads": leads}, []
    for name in ("loss", "gain"):
        if rng.random() < 0.25:
            rates.append(np.zeros((n, n)))
            continue
        if orbitals > 1:
            per_site, orbital = rng.uniform(0.02, 0.2), int(rng.integers(1, orbitals + 1))
            system[name] = {"kind": "onsite", "rate": per_site, "orbital": orbital}
            rates.append(np.diag(per_site * (np.arange(n) % orbitals == orbital - 1)))
            continue
        amplitudes = random_channels(rng, lattice, n, orbitals)
        vectors = [{int(j) + 1: complex(row[j]) for j in np.flatnonzero(row)} for row in amplitudes]
        system[name] = {"kind": "vectors", "vectors": vectors}
        p = amplitudes.conj().T @ amplitudes
        rates.append(p if name == "loss" else p.T)
    return system, Dense(h.astype(complex), *rates, tuple(terminals))


KEYS = "chemical_potential", "temperature"
RESOLVED = 2e-11
"""What dense matrices and their integrals are good for."""
OBSERVABLES = ["currents", "noise", "terminal-noise", "entropy-production", "scattering-entropy"]


SEEDS = [2, 3, 19, 21, 22, 31, 38, 39]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_number_is_that_of_dense_matrices(seed):
    system, dense = random_system(seed)
    found, leads = nf.solve(nf.System(**system), OBSERVABLES), list(system["leads"])
    assert found.attrs["status"] == "ok", found.attrs["message"]
    expected, _ = dense.integrated()
    mu, t = (np.array([lead[x] for lead in system["leads"].values()]) for x in KEYS)
    first = len(leads)
    energy, current = expected["energy_current"], expected["particle_current"][:first]
    expected["heat_current"] = energy - mu * current
    if (t > 0).all():
        expected["lead_entropy_production"] = -(expected["heat_current"] / t).sum()
    expected["terminal_noise"] = expected["particle_noise"]
    expected["particle_noise"] = expected["particle_noise"][:first, :first]
    compared = 0
    for name, number in expected.items():
        value, error = found[name].values, found[f"{name}_error"].values
        if name.endswith("_current") and name != "particle_current":
            value, error = value[:first], error[:first]
        same = np.isfinite(value) & np.isfinite(number)
        off = abs(value - number)[same] - error[same]
        assert (off <= RESOLVED).all(), f"{name}: {value} instead of {number}, error {error}"
        compared += same.sum()
    assert compared >= first + 2 + first**2
