"""Green's functions of chains with leads at the ends, O(N) for each energy, compiled.

``D(1..j)``, the determinant of the first j rows of ``w - X - Sigma``, obeys

    D(1..j) = (w - X_jj) D(1..j-1) - X_{j-1,j} X_{j,j-1} D(1..j-2),

and the last row of the Green's function is ``G_Nj = X_{N,N-1} ... X_{j+1,j} D(1..j-1) / D(1..N)``
(extended-landauer-buttiker (S40), (S41)).  So ``(G P G^+)_NN |D|^2`` grows site by site like a
Horner scheme, without division and without any product of hoppings; |t_S| = gamma, where (S43)
divides by zero, is nothing special.  The first row is the last row of the mirrored chain.

Determinants grow and decay exponentially with N.  They are rescaled by powers of two, which is
exact, and the exponents are kept as integers: elements as small as e^-1000 end in a clean 0.

Energies must stay below about 1e30 hoppings.  Chains with a state that no terminal reaches are for
other solvers: all determinants vanish at its level.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np

from nessflow.solvers.compiled import FAST
from nessflow.systems.batch import Batch, one_by_one
from nessflow.systems.matrices import Matrix, Tridiagonal, above_diagonal, diagonal
from nessflow.systems.system import OpenSystem, Surroundings, remembered

LANES = 32
"""Energies carried side by side, so that the compiler fills its vector registers."""
UNROLL = 4
"""Sites between two visits of the state in memory."""

BLOCK = 65_536
"""Elements prepared at a time."""

_EPSILON = np.finfo(float).eps


@numba.njit(forceinline=True)
def _at(values, j):
    return None if values is None else values[j]


@numba.njit(forceinline=True)
def _squared(link, twist, j):
    """Return the product of the couplings of a bond: real ones are given as the hopping."""
    if link is None:
        return None
    if twist is None:
        return link[j] * link[j]
    return link[j]


@numba.njit(forceinline=True)
def _spread(spread, link, j):
    """Return the square of a coupling."""
    return _squared(link, None, j) if spread is None else spread[j]


@numba.njit(forceinline=True)
def _elements(
    j, bond, site, rate, link, twist, spread, loss, loss_bond, gain, gain_bond
):  # fmt: skip
    """Return what `_step` needs of site j and of the bond behind it."""
    return (
        site[j], rate[j], _squared(link, twist, bond), _at(twist, bond),
        _spread(spread, link, bond),
        _at(loss, j), _at(loss_bond, bond), _at(gain, j), _at(gain_bond, bond),
    )  # fmt: skip


@numba.njit(fastmath=FAST, forceinline=True)
def _advance(w, pr, pi, er, ei, site, rate, product, twist):
    """Return ``(w - X_jj) p - X_{j-1,j} X_{j,j-1} e``, real and imaginary part."""
    a = w - site
    if product is None:
        return a * pr - rate * pi - er, a * pi + rate * pr - ei
    if twist is None:
        return a * pr - rate * pi - product * er, a * pi + rate * pr - product * ei
    nr = a * pr - rate * pi - product * er + twist * ei
    ni = a * pi + rate * pr - product * ei - twist * er
    return nr, ni


@numba.njit(fastmath=FAST, forceinline=True)
def _add(total, pr, pi, er, ei, spread, rate, bond):
    """Add a site to a sum of squares weighted with the matrix of loss or gain."""
    if rate is None:
        return total
    if spread is not None:
        total = spread * total
    total = total + rate * (pr * pr + pi * pi)
    if bond is not None:
        total += bond.real * (er * pr + ei * pi) - bond.imag * (ei * pr - er * pi)
    return total


@numba.njit(fastmath=FAST, forceinline=True)
def _step(w, state, site, rate, product, twist, spread, loss, loss_bond, gain, gain_bond):
    """Add a site to the determinants (pr, pi), (er, ei) and the weighted sums of their squares."""
    pr, pi, er, ei, loss_sum, gain_sum = state
    loss_sum = _add(loss_sum, pr, pi, er, ei, spread, loss, loss_bond)
    gain_sum = _add(gain_sum, pr, pi, er, ei, spread, gain, gain_bond)
    nr, ni = _advance(w, pr, pi, er, ei, site, rate, product, twist)
    return nr, ni, pr, pi, loss_sum, gain_sum


@numba.njit(forceinline=True)
def _load(lane, b):
    return (
        lane[LANES + b],
        lane[2 * LANES + b],
        lane[3 * LANES + b],
        lane[4 * LANES + b],
        lane[5 * LANES + b],
        lane[6 * LANES + b],
    )


@numba.njit(forceinline=True)
def _store(lane, b, state):
    lane[LANES + b] = state[0]
    lane[2 * LANES + b] = state[1]
    lane[3 * LANES + b] = state[2]
    lane[4 * LANES + b] = state[3]
    lane[5 * LANES + b] = state[4]
    lane[6 * LANES + b] = state[5]


@numba.njit(forceinline=True)
def _to_inverse_powers(size, power):
    """Replace sizes by powers of two that bring them between 1 and 2; add these to ``power``."""
    bits = size.view(np.int64)
    for b in range(LANES):
        biased = bits[b] >> 52  # the exponent field of a positive double
        power[b] += biased - 1023
        bits[b] = (2046 - biased) << 52


@numba.njit(forceinline=True)
def _power_of_two(exponent):
    """Return the bits of ``2^exponent``; 0 where the double would be denormal."""
    return (min(max(exponent, -1023), 1023) + 1023) << 52


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def _rows(
    start, stop, energies, first, last, unit, interval, corners, green, loss_rows, gain_rows,
    site, rate, link, twist, spreads, loss, beside_losses, gain, beside_gains,
):  # fmt: skip
    """Run the recurrence from the first site to the last, and from the last to the first.

    For the energies from place ``start`` on, up to ``stop``.
    ``energies`` and the self-energies ``first`` and ``last`` of the end sites are divided by
    ``unit``; ``interval``, a multiple of UNROLL, is the number of sites between rescalings.
    ``link`` and ``twist`` are real and imaginary part of the product of the couplings of a bond;
    without ``twist`` and ``spreads``, their squares, ``link`` is the hopping, whose square is both.
    Arguments that are None are compiled away: ``link`` when the hopping is 1 everywhere, and so
    on.  Those in the plural are pairs, an array for each direction.  Arrays over bonds have N - 1
    elements.

    Fills ``green`` (2, 2, E), ``loss_rows`` and ``gain_rows`` (2, E).
    """
    n = site.size
    # One flat array: constant offsets let the compiler see that the lanes do not overlap.
    lane = np.empty(7 * LANES)
    size = np.empty(LANES)
    bits = size.view(np.int64)
    other_size = np.empty(LANES)
    other_bits = other_size.view(np.int64)
    power = np.empty(LANES, np.int64)
    inverse = 1.0 / unit
    (above, up), (below, down) = corners
    for end in range(2):
        spread = None if spreads is None else spreads[end]
        beside_loss = None if beside_losses is None else beside_losses[end]
        beside_gain = None if beside_gains is None else beside_gains[end]
        chain = (
            site, rate, link, twist, spread, loss, beside_loss, gain, beside_gain
        )  # fmt: skip
        origin, step, to_bond = (n - 1, -1, 0) if end == 0 else (0, 1, -1)
        here, there = (last, first) if end == 0 else (first, last)
        for k in range(start, stop, LANES):
            # Copies by themselves: loops without them fill the vector registers.
            for b in range(LANES):
                i = min(k + b, stop - 1)
                lane[b] = energies[i] * inverse
                sigma = here[i]
                lane[LANES + b] = sigma.real
                lane[2 * LANES + b] = sigma.imag
            loss_sum = 0.0 if loss is None else loss[origin]
            gain_sum = 0.0 if gain is None else gain[origin]
            for b in range(LANES):
                real = lane[b] - site[origin] - lane[LANES + b] * inverse
                imag = rate[origin] - lane[2 * LANES + b] * inverse
                _store(lane, b, (real, imag, 1.0, 0.0, loss_sum, gain_sum))
                power[b] = 0
            j = 1
            while j < n:
                until = min(n, j + interval)
                while j + UNROLL <= until:
                    at = origin + step * j
                    one = _elements(at, at + to_bond, *chain)
                    at += step
                    two = _elements(at, at + to_bond, *chain)
                    at += step
                    three = _elements(at, at + to_bond, *chain)
                    at += step
                    four = _elements(at, at + to_bond, *chain)
                    for b in range(LANES):
                        state = _load(lane, b)
                        state = _step(lane[b], state, *one)
                        state = _step(lane[b], state, *two)
                        state = _step(lane[b], state, *three)
                        _store(lane, b, _step(lane[b], state, *four))
                    j += UNROLL
                while j < until:
                    at = origin + step * j
                    one = _elements(at, at + to_bond, *chain)
                    for b in range(LANES):
                        _store(lane, b, _step(lane[b], _load(lane, b), *one))
                    j += 1
                for b in range(LANES):
                    pr, pi, er, ei, loss_sum, gain_sum = _load(lane, b)
                    size[b] = abs(pr) + abs(pi) + abs(er) + abs(ei)
                _to_inverse_powers(size, power)
                for b in range(LANES):
                    x = size[b]
                    y = x * x
                    pr, pi, er, ei, loss_sum, gain_sum = _load(lane, b)
                    _store(lane, b, (x * pr, x * pi, x * er, x * ei, y * loss_sum, y * gain_sum))
            for b in range(LANES):
                sigma = there[min(k + b, stop - 1)]
                size[b] = sigma.real
                other_size[b] = sigma.imag
            for b in range(LANES):
                pr, pi, er, ei, loss_sum, gain_sum = _load(lane, b)
                sr, si = size[b] * inverse, other_size[b] * inverse
                pr -= sr * er - si * ei
                pi -= sr * ei + si * er
                x = inverse / (pr * pr + pi * pi)
                y = 2 * x
                _store(lane, b, (x * pr, -x * pi, er, ei, y * loss_sum, y * gain_sum))
            for b in range(LANES):
                bits[b] = _power_of_two(up - power[b])
                other_bits[b] = _power_of_two(down - power[b])
            for b in range(min(LANES, stop - k)):
                pr, pi, er, ei, loss_sum, gain_sum = _load(lane, b)
                reciprocal = complex(pr, pi)
                green[end, end, k + b] = complex(er, ei) * reciprocal
                if end == 1:
                    green[0, 1, k + b] = above * reciprocal * size[b]
                    green[1, 0, k + b] = below * reciprocal * other_size[b]
                loss_rows[end, k + b] = loss_sum
                gain_rows[end, k + b] = gain_sum


# Calls nested deeper than two keep the compiler from carrying energies side by side.
@numba.njit(forceinline=True)
def _load_four(lane, b, k, wanted=True):
    """Return four rows of ``lane`` from row k on; None if ``wanted`` is None."""
    if wanted is None:
        return None
    b += k * LANES
    return lane[b], lane[b + LANES], lane[b + 2 * LANES], lane[b + 3 * LANES]


@numba.njit(forceinline=True)
def _store_four(lane, b, k, values):
    if values is not None:
        b += k * LANES
        lane[b], lane[b + LANES], lane[b + 2 * LANES], lane[b + 3 * LANES] = values


@numba.njit(forceinline=True)
def _times(x, values):
    if values is None:
        return None
    y, z, u, v = values
    return x * y, x * z, x * u, x * v


@numba.njit(forceinline=True)
def _start(terms):
    return None if terms is None else (terms[0][0], 0.0, 0.0, 0.0)


@numba.njit(forceinline=True)
def _sources(j, terms):
    if terms is None:
        return None
    weight, source, bond, left = terms
    return weight[j], _at(source, j), _at(bond, j), _at(left, j)


@numba.njit(forceinline=True)
def _end_elements(j, site, rate, link, twist, carry, carried, one, two):
    """Return what `_step_to_end` needs of site j and of the bond behind it."""
    chain = site[j], rate[j], _squared(link, twist, j - 1), _at(twist, j - 1)
    return chain, _at(carry, j), _at(carried, j), _sources(j, one), _sources(j, two)


@numba.njit(fastmath=FAST, forceinline=True)
def _carry_on(w, determinants, sums, chain, carry, carried, sources):
    """Add a site to k_n (s) and k_{n-1} (b)."""
    if sources is None:
        return None
    pr, pi, er, ei = determinants
    sr, si, br, bi = sums
    weight, source, bond, left = sources
    if carry is None:
        tr, ti = _advance(w, sr, si, br, bi, *chain)
        return tr + weight * pr, ti - weight * pi, sr, si
    yr = carry * sr + bond.real * pr + bond.imag * pi
    yi = carry * si + bond.imag * pr - bond.real * pi
    tr, ti = _advance(w, yr, yi, br, bi, chain[0], chain[1], carried.real, carried.imag)
    tr += source.real * pr + source.imag * pi + left.real * er + left.imag * ei
    ti += source.imag * pr - source.real * pi + left.imag * er - left.real * ei
    return tr, ti, yr, yi


@numba.njit(fastmath=FAST, forceinline=True)
def _step_to_end(w, determinants, first, second, chain, carry, carried, one, two):
    """Add a site to the determinants p, e and to k_n, k_{n-1} of each matrix."""
    pr, pi, er, ei = determinants
    nr, ni = _advance(w, pr, pi, er, ei, *chain)
    first = _carry_on(w, determinants, first, chain, carry, carried, one)
    second = _carry_on(w, determinants, second, chain, carry, carried, two)
    return (nr, ni, pr, pi), first, second


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def _ends(
    start, stop, energies, first, last, unit, interval, factor, elements,
    site, rate, link, twist, carry, carried, one, two,
):  # fmt: skip
    """Run the recurrence for the element (1, N) of ``M = G A G^+``, A Hermitian tridiagonal.

    ``k_n = sum_j U_j D(j+1..n) A_jj (L_j D(1..j-1))^*``, with U_j and L_j the products of the
    couplings left and right of site j, ends in ``M_1N |D(1..N)|^2``.  As a function of n each term
    is a determinant that starts at j, so ``k_n`` obeys the recurrence of determinants with a
    source at each n and, like them, needs neither division nor memory.

    ``one`` and ``two``, which may be None, are matrices A: the diagonal and the sources of the
    site and of the bond to its left.  ``factor`` is the unit of k_N, a number and an exponent of
    two, ``carry`` the factor of ``k_n``, ``carried`` that of ``k_{n-1}``.  `_ends_of` gives them;
    what belongs to bonds is None if loss and gain are diagonal.  The rest is as in `_rows`.

    Fills ``elements`` (2, E) with ``2 M_1N`` of each matrix.
    """
    n = site.size
    lane = np.zeros(13 * LANES)
    size = np.empty(LANES)
    bits = size.view(np.int64)
    power = np.empty(LANES, np.int64)
    inverse = 1.0 / unit
    chain = site, rate, link, twist, carry, carried, one, two
    start_one, start_two = _start(one), _start(two)
    for k in range(start, stop, LANES):
        # As in `_rows`, copies by themselves.
        for b in range(LANES):
            i = min(k + b, stop - 1)
            lane[b] = energies[i] * inverse
            lane[LANES + b] = first[i].real
            lane[2 * LANES + b] = first[i].imag
        for b in range(LANES):
            real = lane[b] - site[0] - lane[LANES + b] * inverse
            imag = rate[0] - lane[2 * LANES + b] * inverse
            _store_four(lane, b, 1, (real, imag, 1.0, 0.0))
            _store_four(lane, b, 5, start_one)
            _store_four(lane, b, 9, start_two)
            power[b] = 0
        j = 1
        while j < n:
            until = min(n, j + interval)
            # With bonds the elements of one site fill the registers.
            while carry is None and j + UNROLL <= until:
                here, then = _end_elements(j, *chain), _end_elements(j + 1, *chain)
                third, fourth = _end_elements(j + 2, *chain), _end_elements(j + 3, *chain)
                for b in range(LANES):
                    w, p = lane[b], _load_four(lane, b, 1)
                    s, t = _load_four(lane, b, 5), _load_four(lane, b, 9, start_two)
                    p, s, t = _step_to_end(w, p, s, t, *here)
                    p, s, t = _step_to_end(w, p, s, t, *then)
                    p, s, t = _step_to_end(w, p, s, t, *third)
                    p, s, t = _step_to_end(w, p, s, t, *fourth)
                    _store_four(lane, b, 1, p)
                    _store_four(lane, b, 5, s)
                    _store_four(lane, b, 9, t)
                j += UNROLL
            while j < until:
                here = _end_elements(j, *chain)
                for b in range(LANES):
                    w, p = lane[b], _load_four(lane, b, 1)
                    s, t = _load_four(lane, b, 5), _load_four(lane, b, 9, start_two)
                    p, s, t = _step_to_end(w, p, s, t, *here)
                    _store_four(lane, b, 1, p)
                    _store_four(lane, b, 5, s)
                    _store_four(lane, b, 9, t)
                j += 1
            for b in range(LANES):
                pr, pi, er, ei = _load_four(lane, b, 1)
                size[b] = abs(pr) + abs(pi) + abs(er) + abs(ei)
            _to_inverse_powers(size, power)
            for b in range(LANES):
                x = size[b]
                _store_four(lane, b, 1, _times(x, _load_four(lane, b, 1)))
                _store_four(lane, b, 5, _times(x, _load_four(lane, b, 5)))
                _store_four(lane, b, 9, _times(x, _load_four(lane, b, 9, start_two)))
        for b in range(LANES):
            sigma = last[min(k + b, stop - 1)]
            lane[b] = sigma.real
            size[b] = sigma.imag
        for b in range(LANES):
            sigma_real, sigma_imag = lane[b] * inverse, size[b] * inverse
            pr, pi, er, ei = _load_four(lane, b, 1)
            pr -= sigma_real * er - sigma_imag * ei
            pi -= sigma_real * ei + sigma_imag * er
            scale = 2 * inverse / (pr * pr + pi * pi)
            for a in range(2):
                sr, si, br, bi = _load_four(lane, b, 5 + 4 * a)
                sr -= sigma_real * br - sigma_imag * bi
                si -= sigma_real * bi + sigma_imag * br
                _store_four(lane, b, 5 + 4 * a, (scale * sr, scale * si, 0.0, 0.0))
        for b in range(LANES):
            bits[b] = _power_of_two(factor[1] - power[b])
        for b in range(min(LANES, stop - k)):
            for a in range(2):
                sr, si, br, bi = _load_four(lane, b, 5 + 4 * a)
                elements[a, k + b] = factor[0] * complex(sr, si) * size[b]


@numba.njit(fastmath=FAST, forceinline=True)
def _rescale(last, before, total, exponent):
    """Divide by a power of two when the determinants leave a comfortable range."""
    size = abs(last.real) + abs(last.imag) + abs(before.real) + abs(before.imag)
    if 1e-30 < size < 1e30:
        return last, before, total, exponent
    shift = math.frexp(size)[1]
    scale = math.ldexp(1.0, -shift)
    return last * scale, before * scale, total * scale * scale, exponent + shift


@numba.njit(fastmath=FAST, cache=True)
def _trace(energies, first, last, damping, upper, lower, loss, loss_bond, gain, gain_bond):
    """Return ``Tr[P G Q G^+]`` (P loss, Q gain) for each energy; bonds are padded to N elements.

    ``M = G Q G^+`` is needed on and beside the diagonal only.  With S_j, the weighted sum of the
    left chain 1..j, and R_j, that of the right chain j..N, for instance
    ``M_jj |D|^2 = S_j |D(j+1..N)|^2 + (R_j - Q_jj |D(j+1..N)|^2) |D(1..j-1)|^2``.
    ``loss_bond`` and ``gain_bond`` are None when both matrices are diagonal.
    """
    n = damping.size
    product = upper * lower
    up, down = upper.real**2 + upper.imag**2, lower.real**2 + lower.imag**2
    d = np.empty(n, np.complex128)  # D(1..j)
    e = np.empty(n, np.complex128)  # D(1..j-1)
    left = np.empty(n)
    exponent = np.empty(n, np.int64)
    trace = np.zeros(energies.size)
    for k in range(energies.size):
        w = energies[k]
        state = (1.0 + 0.0j, 0.0j, 0.0, 0)
        for j in range(n):
            p, q, total, shift = state
            total = gain[j] * (p.real**2 + p.imag**2) + total * down[j - 1]
            if gain_bond is not None:
                total += 2 * (gain_bond[j - 1] * lower[j - 1] * q * p.conjugate()).real
            level = w - damping[j]
            if j == 0:
                level -= first[k]
            if j == n - 1:
                level -= last[k]
            state = _rescale(level * p - product[j - 1] * q, p, total, shift)
            d[j], e[j], left[j], exponent[j] = state
        top = exponent[n - 1]
        norm = d[n - 1].real ** 2 + d[n - 1].imag ** 2
        state = (1.0 + 0.0j, 0.0j, 0.0, 0)
        for j in range(n - 1, -1, -1):
            f, g, right, shift = state  # D(j+1..N), D(j+2..N), R_{j+1}
            ff = f.real**2 + f.imag**2
            ee = e[j].real ** 2 + e[j].imag ** 2
            beyond = right * up[j]
            if gain_bond is not None:
                u, v, bond = upper[j], lower[j].conjugate(), gain_bond[j]
                beyond += 2 * (bond * f * (u * g).conjugate()).real
            part = loss[j] * (left[j] * ff + beyond * ee)
            if gain_bond is not None:
                beside = left[j] * v * f * g.conjugate()
                beside += right * u * e[j] * d[j].conjugate()
                beside += bond * e[j] * f * (d[j] * g).conjugate()
                beside += u * v * bond.conjugate() * ee * (g.real**2 + g.imag**2)
                part += 2 * (loss_bond[j].conjugate() * beside).real
            trace[k] += math.ldexp(part / norm, 2 * (shift + exponent[j] - top))
            level = w - damping[j]
            if j == n - 1:
                level -= last[k]
            state = _rescale(level * f - product[j] * g, f, beyond + gain[j] * ff, shift)
    return trace


def _couplings(
    hamiltonian: np.ndarray, loss: np.ndarray, gain: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the elements of ``X = h - i (P + Q)`` above and below the diagonal."""
    damping = loss + gain
    return hamiltonian - 1j * damping, (hamiltonian + 1j * damping).conj()


