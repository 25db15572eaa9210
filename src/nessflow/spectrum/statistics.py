"""Occupations of fermionic and of bosonic reservoirs."""

import numpy as np

from nessflow.spectrum.occupation import fermi
from nessflow.systems.system import AttachedLead, OpenSystem, Terminal


def bose(energies: np.ndarray, chemical_potential: float, temperature: float) -> np.ndarray:
    """Return ``1/(exp((w - mu)/T) - 1)``; at temperature 0 there is nothing above ``mu``.

    Parameters
    ----------
    energies : (E,) array
        Energies w above ``mu``, in t.
    chemical_potential, temperature : float
        In t.

    Returns
    -------
    (E,) float array
        Not negative above ``mu``.
    """
    offset = np.asarray(energies, float) - chemical_potential
    if temperature == 0:
        return np.zeros_like(offset)
    with np.errstate(over="ignore"):
        return 1 / np.expm1(offset / temperature)


def occupation(energies: np.ndarray, lead: AttachedLead | Terminal, bosonic: bool) -> np.ndarray:
    """Return the Fermi or Bose function of a lead.

    Parameters
    ----------
    energies : (E,) array
        Energies w, in t; above the chemical potential for bosons.
    lead : lead or Terminal
        Whose chemical potential and temperature are taken.
    bosonic : bool
        Statistics.

    Returns
    -------
    (E,) float array
        Occupation of its states.
    """
    function = bose if bosonic else fermi
    return function(energies, lead.chemical_potential, lead.temperature)


def require_bosonic_leads(leads: tuple[AttachedLead, ...]) -> None:
    """Check that leads can hold bosons: chemical potentials below all bands.

    Parameters
    ----------
    leads : tuple of leads
        Those of one system.

    Raises
    ------
    ValueError
        When there are states at or below a chemical potential, which bosons would fill without
        limit.
    """
    bottom = min((lead.model.bottom for lead in leads), default=0.0)
    for lead in leads:
        if not bottom > lead.chemical_potential:
            raise ValueError(
                f"lead {lead.name!r}: bosons need a chemical potential below all bands, which "
                f"start at {bottom:g}; chemical_potential = {lead.chemical_potential:g}"
            )


def bosonic_range(system: OpenSystem) -> tuple[float, float]:
    """Return the energies between which the leads hold bosons.

    Parameters
    ----------
    system : OpenSystem
        With leads alone.

    Returns
    -------
    lower, upper : float
        Outermost band edges, in t.

    Raises
    ------
    ValueError
        When there is loss, gain or no lead, or as `require_bosonic_leads`.
    """
    if system.loss.any() or system.gain.any():
        raise ValueError(
            "bosons are treated exactly with leads alone; loss and gain need a master equation "
            "(nessflow.lindblad)"
        )
    if not system.leads:
        raise ValueError("bosons need at least one lead, the system has none")
    require_bosonic_leads(system.leads)
    return min(x.model.bottom for x in system.leads), max(x.model.top for x in system.leads)
