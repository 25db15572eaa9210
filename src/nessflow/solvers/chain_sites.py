"""Green's functions of chains between all sites, compiled: O(N) for local sums, O(N^2) for pairs.

With ``l_j`` the determinant of the sites left of j, ``r_j`` that of the sites right of it and
``d`` that of all, of ``Z = w - X - Sigma``, the Green's function has the product form

    G_aj = l_j X_{j+1,j} ... X_{a,a-1} r_a / d   (j <= a),
    G_aj = l_a X_{a,a+1} ... X_{j-1,j} r_j / d   (j >= a).

So sums over j grow from site to site: of a Hermitian tridiagonal W, ``(G W G^+)_aa`` needs one sum
from the left and one from the right.  Nothing is divided by but ``d``.  Determinants grow and
decay exponentially with N; they are rescaled by powers of two, which is exact, and the exponents
kept as integers, so that elements as small as e^-1000 end in a clean 0.
"""

import math

import numba
import numpy as np

from nessflow.solvers.compiled import FAST
from nessflow.systems.batch import Batch
from nessflow.systems.matrices import above_diagonal, diagonal
from nessflow.systems.system import OpenSystem

_SMALL, _LARGE = 2.0**-60, 2.0**60


@numba.njit(inline="always")
def _shift(size):
    """Return the exponent of two to take out of numbers of a size, 0 while it is moderate."""
    return math.frexp(size)[1] if size > _LARGE or 0 < size < _SMALL else 0


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def _determinants(z, upper, lower, left, left_power, right, right_power):
    """Fill in ``l_j 2^-p_j`` (N + 1 of them, the last is d) and ``r_j 2^-q_j`` with p and q."""
    n = z.size
    here, before, power = 1.0 + 0j, 0j, 0
    for j in range(n + 1):
        left[j], left_power[j] = here, power
        if j < n:
            product = upper[j - 1] * lower[j - 1] if j > 0 else 0j
            here, before = z[j] * here - product * before, here
            shift = _shift(abs(here.real) + abs(here.imag) + abs(before.real) + abs(before.imag))
            scale = math.ldexp(1.0, -shift)
            here, before, power = here * scale, before * scale, power + shift
    here, before, power = 1.0 + 0j, 0j, 0
    for j in range(n - 1, -1, -1):
        right[j], right_power[j] = here, power
        product = upper[j] * lower[j] if j < n - 1 else 0j
        here, before = z[j] * here - product * before, here
        shift = _shift(abs(here.real) + abs(here.imag) + abs(before.real) + abs(before.imag))
        scale = math.ldexp(1.0, -shift)
        here, before, power = here * scale, before * scale, power + shift


