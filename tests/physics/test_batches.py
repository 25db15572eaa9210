"""Systems that are computed together have the numbers that they have alone, to the last bit."""

from itertools import pairwise

import numpy as np
import pytest

from attached import wide_band_at
from lattices import chain, onsite_rates
from nessflow.observables.currents import Currents
from nessflow.observables.observable import evaluate, evaluate_all, observable_kinds
from nessflow.spectrum import quadrature, rates
from nessflow.spectrum.occupation import fermi, fermi_holes
from nessflow.spectrum.quadrature import _calls, integrate, integrate_each, line_mesh
from nessflow.spectrum.rates import Observable, integrate_each_system, integrate_observables
from nessflow.systems.system import OpenSystem
from systems import as_dense_system, as_sparse_system, random_system

NAMED = {"resistances", "thermopowers"}
"""Observables that name what they measure."""
ALL = [
    kind()
    for name, kind in observable_kinds().items()
    if name not in NAMED and not any(x.is_required() for x in kind.model_fields.values())
]
INTEGRALS = [x for x in ALL if x.name in ("currents", "noise", "cumulants", "scattering-entropy")]


def plain(kind, count, sites=12, **rates):
    return [random_system(seed, sites, kind, **rates) for seed in range(count)]


def half_cut(seed):
    """A chain that may be cut: what is behind the cut no lead reaches."""
    system = random_system(seed, 12, "sites", 1, loss=0, gain=0)
    return OpenSystem(system.hamiltonian, system.loss, system.gain, system.leads)


def disordered(count):
    """Lossy chains of a box distribution between cold wide bands: most panels are in the tails."""
    leads = [wide_band_at(x, k, 1.1, 0.1, 1e-4) for x, k in (("left", 0), ("right", 19))]
    loss, gain = onsite_rates(np.full(20, 0.1)), onsite_rates(np.zeros(20))
    energies = np.random.default_rng(1).uniform(-0.6, 0.6, (count, 20))
    return [OpenSystem(chain(20, np.ones(19), x), loss, gain, leads) for x in energies]


