"""Leads at sites, in one line each."""

from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.leads.wide_band import WideBand
from nessflow.systems.system import AttachedLead


def wide_band_at(
    name: str,
    site: int,
    broadening: float,
    chemical_potential: float,
    temperature: float,
    terminal: str | None = None,
) -> AttachedLead:
    """Return a lead with an energy-independent broadening."""
    model = WideBand(broadening=broadening)
    return AttachedLead(name, site, model, chemical_potential, temperature, terminal)


def chain_at(
    name: str,
    site: int,
    hopping: float,
    coupling: float,
    onsite: float,
    chemical_potential: float,
    temperature: float,
    terminal: str | None = None,
) -> AttachedLead:
    """Return a lead that is a semi-infinite chain."""
    model = SemiInfiniteChain(hopping=hopping, coupling=coupling, onsite=onsite)
    return AttachedLead(name, site, model, chemical_potential, temperature, terminal)
