"""Poles of the Green's function of a chain, O(N^2), compiled.

The poles are the zeros of ``D(z) = det(z - X - Sigma)``, a polynomial that obeys the recurrence of
`nessflow.solvers.chain_ends` and knows of the elements beside the diagonal only the product of both
of a bond.  Started from the levels of the Hermitian part, all are found together by Newton's method
with the zeros that others approach divided out (Ehrlich, Comm. ACM 10, 107 (1967); Aberth, Math.
Comp. 27, 339 (1973); for tridiagonal matrices Bini, Gemignani, Tisseur, SIAM J. Matrix Anal. Appl.
27, 153 (2005)).

Whether each pole has been found, and once, is not left to the iteration.  They are the eigenvalues
of ``diag(z_k) - W (1, ..., 1)`` with the corrections of Weierstrass
``W_k = D(z_k) / prod_j (z_k - z_j)``.  Where ``sum_j |W_j| / |z_k - z_j| <= 1/8`` for all k,
Gershgorin's discs, scaled in favour of one row, show one pole within ``1.5 |W_k|`` of each ``z_k``.
"""

from itertools import pairwise

import numba
import numpy as np
from scipy.linalg import lapack

from nessflow.solvers.banded import banded_matrices
from nessflow.solvers.compiled import FAST
from nessflow.solvers.dark_states import dark_states, hamiltonian_norm, unreached_sites
from nessflow.solvers.elimination import batches
from nessflow.systems.system import OpenSystem

_CLOSE = 0.01
"""Error of a pole, relative to its half width, that is none."""
_ROUNDING = 16 * np.finfo(float).eps
"""Last step of a pole, relative to the norm; where it ends is rounded by a few of them."""
_APART = 0.125
"""Sum of the corrections of other poles over their distances, up to which discs are disjoint."""
_LANES = 16
"""Poles carried side by side, so that the compiler fills its vector registers."""
_INTERVAL = 16
"""Sites between rescalings."""
_FACTORS = 8
"""Squares of distances, down to rounding, whose product does not underflow."""
_STEPS = 60
_DARK = 400
"""Sites that a state which no terminal reaches may be on, up to which all of these are known."""
_ATTEMPTS = 3
_SMALLEST_PIVOT = 1e-7
"""Pivot, relative to the norm, by which phases lose some 1e-4 of their digits."""


@numba.njit(fastmath=FAST, forceinline=True)
def _advance(x, y, pr, pi, er, ei, product, twist):
    """Return ``(z - X_jj) p - X_{j-1,j} X_{j,j-1} e``, real and imaginary part."""
    if twist is None:
        return x * pr - y * pi - product * er, x * pi + y * pr - product * ei
    nr = x * pr - y * pi - product * er + twist * ei
    ni = x * pi + y * pr - product * ei - twist * er
    return nr, ni


