"""Transmission by mode: sums, unitarity, closed forms, and the noise that it makes."""

import numpy as np
import pytest

from nessflow.kinds import transmission
from nessflow.observables.currents import Currents
from nessflow.observables.noise import Noise
from nessflow.observables.observable import evaluate
from nessflow.observables.response.transmission_eigenvalues import TransmissionEigenvalues
from nessflow.outcome import Status
from nessflow.studies import systems
from nessflow.systems.system import OpenSystem

WIDTH = 3
EDGES = -2 * np.cos(np.pi * np.arange(1, WIDTH + 1) / (WIDTH + 1))
"""Energies of the transverse modes of a strip of unit hopping."""


def strip(mu=(0.1, 0.0), temperature=0.0, onsite=0.0, length=4, **more):
    """A strip that its leads continue, with energies of the sites as an obstacle."""
    lead = {"kind": "semi-infinite-strip", "temperature": temperature}
    count = length * WIDTH
    places = range(1, WIDTH + 1), range(count - WIDTH + 1, count + 1)
    return {
        "lattice": {"kind": "strip", "length": length, "width": WIDTH, "onsite": onsite},
        "leads": {
            name: lead | {"chemical_potential": potential, "site": list(sites)}
            for name, potential, sites in zip(("left", "right"), mu, places, strict=True)
        },
        **more,
    }


def barrier(height, length=4):
    """Energies of a constriction: the outer rows of the middle columns are lifted."""
    energies = np.zeros((length, WIDTH))
    energies[1:-1, [0, -1]] = height
    return energies.ravel().tolist()


def system_of(description) -> OpenSystem:
    return systems.open_system(systems.System.model_validate(description), None)


def values(description, *observables):
    found = evaluate(system_of(description), observables)
    assert found.status == Status.OK, found.message
    return found.values


def test_a_strip_transmits_each_open_mode_and_no_other():
    energies = [-3.2, -1.0, 0.0, 1.0, 3.6]
    found = values(strip(), TransmissionEigenvalues(energies=energies))
    opened = (abs(np.array(energies)[:, None] - EDGES) < 2).sum(axis=1)
    assert (found["open_channels"] == opened).all()
    for left, right in ((0, 1), (1, 0)):
        for k, count in enumerate(opened):
            own = found["transmission_eigenvalue"][left, right, :, k]
            assert own == pytest.approx((np.arange(WIDTH) < count) * 1.0, abs=1e-12)
    assert found["transmission_eigenvalue"][[0, 1], [0, 1]] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("loss", [None, 0.1])
def test_they_add_up_to_the_transmission_and_with_reflection_to_one(loss):
    more = {"loss": {"kind": "onsite", "rate": loss}} if loss else {}
    description = strip(onsite=barrier(1.5), **more)
    energies = {"start": -3.2, "stop": 3.1, "points": 8}
    found = values(description, TransmissionEigenvalues(energies=energies))
    parameters = transmission.Parameters(system=description, energies=energies)
    spectra = transmission.evaluate(parameters, None).values
    modes = found["transmission_eigenvalue"]
    assert modes[0, 1].sum(axis=0) == pytest.approx(spectra["transmission"][0, 1], rel=1e-12)
    assert modes[1, 1].sum(axis=0) == pytest.approx(spectra["reflection"][1], abs=1e-12)
    if not loss:
        # Each mode is transmitted or reflected.
        opened = found["open_channels"][0]
        for k, count in enumerate(opened.astype(int)):
            own = modes[0, 1, :count, k] + modes[0, 0, :count, k][::-1]
            assert own == pytest.approx(1.0, abs=1e-12)


def test_noise_of_a_point_contact_is_that_of_its_modes():
    """At temperature 0 ``S = int tau (1 - tau)`` over the bias, by which the Fano factor is."""
    description = strip((0.55, 0.45), onsite=barrier(1.5))
    nodes, weights = np.polynomial.legendre.leggauss(12)
    energies = (0.5 + 0.05 * nodes).tolist()
    found = values(description, Noise(), Currents(), TransmissionEigenvalues(energies=energies))
    tau = found["transmission_eigenvalue"][1, 0]
    noise = (tau * (1 - tau)).sum(axis=0) @ weights * 0.05 / (2 * np.pi)
    current = tau.sum(axis=0) @ weights * 0.05 / (2 * np.pi)
    assert found["net_particle_noise"] == pytest.approx(noise, rel=1e-9)
    assert found["net_particle_current"] == pytest.approx(current, rel=1e-9)
    assert 0.01 < noise / current < 0.9


