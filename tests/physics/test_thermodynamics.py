"""First and second law, engines, and the entropy that scattering spreads over the terminals."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import entr, xlog1py

from attached import chain_at, wide_band_at
from lattices import chain, onsite_rates
from nessflow.estimate import Estimate, uncertainty_ratio
from nessflow.observables.thermodynamics import (
    carnot_efficiency,
    efficiency,
    entropy_production,
    heat_current,
    lead_entropy_production,
    power,
)
from nessflow.scattering import entropy
from nessflow.scattering.currents import steady_currents
from nessflow.scattering.entropy import (
    gain_to_loss_ratio,
    needs_dense,
    scattering_entropy_production,
)
from nessflow.scattering.linear_response import linear_response
from nessflow.scattering.profiles import terminal_currents
from nessflow.spectrum.rates import Rates
from nessflow.systems.system import OpenSystem, as_dense
from systems import random_system


def open_chain(
    sites, mu=(0.5, -0.5), temperature=(0.2, 0.4), loss=0.0, gain=0.0, broadening=1.1, level=0.0
):
    leads = [
        wide_band_at(name, site, broadening, m, t)
        for name, site, m, t in zip(("left", "right"), (0, sites - 1), mu, temperature, strict=True)
    ]
    rates = [onsite_rates(np.broadcast_to(rate, (sites,))) for rate in (loss, gain)]
    return OpenSystem(chain(sites, 1.0, level), *rates, leads)


def ends(sites, bias):
    """Return name and site of a lead at each end, with its chemical potential."""
    return [(("left", 0), bias / 2), (("right", sites - 1), -bias / 2)]


def clean_wire(sites, leads, onsite=0.0):
    nothing = onsite_rates(np.zeros(sites))
    return OpenSystem(chain(sites, np.ones(sites - 1), onsite), nothing, nothing, leads)


def integrands(system, energies):
    """Values and sizes of the entropy production of scattering at some energies."""
    observable = entropy.scattering_entropy_observable(system)
    return observable.integrand(Rates(system, energies))


def any_system(seed, loss=True, gain=True, ratio=None):
    """Any matrices and three leads, hot and cold; gain is ``ratio`` times loss where given."""
    temperature = 10 ** np.random.default_rng(seed).uniform(-2, 1, 3)
    system = random_system(seed, 5, "dense", 3, temperature=temperature, loss=loss, gain=gain)
    return system if ratio is None else replace(system, gain=ratio * system.loss)


SEEDS = st.integers(0, 2**32 - 1)

# --- first law ---


@pytest.mark.parametrize("temperature", [(0.2, 0.4), (0.0, 0.0), (0.01, 3.0)])
def test_heat_out_of_the_leads_becomes_power(temperature):
    system = open_chain(4, temperature=temperature)
    currents = steady_currents(system)
    heat, work = heat_current(system, currents), power(system, currents)
    assert abs(heat.value.sum() - work.value) <= heat.error.sum() + work.error
    assert work.value == pytest.approx((-0.5 - 0.5) * currents.net_particle_current.value)


def test_joule_heat_at_zero_temperature():
    """Both leads at T = 0: heat I V enters the leads, half each by symmetry."""
    system = open_chain(3, mu=(0.3, -0.3), temperature=(0.0, 0.0))
    currents = steady_currents(system)
    heat = heat_current(system, currents)
    joule = 0.6 * currents.net_particle_current.value
    assert heat.value == pytest.approx([-joule / 2, -joule / 2], rel=1e-9)


@pytest.mark.parametrize("function", [steady_currents, terminal_currents])
def test_heat_diverges_with_the_energy_current(function):
    system = open_chain(4, loss=[0.1, 0, 0, 0])
    heat = heat_current(system, function(system))
    assert np.isnan(heat.value).tolist() == [True, False]
    assert "diverges logarithmically" in heat.undefined


# --- second law ---


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_closed_systems_produce_entropy(seed):
    system = any_system(seed, loss=False, gain=False)
    currents = steady_currents(system)
    found = entropy_production(system, currents)
    assert not found.undefined
    assert found == lead_entropy_production(system, currents)
    assert found.value > 0
    assert found.error < 1e-6 * found.value


def off_contact(seed, ratio, sites=5):
    """Gain ``ratio`` times loss on the inner sites, so that energy currents are finite."""
    rng = np.random.default_rng(seed)
    rates = np.concatenate([[0.0], rng.uniform(0, 0.4, sites - 2), [0.0]])
    mu, temperature = rng.uniform(-2, 2, 2), 10 ** rng.uniform(-1.5, 1, 2)
    return open_chain(sites, mu, temperature, rates, ratio * rates, level=rng.normal(size=sites))


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, ratio=st.floats(0.01, 100))
def test_gain_proportional_to_loss_is_one_hot_terminal(seed, ratio):
    system = off_contact(seed, ratio)
    currents = steady_currents(system)
    assert gain_to_loss_ratio(system) == pytest.approx(ratio)
    total = entropy_production(system, currents)
    assert total.value >= -total.error
    into = -currents.particle_current.value[2:].sum()
    leads = lead_entropy_production(system, currents)
    assert total.value == pytest.approx(leads.value - np.log(ratio) * into, rel=1e-7)
    information, error, undefined = scattering_entropy_production(system)
    assert not undefined
    assert -error <= information <= total.value + total.error + error


def test_equilibrium_with_gain_and_loss_at_infinite_temperature():
    """mu/T -> ln r in the limit of hot leads: nothing flows, no entropy is produced."""
    temperature, ratio = 1e5, 2.0
    mu = temperature * np.log(ratio)
    leads = [
        chain_at(name, site, 1.0, 1.0, 0.0, mu, temperature)
        for name, site in (("left", 0), ("right", 3))
    ]
    system = OpenSystem(
        chain(4, 1.0, 0.0), *(onsite_rates(np.full(4, r)) for r in (0.1, 0.2)), leads
    )
    currents = steady_currents(system)
    total = entropy_production(system, currents)
    assert abs(currents.particle_current.value[:2]).max() < 1e-5
    assert 0 <= total.value + total.error < 1e-8


def test_leads_alone_may_lose_entropy():
    """Loss takes hot particles away; the entropy of the leads has no sign."""
    values = []
    for mu in (-2.0, 0.5):
        system = open_chain(3, mu=(mu, mu), temperature=(0.5, 0.5), loss=[0.0, 0.1, 0.0])
        currents = steady_currents(system)
        values.append(lead_entropy_production(system, currents).value)
        assert "loss alone" in entropy_production(system, currents).undefined
    assert values[0] < 0 < values[1]


@pytest.mark.parametrize(
    ("rates", "reason"),
    [
        ({"loss": [0, 0.1, 0]}, "loss alone: each particle carries an infinite entropy"),
        ({"gain": [0, 0.1, 0]}, "gain alone"),
        ({"loss": [0, 0.1, 0], "gain": [0.1, 0.2, 0]}, "not proportional"),
        ({"loss": [0, 0.1, 0], "gain": [0, 0.1, 0], "temperature": (0, 1)}, "lead left"),
        ({"temperature": (0, 0)}, "at temperature 0"),
        ({"loss": 0.1, "gain": 0.2}, "diverges"),
    ],
)
def test_entropy_production_says_why_it_is_undefined(rates, reason):
    system = open_chain(3, **rates)
    found = entropy_production(system, steady_currents(system))
    assert np.isnan([found.value, found.error]).all()
    assert reason in found.undefined


@pytest.mark.parametrize("kind", ["tridiagonal", "dense", "sparse"])
def test_proportional_matrices(kind):
    system = any_system(3, ratio=0.7)
    if kind == "tridiagonal":
        system = open_chain(5, loss=np.linspace(0, 0.4, 5), gain=0.7 * np.linspace(0, 0.4, 5))
    if kind == "sparse":
        matrices = (system.hamiltonian, system.loss, system.gain)
        system = OpenSystem(*map(scipy.sparse.csr_array, matrices), system.leads)
    assert gain_to_loss_ratio(system) == pytest.approx(0.7)
    assert gain_to_loss_ratio(any_system(3)) is None
    assert gain_to_loss_ratio(any_system(3, gain=False)) is None
    assert gain_to_loss_ratio(open_chain(3)) is None


# --- entropy of the outgoing streams ---


def all_channels(system, energies):
    """Sum over terminals of the outgoing less the incoming entropy, from the whole of s."""

    def h(f):
        f = np.clip(f, 0.0, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(-f * np.log(f)) + np.nan_to_num(-(1 - f) * np.log1p(-f))

    couplings = []
    for lead in system.leads:
        column = np.zeros((system.sites, 1), complex)
        column[lead.site] = np.sqrt(lead.model.broadening)
        couplings.append(column)
    for matrix in (system.loss, system.gain):
        levels, vectors = np.linalg.eigh(2 * as_dense(matrix))
        couplings.append(vectors * np.sqrt(np.maximum(levels, 0)))
    w = np.hstack(couplings)
    ends = np.cumsum([0] + [part.shape[1] for part in couplings])
    result = []
    for energy in energies:
        inverse = (
            energy * np.eye(system.sites) - as_dense(system.hamiltonian) + 0.5j * w @ w.conj().T
        )
        s = 1j * w.conj().T @ np.linalg.inv(inverse) @ w - np.eye(w.shape[1])
        filled = [
            1 / (1 + np.exp((energy - x.chemical_potential) / x.temperature)) for x in system.leads
        ]
        f = np.concatenate([filled, np.zeros(system.sites), np.ones(system.sites)])
        out = s * f @ s.conj().T
        blocks = [out[i:j, i:j] for i, j in pairwise(ends)]
        result.append(sum(h(np.linalg.eigvalsh(block)).sum() for block in blocks) - h(f).sum())
    return np.array(result)


@pytest.mark.parametrize(("loss", "gain"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_entropy_of_the_outgoing_streams_against_all_channels(loss, gain):
    system = any_system(5, bool(loss), bool(gain))
    energies = np.linspace(-4, 4, 9)
    values, sizes = integrands(system, energies)
    assert values[0] == pytest.approx(all_channels(system, energies), rel=1e-8, abs=1e-13)
    assert np.all(sizes >= abs(values))
    assert needs_dense(system) == bool(loss and gain)


def test_merged_terminal_against_one_of_its_own():
    """Loss and gain 0.1 and 0.3 as a lead of broadening 0.8 and occupation 3/4 on each site."""
    merged = open_chain(3, loss=[0, 0.1, 0], gain=[0, 0.3, 0])
    hot = 1e9
    explicit = OpenSystem(
        merged.hamiltonian,
        onsite_rates(np.zeros(3)),
        onsite_rates(np.zeros(3)),
        [*merged.leads, wide_band_at("hot", 1, 0.8, hot * np.log(3), hot)],
    )
    energies = np.linspace(-5, 5, 11)
    found, expected = (integrands(x, energies)[0] for x in (merged, explicit))
    assert found == pytest.approx(expected, rel=1e-7)
    assert not needs_dense(merged)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, loss=st.booleans(), gain=st.booleans(), merged=st.booleans())
def test_entropy_of_the_outgoing_streams_is_never_negative(seed, loss, gain, merged):
    system = any_system(seed, loss, gain, ratio=0.3 if merged else None)
    energies = np.linspace(-6, 6, 41)
    values, sizes = integrands(system, energies)
    assert np.all(values >= -1e-13 * sizes)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_relaxation_in_the_leads_adds_to_the_entropy(seed):
    system = any_system(seed, loss=False, gain=False)
    found, error, undefined = scattering_entropy_production(system)
    thermal = entropy_production(system, steady_currents(system))
    assert not undefined
    assert 0 < found <= thermal.value + thermal.error + error


def test_scattering_entropy_of_one_level_with_loss():
    """One lead, one level: T = 2 g l/(w^2 + (g/2 + l/2)^2) from a full lead, H(T) twice."""
    broadening, rate = 0.8, 0.3
    nothing = onsite_rates(np.zeros(1))
    lead = wide_band_at("lead", 0, broadening, 0.0, 0.0)
    system = OpenSystem(chain(1, 1.0, 0.0), onsite_rates([rate]), nothing, [lead])
    w = -np.logspace(-9, 9, 200001)
    tau = 2 * rate * broadening / (w**2 + (broadening / 2 + rate) ** 2)
    h = -tau * np.log(tau) - (1 - tau) * np.log1p(-tau)
    expected = np.trapezoid(2 * h * -w, np.log(-w)) / (2 * np.pi)
    found, error, undefined = scattering_entropy_production(system)
    assert not undefined
    assert error < 1e-9
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("sites", [1, 2, 30])
@pytest.mark.parametrize("bias", [0.5, 5.0])
def test_a_wire_that_reflects_nothing_makes_no_entropy_at_zero_temperature(sites, bias):
    leads = [chain_at(*at, 1.0, 1.0, 0.0, mu, 0.0) for at, mu in ends(sites, bias)]
    found, error, undefined = scattering_entropy_production(clean_wire(sites, leads))
    assert not undefined
    assert abs(found) <= error < 1e-24


@pytest.mark.parametrize("barrier", [1e-9, 1e-6, 1e-3])
def test_entropy_of_a_wire_that_reflects_little(barrier):
    """``R = v^2 / (v^2 + (2 sin k)^2)`` at one site of energy v; ``sigma = int dw/2pi 2 H(R)``."""
    leads = [chain_at(*at, 1.0, 1.0, 0.0, mu, 0.0) for at, mu in ends(3, 1.0)]
    system = clean_wire(3, leads, [0.0, barrier, 0.0])
    found, error, undefined = scattering_entropy_production(system)

    def integrand(energy):
        reflection = barrier**2 / (barrier**2 + 4 - energy**2)
        return 2 * (entr(reflection) - xlog1py(1 - reflection, -reflection)) / (2 * np.pi)

    expected = quad(integrand, -0.5, 0.5, epsabs=0, epsrel=1e-12)[0]
    assert not undefined
    assert abs(found - expected) <= error + 1e-12 * expected
    assert error < 1e-4 * expected


def test_no_entropy_in_equilibrium():
    system = open_chain(4, mu=(0.2, 0.2), temperature=(0.3, 0.3))
    found, error, _ = scattering_entropy_production(system)
    assert abs(found) <= error + 1e-15
    total = entropy_production(system, steady_currents(system))
    assert abs(total.value) <= total.error


# --- engines ---


@settings(max_examples=30, deadline=None)
@given(
    level=st.floats(0.3, 2) | st.floats(-2, -0.3),
    share=st.floats(0.05, 1),
    temperature=st.floats(0.05, 2),
    hotter=st.floats(1.1, 10),
)
def test_no_engine_beats_carnot(level, share, temperature, hotter):
    mu = share * level * (1 - 1 / hotter)  # a sharp level is an engine up to that bias
    system = open_chain(
        1, (mu, 0.0), (temperature, hotter * temperature), broadening=0.05, level=level
    )
    currents = steady_currents(system)
    found, bound = efficiency(system, currents), carnot_efficiency(system)
    assert bound.value == pytest.approx(1 - 1 / hotter)
    assume(not found.undefined)
    assert 0 < found.value <= bound.value + found.error
    assert power(system, currents).value > 0


def test_a_narrow_level_comes_close_to_carnot():
    """Reversible where (e - mu_L)/T_L = (e - mu_R)/T_R: here at mu_R = -0.5, Carnot 1/2."""

    def narrow(mu):
        return open_chain(1, (0.0, mu), (1.0, 2.0), broadening=1e-6, level=0.5)

    engine, beyond = narrow(-0.49), narrow(-0.51)
    assert carnot_efficiency(engine).value == 0.5
    found = efficiency(engine, steady_currents(engine))
    assert found.value == pytest.approx(0.49 / 0.99, rel=1e-3)
    assert "no power" in efficiency(beyond, steady_currents(beyond)).undefined


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"temperature": (0.3, 0.3)}, "same temperature"),
        ({"mu": (1.0, -1.0), "temperature": (1.0, 0.9)}, "no power"),
        ({"loss": [0.0, 0.1, 0.0]}, "loss and gain exchange particles"),
    ],
)
def test_efficiency_says_why_it_is_undefined(arguments, reason):
    system = open_chain(3, **arguments)
    found = efficiency(system, steady_currents(system))
    assert np.isnan(found.value)
    assert reason in found.undefined


def test_three_leads_are_no_engine():
    system = any_system(1, False, False)
    assert "there are 3" in power(system, steady_currents(system)).undefined
    assert "there are 3" in carnot_efficiency(system).undefined


def test_carnot_without_temperature():
    assert carnot_efficiency(open_chain(2, temperature=(0.0, 1.0))).value == 1.0
    assert "temperature 0" in carnot_efficiency(open_chain(2, temperature=(0.0, 0.0))).undefined


# --- uncertainty ---


def test_uncertainty_ratio_of_linear_response_is_two():
    """Noise 2 T G, entropy production G V^2 / T, current G V."""
    temperature, bias = 0.3, 1e-3
    system = open_chain(3, (0.2 + bias, 0.2), (temperature, temperature))
    currents = steady_currents(system)
    response = linear_response(open_chain(3, (0.2, 0.2), (temperature, temperature)))
    noise = Estimate(
        2 * temperature * response.electrical_conductance.value,
        2 * temperature * response.electrical_conductance.error,
    )
    current = Estimate(currents.net_particle_current.value, currents.net_particle_current.error)
    found = uncertainty_ratio(noise, entropy_production(system, currents), current)
    assert found.value == pytest.approx(2.0, rel=2e-3)
    assert found.error < 1e-3


def test_error_of_the_uncertainty_ratio_is_a_bound():
    noise, sigma, current = Estimate(3.0, 0.1), Estimate(2.0, 0.2), Estimate(-1.5, 0.05)
    found = uncertainty_ratio(noise, sigma, current)
    assert found.value == pytest.approx(6 / 2.25)
    extreme = 3.1 * 2.2 / 1.45**2
    assert extreme <= found.value + found.error <= 1.1 * extreme


def test_uncertainty_ratio_of_currents_whose_square_underflows():
    noise, sigma, current = Estimate(3e-170, 1e-183), Estimate(4e-169, 0.0), Estimate(2e-170, 0.0)
    found = uncertainty_ratio(noise, sigma, current)
    assert found.value == pytest.approx(30.0)
    assert found.error == pytest.approx(1e-12)


def test_uncertainty_ratio_says_why_it_is_undefined():
    fine = Estimate(1.0, 0.0)
    assert "within its error" in uncertainty_ratio(fine, fine, Estimate(1e-9, 1e-8)).undefined
    missing = Estimate(np.nan, np.nan, "no such thing")
    assert uncertainty_ratio(fine, missing, fine).undefined == "no such thing"
