"""Currents, noise and entropy production of kinds by a second route: another kind, or a limit."""

import numpy as np
import pytest
from brute_force import FiniteLeads
from test_evolution import TIMES, random_occupations, three_sites

from judging import judged
from nessflow.kinds import (
    asymptotic_rates,
    classical_lattice,
    classical_relaxation,
    counting_statistics,
    current_nonreciprocity,
    disorder_response,
    linear_response,
    master_equations,
    network_relaxation,
    nonreciprocity,
    probe_roots,
    ring_occupations,
    ring_peak_current,
    ring_relaxation,
    ring_steady_state,
    ring_symmetry,
    steady_current,
    zero_current,
)
from nessflow.lindblad.propagator import evolve as evolve_approximately
from nessflow.scattering.evolution import evolve
from nessflow.studies.kind import FLOWS, Status


def chain(sites=4, mu=(0.3, -0.2), temperature=(0.2, 0.2), third=None, **more):
    leads = {
        name: {"kind": "semi-infinite-chain", "chemical_potential": m, "temperature": t}
        for name, m, t in zip(("left", "right"), mu, temperature, strict=True)
    }
    if third:
        leads["third"] = {"kind": "semi-infinite-chain", "coupling": 0.7} | third
    return {"lattice": {"kind": "chain", "sites": sites}, "leads": leads} | more


LOSS, GAIN = ({name: {"kind": "onsite", "rate": r}} for name, r in (("loss", 0.2), ("gain", 0.1)))


def found(kind, status=Status.OK, **keys):
    verdict = judged(kind, kind.Parameters(**keys))
    assert verdict.status == status, verdict.message
    return verdict


def assert_same(one, other, names=FLOWS):
    """Values of two verdicts agree within their errors, NaN for the same reason."""
    for name in names:
        value, expected = one.values[name], other.values[name]
        allowed = one.values[f"{name}_error"] + other.values[f"{name}_error"]
        np.testing.assert_array_equal(np.isnan(value), np.isnan(expected), name)
        assert (np.nan_to_num(abs(value - expected) - allowed) <= 1e-300).all(), name
        assert one.reasons.get(name) == other.reasons.get(name)


# --- between leads --------------------------------------------------------------------------------

AT_REST = [
    chain(mu=(0.3, 0.3)),
    chain(mu=(0.3, 0.3), third={"site": 2, "chemical_potential": 0.3, "temperature": 0.2}),
    chain(mu=(0.3, 0.3), third={"site": [2, 3], "chemical_potential": 0.3, "temperature": 0.2}),
    chain(mu=(0.3, 0.3), temperature=(0, 0)),
    chain(mu=(0.3, 0.3), **LOSS),
    chain(mu=(0.3, 0.3), **LOSS, **GAIN),
]


@pytest.mark.parametrize("system", AT_REST)
def test_noise_without_differences_is_that_of_the_steady_state(system):
    """Johnson and Nyquist's, by conductances, is what the integral of the noise gives."""
    response, steady = found(linear_response, system=system), found(steady_current, system=system)
    assert_same(response, steady, ["particle_current", "particle_noise"])
    if response.values["entropy_production"] == 0:  # in equilibrium, also at temperature 0
        assert np.nan_to_num(steady.values["entropy_production"]) == pytest.approx(0, abs=1e-15)
    else:
        assert_same(response, steady, ["entropy_production"])


@pytest.mark.parametrize("third", [None, {"site": 2}, {"site": [2, 3]}])
def test_entropy_of_a_small_bias(third):
    step = 1e-4
    at_rest = third and third | {"chemical_potential": 0.3, "temperature": 0.2}
    biased = third and third | {"chemical_potential": 0.3 - step / 2, "temperature": 0.2}
    form = found(linear_response, system=chain(mu=(0.3, 0.3), third=at_rest))
    steady = found(steady_current, system=chain(mu=(0.3 + step, 0.3), third=biased))
    bias = np.array([1, 0, -0.5])[: len(form.values["bias_entropy_production"])]
    expected = bias @ form.values["bias_entropy_production"] @ bias * step**2
    assert steady.values["entropy_production"] == pytest.approx(expected, rel=1e-3)
    assert (
        form.values["electrical_conductance"] / 0.2
        == pytest.approx(form.values["bias_entropy_production"][0, 0], rel=1e-12)
        or third
    )


