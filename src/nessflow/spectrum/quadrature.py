"""Error-controlled integrals of vector-valued functions over the energy.

Every panel is the image of an interval ``[a, b]`` of ``u`` under ``w = origin + width u^power``:

======  ==========================================================================
power   panel
======  ==========================================================================
1       a piece of the line
n > 1   a piece beside a band edge of order n, where the integrand is a series in the n-th root
        of w - edge: 2 but of bands that are flatter
-1      a piece of a tail, where the integrand is a series in 1/w
-8      the end of a tail, where it may be such a series times a logarithm
======  ==========================================================================

The rule is Gauss-Kronrod with 10 and 21 points.  It converges as ``rho^-32`` where ``rho`` belongs
to the largest Bernstein ellipse about the panel that holds no singularity of the integrand, so
`line_mesh` grades the first panels by the poles it is told of, and bisection does the rest.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

_NODES = (
    0.0,
    0.14887433898163121,
    0.29439286270146020,
    0.43339539412924719,
    0.56275713466860468,
    0.67940956829902441,
    0.78081772658641690,
    0.86506336668898451,
    0.93015749135570823,
    0.97390652851717172,
    0.99565716302580808,
)
_KRONROD_WEIGHTS = (
    0.14944555400291691,
    0.14773910490133849,
    0.14277593857706008,
    0.13470921731147333,
    0.12349197626206585,
    0.10938715880229764,
    0.09312545458369761,
    0.07503967481091995,
    0.05475589657435200,
    0.03255816230796473,
    0.01169463886737187,
)
_GAUSS_WEIGHTS = (
    0.29552422471475287,
    0.26926671930999636,
    0.21908636251598204,
    0.14945134915058059,
    0.06667134430868814,
)
NODES = np.concatenate([-np.array(_NODES[:0:-1]), _NODES])
"""Nodes of the 21-point Kronrod rule on [-1, 1]; every second one is a node of Gauss's rule."""
KRONROD = np.concatenate([_KRONROD_WEIGHTS[:0:-1], _KRONROD_WEIGHTS])
_GAUSS = np.zeros(21)
_GAUSS[1::2] = np.concatenate([_GAUSS_WEIGHTS[::-1], _GAUSS_WEIGHTS])
NULL_RULES = (KRONROD - _GAUSS) * np.stack([np.ones(21), 2 * NODES])
"""Rules of integral zero, of the same size, for polynomials of degrees up to 19 and up to 18.

The first is the difference to Gauss's rule.  It is blind to odd functions, and now and then it
vanishes by chance; the second, the same of the function times ``x``, sees what is odd."""

_EPSILON = np.finfo(float).eps
_ROUNDING_ERRORS = 16
"""Rounding errors of one value of the integrand, in units of epsilon times its magnitude."""
_RTOL = 1e-10
"""Relative error that integrals are computed to unless told."""
COARSE = 1.4
"""Bernstein ellipse of many first panels that adapt, without poles in it: a narrow resonance is
seen, and bisection goes on where it is needed.  Long chains without loss take half the energies."""
_RESOLVED, _ORDER = 2.2569178573608527, 40
"""Ellipse of panels that need no bisection, for `_RTOL`; ``rho^-40`` goes as the error."""
_FLAT = -8
"""Power of a panel that reaches infinity, where the integrand may have a logarithm."""
_FARTHEST = 1e-6
"""Upper end of a panel down to which its nodes in that power are energies below 1e28."""
_STUCK_ROUNDS, _STUCK_PANELS, _STUCK_SIZE = 4, 256, 1e-12
"""Rounds that cut at least so many panels for a component and change its error by less than half,
which is as small against the largest component: it is rounding that the integrand's magnitudes do
not know.  Panels that others need do not count: the error of a narrow peak may stand still as well,
but on few panels."""
_MAX_ROUNDS = 100
_MAX_EVALUATIONS = 20_000_000
PANELS_PER_CALL = 2000
"""Panels at whose nodes an integrand is evaluated at a time."""
_KEPT = 2**23
"""Numbers of all panels of functions that are integrated together beyond which each goes on alone;
one that never ends takes half a GB."""