def test_the_fano_factor_is_the_noise_of_a_bias_of_one_lead_alone():
    """Of three leads beside loss: ``S_aa`` and ``I_a`` of an energy at which b alone is filled."""
    wide = {"kind": "wide-band", "broadening": 0.7, "temperature": 0.0, "site": 6}
    loss = {"kind": "onsite", "rate": 0.05}
    names = ["left", "right", "tip"]
    for b, filled in enumerate(names):
        description = strip(onsite=barrier(1.5), loss=loss)
        description["leads"]["tip"] = wide | {"chemical_potential": 0.0}
        for name in names:
            description["leads"][name]["chemical_potential"] = 1.0 if name == filled else 0.0
        parameters = transmission.Parameters(
            system=description,
            energies=[0.3, 0.7],
            observables=[{"transmission-eigenvalues": {"energies": [0.3, 0.7]}}],
        )
        found = transmission.evaluate(parameters, None).values
        for a in {0, 1, 2} - {b}:
            noise = found["spectral_particle_noise"][a, a]
            fano = noise / abs(found["spectral_particle_current"][a])
            assert found["fano_factor"][a, b] == pytest.approx(fano, rel=1e-10)
            assert found["fano_factor_error"][a, b].max() < 1e-12
            assert (fano < 0.99).all()


def test_a_fano_factor_needs_a_current():
    outcome = evaluate(system_of(strip()), [TransmissionEigenvalues(energies=[-3.6, 0.3])])
    fano = outcome.values["fano_factor"]
    assert np.isnan(fano[[0, 1], [0, 1]]).all()
    assert np.isnan(fano[0, 1, 0])
    assert fano[0, 1, 1] == pytest.approx(0, abs=1e-12)
    assert "nothing passes" in outcome.notes["fano_factor"]


@pytest.mark.parametrize(
    "lattice",
    [
        {"kind": "strip", "length": 3, "width": 4, "flux": 0.5},
        {"kind": "honeycomb", "length": 3, "width": 3},
        {"kind": "chain", "sites": 4, "orbitals": 2, "hopping": [[1, -0.5], [0.5, 1]]},
    ],
)
def test_a_lattice_that_goes_on_transmits_each_open_mode(lattice):
    """Leads of coupled orbitals, whose modes follow the energy."""
    lead = {"kind": "continued", "chemical_potential": 0.0, "temperature": 0.0}
    given = {"lattice": lattice, "leads": {"left": lead, "right": lead}}
    found = values(given, TransmissionEigenvalues(energies=[-2.9, -1.23, 0.4, 1.7]))
    opened = found["open_channels"][0]
    assert opened.max() > 1
    modes = np.arange(found["transmission_eigenvalue"].shape[2])[:, None]
    for into, out in ((0, 1), (1, 0)):
        own, error = (found[f"transmission_eigenvalue{x}"][into, out] for x in ("", "_error"))
        assert (abs(own - (modes < opened)) <= error + 1e-12).all()
        assert error.max() < 1e-9


def test_a_lead_of_one_channel_meets_one_mode_of_others():
    description = strip()
    wide = {"kind": "wide-band", "broadening": 0.7, "temperature": 0.0, "chemical_potential": 0.0}
    description["leads"]["tip"] = wide | {"site": 6}
    found = values(description, TransmissionEigenvalues(energies=[0.2]))
    modes = found["transmission_eigenvalue"][..., 0]
    assert (modes[2, :2, 0] > 0.01).all()
    assert modes[2, :2, 1:] == pytest.approx(0.0, abs=1e-15)
    assert modes[:2, 2, 1:] == pytest.approx(0.0, abs=1e-15)


def test_where_a_mode_opens_its_reflection_is_undefined():
    description = strip(onsite=barrier(1.5))
    edge = float(EDGES[1] - 2)
    outcome = evaluate(system_of(description), [TransmissionEigenvalues(energies=[edge, 0.3])])
    modes = outcome.values["transmission_eigenvalue"]
    assert np.isnan(modes[0, 0, :, 0]).all()
    assert np.isfinite(modes[..., 1]).all()
    assert "ends" in outcome.notes["transmission_eigenvalue"]


def test_beside_the_spectrum_of_the_same_energies():
    """As an observable of the kind transmission, at its own energies alone."""
    grid = {"start": -1, "stop": 1, "points": 3}
    parameters = transmission.Parameters(
        system=strip(),
        energies=grid,
        observables=[{"transmission-eigenvalues": {"energies": grid}}],
    )
    found = transmission.evaluate(parameters, None).values
    assert found["transmission_eigenvalue"].shape == (2, 2, WIDTH, 3)
    assert transmission.coordinates(parameters)["mode"].values.tolist() == [1, 2, 3]
