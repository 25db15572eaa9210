"""Largest current over the share of the nonequilibrium bath."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nessflow.estimate import Estimate, undefined
from nessflow.kinetic.bands import Bands
from nessflow.kinetic.equation import Number, gain_and_drain, gibbs_log_odds, rate_equation
from nessflow.kinetic.flows import particle_current
from nessflow.kinetic.moments import columns_of
from nessflow.kinetic.rates import Channel, thermal_channel
from nessflow.kinetic.steady import SteadyState, steady_state

_CLOSEST = 1e-24
"""Least share of the equilibrium bath where a peak is looked for; below it, rounding of the states
couples modes that the dissipator does not reach."""
SHARES = np.concatenate([np.linspace(1, 0.1, 19), np.geomspace(0.09, _CLOSEST, 96), [0.0]])
"""Shares of the equilibrium bath: in the cold its rates are so large that small ones matter."""
_SPARSE = 8
"""Of so many shares one is tried again in a ring that differs little."""
_NEAR = 1e-8
"""Relative distance of currents beyond which they are not the same, whatever their errors."""
_SETTLED = 1e-6
"""Relative change of the current over the last step at which it is taken for its limit."""


class Peak(NamedTuple):
    """Current of largest magnitude and the share where it flows.

    Attributes
    ----------
    particle_current : Estimate
        In t/hbar.
    nonequilibrium_share : Estimate
        ``gamma_neq``.
    inside : bool
        Whether the maximum is inside (0, 1) or at the end of the range.
    fault : str
        Why the peak is not known; empty where it is.
    states : tuple of SteadyState
        At the peak, then at the ends of the error of the share, which rounds to 1 beside 1; empty
        where there is no peak.
    around : tuple of float
        Shares of the equilibrium bath from which a search among rings that differ little finds the
        same extrema: close ones beside each of them, and a few everywhere.
    """

    particle_current: Estimate
    nonequilibrium_share: Estimate
    inside: bool
    fault: str
    states: tuple[SteadyState, ...] = ()
    around: tuple[float, ...] = ()


def steady_state_at(
    bands: Bands,
    inverse_temperature: float,
    dissipator: Sequence[Channel],
    coupling: float,
    share: float,
    filling: float,
) -> SteadyState:
    """Return the steady state; Newton's method starts from the Gibbs state where it can.

    Parameters
    ----------
    bands : Bands
        The modes.
    inverse_temperature : float
        beta of the equilibrium bath, in 1/t.
    dissipator : sequence of Channel
        Rates of the other bath.
    coupling : float
        ``epsilon J``, in t/hbar.
    share : float
        ``gamma_neq``, 0 to 1.
    filling : float
        Particles per mode, between 0 and 1.

    Returns
    -------
    SteadyState
        At that share.

    Raises
    ------
    ValueError
        When a number is out of range or a thermal rate overflows.
    """
    thermal = thermal_channel(bands, inverse_temperature)
    equation = rate_equation(bands, thermal, dissipator, coupling, share)
    start = None if share == 1 else gibbs_log_odds(bands, inverse_temperature, filling)[0].value
    return steady_state(equation, filling, start)


def current_slope(state: SteadyState) -> float:
    """Return ``dI/d ln(gamma_eq/gamma_neq)`` by the response of the steady state.

    Parameters
    ----------
    state : SteadyState
        With the equilibrium bath as the first channel.

    Returns
    -------
    float
        In t/hbar.
    """
    equation, n, vacancy = state.equation, state.occupation, state.vacancy
    thermal = equation.channels[0]
    gain, drain = gain_and_drain(equation.out, equation.into, n, vacancy)
    of_thermal = gain_and_drain(thermal.strength * thermal.out, thermal.into, n, vacancy)
    change = state.response(of_thermal[1] / drain - of_thermal[0] / gain)
    return float(equation.bands.velocity.value @ change) / equation.bands.length


def peak_current(
    bands: Bands,
    inverse_temperature: float,
    dissipator: Sequence[Channel],
    coupling: float,
    filling: float,
    rests: ArrayLike = SHARES,
) -> Peak:
    """Return the current of largest magnitude over the shares of the nonequilibrium bath.

    The maximum is searched on a grid of shares from 0 to ``1 - 1e-24``, and 1, that is dense near
    1, and refined to the zero of dI/d(share).  A current that grows towards 1 and jumps there is
    given beside 1.

    Parameters
    ----------
    bands : Bands
        The modes.
    inverse_temperature : float
        beta of the equilibrium bath, in 1/t.
    dissipator : sequence of Channel
        Rates of the other bath.
    coupling : float
        ``epsilon J``, in t/hbar.
    filling : float
        Particles per mode, between 0 and 1.
    rests : sequence of float
        Shares of the equilibrium bath among which the search begins, falling from 1 to 0: all, or
        those around the peak of a ring that differs little.

    Returns
    -------
    Peak
        With the errors of both.

    Raises
    ------
    ValueError
        As `steady_state_at`.
    """
    sweep = _Sweep(bands, inverse_temperature, dissipator, coupling, filling, rests)
    nothing = undefined("Newton's method did not converge")
    unknown = Peak(nothing, nothing, False, nothing.undefined)
    if not sweep.converged:
        return unknown
    largest_first = np.argsort(-abs(sweep.currents), kind="stable")
    if all(abs(current) <= error for current, error in map(sweep.current, largest_first)):
        nowhere = undefined("the current is zero within its error at all shares")
        error = max(sweep.current(i)[1] for i in largest_first)
        return Peak(Estimate(0.0, float(error)), nowhere, False, "")
    inner = _inner_maxima(sweep)
    peaks = [_refined(sweep, i) for i in inner]
    largest = max((abs(peak.particle_current.value) for peak in peaks), default=0.0)
    if abs(sweep.currents[_end(sweep.currents)]) >= largest:
        peaks.insert(0, _at_end(sweep))
    found = max(peaks, key=lambda peak: abs(peak.particle_current.value))
    if not (sweep.converged and all(state.converged for state in found.states)):
        return unknown
    return found._replace(around=_around(sweep.rests, inner))


class _Sweep:
    """Steady states of a ring at successive shares of the equilibrium bath.

    Where rates are few columns without sign, the states are found by their moments, together; their
    errors, and those of their currents, are computed for those that are asked for.
    """

    def __init__(
        self,
        bands: Bands,
        inverse_temperature: float,
        dissipator: Sequence[Channel],
        coupling: float,
        filling: float,
        rests: ArrayLike,
    ):
        self.bands, self.dissipator, self.coupling = bands, dissipator, coupling
        self.filling, self.rests = filling, np.asarray(rests, dtype=float)
        self.thermal = thermal_channel(bands, inverse_temperature)
        self.columns: Any = columns_of([self.thermal, *dissipator])
        self.number = Number(
            filling * bands.energy.value.size, (1 - filling) * bands.energy.value.size
        )
        self.currents = np.full(len(self.rests), np.nan)
        self.states: dict[int, SteadyState] = {}
        size = 2 * self.columns.strength.size if self.columns else 1
        self.moments = np.full((len(self.rests), size), np.nan)
        last = gibbs_log_odds(bands, inverse_temperature, filling)[0].value
        if self.columns:
            mixed = self.rests > 0
            start = self.columns.moments(last)
            self.moments[mixed], self.currents[mixed] = self._settled(self.rests[mixed], start)
        for i in np.flatnonzero(np.isnan(self.currents)).tolist():
            if i and i - 1 not in self.states:
                last = self.start(i - 1)
            self.states[i] = self.at(self.rests[i], last)
            last = self.states[i].log_odds.value
            self.currents[i] = particle_current(self.states[i]).value

    def _settled(self, rests: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return moments and currents at some shares."""
        velocity = self.bands.velocity.value
        moments, currents = self.columns.settled(
            self._strengths(rests), self.number, start, velocity
        )
        return moments, currents / self.bands.length

    def _strengths(self, rests: np.ndarray) -> np.ndarray:
        """Return the strength of each column at some shares, (shares, columns)."""
        strengths = np.multiply.outer(1 - rests, self.columns.strength)
        strengths[:, 0] = rests
        return strengths

    @property
    def converged(self) -> bool:
        """Whether Newton's method found all states that were asked for."""
        return all(state.converged for state in self.states.values())

    def at(self, rest: float, start: np.ndarray) -> SteadyState:
        """Return the state at any share, Newton's method beginning from some log odds."""
        equation = rate_equation(
            self.bands, self.thermal, self.dissipator, self.coupling, 1 - rest, rest
        )
        return steady_state(equation, self.filling, start if rest else None)

    def start(self, i: int) -> np.ndarray:
        """Return the log odds at a share of the sweep."""
        if i in self.states:
            return self.states[i].log_odds.value
        return self.columns.log_odds(self._strengths(self.rests[i : i + 1])[0], self.moments[i])

    def state(self, i: int) -> SteadyState:
        """Return the state at a share of the sweep."""
        if i not in self.states:
            self.states[i] = self.at(self.rests[i], self.start(i))
        return self.states[i]

    def current(self, i: int) -> tuple[float, float]:
        """Return the current at a share of the sweep, and its error."""
        return particle_current(self.state(i))[:2]

    def slope(self, rest: float, i: int) -> float:
        """Return ``dI/d ln(gamma_eq/gamma_neq)`` at a share near one of the sweep."""
        if np.isfinite(self.moments[i]).all():
            moments, _ = self._settled(np.array([rest]), self.moments[i])
            if np.isfinite(moments).all():
                strengths = self._strengths(np.array([rest]))
                velocity = self.bands.velocity.value
                found = self.columns.slope(strengths[0], moments[0], velocity)
                return found / self.bands.length
        return current_slope(self.at(rest, self.start(i)))