@numba.njit(inline="always")
def _square(x):
    return x.real * x.real + x.imag * x.imag


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def local_sums(inverse, uppers, lowers, weights, bonds, with_bonds):
    """Return the diagonal and the elements ``(a, a+1)`` of ``G W G^+``.

    Parameters
    ----------
    inverse : (E, N) complex
        Diagonal of Z.
    uppers, lowers : (E, N-1) complex
        Elements ``X_{j,j+1}`` and ``X_{j+1,j}``; one row where they are the same at all energies.
    weights : (m, E, N) float
        Diagonals of W.
    bonds : (m, N-1) complex
        Elements ``W_{j,j+1}``.
    with_bonds : bool
        Whether elements ``(a, a+1)`` are wanted.

    Returns
    -------
    diagonal : (m, E, N) float
    beside : (m, E, N-1) complex
        Without elements where they are not wanted.
    """
    kinds, count, n = weights.shape
    diagonal = np.zeros((kinds, count, n))
    beside = np.zeros((kinds, count, max(n - 1, 0) if with_bonds else 0), np.complex128)
    left, right = np.empty(n + 1, np.complex128), np.empty(n, np.complex128)
    left_power, right_power = np.empty(n + 1, np.int64), np.empty(n, np.int64)
    from_left, from_right = np.empty(n), np.empty(n)
    scale, next_scale = np.empty(n), np.empty(n)
    for e in range(count):
        upper, lower = uppers[e % len(uppers)], lowers[e % len(lowers)]
        _determinants(inverse[e], upper, lower, left, left_power, right, right_power)
        # An energy that is a bound state's to the last digit: no source reaches such a state.
        square = _square(left[n])
        total = 1.0 / square if square > 0.0 else 0.0
        for a in range(n):
            # Twice the exponent of l_a r_a / d, and of l_a r_{a+1} / d for the bond to the right.
            power = left_power[a] + right_power[a] - left_power[n]
            scale[a] = math.ldexp(total, 2 * power)
            if with_bonds and a < n - 1:
                power = 2 * left_power[a] + right_power[a] + right_power[a + 1]
                next_scale[a] = math.ldexp(total, power - 2 * left_power[n])
        for k in range(kinds):
            w, t = weights[k, e], bonds[k]
            # Sums over the sites left of a in units of 2^{2 p_a}, right of it of 2^{2 q_a}.
            x = 0.0
            for a in range(n):
                from_left[a] = x
                if a < n - 1:
                    shift = left_power[a] - left_power[a + 1]
                    x = _square(lower[a]) * (x + w[a] * _square(left[a]))
                    x = math.ldexp(x, 2 * shift) if shift != 0 else x
                    step = left[a] * lower[a] * t[a] * left[a + 1].conjugate()
                    x += 2 * (math.ldexp(step.real, shift) if shift != 0 else step.real)
            x = 0.0
            for a in range(n - 1, -1, -1):
                from_right[a] = x
                if a > 0:
                    shift = right_power[a] - right_power[a - 1]
                    x = _square(upper[a - 1]) * (x + w[a] * _square(right[a]))
                    x = math.ldexp(x, 2 * shift) if shift != 0 else x
                    step = right[a - 1] * t[a - 1] * (upper[a - 1] * right[a]).conjugate()
                    x += 2 * (math.ldexp(step.real, shift) if shift != 0 else step.real)
            for a in range(n):
                l2, r2 = _square(left[a]), _square(right[a])
                diagonal[k, e, a] = scale[a] * (
                    r2 * from_left[a] + l2 * from_right[a] + w[a] * l2 * r2
                )
                if a == n - 1 or not with_bonds:
                    continue
                # Left of the bond, right of it, and the bond's own element both ways.
                l, r = left[a], right[a + 1]
                inside = (from_left[a] + w[a] * l2) * right[a] * (lower[a] * r).conjugate()
                outer = (from_right[a + 1] + w[a + 1] * _square(r)) * l * upper[a]
                outer *= left[a + 1].conjugate()
                own = l * right[a] * t[a] * (left[a + 1] * r).conjugate()
                back = l * upper[a] * r * t[a].conjugate() * (l * lower[a] * r).conjugate()
                # The exponents of the four terms differ: l_{a+1} and r_a have their own.
                up = math.ldexp(1.0, left_power[a + 1] - left_power[a])
                down = math.ldexp(1.0, right_power[a + 1] - right_power[a])
                beside[k, e, a] = next_scale[a] * (
                    inside + down * up * outer + up * own + down * back
                )
    return diagonal, beside


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def green(inverse, uppers, lowers, sites):
    """Return ``G_ab`` between chosen sites.

    Parameters
    ----------
    inverse, uppers, lowers : arrays
        As in `local_sums`.
    sites : (c,) int
        Chosen sites, ascending.

    Returns
    -------
    (E, c, c) complex array
        In 1/t.
    """
    count, n = inverse.shape
    c = sites.size
    result = np.zeros((count, c, c), np.complex128)
    left, right = np.empty(n + 1, np.complex128), np.empty(n, np.complex128)
    left_power, right_power = np.empty(n + 1, np.int64), np.empty(n, np.int64)
    up, down = np.empty(c, np.complex128), np.empty(c, np.complex128)
    for e in range(count):
        upper, lower = uppers[e % len(uppers)], lowers[e % len(lowers)]
        _determinants(inverse[e], upper, lower, left, left_power, right, right_power)
        for b in range(c):
            site = sites[b]
            if b > 0:
                x, y = _between(upper, lower, left_power, sites[b - 1], site)
                for a in range(b):
                    up[a] *= x
                    down[a] *= y
            up[b] = down[b] = left[site]
            power = left_power[site] + right_power[site] - left_power[n]
            factor = right[site] / left[n] * math.ldexp(1.0, power)
            for a in range(b):
                result[e, a, b] = up[a] * factor
                result[e, b, a] = down[a] * factor
            result[e, b, b] = up[b] * factor
    return result


