"""Spectra of an open system between leads: transmissions, currents, noise, entropy production."""

from typing import Any, Self

import numpy as np
from pydantic import model_validator

from nessflow import outcome
from nessflow.estimate import Estimate, undefined, without_two_leads
from nessflow.grids import EnergyGrid, Listed, numbers_of
from nessflow.observables import observable
from nessflow.observables.observable import Observable
from nessflow.observables.thermodynamics import entropy_density
from nessflow.outcome import joined
from nessflow.parts import KeyedError, quantity
from nessflow.scattering.currents import (
    UNITARITY_TOLERANCE,
    all_transmissions,
    open_channels,
)
from nessflow.scattering.spectra import spectral_flows
from nessflow.spectrum.edges.limits import listed_energies, why_undefined
from nessflow.spectrum.rates import Rates
from nessflow.studies import observed, systems
from nessflow.studies.kind import (
    NOT_NEGATIVE,
    SECOND_LAW,
    Coordinate,
    Limits,
    Outcome,
    Variable,
)
from nessflow.studies.variables import ACCURACY, outcome_of, status_of, with_errors
from nessflow.systems.system import OpenSystem

SPECTRAL = (
    "Spectral particle current, noise and entropy production: at the leads' chemical potentials "
    "and temperatures, for each energy; their integrals over all energies are the steady ones "
    "(hbar = 1: 1/2 pi is part of them).  Noise: zero frequency, no factor 2."
)
_DIAGONAL = "the diagonal is no transmission between terminals, see reflection"
_ROUNDING = 16 * np.finfo(float).eps
_OF_TWO_LEADS = tuple(f"{name}_transmission" for name in ("loss", "gain", "response"))

_QUANTITIES = {
    "transmission": Variable(
        ("terminal", "terminal_2", "energy"),
        "1",
        "transmission into terminal from terminal_2",
        NOT_NEGATIVE,
    ),
    "reflection": Variable(
        ("terminal", "energy"),
        "1",
        "what the terminal sends back into itself, between its channels included",
        NOT_NEGATIVE,
    ),
    "loss_transmission": Variable(("energy",), "1", "transmission of the loss-induced net current"),
    "gain_transmission": Variable(("energy",), "1", "transmission of the gain-induced net current"),
    "response_transmission": Variable(
        ("energy",),
        "1",
        "transmission of the response to a difference of the leads",
        NOT_NEGATIVE,
    ),
    "spectral_particle_current": Variable(
        ("lead", "energy"), "1/hbar", "particle current from the lead into the system, by energy"
    ),
    "spectral_particle_noise": Variable(
        ("lead", "lead_2", "energy"),
        "1/hbar",
        "zero-frequency noise of the leads' particle currents, by energy",
    ),
    "spectral_entropy_production": Variable(
        ("energy",), "k_B/hbar", "entropy production of all terminals, by energy", SECOND_LAW
    ),
}
SPECTRAL_NAMES = tuple(name for name in _QUANTITIES if name.startswith("spectral_"))
OWN = with_errors(_QUANTITIES)


class Parameters(observed.Observed):
    """One system and the energies of its spectrum."""

    own = OWN

    observables: observed.Observables = observed.listed()
    energies: EnergyGrid | Listed = quantity(
        "energies of the spectrum, a grid or a list in any order", "t"
    )

    def own_coordinates(self) -> dict[str, Coordinate]:
        """Return the terminals that something is sent into, all terminals, and energies."""
        terminals = np.array(systems.terminals(self.system))
        return {
            "terminal": Coordinate(terminals[:-2], "1", "terminal"),
            "terminal_2": Coordinate(terminals, "1", "second terminal"),
            "energy": Coordinate(numbers_of(self.energies), "t", "energy"),
        }

    @model_validator(mode="after")
    def _accuracy_of_something(self) -> Self:
        if self.accuracy != ACCURACY and not self.observables:
            raise KeyedError(
                "spectra are closed forms, without integrals over the energy; leave accuracy out, "
                "or list observables",
                "accuracy",
            )
        return self

    @classmethod
    def refusal(cls, kind: type[Observable]) -> str:
        """Return why studies cannot list an observable, or an empty text."""
        if any("terminal" in variable.dims for variable in kind.variables.values()):
            return (
                f"the terminals of {kind.name} are loss and gain too, those of this kind leads "
                f"alone; leave {kind.name} out, or use study: steady-current"
            )
        return super().refusal(kind)


CONVENTIONS = (
    *systems.CONVENTIONS,
    "Reflection of a lead: Tr[s^+ s] of its own block of the scattering matrix; with the "
    "transmissions from all others it makes the number of its open channels.  At a band edge, "
    "where a channel opens, what differs between below and above is undefined.",
    SPECTRAL,
    "Observables are those at the leads' chemical potentials and temperatures.",
)
VARIABLES = observed.variables(Parameters)
chosen = Parameters.chosen
coordinates = observed.coordinates
is_random = observed.is_random


def evaluate(parameters: Parameters, rng: np.random.Generator | None, own: bool = True) -> Outcome:
    """Return the spectra of one system (paper 000, S26), and observables."""
    system = systems.open_system(parameters.system, rng)
    found = observable.evaluate(system, parameters.observables, parameters.accuracy)
    return joined(_spectra(system, numbers_of(parameters.energies)), found) if own else found


