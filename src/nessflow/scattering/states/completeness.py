"""What all states that decay add up to, and what a share of them holds that is filled alike.

Over all energies ``G (Gamma + 2P + 2Q) G^+ / 2 pi`` adds to the unit matrix less the bound and dark
states.  So occupations are a share of that and an integral over what is filled beyond the share,
which is nothing where all terminals fill so much: at a flat edge, where much of all states is and
no Green's function has digits.
"""

from collections.abc import Callable, Sequence

import numpy as np

from nessflow.solvers.dark_states import dark_states
from nessflow.spectrum.bound_states import BoundStates
from nessflow.spectrum.edges.windows import EdgeWindow
from nessflow.systems.system import OpenSystem


def decaying_states(
    system: OpenSystem, bound: BoundStates, first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return elements of the projector on all states that decay.

    Parameters
    ----------
    system : OpenSystem
        The system.
    bound : BoundStates
        Its bound states.
    first, second : (b,) int arrays
        Sites, from 0.

    Returns
    -------
    value : (b,) complex
        Between -1 and 1, of the unit 1.
    error : (b,) float
    """
    there = np.ones(system.sites)
    there[list(system.removed)] = 0.0
    vectors = there[:, None] * np.concatenate([dark_states(system).vectors, bound.vectors], axis=1)
    wrong = np.sqrt(abs(bound.vectors) ** 2 @ bound.errors)
    value = np.where(first == second, there[first], 0.0)
    value = value - np.sum(vectors[first] * vectors[second].conj(), axis=1)
    return value, wrong[first] * wrong[second]


def common_share(flat: Sequence[EdgeWindow], filling: Callable[[np.ndarray], np.ndarray]) -> float:
    """Return what is filled at flat edges on average, 0 where there are none.

    Parameters
    ----------
    flat : sequence of EdgeWindow
        The edges.
    filling : callable
        Occupations of all leads at energies, (E,) in t -> (l, E).

    Returns
    -------
    float
        Between 0 and 1.
    """
    return float(filling(np.concatenate([x.ends for x in flat])).mean()) if flat else 0.0
