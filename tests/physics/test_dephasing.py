"""Dephasing probes: a dense linear system at each energy, Ohm's law, equilibrium, limits."""

from itertools import pairwise

import numpy as np
import pytest

from nessflow.kinds import nonreciprocity, probes
from nessflow.probes.dephasing import shares
from nessflow.studies.kind import Status
from nessflow.studies.probed_systems import open_system
from nessflow.validation import InvalidValues


def described(lattice, sites, bias=0.1, temperature=0.0, broadening=0.3, **more):
    lead = {"kind": "semi-infinite-chain", "temperature": temperature}
    group = {"kind": "wide-band", "broadening": broadening, "sites": sites, "dephasing": True}
    return {
        "lattice": lattice,
        "leads": {
            "left": lead | {"chemical_potential": 0.3 + bias / 2},
            "right": lead | {"chemical_potential": 0.3 - bias / 2},
        },
        "probes": {"phase": group},
    } | more


def chain(sites, every=1, **more):
    return described({"kind": "chain", "sites": sites}, list(range(1, sites + 1, every)), **more)


def found(system):
    outcome = probes.evaluate(probes.Parameters(system=system), None)
    assert outcome.status == Status.OK, outcome.message
    return outcome.values


def engine(given):
    return open_system(probes.Parameters(system=given).system, None)[0]


def dense(system, energy):
    """``T_ab`` between all leads and probes, and into each from loss and from gain."""
    sites = [lead.site for lead in system.leads]
    gamma = np.array([lead.broadening_at(np.array([energy]))[0] for lead in system.leads])
    matrix = energy * np.eye(system.sites) - system.damping_matrix()
    for lead in system.leads:
        matrix[lead.site, lead.site] -= lead.self_energy(np.array([energy]))[0]
    green = np.linalg.inv(matrix)
    pairs = gamma[:, None] * abs(green[np.ix_(sites, sites)]) ** 2 * gamma
    np.fill_diagonal(pairs, 0.0)
    rates = [2 * np.asarray(x.diagonal).real for x in (system.loss, system.gain)]
    return pairs, *(gamma * (abs(green[sites]) ** 2 @ rate) for rate in rates)


def brute_force_current(system, energies, weights, left=1.0, right=0.0):
    """Current from the left lead where leads hold these occupations, by an ordinary solution."""
    total = 0.0
    for energy, weight in zip(energies, weights, strict=True):
        pairs, lost, gained = dense(system, energy)
        matrix = np.diag(pairs.sum(axis=1) + lost + gained) - pairs
        f = np.zeros(len(pairs))
        f[:2] = left, right
        f[2:] = np.linalg.solve(matrix[2:, 2:], gained[2:] - matrix[2:, :2] @ f[:2])
        total += weight * (matrix[0] @ f - gained[0])
    return total / (2 * np.pi)


CASES = {
    "every site": chain(6),
    "some sites": chain(7, every=3),
    "ring with a flux": described({"kind": "ring", "sites": 6, "flux": 0.7}, [2, 3, 6]),
    "strip": described({"kind": "strip", "length": 3, "width": 2, "onsite": 0.3}, [2, 3, 5]),
}
LOSSY = {"loss": {"kind": "onsite", "rate": 0.1}, "gain": {"kind": "sites", "rates": {3: 0.05}}}


@pytest.mark.parametrize("name", CASES)
def test_currents_are_those_of_a_dense_linear_system_at_each_energy(name):
    given = CASES[name]
    values = found(given)
    system = engine(given)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    expected = brute_force_current(system, 0.3 + 0.05 * nodes, 0.05 * weights)
    assert values["particle_current"][0] == pytest.approx(expected, rel=1e-9)
    assert (abs(values["particle_current"][2:-2]) <= values["particle_current_error"][2:-2]).all()
    assert abs(values["energy_current"][2:-2]).max() < 1e-14


