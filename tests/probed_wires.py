"""The wire of paper nonreciprocal-gain-loss: leads at the ends, sources and drains in the bulk."""

import numpy as np

from attached import chain_at
from lattices import chain
from nessflow.probes.problem import Probe
from nessflow.systems.system import OpenSystem, Tridiagonal

BIAS = 0.1
OPEN = BIAS / (2 * np.pi)
"""Current of an open channel at that bias."""


def wire(sites, gamma, mean, current, bias=BIAS, sources=None, drains=None, ends=1.0, kT=0.0):
    """Return the system, its sources and drains among the leads; sites count from 1."""
    sources = range(2, sites, 2) if sources is None else sources
    drains = range(3, sites, 2) if drains is None else drains
    zero = Tridiagonal.zero(sites)
    leads = [
        chain_at("left", 0, 1.0, ends, 0.0, mean + bias / 2, kT),
        chain_at("right", sites - 1, 1.0, ends, 0.0, mean - bias / 2, kT),
    ]
    probes = []
    for sign, places in ((1, sources), (-1, drains)):
        for site in places:
            name = f"{site}"
            leads.append(chain_at(name, site - 1, 1.0, gamma, 0.0, mean, kT))
            probes.append(Probe(name, sign * current))
    return OpenSystem(chain(sites, 1.0, 0.0), zero, zero, leads), probes


def potential(solution, site):
    """Return the chemical potential of the probe on a site."""
    return solution.chemical_potential.value[solution.terminals.index(f"{site}")]


def nonreciprocal_current(solve, *arguments, bias=BIAS, **keywords):
    """Return ``-(I(bias) + I(-bias))`` of the left lead."""
    parts = [solve(*wire(*arguments, bias=b, **keywords)) for b in (bias, -bias)]
    return -sum(part.particle_current.value[0] for part in parts)
