"""Densities of states, occupations and bond currents: sum rules, continuity, other routes."""

from dataclasses import replace

import numpy as np
import pytest

from nessflow.observables.bond_currents import BondCurrents
from nessflow.observables.currents import Currents
from nessflow.observables.density import Density
from nessflow.observables.local_density_of_states import LocalDensityOfStates
from nessflow.observables.observable import evaluate
from nessflow.observables.sites.bond_transmission import BondTransmission
from nessflow.outcome import Status
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.currents import transmission
from nessflow.scattering.profiles import divergence
from nessflow.solvers.dark_states import dark_states
from nessflow.solvers.pairwise import bonds
from nessflow.spectrum.occupation import fermi
from nessflow.studies import systems
from nessflow.systems.matrices import as_dense, as_sparse
from nessflow.systems.system import OpenSystem
from precise import solved

BAND = {"kind": "semi-infinite-chain", "temperature": 0.1}
WIDE = {"kind": "wide-band", "broadening": 1.1, "temperature": 0}


def leads(kind, left=0.5, right=-0.5, **more):
    return {
        "left": kind | {"chemical_potential": left} | more,
        "right": kind | {"chemical_potential": right} | more,
    }


BOND_LOSS = {"kind": "bond", "rate": 1.0, "boundary": True}
SYSTEMS = {
    "lossy wire": {
        "lattice": {"kind": "chain", "sites": 6},
        "loss": {"kind": "sites", "rates": {3: 0.1}},
        "leads": leads(BAND),
    },
    "bond loss": {
        "lattice": {"kind": "chain", "sites": 12, "hopping": 3.0},
        "loss": BOND_LOSS,
        "leads": leads(WIDE, 0.72, 0.12),
    },
    "bond gain": {
        "lattice": {"kind": "chain", "sites": 5},
        "gain": BOND_LOSS | {"phase": 0.4},
        "loss": {"kind": "onsite", "rate": 0.2},
        "leads": leads(BAND),
    },
    "flux": {
        "lattice": {"kind": "ring", "sites": 6, "flux": 0.7},
        "loss": {"kind": "sites", "rates": {2: 0.3}},
        "gain": {"kind": "onsite", "rate": 0.05},
        "leads": leads(BAND),
    },
    "strip": {
        "lattice": {"kind": "strip", "length": 4, "width": 3},
        "leads": {
            "left": WIDE | {"site": [1, 2, 3], "chemical_potential": 0.2},
            "right": WIDE | {"site": [10, 11, 12], "chemical_potential": -0.2},
        },
    },
}
WITH_OTHERS = SYSTEMS | {
    "dark": {"lattice": {"kind": "ring", "sites": 8}, "leads": leads(BAND)},
    "bound": {
        "lattice": {"kind": "chain", "sites": 5, "onsite": [0, 0, 3.0, 0, 0]},
        "leads": leads(BAND),
    },
    "narrow": {
        "lattice": {"kind": "star", "arms": 3, "length": 2},
        "loss": {"kind": "sites", "rates": {4: 1e-13}},
        "leads": {
            "left": BAND | {"chemical_potential": 0.5, "site": 3},
            "right": BAND | {"chemical_potential": -0.5, "site": 7, "coupling": 1e-8},
        },
    },
}


def system_of(description) -> OpenSystem:
    return systems.open_system(systems.System.model_validate(description), None)


def values(system, *observables):
    found = evaluate(system, observables)
    assert (found.status, found.message) == (Status.OK, "")
    return found.values


def energies(start, stop, points):
    return LocalDensityOfStates(energies={"start": start, "stop": stop, "points": points})


@pytest.mark.parametrize("name", WITH_OTHERS)
def test_density_of_states_is_the_imaginary_part_of_greens_function(name):
    """In extended precision: where there is none, all that decays is filled by some terminal."""
    system, grid = system_of(WITH_OTHERS[name]), energies(-2.3, 2.7, 41)
    found = values(system, grid)
    dark = dark_states(system).vectors
    for k, energy in enumerate(grid.energies.values()):
        matrix = energy * np.eye(system.sites) - system.damping_matrix() + 1j * dark @ dark.conj().T
        for lead in system.leads:
            matrix[lead.site, lead.site] -= lead.self_energy(np.array([energy]))[0]
        green = solved(matrix, np.eye(system.sites))
        # Dark states, moved off the real line, are taken out to the digits of their vectors.
        levels = dark_states(system).levels
        extra = (dark * (1 / (energy - levels + 1j))) @ dark.conj().T
        expected = -np.diag(green - extra).imag / np.pi
        missed = abs(expected - found["local_density_of_states"][:, k])
        own = 1e-13 if levels.size else 0.0
        assert (missed <= found["local_density_of_states_error"][:, k] + own).all()


