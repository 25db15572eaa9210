"""Numbers of the studies of ribbons, junctions and rings by closed forms and dense matrices."""

import math
from pathlib import Path

import numpy as np
import pytest
from one_point import point

from nessflow.config.project import load_study
from nessflow.config.study import parameters_of

CONFIG = Path(__file__).resolve().parents[2] / "config" / "studies"
ENERGIES = [0.103, 0.331, 0.777, 1.213, 1.871, 2.633, 3.301]


def value(result, name):
    return np.array(result["observables"][name]["value"], float)


def through(result):
    """Transmission from the first to the second lead, by energy."""
    return value(result, "transmission")[1, 0]


def between(low, high):
    """Number of bands that have each of the energies."""
    low, high, energies = np.atleast_1d(low)[:, None], np.atleast_1d(high)[:, None], ENERGIES
    return ((low < energies) & (energies < high)).sum(axis=0)


def strip_of(width):
    edges = -2 * np.cos(np.pi * np.arange(1, width + 1) / (width + 1))
    return edges - 2, edges + 2


def armchair_of(width):
    """``E^2 = 1 + 4 c cos(k/2) + 4 c^2``, of which c and -c are one band."""
    c = np.cos(np.pi * np.arange(1, width // 2 + 1) / (width + 1))
    return abs(1 - 2 * c), 1 + 2 * c


def zigzag_counts(width):
    """Half the crossings of bands of ``H(k)``: ``2 cos(k/2)`` and 1 by turns, across the ribbon."""
    k = np.linspace(0, 2 * np.pi, 20001)[:-1]
    h = np.zeros((k.size, 2 * width, 2 * width))
    for row in range(2 * width - 1):
        h[:, row, row + 1] = h[:, row + 1, row] = 2 * np.cos(k / 2) if row % 2 == 0 else 1
    below = np.linalg.eigvalsh(h)[..., None] < ENERGIES
    return (below != np.roll(below, 1, axis=0)).sum(axis=(0, 1)) // 2


@pytest.mark.parametrize(
    ("ribbon", "expected"),
    [
        ("strip", between(*strip_of(5))),
        ("zigzag", zigzag_counts(6)),
        ("armchair", between(*armchair_of(7))),
    ],
)
def test_a_clean_ribbon_transmits_its_open_subbands(ribbon, expected):
    result = point("conductance-steps", ribbon=ribbon, energies=ENERGIES)
    assert len(set(expected)) > 3
    np.testing.assert_allclose(through(result), expected, atol=1e-10)
    np.testing.assert_allclose(value(result, "reflection"), 0, atol=1e-10)


@pytest.mark.parametrize("mu", [-3.414213562373095, -2.7, -2, -1.9, -0.6])
@pytest.mark.parametrize("temperature", [0.01, 0.05])
def test_thermopower_of_a_strip_is_a_sum_of_fermi_functions(mu, temperature):
    result = point("thermopower-steps", mu=mu, T=temperature)

    def above(edge):
        x = (edge - mu) / temperature
        filled = np.exp(-np.logaddexp(0, x))
        return np.array([filled, x * filled + np.logaddexp(0, -x)])

    low, high = strip_of(3)
    conductance, flow = (above(low) - above(high)).sum(axis=1)
    assert value(result, "electrical_conductance") * 2 * math.pi == pytest.approx(conductance)
    assert value(result, "seebeck_coefficient") == pytest.approx(flow / conductance, abs=1e-9)


def test_thermopower_at_the_edges_in_the_cold():
    for n, edge in enumerate(strip_of(3)[0], start=1):
        result = point("thermopower-steps", mu=edge, T=0.01)
        assert value(result, "seebeck_coefficient") == pytest.approx(math.log(2) / (n - 0.5))


@pytest.mark.parametrize("gamma", [0, 0.5])
@pytest.mark.parametrize("g", [0.3, 0.6324555320336759, 0.7071067811865476, 1.6])
def test_noise_behind_a_junction(g, gamma):
    """What one output has the other has not: auto T (1 - T), cross -T^2."""
    result = point("beam-splitter", g=g, gamma=gamma, energies=[0])
    source = g**2 / (1 + (2 + gamma) * g**2) ** 2 * 4
    table, noise = value(result, "transmission")[..., 0], value(result, "spectral_particle_noise")
    np.testing.assert_allclose(table[1:3, 0], source, rtol=1e-12)
    loss = 2 * gamma * 2 * g**2 / (1 + (2 + gamma) * g**2) ** 2
    np.testing.assert_allclose(table[0, 3], loss, rtol=1e-12)
    back = 1 - 2 * source - loss
    np.testing.assert_allclose(value(result, "reflection")[0, 0], back, atol=1e-12)
    expected = source * (np.eye(2) - source)
    np.testing.assert_allclose(noise[1:3, 1:3, 0] * 2 * math.pi, expected, rtol=1e-12)


def test_a_junction_of_equal_wires():
    energies = np.array([-1.5, -0.4, 0.9])
    result = point("beam-splitter", g=1, gamma=0, energies=energies.tolist())
    expected = (4 - energies**2) / (9 - 2 * energies**2)
    np.testing.assert_allclose(value(result, "transmission")[1, 0], expected, rtol=1e-12)


def ring_by_hand(energy, phi, alpha, gamma):
    """Transmissions of ring, flux and spins that turn with their places, as dense matrices."""
    sites = 12
    h = np.zeros((2 * sites, 2 * sites), complex)
    for j in range(sites):
        angle = 2 * np.pi * (j + 0.5) / sites
        radial = np.array([[0, np.exp(-1j * angle)], [np.exp(1j * angle), 0]])
        block = (-np.eye(2) + 1j * alpha * radial) * np.exp(1j * phi / sites)
        here, there = 2 * j, 2 * ((j + 1) % sites)
        h[here : here + 2, there : there + 2] = block
        h[there : there + 2, here : here + 2] = block.conj().T
    loss = gamma * np.repeat([0, *[1] * 5, *[0] * 6], 2)
    sigma = (energy - 1j * np.sqrt(4 - energy**2)) / 2
    ends = np.array([np.repeat(np.arange(sites) == place, 2) for place in (0, 6)])
    g = np.linalg.inv(
        energy * np.eye(2 * sites) - h + 1j * np.diag(loss) - sigma * np.diag(sum(ends))
    )
    broadening = np.array([*(-2 * sigma.imag * ends), 2 * loss])
    return np.einsum("ai,ij,bj->ab", broadening, abs(g) ** 2, broadening)


@pytest.mark.parametrize(("phi", "alpha"), [(0.7, 0.0), (-1.3, 0.8), (0, 1.7)])
@pytest.mark.parametrize("gamma", [0, 0.2])
def test_ring_of_spins_that_turn(phi, alpha, gamma):
    """The frame that turns with the ring, and the other one."""
    result = point("spin-orbit-ring", phi=phi, alpha=alpha, gamma=gamma, energies=[0.5])
    expected = ring_by_hand(0.5, phi, alpha, gamma)
    table = value(result, "transmission")[..., 0]
    np.fill_diagonal(expected, np.nan)
    np.testing.assert_allclose(table[:, :3], expected[:2], rtol=1e-12)
    without = (expected[0, 2] - expected[1, 2]) / 2
    np.testing.assert_allclose(value(result, "loss_transmission"), without, atol=1e-14)


@pytest.mark.parametrize("gamma", [0, 0.2])
def test_ring_of_spins_is_two_rings_without(gamma):
    phi, alpha = 0.7, 1.3
    turned = 12 * math.acos(math.cos(math.pi / 12) / math.hypot(1, alpha))
    result = point("spin-orbit-ring", phi=phi, alpha=alpha, gamma=gamma, energies=[0.5])
    lattice = {"kind": "ring", "sites": 12, "hopping": math.hypot(1, alpha)}
    both = sum(
        through(
            point(
                "spin-orbit-ring",
                gamma=gamma,
                energies=[0.5],
                **{"system.lattice": lattice | {"flux": phi + math.pi + sign * turned}},
            )
        )
        for sign in (-1, 1)
    )
    np.testing.assert_allclose(through(result), both, rtol=1e-12)


@pytest.mark.parametrize("angle", [math.pi / 6, math.pi / 3])
def test_spins_that_interfere_away(angle):
    alpha = math.sqrt((math.cos(math.pi / 12) / math.cos(angle)) ** 2 - 1)
    # Values of axes have twelve digits, and the transmission is the square of what is left.
    settings = {"phi": 0.0, "alpha": alpha, "energies": [0.5]}
    assert through(point("spin-orbit-ring", gamma=0, **settings)) < 1e-22
    assert through(point("spin-orbit-ring", gamma=0.2, **settings)) > 0.01


@pytest.mark.parametrize("width", [2, 4])
def test_a_file_of_wannier90_is_the_lattice_of_keywords(width):
    energies = (2.7 * np.array(ENERGIES)).tolist()
    file, keywords = (
        point("wannier90-ribbon", W=width, lattice=case, energies=energies)
        for case in ("file", "keywords")
    )
    for name in ("transmission", "reflection", "spectral_particle_noise"):
        np.testing.assert_allclose(value(file, name), value(keywords, name), atol=1e-12)
    assert (through(file) < zigzag_counts(width) + 1e-12).all()


@pytest.mark.parametrize("k", [0.3, 2.0943951023931953, 2.1, 4.4])
def test_channels_of_a_file_by_wave_number(k):
    energies = (2.7 * np.array(ENERGIES)).tolist()
    result = point("wannier90-bulk", k=k, energies=energies)
    size = abs(1 + np.exp(1j * k))
    np.testing.assert_allclose(through(result), between(abs(1 - size), 1 + size), atol=1e-10)


def ssh_by_hand(t1, g, bias=0.4):
    """Currents and noise by the whole scattering matrix, each channel of the gain in it."""
    sites, temperature = 20, 0.1
    bonds = np.where(np.arange(sites - 1) % 2 == 0, t1, 1.0)
    h = -np.diag(bonds, 1) - np.diag(bonds, -1)
    low, high = abs(1 - t1), 1 + t1
    theta, weight = np.polynomial.legendre.leggauss(160)
    theta, weight = (theta + 1) * np.pi / 2, weight * np.pi / 2
    currents, noise = np.zeros(2), np.zeros((2, 2))
    for sign in (-1, 1):
        energies = sign * (low + high) / 2 - (high - low) / 2 * np.cos(theta)
        steps = weight * (high - low) / 2 * np.sin(theta) / (2 * np.pi)
        for energy, step in zip(energies, steps, strict=True):
            # E g^2 - (E^2 + 1 - t1^2) g + E = 0
            b = energy**2 + 1 - t1**2
            roots = np.roots([energy, -b, energy])
            sigma = roots[np.argmin(roots.imag)]
            width = np.zeros((sites, 2 + sites // 2))
            width[0, 0] = width[-1, 1] = np.sqrt(-2 * sigma.imag)
            width[np.arange(1, sites, 2), np.arange(2, 2 + sites // 2)] = np.sqrt(2 * g)
            ends = np.isin(np.arange(sites), (0, sites - 1))
            loss = np.diag(g * (np.arange(sites) % 2) + 1j * sigma * ends)
            green = np.linalg.inv(energy * np.eye(sites) - h + 1j * loss)
            s = -np.eye(width.shape[1]) + 1j * width.T @ green @ width
            filled = 1 / (1 + np.exp((energy - bias / 2 * np.array([1, -1])) / temperature))
            n = np.diag([*filled, *np.ones(sites // 2)])
            a = [np.diag(one) - s.conj().T @ np.diag(one) @ s for one in np.eye(len(n))[:2]]
            currents += step * np.array([np.trace(n @ x).real for x in a])
            empty = np.eye(len(n)) - n
            noise += step * np.array([[np.trace(n @ x @ empty @ y).real for y in a] for x in a])
    return currents, noise


@pytest.mark.parametrize(("t1", "g"), [(0.6, 0.02), (1.0, 0.1), (1.7, 0.1), (0.8, 0)])
def test_gain_on_a_sublattice(t1, g):
    currents, noise = ssh_by_hand(t1, g)
    result = point("ssh-gain", process="gain", g=g, t1=t1)
    net = (currents[0] - currents[1]) / 2
    np.testing.assert_allclose(value(result, "net_particle_current"), net, rtol=2e-6)
    np.testing.assert_allclose(value(result, "particle_noise"), noise, rtol=2e-6, atol=1e-9)
    other = point("ssh-gain", process="loss", g=g, t1=t1)
    names = ["net_particle_current", "net_particle_noise", "scattering_entropy_production"]
    for name in names:
        np.testing.assert_allclose(value(other, name), value(result, name), rtol=2e-6, atol=1e-9)


def test_gain_on_a_sublattice_sends_as_much_to_both_sides():
    same = {f"system.leads.{lead}.chemical_potential": 0.1 for lead in ("left", "right")}
    result = point("ssh-gain", process="gain", g=0.1, t1=0.7, **same)
    assert abs(value(result, "net_particle_current")) < 1e-9


def hall(mu, flux=0.5, swapped=False):
    pairs = {"current": ["left", "right"], "voltage": ["bottom-1", "top-1"]}
    if swapped:
        pairs = {"current": pairs["voltage"], "voltage": pairs["current"]}
    observables = [{"resistances": {"hall": pairs}}]
    settings = {"system.lattice.flux": flux, "observables": observables}
    return value(point("hall-bar", mu=mu, **settings), "resistance")[0] / (2 * math.pi)


@pytest.mark.parametrize(("mu", "filled"), [(-3.0, 1), (-2.2, 2), (-1.5, 3)])
def test_plateaus_of_the_hall_resistance(mu, filled):
    """Edges overlap the less the wider the bar."""
    departures = []
    for width in (12, 16, 20):
        result = point("hall-bar", mu=mu, **{"system.lattice.shape.width": width})
        found = value(result, "resistance") / (2 * math.pi)
        departures.append(abs(found - [1 / filled, 0]).max())
    assert departures[0] < 1e-3
    assert departures[1] < departures[0] / 20
    assert departures[2] < departures[1] / 20


@pytest.mark.parametrize("mu", [-2.6, -1.87])
def test_reciprocity_of_the_hall_bar_between_plateaus(mu):
    """Onsager and Casimir: current and voltage exchanged in the opposite flux."""
    assert hall(mu, 0.5) == pytest.approx(hall(mu, -0.5, swapped=True), rel=1e-9)
    assert abs(hall(mu, -0.5) + hall(mu, 0.5)) > 1e-3


@pytest.mark.parametrize("height", [-0.05, 0.2, 0.38, 0.5, 0.86, 1.0])
def test_modes_of_a_point_contact(height):
    """Of a saddle without a lattice ``T_n = 1/(1 + exp(2 pi (V - V_n)/w))``, ``w^2 = 4 V/7^2``."""
    result = point("point-contact", V=height)
    modes = value(result, "transmission_eigenvalue")[1, 0, :, 0]
    noise = 2 * math.pi * value(result, "spectral_particle_noise")[0, 0, 0]
    assert through(result) == pytest.approx(modes.sum())
    assert noise == pytest.approx((modes * (1 - modes)).sum())
    assert value(result, "fano_factor")[1, 0, 0] == pytest.approx(noise / modes.sum())
    # Levels on the lattice: w_n of (p^2 + 0.15^2 y^2) on 12 rows, in place of 0.3 (n - 1/2).
    rows = np.arange(12) - 5.5
    across = np.diag(2 + 0.0225 * rows**2) - np.eye(12, k=1) - np.eye(12, k=-1)
    tops = height + np.linalg.eigvalsh(across)[:4]
    expected = 1 / (1 + np.exp(2 * math.pi * (tops - 1) / (2 / 7)))
    np.testing.assert_allclose(modes[:4], expected, atol=0.1)


def test_noise_of_a_point_contact_vanishes_on_steps():
    on, *between = (
        2 * math.pi * value(point("point-contact", V=height), "spectral_particle_noise")[0, 0, 0]
        for height in (0.0, 0.205, 0.21, 0.215, 0.22)
    )
    assert on < 1e-3
    assert max(between) == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize(("length", "half_width"), [("12", 1), ("24", 1), ("36", 0.8)])
def test_a_third_of_the_noise_of_independent_particles(length, half_width):
    """Whatever the disorder: ``N R = 1 + L/l`` and ``F = (1 - (1 + L/l)^-3)/3`` (de Jong and
    Beenakker, Phys. Rev. B 51, 16867), to the spread of samples and the interference of few
    channels."""
    study = load_study(CONFIG / "diffusive-wire.yaml")
    parameters = parameters_of(study, {"L": length})
    disorder = parameters.system.disorder.model_copy(update={"half_width": half_width})
    system = parameters.system.model_copy(update={"disorder": disorder})
    parameters = parameters.model_copy(update={"system": system})
    samples = [study.kind.evaluate(parameters, np.random.default_rng(k)) for k in range(20)]
    fano = np.array([sample.values["fano_factor"][1, 0, 0] for sample in samples])
    resistance = np.mean([sample.values["resistance"][0] for sample in samples])
    assert samples[0].values["open_channels"][0, 0] == 15
    ratio = 15 * resistance / (2 * math.pi)
    assert 2 < ratio < 4
    expected = (1 - ratio**-3) / 3
    assert fano.mean() == pytest.approx(expected, abs=3 * fano.std() / len(fano) ** 0.5)
    assert fano.std() < 0.05