@numba.njit(fastmath=FAST, error_model="numpy")
def _determinants(zr, zi, chosen, site, rate, product, twist, contacts, shifts, found, power):
    """Fill D and its derivative, (4, N) real and imaginary parts, with an exponent of two.

    ``shifts`` (c, 2, N), real and imaginary parts, are added to the elements of ``contacts``, sites
    in ascending order, each at its own z of those that are chosen.
    """
    count, n = chosen.size, site.size
    # One flat array: constant offsets let the compiler see that the lanes do not overlap.
    lane = np.empty(11 * _LANES)
    bits = lane[10 * _LANES :].view(np.int64)
    shift = np.empty(_LANES, np.int64)
    for first in range(0, count, _LANES):
        for b in range(_LANES):
            k = chosen[min(first + b, count - 1)]
            lane[b], lane[b + _LANES] = zr[k], zi[k]
            lane[b + 2 * _LANES] = 1.0
            for a in range(3, 10):
                lane[b + a * _LANES] = 0.0
            shift[b] = 0
        contact = 0
        for j in range(n):
            here, damping, bond = site[j], rate[j], product[j]
            turn = None if twist is None else twist[j]
            is_contact = contact < contacts.size and contacts[contact] == j
            if is_contact:
                for b in range(_LANES):
                    i = min(first + b, count - 1)
                    lane[b] -= shifts[contact, 0, i]
                    lane[b + _LANES] -= shifts[contact, 1, i]
            for b in range(_LANES):
                x, y = lane[b] - here, lane[b + _LANES] + damping
                pr, pi = lane[b + 2 * _LANES], lane[b + 3 * _LANES]
                er, ei = lane[b + 4 * _LANES], lane[b + 5 * _LANES]
                dr, di = lane[b + 6 * _LANES], lane[b + 7 * _LANES]
                fr, fi = lane[b + 8 * _LANES], lane[b + 9 * _LANES]
                nr, ni = _advance(x, y, pr, pi, er, ei, bond, turn)
                mr, mi = _advance(x, y, dr, di, fr, fi, bond, turn)
                lane[b + 2 * _LANES], lane[b + 3 * _LANES] = nr, ni
                lane[b + 4 * _LANES], lane[b + 5 * _LANES] = pr, pi
                lane[b + 6 * _LANES], lane[b + 7 * _LANES] = mr + pr, mi + pi
                lane[b + 8 * _LANES], lane[b + 9 * _LANES] = dr, di
            if is_contact:
                contact += 1
                for b in range(_LANES):
                    k = chosen[min(first + b, count - 1)]
                    lane[b], lane[b + _LANES] = zr[k], zi[k]
            if j % _INTERVAL == _INTERVAL - 1 or j == n - 1:
                for b in range(_LANES):
                    total = abs(lane[b + 2 * _LANES]) + abs(lane[b + 3 * _LANES])
                    total += abs(lane[b + 4 * _LANES]) + abs(lane[b + 5 * _LANES])
                    lane[b + 10 * _LANES] = total + 1e-300
                for b in range(_LANES):
                    exponent = bits[b] >> 52
                    shift[b] += exponent - 1023
                    bits[b] = (2046 - exponent) << 52
                for b in range(_LANES):
                    x = lane[b + 10 * _LANES]
                    for a in range(2, 10):
                        lane[b + a * _LANES] *= x
        for b in range(min(_LANES, count - first)):
            power[first + b] = shift[b]
            for a in range(2):
                found[a, first + b] = lane[b + (2 + a) * _LANES]
                found[2 + a, first + b] = lane[b + (6 + a) * _LANES]


@numba.njit(fastmath=FAST, error_model="numpy")
def _step(zr, zi, k, pr, pi, dr, di):
    """Return how far a z is from the pole that no other approaches, real and imaginary part."""
    rr = ri = 0.0
    for start, stop in ((0, k), (k + 1, zr.size)):
        for j in range(start, stop):
            x, y = zr[k] - zr[j], zi[k] - zi[j]
            inverse = 1.0 / (x * x + y * y)
            rr += x * inverse
            ri -= y * inverse
    sr, si = dr - pr * rr + pi * ri, di - pr * ri - pi * rr
    size, slope = pr * pr + pi * pi, sr * sr + si * si
    if not 0 < size / slope < np.inf:  # on a pole to the last digit
        return 0.0, 0.0
    longer = 1.0
    if dr * dr + di * di < 0.01 * slope:
        # Close to another z but to no pole: as far as Newton's method goes alone.
        longer = np.sqrt(slope / (dr * dr + di * di + size))
    return longer * (pr * sr + pi * si) / slope, longer * (pi * sr - pr * si) / slope


@numba.njit(fastmath=FAST, error_model="numpy")
def _correction(zr, zi, k, pr, pi, power):
    """Return ``|W_k|``, D given with an exponent of two."""
    size = pr * pr + pi * pi
    if size == 0:
        return 0.0
    total = np.log(size) + power * np.log(4.0)
    for start, stop in ((0, k), (k + 1, zr.size)):
        for first in range(start, stop, _FACTORS):
            factor = 1.0
            for j in range(first, min(first + _FACTORS, stop)):
                x, y = zr[k] - zr[j], zi[k] - zi[j]
                factor *= x * x + y * y
            total -= np.log(factor)
    return np.exp(0.5 * total)


