"""Kinds of disorder: what is drawn, what it is added to, several at once, missing sites."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import nessflow as nf
from nessflow.config.grid import Ensemble, generator
from nessflow.kinds import current_nonreciprocity, steady_current
from nessflow.scattering.currents import transmission
from nessflow.solvers.pairwise import bonds
from nessflow.solvers.solver import contact_response
from nessflow.studies.draws import stream
from nessflow.studies.systems import System, open_system, open_systems
from nessflow.systems.disorder.correlated import Correlated
from nessflow.systems.leads.continued import Told
from nessflow.systems.leads.lead import Joined
from nessflow.systems.matrices import as_dense

LEADS = {
    name: {
        "kind": "semi-infinite-chain",
        "coupling": 0.8,
        "chemical_potential": mu,
        "temperature": 0.1,
    }
    for name, mu in (("left", 0.3), ("right", -0.2))
}
CHAIN = {"kind": "chain", "sites": 9}
STRIP = {"kind": "strip", "length": 4, "width": 3}
RING = {"kind": "ring", "sites": 7, "flux": 0.9, "hopping": 0.8}
KINDS = {
    "uniform": {"kind": "uniform", "half_width": 0.5},
    "gaussian": {"kind": "gaussian", "standard_deviation": 0.5},
    "binary": {"kind": "binary", "values": [-0.4, 0.6], "concentration": 0.3},
    "correlated": {"kind": "correlated", "standard_deviation": 0.5, "length": 1.5},
    "bonds": {"kind": "gaussian", "standard_deviation": 0.2, "on": "bonds"},
    "cut bonds": {"kind": "binary", "values": [0, -1], "concentration": 0.2, "on": "bonds"},
    "loss": {"kind": "uniform", "half_width": 0.1, "on": "loss"},
    "gain": {"kind": "binary", "values": [0, 0.2], "on": "gain"},
    "vacancies": {"kind": "vacancies", "concentration": 0.15},
}


def system(disorder, lattice=CHAIN, **others):
    """A system of the parameters of a study."""
    return System.model_validate(
        {
            "lattice": lattice,
            "disorder": disorder,
            "loss": {"kind": "onsite", "rate": 0.1},
            "leads": LEADS,
            **others,
        }
    )


def rng(sample=0):
    """What sample number ``sample`` draws from."""
    return generator(Ensemble(1, 1, 1), {}, sample)


def sample(disorder, lattice=CHAIN, number=0, **others):
    """A sample of a system."""
    return open_system(system(disorder, lattice, **others), rng(number))


def hamiltonian(*arguments, **others):
    """The Hamiltonian of a sample."""
    return as_dense(sample(*arguments, **others).hamiltonian)


# --- distributions --------------------------------------------------------------------------------


def drawn(disorder, count, sites):
    """On-site energies of many samples of a chain, (count, sites)."""
    parameters = system(disorder, {"kind": "chain", "sites": sites})
    found = open_systems(parameters, [rng(k) for k in range(count)])
    return np.array([x.hamiltonian.diagonal for x in found])


def test_normal_numbers():
    found = drawn(KINDS["gaussian"], 50, 400).ravel() / 0.5
    # Variance 1 +- sqrt(2/20000), fourth moment 3 +- sqrt(96/20000), five standard errors.
    np.testing.assert_allclose(np.mean(found**2), 1, atol=0.05)
    np.testing.assert_allclose(np.mean(found**4), 3, atol=0.35)


def test_binary_numbers():
    found = drawn(KINDS["binary"], 50, 400).ravel()
    assert set(found) == {-0.4, 0.6}
    np.testing.assert_allclose(np.mean(found == 0.6), 0.3, atol=5 * np.sqrt(0.21 / 20000))


@pytest.mark.parametrize("length", [1.0, 3.0])
def test_correlations_fall_as_a_gaussian(length):
    disorder = {"kind": "correlated", "standard_deviation": 0.5, "length": length}
    count, sites = 400, 60
    found = drawn(disorder, count, sites) / 0.5
    distance = np.abs(np.subtract.outer(np.arange(sites), np.arange(sites)))
    covariance = found.T @ found / count
    for r in range(8):
        mean = covariance[distance == r].mean()
        # Samples are independent, sites about 2 lengths apart too; smearing on a lattice is off
        # by 2 exp(-pi^2 length^2 / 2), 1.5 % at the length 1.
        allowed = 5 * np.sqrt(2 / (count * sites / (4 * length))) + 2 * np.exp(-4.9 * length**2)
        assert abs(mean - np.exp(-(r**2) / (2 * length**2))) < allowed


def test_correlations_in_a_plane():
    strip = {"kind": "strip", "length": 6, "width": 5}
    part = {"kind": "correlated", "standard_deviation": 1.0, "length": 1.5}
    parameters = system(part, strip)
    x = parameters.lattice.positions
    found = np.array([np.diag(as_dense(s.hamiltonian)).real for s in open_systems(
        parameters, map(rng, range(400)))])  # fmt: skip
    square = np.sum((x[:, None] - x) ** 2, axis=2)
    covariance = found.T @ found / 400
    # Five standard errors of a product of normal numbers, of the largest of 900.
    assert abs(covariance - np.exp(-square / (2 * 1.5**2))).max() < 5 * np.sqrt(2 / 400)


def test_a_short_length_leaves_white_noise_and_a_longer_one_the_same_sample():
    """Sample by sample: numbers follow the length without a jump, whatever it is."""

    def at(length):
        disorder = {"kind": "correlated", "standard_deviation": 1.0, "length": length}
        return drawn(disorder, 1, 30)[0]

    np.testing.assert_allclose(at(0.1), at(0.2), rtol=1e-9)
    for length in (0.999, 1.0, 2.49999, 5.0):
        assert abs(at(length) - at(length * (1 + 1e-6))).max() < 1e-4


@pytest.mark.parametrize("lattice", [CHAIN, STRIP, RING])
def test_a_correlated_sample_depends_on_the_place_alone(lattice):
    part = Correlated(standard_deviation=1.0, length=2.0)
    at = system(None, lattice).lattice.positions
    whole = part.draw(at, np.random.default_rng(3))
    some = np.random.default_rng(0).permutation(len(at))[: len(at) // 2]
    np.testing.assert_array_equal(part.draw(at[some], np.random.default_rng(3)), whole[some])


# --- samples --------------------------------------------------------------------------------------


def test_one_kind_has_the_bits_that_it_always_had():
    found = sample(KINDS["uniform"]).hamiltonian.diagonal
    np.testing.assert_array_equal(found, 0.5 * stream(rng(), "onsite").uniform(-1, 1, 9))
    np.testing.assert_array_equal(sample([KINDS["uniform"]]).hamiltonian.diagonal, found)


def test_entries_of_a_list_do_not_know_of_each_other():
    alone = {name: sample(KINDS[name]) for name in ("uniform", "bonds", "loss")}
    for order in itertools.permutations(alone):
        found = sample([KINDS[name] for name in order])
        for name, part in (("uniform", "hamiltonian"), ("loss", "loss")):
            expected = getattr(alone[name], part).diagonal
            np.testing.assert_array_equal(getattr(found, part).diagonal, expected)
        np.testing.assert_array_equal(found.hamiltonian.upper, alone["bonds"].hamiltonian.upper)
    twice = sample([KINDS["uniform"], KINDS["uniform"]]).hamiltonian.diagonal
    rest = twice - alone["uniform"].hamiltonian.diagonal
    assert not np.isclose(rest, alone["uniform"].hamiltonian.diagonal).any()


@pytest.mark.parametrize("name", KINDS)
def test_a_longer_strip_begins_with_a_shorter_one(name):
    short, long = (sample(KINDS[name], STRIP | {"length": n}) for n in (3, 5))
    inner = slice(0, 9)
    for part in ("hamiltonian", "loss", "gain"):
        one, other = (as_dense(getattr(x, part))[inner, inner] for x in (short, long))
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["binary", "vacancies"])
def test_what_is_rare_stays_where_there_is_more_of_it(name):
    key = KINDS[name] | {"values": [0, 1]} if name == "binary" else KINDS[name]
    few, many = (sample(key | {"concentration": c}, {"kind": "chain", "sites": 200}) for c in
                 (0.2, 0.5))  # fmt: skip
    chosen = [set(x.removed or np.flatnonzero(x.hamiltonian.diagonal)) for x in (few, many)]
    assert chosen[0] < chosen[1]
    assert abs(len(chosen[0]) - 40) < 30
    none = sample(key | {"concentration": 0}).removed
    assert none == ()


# --- what it is added to --------------------------------------------------------------------------


def test_hoppings_keep_their_phases():
    clean, found = hamiltonian(None, RING), hamiltonian(KINDS["bonds"], RING)
    np.testing.assert_array_equal(np.diag(found), np.diag(clean))
    first, second = np.nonzero(np.triu(clean))
    np.testing.assert_allclose(
        np.angle(found[first, second]), np.angle(clean[first, second]), atol=1e-14
    )
    changes = (abs(found) - abs(clean))[first, second]
    # Bonds by their higher, then their lower site: 1-2, 2-3, ..., 1-7, 6-7.
    numbers = 0.2 * stream(rng(), "bonds").standard_normal(7)
    order = np.lexsort((first, second))
    np.testing.assert_allclose(changes[order], numbers, rtol=1e-12)


def test_a_gauge_changes_nothing():
    """Bonds of a ring with its flux on one bond, or spread over all."""
    turned = np.exp(0.9j / 7 * np.arange(7))
    spread = hamiltonian(KINDS["bonds"], RING)
    moved = turned[:, None] * spread * turned.conj()
    assert abs(np.diag(moved, 1).imag).max() < 1e-15
    np.testing.assert_allclose(np.linalg.eigvalsh(moved), np.linalg.eigvalsh(spread), atol=1e-14)


@pytest.mark.parametrize("name", ["loss", "gain"])
def test_rates_are_those_of_channels_on_the_sites(name):
    found = sample(KINDS[name] | {"kind": "uniform", "half_width": 0.1} if name == "loss" else
                   KINDS[name])  # fmt: skip
    rates = getattr(found, name).diagonal
    assert len(set(rates)) > 1
    channels = {"kind": "sites", "rates": {k + 1: float(x) for k, x in enumerate(rates)}}
    other = system(None, **{name: channels})
    np.testing.assert_allclose(getattr(open_system(other, None), name).diagonal, rates, rtol=1e-15)


def test_loss_on_bonds_has_rates_of_sites_beside_it():
    channels = {"kind": "bond", "rate": 0.2, "phase": 0.4}
    extra = {"kind": "array", "on": "gain", "values": [0.1] * 12}
    clean = as_dense(sample(None, STRIP, gain=channels).gain)
    found = as_dense(sample(extra, STRIP, gain=channels).gain)
    np.testing.assert_allclose(found, clean + 0.1 * np.eye(12), atol=1e-15)


REFUSED = {
    "gaussian rates": (KINDS["gaussian"] | {"on": "loss"}, "disorder.on", "no least value"),
    "rates below 0": (KINDS["uniform"] | {"on": "loss"}, "disorder", "as low as -0.5 beside"),
    "of both": ([KINDS["loss"], KINDS["loss"]], "disorder.1", "as low as -0.2 beside"),
    "gain without gain": (KINDS["loss"] | {"on": "gain"}, "disorder", "negative rates of gain"),
    "one too few": ({"kind": "array", "values": [0] * 8}, "disorder.values", "for 9 sites"),
    "of bonds": (
        [{"kind": "array", "values": [0] * 9, "on": "bonds"}], "disorder.0.values", "for 8 bonds",
    ),
    "of nothing": (KINDS["uniform"] | {"on": "lead"}, "disorder.on", "'sites', 'bonds', 'loss'"),
    "no such kind": ([{"kind": "normal"}], "disorder.0.kind", "one of array, binary, correlated"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused(name):
    disorder, key, message = REFUSED[name]
    with pytest.raises(ValueError, match="disorder") as caught:
        nf.System(lattice=CHAIN, disorder=disorder, loss={"kind": "onsite", "rate": 0.1},
                  leads=LEADS)  # fmt: skip
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"System: {key} = ")
    assert message in line


# --- given numbers --------------------------------------------------------------------------------

GOLDEN = (np.sqrt(5) - 1) / 2
J = np.arange(1, 31)
NORMAL = [-0.642254, 0.240172, -0.251259, 0.648118, -0.434233, 0.83975, -0.1164, -0.033417,
          -0.229809, -0.077725, -0.142267, 0.515695, 0.132953, -0.031852, 0.001681, -0.342366,
          0.949285, 0.03652, 0.666384, 0.105967, 0.710762, 0.083807, 0.028994, 0.70466, 0.111786,
          -0.320367, -0.325093, -0.60104, -0.362675, 0.092832]  # fmt: skip
GIVEN = {
    "aubry-andre": (
        {"values": 1.4 * np.cos(2 * np.pi * GOLDEN * J + 0.4)},
        [2.1748525174729043e-08, 0.17609161953655986, 8.751208038072333e-10],
        [0.016411666612640766, 0.009736078033617033],
    ),
    "normal": (
        {"values": NORMAL},
        [0.595566215013395, 0.3945573910581888, 0.034049490970342405],
        [0.00927570557486218, 0.007036792541065037],
    ),
    "tilted": (
        {"values": 0.02 * J + 0.3 * (-1.0) ** J},
        [0.8747541577886645, 0.011437676209692152, 0.2765628175279772],
        [0.004108543954098165, 0.0038102638689775682],
    ),
    "bonds": (
        {"values": 0.3 * np.sin(2.1 * J[:-1] ** 2), "on": "bonds"},
        [0.06997432053932927, 0.9670587546289967, 0.10584945789992901],
        [0.07282866284538206, 0.01689999350971884],
    ),
}
"""Numbers; transmissions at -1.3, 0.1, 0.77 by a solution in 40 digits, current and noise by
adaptive quadrature of Landauer's integrals with break points at the resonances."""


