"""Localisation lengths, participation ratios and effective spectra against closed forms."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import scipy.sparse

import nessflow as nf
from nessflow.config.grid import Ensemble, generator
from nessflow.observables.states.inverse_participation import InverseParticipation
from nessflow.scattering.states.eigenstates import states_of
from nessflow.scattering.states.slices import Slices, log_transmission, lyapunov_exponent
from nessflow.studies.systems import System, open_system
from nessflow.systems.matrices import Tridiagonal, as_dense
from nessflow.systems.system import AttachedLead, OpenSystem

CHAIN_LEADS = {
    name: {"kind": "semi-infinite-chain", "chemical_potential": 0, "temperature": 0.1}
    for name in ("left", "right")
}


def wire(lattice, leads=CHAIN_LEADS, **others):
    """A system as in a study file; a number of sites is a chain."""
    lattice = {"kind": "chain", "sites": lattice} if isinstance(lattice, int) else lattice
    return nf.System(lattice=lattice, leads=leads, **others)


def rng():
    """What the library draws the first sample from."""
    return generator(Ensemble(1, 1, 0), {}, 0)


def lengths(system, energies, **sample):
    """What localisation-length has of a system."""
    asked = [{"localisation-length": {"energies": list(energies)}}]
    return nf.solve(system, asked, **sample)


# --- transmission ---------------------------------------------------------------------------------

STRIP_LEADS = {
    name: {
        "kind": "semi-infinite-strip",
        "chemical_potential": 0,
        "temperature": 0.1,
        "site": sites,
    }
    for name, sites in (("left", [1, 2, 3]), ("right", [13, 14, 15]))
}
WIDE = {"kind": "wide-band", "broadening": 0.7, "chemical_potential": 0, "temperature": 0.1}
LOSS, UNIFORM = {"kind": "bond", "rate": 0.1}, {"kind": "uniform", "half_width": 1.0}
CONTINUED = {
    name: {"kind": "continued", "chemical_potential": 0, "temperature": 0.1}
    for name in ("left", "right")
}
STRIP = {"kind": "strip", "length": 5, "width": 3}
SYSTEMS = {
    "chain": wire(9, disorder=UNIFORM),
    "one site": wire(1),
    "nonreciprocal": wire(9, disorder=UNIFORM, loss=LOSS, gain={"kind": "onsite", "rate": 0.05}),
    "strip": wire(STRIP, STRIP_LEADS, disorder=UNIFORM),
    "points on a strip": wire(STRIP, disorder=UNIFORM, loss=LOSS),
    "ring": wire({"kind": "ring", "sites": 8, "flux": 0.4}, disorder=UNIFORM),
    "ring at its levels": wire({"kind": "ring", "sites": 8}),
    "arms": wire({"kind": "star", "arms": 3, "length": 4}, disorder=UNIFORM),
    "inside": wire(
        9, {"left": WIDE | {"site": [2, 5]}, "right": WIDE | {"site": [4, 8]}}, disorder=UNIFORM
    ),
    "on the same site": wire(5, {"left": WIDE | {"site": 2}, "right": WIDE | {"site": 2}}),
    "coherent": wire(
        9,
        {"left": WIDE | {"site": {1: 0.4, 7: "0.3i"}}, "right": WIDE | {"site": {5: 1, 9: 0.2}}},
        disorder=UNIFORM,
    ),
    "flux": wire(
        {"kind": "square", "length": 5, "width": 3, "flux": 0.4}, CONTINUED, disorder=UNIFORM
    ),
    "spin": wire(
        {
            "kind": "chain",
            "sites": 6,
            "orbitals": 2,
            "onsite": [[0.2, 0.1], [0.1, -0.2]],
            "hopping": [[1, 0.4], [-0.4, 1]],
        },
        CONTINUED,
        disorder=UNIFORM,
        loss={"kind": "onsite", "rate": 0.01},
    ),
    "far": wire({"kind": "long-range", "sites": 8, "exponent": 1.5}, disorder=UNIFORM),
}


ENERGIES = [-1.3, -0.4, 0.0, 0.3, 1.0]


@pytest.mark.parametrize("name", SYSTEMS)
def test_it_is_the_logarithm_of_the_transmission(name):
    found = lengths(SYSTEMS[name], ENERGIES)
    table = nf.transmission(SYSTEMS[name], ENERGIES)
    expected = table.sel(terminal="right", terminal_2="left").values
    known = expected > 1e-30
    assert known.sum() >= 4
    np.testing.assert_array_equal(np.isfinite(found.log_transmission), known)
    value, error = found.log_transmission.values, found.log_transmission_error.values
    np.testing.assert_allclose(value[known], np.log(expected[known]), rtol=1e-12, atol=1e-14)
    assert np.nanmax(error) < 1e-9


@pytest.mark.parametrize("name", SYSTEMS)
def test_slices_have_it_as_well(name):
    """But at levels of a part that is cut off, where they are singular."""
    energies = np.array(ENERGIES) + 0.01234
    system = open_system(SYSTEMS[name], rng())
    found = log_transmission(system, Slices.of(system), energies)
    table = nf.transmission(SYSTEMS[name], energies)
    expected = np.log(table.sel(terminal="right", terminal_2="left").values)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def in_sixty_digits(energies, energy):
    """Return ln T of a chain of given on-site energies between chains of its hopping 1.

    ``G_1N = 1/D`` with ``D = D(1..N) - s (D(1..N-1) + D(2..N)) + s^2 D(2..N-1)`` of the real
    determinants of ``w - h``, where ``s = w/2 - i sqrt(1 - w^2/4)``.
    """

    def determinants(part):
        before, now = Decimal(0), Decimal(1)
        for e in part:
            before, now = now, (w - e) * now - before
        return now, before

    with localcontext() as context:
        context.prec = 60
        w, given = Decimal(energy), [Decimal(x) for x in energies]
        (whole, no_last), (no_first, inner) = determinants(given), determinants(given[1:])
        root = (1 - w * w / 4).sqrt()
        sum_of_both = no_last + no_first
        real = whole - w / 2 * sum_of_both + (w * w / 2 - 1) * inner
        imaginary = root * sum_of_both - w * root * inner
        return float((4 * root**2 / (real**2 + imaginary**2)).ln())


@pytest.mark.parametrize("half_width", [0.5, 3.0])
def test_digits_are_kept_where_the_transmission_underflows(half_width):
    disorder = {"kind": "uniform", "half_width": half_width}
    system = wire(1500, disorder=disorder)
    energies = [-1.7, 0.1, 1.2]
    found = lengths(system, energies)
    onsite = open_system(system, rng())
    for energy in energies:
        value, error = (
            float(found[f"log_transmission{x}"].sel(energy=energy)) for x in ("", "_error")
        )
        expected = in_sixty_digits(onsite.hamiltonian.diagonal, energy)
        assert abs(value - expected) <= error
        assert error < 1e-9
    if half_width == 3.0:
        assert float(found.log_transmission.max()) < -1000


def test_blocks_keep_them_too():
    """A strip of decoupled rows is so many chains, of which the one that decays least counts."""
    length, rng = 2500, np.random.default_rng(1)
    onsite = rng.uniform(-2, 2, size=(length, 2))
    hops = np.full(2 * length - 2, -1.0)
    h = scipy.sparse.diags_array([hops, onsite.ravel(), hops], offsets=(-2, 0, 2))
    chain = nf.leads.SemiInfiniteChain(chemical_potential=0, temperature=0)
    model = type(chain).__bases__[1]()
    leads = [
        AttachedLead(f"{name} {row}", row + start, model, 0.0, 0.0, name)
        for name, start in (("left", 0), ("right", 2 * length - 2))
        for row in (0, 1)
    ]
    zero = Tridiagonal.zero(2 * length)
    system = OpenSystem(h, zero, zero, leads)
    found = log_transmission(system, Slices.of(system), np.array([0.3]))[0]
    alone = [in_sixty_digits(onsite[:, row], 0.3) for row in (0, 1)]
    assert min(alone) < -500
    np.testing.assert_allclose(found, np.logaddexp(*alone), rtol=1e-12)


@pytest.mark.parametrize("sites", [12, 1200])
def test_bond_disorder_at_the_middle_of_the_band(sites):
    """ln T = -2 ln cosh(sum_odd ln t - sum_even ln t), a random walk and no exponential."""
    disorder = {"kind": "uniform", "half_width": 0.9, "on": "bonds"}
    system = wire(sites, disorder=disorder)
    hoppings = np.log(-open_system(system, rng()).hamiltonian.upper)
    walk = hoppings[::2].sum() - hoppings[1::2].sum()
    found = lengths(system, [0.0])
    expected = -2 * (abs(walk) + np.log1p(np.exp(-2 * abs(walk))) - np.log(2))
    error = float(found.log_transmission_error[0])
    assert abs(float(found.log_transmission[0]) - expected) <= min(error, 1e-10)


def test_what_is_not_defined_says_why():
    found = lengths(wire(20), [-2.5, 0.0])
    assert np.isnan(found.log_transmission.values).tolist() == [True, False]
    assert "a lead is closed at the energy -2.5" in found.log_transmission.attrs["undefined"]
    vacant = lengths(wire(20, disorder={"kind": "vacancies", "concentration": 1.0}), [0.1])
    assert "a lead is closed at the energy 0.1" in vacant.log_transmission.attrs["undefined"]
    bond = {"kind": "array", "on": "bonds", "values": [-float(k == 7) for k in range(19)]}
    cut = lengths(wire(20, disorder=bond), [0.1])
    assert "nothing gets through at the energy 0.1" in cut.log_transmission.attrs["undefined"]
    short = lengths(wire(5), [0.1])
    assert "5 are too few" in short.lyapunov_exponent.attrs["undefined"]
    point = lengths(wire({"kind": "strip", "length": 9, "width": 2}), [0.1])
    assert "not of one size" in point.lyapunov_exponent.attrs["undefined"]
    open_bonds = lengths(wire(20, loss={"kind": "bond", "rate": 0.1}), [0.1])
    assert "loss or gain on bonds" in open_bonds.lyapunov_exponent.attrs["undefined"]
    leads = {**CHAIN_LEADS, "third": WIDE | {"site": 4}}
    assert "between two leads" in lengths(wire(9, leads), [0]).decay_rate.attrs["undefined"]


# --- Lyapunov exponents ---------------------------------------------------------------------------


def exponents(onsite, energies):
    """Lyapunov exponents of a chain of given on-site energies."""
    leads = [
        AttachedLead(name, site, nf.leads.WideBand.__bases__[1](broadening=1.0), 0.0, 0.0)
        for name, site in (("left", 0), ("right", len(onsite) - 1))
    ]
    zero = Tridiagonal.zero(len(onsite))
    system = OpenSystem(Tridiagonal(onsite, -1.0), zero, zero, leads)
    return lyapunov_exponent(Slices.of(system), np.asarray(energies, float))


def test_lorentzian_disorder_has_thouless_closed_form():
    """Lloyd's model: 4 cosh(gamma) = sqrt((2 + E)^2 + W^2) + sqrt((2 - E)^2 + W^2)."""
    width, energies = 0.3, np.array([-2.2, -1.5, -0.4, 0.7, 1.9, 3.0])
    onsite = width * np.random.default_rng(5).standard_cauchy(40_000)
    value, error = exponents(onsite, energies)
    roots = np.sqrt((2 + energies) ** 2 + width**2) + np.sqrt((2 - energies) ** 2 + width**2)
    assert (abs(value - np.arccosh(roots / 4)) < 4 * error).all()
    assert (error < 0.03 * value).all()