def _blocks(values: np.ndarray) -> list[slice]:
    """Return pieces of an array: no temporary array is as long as the chain."""
    return [slice(k, k + BLOCK) for k in range(0, values.size, BLOCK)]


def _bond_arguments(bonds: list[np.ndarray], unit: float, sites: int) -> tuple:
    """Return what `_rows` needs of the elements above the diagonals of h, P and Q.

    In units of ``unit``; one element stands for bonds that are all alike.
    """

    def filled(values: np.ndarray) -> np.ndarray:
        values = np.ascontiguousarray(np.broadcast_to(values, sites - 1))
        values.flags.writeable = False  # always: kernels are compiled for either
        return values

    hopping, *rates = bonds
    if not any(values.any() for values in rates):
        link = _over(abs(hopping) if np.iscomplexobj(hopping) else hopping, unit)
        if all(np.all(abs(link[part] ** 2 - 1) < 4 * _EPSILON) for part in _blocks(link)):
            return None, None, None, None, None
        return filled(link), None, None, None, None
    loss, gain = (values / unit for values in rates)
    upper, lower = _couplings(hopping / unit, loss, gain)
    product = upper * lower
    # Seen from the last site, what is above the diagonal is below it.
    return (
        filled(product.real),
        filled(product.imag),
        (filled(abs(upper) ** 2), filled(abs(lower) ** 2)),
        (filled(2 * loss.conj() * upper), filled(2 * loss * lower)),
        (filled(2 * gain.conj() * upper), filled(2 * gain * lower)),
    )


