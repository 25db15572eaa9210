"""Integrals without poles: the phase of the determinant finds every resonance, however narrow."""

from itertools import combinations_with_replacement

import numpy as np
import pytest

from attached import wide_band_at
from lattices import chain, strip
from nessflow.scattering.currents import currents_observable, transmission
from nessflow.scattering.noise import noise_observable
from nessflow.solvers.poles import determinant_phases
from nessflow.spectrum import mesh
from nessflow.spectrum.rates import integrate_observables
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.system import OpenSystem


def between(hamiltonian, left, right, potentials=(0.3, 0.1), temperature=0.0, rate=0.0, width=1.0):
    """Return a system with leads on single sites, of two chemical potentials."""
    sites = hamiltonian.shape[0]
    leads = [
        wide_band_at(f"{side} {site}", site, width, mu, temperature)
        for side, mu, ends in zip(("l", "r"), potentials, (left, right), strict=True)
        for site in ends
    ]
    loss = Tridiagonal(np.full(sites, rate), np.zeros(sites - 1))
    return OpenSystem(hamiltonian, loss, Tridiagonal.zero(sites), leads)


def across(length, width, seed=0, disorder=0.5, **others):
    """Return a disordered strip with leads on all sites of both ends."""
    onsite = np.random.default_rng(seed).uniform(-disorder, disorder, length * width)
    ends = range(width), range((length - 1) * width, length * width)
    return between(strip(length, width, 1.0, onsite), *ends, **others)


def levels(system, energies):
    """Return the eigenvalues of ``w - X - Sigma``, (E, N)."""
    whole = system.damping_matrix()
    found = []
    for energy in energies:
        matrix = energy * np.eye(system.sites) - whole
        matrix[system.coupling.elements] -= system.contact_self_energy(np.array([energy]))[0]
        found.append(np.linalg.eigvals(matrix))
    return np.array(found)


@pytest.mark.parametrize("rate", [0.0, 0.05])
def test_the_phase_is_that_of_all_levels(rate):
    """Each eigenvalue is above the real line: their arguments, between 0 and pi, add up."""
    system, energies = across(12, 3, rate=rate), np.linspace(-4.1, 4.3, 13)
    expected = np.angle(levels(system, energies)).sum(axis=1)
    assert determinant_phases(system, energies) == pytest.approx(expected, abs=1e-10)
    far = determinant_phases(system, np.array([-1e9, 1e9]))
    assert far == pytest.approx([36 * np.pi, 0.0], abs=1e-6)


@pytest.mark.parametrize("beside", [0.0, 1e-13, -1e-9, 1e-8, -1e-7, 1e-6])
def test_the_phase_next_to_a_level_of_a_part_has_its_digits(beside):
    """Sites without a potential alone, as most parts of a bipartite lattice, have the level 0."""
    system, energies = across(12, 3, disorder=0.0), np.array([beside])
    expected = np.angle(levels(system, energies)).sum(axis=1)
    assert determinant_phases(system, energies) == pytest.approx(expected, abs=1e-3)


def test_panels_about_a_level_of_parts_are_no_more_than_about_others():
    """From -0.3 to 0.3, so that the level 0 is one of their energies."""
    points, narrow = mesh._resolved(across(30, 4, disorder=0.0), -0.3, 0.3)
    others, _ = mesh._resolved(across(30, 4, disorder=0.0), -0.5, -0.1)
    assert narrow == 0
    assert points.size < 4 * others.size


def test_narrow_steps_do_not_hide_each_other():
    """Of up to 8 anywhere in a panel, narrow against what is between its energies."""
    sampled, checks = np.sort(mesh._SAMPLED), mesh._checks()
    of_gap = [checks @ (np.pi * (below >= mesh._SAMPLED)) for below in sampled[:-1]]
    for count in range(1, 9):
        places = np.array(list(combinations_with_replacement(of_gap, count)))
        left = abs(places.sum(axis=1)).max(axis=1)
        assert left.min() > 3 * mesh._TOLERANCE


def test_a_state_that_no_terminal_reaches_is_no_step():
    """The odd states of a ladder with both legs coupled alike at one site each: none in the way."""
    system = between(chain(5, 1.0, 0.0), [2], [])  # three states have no weight in the middle
    energies = np.array([-2.5, -1.2, -0.5, 0.5, 1.2, 2.5])
    seen = determinant_phases(system, energies)
    assert np.ptp(seen) < 3 * np.pi
    assert (np.diff(seen) < 0).all()


def without_poles(monkeypatch, system):
    """Return currents and noise by eigenvalues, and by phases."""
    observables = [currents_observable(system), noise_observable(system)]
    known = integrate_observables(system, observables)
    monkeypatch.setattr(mesh, "_LARGEST", 2)
    assert mesh.are_poles_too_many(system)
    return known, integrate_observables(system, observables)


SYSTEMS = {
    "cold": lambda: across(30, 4),
    "about a level of parts": lambda: across(30, 4, disorder=0.0, potentials=(0.3, -0.1)),
    "warm": lambda: across(30, 4, temperature=0.05),
    "a little loss": lambda: across(30, 4, temperature=0.02, rate=1e-4),
    "narrow": lambda: between(
        strip(6, 3, 1.0, np.linspace(-0.5, 0.6, 18)), [0], [17], (2.0, -2.0), 0.0, 0.0, 1e-7
    ),
    # Two strips that do not know of each other: every level is there twice.
    "in pairs": lambda: between(
        np.kron(np.eye(2), strip(5, 2, 1.0, np.linspace(-0.5, 0.6, 10)).toarray()),
        [0, 10], [9, 19], (2.0, -2.0), 0.0, 0.0, 1e-6,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SYSTEMS)
def test_integrals_are_those_with_known_poles(name, monkeypatch):
    for known, found in zip(*without_poles(monkeypatch, SYSTEMS[name]()), strict=True):
        assert known.converged
        assert found.converged
        for quantity in ("particle_current", "energy_current", "particle_noise"):
            if hasattr(known, quantity):
                (a, wrong), (b, error) = (getattr(x, quantity)[:2] for x in (known, found))
                defined = np.isfinite(a)  # energies are no current where loss takes them
                assert (abs(a - b) <= wrong + error)[defined].all()
                assert (abs(a - b)[defined] <= 1e-6 * abs(b[defined]).max(initial=0.0)).all()


def test_a_strip_of_4000_sites_carries_what_landauer_says():
    """Beyond the sites whose eigenvalues are found: Gauss's rule with the transmissions alone."""
    system = across(400, 10, disorder=0.15, potentials=(0.12, 0.1))
    found = integrate_observables(system, [currents_observable(system)])[0]
    assert found.converged
    nodes, weights = np.polynomial.legendre.leggauss(16)
    energies = 0.101 + 0.002 * np.arange(10)[:, None] + 0.001 * nodes
    through = transmission(system, energies.ravel())[:10, 10:20].sum(axis=(0, 1))
    through = (through.reshape(10, 16) @ weights).sum() * 0.001 / (2 * np.pi)
    left = found.particle_current.value[:10].sum()
    assert left == pytest.approx(through, rel=1e-8)
    assert found.particle_current.value.sum() == pytest.approx(0.0, abs=1e-10)