def test_entropy_of_a_small_difference_of_temperature():
    """The convention's quadratic form with the heat and the thermoelectric matrix."""
    step, warmth = 1e-4, 0.2
    form = found(linear_response, system=chain(mu=(0.3, 0.3))).values
    mu, x = np.array([step, 0]), np.array([-step, 0]) / warmth
    steady = found(
        steady_current, system=chain(mu=(0.3 + step, 0.3), temperature=(warmth - step, warmth))
    )
    m0, m1, m2 = (form[f"{name}_matrix"] for name in ("conductance", "thermoelectric", "heat"))
    expected = (mu @ m0 @ mu + mu @ (m1 + m1.T) @ x + x @ m2 @ x) / warmth
    assert steady.values["entropy_production"] == pytest.approx(expected, rel=2e-3)


def test_cold_leads_have_no_entropy_of_a_bias():
    cold = found(linear_response, system=chain(mu=(0.3, 0.3), temperature=(0, 0)))
    assert "temperature 0" in cold.reasons["bias_entropy_production"]
    assert cold.values["entropy_production"] == 0
    dissipative = found(linear_response, system=chain(mu=(0.3, 0.3), **LOSS))
    assert "first order" in dissipative.reasons["bias_entropy_production"]


SYSTEMS = [
    chain(),
    chain(**LOSS),
    chain(**LOSS, **GAIN),
    chain(third={"site": 2, "chemical_potential": 0.5, "temperature": 0.1}),
]


@pytest.mark.parametrize("system", SYSTEMS)
def test_counted_charges_are_the_currents_and_the_noise(system):
    counted = found(
        counting_statistics,
        system=system,
        time=50,
        charges={"lowest": -2, "highest": 3},
        counting_fields=2,
    )
    assert_same(counted, found(steady_current, system=system))
    cumulants, count = counted.values["cumulant"], len(system["leads"])
    np.testing.assert_allclose(
        cumulants[:, 0], counted.values["particle_current"][:count], rtol=1e-9, atol=1e-13
    )
    np.testing.assert_allclose(
        cumulants[:, 1], np.diag(counted.values["particle_noise"]), rtol=1e-9
    )


@pytest.mark.parametrize("system", SYSTEMS[:3])
def test_weak_disorder_is_about_the_clean_flows(system):
    assert_same(found(disorder_response, system=system), found(steady_current, system=system))


@pytest.mark.parametrize("gain", [0.05, 0.2])
def test_flows_at_zero_exchange(gain):
    system = chain(**LOSS, gain={"kind": "onsite", "rate": gain})
    zero = found(zero_current, system=system, lower=-1.5, upper=1.5)
    mu = float(zero.values["chemical_potential"])
    steady = found(
        steady_current, system=chain(mu=(mu, mu), **{k: system[k] for k in ("loss", "gain")})
    )
    assert_same(zero, steady)
    assert abs(zero.values["particle_current"][:2].sum()) < 1e-10
    assert zero.values["particle_noise"][0, 0] > 0.01


def test_no_root_no_flows():
    verdict = found(zero_current, system=chain(), lower=-1, upper=1)
    for name in FLOWS:
        assert np.isnan(verdict.values[name]).all()
        assert "no particles are exchanged" in verdict.reasons[name]


# --- sources and drains ---------------------------------------------------------------------------