@pytest.mark.parametrize("name", GIVEN)
def test_given_numbers_against_forty_digits(name):
    values, transmissions, (current, noise) = GIVEN[name]
    lead = nf.leads.SemiInfiniteChain
    wire = nf.System(
        lattice=nf.lattices.Chain(sites=30),
        disorder=nf.disorder.Array(**values | {"values": tuple(values["values"].tolist()
            if hasattr(values["values"], "tolist") else values["values"])}),
        leads={
            "left": lead(chemical_potential=0.4, temperature=0.05),
            "right": lead(chemical_potential=-0.1, temperature=0.05),
        },
    )  # fmt: skip
    found = nf.transmission(wire, [-1.3, 0.1, 0.77]).sel(terminal="right", terminal_2="left")
    np.testing.assert_allclose(found, transmissions, rtol=1e-10)
    data = nf.solve(wire, ["currents", "noise"])
    np.testing.assert_allclose(data.particle_current.sel(terminal="left"), current, rtol=1e-10)
    np.testing.assert_allclose(
        data.particle_noise.sel(lead="left", lead_2="left"), noise, rtol=1e-10
    )


def test_given_numbers_are_not_random():
    whole = {"system": {"lattice": CHAIN, "leads": LEADS}}
    parameters = steady_current.Parameters.model_validate
    given = whole["system"] | {"disorder": {"kind": "array", "values": [0.1] * 9}}
    assert not steady_current.is_random(parameters({"system": given}))
    both = given | {"disorder": [given["disorder"], KINDS["uniform"]]}
    assert steady_current.is_random(parameters({"system": both}))


