"""Leads of coupled orbitals: their surface Green's function, and all that the engine makes of them.

Numbers without a formula are those of an ordered Schur form of the transfer matrices of whole
cells, confirmed by another package where it knows of such a quantity.
"""

from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg

import nessflow as nf
from nessflow.scattering.currents import transmission
from nessflow.scattering.profiles import terminal_currents
from nessflow.scattering.sites.integrals import local_integrals
from nessflow.solvers import banded, blocks, dense
from nessflow.solvers.dense import scattering_matrix
from nessflow.solvers.pairwise import bonds
from nessflow.solvers.solver import Solver
from nessflow.spectrum.bound_states import bound_states
from nessflow.spectrum.rates import Rates
from nessflow.studies.systems import open_system
from nessflow.systems.leads.semi_infinite_ssh import SemiInfiniteSSH
from nessflow.systems.leads.subbands import bloch, subbands
from nessflow.systems.leads.surface import Surface
from nessflow.systems.leads.table import Table
from nessflow.systems.leads.unit_cell import UnitCell, _response
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.system import OpenSystem, attached_leads

SIGMA_Y = np.array([[0, -1j], [1j, 0]])


def rows_of(matrix) -> tuple:
    return tuple(tuple(complex(x) for x in row) for row in matrix)


def unit_cell(cell, hopping, coupling=None, **terminal):
    """Return the lead, with its role where it is a terminal."""
    kind = nf.leads.UnitCell if terminal else UnitCell
    own = {} if coupling is None else {"coupling": rows_of(coupling)}
    return kind(cell=rows_of(cell), hopping=rows_of(hopping), **own, **terminal)


def column(width: int) -> np.ndarray:
    return -np.eye(width, k=1) - np.eye(width, k=-1)


def strip(width: int, flux: float) -> tuple[np.ndarray, np.ndarray]:
    """Return cell and hopping to the right of a strip, the flux in the hopping along it."""
    return column(width), np.diag(-np.exp(1j * flux * np.arange(1, width + 1)))