@pytest.mark.parametrize("name", ["bond loss", "strip"])
def test_density_of_states_integrates_to_one(name):
    """Beyond the ends it falls as ``(Gamma + 2P + 2Q)_jj / 2 pi E^2``."""
    system, end = system_of(SYSTEMS[name]), 300.0
    found = values(system, energies(-end, end, 100_000))["local_density_of_states"]
    inside = np.trapezoid(found, dx=2 * end / (found.shape[1] - 1), axis=1)
    rates = 2 * np.diag(as_dense(system.loss) + as_dense(system.gain)).real
    for lead in system.leads:
        rates[lead.site] += lead.broadening_at(np.zeros(1))[0]
    np.testing.assert_allclose(inside + rates / (np.pi * end), 1, atol=1e-6)


@pytest.mark.parametrize("name", WITH_OTHERS)
def test_occupation_and_weight_of_what_no_terminal_fills(name):
    system = system_of(WITH_OTHERS[name])
    found = values(system, Density())
    assert (found["occupation"] + found["bound_weight"] <= 1 + found["occupation_error"]).all()
    # The weight comes from vectors; its error is by how much all together miss 1.
    assert found["bound_weight_error"].max() < 1e-9
    if name == "dark":
        # Besides, states are bound where the ring branches.
        assert found["bound_weight"].sum() > 3 + 1e-3
    elif name == "bound":
        # The impurity of a matched wire, whose state reaches into the leads.
        assert found["bound_weight"][2] == pytest.approx(3 / np.sqrt(13), rel=1e-10)


@pytest.mark.parametrize("name", SYSTEMS)
def test_occupations_and_bond_currents_are_those_of_the_correlation_matrix(name):
    """A second route: dense Green's functions, ``J_{i->j} = 2 Im(h_ji <c_j^+ c_i>)``."""
    system = system_of(SYSTEMS[name])
    found, correlations = values(system, Density(), BondCurrents()), correlation_matrix(system)
    missed = abs(np.diag(correlations.value).real - found["occupation"])
    assert (missed <= found["occupation_error"] + np.diag(correlations.error)).all()
    first, second = bonds(system).T
    hopping = as_dense(system.hamiltonian)[second, first]
    currents = 2 * np.imag(hopping * correlations.value[second, first])
    allowed = found["bond_current_error"] + 2 * abs(hopping) * correlations.error[second, first]
    assert (abs(currents - found["bond_current"]) <= allowed).all()
    assert abs(found["bond_current"]).max() > 1e-3


@pytest.mark.parametrize("name", WITH_OTHERS)
def test_particles_are_conserved_on_every_site(name):
    system = system_of(WITH_OTHERS[name])
    found = values(system, BondCurrents(), Currents())
    allowed = found["inflow_error"].sum() + found["particle_current_error"].sum()
    assert abs(found["continuity_defect"]).max() <= allowed + found["bond_current_error"].sum()
    # Sites with a lead alone have its current for an inflow.
    for k, lead in enumerate(system.leads):
        environment = (as_dense(system.loss) + as_dense(system.gain))[lead.site]
        if not environment.any() and len(system.leads) == len(system.terminals):
            missed = abs(found["inflow"][lead.site] - found["particle_current"][k])
            assert missed <= allowed


def test_a_current_that_is_not_conserved_makes_the_point_suspect(monkeypatch):
    """Continuity joins two integrals: of hopping, and of what the terminals exchange."""
    from nessflow.observables import bond_currents

    whole = bond_currents.local_integrals

    def wrong(system, parts, *rest):
        found = whole(system, parts, *rest)
        found.parts["bonds"].value[1] += 1e-9
        return found

    monkeypatch.setattr(bond_currents, "local_integrals", wrong)
    found = evaluate(system_of(SYSTEMS["lossy wire"]), [BondCurrents()])
    assert found.status == Status.NOT_CONVERGED
    assert "the currents into site" in found.message