@dataclass(frozen=True, eq=False)
class _Chain:
    """What does not depend on the energies.

    In units of ``unit``, the largest coupling if all are alike, or the power of two below it.
    ``arguments`` are those of `_rows`; ``corners`` the products of the couplings above and below
    the diagonal, each with its exponent of two; ``growth`` and ``decay`` bound by how much one site
    changes a determinant at zero energy.
    """

    unit: float
    arguments: tuple
    corners: tuple
    growth: float
    decay: float

    def interval(self, largest: float) -> int:
        """Return how many sites may pass, up to an energy, before squares leave doubles."""
        largest = math.log10(self.growth + largest / self.unit)
        digits = max(largest, -math.log10(max(self.decay, 1e-300)))
        return UNROLL * min(max(int(130 / digits) // UNROLL, 1), 32 // UNROLL)


def _over(values: np.ndarray, unit: float) -> np.ndarray:
    """Return ``values / unit``, contiguous and read-only, without a copy where none is needed."""
    values = np.ascontiguousarray(values if unit == 1 else values / unit)
    values.flags.writeable = False
    return values


@dataclass(frozen=True, eq=False)
class _Bonds:
    """What of a `_Chain` does not depend on the levels of its sites, as there.

    ``arguments`` are those of `_rows` but the first, ``rate`` is the largest on a site.
    """

    unit: float
    arguments: tuple
    corners: tuple
    rate: float
    decay: float


@remembered
def _chain_of(system: OpenSystem) -> _Chain:
    hopping, around = above_diagonal(system.hamiltonian), system.surroundings
    if hopping.size and hopping.strides == (0,):
        bonds = _alike_bonds(around, hopping.size, hopping[0].item())
    else:
        bonds = _bonds_of(around, hopping)
    site = _over(diagonal(system.hamiltonian), bonds.unit)
    growth = float(4.1 + max(site.max(), -site.min()) + bonds.rate)
    return _Chain(bonds.unit, (site, *bonds.arguments), bonds.corners, growth, bonds.decay)


@remembered  # once for all samples of a wire
def _alike_bonds(system: Surroundings, count: int, hopping: complex) -> _Bonds:
    return _bonds_of(system, np.broadcast_to(hopping, count))


def _bonds_of(system: Surroundings, hopping: np.ndarray) -> _Bonds:
    bonds = [hopping, above_diagonal(system.loss), above_diagonal(system.gain)]
    if all(values.strides == (0,) for values in bonds):  # one of each stands for all
        bonds = [values[:1] for values in bonds]
    parts = _blocks(bonds[0])

    def couplings(part: slice) -> tuple[np.ndarray, np.ndarray]:
        return _couplings(*(values[part] for values in bonds))

    largest = (abs(each).max() for part in parts for each in couplings(part))
    unit = float(max(largest, default=0.0)) or 1.0
    if bonds[0].size > 1:  # a power of two is exact, and 1 saves copies
        unit = 2.0 ** (math.frexp(unit)[1] - 1)

    sites = hopping.size + 1
    loss, gain = (
        _over(diagonal(matrix), unit) if matrix.any() else None
        for matrix in (system.loss, system.gain)
    )
    present = [rates for rates in (loss, gain) if rates is not None]
    rate = present[0] if len(present) == 1 else _over(sum(present, np.zeros(sites)), 1.0)
    *bond_terms, loss_bond, gain_bond = _bond_arguments(bonds, unit, sites)
    loss_bond = None if loss is None else loss_bond
    gain_bond = None if gain is None else gain_bond

    repeats = (sites - 1) // max(bonds[0].size, 1)
    above: list[tuple[complex, int]] = [(1.0, 0)]
    below: list[tuple[complex, int]] = [(1.0, 0)]
    decay = [1.0]
    for part in parts:
        upper, lower = (each / unit for each in couplings(part))
        for factors, found in ((upper, above), (lower, below)):
            alike = repeats > 1
            found.append(_power(factors.item(), repeats) if alike else _scaled_product(factors))
        damping = rate[1:][part] if repeats == 1 else rate[1:].min()
        decay.append(np.maximum(abs(upper * lower), damping).min())
    return _Bonds(
        unit,
        (rate, *bond_terms, loss, loss_bond, gain, gain_bond),
        (_joined(above), _joined(below)),
        rate.max(),
        float(min(decay)),
    )


def _joined(parts: list[tuple[complex, int]]) -> tuple[complex, int]:
    """Return the product of numbers that are given with exponents of two."""
    product, exponent = _scaled_product(np.array([number for number, _ in parts]))
    return product, exponent + sum(power for _, power in parts)


@lru_cache
def _power(factor: complex, count: int) -> tuple[complex, int]:
    """Return the product of equal factors, such as those of every sample of a wire."""
    return _scaled_product(np.broadcast_to(factor, count))


def _scaled_product(factors: np.ndarray) -> tuple[complex, int]:
    """Return the product of many factors as a number and an exponent of two."""
    if factors.size > BLOCK:
        return _joined([_scaled_product(factors[part]) for part in _blocks(factors)])
    factors, exponent = np.append(factors, 1.0), 0
    while True:
        shifts = np.frexp(abs(factors))[1]
        exponent += int(shifts.sum())
        factors = factors * np.ldexp(1.0, -shifts)
        if factors.size == 1:
            return complex(factors[0]), exponent
        factors = np.pad(factors, (0, -factors.size % 256), constant_values=1.0)
        factors = factors.reshape(-1, 256).prod(axis=1)


def _proportion(matrix: Matrix, other: Matrix) -> float | None:
    """Return c if ``other = c matrix`` to the last bit; ``matrix`` is positive and not zero."""
    one, two = diagonal(matrix), diagonal(other)
    k = int(np.argmax(one))
    c = two[k] / one[k]
    parts = (one, two), (above_diagonal(matrix), above_diagonal(other))
    return c if all(np.array_equal(c * mine, yours) for mine, yours in parts) else None


@remembered
def _ends_of(system: OpenSystem) -> tuple[tuple, tuple, list[tuple[int, int, float]]]:
    """Return the unit of the result of `_ends`, its last arguments, and what its rows are.

    The unit is a product over all bonds, given with its exponent of two, of couplings large enough
    that no other product of couplings overflows.  ``(k, row, c)`` stands for c times a row, which
    is that of loss (k = 0) or gain (k = 1).
    """
    chain = _chain_of(system)
    site, rate, link, twist, _, loss, _, gain, _ = chain.arguments
    present = [k for k, rates in enumerate((loss, gain)) if rates is not None]
    rows = [(k, row, 1.0) for row, k in enumerate(present)]
    if len(rows) == 2 and (c := _proportion(system.loss, system.gain)) is not None:
        present, rows = [0], [(0, 0, 1.0), (1, 0, c)]
    padding = [None] * (2 - len(present))
    if twist is None:
        # Lower is the conjugate of upper: all products of couplings are one and the same.
        alone = [((loss, gain)[k], None, None, None) for k in present]
        return chain.corners[0], (site, rate, link, None, None, None, *alone, *padding), rows
    matrices = [
        Tridiagonal(diagonal(matrix) / chain.unit, above_diagonal(matrix) / chain.unit)
        for matrix in (system.loss, system.gain)
    ]
    beside = [matrix.upper for matrix in matrices]
    upper, lower = _couplings(above_diagonal(system.hamiltonian) / chain.unit, *beside)
    couplings = [upper, lower, *beside]
    largest = np.maximum.reduce([abs(values) for values in couplings])
    largest[largest == 0] = 1.0
    # With the phase of ``lower^*`` in the unit, the factor from bond to bond is real.
    size = abs(lower)
    factor = largest * np.divide(lower.conj(), size, out=np.ones_like(lower), where=size > 0)
    before = np.cumprod(np.insert(upper / factor, 0, 1.0))
    carry = size / largest

    def of_site(values: np.ndarray) -> np.ndarray:
        return np.insert(values, 0, 0)

    terms = []
    for matrix in (matrices[k] for k in present):
        bond = of_site(before[:-1] * matrix.upper / factor)
        left = of_site(before[1:] * (matrix.upper * lower).conj())
        terms.append((matrix.diagonal.copy(), before * matrix.diagonal, bond, left))
    factors = of_site(carry), of_site(upper * lower * carry)
    arguments = site, rate, link, twist, *factors, *terms, *padding
    return _scaled_product(factor), arguments, rows


def _largest_energies(batch: Batch, energies: np.ndarray) -> list[float]:
    """Return the largest magnitude of the energies of each part of a batch."""
    starts = [here.start for _, here in batch.parts]
    return np.maximum.reduceat(abs(energies), starts).tolist() if starts else []


def _end_self_energies(batch: Batch, energies: np.ndarray) -> list[np.ndarray]:
    """Return the self-energies on the first and on the last site, (E,) each; N = 1 has no last."""
    ends, rows = [], batch.systems[0].self_energies(energies)
    for is_last in (False, True):
        mine = [
            row
            for lead, row in zip(batch.leads, rows, strict=True)
            if (lead.coupling[0][0] > 0) == is_last
        ]
        first, *others = mine or [0j * energies]
        ends.append(sum(others, first))
    return ends


def contact_rows(
    system: OpenSystem | Batch, energies: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `nessflow.solvers.dense.contact_rows` does, for leads at the ends of a chain.

    Parameters
    ----------
    system : OpenSystem or Batch
        Chains with leads at their ends alone.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    green : (E, c, c) complex
        ``G_ab`` between contact sites, in 1/t.
    loss, gain : (E, c) float
        Diagonals of ``G 2P G^+`` and ``G 2Q G^+`` at the contact sites, in 1/t.
    """
    batch = Batch.of(system, energies)
    green = np.empty((2, 2, energies.size), complex)
    loss, gain = np.empty((2, 2, energies.size))
    ends = _end_self_energies(batch, energies)
    largest = _largest_energies(batch, energies)
    for (one, here), most in zip(batch.parts, largest, strict=True):
        chain = _chain_of(one)
        terms = chain.unit, chain.interval(most), chain.corners
        _rows(here.start, here.stop, energies, *ends, *terms, green, loss, gain, *chain.arguments)
    contacts = batch.coupling.sites
    if contacts.size < 2:
        at = slice(0, contacts.size) if 0 in contacts else slice(1, 2)
        green, loss, gain = green[at, at], loss[at], gain[at]
    return green.transpose(2, 0, 1), loss.T, gain.T


def contact_correlations(
    system: OpenSystem | Batch, energies: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``G 2P G^+`` and ``G 2Q G^+`` between different contacts.

    The diagonals, which `contact_rows` has, are zero.

    Parameters
    ----------
    system : OpenSystem or Batch
        Chains with leads at their ends alone.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    loss, gain : (E, c, c) complex
        In 1/t.
    """
    batch = Batch.of(system, energies)
    contacts = batch.coupling.count
    result = np.zeros((2, contacts, contacts, energies.size), complex)
    is_open = batch.systems[0].loss.any() or batch.systems[0].gain.any()
    if contacts == 2 and is_open:
        ends, elements = _end_self_energies(batch, energies), np.empty((2, energies.size), complex)
        largest = _largest_energies(batch, energies)
        for (one, here), most in zip(batch.parts, largest, strict=True):
            chain, (factor, arguments, rows) = _chain_of(one), _ends_of(one)
            terms = chain.unit, chain.interval(most), factor
            _ends(here.start, here.stop, energies, *ends, *terms, elements, *arguments)
            for k, row, c in rows:
                np.multiply(c, elements[row, here], out=result[k, 0, 1, here])
        np.conj(result[:, 0, 1], out=result[:, 1, 0])
    loss, gain = result.transpose(0, 3, 1, 2)
    return loss, gain


@one_by_one
def interior_traces(system: OpenSystem, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``Tr[2P G 2Q G^+]`` and ``Tr[2Q G 2P G^+]``.

    Parameters
    ----------
    system : OpenSystem or Batch
        Chains with leads at their ends alone.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    loss_gain, gain_loss : (E,) float
        Transmissions from gain to loss and from loss to gain.
    """
    matrices = system.hamiltonian, system.loss, system.gain
    hopping, *beside = (above_diagonal(matrix) for matrix in matrices)
    sites, loss, gain = (diagonal(matrix) for matrix in matrices)
    upper, lower = _couplings(hopping, *beside)
    damping = sites - 1j * (loss + gain)
    bonds = any(values.any() for values in beside)
    loss_terms, gain_terms = (
        (rates.copy(), np.append(values, 0j) if bonds else None)
        for rates, values in zip((loss, gain), beside, strict=True)
    )
    ends = _end_self_energies(Batch.of(system, energies), energies)
    chain = energies, *ends, damping, np.append(upper, 0), np.append(lower, 0)
    loss_gain = 4 * _trace(*chain, *loss_terms, *gain_terms)
    if not bonds:  # reciprocal: the phases of the hopping are a gauge
        return loss_gain, loss_gain
    return loss_gain, 4 * _trace(*chain, *gain_terms, *loss_terms)