def terminals_of_two(kind, stored):
    """Leads of two channels each."""
    leads = [wide_band_at(str(k), k, 0.3 + 0.2 * k, 0.0, 0.1) for k in range(4)]
    leads = [
        type(x)(x.name, x.site, x.model, 0.1 * (k // 2), 0.1, f"t{k // 2}")
        for k, x in enumerate(leads)
    ]
    return [stored(random_system(seed, 8, kind, leads)) for seed in range(3)]


def occupied(system):
    """The system at several potentials and temperatures, some of them 0 or equal."""
    mu, count = np.array([0.3, -0.2, 0.1]), len(system.leads)
    filling = [(mu, 0.1), (-mu, 0.3), (0.5 * mu, 0.0), (mu, [0.2, 0.0, 0.1]), (0 * mu, 0.2)]
    return [system.with_occupations(x[:count], np.resize(warmth, count)) for x, warmth in filling]


ENSEMBLES = {
    "potentials and temperatures": lambda: occupied(random_system(1, 12, "sites")),
    "of lossless chains": lambda: occupied(random_system(1, 12, "sites", loss=0, gain=0)),
    "of matrices": lambda: occupied(random_system(1, 6, "dense", 3)),
    "chains with loss and gain": lambda: plain("sites", 5),
    "chains with loss": lambda: plain("uniform", 5, gain=0),
    "chains alone": lambda: plain("sites", 5, loss=0, gain=0),
    "long chains": lambda: plain("uniform", 2, 60, gain=0),
    "bonds": lambda: plain("bonds", 3),
    "one lead": lambda: [half_cut(seed) for seed in range(3)],
    "small matrices": lambda: plain("sparse", 3, 6),
    "dense": lambda: list(map(as_dense_system, plain("sites", 3, 6))),
    "banded": lambda: list(map(as_sparse_system, plain("uniform", 3, 40, gain=0))),
    "two channels each": lambda: terminals_of_two("dense", as_dense_system),
    "of every kind": lambda: [
        *plain("sites", 2), *plain("uniform", 2, gain=0), *plain("sites", 1, 13),
        *plain("sites", 2, mu=(0.0, 0.1)), *plain("dense", 2, 5), *plain("sites", 1),
    ],
}  # fmt: skip


def assert_same(together, alone):
    for found, expected in zip(together, alone, strict=True):
        assert (found.status, found.message) == (expected.status, expected.message)
        assert found.notes == expected.notes
        assert list(found.values) == list(expected.values)
        for name, value in expected.values.items():
            np.testing.assert_array_equal(found.values[name], value, name)


@pytest.mark.parametrize("name", ENSEMBLES)
def test_together_as_alone(name):
    systems = ENSEMBLES[name]()
    alone = [evaluate(system, INTEGRALS, 1e-6) for system in systems]
    assert_same(evaluate_all(systems, INTEGRALS, 1e-6), alone)
    assert_same(evaluate_all(systems[1:], INTEGRALS, 1e-6), alone[1:])


def test_systems_that_need_many_energies_go_in_smaller_groups(monkeypatch):
    """What is kept for other observables, and who is integrated beside whom, is of no account."""
    systems = disordered(5)
    monkeypatch.setattr(rates, "_ELEMENTS", 20_000)
    few = evaluate_all(systems, INTEGRALS)
    monkeypatch.undo()
    assert_same(few, evaluate_all(systems, INTEGRALS))


def test_occupations_are_those_of_the_formula_to_the_last_bit():
    """Also at the step itself, where exponentials overflow, and without a temperature."""
    lead = [wide_band_at(str(k), k, 1.0, mu, T) for k, mu, T in ((0, 0.3, 0.0), (1, -0.2, 0.01))]
    energies = np.concatenate([np.linspace(-3, 3, 301), [0.3, -0.2, 1e300, -1e300, 0.3 + 1e-16]])
    found = rates.Rates(random_system(0, 4, "sites", lead), energies)
    for k, (mu, temperature) in enumerate(((0.3, 0.0), (-0.2, 0.01))):
        assert np.array_equal(found.filled[k], fermi(energies, mu, temperature))
        assert np.array_equal(found.empty[k], fermi_holes(energies, mu, temperature))


def test_samples_of_a_disordered_lossy_chain():
    systems = disordered(10)
    alone = [evaluate(system, INTEGRALS) for system in systems]
    assert_same(evaluate_all(systems, INTEGRALS), alone)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_nodes_do_not_know_of_other_panels(size):
    """Nor of where among them they are, in the middle, beside an edge and in the tails."""
    poles = np.linspace(-2, 2, 9) - 0.1j
    panels = line_mesh((-4, 4), np.linspace(-9, 9, 23), (-1.0, 1.0), poles)
    assert set(panels.power) == {-1, 1, 2}
    whole = panels.nodes()
    for first in range(0, panels.size, size):
        for one, other in zip(panels[first : first + size].nodes(), whole, strict=True):
            np.testing.assert_array_equal(one, other[first : first + size])


def test_every_observable():
    systems = plain("uniform", 3, 5, gain=0)
    alone = [evaluate(system, ALL, 1e-6) for system in systems]
    assert_same(evaluate_all(systems, ALL, 1e-6), alone)


def test_an_integrand_cannot_take_the_occupations_of_one_system_for_those_of_all():
    """Those that differ are nan."""

    def integrand(rates):
        value = rates.leads[0, 1] * rates.system.terminals[0].chemical_potential
        return value[None], abs(value)[None]

    observable = Observable(integrand, lambda found: found.value[0])
    systems = occupied(random_system(1, 4, "sites"))
    together = integrate_each_system(systems[:2], [[observable]] * 2)
    assert np.isnan(together).all()
    assert np.isfinite(integrate_each_system(systems[:1] * 2, [[observable]] * 2)).all()


def test_nothing_to_evaluate():
    assert evaluate_all([], [Currents()]) == []


def test_what_knows_its_system_is_integrated_alone():
    """An integrand that is another function for each system sees that system."""

    def level(system):
        def integrand(rates):
            first = rates.system.hamiltonian.diagonal[0]
            value = rates.leads[0, 1] * rates.difference[0, 1] * first
            return value[None], abs(value)[None]

        return Observable(integrand, lambda found: found.value[0])

    systems = plain("sites", 4)
    alone = [integrate_observables(x, [level(x)])[0] for x in systems]
    assert [x[0] for x in integrate_each_system(systems, [[level(x)] for x in systems])] == alone


# --- quadrature -----------------------------------------------------------------------------------


def lorentzians(poles):
    """Integrand of one Lorentzian for each function, and of its square root."""

    def integrand(w, counts):
        pole = np.repeat(poles, counts)
        value = -pole.imag / ((w - pole.real) ** 2 + pole.imag**2)
        values = np.stack([value, np.sqrt(value)])
        return values, values

    return integrand


@pytest.mark.parametrize("panels_per_call", [1, 7, 2000])
def test_integrals_of_several_functions(panels_per_call):
    rng = np.random.default_rng(0)
    poles = rng.uniform(-1, 1, 9) - 1j * 10.0 ** rng.uniform(-7, 0, 9)
    meshes = [line_mesh((-3, 3), limits=(-2, 2)) for _ in poles]
    meshes[4] = line_mesh((-3, 3), limits=(1, 1))  # nothing to integrate
    scales = rng.uniform(1, 2, 9)
    together = integrate_each(lorentzians(poles), meshes, scales, 1e-9, panels_per_call)
    for pole, mesh, scale, found in zip(poles, meshes, scales, together, strict=True):
        own = lorentzians(np.array([pole]))
        alone = integrate(lambda w: own(w, [w.size]), mesh, 1e-9, scale)  # noqa: B023
        assert (found.converged, found.evaluations) == (alone.converged, alone.evaluations)
        for x in ("value", "error", "size"):
            np.testing.assert_array_equal(getattr(found, x), getattr(alone, x))


def test_one_that_never_ends_leaves_the_others_alone():
    def integrand(w, counts):
        bad = np.repeat([0.0, np.nan, 1.0], counts)
        value = bad + 1 / (1 + w**2)
        return value[None], abs(value)[None]

    mesh = line_mesh((-3, 3), limits=(-1, 1))
    first, second, third = integrate_each(integrand, [mesh] * 3, [0.0] * 3)
    assert first.converged
    assert not second.converged
    assert third.converged
    assert abs(first.value[0] - np.pi / 2) <= first.error[0]
    assert abs(third.value[0] - np.pi / 2 - 2) <= third.error[0]


def test_where_panels_are_many_each_goes_on_alone_with_the_same_bits(monkeypatch):
    systems = ENSEMBLES["chains with loss and gain"]()
    expected = evaluate_all(systems, INTEGRALS, 1e-6)
    monkeypatch.setattr(quadrature, "_KEPT", 0)
    assert_same(evaluate_all(systems, INTEGRALS, 1e-6), expected)


@pytest.mark.parametrize("counts", [[0], [5], [3, 0, 4], [2, 25, 1, 10, 11], [30, 1], [0, 0]])
def test_what_one_function_is_evaluated_with_is_as_it_would_be_alone(counts):
    counts = np.array(counts)
    calls = [(here.start, here.stop) for here in _calls(counts, 10)]
    assert calls[0][0] == 0
    assert calls[-1][1] == counts.sum()
    assert all(a[1] == b[0] for a, b in pairwise(calls))
    assert all(stop - start <= 10 for start, stop in calls)
    starts = np.cumsum(counts) - counts
    for start, count in zip(starts, counts, strict=True):
        cuts = {edge - start for call in calls for edge in call if start < edge < start + count}
        alone = {here.start for here in _calls(np.array([count]), 10)} - {0}
        assert cuts == alone