@dataclass(frozen=True, eq=False)
class Panels:
    """Panels ``w = origin + width u^power``, ``lower <= u <= upper``.

    Attributes
    ----------
    origin, width : (p,) float
        In the unit of w.
    power : (p,) float
        1, n > 1, -1 or -8, see the module.
    lower, upper : (p,) float
        Ends in u.
    """

    origin: np.ndarray
    width: np.ndarray
    power: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def __getitem__(self, chosen: Any) -> "Panels":
        return Panels(*(getattr(self, name)[chosen] for name in self.__annotations__))

    @property
    def size(self) -> int:
        """Number of panels."""
        return self.origin.size

    def bisected(self, chosen: np.ndarray) -> "Panels":
        """Return all panels, of the chosen ones (p,) the first half, and behind all the second."""
        middle = 0.5 * (self.lower + self.upper)
        second = self[chosen]
        second = Panels(second.origin, second.width, second.power, middle[chosen], second.upper)
        upper = np.where(chosen, middle, self.upper)
        return _joined([Panels(self.origin, self.width, self.power, self.lower, upper), second])

    def beyond(self, edge: float, distance: float) -> "Panels":
        """Return the panels without what is within a distance of an edge, where one of them ends.

        Pieces of the line may end as close to it, at what is the real part of a pole.
        """
        at_edge = (self.power > 1) & (self.origin == edge)
        with np.errstate(divide="ignore"):
            first = (distance / abs(self.width)) ** (1 / self.power)
        above = (self.power == 1) & (self.lower >= edge)
        below = (self.power == 1) & (self.upper <= edge)
        first = np.where(at_edge, first, np.where(above, edge + distance, -np.inf))
        lower = np.maximum(self.lower, first)
        upper = np.where(below, np.minimum(self.upper, edge - distance), self.upper)
        cut = Panels(self.origin, self.width, self.power, lower, upper)
        return cut[lower < upper]

    def flattened_at_infinity(self) -> "Panels":
        """Return the panels, those that reach infinity in ``u^(1/8)``.

        An entropy goes as ``log(w) / w^2``, which has ``log(u)`` beside the end ``u = 0``:
        bisection would approach it one halving a round; times ``u^(7/8)`` it is smooth, and so is
        what has no logarithm.
        """
        last = (self.power < 0) & (self.lower == 0) & (self.upper > _FARTHEST)
        power = np.where(last, _FLAT, self.power)
        # Three roots, since powers of numpy depend on how many numbers there are.
        upper = np.where(last, np.sqrt(np.sqrt(np.sqrt(abs(self.upper)))), self.upper)
        return Panels(self.origin, self.width, power, self.lower, upper)

    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the energies of all nodes and ``dw`` there.

        Returns
        -------
        energies : (p, 21) float
            ``w``.
        slope : (p, 21) float
            ``dw`` in units of the rule's weight.
        """
        # Imported here: numba takes long to import, and all have the rule who integrate nothing.
        from nessflow.spectrum.panels import node_energies

        energies, slope = np.empty((2, self.size, NODES.size))
        columns = (getattr(self, name) for name in self.__annotations__)
        node_energies(*columns, NODES, energies, slope)
        return energies, slope


def _joined(parts: Sequence[Panels]) -> Panels:
    names = Panels.__annotations__
    return Panels(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True, eq=False)
class Integral:
    """Integrals of the components of a function.

    Attributes
    ----------
    value, error : (m,) float
        Integrals and what they may be wrong by, rounding included.
    size : (m,) float
        Integrals of the magnitudes.
    converged : bool
        Whether every component met the tolerance, or its own rounding errors; False where the
        function is not finite.
    evaluations : int
        Number of energies at which the function was evaluated.
    """

    value: np.ndarray
    error: np.ndarray
    size: np.ndarray
    converged: bool
    evaluations: int


def resolving(rtol: float) -> float:
    """Return the Bernstein ellipse without poles of panels that are not bisected.

    Parameters
    ----------
    rtol : float
        Relative error aimed at.

    Returns
    -------
    float
        Its ``rho``.
    """
    return _RESOLVED * (rtol / _RTOL) ** (-1 / _ORDER)


def graded(points: np.ndarray, poles: np.ndarray, rho: float = COARSE) -> np.ndarray:
    """Add points until no pole is near an interval compared with the interval's length.

    Parameters
    ----------
    points : (p,) array
        Sorted.
    poles : (q,) complex array
        Singularities of the integrand, none of them on the real line.
    rho : float
        Bernstein ellipse about each interval that no pole lies in.

    Returns
    -------
    (q,) float array
        All points, sorted.
    """
    poles = np.asarray(poles, complex)
    if poles.size == 0:
        return points
    # Imported here: numba takes long to import, and all have the rule who need no mesh.
    from nessflow.spectrum.panels import graded_points

    # Sum of distances to the ends of an interval, in its lengths, on the ellipse.
    ellipse = 0.5 * (rho + 1 / rho)
    return graded_points(np.asarray(points, float), poles[np.argsort(poles.real)], ellipse)


def _tail(
    points: np.ndarray,
    steps: np.ndarray,
    centre: float,
    half_width: float,
    limits: tuple[float, float],
    rho: float,
) -> Panels:
    """Return the panels of one tail in ``u = half_width / |w - centre|``."""
    near, far = limits
    inside = points[(points > min(near, far)) & (points < max(near, far))]
    u = np.unique(half_width / abs(np.concatenate([[near, far], inside]) - centre))
    sign = np.sign(near - centre)
    u = graded(u, sign * half_width / (steps - centre), rho)
    same = np.ones(u.size - 1)
    return Panels(centre * same, sign * half_width * same, -same, u[:-1], u[1:])


def beside_edges(points: np.ndarray, edges: np.ndarray, orders: np.ndarray) -> Panels:
    """Return the panels between points, beside an edge in the root of its order.

    Parameters
    ----------
    points, edges : (p,), (e,) float arrays
        Sorted, in t.
    orders : (e,) array
        Of the edges.

    Returns
    -------
    Panels
        Ascending.
    """
    at_edge = np.isin(points, edges)
    both = at_edge[:-1] & at_edge[1:]
    # Once each: between edges that are neighbours there is no other number.
    points = np.unique(np.concatenate([points, 0.5 * (points[:-1] + points[1:])[both]]))
    order = dict(zip(edges.tolist(), orders.tolist(), strict=True))
    of_point = np.array([order.get(x, 0.0) for x in points.tolist()])
    lower, upper = points[:-1], points[1:]
    from_lower, from_upper = of_point[:-1] > 0, of_point[1:] > 0
    curved = from_lower | from_upper
    origin = np.where(from_upper, upper, np.where(from_lower, lower, 0.0))
    width = np.where(from_upper, lower - upper, np.where(from_lower, upper - lower, 1.0))
    # A straight panel is its own u, so that its ends are not rounded off a pole nearby.
    ends = np.where(curved, 0.0, lower), np.where(curved, 1.0, upper)
    return Panels(origin, width, np.maximum(np.maximum(of_point[:-1], of_point[1:]), 1.0), *ends)


def line_mesh(
    interior: tuple[float, float],
    points: ArrayLike = (),
    edges: ArrayLike = (),
    poles: ArrayLike = (),
    limits: tuple[float, float] = (-np.inf, np.inf),
    rho: float = COARSE,
    steps: ArrayLike = (),
    orders: ArrayLike | None = None,
) -> Panels:
    """Return the first panels for a function on the real line.

    Parameters
    ----------
    interior : tuple of float
        Interval that holds all structure of the integrand but the Fermi functions; outside, a
        series in 1/w about its middle converges.
    points : sequence of float
        Break points, anywhere.
    edges : sequence of float
        Points in the interior where the integrand is a series in a root of ``w - edge``, on each
        side.
    poles : sequence of complex
        Singularities near the real line, by which the interior is graded.
    limits : tuple of float
        Range of integration; infinite limits are allowed, an empty range gives no panels.
    rho : float
        As of `graded`.
    steps : sequence of complex
        Singularities of Fermi functions, off the real line, by which all is graded.
    orders : sequence of int, optional
        Of the roots at the edges; 2 unless told.

    Returns
    -------
    Panels
        Of the whole range.
    """
    lower, upper = limits
    steps = np.asarray(steps, complex)
    centre, half_width = 0.5 * (interior[0] + interior[1]), 0.5 * (interior[1] - interior[0])
    points = np.asarray(points, float)
    edges = np.asarray(edges, float)
    orders = np.full(edges.size, 2.0) if orders is None else np.asarray(orders, float)
    parts = [Panels(*np.empty((5, 0)))]
    if lower < min(interior[0], upper):
        near = min(interior[0], upper)
        parts.append(_tail(points, steps, centre, half_width, (near, lower), rho))
    if upper > max(interior[1], lower):
        near = max(interior[1], lower)
        parts.append(_tail(points, steps, centre, half_width, (near, upper), rho))
    first, last = max(interior[0], lower), min(interior[1], upper)
    if first < last:
        inside = np.concatenate([points, edges])
        inside = inside[(first < inside) & (inside < last)]
        mesh = np.unique(np.concatenate([[first], inside, [last]]))
        poles = np.concatenate([np.asarray(poles, complex), steps])
        parts.append(beside_edges(graded(mesh, poles, rho), edges, orders))
    return _joined(parts)


def node_sums(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return weighted sums over the nodes of each panel.

    To the last bit whichever panels are summed together, which products of BLAS are not.

    Parameters
    ----------
    values : (..., 21) array
        At the nodes of each panel.
    weights : (21,) array
        Of the nodes.

    Returns
    -------
    (...) float array
        Of each panel.
    """
    return np.einsum("...n,n->...", values, weights)


