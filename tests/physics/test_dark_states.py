"""States that no terminal reaches: their number, and that nothing a terminal sees knows of them.

A ring with leads at opposite sites is, for its leads, the chain of its even states: what every
solver and every observable is compared with, at the levels of the odd ones.
"""

import numpy as np
import pytest
import scipy.sparse

from attached import chain_at, wide_band_at
from lattices import chain as any_chain
from lattices import onsite_rates, ring, star, strip
from nessflow.estimate import Estimate
from nessflow.probes.exact import solve_probes
from nessflow.probes.linear import linear_probes
from nessflow.probes.problem import NoSolution, Probe
from nessflow.probes.third_order import third_order_probes
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.counting import lead_cumulants
from nessflow.scattering.currents import disorder_susceptibility, transmission
from nessflow.scattering.entropy import scattering_entropy_production
from nessflow.scattering.evolution import evolve
from nessflow.scattering.linear_response import linear_response
from nessflow.scattering.noise import currents_and_noise
from nessflow.scattering.profiles import profiles
from nessflow.solvers import banded as sparse
from nessflow.solvers import dense
from nessflow.solvers.dark_states import _by_inverse_iteration, dark_states, unreached_sites
from nessflow.solvers.pairwise import Source, pair_transmission, site_sums
from nessflow.solvers.solver import contact_response
from nessflow.spectrum.bound_states import bound_states, require_decay, require_no_bound_state
from nessflow.systems.matrices import Tridiagonal, as_dense
from nessflow.systems.system import OpenSystem


def chain(sites, hopping=1.0, onsite=0.0):
    return any_chain(sites, hopping, onsite)


INTEGERS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


def open_system(h, sites, loss=None, gain=None, mu=(0.5, -0.5), temperature=0.1, broadening=1.0):
    leads = [
        wide_band_at(str(k), site, broadening, mu[k % 2], temperature)
        for k, site in enumerate(sites)
    ]
    empty = Tridiagonal.zero(h.shape[0])
    rates = (empty if rate is None else rate for rate in (loss, gain))
    return OpenSystem(h, *rates, leads)