# --- ensembles ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lattice", [CHAIN, STRIP], ids=["chain", "strip"])
@pytest.mark.parametrize("name", KINDS)
def test_samples_together_are_as_alone(name, lattice):
    observables = ["currents", "noise", "density", "bond-currents"]
    parameters = steady_current.Parameters.model_validate(
        {
            "system": system([KINDS[name], KINDS["uniform"]], lattice),
            "observables": observables,
            "accuracy": 1e-5,
        }
    )
    rngs = [rng(k) for k in range(4)]
    together = steady_current.evaluate_many([parameters] * 4, rngs)
    shapes = steady_current.coordinates(parameters)
    for found, own in zip(together, rngs, strict=True):
        alone = steady_current.evaluate(parameters, own)
        assert (found.status, found.message) == (0, "")
        assert found.notes == alone.notes
        for key, value in alone.values.items():
            np.testing.assert_array_equal(found.values[key], value, key)
        assert len(found.values["bond_current"]) == shapes["bond"].values.size


@pytest.mark.parametrize("temperature", [0, 0.05])
@pytest.mark.parametrize("name", ["gaussian", "bonds", "loss", "gain"])
def test_probed_samples_together_are_as_alone(name, temperature):
    leads = {
        key: lead | {"chemical_potential": mu, "temperature": temperature}
        for (key, lead), mu in zip(LEADS.items(), (0.05, -0.05), strict=True)
    }
    probe = {"kind": "wide-band", "broadening": 0.1, "temperature": temperature}
    disorder = KINDS[name]
    if name == "loss":  # some samples without any
        disorder = {"kind": "binary", "values": [0, 0.1], "concentration": 0.05, "on": "loss"}
    wire = {
        "lattice": CHAIN,
        "disorder": disorder,
        "leads": leads,
        "probes": {
            "source": probe | {"sites": [3], "current": 0.001},
            "drain": probe | {"sites": [6], "current": -0.001},
        },
    }
    parameters = current_nonreciprocity.Parameters.model_validate(
        {"system": wire, "method": "linear", "accuracy": 1e-6}
    )
    rngs = [rng(k) for k in range(6)]
    together = current_nonreciprocity.evaluate_many([parameters] * 6, rngs)
    for found, own in zip(together, rngs, strict=True):
        alone = current_nonreciprocity.evaluate(parameters, own)
        assert (found.status, found.message, found.notes) == (
            alone.status, alone.message, alone.notes)  # fmt: skip
        for key, value in alone.values.items():
            np.testing.assert_array_equal(found.values[key], value, key)


