"""What slow, bound and dark states hold, by their poles and vectors, against closed forms."""

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov
from scipy.special import expit

from attached import chain_at, wide_band_at
from lattices import ring
from nessflow.probes.exact import solve_probes
from nessflow.probes.problem import Probe
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.profiles import profiles
from nessflow.solvers.dark_states import dark_states
from nessflow.spectrum.bound_states import bound_states
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.system import OpenSystem


def open_system(h, leads, loss=None, gain=None):
    h = np.asarray(h, complex)
    empty = Tridiagonal.zero(len(h))
    rates = (empty if rate is None else rate for rate in (loss, gain))
    return OpenSystem(h, *rates, leads)


def check_ranges(found):
    assert found.converged
    for name in ("occupation", "bound_weight"):
        value, error, _ = getattr(found, name)
        assert np.all((value >= -error) & (value <= 1 + error)), name
        assert np.all(error < 0.5), name


@pytest.mark.parametrize("coupling", [0.0, 1e-12, 1e-9, 1e-7, 1e-6, 1e-5, 1e-3])
def test_a_site_that_is_switched_off(coupling):
    """Its occupation has a limit, which no quadrature finds; without coupling it is its own."""
    h = [[0, -1, 0], [-1, 0, coupling], [0, coupling, 0.3]]
    leads = [
        wide_band_at("left", 0, 1.0, 0.5, 0.1),
        wide_band_at("right", 1, 1.0, -0.5, 0.1),
        wide_band_at("p", 0, 0.2, 0.0, 0.1),
    ]
    system = solve_probes(open_system(h, leads), [Probe("p")]).system
    found = profiles(system)
    check_ranges(found)
    if coupling == 0:
        np.testing.assert_array_equal(found.bound_weight.value, [0, 0, 1])
        assert found.occupation.value[2] == 0
        return
    np.testing.assert_array_equal(found.bound_weight.value, 0)
    assert found.occupation.value[2] == pytest.approx(
        0.5344088, abs=5e-4 if coupling < 1e-9 else 5e-6
    )
    assert abs(found.occupation.value[2] - 0.5344088) <= found.occupation.error[2] + 2 * coupling**2
    np.testing.assert_allclose(found.occupation.value[:2], [0.4665763, 0.5213955], atol=1e-6)


