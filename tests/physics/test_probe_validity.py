"""Where linear response and third order hold: bands, the criterion of the paper, what is left out.

Beside the exact solution, which exists or does not.
"""

import dataclasses
import re

import numpy as np
import pytest

from attached import chain_at, wide_band_at
from lattices import long_range_chain, onsite_rates
from nessflow.probes.derivatives import conductance_matrix, flows
from nessflow.probes.exact import solve_probes
from nessflow.probes.linear import linear_probes
from nessflow.probes.problem import NoSolution, moved
from nessflow.probes.third_order import physical_solution, third_order_probes
from nessflow.probes.validity import current_change
from probed_wires import BIAS, OPEN, wire

SPARSE = {"sources": range(2, 57, 6), "drains": range(5, 60, 6)}


def with_probes(arguments, change):
    """Return the wire with other leads as probes."""
    system, probes = wire(*arguments)
    leads = [*system.leads[:2], *(change(lead) for lead in system.leads[2:])]
    return dataclasses.replace(system, leads=leads), probes


def wide(lead):
    return wide_band_at(lead.name, lead.site, 0.02, lead.chemical_potential, lead.temperature)


def narrow(lead):
    """A band from 0.2 below to 0.2 above the mean chemical potential."""
    parts = (0.1, 0.03, lead.chemical_potential, lead.chemical_potential, 0.0)
    return chain_at(lead.name, lead.site, *parts)


# --- no such state ------------------------------------------------------------------------

BEYOND = {
    "sparse": (wire(60, 0.1, 1.8, 0.1 * OPEN, **SPARSE), 2.308, 38),
    "four sites": (wire(4, 0.05, 1.8, 0.1 * OPEN), 3.808, 9.9),
    "full": (wire(26, 0.05, 1.0, 0.05 * OPEN), 2.002, 99),
    "hopeless": (wire(4, 0.1, 1.0, 1.0), 316.7, None),
    "wide band": (with_probes((4, 0.1, 1.0, 1.0), wide), 273.9, None),
    "narrow band": (with_probes((4, 0.1, 1.0, 0.1 * OPEN), narrow), 1.4828, None),
    "warm": (wire(8, 0.05, 1.0, 0.06 * OPEN, kT=0.01), 2.201, None),
    "below the band": (wire(6, 0.1, -1.6, 0.1 * OPEN), -2.1096, None),
}


@pytest.mark.parametrize("name", BEYOND)
def test_linear_response_beyond_the_band(name):
    (system, probes), highest, flowing = BEYOND[name]
    found = linear_probes(system, probes)
    mu = found.chemical_potential.value[2:]
    extreme = mu.max() if highest > 0 else mu.min()
    assert extreme == pytest.approx(highest, rel=1e-3)
    assert found.validity.reason.startswith("no such state: probe ")
    assert found.validity.band_excess > 0
    with pytest.raises(NoSolution) as error:
        solve_probes(system, probes, rtol=1e-4)
    if flowing:
        share = re.search(r"ends at ([\d.]+) % of them", str(error.value))
        assert float(share[1]) == pytest.approx(flowing, rel=2e-2)


def test_the_largest_current_is_named():
    system, probes = BEYOND["hopeless"][0]
    with pytest.raises(
        NoSolution, match=r"carry the current 1, its bands carry 0\.0125813 at most"
    ):
        solve_probes(system, probes)


def test_third_order_beyond_the_band():
    found = physical_solution(third_order_probes(*wire(4, 0.08, 0.0, 0.1 * OPEN * 1.3)))
    assert abs(found.chemical_potential.value).max() > 1
    assert found.validity.reason == ""
    found = physical_solution(third_order_probes(*wire(4, 0.05, 0.0, 0.1 * OPEN)))
    assert found.validity.reason.startswith("no such state: probe ")


def test_inside_the_band_there_is_a_state():
    """A long-range wire whose linear potentials are inside: the exact value is 19 % lower."""
    system, probes = wire(26, 0.1, 1.0, 0.05 * OPEN)
    system = dataclasses.replace(system, hamiltonian=long_range_chain(26, 1.0, 2.25, 25))
    parts = []
    for sign in (1, -1):
        mu = np.array([lead.chemical_potential for lead in system.leads])
        mu[:2] = 1 + sign * BIAS / 2, 1 - sign * BIAS / 2
        directed = moved(system, mu)
        parts.append([linear_probes(directed, probes), solve_probes(directed, probes)])
    linear, exact = (-sum(part[k].particle_current.value[0] for part in parts) for k in (0, 1))
    assert exact / linear == pytest.approx(0.81, abs=0.01)
    valid = parts[0][0].validity
    assert (valid.band_excess, valid.reason) == (0, "")
    assert valid.neglected == pytest.approx(0.168, abs=2e-3)


# --- how far from small -------------------------------------------------------------------


def test_criterion_of_the_paper():
    """Text below (17): potentials within the bias are currents below ``2 gamma^2 I_o``."""
    for gamma in (0.03, 0.06):
        found = linear_probes(*wire(4, gamma, 0.7, 2 * gamma**2 * OPEN))
        assert found.validity.departure == pytest.approx(BIAS, rel=5 * gamma**2)


@pytest.mark.parametrize("kT", [0.0, 0.02])
@pytest.mark.parametrize("change", [lambda x: x, wide])
def test_what_is_left_out(kT, change):
    """Beside the currents of the engine at these potentials, by its adaptive integrals."""
    system, probes = wire(8, 0.3, 0.8, 0.1 * OPEN, kT=kT)
    leads = [*system.leads[:2], *map(change, system.leads[2:])]
    system = dataclasses.replace(system, leads=leads, loss=onsite_rates(np.full(8, 0.02)))
    found = linear_probes(system, probes)
    mean = 0.8
    bias = found.chemical_potential.value - mean
    common = moved(system, np.full(bias.size, mean))
    none, poles = np.empty(0, int), np.empty(0, complex)
    start, true = (flows(x, none, 1e-10, poles)[0] for x in (common, found.system))
    estimate = current_change(common, mean, bias, poles)
    np.testing.assert_allclose(estimate, true - start, atol=2e-3 * abs(true - start).max())
    matrix = conductance_matrix(common)
    share = abs(true - start - matrix @ bias) / (abs(matrix) @ abs(bias))
    assert found.validity.neglected == pytest.approx(share.max(), rel=0.02)
    assert found.validity.neglected > 1e-3


@pytest.mark.parametrize("kT", [0.0, 0.02])
def test_small_biases_leave_nothing_out(kT):
    """To the smallest: what is left out falls with the bias and drowns in no rounding."""
    last = 1.0
    for size in (1.0, 1e-3, 1e-6, 1e-12):
        system, probes = wire(10, 0.3, 1.3, 0.1 * OPEN * size, bias=BIAS * size, kT=kT)
        valid = linear_probes(system, probes).validity
        assert valid.reason == ""
        assert valid.neglected < max(0.01 * last, 1e-3) if size < 1 else valid.neglected > 1e-3
        last = valid.neglected


def test_an_exact_solution_leaves_nothing_out():
    valid = solve_probes(*wire(4, 0.3, 1.0, 0.1 * OPEN)).validity
    assert (valid.band_excess, valid.neglected, valid.reason) == (0, 0, "")
    assert 0 < valid.departure < BIAS


def test_third_order_leaves_less_out_than_the_first():
    system, probes = wire(4, 0.5, 1.3, 0.5 * OPEN)
    first = linear_probes(system, probes).validity.neglected
    third = physical_solution(third_order_probes(system, probes)).validity.neglected
    assert third < 0.1 * first