# --- vacancies ------------------------------------------------------------------------------------


def with_vacancies(lattice, count=1, **others):
    """The first sample with so many vacancies away from the corners, and its parameters."""
    for number in range(200):
        found = sample(KINDS["vacancies"], lattice, number, **others)
        last = found.sites - 1
        if len(found.removed) == count and not {0, last} & set(found.removed):
            return found, number
    raise AssertionError


@pytest.mark.parametrize("lattice", [STRIP, RING], ids=["strip", "ring"])
def test_a_vacancy_is_a_smaller_lattice(lattice):
    whole, number = with_vacancies(lattice, 2)
    kept = np.setdiff1d(np.arange(whole.sites), whole.removed)
    clean = system(None, lattice)
    h = clean.lattice.hamiltonian().toarray()
    small = h[np.ix_(kept, kept)]
    contacts = [int(np.flatnonzero(kept == x - 1)[0]) + 1 for x in clean.lattice.contacts]
    leads = {
        name: lead | {"site": site}
        for (name, lead), site in zip(LEADS.items(), contacts, strict=True)
    }
    names = ["currents", "noise", "density", "bond-currents", "scattering-entropy"]
    loss = {"kind": "onsite", "rate": 0.1}
    rows = [[complex(x) for x in row] for row in small]
    reference = nf.solve(
        nf.System(lattice={"kind": "matrix", "hamiltonian": rows}, loss=loss, leads=leads), names
    )
    found = nf.solve(
        nf.System(lattice=lattice, loss=loss, leads=LEADS, disorder=KINDS["vacancies"]),
        names, seed=1, sample=number,
    )  # fmt: skip
    for key, value in reference.items():
        array = found[key]
        if "bond" in array.dims:
            continue
        if "site" in array.dims:
            gone = array.isel(site=list(whole.removed))
            assert (gone == 0).all() or key.endswith("_error"), key
            array = array.isel(site=kept.tolist())
        if not key.endswith("_error"):
            np.testing.assert_allclose(array, value, rtol=1e-7, atol=1e-11, err_msg=key)