@numba.njit(fastmath=FAST, error_model="numpy")
def _is_apart(zr, zi, k, corrections, needed):
    """Return whether the disc of a pole holds it alone, or with others that are the same to us."""
    total = 0.0
    for j in range(zr.size):
        x, y = zr[k] - zr[j], zi[k] - zi[j]
        same = 16 * max(needed[k], needed[j])
        distance = x * x + y * y
        total += corrections[j] / np.sqrt(distance) if distance > same * same else 0.0
    return total <= _APART


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def _refine(zr, zi, site, rate, product, twist):
    """Move all z to the poles; return how many are not shown to be there."""
    n = zr.size
    found, power = np.empty((4, n)), np.empty(n, np.int64)
    corrections, needed = np.empty(n), np.empty(n)
    everyone, tolerance = np.arange(n), _CLOSE
    chain = site, rate, product, twist, np.empty(0, np.int64), np.empty((0, 2, 0))
    for _ in range(_ATTEMPTS):
        moving = everyone.copy()
        for _ in range(_STEPS):
            _determinants(zr, zi, moving, *chain, found, power)
            count = 0
            for i in range(moving.size):
                k = moving[i]
                x, y = _step(zr, zi, k, found[0, i], found[1, i], found[2, i], found[3, i])
                zr[k] -= x
                zi[k] -= y
                if np.sqrt(x * x + y * y) > max(tolerance * abs(zi[k]), _ROUNDING):
                    moving[count] = k
                    count += 1
            moving = moving[:count]
            if count == 0:
                break
        _determinants(zr, zi, everyone, *chain, found, power)
        for k in range(n):
            corrections[k] = _correction(zr, zi, k, found[0, k], found[1, k], power[k])
            needed[k] = max(_CLOSE * abs(zi[k]), 4 * _ROUNDING)
        missed, count = everyone.copy(), 0
        for k in range(n):
            here = corrections[k] <= needed[k] and _is_apart(zr, zi, k, corrections, needed)
            if not here:
                missed[count] = k
                count += 1
        missed = missed[:count]
        if count == 0:
            break
        tolerance *= 0.1
        # As far as the pole that none has found, each in a direction of its own.
        for k in missed:
            zr[k] += min(corrections[k], 0.1) * np.cos(k)
            zi[k] += min(corrections[k], 0.1) * np.sin(k)
    return missed.size


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def _steps(zr, zi, chosen, chain, xs, ys, corrections):
    """Fill how far chosen z are from their poles, and ``|W_k|``."""
    found, power = np.empty((4, chosen.size)), np.empty(chosen.size, np.int64)
    _determinants(zr, zi, chosen, *chain, found, power)
    for i in range(chosen.size):
        k = chosen[i]
        xs[i], ys[i] = _step(zr, zi, k, found[0, i], found[1, i], found[2, i], found[3, i])
        corrections[i] = _correction(zr, zi, k, found[0, i], found[1, i], power[i])


