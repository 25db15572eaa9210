"""States that nothing damps: what they hold depends on how the system was prepared.

A *bound* state is outside the bands of all leads that it is coupled to; others would damp it.  A
*dark* state (`nessflow.scattering.dark_states`) is coupled to no terminal, at any energy.
"""

import numpy as np

from nessflow.scattering.dark_states import dark_states
from nessflow.scattering.matrices import as_dense
from nessflow.scattering.mesh import energy_scale, resonances
from nessflow.scattering.system import OpenSystem

_UNDAMPED = 1e-13
"""Damping, relative to the norm of the Hamiltonian, that rounding cannot tell from none."""


def levels_outside(system: OpenSystem, edge: float, above: bool) -> np.ndarray:
    """Return eigenvalues of ``h + Re Sigma(edge)`` beyond an edge of all bands, sorted.

    There are as many bound states beyond that edge: outside the bands ``Sigma`` is real and falls
    with the energy, so that each eigenvalue of ``h + Sigma(w)`` meets ``w`` once if at all.

    Parameters
    ----------
    system : OpenSystem
        The system.
    edge : float
        Lower or upper edge of all bands, in t.
    above : bool
        Whether levels above the edge are wanted, or those below.

    Returns
    -------
    (k,) float array
        In t.
    """
    matrix = as_dense(system.hamiltonian).astype(complex)
    sites = system.contacts
    matrix[sites, sites] += system.contact_self_energy(np.array([edge]))[0].real
    levels = np.linalg.eigvalsh(matrix)
    return levels[levels > edge] if above else levels[levels < edge]


def require_no_bound_state(system: OpenSystem) -> None:
    """Check that every state of a system decays.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Raises
    ------
    ValueError
        When there is a bound state outside the leads' bands, or a state inside that no terminal
        is coupled to.

    Notes
    -----
    For two sites of paper non-additive-dissipation the condition is ``|E_j| < Omega - Gamma/2``;
    its (34) is sufficient only.
    """
    advice = "what it holds depends on the initial state and it carries no steady current; "
    if not system.leads:
        if (as_dense(system.loss) + as_dense(system.gain)).any():
            return
        raise ValueError("the system has no terminal, so that nothing decays")
    if not (system.loss.any() or system.gain.any()):
        lower, upper = (f(lead.band[k] for lead in system.leads) for k, f in enumerate((min, max)))
        for edge, above in ((lower, False), (upper, True)):
            if np.isfinite(edge) and levels_outside(system, edge, above).size:
                raise ValueError(
                    f"bound state {'above' if above else 'below'} the leads' bands "
                    f"[{lower:g}, {upper:g}]: {advice}widen the bands (hopping of the leads), "
                    "weaken the coupling or move the levels inside"
                )
    couple = "couple every part of the system to a lead with a band there, or give it loss or gain"
    dark = dark_states(system).levels
    if dark.size:
        raise ValueError(
            f"a state near energy {dark[0]:g} is coupled to no terminal: {advice}{couple}"
        )
    poles = resonances(system)
    slow = abs(poles.imag) < _UNDAMPED * energy_scale(system)
    if slow.any():
        raise ValueError(
            f"a state near energy {poles.real[slow][0]:g} is coupled too weakly for double "
            f"precision to tell from not at all: {couple}"
        )