def test_a_vacancy_holds_nothing_and_is_no_bound_state():
    chain = {"kind": "chain", "sites": 12}
    whole, number = with_vacancies(chain, 2)
    wire = nf.System(lattice=chain, leads=LEADS, disorder=KINDS["vacancies"])
    data = nf.solve(wire, ["currents", "density", "bond-currents"], seed=1, sample=number)
    removed = list(whole.removed)
    inner = np.arange(removed[0] + 1, removed[1])
    for name in ("occupation", "bound_weight"):
        assert (data[name].values[removed] == 0).all(), name
    # What is between two vacancies no terminal reaches.
    np.testing.assert_allclose(data.bound_weight.values[inner], 1, atol=1e-9)
    assert (data.particle_current == 0).all()
    assert data.bond.size == 11


def test_a_lead_at_a_vacancy_is_coupled_to_nothing():
    everywhere = {"kind": "vacancies", "concentration": 1.0}
    wire = nf.System(lattice=STRIP, leads=LEADS, disorder=everywhere)
    data = nf.solve(wire, ["currents", "noise", "density", "bond-currents"])
    assert data.attrs["status"] == "ok"
    for name in ("particle_current", "particle_noise", "occupation", "bound_weight"):
        assert (data[name] == 0).all(), name


@pytest.mark.parametrize(
    "vacant",
    [
        {"kind": "vacancies", "sites": [5, 8]},
        {"kind": "vacancies", "sites": {"where": "y == 2 and x > 1 and x < 4"}},
        {"kind": "vacancies", "sites": [5, 8], "concentration": 1},
    ],
)
def test_vacancies_that_are_listed_are_not_random(vacant):
    """They are those sites, with no samples and beside numbers that are given one by one."""
    lattice = {"kind": "strip", "length": 4, "width": 3}
    given = {"lattice": lattice, "leads": LEADS}
    with_them = open_system(nf.System(**given, disorder=vacant), None)
    clean = open_system(nf.System(**given), None)
    assert with_them.removed == (4, 7)
    assert not np.any(as_dense(with_them.hamiltonian)[[4, 7]])
    energies = np.array([-0.7, 0.3])
    expected = transmission(clean.without_sites([4, 7]), energies)
    np.testing.assert_array_equal(transmission(with_them, energies), expected)
    point = {"system": {**given, "disorder": [vacant, {"kind": "array", "values": [0.1] * 12}]}}
    parameters = steady_current.Parameters.model_validate
    assert not steady_current.is_random(parameters(point))
    random = {"system": {**given, "disorder": {**vacant, "concentration": 0.5}}}
    assert steady_current.is_random(parameters(random))