def folded_ring(sites):
    """Chain of the states of a ring that are even about the axis through opposite leads."""
    hopping = np.ones(sites // 2)
    hopping[[0, -1]] = np.sqrt(2)
    if sites == 4:
        hopping[:] = np.sqrt(2)
    return chain(sites // 2 + 1, hopping)


def rings(sites, **keys):
    folded = open_system(folded_ring(sites), (0, sites // 2), **keys)
    return open_system(ring(sites), (0, sites // 2), **keys), folded


# --- their number -----------------------------------------------------------------------------


def weighted(sites, row):
    """Loss on some sites."""
    return scipy.sparse.diags_array(np.isin(np.arange(sites), row) * 0.1)


@pytest.mark.parametrize(
    ("h", "leads", "loss", "expected"),
    [
        (ring(8), (0, 4), (), 3),
        (ring(8), (0, 3), (), 0),
        (ring(8), (0, 4), (2,), 1),
        (ring(200), (0, 100), (), 99),
        (ring(8, np.exp(0.3j)), (0, 4), (), 0),
        (strip(5, 3), (1, 13), (), 5),
        (strip(6, 6), (0, 35), (), 17),
        (strip(20, 9), (4, 175), (), 80),
        (strip(20, 9), tuple(range(9)), (), 0),
        (star(4, 1), (1, 2), (), 1),
        (star(3, 5), (5, 10), (15,), 0),
        (chain(9), (4,), (), 4),
        (chain(9), (3,), (), 1),
        (chain(9), (3, 4), (), 0),
        (chain(6, [1, 0, 1, 1, 1]), (0,), (), 4),
        (scipy.sparse.diags_array(np.zeros(5)), (1,), (3,), 3),
        (chain(4), (), (), 4),
    ],
)
def test_number(h, leads, loss, expected):
    system = open_system(h, leads, loss=weighted(h.shape[0], loss) if loss else None)
    dark = dark_states(system)
    assert dark.levels.size == expected
    matrix = as_dense(system.hamiltonian)
    assert abs(matrix @ dark.vectors - dark.vectors * dark.levels).max(initial=0) < 1e-12
    assert abs(dark.vectors[[*leads, *loss]]).max(initial=0) == 0
    overlaps = dark.vectors.conj().T @ dark.vectors
    np.testing.assert_allclose(overlaps, np.eye(expected), atol=1e-13)


def test_what_is_left_decays():
    """Without its dark states nothing of a strip with partial loss is undamped."""
    h = as_dense(open_system(strip(6, 6), ()).hamiltonian)
    system = open_system(h, (0, 35), loss=weighted(36, (7,)).toarray())
    sigma = np.zeros(36)
    sigma[[0, 35]], sigma[7] = 0.5, 0.1
    poles = np.linalg.eigvals(h - 1j * np.diag(sigma))
    undamped = poles.imag > -1e-12
    assert 0 < undamped.sum() == dark_states(system).levels.size
    np.testing.assert_allclose(np.sort(poles.real[undamped]), dark_states(system).levels, atol=1e-9)


@pytest.mark.parametrize("gap", [1e-3, 1e-8, 1e-10])
def test_hidden_in_a_basis_and_beside_bright_levels(gap):
    """Ten dark states in a random basis, their levels close to those of bright states."""
    rng = np.random.default_rng(3)
    contacts = np.eye(30)[:, :3]
    basis, _ = np.linalg.qr(np.concatenate([contacts, rng.normal(size=(30, 27))], axis=1))
    bright = rng.normal(size=(20, 20))
    bright = bright + bright.T
    levels = np.linalg.eigvalsh(bright)[:10] + gap
    h = np.zeros((30, 30))
    h[:20, :20], h[20:, 20:] = bright, np.diag(levels)
    h = basis @ h @ basis.T
    dark = dark_states(open_system(0.5 * (h + h.T), (0, 1, 2)))
    np.testing.assert_allclose(dark.levels, levels, atol=1e-13)


@pytest.mark.parametrize("detuning", [1e-3, 1e-6, 1e-9])
def test_a_state_that_decays_slowly_is_not_dark(detuning):
    h = as_dense(open_system(ring(4), ()).hamiltonian).copy()
    h[1, 1] = detuning
    assert dark_states(open_system(h, (0, 2))).levels.size == 0


def test_large_systems_diagonalise_nothing():
    """Inverse iteration at an energy finds the states of the whole diagonalisation there."""
    system = open_system(strip(12, 12), (0, 143))
    whole = dark_states(system)
    contacts, energy = [0, 143], 0.0
    inverse = -system.damping_matrix()
    inverse[contacts, contacts] += 0.5j

    def solve(w, sources):
        return np.linalg.solve(inverse + w * np.eye(144), sources)

    found = _by_inverse_iteration(system, energy, solve)
    there = abs(whole.levels) < 1e-9
    assert found.levels.size == there.sum() == 11
    same = whole.vectors[:, there].conj().T @ found.vectors
    np.testing.assert_allclose(np.linalg.svd(same)[1], 1.0, rtol=1e-12)


# --- solvers ----------------------------------------------------------------------------------


def test_spectra_of_rings_at_their_levels():
    """Values of independent code, at energies that are levels of odd states."""
    expected = {
        4: [16 / 17, 0.3459459459459459, 1, 0.3459459459459459, 16 / 17],
        6: [0.8767123287671226, 1, 0.22145328719723184, 1, 0.8767123287671226],
        8: [0.8, 0.3459459459459459, 1, 0.3459459459459459, 0.8],
    }
    for sites, values in expected.items():
        found = transmission(rings(sites)[0], INTEGERS)
        np.testing.assert_allclose(found[0, 1], values, rtol=1e-13)
        np.testing.assert_allclose(found[1, 0], values, rtol=1e-13)


def test_spectrum_of_a_star_at_its_levels():
    """Arms without a lead block the middle of the band, as 1e-9 beside it."""
    leads = [chain_at(str(k), k, 1.0, 1.0, 0.0, 0.0, 0.1) for k in (1, 2)]
    system = OpenSystem(star(4, 1), *[Tridiagonal.zero(5)] * 2, leads)
    found = transmission(system, np.array([-1.0, 0.0, 1.0, 1e-9]))[0, 1]
    np.testing.assert_allclose(found, [3 / 7, 0, 3 / 7, 0], rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("sites", [4, 8, 12, 60])
def test_every_solver_folds_a_ring(sites):
    """Also within rounding of a level, and at levels that are no round numbers."""
    system, folded = rings(sites)
    levels = dark_states(system).levels
    beside = np.concatenate([levels + shift for shift in (0, 1e-300, 1e-16, -1e-13, 1e-10, 1e-6)])
    expected = contact_response(folded, beside).green
    for solver in (dense, sparse):
        green, _, _ = solver.contact_rows(system, beside)
        np.testing.assert_allclose(green, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("solver", [dense, sparse])
def test_loss_and_gain_beside_dark_states(solver):
    """Every trace at a level is the mean of both sides."""
    rng = np.random.default_rng(4)
    amplitudes = rng.normal(size=(36, 2)) @ np.array([1, 1j])
    amplitudes[[*range(0, 36, 7)]] = 0  # on the diagonal of the square nothing happens
    h = as_dense(open_system(strip(6, 6), ()).hamiltonian)
    mirror = np.arange(36).reshape(6, 6).T.ravel()
    pair = amplitudes + amplitudes[mirror]  # even: the odd states stay dark
    loss = 0.1 * np.outer(pair.conj(), pair)
    pair = np.abs(pair)
    gain = 0.05 * np.outer(pair, pair)
    system = open_system(h, (0, 35), loss=loss, gain=gain)
    levels = dark_states(system).levels
    assert levels.size >= 15
    energies, step = np.unique(np.round(levels, 9)), 1e-5
    for name in ("contact_rows", "contact_correlations", "interior_traces"):
        function = getattr(solver, name)
        at, before, behind = (function(system, energies + x) for x in (0, -step, step))
        for values, *sides in zip(at, before, behind, strict=True):
            assert np.isfinite(values).all()
            np.testing.assert_allclose(values, np.mean(sides, axis=0), rtol=0, atol=1e-6)


def test_chain_with_a_lead_in_its_middle():
    """Sums over sites and pairs of a chain whose odd states are dark."""
    h = chain(9)
    leads = (4,)
    energies = np.array([0.0, 2 * np.cos(np.pi / 5), 0.3])
    system = open_system(h, leads)
    # Even about the middle: a chain of five sites, the first hopping larger by sqrt(2).
    hopping = np.ones(4)
    hopping[0] = np.sqrt(2)
    folded = open_system(chain(5, hopping), (0,))
    source = [Source(np.ones((1, 3)))]
    found = site_sums(system, energies, source).sites
    expected = site_sums(folded, energies, source).sites
    np.testing.assert_allclose(found[0][:, 4], expected[0][:, 0], 1e-13, 1e-30)
    np.testing.assert_allclose(found[0][:, 5:], expected[0][:, 1:] / 2, 1e-12, 1e-30)
    np.testing.assert_allclose(found[0][:, :4][:, ::-1], expected[0][:, 1:] / 2, 1e-12, 1e-30)


def test_pieces_that_nothing_joins():
    """A cut chain: the far piece, dark or with its own lead, changes nothing here."""
    energies = np.array([-1.0, 0.0, 1.0, np.sqrt(2)])
    alone = open_system(chain(3), (0, 2))
    cut = chain(6, [1, 1, 0, 1, 1], [0, 0, 0, 0.5, 0, 1])
    expected = transmission(alone, energies)
    for leads in ((0, 2), (0, 2, 3)):
        found = transmission(open_system(cut, leads), energies)
        np.testing.assert_allclose(found[:2, :2], expected[:2, :2], rtol=1e-13)
    # Between leads at the ends of a chain with a cut in its middle nothing passes.
    ends = transmission(open_system(chain(5, [1, 0, 0, 1]), (0, 4)), energies)
    assert np.all(ends[:2, :2] == 0)


def test_level_at_any_energy_is_not_seen():
    h = np.zeros((4, 4))
    h[0, 1] = h[0, 2] = h[1, 0] = h[2, 0] = -1
    energies = np.array([-1.0, 0.0, 1.0])
    found = []
    for level in (0.0, 1.0, 0.5):
        h[3, 3] = level
        found.append(transmission(open_system(h, (1, 2)), energies))
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[2])


def test_one_energy_costs_itself_alone():
    """A site at the edge of its lead's band is a pole there, and nothing else is lost."""
    lead = chain_at("a", 0, 1.0, 1.0, 0.0, 0.0, 0.1)
    h = np.array([[1.0, 0], [0, 0]])  # 2 - 1 - Sigma(2) = 0
    system = OpenSystem(h, *[np.zeros((2, 2))] * 2, [lead])
    energies = np.array([1.9, 2.0, 2.1])
    green = contact_response(system, energies).green[:, 0, 0]
    np.testing.assert_array_equal(np.isnan(green), [False, True, False])
    expected = 1 / (energies - 1 - lead.self_energy(energies))[[0, 2]]
    np.testing.assert_allclose(green[[0, 2]], expected, rtol=1e-14)


# --- observables ------------------------------------------------------------------------------


def numbers(found):
    """Return every value of a result that has an error."""
    if isinstance(found, tuple):
        return {"value": (np.array(found[0]), np.array(found[1]))}
    estimates = {name: x for name, x in vars(found).items() if isinstance(x, Estimate)}
    return {
        name: (np.array(value), np.array(error))
        for name, (value, error, _) in estimates.items()
        if name != "unitarity_defect"
    }


@pytest.mark.parametrize("temperature", [0.0, 0.1])
def test_every_integral_folds_a_ring(temperature):
    """Chemical potentials are levels of dark states, to the last bit and at temperature 0."""
    system, folded = rings(8, mu=(0.0, -np.sqrt(2)), temperature=temperature)
    loss = weighted(8, (0, 4))
    for lossy in (False, True):
        if lossy:
            system, folded = (
                open_system(
                    x.hamiltonian,
                    [lead.site for lead in x.leads],
                    mu=(0.0, -np.sqrt(2)),
                    temperature=temperature,
                    loss=weighted(x.sites, (0, x.sites - 1)) if x is folded else loss,
                )
                for x in (system, folded)
            )
        for function in (
            lambda x: currents_and_noise(x)[0],
            lambda x: currents_and_noise(x)[1],
            lead_cumulants,
            scattering_entropy_production,
        ):
            for name, (value, error) in numbers(function(system)).items():
                expected, wrong = numbers(function(folded))[name]
                close = abs(value - expected) <= 4 * (error + wrong) + 1e-15
                assert np.all(close | np.isnan(value) & np.isnan(expected)), name


@pytest.mark.parametrize("temperature", [0.0, 0.05])
@pytest.mark.parametrize("mu", [0.0, 1.0, -2.0])
def test_linear_response_folds_a_ring(mu, temperature):
    system, folded = rings(4, mu=(mu, mu), temperature=temperature)
    expected = numbers(linear_response(folded))
    for name, (value, error) in numbers(linear_response(system)).items():
        np.testing.assert_allclose(value, expected[name][0], rtol=0, atol=4 * error + 1e-14)
    known = {(0.0, 0.0): 0.15915494309189535, (0.0, 0.05): 0.15506071395137813}
    known |= {(1.0, 0.0): 0.05505900733989892, (1.0, 0.05): 0.05575977541701575}
    if (mu, temperature) in known:
        found = linear_response(system).electrical_conductance.value
        assert found == pytest.approx(known[mu, temperature], rel=1e-13)


@pytest.mark.parametrize(
    ("sites", "current", "noise"),
    [
        (4, 0.12513032432474736, 0.03368183363787609),
        (6, 0.046339059592356124, 0.03727896980666431),
        (8, 0.09340322270137502, 0.033260006236078145),
    ],
)
def test_currents_and_noise_of_rings(sites, current, noise):
    found, fluctuations = currents_and_noise(rings(sites)[0])
    assert found.converged
    assert found.net_particle_current.value == pytest.approx(current, rel=1e-13)
    assert fluctuations.particle_noise.value[0, 0] == pytest.approx(noise, rel=1e-12)


def test_evolution_keeps_what_is_dark():
    """The even states of a ring evolve as their chain, the odd one turns its phase alone."""

    def joined(h, middle):
        leads = [
            chain_at("a", 0, 1.5, 0.9, 0.0, 0.4, 0.1),
            chain_at("b", middle, 1.5, 0.9, 0.0, -0.4, 0.0),
        ]
        return OpenSystem(h, *[Tridiagonal.zero(h.shape[0])] * 2, leads)

    times = np.array([0.0, 1.0, 7.0])
    h = ring(4, onsite=np.array([0, 0.3, 0, 0.3])).toarray()
    found = evolve(joined(h, 2), times)
    even = chain(3, np.sqrt(2), np.array([0, 0.3, 0]))
    expected = evolve(joined(even, 2), times)
    fold = np.array([[1, 0, 0], [0, np.sqrt(0.5), 0], [0, 0, 1], [0, np.sqrt(0.5), 0]])
    odd = np.sqrt(0.5) * np.array([0, 1, 0, -1])
    phase = np.exp(-0.3j * times)[:, None, None] * np.outer(odd, odd)
    propagator = fold @ expected.propagator @ fold.T + phase
    np.testing.assert_allclose(found.propagator, propagator, atol=1e-12)
    np.testing.assert_allclose(found.source, fold @ expected.source @ fold.T, atol=1e-12)
    assert found.error.max() < 1e-11
    with pytest.raises(ValueError, match=r"near energy 0\.3 is coupled to no terminal"):
        correlation_matrix(joined(h, 2))


@pytest.mark.parametrize("level", [0.0, 7.0])
def test_dark_is_not_bound(level):
    """A site without hopping is dark inside the band and outside, and no bound state."""
    h = np.zeros((3, 3))
    h[0, 1] = h[1, 0] = -1.0
    h[2, 2] = level
    lead = chain_at("a", 0, 1.0, 1.0, 0.0, 0.0, 0.1)
    system = OpenSystem(h, *[Tridiagonal.zero(3)] * 2, [lead])
    require_no_bound_state(system)
    assert bound_states(system).levels.size == 0
    with pytest.raises(ValueError, match="coupled to no terminal"):
        require_decay(system)


@pytest.mark.parametrize("width", [1.5, 4.0])
@pytest.mark.parametrize("contacts", [(60, 63), (10, 100)])
def test_states_that_disorder_keeps_from_the_contacts(width, contacts):
    """Couplings of all sizes down to none: what is split off has none, nor is any of it missed."""
    onsite = np.random.default_rng(3).uniform(-width, width, 120)
    h = as_dense(chain(120, onsite=onsite))
    leads = [wide_band_at(str(site), site, 1.1, 0.1, 0.1) for site in contacts]
    system = OpenSystem(h, *[Tridiagonal.zero(120)] * 2, leads)
    dark = dark_states(system)
    assert dark.levels.size or width < 4
    assert abs(h @ dark.vectors - dark.vectors * dark.levels).max(initial=0.0) < 1e-12
    assert abs(dark.vectors[list(contacts)]).max(initial=0.0) < 1e-12
    energies = np.linspace(-2.0, 2.0, 21)
    found = contact_response(system, energies).green
    sigma = np.zeros(120, complex)
    sigma[list(contacts)] = -0.55j
    for energy, green in zip(energies, found, strict=True):
        whole = np.linalg.inv(energy * np.eye(120) - h - np.diag(sigma))
        np.testing.assert_allclose(green, whole[np.ix_(contacts, contacts)], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("sites", [1, 3])
@pytest.mark.parametrize(
    "leads",
    [
        [],
        [wide_band_at("a", 0, 0.0, 0.2, 0.1)],
        [chain_at("a", 0, 1.0, 0.0, 0.0, 0.2, 0.1)],
    ],
)
def test_a_system_that_nothing_reaches_has_no_steady_state(sites, leads):
    system = OpenSystem(chain(sites), *[Tridiagonal.zero(sites)] * 2, leads)
    with pytest.raises(ValueError, match="coupled to no terminal"):
        correlation_matrix(system)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("beyond", [-1e-9, 0.0, 1e-9, 1e-8, 1e-7, 1e-6, 1e-4, 1e-2, 1.0])
def test_weight_of_a_state_at_the_edge(beyond, sign):
    """A site at the end of its own chain binds ``1 - 1/e^2`` beyond the hopping, nothing below."""
    level = sign * (1 + beyond)
    lead = chain_at("a", 0, 1.0, 1.0, 0.0, 0.3, 0.1)
    found = profiles(OpenSystem(np.array([[level]]), *[Tridiagonal.zero(1)] * 2, [lead]))
    expected = max(0.0, 1 - level**-2)
    assert abs(found.bound_weight.value[0] - expected) <= found.bound_weight.error[0] < 1e-6


@pytest.mark.parametrize("flux", [0.0, 0.7])
def test_ring_with_a_level_at_the_edge(flux):
    """Odd states of a ring about its probe have a level at the edge of the leads' bands.

    It is not bound; without flux one state is odd about the leads too, and dark.
    """
    h = ring(8).toarray().astype(complex)
    h[7, 0] *= np.exp(1j * flux)
    h[0, 7] = h[7, 0].conj()
    leads = [
        chain_at("a", 0, 1.0, 1.0, 0.0, 0.2, 0.1),
        chain_at("b", 4, 1.0, 1.0, 0.0, -0.2, 0.1),
        wide_band_at("p", 2, 0.2, 0.0, 0.1),
    ]
    found = profiles(OpenSystem(h, *[Tridiagonal.zero(8)] * 2, leads))
    assert found.converged
    dark = [0, 0.25] * 4 if flux == 0 else np.zeros(8)
    np.testing.assert_allclose(found.bound_weight.value, dark, atol=1e-13)
    assert found.bound_weight.error.max() < 1e-9


def test_weak_disorder_folds_a_ring():
    system, folded = rings(8, mu=(0.0, 0.0), loss=None)
    loss = weighted(8, (0,))
    system = open_system(ring(8), (0, 4), loss=loss)
    folded = open_system(folded_ring(8), (0, 4), loss=weighted(5, (0,)))
    found, expected = disorder_susceptibility(system)[0], disorder_susceptibility(folded)[0]
    np.testing.assert_allclose(found[[0, 4]], expected[[0, 4]], rtol=1e-9)
    np.testing.assert_allclose(2 * found[1:4], expected[1:4], rtol=1e-9)


@pytest.mark.parametrize("solve", [linear_probes, third_order_probes, solve_probes])
def test_probes_beside_dark_states(solve):
    """A voltage probe on a ring whose mean potential is the level of a dark state."""

    def system(h, middle):
        mu = {"0": 0.05, "1": -0.05, "p": 0.0}
        leads = [
            wide_band_at(name, site, 1.0, mu[name], 0.0)
            for name, site in (("0", 0), ("1", middle), ("p", middle))
        ]
        return OpenSystem(h, *[Tridiagonal.zero(h.shape[0])] * 2, leads)

    probes = [Probe("p", 0.0)]
    found = [solve(system(*case), probes) for case in ((ring(8), 4), (folded_ring(8), 4))]
    if solve is third_order_probes:
        found = [x.physical for x in found]
    np.testing.assert_allclose(
        found[0].particle_current.value, found[1].particle_current.value, 1e-10, 1e-16
    )


@pytest.mark.parametrize("temperature", [0.0, 0.1])
def test_a_probe_without_anything_given(temperature):
    """In a part of its own a probe has no chemical potential, by any method, unless it has loss."""
    h = chain(6, [1, 1, 0, 1, 1])
    leads = [
        wide_band_at(name, site, 1.0, mu, temperature)
        for name, site, mu in (("a", 0, 0.1), ("b", 2, -0.1), ("p", 4, 0.0))
    ]
    empty, probes = Tridiagonal.zero(6), [Probe("p")]
    methods = [linear_probes, solve_probes] + [third_order_probes] * (temperature == 0)
    for solve in methods:
        with pytest.raises(NoSolution, match="'p' is in a part of the system without any lead"):
            solve(OpenSystem(h, empty, empty, leads), probes)
    lossy = OpenSystem(h, onsite_rates(0.01 * np.ones(6)), empty, leads)
    pumped = OpenSystem(h, lossy.loss, onsite_rates(0.01 * np.ones(6)), leads)
    found = solve_probes(pumped, probes)
    assert found.chemical_potential.value[2] == pytest.approx(0, abs=1e-9)


def test_a_probe_reaches_what_leads_do_not():
    """On a site of dark states it makes them bright; all leads then count as one more."""
    system = open_system(ring(8), (0, 4, 2))
    assert dark_states(system).levels.size == 1
    found = pair_transmission(system, np.array([0.0, np.sqrt(2)]))
    expected = pair_transmission(system, np.array([1e-7, np.sqrt(2) + 1e-7]))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert unreached_sites(open_system(ring(8), (0, 4, 1))).size == 0