def zigzag(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return cell and hopping of a ribbon of honeycombs; the hopping has half of its rank."""
    cell, hopping = np.zeros((2, 2 * width, 2 * width))
    for j in range(width):
        cell[2 * j, 2 * j + 1] = -1
        if j < width - 1:
            cell[2 * j + 1, 2 * j + 2] = -1
        hopping[2 * j + 1, 2 * j] = -1
    return cell + cell.T, hopping


def rashba(coupling: float, field: float) -> tuple[np.ndarray, np.ndarray]:
    return np.diag([field, -field]), -np.eye(2) + 1j * coupling * SIGMA_Y


LEADS = {
    "strip": strip(4, 0.0),
    "flux": strip(5, 0.5),
    "zigzag": zigzag(4),
    "wire with spin": rashba(0.5, 0.3),
}


@pytest.fixture(params=LEADS.values(), ids=LEADS)
def lead(request):
    return request.param


def by_schur_form(energy: float, cell: np.ndarray, hopping: np.ndarray) -> np.ndarray:
    """Return the surface Green's function of whole cells, without what deflates them."""
    n, found = len(cell), []
    for above in (1e-11, 2e-11):
        inner = (energy + 1j * above) * np.eye(n) - cell
        first = np.block([[np.zeros((n, n)), np.eye(n)], [-hopping.conj().T, inner]])
        second = np.block([[np.eye(n), np.zeros((n, n))], [np.zeros((n, n)), hopping]])
        z = scipy.linalg.ordqz(first.astype(complex), second, sort="iuc", output="complex")[5]
        forward = z[n:, :n] @ np.linalg.inv(z[:n, :n])
        found.append(np.linalg.inv(inner - hopping @ forward))
    return 2 * found[0] - found[1]


# --- the lead alone -------------------------------------------------------------------------------


def test_the_self_energy_is_that_of_whole_cells(lead):
    cell, hopping = lead
    energies = np.linspace(-3.1, 3.2, 23)
    found, _ = Surface(cell, hopping, hopping).at(energies)
    expected = [hopping @ by_schur_form(w, cell, hopping) @ hopping.conj().T for w in energies]
    np.testing.assert_allclose(found, expected, atol=3e-12)


def test_one_cell_more_in_the_system_changes_nothing(lead):
    cell, hopping = lead
    energies = np.linspace(-2.9, 2.95, 19)
    sigma, _ = Surface(cell, hopping, hopping).at(energies)
    inner = energies[:, None, None] * np.eye(len(cell)) - cell - sigma
    expected = hopping @ np.linalg.inv(inner) @ hopping.conj().T
    np.testing.assert_allclose(sigma, expected, atol=1e-12)


@pytest.mark.parametrize("seed", [18, 30, 38])
@pytest.mark.parametrize("kind", ["computed", "interpolated"])
def test_one_cell_more_changes_nothing_close_to_a_state_at_the_end(seed, kind):
    """Random cells of three orbitals of which one hops on: waves that nearly vanish in a cell."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, 3, 3)) + 1j * rng.normal(size=(3, 3, 3))
    cell, hopping = 0.5 * (a + a.conj().T), np.outer(b[0], c[0]) / np.sqrt(3)
    lead = unit_cell(cell, hopping, b[1:])
    lead = lead.interpolated if kind == "interpolated" else lead
    (level, _), *_ = lead.end_states or [(lead.reference_energy, None)]
    energies = level + np.concatenate([x * np.geomspace(1e-7, 0.3, 40) for x in (-1, 1)])
    whole = UnitCell(cell=rows_of(cell), hopping=rows_of(hopping))
    beyond = (whole.interpolated if kind == "interpolated" else whole).self_energy_matrix(
        energies, 3
    )
    inner = energies[:, None, None] * np.eye(3) - cell - beyond
    expected = b[1:] @ np.linalg.inv(inner) @ b[1:].conj().T
    found = lead.self_energy_matrix(energies, 2)
    # What a level of some width beside it feels: a pole takes it off.
    felt = [np.linalg.inv(x + 1j * np.eye(2)) for x in (found, expected)]
    np.testing.assert_allclose(*felt, atol=1e-10)


def test_channels_are_as_many_as_bands_that_are_crossed(lead):
    cell, hopping = lead
    energies = np.linspace(-2.93, 2.91, 31)
    bands = np.linalg.eigvalsh(bloch(cell, hopping, np.linspace(0, 2 * np.pi, 4001)))
    crossed = [(np.diff(np.sign(bands - w), axis=0) != 0).sum() // 2 for w in energies]
    np.testing.assert_array_equal(Surface(cell, hopping, hopping).open_channels(energies), crossed)


def test_a_chain_is_one_cell_of_one_orbital():
    energies = np.linspace(-3, 3, 40)
    chain = nf.leads.SemiInfiniteChain(
        hopping=0.8, coupling=0.5, onsite=0.1, chemical_potential=0, temperature=0
    )
    same = unit_cell([[0.1]], [[-0.8]], [[-0.5]])
    np.testing.assert_allclose(
        same.self_energy(energies), chain.self_energy(energies), atol=1e-14, rtol=1e-13
    )
    np.testing.assert_allclose(same.bands, chain.bands, atol=1e-12)


def test_states_at_the_end_are_poles():
    """A topological chain, and two of them with spins that are not alike."""
    t1, t2, g = 0.6, 1.0, 0.7
    one = np.array([[0.2, -t1], [-t1, 0.2]]), np.array([[0, 0], [-t2, 0]])
    ((level, residue),) = unit_cell(*one, [[-g, 0]]).poles
    assert level == pytest.approx(0.2, abs=1e-13)
    assert residue == pytest.approx(g**2 * (1 - (t1 / t2) ** 2), rel=1e-11)
    spin = 0.05 * np.array([[1, 0.3j], [-0.3j, -1]])
    cell = np.kron(one[0], np.eye(2)) + np.kron(np.eye(2), spin)
    both = unit_cell(cell, np.kron(one[1], np.eye(2)), -g * np.eye(2, 4))
    levels = [level for level, _ in both.end_states]
    np.testing.assert_allclose(levels, 0.2 + np.linalg.eigvalsh(spin), atol=1e-12)


@pytest.mark.parametrize(
    "energy",
    [-2.0, 2.0, 1.0, -1.0, 0.0, 1 + 1e-9, 1 - 1e-9, 1 + 1e-13, -2 - 1e-15, 0.8, 1e-12],
)
def test_special_energies_are_close_to_their_neighbours(energy):
    """Edges, flat bands, four subbands that meet: finite, retarded, on the branch next to them."""
    for cell, hopping in (strip(1, 0.0), zigzag(4), strip(3, 0.0), armchair(5)):
        surface = Surface(cell, hopping, hopping)
        found, amplitudes = surface.at(np.array([energy]))
        beside, _ = surface.at(energy + np.array([-1e-5, 1e-5]))
        assert np.isfinite(found).all()
        size = max(1.0, abs(found).max())
        damping = 1j * (found[0] - found[0].conj().T)
        np.testing.assert_allclose(
            damping, amplitudes[0] @ amplitudes[0].conj().T, atol=1e-9 * size
        )
        if abs(beside).max() < 10:  # no pole between them
            nearest = min(abs(found[0] - x).max() for x in beside)
            assert nearest < 0.02


def armchair(width: int) -> tuple[np.ndarray, np.ndarray]:
    cell, hopping = np.zeros((2, 2 * width, 2 * width))
    for j in range(width):
        cell[2 * j, 2 * j + 1] = -1
        for i in (j - 1, j + 1):
            if 0 <= i < width and j % 2 == 0:
                cell[2 * i, 2 * j + 1] = -1
            elif 0 <= i < width:
                hopping[2 * j + 1, 2 * i] = -1
    return cell + cell.T, hopping


def test_subband_edges():
    edges, bands, _ = subbands(*strip(5, 0.5))
    half = [0.074565516308, 0.362537545261, 0.430336539693, 1.409449026154, 2.473232190256]
    half.append(3.500886225671)
    np.testing.assert_allclose(edges, [-x for x in half[::-1]] + half, atol=1e-11)
    assert len(bands) == 1
    edges, *_ = subbands(*rashba(0.5, 0.3))
    np.testing.assert_allclose(edges, [-2.334523505986, -2.3, -1.7, 1.7, 2.3, 2.334523505986])
    # A flat band, and two that touch at a point.
    edges, bands, _ = subbands(*armchair(5))
    assert any(abs(x - 1) < 1e-9 for x in edges)


def turned(cell, hopping) -> tuple[np.ndarray, np.ndarray]:
    """Return a ribbon in a flux: a phase of the hopping on each row."""
    return cell, hopping * np.exp(0.3j * np.arange(len(cell)))[:, None]


@pytest.mark.parametrize("width", range(2, 9))
@pytest.mark.parametrize(
    "cells",
    [
        armchair,
        zigzag,
        lambda width: strip(width, 0.0),
        lambda width: strip(width, 0.5),
        lambda width: turned(*armchair(width)),
        lambda width: turned(*zigzag(width)),
    ],
    ids=["armchair", "zigzag", "strip", "strip-flux", "armchair-flux", "zigzag-flux"],
)
def test_gaps_are_where_no_wave_vector_has_a_state(cells, width):
    """Bands that cross leave no gap, wherever they do."""
    cell, hopping = cells(width)
    _, bands, _ = subbands(cell, hopping)
    count = 4000
    energies = np.linalg.eigvalsh(bloch(cell, hopping, np.linspace(0, 2 * np.pi, count + 1)))
    step = 2 * np.linalg.norm(hopping, 2) * 2 * np.pi / count  # of an energy at most
    for (_, low), (high, _) in pairwise(bands):
        assert high - low > step
        assert not ((low + 1e-9 < energies) & (energies < high - 1e-9)).any()
    met = np.sort(energies.ravel())
    wide = np.flatnonzero(np.diff(met) > step)
    assert len(wide) <= len(bands) - 1
    inside = [((low - 1e-9 <= met) & (met <= high + 1e-9)) for low, high in bands]
    assert np.any(inside, axis=0).all()


# --- through the engine ---------------------------------------------------------------------------


def strip_system(length, width, flux, onsite, left, right, loss=None, gain=None) -> OpenSystem:
    """Return a strip between leads on its first and last column."""
    n = length * width
    h = np.diag(onsite).astype(complex)
    for x in range(length):
        here = slice(x * width, (x + 1) * width)
        h[here, here] += column(width)
        if x < length - 1:
            beyond = slice((x + 1) * width, (x + 2) * width)
            h[here, beyond] = strip(width, flux)[1]
            h[beyond, here] = h[here, beyond].conj().T
    zero = Tridiagonal.zero(n)
    leads = [
        *attached_leads("left", left[0], list(range(width)), *left[1:]),
        *attached_leads("right", right[0], list(range(n - width, n)), *right[1:]),
    ]
    return OpenSystem(h, zero if loss is None else loss, zero if gain is None else gain, leads)


def onsite_energies(count: int, size: float) -> np.ndarray:
    return size * np.sin(1.3 * np.arange(1.0, count + 1) ** 2)


def flux_strip(**rates) -> OpenSystem:
    cell, hopping = strip(5, 0.5)
    left, right = unit_cell(cell, hopping.conj()), unit_cell(cell, hopping)
    energies = onsite_energies(30, 0.8)
    return strip_system(6, 5, 0.5, energies, (left, -1.0, 0.05), (right, -1.5, 0.05), **rates)


def test_transmissions_of_a_strip_with_flux():
    energies = np.array([-3.4, -2.9, -2.1, -1.03, -0.2, 0.45])
    expected = [
        0.6696012198115713,
        0.9081480993861837,
        1.111695026515416,
        1.712653071210882,
        1.978051894937829,
        0.541958962975776,
    ]
    np.testing.assert_allclose(Rates(flux_strip(), energies).leads[0, 1], expected, atol=1e-12)


def random_rates(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    v = 0.1 * (rng.standard_normal((30, 4)) + 1j * rng.standard_normal((30, 4)))
    return v @ v.conj().T


def test_all_terminals_are_what_the_scattering_matrix_says():
    system = flux_strip(loss=random_rates(1), gain=random_rates(2))
    energies = np.linspace(-3.6, 3.6, 13)
    s, terminal = scattering_matrix(system, energies)
    np.testing.assert_allclose(s @ s.conj().swapaxes(1, 2) - np.eye(s.shape[1]), 0, atol=1e-13)
    between = np.array(
        [
            [(abs(s[:, terminal == a][:, :, terminal == b]) ** 2).sum((1, 2)) for b in range(4)]
            for a in range(4)
        ]
    )
    rates = Rates(system, energies)
    np.testing.assert_allclose(rates.leads[0, 1], between[0, 1], atol=1e-13)
    np.testing.assert_allclose(rates.leads[1, 0], between[1, 0], atol=1e-13)
    for k in range(2):
        for found, other in (
            (rates.from_loss[k], between[k, 2]),
            (rates.from_gain[k], between[k, 3]),
            (rates.to_loss[k], between[2, k]),
            (rates.to_gain[k], between[3, k]),
        ):
            np.testing.assert_allclose(found, other, atol=1e-13)
    np.testing.assert_allclose(rates.absorbed, rates.spectral, atol=1e-13)


# --- the same lead in two ways --------------------------------------------------------------------

EVERYTHING = [
    "currents",
    "noise",
    "cumulants",
    "entropy-production",
    "scattering-entropy",
    "density",
    "bond-currents",
    {"local-density-of-states": {"energies": [-1.3, 0.2, 1.1]}},
]


def of_one_strip(lead, turn, **more) -> nf.System:
    """Return a strip of two rows between leads, in a gauge of its rows."""
    energies = onsite_energies(8, 0.7)
    h = np.diag(energies).astype(complex)
    for x in range(4):
        h[2 * x : 2 * x + 2, 2 * x : 2 * x + 2] += column(2)
    for j in range(6):
        h[j, j + 2] = h[j + 2, j] = -1
    phases = np.tile(turn, 4)
    h = phases.conj()[:, None] * h * phases
    lattice = nf.lattices.Matrix(hamiltonian=rows_of(h))
    ends = {"left": ([1, 2], 0.6, 0.1), "right": ([7, 8], -0.2, 0.2)}
    leads = {
        name: lead(site=site, chemical_potential=mu, temperature=temperature)
        for name, (site, mu, temperature) in ends.items()
    }
    return nf.System(lattice=lattice, leads=leads, **more)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"loss": nf.channels.Sites(rates={3: 0.1, 5: 0.05}), "gain": nf.channels.Onsite(rate=0.02)},
    ],
    ids=["closed", "lossy"],
)
@pytest.mark.parametrize("turn", [np.ones(2), np.exp([0.3j, -1.1j])], ids=["real", "complex"])
def test_a_strip_by_its_modes_and_by_its_cells(turn, more):
    """Chains in closed form, and the same cells with amplitudes that follow the energy."""
    cell = turn.conj()[:, None] * column(2) * turn
    given = {"cell": rows_of(cell), "hopping": rows_of(-np.eye(2))}
    by_modes = of_one_strip(lambda **role: nf.leads.UnitCell(**given, **role), turn, **more)
    coupling = {"coupling": rows_of(-np.eye(2))}
    by_cells = of_one_strip(
        lambda **role: nf.leads.UnitCell(**given, **coupling, **role), turn, **more
    )
    first, second = nf.solve(by_modes, EVERYTHING), nf.solve(by_cells, EVERYTHING)
    assert first.attrs["status"] == second.attrs["status"]
    compared = 0
    for name in first.data_vars:
        if f"{name}_error" not in first:
            continue
        error = first[f"{name}_error"] + second[f"{name}_error"]
        difference = abs(first[name] - second[name])
        assert bool(((difference <= error + 1e-15) | difference.isnull()).all()), name
        assert bool((first[name].isnull() == second[name].isnull()).all()), name
        compared += 1
    assert compared > 15


def test_bound_states_between_the_bands_of_cells():
    """A level between two topological chains, once in closed form and once as cells."""
    chain = nf.leads.SemiInfiniteSSH(
        intracell=0.6, intercell=1.0, coupling=0.7, chemical_potential=0, temperature=0
    )
    cells = unit_cell([[0, -0.6], [-0.6, 0]], [[0, 0], [-1, 0]], [[-0.7, 0], [0, 0.0]])
    alone = unit_cell([[0, -0.6], [-0.6, 0]], [[0, 0], [-1, 0]], [[-0.7, 0]])
    h = np.array([[0.1, -0.5], [-0.5, 0.3]])
    zero = Tridiagonal.zero(2)
    found = [
        bound_states(OpenSystem(h, zero, zero, attached_leads("left", lead, site, 0.0, 0.1)))
        for lead, site in ((chain, 0), (alone, [0]), (cells, [0, 1]))
    ]
    assert found[0].levels.size > 0
    for other in found[1:]:
        np.testing.assert_allclose(other.levels, found[0].levels, atol=1e-10)
        np.testing.assert_allclose(abs(other.vectors), abs(found[0].vectors), atol=1e-7)


SPINS = np.linalg.qr(np.array([[0.3, 1.1], [0.7j, -0.2 + 0.4j]]))[0]
LEVELS = (0.05, -0.08)


def mixed_spins(**role):
    """Return topological chains of two spins as one lead, mixed by a rotation of each site."""
    turn = np.kron(np.eye(2), SPINS)
    cell = np.kron(np.array([[0, -0.6], [-0.6, 0]]), np.eye(2)) + np.diag(LEVELS * 2)
    hopping = np.kron(np.array([[0, 0], [-1.0, 0]]), np.eye(2))
    given = (turn @ x @ turn.conj().T for x in (cell, hopping))
    return unit_cell(*given, -0.7 * np.eye(2, 4), **role)


def of_one_spin(energy, level):
    """Self-energy of one of them in a gap, in extended precision."""
    w, g, t1, t2 = np.longdouble(energy) - np.longdouble(level), *map(np.longdouble, (0.7, 0.6, 1))
    root = np.sqrt((w**2 - (t1 - t2) ** 2) * (w**2 - (t1 + t2) ** 2))
    return g**2 * (w**2 + t2**2 - t1**2 + root) / (2 * w * t2**2)


@pytest.mark.parametrize("distance", [0.1, -1e-2, 1e-3, 1e-4, 1e-6, -1e-8, 1e-10])
def test_transmissions_next_to_states_at_the_end_are_within_their_errors(distance):
    h, rates = np.array([[0.2, 0.3], [0.3, -0.1]]), (0.5, 0.3)
    role = {"chemical_potential": 0.0, "temperature": 0.1}
    leads = {"cells": mixed_spins(site=[1, 2], **role)}
    for name, site, rate in zip("ab", (1, 2), rates, strict=True):
        leads[name] = nf.leads.WideBand(broadening=rate, site=site, **role)
    system = nf.System(lattice=nf.lattices.Matrix(hamiltonian=rows_of(h)), leads=leads)
    energy = LEVELS[0] + distance
    data = nf.point("transmission", system=system, energies=[energy])
    between = {"terminal": "a", "terminal_2": "b", "energy": energy}
    found, error = (float(data[f"transmission{x}"].sel(between)) for x in ("", "_error"))
    turn = SPINS.astype(np.clongdouble)
    sigma = turn.dot(np.diag([of_one_spin(energy, x) for x in LEVELS])).dot(turn.conj().T)
    inverse = np.eye(2) * np.longdouble(energy) - h - sigma + 0.5j * np.diag(rates)
    determinant = inverse[0, 0] * inverse[1, 1] - inverse[0, 1] * inverse[1, 0]
    expected = float(np.prod(rates) * abs(inverse[0, 1] / determinant) ** 2)
    assert abs(found - expected) <= error + 1e-17 < 1e-5 * expected
    if abs(distance) >= 1e-4:
        assert abs(found - expected) < 1e-13 * expected


def test_an_edge_that_was_not_seen_costs_no_channel(monkeypatch):
    cell, hopping = strip(5, 0.5)
    lead = unit_cell(cell, hopping)
    energies = np.linspace(-3.4, 3.4, 41)
    expected = lead.self_energy_matrix(energies, 5)
    few = lead.edges[:1] + lead.edges[6:7] + lead.edges[-1:]
    monkeypatch.setattr(UnitCell, "edges", few)
    monkeypatch.setattr(UnitCell, "edge_orders", (2, 2, 2))
    found = UnitCell(**{**lead.model_dump(exclude={"kind"}), "coupling": rows_of(hopping)})
    v = found.interpolated.channel_amplitudes(energies, 5)
    np.testing.assert_allclose(
        v @ v.conj().swapaxes(1, 2),
        1j * (expected - expected.conj().swapaxes(1, 2)),
        atol=1e-6,
    )


def ribbon(length=7, width=4, bias=0.0, **more) -> nf.System:
    sides = {"left": 0.5 * bias, "right": -0.5 * bias}
    return nf.System(
        lattice=nf.lattices.Honeycomb(edge="zigzag", length=length, width=width),
        leads={
            side: nf.leads.Continued(side=side, chemical_potential=mu, temperature=0.1)
            for side, mu in sides.items()
        },
        **more,
    )


@pytest.mark.parametrize("width", [2, 3, 5, 8, 12])
def test_the_edge_states_of_a_ribbon_carry_one_channel_to_the_flattest(width):
    """Their band is ``|q|^width`` about its edge, where as many waves meet as there are rows."""
    signs = np.where(np.arange(24) % 2, 1, -1)
    energies = np.sort(signs * np.geomspace(1e-12, 1e-8, 24))
    data = nf.point("transmission", system=ribbon(2, width), energies=energies.tolist())
    through = data["transmission"].sel(terminal="left", terminal_2="right")
    error = data["transmission_error"].sel(terminal="left", terminal_2="right")
    assert (abs(through - 1) <= error).all()
    assert error.max() < 1e-4


@pytest.mark.parametrize(
    ("length", "width", "solver"), [(2, 5, dense), (7, 4, banded), (9, 12, blocks)]
)
def test_rows_beside_a_huge_self_energy_keep_their_digits(length, width, solver):
    """Nothing is reflected, and the self-energy is 1e7 of a hopping and more."""
    system = open_system(ribbon(length, width), None)
    assert Solver(system).at_contacts is solver
    through = transmission(system, np.array([-1e-8, 1e-8]))[0, 1]
    assert abs(through - 1).max() < 3e-11


def test_next_to_a_flat_band_with_a_vacancy_transmission_goes_on():
    """At 0 it is the limit ``(2 - sqrt(2)) / 4``, where leads that are rounded apart differ."""
    vacancy = nf.disorder.Vacancies(concentration=1, sites=[20])
    energies = np.array([-1e-12, 0.0, 1e-12])
    data = nf.point("transmission", system=ribbon(disorder=vacancy), energies=energies.tolist())
    through = data["transmission"].sel(terminal="left", terminal_2="right")
    error = data["transmission_error"].sel(terminal="left", terminal_2="right")
    expected = (2 - np.sqrt(2)) / 4 + 1.06 * np.sqrt(abs(energies))
    assert (abs(through - expected) <= error).all()
    assert (error < [2e-3, expected[1], 2e-3]).all()
    assert abs(through - expected)[1] < 1e-8


def test_bond_currents_of_a_ribbon_add_to_that_of_its_leads_on_few_energies():
    system = open_system(ribbon(2, 3, bias=0.4), None)
    bonds_of, current = local_integrals(system, ("bonds",)), terminal_currents(system)
    assert bonds_of.converged
    first, second = (bonds(system).T // 6).tolist()
    across = np.array(first) != np.array(second)
    flow, error = (x[across].sum() for x in bonds_of.parts["bonds"][:2])
    expected = current.particle_current
    assert abs(flow - expected.value[0]) <= error + expected.error[0]
    assert error < 1e-9


@pytest.mark.parametrize("kind", ["computed", "interpolated"])
def test_rows_that_are_not_coupled_have_no_amplitude(kind):
    """Rounding of eigenvectors would be a current that integrals resolve for ever."""
    cell, hopping = zigzag(4)
    lead = unit_cell(cell, hopping)
    lead = lead.interpolated if kind == "interpolated" else lead
    found = lead.channel_amplitudes(np.linspace(-2.9, 2.9, 23), 8)
    assert not found[:, ~hopping.any(axis=1)].any()
    assert found[:, hopping.any(axis=1)].any()


def test_series_next_to_a_resonance_of_a_surface_end_in_rounding():
    """At the end of a strip in a strong field states decay slowly: narrow peaks within bands."""
    lead = unit_cell(*strip(8, 1.0))
    energies = 1.16 + 1e-3 * np.linspace(-1.5, 2.5, 41)
    found = lead.interpolated.self_energy_matrix(energies, 8)
    expected = lead.self_energy_matrix(energies, 8)
    assert abs(expected).max() > 30
    np.testing.assert_allclose(found, expected, atol=1e-10 * abs(expected).max())
    assert len(_response(lead.interpolated)._table._panels) < 80


@pytest.mark.parametrize("noise", [1e-12, 1e-10, 1e-8])
def test_values_that_are_rounded_more_than_their_series_tells_are_not_halved_for_ever(noise):
    """Next to nearly flat bands: halves of what ends in rounding end in it as well."""
    edges = -1.0, 0.2, np.nextafter(0.2, 1), 1.0

    def exact(energies):
        return (np.exp(1j * energies) / (1 + 25 * energies**2))[:, None, None]

    def rounded(energies):
        return exact(energies) * (1 + noise * np.sin(1e9 * energies)[:, None, None])

    table = Table(rounded, edges, 1.0)
    energies = np.concatenate([np.linspace(-1.5, 1.5, 301), edges])
    with np.errstate(divide="raise"):
        found = table.at(energies)
    np.testing.assert_allclose(found, exact(energies), rtol=0, atol=20 * noise)
    assert len(table._panels) < 100


def test_an_energy_at_which_unitarity_is_lost_costs_itself_alone():
    """The flat band of a zigzag ribbon with two vacancies, where the self-energy diverges."""
    vacancies = nf.disorder.Vacancies(concentration=1, sites=[20, 21])
    energies = [-0.2, 1e-16, 0.2]
    data = nf.point("transmission", system=ribbon(disorder=vacancies), energies=energies)
    assert data.attrs["status"] == "ok"
    through = data["transmission"].sel(terminal="left", terminal_2="right")
    np.testing.assert_array_equal(np.isnan(through), [False, True, False])
    assert "unitarity violated by" in data["reflection"].attrs["undefined"]
    assert "at the energy 1e-16" in data["reflection"].attrs["undefined"]
    np.testing.assert_allclose(through[0], through[2], atol=1e-12)


def test_a_clean_ribbon_binds_nothing_at_the_edge_of_its_leads():
    system = open_system(ribbon(), None)
    assert bound_states(system.interpolated).levels.size == 0


STUB = 0.7
"""Hopping to the site that hangs from every second one of a chain."""


def stub() -> tuple[np.ndarray, np.ndarray]:
    """Return cell and hopping of a stub lattice, which has a flat band at 0 in its gap."""
    cell, hopping = np.zeros((2, 3, 3))
    cell[0, 1:], cell[1:, 0] = (-1, -STUB), (-1, -STUB)
    hopping[1, 0] = -1
    return cell, hopping


@pytest.mark.parametrize("kind", ["computed", "interpolated"])
def test_a_flat_band_in_a_gap_is_one_pole(kind):
    """By its continued fraction; each cell has a state at that level, and the end sees one."""
    cell, hopping = stub()
    lead = unit_cell(cell, hopping.T)
    lead = lead.interpolated if kind == "interpolated" else lead
    assert lead.edges == pytest.approx([-np.hypot(2, STUB), -STUB, STUB, np.hypot(2, STUB)])
    energies = np.array([-0.2, -1e-3, 1e-6, 0.05, 0.27])
    found, expected = lead.self_energy_matrix(energies, 3)[:, 0, 0], 0.0
    for _ in range(400):
        expected = 1 / (energies - 1 / (energies - STUB**2 / energies - expected))
    np.testing.assert_allclose(found, expected, rtol=1e-10)  # the level is 0 to rounding


def test_what_a_flat_band_in_a_gap_holds_is_bound():
    """On a site beside the stubs, the mean over wave vectors of its share of the flat band."""
    cell, hopping = stub()
    whole = np.kron(np.eye(4), cell) + np.kron(np.eye(4, k=1), hopping)
    whole += np.kron(np.eye(4, k=-1), hopping.T)
    role = {"chemical_potential": 0.1, "temperature": 0.05}
    system = nf.System(
        whole,
        leads={
            "left": unit_cell(cell, hopping.T, site=(1, 2, 3), **role),
            "right": unit_cell(cell, hopping, site=(10, 11, 12), **role),
        },
    )
    data = nf.solve(system, "density")
    share = STUB**2 / np.sqrt((2 + STUB**2) ** 2 - 4)
    expected = np.tile([0.0, share, 1 - share], 4)
    weight, error = data["bound_weight"].values, data["bound_weight_error"].values
    assert (abs(weight - expected) <= error).all()
    assert error.max() < 1e-7


def test_a_level_of_a_cell_that_no_other_sees_is_no_fault():
    """A ribbon of the Lieb lattice, whose flat band has states on single cells."""
    n = 6
    cell, hopping = np.zeros((2, n, n))
    for j in range(0, n, 3):
        cell[j, j + 1] = cell[j, j + 2] = -1
        hopping[j + 1, j] = -1
    cell[2, 3] = -1
    cell += cell.T
    for own in (hopping, hopping.T):
        lead = unit_cell(cell, own)
        energies = np.array([-0.3, 0.0, 1e-8, 0.3])
        found = lead.self_energy_matrix(energies, n)
        assert np.isfinite(found).all()
        above = lead.surface.decaying(energies[[0, 3]] + 1e-10j)
        np.testing.assert_allclose(found[[0, 3]], above, atol=1e-7)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("gap", [0.4, 0.1, 1e-2, 1e-3, 1e-4])
def test_a_self_energy_that_vanishes_in_a_narrow_gap(gap, sign):
    """Dimers, by a formula: waves are next to each other, and what they tell vanishes at 0."""
    formula = SemiInfiniteSSH(intracell=1, intercell=1 - gap, coupling=1)
    hopping = [[0, 0], [gap - 1, 0]]
    cells = UnitCell(cell=[[0, -1], [-1, 0]], hopping=hopping, coupling=[[-1, 0]])
    energies = sign * gap * 10.0 ** -np.arange(1, 12)
    missed = abs(cells.self_energy(energies) - formula.self_energy(energies))
    assert missed.max() < 64 * np.finfo(float).eps / gap