def test_one_of_two_values_alone_is_not_random():
    alloy = {"kind": "binary", "values": [0, 0.2], "concentration": 1}
    given = {"lattice": STRIP, "leads": LEADS}
    found = open_system(nf.System(**given, disorder=alloy), None)
    clean = open_system(nf.System(**given), None)
    shift = as_dense(found.hamiltonian) - as_dense(clean.hamiltonian)
    np.testing.assert_allclose(shift, 0.2 * np.eye(len(shift)), atol=1e-15)


def test_vacancies_of_no_sites_and_no_share_are_refused():
    with pytest.raises(ValueError, match="list the vacant ones"):
        nf.System(lattice=STRIP, leads=LEADS, disorder={"kind": "vacancies"})


def test_a_lead_of_several_sites_loses_the_vacant_ones():
    rows = {
        name: {
            "kind": "semi-infinite-strip",
            "chemical_potential": mu,
            "temperature": 0.1,
            "site": sites,
        }
        for name, mu, sites in (("left", 0.3, [1, 2, 3]), ("right", -0.2, [10, 11, 12]))
    }
    clean = open_system(system(None, STRIP, leads=rows), None)
    cut = clean.without_sites([1])
    energies = np.array([-0.7, 0.4])
    expected = clean_self_energy(clean, energies)
    expected[:, 1] = expected[:, :, 1] = 0
    np.testing.assert_allclose(clean_self_energy(cut, energies), expected, atol=1e-15)
    np.testing.assert_array_equal(bonds(cut), bonds(clean))
    assert cut.T.removed == cut.removed == (1,)
    assert cut.with_occupations([0.1] * 6, [0.2] * 6).removed == (1,)