def wire(bias, sites=8, temperature=0.0, current=0.1, mean=0.6):
    probe = {"kind": "semi-infinite-chain", "coupling": 0.5, "temperature": temperature}
    size = current * abs(bias) / (2 * np.pi)
    return chain(sites, (mean + bias / 2, mean - bias / 2), (temperature, temperature)) | {
        "probes": {
            "sources": probe | {"sites": list(range(2, sites, 2)), "current": size},
            "drains": probe | {"sites": list(range(3, sites, 2)), "current": -size},
        }
    }


def test_noise_of_lowest_order_is_that_of_small_biases():
    bias = 1e-4
    linear = found(current_nonreciprocity, system=wire(bias)).values
    integrated = found(nonreciprocity, system=wire(bias)).values
    for name in ("bare_particle_noise", "floating_particle_noise"):
        scale = abs(integrated[name]).max()
        np.testing.assert_allclose(linear[name], integrated[name], atol=1e-4 * scale)
        assert (linear[f"{name}_error"] < 1e-8 * scale).all()
    # What cannot leave by a probe enters on one side and leaves on the other.
    floating = linear["floating_particle_noise"]
    assert (abs(floating.sum(axis=1)) <= linear["floating_particle_noise_error"].sum(axis=1)).all()


def test_noise_of_lowest_order_is_proportional_to_the_bias():
    small, large = (found(current_nonreciprocity, system=wire(b)).values for b in (1e-3, 1e-2))
    for name in ("bare_particle_noise", "floating_particle_noise"):
        np.testing.assert_allclose(10 * small[name], large[name], rtol=1e-10)


@pytest.mark.parametrize("method", ["exact", "third-order"])
def test_other_methods_have_the_flows_of_their_state(method):
    system = wire(0.1, sites=4)
    one, other = (
        found(kind, system=system, method=method)
        for kind in (current_nonreciprocity, nonreciprocity)
    )
    names = ["bare_particle_noise", "floating_particle_noise", "entropy_production"]
    assert_same(one, other, names)


@pytest.mark.parametrize("method", ["exact", "linear"])
def test_entropy_of_warm_wires(method):
    system = wire(0.05, sites=4, temperature=0.1)
    one, other = (
        found(kind, system=system, method=method)
        for kind in (current_nonreciprocity, nonreciprocity)
    )
    assert_same(one, other, ["entropy_production"])
    assert (one.values["entropy_production"] > 0).all()
    if method == "linear":
        assert "study: nonreciprocity" in one.reasons["floating_particle_noise"]


def test_roots_come_with_the_flows_of_the_exact_solution():
    system = wire(0.1, sites=4)
    roots = found(probe_roots, system=system)
    exact = found(nonreciprocity, system=system, method="exact")
    for name in ("bare_particle_noise", "floating_particle_noise"):
        np.testing.assert_allclose(roots.values[name], exact.values[name][0], rtol=1e-7)
    np.testing.assert_allclose(
        roots.values["particle_current"], exact.values["particle_current"][0][:2], atol=1e-12
    )
    assert "temperature 0" in roots.reasons["entropy_production"]


# --- networks -------------------------------------------------------------------------------------


def network(sites=2, statistics="fermions", left=0.3, right=-0.2):
    low = -2.5 if statistics == "bosons" else 0.0
    return {
        "network": {"sites": sites, "energy": 0.2, "detuning": 0.3, "tunnelling": 0.5},
        "reservoirs": {
            "bandwidth": 2.0,
            "coupling": 0.4,
            "left": {"chemical_potential": low + left, "temperature": 0.3},
            "right": {"chemical_potential": low + right, "temperature": 0.2},
        },
        "statistics": statistics,
    }


CASES = [(1, "fermions"), (2, "fermions"), (4, "fermions"), (6, "fermions"), (2, "bosons")]


