"""Matrices of lattices and channels in one line, also for what no study file says."""

import numpy as np

from nessflow.scattering.matrices import Tridiagonal, from_elements
from nessflow.systems.channels.bond import Bond
from nessflow.systems.disorder.uniform import Uniform
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.lattices.ladder import Ladder
from nessflow.systems.lattices.long_range import LongRange
from nessflow.systems.lattices.ring import Ring
from nessflow.systems.lattices.ssh import SSH
from nessflow.systems.lattices.star import Star
from nessflow.systems.lattices.strip import Strip


def chain(sites, hopping, onsite):
    """Chain of hoppings that may be complex and differ."""
    return Tridiagonal(onsite + np.zeros(sites), -np.asarray(hopping))


def onsite_rates(rates):
    """Channels sqrt(rates_j) c_j."""
    return Tridiagonal(np.asarray(rates, float))


def bond_rates(sites, rate, phase=-np.pi / 2, boundary=False, gain=False):
    """Channels on all bonds of a chain."""
    channels = Bond(rate=rate, phase=phase, boundary=boundary)
    matrix = channels.matrix(Chain(sites=sites))
    return matrix.T if gain else matrix


def uniform_disorder(half_width, sites, rng):
    """Energies of a box distribution."""
    return Uniform(half_width=half_width).energies(sites, rng)


def ssh_chain(sites, intracell, intercell, onsite=0.0):
    """Hamiltonian of an SSH chain."""
    lattice = SSH(sites=sites, intracell_hopping=intracell, intercell_hopping=intercell)
    return lattice.hamiltonian(onsite)


def long_range_chain(sites, hopping, exponent, reach, onsite=0.0):
    """Hamiltonian of a chain whose hoppings fall with a power of the distance."""
    lattice = LongRange(sites=sites, hopping=hopping, exponent=exponent, reach=reach)
    return sparse(lattice, onsite)


def strip(length, width, hopping=1.0, onsite=0.0):
    """Hamiltonian of a rectangle."""
    return sparse(Strip(length=length, width=width, hopping=hopping), onsite)


def ladder(length, hopping=1.0, rung=1.0, onsite=0.0):
    """Hamiltonian of a ladder."""
    return sparse(Ladder(length=length, hopping=hopping, rung_hopping=rung), onsite)


def ring(sites, hopping=1.0, flux=0.0, onsite=0.0):
    """Hamiltonian of a ring; turned hoppings as flux."""
    if np.iscomplexobj(hopping):
        first = np.arange(sites)
        elements = np.full(sites, -hopping * np.exp(1j * flux / sites))
        return from_elements(np.zeros(sites) + onsite, first, np.roll(first, -1), elements)
    return sparse(Ring(sites=sites, hopping=hopping, flux=flux), onsite)


def star(arms, length, hopping=1.0, onsite=0.0):
    """Hamiltonian of a star."""
    return sparse(Star(arms=arms, length=length, hopping=hopping), onsite)


def sparse(lattice, onsite):
    """Hamiltonian as a sparse matrix, also where it is tridiagonal."""
    import scipy.sparse

    matrix = lattice.hamiltonian(onsite)
    if isinstance(matrix, Tridiagonal):
        return scipy.sparse.csr_array(matrix.to_dense())
    return matrix


def strip_site(width, column, row):
    """Number of a site of a strip, all from 0."""
    return column * width + row


def star_site(length, arm, position):
    """Number of a site of a star's arm, all from 0; the centre is 0."""
    return 1 + arm * length + position
