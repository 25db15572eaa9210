"""Random open systems, and the same system stored in another way."""

from dataclasses import replace

import numpy as np
import scipy.sparse

from attached import wide_band_at
from lattices import bond_rates, chain, onsite_rates
from nessflow.systems.matrices import as_dense
from nessflow.systems.system import OpenSystem


def wide(sites, mu=(0.3, -0.2), temperature=(0.1, 0.1), broadening=(1.1, 0.7)):
    """Wide-band leads left and right, at the ends of a chain."""
    ends = zip(("left", "right"), (0, sites - 1), broadening, mu, temperature, strict=True)
    return [wide_band_at(*values) for values in ends]


def complex_normal(rng, *shape):
    """Complex numbers of a normal distribution."""
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def random_channels(rng, sites, channels):
    """Sum of channels that act on two or three sites each, with complex amplitudes, sparse."""
    amplitudes = scipy.sparse.lil_array((channels, sites), dtype=complex)
    for channel in range(channels):
        for site in rng.choice(sites, min(sites, 2 + channel % 2), replace=False):
            amplitudes[channel, site] = rng.uniform(0.1, 0.5) * np.exp(1j * rng.uniform(0, 6))
    amplitudes = amplitudes.tocsr()
    return amplitudes.conj().T @ amplitudes


def random_matrices(rng, sites, kind):
    """Hamiltonian, loss and gain.

    ``sites``, ``bonds`` and ``uniform``: a chain of complex hoppings with loss and gain on sites or
    on bonds, or of one hopping; ``dense``: any matrices; ``sparse`` and ``sparse sites``: hoppings
    between some sites, with channels on several or on one.
    """
    if kind == "dense":
        a, b, c = complex_normal(rng, 3, sites, sites)
        positive = (0.2 * x @ x.conj().T / sites for x in (b, c))
        return 0.5 * (a + a.conj().T), *positive
    if kind.startswith("sparse"):
        count = rng.integers(sites, 2 * sites + 1)
        pairs = rng.integers(sites, size=(2, count))
        hopping = scipy.sparse.coo_array((complex_normal(rng, count), pairs), shape=(sites, sites))
        h = hopping + hopping.conj().T + scipy.sparse.diags_array(rng.normal(size=sites))
        if kind == "sparse":
            return h, *(random_channels(rng, sites, max(1, sites // 2)) for _ in range(2))
        return h, *(scipy.sparse.diags_array(rng.uniform(0, 0.5, sites)) for _ in range(2))
    hopping = 0.7 if kind == "uniform" else complex_normal(rng, sites - 1)
    hamiltonian = chain(sites, hopping, rng.normal(size=sites))
    if kind == "bonds":
        return hamiltonian, *(
            bond_rates(sites, rng.uniform(0, 0.5), rng.uniform(0, 6), boundary=True, gain=gain)
            for gain in (False, True)
        )
    return hamiltonian, *(onsite_rates(rng.uniform(0, 0.4, sites)) for _ in range(2))


def random_system(seed, sites, kind, leads=2, mu=None, temperature=None, loss=1, gain=1):
    """Any matrices and wide-band leads.

    Two leads are at the ends, others on the first sites unless ``leads`` lists them; ``mu`` and
    ``temperature`` are one for all, one for each, or drawn; loss and gain are multiplied by
    ``loss`` and ``gain``.
    """
    rng = np.random.default_rng(seed)
    if isinstance(leads, int):
        names = ("left", "right") if leads == 2 else [f"lead {a}" for a in range(leads)]
        places = (0, sites - 1) if leads == 2 else [a % sites for a in range(leads)]
        drawn = rng.uniform(0.2, 2, leads), rng.normal(size=leads), rng.uniform(0, 1, leads)
        given = drawn[1] if mu is None else mu, drawn[2] if temperature is None else temperature
        fillings = (np.broadcast_to(x, leads).tolist() for x in given)
        values = zip(names, places, drawn[0].tolist(), *fillings, strict=True)
        leads = [wide_band_at(*each) for each in values]
    h, p, q = random_matrices(rng, sites, kind)
    system = OpenSystem(h, p, q, leads)
    if loss == gain == 1:
        return system
    return replace(system, loss=scaled(system.loss, loss), gain=scaled(system.gain, gain))


def scaled(matrix, factor):
    """A matrix times a number."""
    return factor * as_dense(matrix)


def as_dense_system(system):
    """The same system with all elements of its matrices."""
    return OpenSystem(*map(as_dense, (system.hamiltonian, system.loss, system.gain)), system.leads)


def as_sparse_system(system):
    """The same system with sparse matrices."""
    matrices = (system.hamiltonian, system.loss, system.gain)
    return OpenSystem(*(scipy.sparse.csr_array(as_dense(x)) for x in matrices), system.leads)
