"""Densities beside band edges of high order, such as those of the edge states of zigzag ribbons."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit

import nessflow as nf
from nessflow.scattering.profiles import undamped_weight
from nessflow.scattering.sites.integrals import local_integrals
from nessflow.spectrum.bound_states import bound_states
from nessflow.studies.systems import open_system
from nessflow.systems.leads.subbands import subbands
from nessflow.systems.matrices import as_dense


def ribbon_leads(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Cell and hopping of the lead beside a zigzag ribbon."""
    system = ribbon(1, width)
    cell, hopping, _ = system.joints[0].lead.matrices
    return cell, hopping


def ribbon(length, width, vacant=(), mu=0.3, temperature=0.05, bias=0.0, onsite=0.0):
    lattice = nf.lattices.Honeycomb(length=length, width=width, onsite=onsite)
    more = {"disorder": nf.disorder.Vacancies(concentration=1, sites=vacant)} if vacant else {}
    leads = {
        side: nf.leads.Continued(chemical_potential=mu + sign * bias / 2, temperature=temperature)
        for side, sign in (("left", 1), ("right", -1))
    }
    return open_system(nf.System(lattice=lattice, leads=leads, **more), None)


def surface(z: complex, cell: np.ndarray, hopping: np.ndarray) -> np.ndarray:
    """Green's function of the first cell of a lead, by decimation off the real line."""
    end, inner, forth, back = cell, cell, hopping, hopping.conj().T
    one = np.eye(len(cell))
    for _ in range(60):
        green = np.linalg.inv(z * one - inner)
        end = end + forth @ green @ back
        inner = inner + forth @ green @ back + back @ green @ forth
        forth, back = forth @ green @ forth, back @ green @ back
    return np.linalg.inv(z * one - end)


def green_diagonal(system, z: complex) -> np.ndarray:
    inverse = z * np.eye(system.sites) - as_dense(system.hamiltonian)
    for joint in system.joints:
        cell, hopping, coupling = joint.lead.matrices
        sigma = coupling @ surface(z, cell, hopping) @ coupling.conj().T
        inverse[np.ix_(joint.sites, joint.sites)] -= sigma
    return np.diag(np.linalg.inv(inverse))


def density_off_the_line(system, mu: float, temperature: float) -> np.ndarray:
    """Occupations from the imaginary axis: no energy is real, so no edge is met.

    The Fermi function as a continued fraction (T. Ozaki, Phys. Rev. B 75, 035123 (2007)); at
    temperature 0 the integral over the axis.
    """
    if temperature == 0:
        x, weights = np.polynomial.legendre.leggauss(24)
        ends = np.concatenate([[0.0], 2.0 ** np.arange(-6, 7)])
        total = np.zeros(system.sites)
        for low, high in pairwise(ends):
            for y, weight in zip(0.5 * (low + high + (high - low) * x), weights, strict=True):
                total += 0.5 * (high - low) * weight * green_diagonal(system, mu + 1j * y).real
        for u, weight in zip(0.5 * (1 + x) / ends[-1], weights, strict=True):  # y = 1/u
            share = 0.5 * weight / ends[-1] / u**2
            total += share * green_diagonal(system, mu + 1j / u).real
        return 0.5 + total / np.pi
    count = 160
    k = np.arange(1, count)
    values, vectors = np.linalg.eigh(
        np.diag(0.5 / np.sqrt(4.0 * k**2 - 1), 1) + np.diag(0.5 / np.sqrt(4.0 * k**2 - 1), -1)
    )
    upper = values > 0
    poles = 1 / values[upper]
    residues = abs(vectors[0, upper]) ** 2 * poles**2 / 4
    total = np.zeros(system.sites)
    for pole, residue in zip(poles, residues, strict=True):
        total += residue * green_diagonal(system, mu + 1j * pole * temperature).real
    return 0.5 + 2 * temperature * total


@pytest.mark.parametrize("width", [2, 3, 4, 7, 12])
def test_the_band_of_edge_states_is_as_flat_as_the_ribbon_is_wide(width):
    edges, _, orders = subbands(*ribbon_leads(width))
    middle = int(np.argmin(np.abs(edges)))
    assert orders[middle] == width
    assert abs(edges[middle]) < 1e-15
    assert {*orders[:middle], *orders[middle + 1 :]} == {2}


def test_a_band_without_curvature_has_an_edge_of_order_four():
    """-2 cos k + cos(2 k) / 2 about k = 0, two sites to a cell."""
    edges, _, orders = subbands(np.array([[0, -1], [-1, 0]]), np.array([[0.25, 0.0], [-1.0, 0.25]]))
    np.testing.assert_allclose(edges, (-1.5, 2.5), atol=1e-12)
    assert orders == (4, 2)