def test_with_loss_and_gain_as_well():
    """Wide leads at temperature 0; far from all levels the current falls as the energy squared."""
    wide = {"kind": "wide-band", "broadening": 0.9, "temperature": 0.0}
    given = chain(4, every=2, **LOSSY)
    given["leads"] = {
        "left": wide | {"chemical_potential": 0.35},
        "right": wide | {"chemical_potential": 0.25},
    }
    values = found(given)
    system = engine(given)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    expected = 0.0
    # dE = d tan(x): all energies, in parts between the steps.
    ends = np.arctan([-np.inf, -2, -1, 0, 0.25, 0.35, 1, 2, np.inf])
    for low, high in pairwise(ends):
        x = 0.5 * (low + high) + 0.5 * (high - low) * nodes
        own = 0.5 * (high - low) * weights / np.cos(x) ** 2
        left, right = ((high <= np.arctan(mu)) * 1.0 for mu in (0.35, 0.25))
        expected += brute_force_current(system, np.tan(x), own, left, right)
    assert values["particle_current"][0] == pytest.approx(expected, rel=1e-8)
    assert abs(values["conservation_defect"]) < 1e-12


@pytest.mark.parametrize(("energy", "broadening"), [(0.0, 0.4), (0.7, 0.3)])
def test_a_long_chain_obeys_ohms_law(energy, broadening):
    """What a site more adds is ``2 pi / sum_n n^2 T_n``, ``T_n`` between probes of endless chains.

    A constant gradient of the occupation solves the probes' equations there, and its current
    through a bond is the sum of ``n T_n`` times the n bonds that a step of n sites crosses.
    """

    def resistance(sites):
        pairs, *_ = dense(engine(chain(sites, broadening=broadening)), energy)
        own = shares(pairs[None, 2:, 2:], pairs[None, 2:, :2])[0]
        return 1 / (pairs[0, 1] + pairs[0, 2:] @ own[:, 1])

    z = energy + 0.5j * broadening
    decay = min(np.roots([1, -z, 1]), key=abs)
    q, through = abs(decay) ** 2, broadening**2 / abs(z**2 - 4)
    expected = (1 - q) ** 3 / (through * q * (1 + q))
    assert (resistance(190) - resistance(160)) / 30 == pytest.approx(expected, rel=1e-9)
    # Weak dephasing: D'Amato and Pastawski's length v/(2 eta) of the wave, eta = broadening/2.
    velocity = np.sqrt(4 - energy**2)
    assert expected == pytest.approx(broadening / (2 * velocity), rel=0.05)


def test_occupations_fall_linearly_along_a_dephased_chain():
    values = found(chain(60, temperature=0.1, bias=0.02, broadening=1.5))
    steps = np.diff(values["occupation"][25:35])
    assert steps == pytest.approx(steps.mean(), rel=1e-5)
    assert values["bond_current"] == pytest.approx(values["particle_current"][0], rel=1e-9)


@pytest.mark.parametrize("flux", [0.0, 0.7])
def test_in_equilibrium_they_are_leads_like_the_others(flux):
    given = described({"kind": "ring", "sites": 5, "flux": flux}, [2, 4], bias=0.0, temperature=0.2)
    values = found(given)
    group = given["probes"]["phase"] | {"temperature": 0.2, "dephasing": False}
    alike = found(given | {"probes": {"phase": group}})
    for name in ("occupation", "bond_current", "bound_weight"):
        assert values[name] == pytest.approx(alike[name], abs=1e-10)
    assert values["particle_current"] == pytest.approx(0.0, abs=1e-14)


def test_without_broadening_there_is_no_probe():
    values = found(chain(5, broadening=0.0))
    given = chain(5)
    del given["probes"]
    none = found(given)
    for name in ("occupation", "bond_current", "bound_weight"):
        missed = abs(values[name] - none[name])
        assert (missed <= values[f"{name}_error"] + none[f"{name}_error"]).all(), name
    assert values["particle_current"][:2] == pytest.approx(none["particle_current"][:2], rel=1e-12)
    assert (values["particle_current"][2:] == 0).all()