@numba.njit(inline="always")
def _between(upper, lower, power, start, stop):
    """Return the products of couplings from one site to another, less the exponents gathered."""
    x, y = 1.0 + 0j, 1.0 + 0j
    for j in range(start, stop):
        shift = power[j] - power[j + 1]
        scale = math.ldexp(1.0, shift) if shift != 0 else 1.0
        x, y = x * upper[j] * scale, y * lower[j] * scale
    return x, y


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def pair_sums(inverse, uppers, lowers, sites, first, second):
    """Return ``sum_e first_ea |G_ab|^2 second_eb`` for chosen sites.

    Parameters
    ----------
    inverse, uppers, lowers : arrays
        As in `local_sums`.
    sites : (c,) int
        Chosen sites, ascending; they may repeat.
    first, second : (E, c) float
        Weights at each energy.

    Returns
    -------
    (c, c) float array
        In 1/t^2 times the weights.
    """
    count, n = inverse.shape
    c = sites.size
    # Both triangles are written along rows: element (b, a) of `above` belongs to (a, b).
    above, below = np.zeros((c, c)), np.zeros((c, c))
    left, right = np.empty(n + 1, np.complex128), np.empty(n, np.complex128)
    left_power, right_power = np.empty(n + 1, np.int64), np.empty(n, np.int64)
    up, down = np.empty(c), np.empty(c)
    for e in range(count):
        upper, lower = uppers[e % len(uppers)], lowers[e % len(lowers)]
        _determinants(inverse[e], upper, lower, left, left_power, right, right_power)
        total = 1.0 / _square(left[n])
        x, y = first[e], second[e]
        for b in range(c):
            site = sites[b]
            if b > 0:
                factors = _between(upper, lower, left_power, sites[b - 1], site)
                to_right, to_left = _square(factors[0]), _square(factors[1])
                for a in range(b):
                    up[a] *= to_right
                    down[a] *= to_left
            up[b] = down[b] = _square(left[site])
            power = left_power[site] + right_power[site] - left_power[n]
            factor = _square(right[site]) * math.ldexp(total, 2 * power)
            before, after = factor * y[b], factor * x[b]
            for a in range(b + 1):
                above[b, a] += x[a] * up[a] * before
                below[b, a] += after * down[a] * y[a]
    for b in range(c):
        above[b, b] = 0.0
    return above.T + below


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def pair_correlations(inverse, uppers, lowers, sites, weights):
    """Return ``(G W G^+)_ab`` between chosen sites for diagonal W.

    For a < b the sum over j splits: left of a and right of b both elements of G are those of a and
    b times a factor, and what is between grows with b by one term.

    Parameters
    ----------
    inverse, uppers, lowers : arrays
        As in `local_sums`.
    sites : (c,) int
        Chosen sites, ascending.
    weights : (E, N) float
        Diagonal of W, zero but on the chosen sites.

    Returns
    -------
    (E, c, c) complex array
        In 1/t^2 times the weights.
    """
    count, n = inverse.shape
    c = sites.size
    result = np.zeros((count, c, c), np.complex128)
    left, right = np.empty(n + 1, np.complex128), np.empty(n, np.complex128)
    left_power, right_power = np.empty(n + 1, np.int64), np.empty(n, np.int64)
    from_left, from_right, scale = np.empty(c), np.empty(c), np.empty(c)
    up, outer = np.empty(c, np.complex128), np.empty(c, np.complex128)
    middle = np.empty(c, np.complex128)
    for e in range(count):
        upper, lower = uppers[e % len(uppers)], lowers[e % len(lowers)]
        _determinants(inverse[e], upper, lower, left, left_power, right, right_power)
        total = 1.0 / _square(left[n])
        # Sums over the sites up to b, in units of 2^{2 p_b}, and from b on, of 2^{2 q_b}.
        x = 0.0
        for b in range(c):
            site = sites[b]
            if b > 0:
                _, factor = _between(upper, lower, left_power, sites[b - 1], site)
                x *= _square(factor)
            x += weights[e, site] * _square(left[site])
            from_left[b] = x
            scale[b] = math.ldexp(1.0, left_power[site] + right_power[site] - left_power[n])
        x = 0.0
        for b in range(c - 1, -1, -1):
            site = sites[b]
            if b < c - 1:
                x *= _square(_back(upper, right_power, site, sites[b + 1]))
            x += weights[e, site] * _square(right[site])
            from_right[b] = x
        for b in range(c):
            site = sites[b]
            w, l, r = weights[e, site], left[site], right[site]
            if b > 0:
                before = sites[b - 1]
                x, y = _between(upper, lower, left_power, before, site)
                y = y.conjugate()
                # The term of the site before b joins what is between a and b.
                kept = weights[e, before] * right[before] * left[before].conjugate() * scale[b - 1]
                for a in range(b):
                    if a < b - 1:
                        middle[a] = y * (middle[a] + kept * up[a])
                    up[a] *= x
                    outer[a] *= y
            up[b], middle[b] = l, 0.0
            outer[b] = from_left[b] * r * scale[b]
            beyond = from_right[b] * l.conjugate() * scale[b] * scale[b] * total
            within = r.conjugate() * scale[b] * total
            for a in range(b):
                value = (outer[a] + middle[a]) * within + up[a] * beyond
                result[e, a, b], result[e, b, a] = value, value.conjugate()
            # W at b itself is in both sums.
            own = from_left[b] * _square(r) + from_right[b] * _square(l) - w * _square(l * r)
            result[e, b, b] = own * scale[b] * scale[b] * total
    return result