@pytest.mark.parametrize(
    ("length", "width", "vacant", "mu", "temperature"),
    [
        (2, 3, (), 0.3, 0.05),
        (3, 3, (7,), -0.1, 0.02),
        (2, 4, (), 0.2, 0.0),
        (4, 5, (20,), 0.3, 0.05),
    ],
)
def test_densities_of_ribbons_are_those_of_the_imaginary_axis(
    length, width, vacant, mu, temperature
):
    system = ribbon(length, width, vacant, mu, temperature)
    found = local_integrals(system, ("filled", "empty"))
    filled, weight = found.parts["filled"], undamped_weight(system, found)
    expected = density_off_the_line(system, mu, temperature)
    expected[list(system.removed)] = 0.0
    assert found.converged
    assert (abs(filled.value - expected) <= filled.error + 1e-12).all()
    # Most of it is what states bound to ordinary edges could hold, of which nothing is seen.
    assert filled.error.max() < 3e-8
    assert weight.value.max() < 1e-9
    assert found.unknown.max() < 1e-9


@pytest.mark.parametrize("level", [0.3, 1e-2, 1e-3, 1e-4, 1e-5, -1e-3, -1e-5])
def test_states_that_a_weak_level_binds_to_ordinary_edges_are_in_the_error(level):
    """They hold about the square of the level in energy, less than a window is wide."""
    levels = [0.0] * ribbon(2, 3).sites
    levels[len(levels) // 2] = level
    system = ribbon(2, 3, onsite=tuple(levels))
    found, bound = local_integrals(system, ("filled", "empty")), bound_states(system)
    weights, filled = abs(bound.vectors) ** 2, found.parts["filled"]
    value = filled.value + weights @ expit(-(bound.levels - 0.3) / 0.05)
    error = filled.error + weights @ bound.errors + 1e-12
    assert (abs(value - density_off_the_line(system, 0.3, 0.05)) <= error).all()
    assert found.converged == (filled.error.max() < 1e-6)


@pytest.mark.parametrize(("temperature", "bias"), [(0.0, 0.0), (0.05, 0.2)])
def test_a_ribbon_at_its_flat_edge_is_half_filled(temperature, bias):
    """Both sublattices are alike, so that states below the edge are as those above it."""
    system = ribbon(2, 4, mu=0.0, temperature=temperature, bias=bias)
    found = local_integrals(system, ("filled", "empty"))
    filled = found.parts["filled"]
    assert found.converged
    assert (abs(filled.value - 0.5) <= filled.error).all()
    assert filled.error.max() < 1e-7


def test_a_density_that_is_not_resolved_has_not_converged(monkeypatch):
    """Without windows rounding beside the edges stands for what a panel does not resolve."""
    monkeypatch.setattr("nessflow.scattering.sites.integrals.edge_windows", lambda *_: [])
    found = local_integrals(ribbon(2, 3), ("filled", "empty"))
    assert found.parts["filled"].error.max() > 1e-6
    assert not found.converged


@pytest.mark.parametrize("hopping", [1e-1, 1e-3, 1e-4, 1e-5])
@pytest.mark.parametrize("level", [2.0, 2 - 1e-9, -2.0, -2 + 1e-8, -2 + 1e-6])
def test_a_state_at_an_ordinary_edge_is_that_between_leads_whose_edges_are_known(level, hopping):
    """A chain in cells of two sites, whose edges are computed, with a site hung at their energy."""
    role = {"chemical_potential": 0.1, "temperature": 0.05}
    h = np.zeros((5, 5))
    for first, second, value in ((0, 1, -1), (1, 2, -1), (2, 3, -1), (1, 4, hopping)):
        h[first, second] = h[second, first] = value
    h[4, 4] = level
    cell, back, on = ((0, -1), (-1, 0)), ((0, -1), (0, 0)), ((0, 0), (-1, 0))
    cells = {
        "left": nf.leads.UnitCell(cell=cell, hopping=back, site=(1, 2), **role),
        "right": nf.leads.UnitCell(cell=cell, hopping=on, site=(3, 4), **role),
    }
    chains = {
        name: nf.leads.SemiInfiniteChain(site=site, **role)
        for name, site in (("left", 1), ("right", 4))
    }
    found, expected = (nf.solve(nf.System(h, leads=leads), "density") for leads in (cells, chains))
    error = found["occupation_error"] + expected["occupation_error"]
    assert (abs(found["occupation"] - expected["occupation"]) <= error).all()
    assert float(found["occupation_error"].max()) < 1e-7
