"""Heat, entropy production and power of steady currents.

Every function takes steady currents, by scattering or another theory, and returns an `Estimate`: a
value with its error, or NaN and the reason why the quantity is not defined.  Currents count from
the terminal into the system, hbar = k_B = e = 1.
"""

from collections.abc import Sequence

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.scattering.currents import SteadyCurrents, Transport
from nessflow.scattering.entropy import gain_to_loss_ratio
from nessflow.systems.system import OpenSystem, Terminal


def _weighted_sum(weights: np.ndarray, terms: Estimate) -> Estimate:
    """Return the sum over the first dimension."""
    return Estimate(weights @ terms.value, abs(weights) @ terms.error, terms.undefined)


# --- heat and entropy -----------------------------------------------------------------------------


def heat_current(system: OpenSystem, currents: SteadyCurrents | Transport) -> Estimate:
    """Return ``J^Q_a = J^1_a - mu_a J^0_a``, the heat that each lead loses.

    (S3) of paper extended-landauer-buttiker, with the right lead's current counted out of that
    lead as well.  NaN where the energy current diverges (wide-band lead with loss or gain on its
    contact site).

    Parameters
    ----------
    system : OpenSystem
        The system.
    currents : SteadyCurrents or Transport
        Its currents.

    Returns
    -------
    Estimate
        (l,) by terminal of the leads, in t^2/hbar.
    """
    count = len(system.terminals)
    mu = np.array([lead.chemical_potential for lead in system.terminals])
    energy, work = currents.energy_current.at(slice(count)), mu * _of_leads(system, currents)
    value, error = energy.value - work.value, energy.error + work.error
    if not np.isnan(value).any():
        return Estimate(value, error)
    # What is undefined of the reservoirs' currents is about the leads alone.
    of_leads = ""
    if count == 2 and isinstance(currents, SteadyCurrents):
        of_leads = currents.reservoir_energy_current.undefined
    return Estimate(value, error, of_leads or energy.undefined)


def _of_leads(system: OpenSystem, currents: SteadyCurrents | Transport) -> Estimate:
    """Return the particle currents of the leads, (l,)."""
    return currents.particle_current.at(slice(len(system.terminals)))


def lead_entropy_production(system: OpenSystem, currents: SteadyCurrents | Transport) -> Estimate:
    """Return ``-sum_a J^Q_a / T_a`` over the leads: the rate at which their entropy grows.

    With loss or gain it has no definite sign, since these carry entropy as well.

    Parameters
    ----------
    system : OpenSystem
        The system.
    currents : SteadyCurrents or Transport
        Its currents.

    Returns
    -------
    Estimate
        In k_B t/hbar; undefined at temperature 0.
    """
    return _of_heat(system, heat_current(system, currents))


def without_temperature(system: OpenSystem) -> str:
    """Return why heat has no entropy, or an empty text where every lead is warm.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    str
        Which leads have the temperature 0.
    """
    cold = [lead.name for lead in system.terminals if lead.temperature == 0]
    if not cold:
        return ""
    some = f" (lead {', '.join(cold)})" if len(cold) < len(system.terminals) else ""
    return f"at temperature 0{some} heat has no finite entropy"


def _of_heat(system: OpenSystem, heat: Estimate) -> Estimate:
    """Return the entropy of the heat that each lead loses, (l, ...)."""
    reason = without_temperature(system)
    if reason:
        return undefined(reason, np.shape(heat.value)[1:])
    beta = np.array([1 / lead.temperature for lead in system.terminals])
    return _weighted_sum(-beta, heat)


def entropy_production(system: OpenSystem, currents: SteadyCurrents | Transport) -> Estimate:
    """Return the entropy production of all terminals together, never negative.

    Without loss and gain that of the leads.  Where gain is a multiple of loss, ``Q = r P``, both
    are one terminal at infinite temperature, to which a current ``I`` from the leads adds the
    entropy ``I ln(1/r)``.  Undefined otherwise: the entropy that one particle more means for a
    terminal, ``ln(f/(1-f))``, is infinite for loss alone (f = 0) and gain alone (f = 1);
    `nessflow.scattering.entropy.scattering_entropy_production` is finite for them.

    Parameters
    ----------
    system : OpenSystem
        The system.
    currents : SteadyCurrents or Transport
        Its currents.

    Returns
    -------
    Estimate
        In k_B t/hbar.
    """
    return _of_all(system, _of_leads(system, currents), heat_current(system, currents))