def panel_estimates(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return integrals over panels and their errors but for rounding.

    QUADPACK's estimate: the difference to Gauss is that of the 10-point rule, and rho^-20 at the
    power 3/2 stands for the rho^-32 of the 21-point rule.  The second of `NULL_RULES` stands beside
    that difference, which may vanish by chance: both do so at once far more seldom.

    Parameters
    ----------
    values : (..., 21) array
        At the nodes of each panel, times its ``dw`` in units of the rule's weight.

    Returns
    -------
    integrals, errors : (...) float
        Of each panel.
    """
    kronrod = node_sums(values, KRONROD)
    difference = np.hypot(*(node_sums(values, rule) for rule in NULL_RULES))
    spread = node_sums(abs(values - 0.5 * kronrod[..., None]), KRONROD)
    ratio = difference / np.where(spread == 0, 1.0, spread)
    return kronrod, np.where(ratio < 1 / 200, (200 * ratio) ** 1.5, 1.0) * spread


def _at_nodes(
    integrand: Callable, panels: Panels, counts: np.ndarray, scales: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Return values and magnitudes, (m, p, 21), slope, and rounding error over size, (p,).

    The first ``counts[0]`` panels are those of the first function, and so on.
    """
    energies, slope = panels.nodes()
    values, magnitudes = integrand(energies.ravel(), NODES.size * counts)
    # A node is rounded by epsilon |w|, so is what the integrand computes of it (scale); a panel
    # of length l is as much as that wrong about where its integrand lies.
    span = abs(energies[:, -1] - energies[:, 0])
    reach = np.repeat(scales, counts) + abs(energies).min(axis=1)
    place = reach / np.maximum(span, _EPSILON * reach + np.finfo(float).tiny)
    rounding = _EPSILON * (_ROUNDING_ERRORS + place)
    shape = (len(values), *energies.shape)
    values, magnitudes = (
        np.ascontiguousarray(x, float).reshape(shape) for x in (values, magnitudes)
    )
    return values, magnitudes, slope, rounding


def _calls(counts: np.ndarray, most: int) -> Iterator[slice]:
    """Yield the panels that are evaluated together, those of one function as if it were alone."""
    first, end = 0, 0
    for count in counts.tolist():
        start, end = end, end + count
        if end - first > most:
            if first < start:
                yield slice(first, start)
            first = start
            while end - first > most:
                yield slice(first, first + most)
                first += most
    if first < end or end == 0:
        yield slice(first, end)


def with_rounding(sizes: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Return magnitudes of integrands with what is left where waves cancel.

    Squares of amplitudes that vanish by interference are those of the rounding of others.

    Parameters
    ----------
    sizes : (m, E) array
        Magnitudes of what is made of one Green's function.
    *others : (n, E) array
        What else is.

    Returns
    -------
    (m, E) float array
        At least epsilon times the largest at each energy.
    """
    largest = np.max([x.max(axis=0, initial=0.0) for x in (sizes, *others)], axis=0)
    return np.maximum(sizes, _EPSILON * largest)


def integrate(
    integrand: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    panels: Panels,
    rtol: float = _RTOL,
    scale: float = 0.0,
) -> Integral:
    """Integrate the components of one function: `integrate_each` of one.

    Parameters
    ----------
    integrand : callable
        ``integrand(w (n,)) -> (values (m, n), magnitudes (m, n))``.
    panels : Panels
        First panels, from `line_mesh`.
    rtol, scale : float
        As there.

    Returns
    -------
    Integral
        Its integrals.
    """
    return integrate_each(lambda energies, _: integrand(energies), [panels], [scale], rtol)[0]


def integrate_each(
    integrand: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    panels: Sequence[Panels],
    scales: Sequence[float],
    rtol: float = _RTOL,
    panels_per_call: int = PANELS_PER_CALL,
    measure: Callable[[np.ndarray], np.ndarray] = np.abs,
) -> list[Integral]:
    """Integrate the components of several functions, each to a tolerance relative to itself.

    There is no absolute tolerance unless `measure` has it: a component of size 1e-80 keeps its
    relative accuracy, and one that is zero is done at once.

    All refine their panels round by round, each those that it would alone: where the integrand says
    of an energy the same whichever others it is asked for, the integrals are the same to the last
    bit whichever other functions there are.

    Parameters
    ----------
    integrand : callable
        ``integrand(w (n,), counts (s,)) -> (values (m, n), magnitudes (m, n))``, of the first
        function at the first ``counts[0]`` energies, and so on; ``magnitudes`` are the sums of
        the absolute values of the terms that were added to ``values`` and set their rounding
        errors.
    panels : sequence of s Panels
        First panels of each function, from `line_mesh`.
    scales : sequence of s float
        Size of the numbers that the integrand adds to ``w``: poles are where they are within
        epsilon times this.
    rtol : float
        Error over measure at which a component is done; where rounding errors are larger they are
        the target.
    panels_per_call : int
        Panels that the integrand is given at a time.
    measure : callable
        ``measure(integrals (s, m)) -> (s, m)``, what the error of each component is measured by.

    Returns
    -------
    list of s Integral
        Not converged where panels or evaluations would be too many, or a value is not finite.  What
        does not get smaller on ever more panels, next to nothing against the largest component, is
        rounding: it is converged, and its error stays.
    """
    # Imported here: numba takes long to import, and all have the rule who integrate nothing.
    from nessflow.spectrum.panels import panel_sums, panels_to_bisect, sums_over_panels

    functions = len(panels)
    sizes = np.asarray(scales, float)
    found: dict[int, Integral] = {}
    owner = np.repeat(np.arange(functions), [part.size for part in panels])
    evaluations = np.zeros(functions, int)
    # Each panel has its place; of two halves the second goes behind all others.
    every, places = _joined(panels), np.arange(owner.size)
    results: Any = None
    at_work = np.ones(functions, bool)
    reference, stuck, needed = np.array(np.inf), np.array(0), np.array(0)
    for rounds_left in reversed(range(_MAX_ROUNDS)):
        counts = np.bincount(owner[places], minlength=functions)
        evaluations += NODES.size * counts
        starts, new = np.concatenate([[0], np.cumsum(counts)]), every[places]
        for here in _calls(counts, panels_per_call):
            given = _at_nodes(integrand, new[here], _counts_within(starts, here), sizes)
            results = _grown(results, owner.size, len(given[0]))
            panel_sums(*given, KRONROD, NULL_RULES, results, places[here])
        value, error, rounding, size = np.moveaxis(sums_over_panels(results, owner, at_work), -1, 0)
        # Errors of peaks grow as panels close in on them.
        stands_still = (error > 0.5 * reference) & (error < 1.5 * reference)
        stuck = np.where(stands_still, stuck + (needed >= _STUCK_PANELS), 0)
        reference = np.where(stands_still, reference, error)
        is_rounding = (stuck >= _STUCK_ROUNDS) & (
            error <= _STUCK_SIZE * size.max(axis=1, initial=0.0)[:, None]
        )
        target = np.where(is_rounding, error, np.maximum(rtol * measure(value), rounding))
        chosen, needed = panels_to_bisect(results, owner, target, error > target)
        chosen &= evaluations[owner] <= _MAX_EVALUATIONS
        refined = np.zeros(functions, bool)
        if rounds_left:
            refined[owner[chosen]] = True
        converged, errors = (error <= 2 * target).all(axis=1), error + rounding
        for k in np.flatnonzero(at_work & ~refined).tolist():
            how = bool(converged[k]), int(evaluations[k])
            found[k] = Integral(value[k], errors[k], size[k], *how)
        at_work = refined
        if at_work.sum() > 1 and owner.size * results[0].size > _KEPT:
            for k in np.flatnonzero(at_work).tolist():
                own = _of_one(integrand, k, functions)
                rest = rtol, panels_per_call, measure
                (found[k],) = integrate_each(own, [panels[k]], [sizes[k]], *rest)
            break
        if not at_work.any():
            break
        every = every.bisected(chosen)
        places = np.concatenate([np.flatnonzero(chosen), np.arange(owner.size, every.size)])
        owner = np.concatenate([owner, owner[chosen]])
        # Those of each function beside each other, as they would be without the others.
        places = places[np.argsort(owner[places], kind="stable")]
    return [found[k] for k in range(functions)]


def _grown(results: np.ndarray | None, panels: int, components: int) -> np.ndarray:
    """Return results with room for so many panels, and for twice as many where there was none."""
    if results is None:
        return np.empty((2 * panels, components, 4))
    if panels <= len(results):
        return results
    return np.concatenate([results, np.empty((2 * panels - len(results), *results.shape[1:]))])


def _of_one(integrand: Callable, k: int, functions: int) -> Callable:
    """Return the integrand of the function k alone."""
    is_own = np.arange(functions) == k
    return lambda energies, _: integrand(energies, np.where(is_own, energies.size, 0))


def _counts_within(starts: np.ndarray, here: slice) -> np.ndarray:
    """Return how many panels of each function there are in a range."""
    return np.diff(np.clip(starts, here.start, here.stop))
