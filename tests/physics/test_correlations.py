"""Steady correlation matrices: quantum jumps, finite leads, conservation, bound states."""

import numpy as np
import pytest
from brute_force import FiniteLeads
from hypothesis import given, settings
from hypothesis import strategies as st

from attached import chain_at, wide_band_at
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.currents import steady_currents
from nessflow.systems.matrices import as_dense
from nessflow.systems.system import OpenSystem
from systems import random_system


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.sets(st.integers(0, 1)))
def test_infinite_bias_obeys_the_rate_equation(seed, sites, full):
    """``X C' - C' X^+ = i (injection)`` for ``C'_ji = <c_i^+ c_j>``, all rates constant."""
    mu = [1e14 if k in full else -1e14 for k in range(2)]
    system = random_system(seed, sites, "dense", mu=mu, temperature=1.0)
    found = correlation_matrix(system)
    x, injected = system.damping_matrix(), 2 * as_dense(system.gain).astype(complex)
    for k, lead in enumerate(system.leads):
        x[lead.site, lead.site] -= 0.5j * lead.model.broadening
        injected[lead.site, lead.site] += lead.model.broadening if k in full else 0.0
    density = found.value.T
    residual = -1j * (x @ density - density @ x.conj().T) + injected
    assert found.converged
    assert abs(residual).max() < 1e-9
    # The tails of a Fermi step at 1e9 are not exactly full.
    assert np.all(np.linalg.eigvalsh(found.value) > -1e-8)
    assert np.all(np.linalg.eigvalsh(found.value) < 1 + 1e-8)


def chain_leads(coupling=0.6, temperatures=(0.4, 0.3), mu=(0.6, -0.4)):
    return [
        chain_at(name, site, 1.0, coupling, 0.2, mu[k], temperatures[k])
        for k, (name, site) in enumerate((("left", 0), ("right", 2)))
    ]


def three_sites(**options):
    h = np.array([[0.1, -0.5, 0.2j], [-0.5, -0.3, -0.4], [-0.2j, -0.4, 0.2]])
    zero = np.zeros((3, 3))
    return OpenSystem(h, zero, zero, chain_leads(**options))


def test_finite_leads_reach_it():
    system = three_sites()
    found = correlation_matrix(system)
    finite = FiniteLeads(system, 150)
    u = finite.evolution(140.0)
    # initial[m, n] = <c_m^+ c_n> is real here; c(t) = U c.
    reached = (u.conj() @ finite.initial @ u.T)[:3, :3]
    assert abs(found.value - reached).max() < 2e-4  # relaxed as t^-3/2
    assert found.error.max() < 1e-9


def test_continuity_at_the_contact():
    """The current from the lead leaves the contact site over the bonds."""
    system = three_sites()
    found, currents = correlation_matrix(system), steady_currents(system)
    h = as_dense(system.hamiltonian)
    out = -2 * np.imag(h * found.value)  # i <[h_ij c_i^+ c_j + h.c., n_i]>, from i to j
    for site, a in ((0, 0), (2, 1)):
        assert abs(out[site].sum() - currents.particle_current.value[a]) < 1e-11
    assert abs(out[1].sum()) < 1e-11


def test_full_leads_fill_everything():
    system = three_sites(mu=(60.0, 60.0))
    found = correlation_matrix(system)
    assert abs(found.value - np.eye(3)).max() < 1e-10
    assert abs(found.value - np.eye(3)).max() <= found.error.max()


def test_equilibrium_does_not_depend_on_where_the_coupling_is():
    """One lead and two leads at the same occupation give the same diagonal limit."""
    strong = three_sites(mu=(0.3, 0.3), temperatures=(0.2, 0.2), coupling=0.05)
    found = correlation_matrix(strong)
    h = as_dense(strong.hamiltonian)
    levels, modes = np.linalg.eigh(h)
    gibbs = (modes.conj() / (1 + np.exp((levels - 0.3) / 0.2))) @ modes.T
    assert abs(found.value - gibbs).max() < 5e-3  # of order coupling^2


def lossy(system, rate):
    return OpenSystem(
        system.hamiltonian, rate * np.eye(system.sites), np.zeros((system.sites,) * 2), system.leads
    )


@pytest.mark.parametrize(("energy", "side"), [(2.6, "above"), (-2.6, "below")])
def test_a_bound_state_is_named(energy, side):
    system = three_sites()
    h = as_dense(system.hamiltonian) + energy * np.eye(3)
    zero = np.zeros((3, 3))
    bound = OpenSystem(h, zero, zero, system.leads)
    with pytest.raises(ValueError, match=f"bound state {side} the leads' bands"):
        correlation_matrix(bound)
    correlation_matrix(lossy(bound, 0.1))


def test_a_state_without_coupling_is_named():
    h, zero = np.diag([0.0, 0.3]), np.zeros((2, 2))
    system = OpenSystem(h, zero, zero, [wide_band_at("only", 0, 1.0, 0.0, 0.1)])
    with pytest.raises(ValueError, match=r"near energy 0\.3 is coupled to no terminal"):
        correlation_matrix(system)


@pytest.mark.parametrize("coupling", [0.3, 0.9])
def test_the_norm_is_missing_exactly_where_a_bound_state_is(coupling):
    """int A dw/2pi = 1 without bound states: brute quadrature against the criterion."""
    from nessflow.solvers.dense import green
    from nessflow.spectrum.bound_states import levels_outside

    for level in (1.2, 1.4, 1.55, 1.7, 1.85, 1.97):
        zero = np.zeros((1, 1))
        lead = chain_at("only", 0, 1.0, coupling, 0.0, 0.0, 0.1)
        system = OpenSystem(np.array([[level]]), zero, zero, [lead])
        q = (np.arange(40_000) + 0.5) * np.pi / 40_000
        energies = 2 * np.cos(q)
        spectrum = np.concatenate([-2 * g[:, 0, 0].imag for _, g in green(system, energies)])
        norm = np.sum(spectrum * 2 * np.sin(q)) * np.pi / q.size / (2 * np.pi)
        bound = levels_outside(system, 2.0, above=True).size
        assert (norm < 1 - 1e-3) == bool(bound), (level, norm)