@numba.njit(inline="always")
def _back(upper, power, start, stop):
    """Return the product of couplings to the right, less the exponents of the right-hand side."""
    x = 1.0 + 0j
    for j in range(start, stop):
        shift = power[j + 1] - power[j]
        x *= upper[j] * (math.ldexp(1.0, shift) if shift != 0 else 1.0)
    return x


# --- of systems -----------------------------------------------------------------------------------


def _arguments(system: OpenSystem | Batch, energies: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the diagonal of ``w - X - Sigma``, (E, N), and what is above and below of X.

    Systems of a batch have one loss and one gain.
    """
    batch = Batch.of(system, energies)
    first, chains = batch.systems[0], [each.hamiltonian for each in batch.systems]
    place = np.repeat(np.arange(len(chains)), batch.counts)
    site = np.array([diagonal(chain) for chain in chains])[place]
    inverse = np.empty(site.shape, complex)
    np.subtract(energies[:, None], site, out=inverse.real)
    inverse.imag = diagonal(first.loss) + diagonal(first.gain)
    of_lead = batch.coupling.sites[batch.coupling.of_lead]
    for lead, members in batch.alike_leads:
        sites, counts = np.unique(of_lead[members], return_counts=True)
        inverse[:, sites] -= counts * lead.self_energy(energies)[:, None]
    bonds = np.array([above_diagonal(chain) for chain in chains])
    bonds = bonds[:1] if (bonds == bonds[0]).all() else bonds[place]
    rates = 1j * (above_diagonal(first.loss) + above_diagonal(first.gain))
    return inverse, bonds - rates, (bonds + rates).conj()


def _on_sites(system: OpenSystem | Batch, on_contacts: np.ndarray) -> np.ndarray:
    """Return what belongs to contact sites, (..., c), on all sites, (..., N)."""
    result = np.zeros((*on_contacts.shape[:-1], system.sites))
    result[..., system.coupling.sites] = on_contacts
    return result


def site_sums(
    system: OpenSystem | Batch,
    energies: np.ndarray,
    environments: np.ndarray,
    on_contacts: np.ndarray,
    pairs: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `nessflow.solvers.dense.site_sums` does, O(N) for each energy and matrix.

    Parameters
    ----------
    system : OpenSystem or Batch
        A chain with each lead on one site, or several of one loss and gain.
    energies, environments, on_contacts
        As there.
    pairs : (N - 1, 2) int array
        All neighbours, or none.

    Returns
    -------
    diagonal : (m, E, N) float
    beside : (m, E, N - 1) complex
        For no pairs without elements.
    """
    first = Batch.of(system, energies).systems[0]
    loss, gain = (2 * diagonal(x) for x in (first.loss, first.gain))
    beside = [above_diagonal(x) for x in (first.loss, first.gain)]
    weights = _on_sites(system, on_contacts)
    weights += np.array([p * loss + q * gain for p, q in environments])[:, None]
    links = np.array([2 * (p * beside[0] + q * beside[1]) for p, q in environments], complex)
    return local_sums(*_arguments(system, energies), weights, links, len(pairs) > 0)


def green_between(system: OpenSystem | Batch, energies: np.ndarray) -> np.ndarray:
    """Return the Green's function between all leads, (E, l, l) complex, in 1/t."""
    at = system.coupling.of_lead
    return green(*_arguments(system, energies), system.coupling.sites)[:, at][:, :, at]


def correlations_between(
    system: OpenSystem, energies: np.ndarray, on_contacts: np.ndarray
) -> np.ndarray:
    """Return ``G W G^+`` between all leads, W on contacts, (E, c); (E, l, l) complex."""
    at, weights = system.coupling.of_lead, _on_sites(system, on_contacts)
    found = pair_correlations(*_arguments(system, energies), system.contacts, weights)
    return found[:, at][:, :, at]


def weighted_squares(
    system: OpenSystem, energies: np.ndarray, to: np.ndarray, source: np.ndarray
) -> np.ndarray:
    """Return ``sum_e to_ea |G_ab(w_e)|^2 source_eb`` between all leads, (l, l) float."""
    of_lead = system.contacts[system.coupling.of_lead]
    order = np.argsort(of_lead, kind="stable")
    result = np.empty((order.size, order.size))
    weights = to[:, order], source[:, order]
    result[np.ix_(order, order)] = pair_sums(
        *_arguments(system, energies), of_lead[order], *weights
    )
    return result
