"""Dephasing probes: at every energy each sends into the system what it takes from it.

Scattering by them loses the phase and keeps the energy (J. L. D'Amato and H. M. Pastawski, Phys.
Rev. B 41, 7411 (1990); M. J. M. de Jong and C. W. J. Beenakker, Physica A 230, 219 (1996)).  The
occupation of probe p is no Fermi function, but the mean of those of all other terminals with what
they send to it, ``f_p sum_b T_pb = sum_b T_pb f_b``: a linear system at each energy.  It is solved
by eliminating one probe after the other, which adds and multiplies numbers of one sign alone and so
keeps all digits, however weakly the probes are coupled to the leads.
"""

from collections.abc import Sequence

import numpy as np

from nessflow.scattering.terminal_flows import Occupations, fermi_occupations
from nessflow.solvers.pairwise import Source, lead_broadening, lead_sums, pair_transmission
from nessflow.spectrum.occupation import fermi
from nessflow.systems.system import OpenSystem, Terminal

_ELEMENTS = 2**20
"""Elements of matrices between leads at a time."""
_WINDOW = np.linspace(-40, 40, 321)
"""Temperatures from a chemical potential at which occupations are compared."""


def shares(between: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the share that each given terminal has in the occupation of each probe.

    Parameters
    ----------
    between : (E, p, p) array
        Transmissions into a probe from another; the diagonal does not count.
    given : (E, p, g) array
        Transmissions into a probe from the terminals of given occupation.

    Returns
    -------
    (E, p, g) float array
        Not negative; rows add up to 1, or are 0 where nothing reaches a probe.
    """
    between, found = between.copy(), given.copy()
    count = between.shape[1]
    total = np.empty(between.shape[:2])
    for k in reversed(range(count)):
        total[:, k] = between[:, k, :k].sum(axis=1) + found[:, k].sum(axis=1)
        total[:, k] = np.where(total[:, k] > 0, total[:, k], 1.0)
        through = (between[:, :k, k] / total[:, k, None])[:, :, None]
        between[:, :k, :k] += through * between[:, k, None, :k]
        found[:, :k] += through * found[:, k, None]
    for k in range(count):
        found[:, k] += (between[:, k, :k, None] * found[:, :k]).sum(axis=1)
        found[:, k] /= total[:, k, None]
    return found


def dephased_occupations(system: OpenSystem, probes: Sequence[int]) -> Occupations:
    """Return the occupations of all leads, those of probes by what reaches them.

    Parameters
    ----------
    system : OpenSystem
        Its leads have Fermi functions; those of probes are not used.
    probes : sequence of int
        Places of the dephasing probes among the terminals.

    Returns
    -------
    Occupations
        Where nothing but probes has states, they have the Fermi function of the middle of all
        chemical potentials and the highest temperature.
    """
    system = system.interpolated
    fixed = fermi_occupations(system)
    is_probe = np.isin(np.arange(len(system.terminals)), probes)
    of_probe = is_probe[system.terminal_of_lead]
    member = np.eye(len(system.terminals))[:, system.terminal_of_lead]
    rates = bool(system.loss.any()), bool(system.gain.any())

    # Channels of a terminal are filled alike: the first has the occupation of all.
    firsts = [x.channels[0] for x, one in zip(system.terminals, is_probe, strict=True) if not one]
    at_a_time = max(1, _ELEMENTS // len(system.leads) ** 2)

    def excess(energies: np.ndarray) -> np.ndarray:
        starts = range(0, max(energies.size, 1), at_a_time)
        parts = [of_few(energies[start : start + at_a_time]) for start in starts]
        return np.concatenate(parts, axis=1)

    def of_few(energies: np.ndarray) -> np.ndarray:
        result = fixed.excess(energies)
        pairs = pair_transmission(system, energies)
        if len(system.terminals) < len(system.leads):
            pairs = member @ pairs @ member.T
        gamma = lead_broadening(system, energies)
        sources = [Source(np.zeros_like(gamma), *only) for only in ((1.0, 0.0), (0.0, 1.0))]
        environment = np.zeros((2, len(member), energies.size))
        if any(rates):
            environment = member @ (gamma * lead_sums(system, energies, sources))
        into = pairs[:, is_probe]
        others = environment[:, is_probe].transpose(2, 1, 0)
        own = shares(into[:, :, is_probe], np.concatenate([into[:, :, ~is_probe], others], axis=2))
        sent = [-fixed.common(energies), fixed.common_holes(energies)]
        whole = np.zeros((len(member), energies.size))
        whole[is_probe] = np.einsum("epg,ge->pe", own, np.concatenate([result[firsts], sent]))
        return np.where(of_probe[:, None], whole[system.terminal_of_lead], result)

    return Occupations(fixed.common, fixed.common_holes, excess)


def undetermined(system: OpenSystem, probes: Sequence[int]) -> float:
    """Return by how much occupations of given terminals differ where they have no states.

    There nothing says what the probes hold.

    Parameters
    ----------
    system : OpenSystem
        The system.
    probes : sequence of int
        Places of the dephasing probes among the terminals.

    Returns
    -------
    float
        Between 0 and 1; 0 with loss or gain, which reach the probes at all energies.
    """
    if system.loss.any() or system.gain.any():
        return 0.0
    given = [x for k, x in enumerate(system.terminals) if k not in set(probes)]

    def have_states(terminals: Sequence[Terminal], energies: np.ndarray) -> np.ndarray:
        leads = [system.leads[a].model for x in terminals for a in x.channels]
        coupled = [x.has_states(energies) for x in leads if x.is_coupled]
        return np.any([*coupled, np.zeros(energies.shape, bool)], axis=0)

    edges = [edge for x in given for a in x.channels for edge in system.leads[a].model.edges]
    potentials = np.array([x.chemical_potential for x in given])
    warm = [x.chemical_potential + x.temperature * _WINDOW for x in given]
    at = np.concatenate([edges, np.linspace(potentials.min(), potentials.max(), 65), *warm])
    alone = have_states([system.terminals[k] for k in probes], at) & ~have_states(given, at)
    occupations = [fermi(at, x.chemical_potential, x.temperature) for x in given]
    return float(np.max(np.ptp(occupations, axis=0) * alone, initial=0.0))