@pytest.mark.parametrize(("sites", "statistics"), CASES)
def test_asymptotic_rates_make_the_flows_of_their_equation(sites, statistics):
    keys = network(sites, statistics)
    rates, equations = found(asymptotic_rates, **keys), found(master_equations, **keys)
    epa = master_equations.EQUATIONS.index("epa")
    for name in FLOWS:
        allowed = rates.values[f"{name}_error"] + equations.values[f"{name}_error"][epa]
        assert (abs(rates.values[name] - equations.values[name][epa]) <= allowed).all()


@pytest.mark.parametrize(("sites", "statistics"), CASES)
def test_relaxing_networks_end_in_the_steady_flows(sites, statistics):
    keys = network(sites, statistics)
    relaxed = found(network_relaxation, **keys, times={"stop": 120 * sites, "points": 2})
    equations = found(master_equations, **keys).values
    for name in FLOWS:
        steady = relaxed.values[f"steady_{name}"]
        np.testing.assert_allclose(steady, equations[name][:4], rtol=1e-6, atol=1e-9)
    last = relaxed.values["particle_current"][:, -1]
    np.testing.assert_allclose(last, relaxed.values["steady_particle_current"], atol=1e-6)


def test_currents_in_time_are_the_particles_that_finite_leads_lose():
    system = three_sites()
    initial = random_occupations(np.random.default_rng(1), 3)
    value, error, _ = evolve(system, TIMES).currents(initial, system)
    chain = FiniteLeads(system, 140)
    chain.initial[:3, :3] = initial
    each = (len(chain.initial) - 3) // 2

    def inside(time):
        u = chain.evolution(time)
        particles = np.diag(u.conj() @ chain.initial @ u.T).real
        return np.array([particles[3 : 3 + each].sum(), particles[3 + each :].sum()])

    for k, time in enumerate(TIMES[1:], 1):
        lost = -(inside(time + 1e-3) - inside(time - 1e-3)) / 2e-3
        np.testing.assert_allclose(value[k], lost, atol=1e-7)
    assert error.max() < 1e-10
    assert (abs(value[0]) <= error[0]).all()


def test_leads_on_one_site_share_what_flows_out():
    """One level: what entered by both, Simpson's rule over time, is what is inside."""
    values = found(network_relaxation, **network(1), times={"stop": 3, "points": 241}).values
    current = values["particle_current"][0]
    total = current.sum(axis=1)
    step = 3 / 0.4 / 240
    entered = step / 3 * (total[0] + total[-1] + 4 * total[1:-1:2].sum() + 2 * total[2:-1:2].sum())
    assert entered == pytest.approx(values["occupation"][0, -1, 0], abs=1e-6)
    assert current[-1, 0] > 0 > current[-1, 1]


@pytest.mark.parametrize("bosonic", [False, True])
def test_rates_of_each_lead_add_up(bosonic):
    keys = network(3, "bosons" if bosonic else "fermions")
    system = network_relaxation.Parameters(**keys, times={"stop": 1, "points": 2}).system()
    step, times = 1e-3, np.array([0.7, 0.701, 0.702])
    evolution = evolve_approximately(system, times, bosonic)
    n = evolution.correlations(np.zeros((3, 3))).swapaxes(1, 2)
    sign = 1 if bosonic else -1
    entering = [
        np.trace(g @ (np.eye(3) + sign * n[1]) - x @ n[1]).real
        for g, x in zip(evolution.gain_of[1], evolution.loss_of[1], strict=True)
    ]
    change = np.trace(n[2] - n[0]).real / (2 * step)
    assert sum(entering) == pytest.approx(change, rel=1e-6)


# --- classical and rings --------------------------------------------------------------------------