def test_the_exponent_follows_from_the_density_of_states():
    """Herbert and Jones, Thouless: gamma(E) = <ln |E - E_n|>, levels of the chain, hopping 1."""
    onsite, energies = np.random.default_rng(2).uniform(-2, 2, 1000), np.array([-1.0, 0.3, 3.5])
    levels = np.linalg.eigvalsh(as_dense(Tridiagonal(onsite, -1.0)))
    expected = [np.mean(np.log(abs(energy - levels))) for energy in energies]
    value, _ = exponents(onsite, energies)
    # Exact in the limit; the ends of the chain count for one site.
    np.testing.assert_allclose(value, expected, atol=5 / onsite.size)


@pytest.mark.parametrize("length", [0.05, 1.0])
def test_weak_disorder_has_borns_length(length):
    """gamma = S(2k) / (8 sin^2 k) of the spectral density S; white noise of half-width V, E = 2 cos
    k: 6 (4 - E^2) t^2 / V^2, the same as 24 (4 - E^2) t^2 / W^2 of the full width W.
    """
    part = nf.disorder.Correlated(standard_deviation=0.2, length=length)
    sites, k = 60_000, np.array([0.45, 0.8, 1.2])
    onsite = part.draw(np.arange(1.0, sites + 1)[:, None], np.random.default_rng(8))
    value, error = exponents(onsite, -2 * np.cos(k))
    r = np.arange(-20, 21)
    kernel = np.exp(-(np.arange(-40, 41) ** 2) / length**2)
    overlap = np.convolve(kernel, kernel)[80 + r] / np.sum(kernel**2)
    density = 0.04 * np.cos(2 * np.outer(k, r)) @ overlap
    if length < 0.1:
        np.testing.assert_allclose(density, 0.04, rtol=1e-12)
    else:
        np.testing.assert_allclose(
            density, 0.04 * np.sqrt(2 * np.pi) * np.exp(-2 * k**2), rtol=0.1, atol=1e-3
        )
    expected = density / (8 * np.sin(k) ** 2)
    assert (abs(value - expected) < 4 * error + 0.05 * expected).all()
    assert (error < 0.25 * expected + 2e-4).all()