@pytest.mark.parametrize(
    "lattice",
    [
        {"kind": "ring", "sites": 7, "flux": 0.4},
        {"kind": "strip", "length": 4, "width": 2},
        {"kind": "ladder", "length": 5, "rung_hopping": 0.6},
        {"kind": "long-range", "sites": 6, "exponent": 1.5},
    ],
)
def test_through_any_cut_flows_the_current_between_the_leads(lattice):
    system = system_of({"lattice": lattice, "leads": leads(BAND, 0.4, -0.1)})
    found = values(system, BondCurrents(), Currents())
    pairs, (left, right) = bonds(system), (lead.site for lead in system.leads)
    rng = np.random.default_rng(0)
    for _ in range(8):
        side = rng.random(system.sites) < 0.5
        side[left], side[right] = True, False
        out = side[pairs[:, 0]].astype(float) - side[pairs[:, 1]]
        through = out @ found["bond_current"]
        allowed = found["bond_current_error"].sum() + found["net_particle_current_error"]
        assert abs(through - found["net_particle_current"]) <= allowed
    assert abs(found["net_particle_current"]) > 1e-2


def weakly_coupled(lattice, mu=0.3, temperature=0.2, broadening=1e-6):
    lead = {"kind": "wide-band", "broadening": broadening, "temperature": temperature}
    return system_of({"lattice": lattice, "leads": leads(lead, mu, mu)})


@pytest.mark.parametrize(
    "lattice",
    [
        {"kind": "chain", "sites": 6, "onsite": [0, 0.5, -0.3, 0, 1, 0.2]},
        {"kind": "ring", "sites": 5, "flux": 1.1},
        {"kind": "strip", "length": 3, "width": 2, "onsite": [0, 0.1, 0.2, 0.4, 0.8, 1.6]},
    ],
)
def test_occupations_of_equilibrium_are_the_fermi_function_of_the_hamiltonian(lattice):
    system = weakly_coupled(lattice)
    levels, states = np.linalg.eigh(as_dense(system.hamiltonian))
    expected = (abs(states) ** 2) @ fermi(levels, 0.3, 0.2)
    found = values(system, Density())
    np.testing.assert_allclose(found["occupation"], expected, atol=1e-5)


def test_a_flux_drives_persistent_currents_without_any_bias():
    """``J = sum_k f(e_k) de_k/dphi``, the same through every bond; no lead has a current."""

    def levels(flux):
        lattice = {"kind": "ring", "sites": 5, "flux": flux}
        return np.linalg.eigvalsh(as_dense(weakly_coupled(lattice).hamiltonian))

    flux, step = 1.1, 1e-5
    slope = (levels(flux + step) - levels(flux - step)) / (2 * step)
    expected = fermi(levels(flux), 0.3, 0.2) @ slope
    system = weakly_coupled({"kind": "ring", "sites": 5, "flux": flux})
    found = values(system, BondCurrents(), Currents())
    pairs = bonds(system).tolist()
    signs = np.array([-1 if pair == [0, 4] else 1 for pair in pairs])
    around = signs * found["bond_current"]
    np.testing.assert_allclose(around, around[0], atol=1e-6)
    np.testing.assert_allclose(abs(around[0]), abs(expected), rtol=1e-4)
    assert abs(found["particle_current"][:2]).max() <= found["particle_current_error"].sum()
    # Where time goes backwards the flux, and the current, have the other sign.
    other = values(system.T, BondCurrents())["bond_current"]
    np.testing.assert_allclose(other, -found["bond_current"], atol=1e-12)


def test_leads_of_one_temperature_and_potential_fill_all_they_reach_alike():
    """At infinite temperature every site is half full, whatever the system."""
    system = system_of(SYSTEMS["strip"])
    hot = [replace(lead, temperature=1e7, chemical_potential=0.0) for lead in system.leads]
    found = values(replace(system, leads=hot), Density())
    np.testing.assert_allclose(found["occupation"], 0.5, atol=1e-6)


def test_pure_loss_empties_and_pure_gain_fills():
    for key, occupation in (("loss", 0.0), ("gain", 1.0)):
        for rate in (0.3, 300.0):
            system = system_of(
                {
                    "lattice": {"kind": "chain", "sites": 3},
                    key: {"kind": "onsite", "rate": rate},
                    "leads": {"left": WIDE | {"broadening": 1e-9, "chemical_potential": 0.1}},
                }
            )
            found = values(system, Density())
            np.testing.assert_allclose(found["occupation"], occupation, atol=1e-8)