def test_a_relaxing_lattice_ends_in_the_steady_flows():
    leads = {"left": {"density": 1.2}, "right": {"density": 0.4}}
    system = {"sites": 8, "hopping_probability": 0.7, "leads": leads}
    system["injections"] = {"none": {"sites": [3, 4], "current": 0.0}}
    relaxed = found(
        classical_relaxation, system=system, initial_density=0.1, duration=600, interval=100
    )
    steady = found(classical_lattice, system=system)
    for name in ("particle_noise", "entropy_production"):
        np.testing.assert_array_equal(relaxed.values[f"steady_{name}"], steady.values[name])
    last = relaxed.values["entropy_production"][:, -1]
    error = relaxed.values["entropy_production_error"][:, -1]
    assert (abs(last - steady.values["entropy_production"]) <= error + 1e-13).all()
    assert (relaxed.values["entropy_production"] > 0).all()
    current = relaxed.values["particle_current"][:, :, -1]
    np.testing.assert_allclose(current, steady.values["particle_current"][:, :2], atol=1e-12)


RING = {
    "length": 40,
    "bands": {"kind": "chain"},
    "dissipator": {"kind": "two-site", "delta": [1, 1], "delta_prime": [1, 0.5]},
    "inverse_temperature": 2.0,
    "coupling": 0.05,
    "filling": 0.4,
}


@pytest.mark.parametrize("kind", [ring_symmetry, ring_occupations])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_kinds_of_rings_agree(kind, share):
    one, other = (
        found(each, ring=RING, nonequilibrium_share=share) for each in (kind, ring_steady_state)
    )
    for name in FLOWS:
        assert one.values[name] == pytest.approx(other.values[name], rel=1e-12, abs=1e-15)
        error = other.values[f"{name}_error"]
        assert one.values[f"{name}_error"] == pytest.approx(error, rel=1e-6, abs=1e-15)


def test_the_peak_has_the_flows_of_its_share():
    peak = found(ring_peak_current, ring=RING).values
    share = float(peak["peak_nonequilibrium_share"])
    steady = found(ring_steady_state, ring=RING, nonequilibrium_share=share).values
    for name in FLOWS:
        assert peak[f"peak_{name}"] == pytest.approx(steady[name], rel=1e-9)
        assert peak[f"peak_{name}_error"] >= 0
    assert peak["peak_particle_noise"] > 0


def test_no_current_has_no_peak_and_no_noise_there():
    still = RING | {"dissipator": {"kind": "dephasing", "rates": [1]}}
    verdict = found(ring_peak_current, ring=still)
    for name in ("peak_particle_noise", "peak_entropy_production"):
        assert np.isnan(verdict.values[name])
        assert "zero within its error" in verdict.reasons[name]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_relaxing_ring_ends_in_the_steady_flows(share):
    times = {"stop": 4000, "points": 3}
    relaxed = found(ring_relaxation, ring=RING, nonequilibrium_share=share, times=times).values
    steady = found(ring_steady_state, ring=RING, nonequilibrium_share=share).values
    assert relaxed["steady_particle_noise"] == pytest.approx(steady["particle_noise"], rel=1e-12)
    last = relaxed["entropy_production"][-1]
    assert last == pytest.approx(steady["entropy_production"], rel=1e-6, abs=1e-9)
    assert (np.diff(relaxed["entropy_production"]) < 1e-12).all() or share


def test_entropy_of_a_relaxing_ring_is_what_it_and_the_bath_gain():
    """Without dissipator: ``dS/dt - beta dE/dt``, integrated over time."""
    times = {"stop": 60, "points": 601}
    values = found(ring_relaxation, ring=RING, nonequilibrium_share=0.0, times=times).values
    n = values["occupation"][:, :, 0]
    energy = -2 * np.cos(2 * np.pi * (np.arange(40) - 20) / 40)
    entropy = -(n * np.log(n) + (1 - n) * np.log1p(-n)).mean(axis=1)
    total = entropy - 2.0 * (n @ energy) / 40
    produced = values["entropy_production"]
    step = 60 / 600
    gained = (
        step
        / 3
        * (
            produced[100]
            + produced[-1]
            + 4 * produced[101:-1:2].sum()
            + 2 * produced[102:-1:2].sum()
        )
    )
    assert total[-1] - total[100] == pytest.approx(gained, rel=1e-6)