def clean_self_energy(system, energies):
    """The matrix of all self-energies, (E, N, N)."""
    whole = np.zeros((energies.size, system.sites, system.sites), complex)
    for lead in system.leads:
        v = lead.vector(system.sites)
        whole += lead.self_energy(energies)[:, None, None] * np.outer(v, v.conj())
    return whole


# --- orbitals, and leads of cells -----------------------------------------------------------------

SPIN = {
    "kind": "chain",
    "sites": 6,
    "orbitals": 2,
    "onsite": [[0.2, 0.1], [0.1, -0.2]],
    "hopping": [[1, 0.4], [-0.4, 1]],
}
CONTINUED = {
    name: {"kind": "continued", "chemical_potential": mu, "temperature": 0.1}
    for name, mu in (("left", 0.3), ("right", -0.2))
}
FLUX = {"kind": "square", "length": 4, "width": 3, "flux": 0.4}


def test_all_orbitals_of_a_site_have_its_number():
    clean = hamiltonian(None, SPIN, leads=CONTINUED)
    found = hamiltonian(KINDS["uniform"], SPIN, leads=CONTINUED)
    energies = 0.5 * stream(rng(), "onsite").uniform(-1, 1, 6)
    np.testing.assert_allclose(found - clean, np.diag(np.repeat(energies, 2)), atol=1e-15)
    loss = sample(KINDS["loss"], SPIN, leads=CONTINUED).loss
    rates = 0.1 + 0.1 * stream(rng(), "loss").uniform(-1, 1, 6)
    np.testing.assert_allclose(as_dense(loss), np.diag(np.repeat(rates, 2)), atol=1e-15)


def test_a_matrix_between_orbitals_keeps_its_form():
    clean = hamiltonian(None, SPIN, leads=CONTINUED)
    found = hamiltonian(KINDS["bonds"], SPIN, leads=CONTINUED)
    numbers = 0.2 * stream(rng(), "bonds").standard_normal(5)
    size = np.sqrt(1.16)  # its singular values
    for bond, number in enumerate(numbers):
        block = np.s_[2 * bond : 2 * bond + 2, 2 * bond + 2 : 2 * bond + 4]
        np.testing.assert_allclose(found[block], clean[block] * (1 + number / size), rtol=1e-13)
        within = np.s_[2 * bond : 2 * bond + 2, 2 * bond : 2 * bond + 2]
        np.testing.assert_array_equal(found[within], clean[within])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("lattice", [SPIN, FLUX], ids=["spin", "flux"])