def test_uniform_disorder_has_the_textbook_length():
    half_width, energies = 0.4, np.array([-1.4, -0.5, 0.6])
    onsite = np.random.default_rng(4).uniform(-half_width, half_width, 80_000)
    value, error = exponents(onsite, energies)
    expected = half_width**2 / (6 * (4 - energies**2))
    assert (abs(value - expected) < 4 * error + 0.02 * expected).all()


@pytest.mark.parametrize("amplitude", [1.0, 3.0, 5.0])
def test_aubry_andre_is_localised_beyond_two_hoppings(amplitude):
    """gamma = ln(amplitude / 2) at all levels, 0 below; E = 0 is one by symmetry."""
    disorder = nf.disorder.Quasiperiodic(amplitude=amplitude)
    found = lengths(wire(1597, disorder=disorder), [0.0], sample=2)
    expected = max(np.log(amplitude / 2), 0.0)
    allowed = float(found.lyapunov_exponent_error[0])
    assert abs(float(found.lyapunov_exponent[0]) - expected) <= allowed < 0.02
    assert abs(float(found.decay_rate[0]) - expected) < 0.01


def test_exponents_of_a_clean_strip_outside_its_band():
    strip = {"kind": "strip", "length": 300, "width": 3, "onsite": 0.0}
    leads = {
        name: STRIP_LEADS[name] | {"site": sites}
        for name, sites in (("left", [1, 2, 3]), ("right", [898, 899, 900]))
    }
    energies = [-3.6, 3.5, 5.0]
    found = lengths(wire(strip, leads), energies)
    edge = np.sqrt(2)  # of the outermost of the three transverse modes
    expected = np.arccosh((np.abs(energies) - edge) / 2)
    np.testing.assert_allclose(found.lyapunov_exponent, expected, rtol=3e-2)
    assert (abs(found.lyapunov_exponent - expected) <= found.lyapunov_exponent_error).all()