def _refined(sweep: _Sweep, i: int) -> Peak:
    """Return the peak near a share of the sweep."""
    from scipy.optimize import brentq

    rests = sweep.rests

    def slope_at(logarithm: float) -> float:
        return sweep.slope(float(np.exp(logarithm)), i)

    # Without nonequilibrium bath the slope is no derivative.
    low, high = np.log([rests[i + 1], min(rests[i - 1], 1 - 1e-6)])
    if not slope_at(low) * slope_at(high) < 0:
        fault = f"the current has several extrema near the share {1 - rests[i]:.6g}"
        share, state = Estimate(1 - rests[i], np.nan), sweep.state(i)
        return Peak(particle_current(state), share, True, fault, (state,))
    root, step = brentq(slope_at, low, high, xtol=1e-12), 1e-4
    rest, start = float(np.exp(root)), sweep.start(i)
    curvature = (slope_at(root + step) - slope_at(root - step)) / (2 * step)
    state = sweep.at(rest, start)
    current = particle_current(state)
    # A current known to an error has a slope known to that error.
    error = rest * (1e-12 + 10 * current.error / abs(curvature)) + np.finfo(float).eps
    ends = np.clip([rest - error, rest + error], 0, 1)
    around = (sweep.at(end, start) for end in ends)
    return Peak(current, Estimate(1 - rest, error), True, "", (state, *around))