def test_samples_between_cells_together_are_as_alone(name, lattice):
    parameters = steady_current.Parameters.model_validate(
        {
            "system": system(KINDS[name], lattice, leads=CONTINUED),
            "observables": ["currents", "density", "bond-currents"],
            "accuracy": 1e-4,
        }
    )
    rngs = [rng(k) for k in range(3)]
    together = steady_current.evaluate_many([parameters] * 3, rngs)
    for found, own in zip(together, rngs, strict=True):
        alone = steady_current.evaluate(parameters, own)
        assert (found.status, found.message) == (0, "")
        for key, value in alone.values.items():
            np.testing.assert_array_equal(found.values[key], value, key)


@pytest.mark.parametrize("lattice", [SPIN, FLUX], ids=["spin", "flux"])
def test_leads_of_cells_lose_vacant_rows(lattice):
    """A vacant site of the first column against the lead with its row left out by hand."""
    clean = open_system(system(None, lattice, leads=CONTINUED), None)
    gone = [0, 1] if lattice is SPIN else [1]
    cut = clean.without_sites(gone)
    energies = np.array([-0.7, 0.4])
    for found, expected in zip(self_energies(cut, energies), self_energies(clean, energies),
                               strict=True):  # fmt: skip
        expected[gone] = expected[:, gone] = 0
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("gone", [[0], [0, 1], [5]])
def test_a_lead_told_by_its_self_energy_loses_vacant_rows(gone):
    """A function in the place of the cells that it is of, with a flux."""
    cells = open_system(system(None, FLUX, leads=CONTINUED), None)
    leads = list(cells.leads)
    for joint in cells.joints:
        lead, m = joint.lead, joint.sites.size
        told = Told(
            size=m, self_energy=lambda w, lead=lead, m=m: lead.self_energy_matrix(w, m),
            band=lead.bands[0], break_points=lead.edges,
        )  # fmt: skip
        for row, a in enumerate(joint.channels.tolist()):
            leads[a] = replace(leads[a], model=Joined(lead=told, row=row))
    functions = replace(cells, leads=leads)
    energies = np.array([-0.7, 0.4])
    for both in zip(*map(turned_and_cut, (functions, cells), (gone, gone)), strict=True):
        found, expected = (contact_response(each, energies).green for each in both)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def turned_and_cut(whole, gone):
    """What is left of a system, turned round before, after, or twice."""
    cut = whole.without_sites(gone)
    return cut, cut.T, whole.T.without_sites(gone), cut.T.T, whole.T.without_sites(gone).T


def self_energies(system, energies):
    """The sum of the self-energies at each energy, (E, N, N)."""
    whole = np.zeros((energies.size, system.sites, system.sites), complex)
    whole[(slice(None), *system.coupling.elements)] = system.contact_self_energy(energies)
    return whole


@pytest.mark.parametrize("lattice", [SPIN, FLUX], ids=["spin", "flux"])
def test_currents_past_vacancies_between_cells(lattice):
    """Of many samples, those with vacancies on the first or last column too: sums and densities."""
    found = nf.System(lattice=lattice, leads=CONTINUED,
                      disorder=KINDS["vacancies"] | {"concentration": 0.3})  # fmt: skip
    passed = 0
    for number in range(12):
        data = nf.solve(found, ["currents", "density", "noise"], sample=number)
        assert data.attrs["status"] == "ok"
        removed = list(open_system(found, generator(Ensemble(1, 1, 0), {}, number)).removed)
        assert (data.occupation.values[removed] < 1e-30).all()  # rounding of a matrix of zeros
        assert (data.bound_weight.values[removed] == 0).all()
        assert abs(float(data.particle_current.sum())) < 1e-10
        passed += float(data.net_particle_current) > 1e-3
    assert 0 < passed < 12