@pytest.mark.parametrize(
    ("lattice", "left"),
    [
        ({"kind": "chain", "sites": 4}, {"kind": "wide-band", "broadening": 0.8}),
        ({"kind": "chain", "sites": 4}, {"kind": "semi-infinite-chain", "coupling": 0.8}),
        (
            {"kind": "strip", "length": 3, "width": 2, "onsite": [-0.5, 0.2, 0.7, 0.1, -0.3, 0.4]},
            {"kind": "semi-infinite-strip"},
        ),
    ],
)
@pytest.mark.parametrize("loss", [{}, {"kind": "onsite", "rate": 0.05}])
def test_sites_that_share_a_lead_exchange_through_it(lattice, left, loss):
    """Each conserves particles, also where leads that are alike make currents go around."""
    site = [1, 2] if left["kind"] == "semi-infinite-strip" else {1: 0.5, 2: "0.4j"}
    right = {"kind": "semi-infinite-chain", "temperature": 0.1, "site": 4}
    for mu in (0.6, -0.2):
        system = {
            "lattice": lattice,
            "leads": {
                "left": left | {"chemical_potential": 0.6, "temperature": 0.1, "site": site},
                "right": right | {"chemical_potential": mu},
            },
        } | ({"loss": loss} if loss else {})
        found = values(system_of(system), BondCurrents())
    assert abs(found["inflow"][:2]).max() > 1e-3


def test_inflow_at_sites_that_share_a_lead_is_that_of_keldysh():
    """``-2 Re int (Sigma^R G^< + Sigma^< G^A)_jj dw / 2 pi`` on a fine grid, G^< = i n."""
    system = {
        "lattice": {"kind": "chain", "sites": 4},
        "leads": {
            "left": {
                "kind": "semi-infinite-chain",
                "coupling": 0.8,
                "chemical_potential": 0.6,
                "temperature": 0.1,
                "site": {1: 0.5, 2: "0.4j"},
            },
            "right": {
                "kind": "semi-infinite-chain",
                "chemical_potential": -0.2,
                "temperature": 0.1,
                "site": 4,
            },
        },
    }
    found = values(system_of(system), BondCurrents())
    angle = (np.arange(40_000) + 0.5) * np.pi / 40_000
    energies, weights = -2 * np.cos(angle), 2 * np.sin(angle) * np.pi / 40_000 / (2 * np.pi)
    vectors = np.array([[0.5, 0.4j, 0, 0], [0, 0, 0, 1]])
    h = -np.diag(np.ones(3), 1) - np.diag(np.ones(3), -1)
    sigma = 0.5 * (energies - 1j * np.sqrt(4 - energies**2))
    sigma = np.array([0.64 * sigma, sigma])
    projectors = vectors[:, :, None] * vectors[:, None].conj()
    retarded = np.einsum("ae,aij->eij", sigma, projectors)
    green = np.linalg.inv(energies[:, None, None] * np.eye(4) - h - retarded)
    f = 1 / (np.exp((energies - np.array([[0.6], [-0.2]])) / 0.1) + 1)
    lesser = np.einsum("ae,aij->eij", -2j * sigma.imag * f, projectors)
    full = green @ lesser @ green.conj().swapaxes(1, 2)
    into = retarded @ full + lesser @ green.conj().swapaxes(1, 2)
    expected = -2 * np.einsum("ejj,e->j", into, weights).real
    np.testing.assert_allclose(found["inflow"], expected, atol=1e-12)