def test_both_ways_agree_on_a_disordered_strip():
    strip = {"kind": "strip", "length": 600, "width": 3}
    leads = {
        name: STRIP_LEADS[name] | {"site": sites}
        for name, sites in (("left", [1, 2, 3]), ("right", [1798, 1799, 1800]))
    }
    found = lengths(wire(strip, leads, disorder={"kind": "uniform", "half_width": 2.5}), [0.3])
    difference = float(abs(found.decay_rate - found.lyapunov_exponent)[0])
    assert difference < 0.01
    assert float(found.lyapunov_exponent[0]) > 0.08
    length, error = float(found.localisation_length[0]), float(found.localisation_length_error[0])
    assert abs(1 / length - float(found.decay_rate[0])) < error / length**2


# --- eigenstates ----------------------------------------------------------------------------------


def states(system, energy=None):
    """What inverse-participation has."""
    return nf.solve(
        system, [{"inverse-participation": {} if energy is None else {"energy": energy}}]
    )


def test_waves_fill_a_chain():
    """sum_j sin^4(k j) over the square of sum_j sin^2(k j) is 3 / (2 (N + 1))."""
    found = states(wire(20))
    np.testing.assert_allclose(found.inverse_participation_ratio, 1.5 / 21, rtol=1e-12)
    np.testing.assert_allclose(
        found.state_energy, -2 * np.cos(np.pi * np.arange(1, 21) / 21), atol=1e-14
    )


def test_a_state_bound_to_an_impurity():
    onsite = tuple(2.5 * (j == 100) for j in range(201))
    found = states(wire({"kind": "chain", "sites": 201, "onsite": onsite}))
    energy = np.hypot(2, 2.5)
    q = (energy - 2.5) / 2
    ratio = (1 + q**4) / (1 - q**4) * ((1 - q**2) / (1 + q**2)) ** 2
    np.testing.assert_allclose(found.state_energy[-1], energy, rtol=1e-13)
    np.testing.assert_allclose(found.inverse_participation_ratio[-1], ratio, rtol=1e-12)


def test_states_of_one_energy_have_no_ratio():
    found = states(wire({"kind": "ring", "sites": 8}))
    known = np.isfinite(found.inverse_participation_ratio.values)
    assert known.tolist() == [True, *[False] * 6, True]
    np.testing.assert_allclose(found.inverse_participation_ratio[[0, -1]], 1 / 8, rtol=1e-13)
    assert "states of one energy" in found.inverse_participation_ratio.attrs["undefined"]