@pytest.mark.parametrize("width", [1e-16, 1e-14, 1e-12, 1e-11, 1e-10, 1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("level", [0.0, 0.3])
@pytest.mark.parametrize("loss", [0.0, 0.5])
def test_a_level_that_everything_is_weakly_coupled_to(width, level, loss):
    """Points that stand for its pole, as the damping says where it is, are no states."""
    root = np.sqrt(width)
    leads = [
        chain_at("left", 0, 1.0, root, 0.0, 0.4, 0.1),
        chain_at("right", 0, 1.0, 2 * root, 0.0, -0.2, 0.2),
    ]
    system = open_system([[level]], leads, loss=Tridiagonal([loss * width]))
    found = profiles(system)
    check_ranges(found)
    # Rates of a level into bands that are wide: 2 sqrt(1 - (level/2)^2) of the squared coupling.
    into = width * np.array([1, 4]) * 2 * np.sqrt(1 - level**2 / 4)
    filled = expit([(0.4 - level) / 0.1, (-0.2 - level) / 0.2])
    expected = into @ filled / (into.sum() + 2 * loss * width)
    assert found.occupation.value[0] == pytest.approx(expected, abs=1e-4 + 10 * width)
    assert abs(found.occupation.value[0] - expected) <= found.occupation.error[0] + 10 * width


@pytest.mark.parametrize("hopping", [1e-13, 1e-10])
def test_a_chain_that_is_as_narrow_as_its_damping(hopping):
    h = hopping * (np.eye(4, k=1) + np.eye(4, k=-1))
    rates = Tridiagonal(np.full(4, hopping)), Tridiagonal(np.full(4, 2 * hopping))
    leads = [wide_band_at("left", 0, hopping, 0.5, 0.1), chain_at("far", 3, 1.0, 0.0, 0, 0.2, 0.1)]
    found = profiles(open_system(h, leads, *rates))
    check_ranges(found)
    # d<c_i^+ c_j>/dt = 0 of Markovian rates: the lead is flat, and full at this level.
    weight = np.zeros((4, 4))
    weight[0, 0] = hopping
    drift = -1j * h - np.eye(4) * 3 * hopping - weight / 2
    source = 4 * hopping * np.eye(4) + weight * expit(0.5 / 0.1)
    expected = np.diag(solve_continuous_lyapunov(drift, -source)).real
    # Rounding of levels, of the norm of 2, over their width.
    np.testing.assert_allclose(found.occupation.value, expected, atol=1e-7 + 1e-17 / hopping)
    assert np.all(abs(found.occupation.value - expected) <= found.occupation.error + 1e-9)


@pytest.mark.parametrize("temperature", [0.0, 0.1])
@pytest.mark.parametrize("detuning", [1e-5, 1e-7, 1e-9])
def test_a_dark_state_that_is_detuned(detuning, temperature):
    """It fills from both leads at the same rate: to one half where its level is a potential."""
    h = ring(4).toarray().real
    h[1, 1] = detuning
    for mu, held in ((0.3, 0.5 * (expit(3) + 0.0) if temperature else 0.5), (0.0, 0.25)):
        leads = [
            wide_band_at("a", 0, 1.0, mu, temperature),
            wide_band_at("b", 2, 1.0, -30.0, temperature),
        ]
        found = profiles(open_system(h, leads))
        check_ranges(found)
        np.testing.assert_array_equal(found.bound_weight.value, 0)
        # Sites 1 and 3 share it with an even state, which is as in the ring without detuning.
        even = profiles(open_system(ring(4).toarray(), leads))
        np.testing.assert_allclose(even.bound_weight.value, [0, 0.5, 0, 0.5], atol=1e-12)
        expected = even.occupation.value + held * np.array([0, 0.5, 0, 0.5])
        sure = found.occupation.error + even.occupation.error + 2 * detuning
        if mu or temperature:
            assert np.all(abs(found.occupation.value - expected) <= sure)


def test_two_slow_states_at_one_level():
    """Complex couplings: what fills a state is not what it decays into."""
    temperature, energy = 0.1, 0.3
    v = np.array([[0, 1.0], [1.0, -2j]])

    def system(g):
        h = np.zeros((4, 4), complex)
        h[0, 1] = h[1, 0] = -1
        h[:2, 2:] = g * v
        h[2:, :2] = g * v.conj().T
        h[2, 2] = h[3, 3] = energy
        leads = [
            wide_band_at("a", 0, 1.0, 0.5, temperature),
            wide_band_at("b", 1, 0.7, -0.4, temperature),
        ]
        return open_system(h, leads)

    # Equation of motion of the two alone, to second order in g.
    green = np.linalg.inv(np.array([[energy + 0.5j, 1], [1, energy + 0.35j]]))
    fill = np.diag([expit(2.0), 0.7 * expit(-7.0)])
    k = v.conj().T @ green @ v
    w = v.conj().T @ green @ fill @ green.conj().T @ v
    expected = np.diag(solve_continuous_lyapunov(-1j * k, -w)).real
    for g in (1e-6, 1e-7, 1e-9):
        found = profiles(system(g))
        check_ranges(found)
        off = abs(found.occupation.value[2:] - expected)
        assert np.all(off <= found.occupation.error[2:])
    assert np.all(abs(profiles(system(1e-6)).occupation.value[2:] - expected) < 0.01)


@pytest.mark.parametrize("strength", [0.5, -1.5, 3.0])
def test_impurity_in_a_wire(strength):
    """One bound state at ``sgn(U) sqrt(4 + U^2)`` of weight ``|U| / sqrt(4 + U^2)``."""
    leads = [chain_at(name, 0, 1.0, 1.0, 0.0, 0.3, 0.1) for name in "ab"]
    system, root = open_system([[strength]], leads), np.sqrt(4 + strength**2)
    bound = bound_states(system)
    np.testing.assert_allclose(bound.levels, np.sign(strength) * root, rtol=1e-13)
    found = profiles(system)
    check_ranges(found)
    assert found.bound_weight.value[0] == pytest.approx(abs(strength) / root, rel=1e-11)
    assert found.bound_weight.error[0] < 1e-11


def test_bound_in_the_continuum_of_others():
    """The odd state of two sites sees the lead between them only if that is on one of them."""
    h = np.zeros((3, 3))
    h[0, 1] = h[1, 0] = h[1, 2] = h[2, 1] = -1
    open_lead = wide_band_at("open", 1, 1.0, 0.2, 0.1)
    # Narrow bands far below, on the outer sites alike: the odd state is pushed, not damped.
    side = [chain_at(f"s{k}", k, 0.1, 0.4, -3.0, 0.2, 0.1) for k in (0, 2)]
    system = open_system(h, [open_lead, *side])
    assert dark_states(system).levels.size == 0
    bound = bound_states(system)
    assert bound.levels.size >= 1
    np.testing.assert_allclose(abs(bound.vectors[1]), 0, atol=1e-12)
    np.testing.assert_allclose(bound.vectors[0], -bound.vectors[2], atol=1e-12)
    found = profiles(system)
    check_ranges(found)
    assert found.bound_weight.error.max() < 1e-9
    assert 0.3 < found.bound_weight.value[0] < 0.5


def test_weight_of_dark_states_and_partial_loss():
    """As many as there are; loss on one site of a ring leaves those that vanish there."""
    leads = [wide_band_at(str(k), k, 1.0, 0.3, 0.1) for k in (0, 4)]
    h = ring(8).toarray()
    for loss, count in ((None, 3), (np.diag(0.1 * (np.arange(8) == 2)), 1)):
        found = profiles(open_system(h, leads, loss=loss))
        check_ranges(found)
        assert found.bound_weight.value.sum() == pytest.approx(count, rel=1e-12)
        assert found.bound_weight.error.max() < 1e-9


def test_equilibrium_is_known_however_slow():
    """One occupation of all terminals: rates do not matter, be they rounded to nothing."""
    h = np.diag([0.0, 0.1, 0.2, 0.35]).astype(complex)
    for j, hopping in enumerate((1e-4, 1e-5, 1e-6)):
        h[j, j + 1] = h[j + 1, j] = hopping
    leads = [wide_band_at(str(k), k, 1.0, 0.3, 0.1) for k in (0, 0)][:1]
    found = profiles(open_system(h, leads))
    check_ranges(found)
    assert found.occupation.value[3] == pytest.approx(expit(-0.5), abs=1e-8)


def test_correlations_of_slow_states():
    """All elements by the pole: as profiles, with a limit, and currents that go as its width."""
    limits = []
    for g in (1e-4, 1e-6, 1e-8):
        h = np.diag([0, 0.2, 0]).astype(complex)
        h[0, 1] = h[1, 0] = g
        h[1, 2], h[2, 1] = 2j * g, -2j * g
        leads = [
            chain_at("a", 0, 2.0, 1.0, 0.0, 0.5, 0.1),
            chain_at("b", 2, 2.0, 1.0, 0.0, -0.4, 0.2),
        ]
        system = open_system(h, leads)
        inside, found = profiles(system), correlation_matrix(system)
        assert found.converged
        occupation, wrong = np.diag(found.value).real, np.diag(found.error)
        assert np.all(abs(occupation - inside.occupation.value) <= wrong + inside.occupation.error)
        current = 2 * (np.diag(h, -1) * np.diag(found.value, -1)).imag
        np.testing.assert_allclose(current, inside.bond_current.value, rtol=1e-9)
        np.testing.assert_allclose(current[0], current[1], rtol=1e-9)
        limits.append((occupation[1], wrong[1], current[0] / g**2))
    for value, wrong, current in limits:
        assert abs(value - limits[-1][0]) <= wrong + limits[-1][1] + 1e-8
        assert current == pytest.approx(limits[0][2], rel=1e-6)


def test_interference_with_all_other_states():
    """Slow to first order in the detuning, the change of occupations is linear in it."""

    def found(detuning):
        h = ring(4).toarray().real
        h[1, 1] = detuning
        leads = [wide_band_at("a", 0, 1.0, 0.5, 0.1), wide_band_at("b", 2, 1.0, -0.4, 0.2)]
        return profiles(open_system(h, leads))

    resolved, slower, slow = found(3e-5), found(1e-5), found(1e-6)
    slope = (resolved.occupation.value - slower.occupation.value) / 2e-5
    expected = slower.occupation.value - 9e-6 * slope
    np.testing.assert_allclose(slow.occupation.value, expected, rtol=0, atol=2e-8)
    assert abs(slope[1]) > 0.1
    for result in (resolved, slower, slow):
        # Bonds 0-1, 0-3, 1-2, 2-3: what enters sites 1 and 3 leaves them.
        into_1, into_3, from_1, into_3_too = result.bond_current.value
        error = result.bond_current.error.sum()
        assert abs(into_1 - from_1) <= error
        assert abs(into_3 + into_3_too) <= error
        assert abs(into_1 - into_3) > error