def entropy_density(system: OpenSystem, energies: np.ndarray, particles: Estimate) -> Estimate:
    """Return the entropy production of all terminals for each energy, never negative.

    Its integral over the energy is `entropy_production`.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies, in t.
    particles : Estimate
        (l, E): density of each lead's particle current, of `nessflow.scattering.spectra`.

    Returns
    -------
    Estimate
        (E,), in k_B/hbar.
    """
    mu = np.array([lead.chemical_potential for lead in system.terminals])
    above = energies - mu[:, None]
    heat = Estimate(above * particles.value, abs(above) * particles.error, particles.undefined)
    return _of_all(system, particles, heat)


def _of_all(system: OpenSystem, particles: Estimate, heat: Estimate) -> Estimate:
    """Return the entropy of what each lead sends, (l, ...), with that of loss and gain."""
    leads = _of_heat(system, heat)
    loss, gain = system.loss.any(), system.gain.any()
    if not (loss or gain):
        return leads
    ratio = gain_to_loss_ratio(system)
    if ratio is None:
        one = "loss alone" if loss else "gain alone"
        kind = "loss and gain that are not proportional" if loss and gain else one
        reason = f"{kind}: each particle carries an infinite entropy"
        return undefined(reason, np.shape(heat.value)[1:])
    flow = _weighted_sum(np.full(len(system.terminals), -np.log(ratio)), particles)
    return Estimate(leads.value + flow.value, leads.error + flow.error, leads.undefined)


# --- engine ---------------------------------------------------------------------------------------


def _not_an_engine(system: OpenSystem) -> str:
    """Return why two leads do not make an engine, or an empty text."""
    if len(system.terminals) != 2:
        return f"an engine runs between two leads, there are {len(system.terminals)}"
    if system.loss.any() or system.gain.any():
        return "loss and gain exchange particles and energy with the leads, beside heat and work"
    return ""


def power(system: OpenSystem, currents: SteadyCurrents) -> Estimate:
    """Return the electric power ``(mu_R - mu_L) J^0`` that two leads deliver.

    Positive where particles flow against the bias; negative power is dissipated.

    Parameters
    ----------
    system : OpenSystem
        The system.
    currents : SteadyCurrents
        Its currents.

    Returns
    -------
    Estimate
        In t^2/hbar; undefined with loss or gain, or without exactly two leads.
    """
    reason = _not_an_engine(system)
    if reason:
        return undefined(reason)
    left, right = system.terminals
    bias = right.chemical_potential - left.chemical_potential
    return bias * currents.net_particle_current


def _by_temperature(leads: Sequence[Terminal]) -> tuple[int, int]:
    """Return the indices of the colder and of the hotter of two leads."""
    return (0, 1) if leads[0].temperature <= leads[1].temperature else (1, 0)


def carnot_efficiency(system: OpenSystem) -> Estimate:
    """Return ``1 - T_cold/T_hot`` of two leads, the bound of `efficiency`.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    Estimate
        Undefined as `power`, and where both temperatures are 0.
    """
    reason = _not_an_engine(system)
    if reason:
        return undefined(reason)
    cold, hot = (system.terminals[i].temperature for i in _by_temperature(system.terminals))
    if hot == 0:
        return undefined("both leads have the temperature 0")
    return Estimate(1 - cold / hot, np.finfo(float).eps)


def efficiency(system: OpenSystem, currents: SteadyCurrents) -> Estimate:
    """Return the power over the heat that the hotter of two leads loses.

    Parameters
    ----------
    system : OpenSystem
        The system.
    currents : SteadyCurrents
        Its currents.

    Returns
    -------
    Estimate
        Undefined unless the system works as an engine: leads of different temperature, positive
        power.
    """
    work = power(system, currents)
    if work.undefined:
        return work
    cold, hot = _by_temperature(system.terminals)
    if system.terminals[cold].temperature == system.terminals[hot].temperature:
        return undefined("no engine: both leads have the same temperature")
    heat = heat_current(system, currents)
    input_heat, input_error = float(heat.value[hot]), float(heat.error[hot])
    if not (work.value > work.error and input_heat > input_error):
        return undefined("no engine: it delivers no power within the error")
    value = work.value / input_heat
    return Estimate(value, (work.error + value * input_error) / (input_heat - input_error))
