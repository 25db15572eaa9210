"""Resistor networks: what leads without a current, or with a given one, respond to.

Small chemical potentials ``V_b`` of the leads drive ``I_a = sum_b M_ab V_b`` with the matrix of
conductances ``M_ab = delta_ab sum_c G_ac - G_ab`` (M. Buettiker, Phys. Rev. Lett. 57, 1761 (1986)),
which a flux makes unsymmetric.  Without loss and gain only differences of the ``V_b`` matter.
"""

from collections.abc import Sequence

import numpy as np

from nessflow.estimate import Estimate, undefined

_EPSILON = np.finfo(float).eps
CUT = "the network is cut"


def _parts(joined: np.ndarray) -> np.ndarray:
    """Return a number for each node that those share which can be reached from each other, (t,)."""
    reached = joined | joined.T | np.eye(len(joined), dtype=bool)
    for _ in range(len(reached)):
        reached = reached @ reached
    return reached.argmax(axis=1)


def difference(
    conductance: Estimate,
    driven: Estimate,
    between: Sequence[int],
    drivers: Sequence[int],
    names: Sequence[str],
    is_closed: bool,
) -> Estimate:
    """Return the difference of two leads' chemical potentials that drive given currents.

    Parameters
    ----------
    conductance : Estimate
        ``M``, (t, t), of all leads.
    driven : Estimate
        Currents from the leads, (t,), adding to zero where the network is closed.
    between : sequence of two int
        Leads between which the difference is asked for.
    drivers : sequence of int
        Leads without which no current flows.
    names : sequence of str
        Of the leads.
    is_closed : bool
        Whether what enters by a lead leaves by the others: no loss and no gain.

    Returns
    -------
    Estimate
        ``V_p - V_q``; with what it may be off by at most for conductances and currents within their
        errors.  Undefined where no element of the matrix that is larger than its error joins these
        leads, with the lead that is cut off.
    """
    value, wrong, _ = conductance
    own = np.eye(len(value), dtype=bool)
    part = _parts((abs(value) > wrong) & ~own)
    here = part == part[between[0]]
    for lead in (*drivers, *between):
        if not here[lead]:
            other = names[between[0]]
            return undefined(f"{CUT}: no current flows between {names[lead]} and {other}")
    matrix, error = (x[np.ix_(here, here)] for x in (value, wrong))
    current, current_error = (x[here] for x in driven[:2])
    place = np.cumsum(here) - 1
    p, q = (place[k] for k in between)
    kept = np.ones(len(matrix), bool)
    if is_closed:
        # From the sums of the others: what is driven by a common potential is zero, whatever the
        # errors of the diagonal.
        own = np.eye(len(matrix), dtype=bool)
        matrix, error = np.where(own, 0.0, matrix), np.where(own, 0.0, error)
        matrix = matrix - np.diag(matrix.sum(axis=1))
        error_inside = error + np.diag(error.sum(axis=1))
        kept[q] = False
    else:
        error_inside = error
    inside = np.ix_(kept, kept)
    asked = np.zeros(len(matrix))
    asked[p] += 1.0
    asked[q] -= 1.0
    try:
        inverse = np.linalg.inv(matrix[inside])
    except np.linalg.LinAlgError:
        inverse = np.full(matrix[inside].shape, np.inf)
    size = (abs(inverse) @ (error_inside + 4 * _EPSILON * abs(matrix))[inside]).sum(axis=1)
    if not size.max(initial=0.0) < 1:
        return undefined(f"{CUT}, within the errors of its conductances")
    potentials, weights = np.zeros((2, len(matrix)))
    potentials[kept] = inverse @ current[kept]
    weights[kept] = inverse.T @ asked[kept]
    apart = abs(potentials - potentials[:, None]) if is_closed else abs(potentials)
    off = (error * apart).sum(axis=1) + current_error
    off += 4 * _EPSILON * (abs(matrix) @ abs(potentials) + abs(current))
    found = float(asked @ potentials)
    more = float(abs(weights) @ off) / (1 - size.max(initial=0.0))
    return Estimate(found, more + _EPSILON * abs(found))
