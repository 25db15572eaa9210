"""Paper nonreciprocal-gain-loss, section III: closed forms of a wire beside the solved probes."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lattices import onsite_rates
from nessflow.classical import lattice
from nessflow.classical.lattice import MoverLattice
from nessflow.probes import wire_formulas
from nessflow.probes.linear import linear_probes
from nessflow.probes.third_order import third_order_probes
from nessflow.probes.wire_formulas import wire_of
from nessflow.scattering.profiles import profiles
from nessflow.solvers.pairwise import pair_transmission
from probed_wires import BIAS, OPEN, nonreciprocal_current, wire

# --- probes on every site -----------------------------------------------------------------


def test_potentials_of_a_long_wire():
    """(19) departs at the ends, where the wave is reflected, and holds in the middle."""
    sites, current = 60, 0.3 * OPEN
    solved = linear_probes(*wire(sites, 0.5, 1.0, current))
    at = np.argsort([int(name) for name in solved.terminals[2:]])
    found = solved.chemical_potential.value[2:][at]
    law = wire_formulas.drude_potential(sites, 0.5, 1.0, BIAS, current)
    error = abs(found - law) / BIAS
    assert error.max() < 0.05
    assert error[20:-20].max() < 2e-3


@pytest.mark.parametrize("gamma", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("mean", [-1.0, 0.3, 1.4])
def test_drude_formulas_of_long_wires(gamma, mean):
    """(21): what is left falls faster than the conductance itself."""
    current, errors = 0.01, []
    for sites in (100, 400):
        found = linear_probes(*wire(sites, gamma, mean, 0.0)).particle_current.value[0] / BIAS
        law = wire_formulas.drude_conductance(sites, gamma, mean)
        errors.append(abs(law / found - 1))
        part = nonreciprocal_current(linear_probes, sites, gamma, mean, current) / current
        law = wire_formulas.drude_nonreciprocal_current(sites, gamma, mean, current) / current
        errors.append(abs(law - part))
    assert errors[0] < 0.02
    assert errors[1] < 0.02
    assert errors[2] < 0.4 * errors[0]
    assert errors[3] < 0.4 * errors[1]


def test_weak_coupling_of_long_wires():
    """Text below (21): l_c = 2 / gamma^2 and sigma = l_c / 2 pi."""
    for gamma in (0.05, 0.1):
        length = wire_formulas.scattering_length(gamma, 0.7)
        sigma = wire_formulas.conductivity(gamma, 0.7)
        assert length == pytest.approx(2 / gamma**2, rel=2 * gamma**2)
        assert sigma == pytest.approx(length / (2 * np.pi), rel=2 * gamma**2)


@pytest.mark.parametrize("sites", [4, 30])
def test_movers_of_the_same_scattering_length(sites):
    """(8) with p = 1 - 1/l_c beside the solved lattice."""
    length, current = wire_formulas.scattering_length(0.5, 1.0), 0.02
    hopping, injection = np.ones(sites), np.zeros(sites)
    hopping[1:-1] = 1 - 1 / length
    injection[1:-1:2], injection[2:-1:2] = current, -current
    ends = [
        lattice.steady_state(MoverLattice(hopping, injection, *densities)).particle_current.value[0]
        for densities in ((1.1, 1.0), (1.0, 1.1))
    ]
    law = wire_formulas.mover_nonreciprocal_current(sites, length, current)
    assert law == pytest.approx(-sum(ends), rel=1e-11)


# --- one source, one drain ----------------------------------------------------------------


def printed_xi(sites, gamma, mean):
    """(22) as it stands in the paper."""
    k = np.arccos(mean / 2)
    a = mean / 2 + 1j * np.sqrt(1 - mean**2 / 4)
    c = (mean - gamma**2 * (mean - 1j * np.sqrt(4 - mean**2)) / 2) / 2
    amplitude = (2 * a * c - 1) * np.sin((sites - 3) * k) - a * np.sin((sites - 4) * k)
    return abs(amplitude) ** 2 / np.sin(k) ** 2


@given(st.integers(4, 40), st.floats(0.05, 1.5), st.floats(-1.9, 1.9))
@settings(max_examples=40, deadline=None)
def test_one_source_and_one_drain(sites, gamma, mean):
    law = wire_formulas.one_dimer_nonreciprocal_current(sites, gamma, mean, 1.0)
    xi = printed_xi(sites, gamma, mean)
    assert law == pytest.approx(2 * (xi - 1) / (1 + 2 * gamma**2 + xi), abs=1e-9)
    places = {"sources": [2], "drains": [sites - 1]}
    found = nonreciprocal_current(linear_probes, sites, gamma, mean, 1e-3, **places) / 1e-3
    assert found == pytest.approx(law, abs=1e-9)


def test_wave_number_of_the_paper_and_of_the_wire():
    """Energy -2 cos q of the wire gives q = pi - k_F: whole half wavelengths are those of k_F."""
    for mean in (0.3, 1.0, 1.7):
        k = wire_formulas.fermi_wave_number(mean)
        assert -2 * np.cos(np.pi - k) == pytest.approx(mean, rel=1e-14)
        laws = [
            wire_formulas.one_dimer_nonreciprocal_current(9, 0.5, sign * mean, 1.0)
            for sign in (1, -1)
        ]
        assert laws[0] == pytest.approx(laws[1], rel=1e-12)


# --- third order --------------------------------------------------------------------------


def test_equations_of_the_third_order():
    """(B35), (B36) at all real solutions, with transmissions differentiated numerically."""
    mean, current, h = 1.2, 0.5 * OPEN, 1e-3
    system, probes = wire(4, 0.5, mean, current)
    energies = mean + h * np.arange(-2, 3)
    t = pair_transmission(system, energies)
    first = (t[0] - 8 * t[1] + 8 * t[3] - t[4]) / (12 * h)
    second = (-t[0] + 16 * t[1] - 30 * t[2] + 16 * t[3] - t[4]) / (12 * h * h)
    left, right, source, drain = range(4)

    def v_and_w(t):
        return t[drain, left] + t[drain, source] + t[drain, right], t[drain, source]

    def xi(place, sign):
        sums = [
            x[place, left] + y * x[place, right] for x, y in zip(orders, (-1, 1, -1), strict=True)
        ]
        parts = BIAS / 2 * sums[0] + BIAS**2 / 8 * sums[1] + BIAS**3 / 48 * sums[2]
        return sign * 2 * np.pi * current + parts

    orders = t[2], first, second
    (v, w), (v1, w1), (v2, w2) = (v_and_w(x) for x in orders)
    found = third_order_probes(system, probes)
    for x, y in found.roots - mean:
        for a, b, place, sign in ((x, y, source, 1), (y, x, drain, -1)):
            value = v2 / 6 * a**3 - w2 / 6 * b**3 + v1 / 2 * a**2 - w1 / 2 * b**2 + v * a - w * b
            assert value == pytest.approx(xi(place, sign), abs=1e-7)


# --- misprints ----------------------------------------------------------------------------


def test_density_of_states_belongs_under_the_integral():
    """E23: in (B50) gamma^2 rho(w) stands before the integral over w."""
    gamma, mean = 0.5, 1.5
    solved = linear_probes(*wire(4, gamma, mean, 0.5 * OPEN, bias=0.4)).system
    at, mu = [lead.site for lead in solved.leads], [x.chemical_potential for x in solved.leads]
    rule, weights = np.polynomial.legendre.leggauss(40)
    inside = outside = 0.0
    for other in (0, 1, 3):
        half = (mu[other] - mu[2]) / 2
        energies = (mu[other] + mu[2]) / 2 + half * rule
        t = pair_transmission(solved, energies)[:, 2, other]
        local = gamma**2 * np.sqrt(4 - energies**2)
        # |G_ll'|^2 with the density of the other terminal is T over that of the own one.
        inside += half * weights @ (t / local) / (2 * np.pi)
        outside += half * weights @ (t / local**2) / (2 * np.pi)
    outside *= gamma**2 * np.sqrt(4 - mean**2)
    found = profiles(solved).local_deviation.value[2]
    assert at[2] == 1
    assert found == pytest.approx(inside, rel=1e-9)
    assert abs(outside / found - 1) > 1e-3


def test_green_function_has_the_determinant_with_its_phase():
    """E23: (C5) has |det Z|; (C9) is right."""
    sites, gamma, mean = 7, 0.5, 0.8
    a = mean / 2 + 0.5j * np.sqrt(4 - mean**2)
    diagonal = np.full(sites, mean, complex)
    diagonal[[0, -1]] = a
    diagonal[[1, -2]] -= gamma**2 * (mean - 1j * np.sqrt(4 - mean**2)) / 2
    z = np.diag(diagonal) + np.eye(sites, k=1) + np.eye(sites, k=-1)
    corner = np.linalg.inv(z)[-1, 0]
    assert corner == pytest.approx((-1) ** (sites + 1) / np.linalg.det(z), rel=1e-13)
    assert abs(corner - (-1) ** (sites + 1) / abs(np.linalg.det(z))) > 0.1 * abs(corner)


# --- where the closed forms do not apply --------------------------------------------------


def lossy(system):
    return dataclasses.replace(system, loss=onsite_rates(np.full(system.sites, 0.1)))


REFUSED = {
    "no loss and no gain": lambda s, p: (lossy(s), p),
    "coupled to its ends by hopping 1": lambda s, p: (wire(4, 0.5, 1.0, 0.01, ends=0.8)[0], p),
    "cold chains": lambda s, p: (wire(4, 0.5, 1.0, 0.01, kT=0.1)[0], p),
    "left and right alone": lambda s, p: (s, p[:1]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_closed_forms_are_for_the_uniform_wire(message):
    with pytest.raises(ValueError, match=message):
        wire_of(*REFUSED[message](*wire(4, 0.5, 1.0, 0.01)))


def test_what_the_closed_forms_need():
    found = wire_of(*wire(6, 0.5, 1.0, 0.01))
    assert (found.sites, found.coupling, found.energy) == (6, 0.5, 1.0)
    assert (found.bias, found.source) == (pytest.approx(BIAS), 0.01)
    assert (found.every_site, found.one_dimer) == (True, False)
    sparse = wire_of(*wire(6, 0.5, 1.0, 0.01, sources=[2], drains=[5]))
    assert (sparse.every_site, sparse.one_dimer) == (False, True)
