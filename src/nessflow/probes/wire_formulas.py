"""Closed forms for a uniform wire with sources and drains, linear in bias and currents, T = 0.

The wire of paper nonreciprocal-gain-loss: hopping 1, ends joined to semi-infinite chains without
reflection, probes that are such chains with one coupling gamma.  Energies in t, currents in t/hbar.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nessflow.probes.problem import Probe, mean_chemical_potential
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.system import OpenSystem


@dataclass(frozen=True, eq=False)
class Wire:
    """What the closed forms depend on.

    Attributes
    ----------
    sites : int
        Number of sites N.
    coupling : float
        Hopping gamma between a probe and its site.
    energy : float
        Mean chemical potential of both ends, inside the band.
    bias : float
        Chemical potential of the left less that of the right end.
    source : float
        Current of the probe on site 2 into the wire.
    every_site : bool
        Whether sources and drains alternate on the sites 2 to N - 1.
    one_dimer : bool
        Whether there is one source on site 2, one drain on site N - 1, and no other.
    """

    sites: int
    coupling: float
    energy: float
    bias: float
    source: float
    every_site: bool
    one_dimer: bool


def wire_of(system: OpenSystem, probes: Sequence[Probe]) -> Wire:
    """Return what the closed forms need of a system with the leads left and right.

    Parameters
    ----------
    system : OpenSystem
        With the leads left and right at its ends.
    probes : sequence of Probe
        Sources and drains of given current.

    Returns
    -------
    Wire
        As the formulas want it.

    Raises
    ------
    ValueError
        When the system is not such a wire.
    """
    names = {probe.name: probe.current for probe in probes}
    leads = {lead.name: lead for lead in system.leads}
    _check_wire(system, leads, names)
    left, right = leads["left"], leads["right"]
    model: Any = leads[next(iter(names))].model
    current = np.full(system.sites, np.nan)
    for name, value in names.items():
        current[leads[name].sites] = value
    inner = current[1:-1]
    at = np.flatnonzero(~np.isnan(current))
    ends = at.tolist() == [1, system.sites - 2] and inner[0] == -inner[-1]
    return Wire(
        sites=system.sites,
        coupling=abs(model.coupling),
        energy=mean_chemical_potential(system, probes),
        bias=left.chemical_potential - right.chemical_potential,
        source=float(current[1]) if system.sites > 1 else np.nan,
        every_site=bool(inner.size and np.array_equal(inner[1:], -inner[:-1])),
        one_dimer=bool(ends),
    )


def _check_wire(system: OpenSystem, leads: dict, names: dict) -> None:
    def require(fine: bool, what: str) -> None:
        if not fine:
            raise ValueError(f"it is for a uniform wire at temperature 0: {what}")

    h = system.hamiltonian
    uniform = isinstance(h, Tridiagonal) and not h.diagonal.any() and (h.upper == -1).all()
    require(uniform, "a chain of hopping 1 without on-site energies")
    require(not (system.loss.any() or system.gain.any()), "no loss and no gain")
    require(not any(probe not in leads for probe in names), "probes on one site each")
    require(system.coupling.are_points, "leads and probes on one site each")
    chains = all(
        isinstance(x.model, SemiInfiniteChain)
        and (x.model.hopping, x.model.onsite, x.temperature) == (1.0, 0.0, 0.0)
        for x in leads.values()
    )
    require(chains, "leads and probes that are cold chains of hopping 1")
    require(leads.keys() - names == {"left", "right"}, "the leads left and right alone")
    ends = leads["left"], leads["right"]
    contacts = [(lead.site, abs(lead.model.coupling)) for lead in ends]
    require(contacts == [(0, 1.0), (system.sites - 1, 1.0)], "coupled to its ends by hopping 1")
    require(len({leads[name].model.coupling for name in names}) == 1, "probes of one coupling")
    mean = 0.5 * (ends[0].chemical_potential + ends[1].chemical_potential)
    require(abs(mean) < 2, "a mean chemical potential inside the band")


# --- probes on every site -------------------------------------------------------------------------


def attenuation(coupling: float, energy: float) -> complex:
    """Return ``alpha = ln(C + sqrt(C^2 - 1))``, Re alpha > 0, per site of a wire full of probes.

    Paper nonreciprocal-gain-loss, below (20): ``2 C = E - gamma^2 (E - i sqrt(4 - E^2)) / 2``.

    Parameters
    ----------
    coupling : float
        Hopping gamma between a probe and its site, in t.
    energy : float
        Mean chemical potential E, inside the band of -2 to 2, in t.

    Returns
    -------
    complex
        Per site.
    """
    c = (energy - coupling**2 * (energy - 1j * np.sqrt(4 - energy**2)) / 2) / 2
    alpha = complex(np.log(c + np.sqrt(c * c - 1)))
    return alpha if alpha.real > 0 else -alpha


def scattering_length(coupling: float, energy: float) -> float:
    """Return ``l_c = 1 / Re alpha``, paper nonreciprocal-gain-loss, below (20).

    Parameters
    ----------
    coupling, energy : float
        As for `attenuation`.

    Returns
    -------
    float
        In sites.
    """
    return 1 / attenuation(coupling, energy).real


def conductivity(coupling: float, energy: float) -> float:
    """Return ``sigma = sin^2(Im alpha) coth(Re alpha) / (2 pi |sinh alpha|^2)``, below (20).

    Parameters
    ----------
    coupling, energy : float
        As for `attenuation`.

    Returns
    -------
    float
        In e^2/hbar times sites.
    """
    alpha = attenuation(coupling, energy)
    ratio = np.sin(alpha.imag) ** 2 / abs(np.sinh(alpha)) ** 2
    return float(ratio / np.tanh(alpha.real) / (2 * np.pi))


def drude_conductance(sites: int, coupling: float, energy: float) -> float:
    """Return ``G_N = sigma / (l_c + N - 3)``, (21), for N >> 1.

    Parameters
    ----------
    sites : int
        Number of sites N.
    coupling, energy : float
        As for `attenuation`.

    Returns
    -------
    float
        In e^2/hbar.
    """
    length = scattering_length(coupling, energy)
    return conductivity(coupling, energy) / (length + sites - 3)


def drude_nonreciprocal_current(sites: int, coupling: float, energy: float, source: float) -> float:
    """Return ``2 dJ = I_g (1 - l_c / (l_c + N - 3))``, (21), for N >> 1.

    It lacks the coherent part of short wires: half of the true value at N = 4 (erratum E25).

    Parameters
    ----------
    sites : int
        Number of sites N.
    coupling, energy : float
        As for `attenuation`.
    source : float
        Current ``I_g`` of each source, in t/hbar.

    Returns
    -------
    float
        In t/hbar.
    """
    length = scattering_length(coupling, energy)
    return source * (1 - length / (length + sites - 3))


def mover_nonreciprocal_current(sites: int, length: float, source: float) -> float:
    """Return twice the second term of (8): classical movers of one scattering length.

    ``I_g (N - 2) / (l_c + N - 2)`` with the hopping probability ``p = 1 - 1/l_c``.

    Parameters
    ----------
    sites : int
        Number of sites N.
    length : float
        Scattering length ``l_c``, in sites.
    source : float
        Current ``I_g`` of each source, in t/hbar.

    Returns
    -------
    float
        In t/hbar.
    """
    return source * (sites - 2) / (length + sites - 2)


def drude_potential(
    sites: int, coupling: float, energy: float, bias: float, source: float
) -> np.ndarray:
    """Return the chemical potentials (19) of the probes on the sites 2 to N - 1.

    Parameters
    ----------
    sites : int
        Number of sites N.
    coupling, energy : float
        As for `attenuation`.
    bias : float
        Chemical potential of the left less that of the right end, in t.
    source : float
        Current ``I_g`` of each source, in t/hbar; the first is on site 2.

    Returns
    -------
    (N - 2,) float array
        In t.
    """
    alpha = attenuation(coupling, energy)
    length, sigma = 1 / alpha.real, conductivity(coupling, energy)
    drop = (bias + source * length / (2 * sigma)) / (2 * (1 + (sites - 3) / length))
    staggered = 1 / np.tanh(alpha.real) ** 2 / (2 * sigma)
    site = np.arange(2, sites)
    shift = (length / (2 * sigma) + (-1.0) ** site * staggered) * source / 2
    return energy + bias / 2 - drop + shift - 2 * drop / length * (site - 2)


# --- one source, one drain ------------------------------------------------------------------------


def fermi_wave_number(energy: float) -> float:
    """Return ``k_F = arccos(E/2)`` of the paper.

    With the hopping -1 of its wire the wave number is ``pi - k_F``; whole numbers of half
    wavelengths are the same for both.

    Parameters
    ----------
    energy : float
        E, inside the band, in t.

    Returns
    -------
    float
        Per site, between 0 and pi.
    """
    return float(np.arccos(energy / 2))


def one_dimer_nonreciprocal_current(
    sites: int, coupling: float, energy: float, source: float
) -> float:
    """Return ``Delta j = 2 (Xi - 1) I_g / (1 + 2 gamma^2 + Xi)``, (C13), source on 2, drain on N-1.

    (22) simplifies to ``Xi = 1 - 2 gamma^2 u cos((N-2) k_F) + gamma^4 u^2`` with
    ``u = sin((N-3) k_F) / sin k_F``: zero not only for whole half wavelengths but also where
    ``gamma^2 u = 2 cos((N-2) k_F)`` (erratum E24).

    Parameters
    ----------
    sites : int
        Number of sites N.
    coupling, energy : float
        As for `attenuation`.
    source : float
        Current ``I_g`` of the source, in t/hbar.

    Returns
    -------
    float
        In t/hbar.
    """
    k, g = fermi_wave_number(energy), coupling**2
    u = np.sin((sites - 3) * k) / np.sin(k)
    departure = g * u * (g * u - 2 * np.cos((sites - 2) * k))
    return float(2 * departure * source / (2 + 2 * g + departure))
