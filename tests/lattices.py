"""Matrices of lattices and channels in one line, also for what no study file says."""

import numpy as np
import scipy.sparse

from nessflow.systems.channels.bond import Bond
from nessflow.systems.disorder.uniform import Uniform
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.lattices.ladder import Ladder
from nessflow.systems.lattices.long_range import LongRange
from nessflow.systems.lattices.ring import Ring
from nessflow.systems.lattices.ssh import SSH
from nessflow.systems.lattices.star import Star
from nessflow.systems.lattices.strip import Strip
from nessflow.systems.matrices import Tridiagonal, as_dense, from_elements


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
    return Uniform(half_width=half_width).draw(np.zeros((sites, 1)), rng)


def ssh_chain(sites, intracell, intercell, onsite=0.0):
    """Hamiltonian of an SSH chain."""
    lattice = SSH(sites=sites, intracell_hopping=intracell, intercell_hopping=intercell)
    return lattice.hamiltonian(onsite)


def long_range_chain(sites, hopping, exponent, reach, onsite=0.0):
    """Hamiltonian of a chain whose hoppings fall with a power of the distance."""
    return turned(LongRange(sites=sites, exponent=exponent, reach=reach), hopping, onsite)


def strip(length, width, hopping=1.0, onsite=0.0):
    """Hamiltonian of a rectangle."""
    return turned(Strip(length=length, width=width), hopping, onsite)


def ladder(length, hopping=1.0, rung=1.0, onsite=0.0):
    """Hamiltonian of a ladder."""
    return turned(Ladder(length=length, hopping=hopping, rung_hopping=rung), 1.0, onsite)


def ring(sites, hopping=1.0, flux=0.0, onsite=0.0):
    """Hamiltonian of a ring."""
    return turned(Ring(sites=sites, flux=flux), hopping, onsite)


def star(arms, length, hopping=1.0, onsite=0.0):
    """Hamiltonian of a star."""
    return turned(Star(arms=arms, length=length), hopping, onsite)


def turned(lattice, factor, onsite):
    """Hamiltonian with all hoppings times a complex factor, sparse also where it is a chain."""
    first, second, hopping = lattice.bonds
    matrix = from_elements(onsite + np.zeros(lattice.sites), first, second, -factor * hopping)
    return matrix if scipy.sparse.issparse(matrix) else scipy.sparse.csr_array(as_dense(matrix))


def strip_site(width, column, row):
    """Number of a site of a strip, all from 0."""
    return column * width + row


def star_site(length, arm, position):
    """Number of a site of a star's arm, all from 0; the centre is 0."""
    return 1 + arm * length + position