def test_errors_hold_what_rounding_does():
    """Ratios of a matrix moved by its last digits, and levels, near crossings too."""
    rng = np.random.default_rng(7)
    onsite = rng.normal(size=40)
    lead = AttachedLead("a", 0, nf.leads.WideBand.__bases__[1](broadening=0.4), 0.0, 0.0)
    zero = Tridiagonal.zero(40)

    def at(change, energy):
        system = OpenSystem(Tridiagonal(onsite + change, -0.05), zero, zero, [lead])
        part = InverseParticipation(energy=energy)
        return part.estimates(system, part.evaluate(system))

    for energy in (None, 0.1):
        one = at(0.0, energy)
        other = at(np.finfo(float).eps * rng.normal(size=40), energy)
        for name, (value, error, _) in one.items():
            assert (abs(value - other[name].value) <= error + other[name].error).all(), name


# --- effective spectrum ---------------------------------------------------------------------------


def spectrum(system, energy=0.0):
    """What effective-spectrum has."""
    return nf.solve(system, [{"effective-spectrum": {"energy": energy}}])


def test_a_level_between_two_leads():
    leads = {name: WIDE | {"broadening": g} for name, g in (("left", 0.3), ("right", 0.5))}
    dot = {"kind": "chain", "sites": 1, "onsite": 0.2}
    found = spectrum(wire(dot, leads, loss={"kind": "onsite", "rate": 0.1}))
    np.testing.assert_allclose(found.resonance_energy, [0.2], rtol=1e-14)
    np.testing.assert_allclose(found.resonance_width, [0.3 + 0.5 + 0.2], rtol=1e-14)


def test_its_eigenvalues_make_up_the_matrix():
    system = wire(12, disorder=UNIFORM, loss=LOSS, gain={"kind": "sites", "rates": {3: 0.2}})
    found = spectrum(system, 0.7)
    opened = open_system(system, rng())
    matrix = opened.damping_matrix()
    sigma = opened.leads[0].self_energy(np.array([0.7]))[0]
    matrix[0, 0] += sigma
    matrix[-1, -1] += sigma
    values = found.resonance_energy.values - 0.5j * found.resonance_width.values
    for power in (1, 2, 3):
        trace = np.trace(np.linalg.matrix_power(matrix, power))
        np.testing.assert_allclose(np.sum(values**power), trace, rtol=1e-11)
    assert (np.diff(found.resonance_energy) > 0).all()
    # Right eigenvectors, each of its eigenvalue.
    states = states_of(opened, 0.7)
    np.testing.assert_allclose(matrix @ states.vectors, states.vectors * states.values, atol=1e-13)


@pytest.mark.parametrize("defect", [0.0, 1e-14, 1e-6])
def test_errors_grow_at_an_exceptional_point(defect):
    """Two sites, one with loss 2t: eigenvalues -it +- sqrt(t^2 - gamma^2/4)."""
    leads = {"left": WIDE | {"broadening": 4.0 + defect, "site": 1}}
    found = spectrum(wire(2, leads))
    rate = (4.0 + defect) / 4
    root = np.emath.sqrt((1 - rate) * (1 + rate))
    expected = sorted([-1j * rate + s * root for s in (1, -1)], key=lambda z: z.imag)
    widths = sorted(found.resonance_width.values)
    error = found.resonance_width_error.values.max()
    for width, value in zip(widths, expected[::-1], strict=True):
        assert abs(width + 2 * value.imag) <= error
    assert error < max(1e-6, 1e-8)


def test_levels_of_one_real_part_are_sorted_by_width():
    """A dimer beyond its exceptional point: both eigenvalues are imaginary but for rounding."""
    for rate in np.linspace(4.5, 6, 40):
        found = spectrum(wire(2, {"left": WIDE | {"broadening": float(rate), "site": 1}}))
        assert found.resonance_width.values[0] < found.resonance_width.values[1]


def test_vacant_sites_have_no_level():
    disorder = {"kind": "vacancies", "concentration": 0.4}
    system = wire({"kind": "strip", "length": 3, "width": 2}, disorder=disorder)
    removed = open_system(system, rng()).removed
    assert 0 < len(removed) < 6
    for found in (spectrum(system), states(system)):
        for name, array in found.items():
            count = np.isfinite(array.values).sum()
            assert count <= 6 - len(removed), name
            assert "vacant" in array.attrs.get("undefined", "vacant")
    assert np.isfinite(spectrum(system).resonance_energy).sum() == 6 - len(removed)


def test_too_many_sites_are_one_message():
    with pytest.raises(ValueError, match="6000 sites are more than 5000"):
        spectrum(wire(6000))


def test_systems_are_models():
    """The systems of this page are those of study files."""
    assert isinstance(SYSTEMS["ring"], System)
