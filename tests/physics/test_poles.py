"""Poles of chains by their determinants: against eigenvalues, sum rules, and found once each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from attached import chain_at, wide_band_at
from lattices import bond_rates, chain, onsite_rates, ssh_chain
from nessflow.solvers import poles as solver
from nessflow.solvers.dark_states import bright_damping_matrix, dark_states, hamiltonian_norm
from nessflow.solvers.poles import steps_to_poles, tridiagonal_poles
from nessflow.spectrum import mesh
from nessflow.spectrum.mesh import energy_scale, resonances
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.modes import regular_self_energy
from nessflow.systems.system import OpenSystem
from systems import as_sparse_system, wide

NOT_KNOWN = 1e-13
"""Rounding errors of eigenvalues, relative to the norm."""


def open_chain(hamiltonian, leads, loss=0.0, gain=0.0):
    sites = hamiltonian.shape[0]
    rates = (onsite_rates(np.broadcast_to(x, sites)) for x in (loss, gain))
    return OpenSystem(hamiltonian, *rates, leads)


def assert_same(found, exact, norm):
    """One of each for one of the other, to 2 % of the half width or to rounding."""
    assert found.size == exact.size
    distance = abs(found[:, None] - exact)
    mine, yours = linear_sum_assignment(distance)
    allowed = np.maximum(0.02 * abs(exact[yours].imag), NOT_KNOWN * norm)
    assert np.all(distance[mine, yours] <= allowed)


def eigenvalues(system):
    matrix = bright_damping_matrix(system)
    matrix[system.coupling.elements] += regular_self_energy(system)[:, 0]
    return np.linalg.eigvals(matrix)


def check(system):
    assert_same(resonances(system), eigenvalues(system), energy_scale(system))


def drawn_chain(seed, sites):
    """A chain with some of: strong disorder, bonds that are cut or weak, loss, gain, any leads."""
    rng = np.random.default_rng(seed)
    hopping = rng.choice([1.0, 0.3, 1e-3, 1e-9, 0.0], sites - 1, p=[0.6, 0.2, 0.1, 0.05, 0.05])
    hopping = hopping * np.exp(2j * np.pi * rng.random(sites - 1))
    width = rng.choice([0.0, 0.5, 2.0, 50.0])
    damped = 10.0 ** rng.uniform(-6, 1, (2, sites)) * (
        rng.random((2, sites)) < rng.choice([0, 0.2])
    )
    at = rng.choice([[0, sites - 1], rng.integers(sites, size=2).tolist()])
    broadening = 10.0 ** rng.uniform(-8, 1.5, 2)
    leads = [wide_band_at(f"{a}", int(at[a]), broadening[a], 0.0, 0.1) for a in range(2)]
    return open_chain(chain(sites, hopping, rng.uniform(-width, width, sites)), leads, *damped)


@pytest.fixture
def without_eigenvalues(monkeypatch):
    def fail(*_):
        raise AssertionError("eigenvalues of a dense matrix")

    monkeypatch.setattr(np.linalg, "eigvals", fail)
    monkeypatch.setattr(np.linalg, "eig", fail)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_poles_are_eigenvalues(seed, sites):
    check(drawn_chain(seed, sites))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 60))
def test_poles_with_loss_and_gain_on_bonds_are_eigenvalues(seed, sites):
    """Of the symmetric matrix: those of one with a skin effect are not known to any digit."""
    rng = np.random.default_rng(seed)
    hopping = 10.0 ** rng.uniform(-1, 0, sites - 1) * np.exp(2j * np.pi * rng.random(sites - 1))
    rates = [bond_rates(sites, rng.uniform(0, 0.3), rng.uniform(0, 6), gain=x) for x in (0, 1)]
    system = OpenSystem(chain(sites, hopping, rng.normal(size=sites)), *rates, wide(sites))
    damping = system.damping_matrix()
    damping[system.coupling.elements] += regular_self_energy(system)[:, 0]
    beside = np.sqrt(np.diag(damping, 1) * np.diag(damping, -1))
    symmetric = np.diag(np.diag(damping)) + np.diag(beside, 1) + np.diag(beside, -1)
    assert_same(resonances(system), np.linalg.eigvals(symmetric), energy_scale(system))


@pytest.mark.parametrize("sites", [2, 3, 5, 20])
def test_exceptional_points(sites):
    """Rates that alternate by 2: all levels within the hopping meet."""
    rates = np.where(np.arange(sites) % 2, 1.0, 3.0)
    system = open_chain(chain(sites, 1.0, 0.0), [], rates)
    check(system)
    if sites == 2:
        assert resonances(system) == pytest.approx([-2j, -2j], abs=0.02)


def test_levels_of_both_ends_that_nothing_tells_apart():
    """States at the ends of an SSH chain: their splitting is far below rounding."""
    system = open_chain(ssh_chain(120, 0.3, 1.0), wide(120, broadening=(0.8, 0.8)))
    at_the_ends = [x for x in resonances(system) if abs(x.real) < 0.01 and x.imag < -0.2]
    assert len(at_the_ends) == 2
    check(system)


@pytest.mark.parametrize("half_width", [0.5, 3.0])
def test_mirrored_wells(half_width):
    """Pairs of levels, split by less than their widths or by less than rounding."""
    well = np.random.default_rng(1).uniform(-half_width, half_width, 50)
    system = open_chain(chain(100, 1.0, np.append(well, well[::-1])), wide(100, broadening=(1, 1)))
    check(system)


def test_pieces_are_chains_of_their_own():
    """Identical ones have each pole once more."""
    hopping = np.tile([1.0, 0.5, 0.0], 4)[:-1]
    leads = [wide_band_at(f"{k}", 3 * k, 0.7, 0.0, 0.1) for k in range(4)]
    system = open_chain(chain(12, hopping, 0.3), leads)
    one = resonances(open_chain(chain(3, [1.0, 0.5], 0.3), leads[:1]))
    assert_same(resonances(system), np.tile(one, 4), 1.0)


def test_strong_loss_cuts_a_site_off():
    """Zeno: one level decays by all of the rate, a state of the others by 2 / rate."""
    system = open_chain(chain(3, 1.0, 0.0), wide(3, broadening=(0, 0)), [0.0, 500.0, 0.0])
    slow, fast = np.sort(abs(resonances(system).imag))[[0, 2]]
    assert fast == pytest.approx(500, rel=0.01)
    assert slow == pytest.approx(2 / 500, rel=0.02)
    check(open_chain(chain(40, 1.0, 0.0), wide(40), 500.0 * (np.arange(40) % 7 == 3)))


def test_dark_states_have_no_pole():
    system = open_chain(chain(41, 1.0, 0.0), [wide_band_at("middle", 20, 1.0, 0.0, 0.1)])
    dark = dark_states(system).levels
    assert dark.size == 20
    found = resonances(system)
    assert abs(found - (dark[:, None] - 1j * hamiltonian_norm(system))).min(axis=1).max() < 1e-12
    check(system)


@pytest.mark.parametrize("half_width", [0.0, 0.5, 5.0])
def test_sums_over_the_poles_of_a_long_chain_are_traces(half_width, without_eigenvalues):
    sites = 3100
    onsite = np.random.default_rng(0).uniform(-half_width, half_width, sites)
    system = open_chain(chain(sites, 0.8, onsite), wide(sites), 0.3 * (np.arange(sites) == 1000))
    found = resonances(system)
    diagonal = onsite - 1j * system.loss.diagonal
    diagonal[[0, -1]] -= 0.5j * np.array([1.1, 0.7])
    wrong = 0.01 * abs(found.imag).sum()
    assert found.size == sites
    assert abs(found.sum() - diagonal.sum()) < wrong
    squares = (diagonal**2).sum() + 2 * (sites - 1) * 0.8**2
    assert abs((found**2).sum() - squares) < 2 * abs(found).max() * wrong
    assert found.imag.max() < 1e-13


def test_a_pole_that_is_found_twice_is_noticed():
    rng = np.random.default_rng(3)
    chain_of_30 = (
        rng.uniform(-1, 1, 30) - 0.5j * (np.arange(30) % 29 == 0),
        np.ones(29),
        np.ones(29),
    )
    found = tridiagonal_poles(*chain_of_30)
    alike = *chain_of_30, np.empty(0, int), np.empty((0, 30), complex)
    everyone = np.arange(30)
    assert np.all(steps_to_poles(found, everyone, *alike)[1] < 0.01 * abs(found.imag))
    for lost, again in ((4, 5), (5, 4), (20, 3)):
        wrong = found.copy()
        wrong[lost] = found[again] + 1e-3 * found[again].imag
        corrections = steps_to_poles(wrong, everyone, *alike)[1]
        assert corrections[[lost, again]].max() > 0.3 * abs(found[lost] - found[again])


def test_a_search_that_has_not_ended_is_noticed(monkeypatch):
    onsite = np.random.default_rng(2).uniform(-1, 1, 20) - 0.5j * (np.arange(20) % 19 == 0)
    monkeypatch.setattr(solver, "_refine", solver._refine.py_func)
    monkeypatch.setattr(solver, "_ATTEMPTS", 1)
    for steps, is_enough in ((1, False), (60, True)):
        monkeypatch.setattr(solver, "_STEPS", steps)
        assert (tridiagonal_poles(onsite, np.ones(19), np.ones(19)) is not None) == is_enough


def test_chains_whose_poles_are_not_sure_take_eigenvalues(monkeypatch):
    system = drawn_chain(5, 30)
    monkeypatch.setattr(solver, "tridiagonal_poles", lambda *_: None)
    assert np.array_equal(np.sort(resonances(system)), np.sort(eigenvalues(system)))
    monkeypatch.setattr(mesh, "_LARGEST", 20)
    with pytest.raises(ValueError, match="a chain of 30 sites were not found to within their wid"):
        resonances(system)


def narrow(poles, edges):
    """Those with nothing beside them within their widths."""
    poles = poles[np.argsort(poles.real)]
    gaps = np.diff(poles.real, prepend=-np.inf, append=np.inf)
    alone = abs(poles.imag) < 0.1 * np.minimum(gaps[1:], gaps[:-1])
    far = abs(poles.real[:, None] - edges).min(axis=1) > 2 * abs(poles.imag)
    return poles[alone & far]


@pytest.mark.parametrize("at", [(0, 79), (12, 60)])
@pytest.mark.parametrize("seed", range(4))
def test_leads_with_bands_have_the_resonances_of_any_geometry(seed, at):
    """Both solve ``det(z - X - Sigma(Re z)) = 0``, the sparse system by perturbation theory."""
    rng = np.random.default_rng(seed)
    leads = [
        chain_at("left", at[0], 1.0, rng.uniform(0.2, 0.8), 0.1, 0.0, 0.1),
        chain_at("right", at[1], 1.3, rng.uniform(0.2, 0.8), -0.1, 0.0, 0.1),
    ]
    onsite = rng.uniform(-1, 1, 80)
    system = open_chain(chain(80, 1.0, onsite), leads, 1e-3 * (np.arange(80) == 30))
    found, others = resonances(system), resonances(as_sparse_system(system))
    edges = np.array([edge for lead in leads for edge in lead.model.edges])
    expected = narrow(others, edges)
    assert expected.size > 20
    distance = abs(expected[:, None] - found).min(axis=1)
    assert np.all(distance <= np.maximum(0.03 * abs(expected.imag), 1e-12))


def test_no_size_of_the_unit_is_too_large():
    small, large = (
        open_chain(chain(9, unit, 0.0), wide(9, broadening=(unit, unit))) for unit in (1.0, 1e200)
    )
    assert_same(resonances(large) / 1e200, resonances(small), 1.0)


def test_bits_do_not_depend_on_what_was_computed_before():
    onsite = np.random.default_rng(6).uniform(-1, 1, 64)

    def of(hamiltonian, **rates):
        return resonances(open_chain(hamiltonian, wide(64), **rates))

    first = of(chain(64, 1.0, onsite))
    of(chain(64, 1.0 + 0.1 * onsite[1:], onsite), loss=0.01 * (onsite > 0))
    assert np.array_equal(first, of(chain(64, 1.0, onsite)))


@pytest.mark.parametrize("hamiltonian", [Tridiagonal([0.3]), Tridiagonal([0.0])])
def test_one_site(hamiltonian):
    system = open_chain(hamiltonian, [wide_band_at("only", 0, 0.8, 0.0, 0.1)])
    assert resonances(system) == pytest.approx([hamiltonian.diagonal[0] - 0.4j], abs=1e-15)