SENT = BondTransmission(energies=[-1.2, 0.1, 0.7])


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_a_lead_sends_leaves_bonds_where_leads_loss_and_gain_take_it(name):
    """Nothing on other sites; all together what the lead sends, each terminal what it takes."""
    system = system_of(SYSTEMS[name])
    found = values(system, SENT)["bond_transmission"]
    through = transmission(system, np.array(SENT.energies))
    lossy = np.flatnonzero((as_dense(system.loss) + as_dense(system.gain)).any(axis=0))
    contacts = [sorted({system.leads[k].site for k in x.channels}) for x in system.terminals]
    for a, sender in enumerate(contacts):
        for k in range(3):
            left = divergence(bonds(system), found[a, :, k], system.sites)
            free = np.setdiff1d(np.arange(system.sites), np.concatenate([*contacts, lossy]))
            assert abs(left[free]).max(initial=0.0) < 1e-12
            assert left.sum() == pytest.approx(0, abs=1e-12)
            for b, taker in enumerate(contacts):
                if b != a and not np.isin(taker, lossy).any():
                    assert -left[taker].sum() == pytest.approx(through[b, a, k], abs=1e-12)
            inside = np.setdiff1d(lossy, np.concatenate(contacts))
            if lossy.size and lossy.size == inside.size:
                assert -left[inside].sum() == pytest.approx(through[-2:, a, k].sum(), abs=1e-12)
            assert left[sender].sum() > 0


def test_the_current_through_a_cross_section_is_the_transmission():
    """Of a strip with loss nowhere, through each of its cuts, from either lead."""
    system = system_of(SYSTEMS["strip"])
    found = values(system, SENT)["bond_transmission"]
    through = transmission(system, np.array(SENT.energies))
    column = bonds(system) // 3
    for cut in range(3):
        across = (column[:, 0] == cut) & (column[:, 1] == cut + 1)
        summed = found[:, across].sum(axis=1)
        assert summed[0] == pytest.approx(through[1, 0], abs=1e-12)
        assert summed[1] == pytest.approx(-through[0, 1], abs=1e-12)


@pytest.mark.parametrize("name", ["lossy wire", "bond loss", "bond gain"])
def test_all_solvers_send_the_same_through_bonds(name):
    """Of a chain, of sparse and of dense matrices."""
    system = system_of(SYSTEMS[name])
    expected = values(system, SENT)
    for form in (lambda x: as_sparse(x).matrix, as_dense):
        matrices = {x: form(getattr(system, x)) for x in ("hamiltonian", "loss", "gain")}
        found = values(replace(system, **matrices), SENT)
        missed = abs(found["bond_transmission"] - expected["bond_transmission"])
        allowed = found["bond_transmission_error"] + expected["bond_transmission_error"]
        assert (missed <= allowed).all()
        assert allowed.max() < 1e-12


def test_bond_transmissions_integrate_to_bond_currents():
    """Over 2 pi, times occupations, of all that sends: leads alone where there is no gain."""
    description = SYSTEMS["lossy wire"]
    bias = {"chemical_potential": 0.3, "temperature": 0.2}
    ends = {name: lead | bias for name, lead in description["leads"].items()}
    ends["right"] |= {"chemical_potential": -0.4}
    system = system_of(description | {"leads": ends})
    nodes, weights = np.polynomial.legendre.leggauss(400)
    grid = 2 * np.sin(0.5 * np.pi * nodes)  # between the band edges, dense at them
    weights = weights * np.pi * np.cos(0.5 * np.pi * nodes)
    found = values(system, BondTransmission(energies=grid.tolist()))["bond_transmission"]
    filled = np.array([fermi(grid, x.chemical_potential, x.temperature) for x in system.terminals])
    current = np.einsum("abe,ae,e->b", found, filled, weights) / (2 * np.pi)
    assert current == pytest.approx(values(system, BondCurrents())["bond_current"], abs=1e-9)


@pytest.mark.parametrize("name", SYSTEMS)
def test_leads_loss_and_gain_together_have_the_density_of_states(name):
    system, grid = system_of(SYSTEMS[name]), SENT.energies
    found = values(system, SENT, LocalDensityOfStates(energies=grid))
    left = found["local_density_of_states"] - found["injectivity"].sum(axis=0)
    allowed = found["local_density_of_states_error"] + found["injectivity_error"].sum(axis=0)
    assert (left >= -allowed).all()
    if not (system.loss.any() or system.gain.any()):
        assert (left <= allowed).all()
    else:
        assert left.max() > 1e-3


def test_bond_transmissions_jump_at_band_edges_and_vanish_beyond():
    system = system_of(SYSTEMS["lossy wire"])
    found = evaluate(system, [BondTransmission(energies=[2.0, 2.5])])
    assert np.nan_to_num(found.values["bond_transmission"]) == pytest.approx(0, abs=1e-12)
    assert found.status == Status.OK