def _spectra(system: OpenSystem, energies: np.ndarray) -> Outcome:
    """Return what `OWN` lists."""
    count = len(system.terminals)
    known = all_transmissions(system, energies)
    through, back = (
        Estimate(*(x[:count] for x in known[name][:2])) for name in ("transmission", "reflection")
    )
    defect = _unitarity_defect(through.value, back.value, open_channels(system, energies))
    bad = defect > 0
    fault = _violated(energies, defect) if bad.all() and bad.size else ""
    _add_rounding(system, energies, through, back)
    for part in through[:2]:
        part[range(count), range(count)] = np.nan
    found = {"transmission": through, "reflection": back}
    reason = without_two_leads(count, "the net current")
    for name in _OF_TWO_LEADS:
        if reason:
            found[name] = undefined(reason, energies.shape)
            continue
        value, error, _ = known[name]
        # Halves of sums and differences of transmissions into the leads.
        found[name] = Estimate(value, error + 0.5 * np.nansum(through.error, axis=(0, 1)))
    for estimate in found.values() if not fault else ():
        for part in estimate[:2]:
            part[..., bad] = np.nan
    lost = "" if fault or not bad.any() else _violated(energies, defect)
    found = {
        name: x if x.undefined else x._replace(undefined=_why(system, energies, x.value, bad, lost))
        for name, x in found.items()
    }
    reasons = _DIAGONAL, found["transmission"].undefined
    found["transmission"] = through._replace(undefined="; ".join(filter(None, reasons)))
    for name, estimate in spectra(system, energies).items():
        value, error, reason = estimate
        if lost:
            value, error = (np.where(bad, np.nan, x) for x in (value, error))
        found[name] = Estimate(value, error, "; ".join(filter(None, (reason, lost))))
    never_zero = never_zero_spectra(system, energies)
    return outcome_of(OWN, found, *status_of(fault), _limits(system), never_zero)


def spectra(system: OpenSystem, energies: np.ndarray, bosonic: bool = False) -> dict[str, Estimate]:
    """Return the spectral current, noise and entropy production."""
    found = spectral_flows(system, energies, bosonic)
    return {
        "spectral_particle_current": found.particle_current,
        "spectral_particle_noise": found.particle_noise,
        "spectral_entropy_production": entropy_density(system, energies, found.particle_current),
    }


def never_zero_spectra(system: OpenSystem, energies: np.ndarray) -> dict[str, np.ndarray]:
    """Return what vanishes by underflow alone: occupations end nowhere in the bands."""
    if all(lead.temperature == 0 for lead in system.leads):
        return {}
    opened = np.logical_or.reduce(open_channels(system, energies), axis=0)
    return {name: opened for name in SPECTRAL_NAMES}


def noise_limits(leads: int) -> Limits:
    """Return the limits of the noise between leads at each energy."""
    whole: Any = outcome.noise_limits(leads)
    return Limits(whole.lower[..., None], whole.upper[..., None])


def _add_rounding(
    system: OpenSystem, energies: np.ndarray, through: Estimate, back: Estimate
) -> None:
    """Add to the errors what rounding of amplitudes makes of transmissions and reflections."""
    rates, count = Rates(system, energies), len(system.terminals)
    sizes = abs(through.value)
    sizes[:, :count] += rates.cancelled
    through.error[...] += _ROUNDING * sizes
    # A reflection is the square of an amplitude that 1 is subtracted from.
    amplitude, size = (
        np.array([part[np.ix_(x.channels, x.channels)].sum(axis=(0, 1)) for x in system.terminals])
        for part in (abs(rates.amplitudes), rates.amplitude_sizes)
    )
    back.error[...] += _ROUNDING * (1 + amplitude) * size


def _why(
    system: OpenSystem, energies: np.ndarray, value: np.ndarray, bad: np.ndarray, reason: str
) -> str:
    """Return why a spectrum is undefined at some energies, its diagonal apart.

    Where they are ``bad`` there is a reason.
    """
    value = value.copy()
    if value.ndim == 3:
        value[range(len(value)), range(len(value))] = 0.0
    lost = ~np.isfinite(value).all(axis=tuple(range(value.ndim - 1)))
    return "; ".join(filter(None, (why_undefined(system, energies[lost & ~bad]), reason)))


def _unitarity_defect(table: np.ndarray, reflected: np.ndarray, channels: np.ndarray) -> np.ndarray:
    """Return by how much sums over all terminals are off, 0 where that is no more than allowed."""
    defect = np.nan_to_num(abs(table.sum(axis=1) + reflected - channels))  # none at a band edge
    allowed = UNITARITY_TOLERANCE * channels.max(initial=1.0)
    worst = defect.max(axis=0, initial=0.0)
    return np.where(worst > allowed, worst, 0.0)


def _violated(energies: np.ndarray, defect: np.ndarray) -> str:
    """Return at which energies unitarity is violated, as text."""
    listed = listed_energies(np.unique(energies[defect > 0]))
    return f"unitarity violated by {defect.max():.1e} at the energy {listed}"


def _limits(system: OpenSystem) -> dict[str, Limits]:
    """Return the limits that numbers of channels set: each takes and gives 1 at most."""
    channels = np.array([len(terminal.channels) for terminal in system.terminals])
    # What loss and gain send is limited by the lead that takes it.
    most = np.minimum(channels[:, None], [*channels, np.inf, np.inf])
    half = Limits(-channels.max() / 2, channels.max() / 2)
    return {
        "transmission": Limits(0, most[..., None]),
        "reflection": Limits(0, channels[:, None]),
        "loss_transmission": half,
        "gain_transmission": half,
        "response_transmission": Limits(0, channels[0]),
        "spectral_particle_noise": noise_limits(channels.size),
    }