def _normed(
    diagonal: np.ndarray, upper: np.ndarray, lower: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return a bound of the norm, and over it the diagonal and the products beside it."""
    couplings = np.sqrt(abs(upper)) * np.sqrt(abs(lower))
    beside = np.append(couplings, 0.0) + np.append(0.0, couplings)
    unit = float((abs(diagonal) + beside).max()) or 1.0
    return unit, diagonal / unit, (upper / unit) * (lower / unit)


def tridiagonal_poles(
    diagonal: np.ndarray, upper: np.ndarray, lower: np.ndarray
) -> np.ndarray | None:
    """Return the eigenvalues of a tridiagonal matrix without gain, ``h - i (P + Q) + Sigma``.

    Parameters
    ----------
    diagonal : (N,) complex array
        Elements on the diagonal, in t.
    upper, lower : (N - 1,) float or complex arrays
        Elements above and below, in t.

    Returns
    -------
    (N,) complex array or None
        In t, each to 1 % of its imaginary part or to what rounding makes of it; None where that
        could not be shown.
    """
    unit, diagonal, products = _normed(diagonal, upper, lower)
    cuts = np.flatnonzero(np.sqrt(abs(products)) <= np.finfo(float).eps) + 1
    found = []
    for first, last in pairwise([0, *cuts.tolist(), diagonal.size]):
        poles = _of_piece(diagonal[first:last], products[first : last - 1])
        if poles is None:
            return None
        found.append(unit * poles)
    return np.concatenate(found)


def _of_piece(diagonal: np.ndarray, products: np.ndarray) -> np.ndarray | None:
    """Return the poles of a chain without a cut, the norm being 1."""
    if diagonal.size == 1:
        return diagonal
    site, rate = diagonal.real.copy(), -diagonal.imag
    couplings = np.sqrt(abs(products))
    # Sites that their own damping cuts off are levels by themselves.
    is_cut_off = rate > np.append(couplings, 0.0) + np.append(0.0, couplings)
    rest = np.flatnonzero(~is_cut_off)
    levels = np.empty(0)
    if rest.size:
        between = np.append(couplings, 0.0)[rest]
        between[:-1][np.diff(rest) > 1] = 0.0
        levels = lapack.dsterf(site[rest], between[: max(rest.size - 1, 1)])[0]
    zr = np.concatenate([levels, site[is_cut_off]])
    zi = -np.concatenate([np.full(rest.size, rate[rest].min(initial=np.inf)), rate[is_cut_off]])
    zr += np.finfo(float).eps * np.arange(zr.size)  # no two alike
    missed = _refine(zr, zi, site, rate, *_parts(products))
    return None if missed else zr + 1j * zi


def _parts(products: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return real and imaginary parts, for the bond before each site; no parts that are 0."""
    products = np.append(0.0, products)
    return products.real.copy(), products.imag.copy() if products.imag.any() else None


def steps_to_poles(
    poles: np.ndarray,
    chosen: np.ndarray,
    diagonal: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    contacts: np.ndarray,
    shifts: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far numbers are from the eigenvalues of tridiagonal matrices, one for each.

    Parameters
    ----------
    poles : (N,) complex array
        The numbers, in t.
    chosen : (m,) int array
        Which of them.
    diagonal, upper, lower : arrays
        As of `tridiagonal_poles`.
    contacts : (c,) int array
        Sites, ascending, whose diagonal elements are different for each number.
    shifts : (c, m) complex array
        By how much.

    Returns
    -------
    steps : (m,) complex array
        The number less the eigenvalue that no other number approaches, in t.
    corrections : (m,) float array
        Those of Weierstrass, in t.
    """
    unit, diagonal, products = _normed(diagonal, upper, lower)
    z, parts = poles / unit, np.stack([shifts.real, shifts.imag], axis=1) / unit
    chain = diagonal.real.copy(), -diagonal.imag, *_parts(products), contacts, parts
    xs, ys, corrections = np.empty((3, chosen.size))
    _steps(z.real.copy(), z.imag.copy(), chosen, chain, xs, ys, corrections)
    return unit * (xs + 1j * ys), unit * corrections


# --- phase of the determinant -----------------------------------------------------------------


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def _eliminated_phase(bands, smallest):
    """Return the sum of the arguments of all pivots of a banded matrix, (N, 2 b + 1)."""
    n, b = bands.shape[0], bands.shape[1] // 2
    total = 0.0
    for i in range(n):
        pivot = bands[i, b]
        if abs(pivot) < smallest:
            # Next to a level of what is before the site: a damping there, so that digits are left.
            pivot += 1j * smallest
        # Above the real line but for rounding.
        total += np.arctan2(abs(pivot.imag), pivot.real)
        inverse = 1 / pivot
        for k in range(1, min(b, n - 1 - i) + 1):
            factor = bands[i + k, b - k]
            if factor != 0:
                factor *= inverse
                for j in range(1, b + 1):
                    bands[i + k, b - k + j] -= factor * bands[i, b + j]
    return total


def determinant_phases(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return the phase of ``det(w - X - Sigma)``, which counts the states above an energy.

    A state with the pole ``e - i g`` has the part ``arctan2(g, w - e)`` in it, whatever couples it
    to whichever terminal: however narrow it is, the phase falls by pi where it is.  Damping is
    positive, so that all pivots of an elimination in any order are above the real line, and the sum
    of their arguments, each between 0 and pi, is the phase itself and no remainder of it.  Pivots
    within 1e-7 of zero, relative to the norm, which only energies as close to a level of a part of
    the system have (0 of a bipartite lattice), are damped by as much: there alone, a step is no
    narrower.

    Parameters
    ----------
    system : OpenSystem
        The system; O(N b^2) for each energy with a bandwidth b.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    (E,) float array
        Between 0 far above all states and pi N far below.
    """
    banded = banded_matrices(system)
    elements, width = banded.damping.tocoo(), banded.width
    constant = np.zeros((system.sites, 2 * width + 1), complex)
    row, column = elements.coords
    constant[row, column - row + width] = -elements.data
    row, column = (banded.place[x] for x in system.coupling.elements)
    phases, smallest = np.empty(energies.size), _SMALLEST_PIVOT * hamiltonian_norm(system)
    for batch in batches(energies.size, row.size):
        sigma = system.contact_self_energy(energies[batch])
        for k, energy in enumerate(energies[batch].tolist()):
            bands = constant.copy()
            bands[:, width] += energy
            bands[row, column - row + width] -= sigma[k]
            phases[batch.start + k] = _eliminated_phase(bands, smallest)
    # Poles of self-energies count as states that are beside those of the system.
    for _, _, pole in system.lead_orbitals:
        phases += np.angle(energies - pole)
    for level in dark_states(system).levels if unreached_sites(system).size <= _DARK else ():
        phases -= np.pi * (energies < level)
    return phases