def _around(rests: np.ndarray, inner: Sequence[int]) -> tuple[float, ...]:
    """Return a few shares everywhere, those beside some, and those at the end."""
    places = np.arange(len(rests))
    chosen = (places % _SPARSE == 0) | (places >= len(rests) - 4)
    for i in inner:
        chosen |= abs(places - i) <= 2
    return tuple(np.asarray(rests)[chosen].tolist())


def _end(currents: np.ndarray) -> int:
    """Return at which end of a sweep the current is largest: at share 0, at 1, or beside 1."""
    return max((len(currents) - 1, len(currents) - 2, 0), key=lambda i: abs(currents[i]))


def _at_end(sweep: _Sweep) -> Peak:
    """Return the largest current at an end of the sweep."""
    end, rests = _end(sweep.currents), sweep.rests
    current, error = sweep.current(end)
    plateau = _plateau(sweep, end)
    share_error, fault = float(rests[plateau] - rests[end]), ""
    if end == len(rests) - 2:
        step = abs(current - sweep.current(end - 1)[0])
        error, share_error = error + step, share_error + rests[end]
        if step > _SETTLED * abs(current):
            rest = f"{rests[end]:.1e}"
            fault = f"the current still grows where the equilibrium bath has the share {rest}"
    around = sweep.state(end), sweep.state(plateau), sweep.state(max(end - 1, 0))
    share = Estimate(1 - float(rests[end]), float(share_error))
    return Peak(Estimate(current, error), share, False, fault, around)


def _plateau(sweep: _Sweep, end: int) -> int:
    """Return the first share from which on the current is that at an end, within its error."""
    current, error = sweep.current(end)
    near = abs(sweep.currents[:end] - current) <= _NEAR * abs(current) + 10 * error
    first, last = end - int(np.argmin(np.append(near[::-1], False))), end
    while first < last:
        middle = (first + last) // 2
        other, allowed = sweep.current(middle)
        if abs(other - current) <= allowed:
            last = middle
        else:
            first = middle + 1
    return last


def _inner_maxima(sweep: _Sweep) -> list[int]:
    """Return where the current is above its neighbours, on the grid without its ends."""
    magnitudes = abs(sweep.currents)
    inner = magnitudes[1:-2]
    above = (inner > magnitudes[:-3]) & (inner > magnitudes[2:-1])
    # Refined, none is twice as large as on the grid.
    places = np.flatnonzero(above & (inner > 0.5 * magnitudes.max())) + 1

    def by_more_than_its_error(i: int) -> bool:
        least = max(magnitudes[i - 1], magnitudes[i + 1], 0.5 * magnitudes.max())
        return magnitudes[i] - sweep.current(i)[1] > least

    return [i for i in places.tolist() if by_more_than_its_error(i)]