def test_probes_on_both_spins_of_a_site_carry_no_current_of_their_sum():
    """Spins alike: twice the current of one, as each probe hands on to both what it takes."""
    one, both = (
        found(chain(5)),
        found(described({"kind": "chain", "sites": 5, "orbitals": 2}, [1, 2, 3, 4, 5])),
    )
    assert both["particle_current"] == pytest.approx(2 * one["particle_current"], abs=1e-13)
    assert both["occupation"] == pytest.approx(np.repeat(one["occupation"], 2), abs=1e-9)


def test_beside_leads_of_coupled_orbitals():
    """A strip with a flux that its leads continue: the given leads' currents are opposite."""
    given = described(
        {"kind": "strip", "length": 3, "width": 3, "flux": 0.4}, [4, 6], broadening=0.5
    )
    for lead in given["leads"].values():
        lead["kind"] = "continued"
    values = found(given)
    current, error = values["particle_current"], values["particle_current_error"]
    assert current[0] == pytest.approx(-current[1], rel=1e-9)
    assert (abs(current[2:-2]) <= error[2:-2]).all()
    assert current[0] > 0.01


def test_heat_and_entropy_are_those_of_the_given_leads():
    values = found(chain(6, temperature=0.2))
    heat, current = values["heat_current"], values["particle_current"]
    assert abs(heat[2:]).max() < 1e-14
    assert values["entropy_production"] == pytest.approx(0.1 * current[0] / 0.2, rel=1e-9)
    assert np.isnan(values["chemical_potential"][2:]).all()
    assert np.isfinite(values["chemical_potential"][:2]).all()


def test_shares_keep_their_digits_however_weak_the_links_are():
    """Two groups of probes, each tied to a lead of its own 1e-30 as strongly as to each other."""
    between = np.zeros((1, 4, 4))
    between[0, [0, 1, 2, 3], [1, 0, 3, 2]] = 1.0
    between[0, [1, 2], [2, 1]] = 1e-30
    given = np.zeros((1, 4, 2))
    given[0, 0, 0] = given[0, 3, 1] = 1e-30
    own = shares(between, given)[0]
    assert own[:, 0] == pytest.approx([2 / 3, 2 / 3, 1 / 3, 1 / 3], rel=1e-14)
    assert own.sum(axis=1) == pytest.approx(1.0, rel=1e-14)


def test_where_leads_have_no_states_what_probes_hold_is_uncertain():
    """A window of the bias beyond the band: nothing says how full the probes' states are there."""
    given = chain(4)
    for name, mu in (("left", 2.6), ("right", 2.2)):
        given["leads"][name]["chemical_potential"] = mu
    values = found(given)
    assert values["particle_current"][0] == 0
    assert values["occupation_error"].min() > 0.99
    assert found(chain(4))["occupation_error"].max() < 1e-9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0.1}, "a dephasing probe has no temperature; leave it out"),
        ({"current": 0.1}, "a dephasing probe has no current; leave it out"),
        ({"heat_current": 0.1}, "a dephasing probe has no heat_current; leave it out"),
        ({"dephasing": False}, "give either a temperature, or a heat_current"),
    ],
)
def test_a_dephasing_probe_is_no_other(change, message):
    given = chain(4)
    given["probes"]["phase"] |= change
    with pytest.raises(InvalidValues, match=message):
        probes.Parameters(system=given)


def test_what_is_not_computed_beside_dephasing_probes_is_refused():
    given = chain(4, every=2)
    with pytest.raises(InvalidValues, match="leave observables out"):
        probes.Parameters(system=given, observables=["noise"])
    with pytest.raises(InvalidValues, match="use study: probes"):
        nonreciprocity.Parameters(system=given, bias=0.1)
    voltage = {"kind": "wide-band", "broadening": 0.2, "sites": [2], "temperature": 0}
    given["probes"]["voltage"] = voltage
    with pytest.raises(InvalidValues, match="both kinds at once"):
        probes.Parameters(system=given)
