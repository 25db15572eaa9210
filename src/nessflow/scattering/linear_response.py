"""Linear response to small differences of chemical potential and temperature between leads.

With both leads at ``mu`` and ``T`` but for ``d mu`` and ``d T`` of the left one, the net currents
of paper extended-landauer-buttiker change by (S32), ``d J^0`` and ``d J^Q = d J^1 - mu d J^0``,

    (d J^0, d J^Q) = L (d mu / T, d T / T^2),   L_11 = T I_0, L_12 = L_21 = T I_1, L_22 = T I_2,

    I_k = int dw/2pi (w - mu)^k (-f'(w)) tau_1(w)                                          (S35).

Eqs (12) and (S32) as printed have ``d J^0 - mu d J^1``, powers swapped (erratum E1).

What ``d J^Q`` means matters once there is loss or gain.  *Heat counted from the fixed* ``mu`` gives
the symmetric ``L`` above.  The heat current of (S3), each lead's heat counted from its *own
potential*, has a further term, because the current ``I_ref`` that the left lead loses without any
bias is counted from a moving origin: ``L_21 -> L_21 - T I_ref / 2`` (erratum E2; Onsager's relation
is lost).  Quantities of the second kind are called ``..._own_potential`` here.

Units hbar = k_B = e = 1: a conductance in e^2/h is 2 pi times ours.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from nessflow.estimate import Estimate, undefined
from nessflow.scattering.currents import (
    UNITARITY_TOLERANCE,
    SteadyCurrents,
    response_of,
    response_size,
    response_transmission,
    steady_currents,
)
from nessflow.solvers.banded import solve_at, solve_both
from nessflow.solvers.solver import shape
from nessflow.spectrum.edges.limits import continuous, why_undefined
from nessflow.spectrum.mesh import UNDERFLOW, energy_scale
from nessflow.spectrum.occupation import fermi, fermi_holes
from nessflow.spectrum.quadrature import Integral
from nessflow.spectrum.rates import TOGETHER, Rates, shared_rates
from nessflow.spectrum.rounding import blur, times_element_sizes, with_moved_levels
from nessflow.spectrum.spectrum import ACCURACY, Spectrum, integrals
from nessflow.systems.matrices import as_sparse
from nessflow.systems.system import OpenSystem, remembered, share_states

LORENZ_NUMBER = np.pi**2 / 3
"""``K / (G T)`` of the Wiedemann-Franz law, in (k_B/e)^2."""

Conductances = tuple[dict[str, tuple[float, float]], bool]
"""Values and errors by name of `LinearResponse`, and whether all integrals converged."""
_WINDOW = 40.0
"""Half width of the thermal window in temperatures, but for 1e-17 of it."""
_BOUNDS = np.array([[0.25, 0.2239, 0.4393], 2 * np.exp(-_WINDOW) * np.array([1, 41, 41**2 + 1])])
"""Largest values of ``|x|^k / (4 cosh^2(x/2))``, k = 0, 1, 2, and integrals beyond the window."""

_EPSILON = np.finfo(float).eps
_TINY = np.finfo(float).tiny
"""Bound of what underflows."""
_KEPT = 100_000
"""Energies of which transmissions are kept for the next integral."""
_ROUNDING_ERRORS = 16
"""Rounding errors of a transmission, in units of epsilon."""


@dataclass(frozen=True)
class LinearResponse:
    """Response of the net currents between two leads, hbar = k_B = e = 1, with numerical errors.

    Attributes
    ----------
    electrical_conductance : Estimate
        ``G = I_0``, in e^2/hbar.
    thermal_conductance : Estimate
        ``K = (I_2 - I_1^2/I_0) / T``: heat over temperature difference when ``d mu`` is such that
        the net particle current does not change, in t/hbar.
    seebeck_coefficient : Estimate
        ``S = I_1 / (T I_0)``, that ``d mu`` over ``-d T``, in k_B/e.
    peltier_coefficient : Estimate
        ``I_1 / I_0``, heat over particles at equal temperatures, in t; equal to ``T S``.
    lorenz_ratio : Estimate
        ``K / (G T)``, in (k_B/e)^2.
    figure_of_merit : Estimate
        ``Z T = S^2 G T / K``.
    peltier_coefficient_own_potential, thermal_conductance_own_potential : Estimate
        The same with the heat current of (S3), counted from each lead's own chemical potential.
    reference_current : Estimate
        ``I_ref``: current out of the left lead without any difference, in t/hbar.
    converged : bool
        Whether every integral met the tolerance or its rounding errors, and unitarity holds.
    """

    electrical_conductance: Estimate
    thermal_conductance: Estimate
    seebeck_coefficient: Estimate
    peltier_coefficient: Estimate
    lorenz_ratio: Estimate
    figure_of_merit: Estimate
    peltier_coefficient_own_potential: Estimate
    thermal_conductance_own_potential: Estimate
    reference_current: Estimate
    converged: bool


def _common_state(system: OpenSystem) -> tuple[float, float]:
    """Return the chemical potential and the temperature that all leads share."""
    states = {(lead.chemical_potential, lead.temperature) for lead in system.terminals}
    if len(states) != 1:
        found = "; ".join(
            f"{lead.name}: mu = {lead.chemical_potential:g}, T = {lead.temperature:g}"
            for lead in system.terminals
        )
        raise ValueError(
            "linear response is taken about leads of one chemical potential and temperature, got "
            f"{found or 'no leads'}; use steady_currents for leads that differ"
        )
    return states.pop()


# --- integrals over the thermal window ----------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Windows:
    """Thermal windows of systems of one `shape`, whose transmissions are computed together.

    Transmissions on panels that integrals have in common, at least the first ones, are computed
    once.

    Attributes
    ----------
    spectra : sequence of s Spectrum
        Of each system, within its window.
    """

    spectra: Sequence[Spectrum]

    @classmethod
    def of(cls, systems: Sequence[OpenSystem], rtol: float, reach: float = _WINDOW) -> "_Windows":
        """Return the windows of systems, so many temperatures wide to each side."""
        systems = [system.interpolated for system in systems]
        states = map(_common_state, systems)
        reaches = ((mu - reach * t, mu + reach * t) for mu, t in states)
        pairs = zip(systems, reaches, strict=True)
        return cls([Spectrum(system, rtol, limits) for system, limits in pairs])

    @cached_property
    def _whole(self) -> "_Windows":
        """The same to where ``exp`` underflows."""
        return _Windows.of([x.system for x in self.spectra], self.spectra[0].rtol, UNDERFLOW)

    @cached_property
    def states(self) -> np.ndarray:
        """Chemical potential and temperature of each system, (2, s)."""
        return np.transpose([_common_state(x.system) for x in self.spectra])

    @cached_property
    def _rates(self) -> Callable[[np.ndarray, np.ndarray], Rates]:
        return shared_rates([x.system for x in self.spectra], _KEPT)

    def averages(
        self,
        integrand: Callable[[Rates, np.ndarray, Callable], tuple[np.ndarray, np.ndarray]],
        bounds: np.ndarray,
    ) -> list[Integral]:
        """Return ``int dw/2pi (-f'(w)) g(w)`` for the components of ``g`` of each system.

        What is beyond the windows is part of the errors; where it may be more than the accuracy
        aimed at, as of a conductance that is thermally activated, the integrals go on.

        Parameters
        ----------
        integrand : callable
            ``integrand(rates, x, each)`` returns components (m, E) of g and their sizes; x is the
            energy from the chemical potential, ``each`` repeats numbers of systems, (s, ...), at
            their energies, (..., E).
        bounds : (2, s, m) array
            Of ``(-f') g`` for a transmission of 1, as much of which resonances that double
            precision does not resolve may hide, and of its integral beyond the window.

        Returns
        -------
        list of s Integral
            Of m components each.
        """

        found = self._averages(integrand, bounds[0])
        beyond = bounds[1] * len(self.spectra[0].system.leads) / (2 * np.pi)
        values = np.array([x.value for x in found])
        short = (beyond > self.spectra[0].rtol * abs(values)).any(axis=1)
        found = [replace(x, error=x.error + b) for x, b in zip(found, beyond, strict=True)]
        if short.any():
            whole = self._whole._averages(integrand, bounds[0])
            found = [x if far else y for x, y, far in zip(whole, found, short, strict=True)]
        return found

    def _averages(self, integrand: Callable, peaks: np.ndarray) -> list[Integral]:
        def window(energies: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            def each(numbers: np.ndarray) -> np.ndarray:
                return np.repeat(numbers, counts, axis=-1)

            mu, temperature = each(self.states)
            x = energies - mu
            filled, empty = (f(x / temperature, 0.0, 1.0) for f in (fermi, fermi_holes))
            values, sizes = integrand(self._rates(energies, counts), x, each)
            weight = filled * empty / temperature
            return values * weight, sizes * weight

        return [
            replace(found, error=found.error + _underflow(spectrum.system, found.value))
            for spectrum, found in zip(
                self.spectra, integrals(self.spectra, window, peaks), strict=True
            )
        ]


def _underflow(system: OpenSystem, value: np.ndarray) -> np.ndarray:
    """Return what may hide in zeros: tails of occupations and of waves that decay never vanish."""
    mu, temperature = _common_state(system)
    shared = share_states(system.leads)
    if temperature == 0:
        inside = system.modes(np.array([mu])).broadening[:, 0] > 0
        shared = all(inside[list(x.channels)].any() for x in system.terminals)
    return np.where(shared & (value == 0), _TINY, 0.0)


def _bounds(temperatures: np.ndarray) -> np.ndarray:
    """Return bounds of ``|w - mu|^k (-f')`` and of its integral beyond the window, (2, s, 3)."""
    t = temperatures
    powers = np.array([[1 / t, np.ones_like(t), t], [np.ones_like(t), t, t * t]])
    return _BOUNDS[:, None] * powers.swapaxes(1, 2)


def _is_cold(system: OpenSystem) -> bool:
    """Return whether no energy but ``mu`` itself is within the thermal window, to rounding."""
    mu, temperature = _common_state(system)
    return bool(_WINDOW * temperature <= blur(system, mu))


def _at_one_energy(
    system: OpenSystem, transmissions: Callable[[OpenSystem, np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return transmissions (m,) at the leads' chemical potential and their rounding errors.

    Levels are rounded by epsilon times the norm of the Hamiltonian; what transmissions change by
    when all levels move as much is large on the flank of a narrow resonance.  On its top, and where
    levels interfere, `_rounding_errors` is larger.
    """
    mu, _ = _common_state(system)
    found = with_moved_levels(
        system,
        np.array([mu]),
        lambda own, w: continuous(own, w, transmissions),
    )
    value, moved = (part[..., 0] for part in found)
    return value, moved + _underflow(system, value) + _EPSILON * _ROUNDING_ERRORS * abs(value)


def _rounding_errors(system: OpenSystem) -> np.ndarray:
    """Return what rounding of each matrix element makes of the transmissions at ``mu``, (t, t).

    See `nessflow.spectrum.rounding`.  On the diagonal what leaves the terminal.
    """
    mu, _ = _common_state(system)
    count, modes = len(system.terminals), system.modes(np.array([mu]))
    gamma, contacts = modes.broadening[:, 0], modes.columns(system.sites)[0]
    columns, rows = solve_both(system, mu, contacts)

    def moved(states: np.ndarray) -> np.ndarray:
        sizes = times_element_sizes(system, np.array([mu]), states[None])[0]
        return _EPSILON * _ROUNDING_ERRORS * sizes

    change = abs(rows).T @ moved(columns)
    green = contacts.conj().T @ columns
    between = np.outer(gamma, gamma) * change * (2 * abs(green) + change)
    lost = np.zeros(len(gamma))
    for part in (as_sparse(system.loss).matrix, as_sparse(system.gain).matrix):
        if part.nnz:
            lost += 4 * gamma * (abs(rows) * moved(solve_at(system, mu, part @ rows))).sum(axis=0)
    result = np.zeros((count, count))
    of_lead = system.terminal_of_lead
    np.add.at(result, (of_lead[:, None], of_lead), between)
    np.fill_diagonal(result, 0.0)
    leaving = result.sum(axis=1)
    np.add.at(leaving, of_lead, lost)
    np.fill_diagonal(result, leaving)
    return result


def conductance_matrices(system: OpenSystem, rtol: float = ACCURACY) -> Estimate:
    """Return the response of every terminal's currents to every terminal's bias.

    ``M_k,ab = int dw/2pi (w - mu)^k (-f') [delta_ab sum_c T_ac - T_ab]``, where c runs over all
    other terminals, loss and gain included.  The currents from terminal a into the system change by

        d I_a   = sum_b M_0,ab d mu_b + M_1,ab d T_b / T,
        d I^Q_a = sum_b M_1,ab d mu_b + M_2,ab d T_b / T,

    with heat counted from the fixed ``mu`` (from its own potential: less ``I_a d mu_a``).
    Rows add up to zero only without loss and gain; ``M_k`` is symmetric if transmissions are.

    Parameters
    ----------
    system : OpenSystem
        With any number of leads, all at one chemical potential and temperature.
    rtol : float
        Error over value aimed at, for each element by itself.

    Returns
    -------
    Estimate
        (3, t, t), in t^k/hbar; at temperature 0 (or where no energy but ``mu`` is in the thermal
        window, to rounding) the limits, which for k = 0 are NaN where transmissions jump at ``mu``,
        a band edge.

    Raises
    ------
    ValueError
        When the leads differ.
    """
    if _is_cold(system):
        return _cold_matrices(system)
    return _warm_matrices(_Windows.of([system], rtol))[0]


def thermal_responses(
    systems: Sequence[OpenSystem], rtol: float = ACCURACY
) -> list[tuple[Estimate, Conductances | None]]:
    """Return `conductance_matrices` and conductances of several systems.

    Transmissions of systems that differ in chemical potential and temperature alone, or in what
    samples differ in, are computed together, to the last bit what each has alone.

    Parameters
    ----------
    systems : sequence of OpenSystem
        Each with all leads at one chemical potential and temperature.
    rtol : float
        Error over value aimed at, for each integral by itself.

    Returns
    -------
    list of (Estimate, Conductances or None)
        Of each system; conductances where it has two leads and a thermal window.

    Raises
    ------
    ValueError
        When the leads of one differ.
    """
    found: dict[int, tuple[Estimate, Conductances | None]] = {}
    alike: dict[Hashable, list[int]] = {}
    for k, system in enumerate(systems):
        if _is_cold(system):
            found[k] = _cold_matrices(system), None
        else:
            alike.setdefault(shape(system), []).append(k)
    for members in alike.values():
        for first in range(0, len(members), TOGETHER):
            own = members[first : first + TOGETHER]
            windows = _Windows.of([systems[k] for k in own], rtol)
            has_net = len(systems[own[0]].terminals) == 2
            net = _conductances(windows) if has_net else [None] * len(own)
            found |= zip(own, zip(_warm_matrices(windows), net, strict=True), strict=True)
    return [found[k] for k in range(len(systems))]


def _leaving(rates: Rates, pairs: np.ndarray) -> np.ndarray:
    """Return ``delta_ab sum_c T_ac - T_ab``, (t^2, E), from what is between leads, (t, t, E)."""
    count = len(pairs)
    matrix = -pairs
    matrix[range(count), range(count)] = 0.0
    away = rates.from_loss + rates.from_gain - matrix.sum(axis=1)
    matrix[range(count), range(count)] = away
    return matrix.reshape(count * count, -1)


def _cold_matrices(system: OpenSystem) -> Estimate:
    """Return `conductance_matrices` where no energy but ``mu`` is in the thermal window."""
    _, temperature = _common_state(system)
    count = len(system.terminals)

    def kernel(own: OpenSystem, energies: np.ndarray) -> np.ndarray:
        rates = Rates(own, energies)
        return _leaving(rates, rates.leads)

    rows, rounding = _at_one_energy(system, kernel)
    value = rows.reshape(count, count) / (2 * np.pi)
    rounding = np.fmax(rounding.reshape(count, count), _rounding_errors(system))
    error = np.where(np.isnan(value), np.nan, rounding / (2 * np.pi))
    moments = np.array([1.0, 2 * temperature, LORENZ_NUMBER * temperature**2])[:, None, None]
    # Where there is no limit each channel transmits between 0 and 1.
    known, most = ~np.isnan(value), len(system.leads) / (2 * np.pi)
    values = moments * np.where(known, value, 0.0)
    errors = moments * np.where(known, error, most)
    values[1] = 0.0
    values[0], errors[0] = value, error
    return Estimate(values, errors)


def _warm_matrices(windows: _Windows) -> list[Estimate]:
    """Return `conductance_matrices` of systems with a thermal window."""
    count = len(windows.spectra[0].system.terminals)

    def integrand(rates: Rates, x: np.ndarray, _: Any) -> tuple[np.ndarray, np.ndarray]:
        powers = np.ones_like(x), x, x * x
        both = _leaving(rates, rates.leads), abs(_leaving(rates, rates.lead_sizes))
        values, sizes = (np.concatenate([rows * x for x in powers]) for rows in both)
        return values, abs(sizes)

    bounds = np.repeat(_bounds(windows.states[1]), count * count, axis=2)
    return [
        Estimate(found.value.reshape(3, count, count), found.error.reshape(3, count, count))
        for found in windows.averages(integrand, bounds)
    ]


# --- two leads ----------------------------------------------------------------------------------


_NO_CONDUCTANCE = "the electrical conductance is zero within its error"
_NO_HEAT = "the thermal conductance is zero within its error"
_RATIOS = ("seebeck_coefficient", "peltier_coefficient", "lorenz_ratio", "figure_of_merit")


def _conductances(windows: _Windows) -> list[Conductances]:
    """Return what heat counted from the fixed ``mu`` gives, T > 0, of each system."""
    temperatures = windows.states[1]
    bounds = _bounds(temperatures)

    def charge_and_heat(rates: Rates, x: np.ndarray, _: Any) -> tuple[np.ndarray, np.ndarray]:
        tau, size = response_of(rates), response_size(rates)
        # Both sides of the unitarity of each lead's row, compared once they are integrated.
        absorbed = rates.absorbed
        violated = absorbed + rates.unitarity_violation
        values = np.array([tau, x * tau, *violated, *absorbed])
        return values, np.array([size, abs(x) * size, *abs(values[2:])])

    first = windows.averages(charge_and_heat, bounds[:, :, [0, 1, 0, 0, 0, 0]])
    conducts = np.array([found.value[0] != 0 for found in first])
    means = np.array([found.value[1] / (found.value[0] or 1.0) for found in first])

    # I_2 - I_1^2/I_0 as the integral of a square: the difference loses all digits where the
    # window catches only the far tail of the transmission.
    def spread(rates: Rates, x: np.ndarray, each: Callable) -> tuple[np.ndarray, np.ndarray]:
        distance = x - each(means)
        square = (distance * distance)[None]
        return square * response_of(rates), square * response_size(rates)

    around = bounds[..., 2] + 2 * abs(means) * bounds[..., 1] + means**2 * bounds[..., 0]
    second = windows.averages(spread, around[..., None])
    return [
        _conductances_of(one, two, float(temperature), bool(known))
        for one, two, temperature, known in zip(first, second, temperatures, conducts, strict=True)
    ]


def _conductances_of(
    first: Integral, second: Integral, temperature: float, conducts: bool
) -> Conductances:
    """Return `_conductances` of one system from its integrals."""
    (i_0, i_1), (e_0, e_1) = first.value[:2], first.error[:2]
    violated, absorbed = first.value[2:].reshape(2, 2)
    wrong = first.error[2:].reshape(2, 2).sum(axis=0)
    allowed = UNITARITY_TOLERANCE * (violated + absorbed) + wrong
    unitary = bool((abs(violated - absorbed) <= allowed).all())
    if not conducts:
        zero = 0.0, float(e_0)
        return {"electrical_conductance": zero, "thermal_conductance": zero}, first.converged
    # Divided by the least that the error allows; not used where that is zero.
    least = max(i_0 - e_0, 0.0) or i_0
    mean = i_1 / i_0
    e_mean = (e_1 + abs(mean) * e_0) / least
    variance, e_variance = second.value[0], second.error[0] + (i_0 + e_0) * e_mean**2
    lorenz = variance / (i_0 * temperature**2)
    lorenz_error = (e_variance / temperature**2 + lorenz * e_0) / least
    found = {
        "electrical_conductance": (i_0, e_0),
        "thermal_conductance": (variance / temperature, e_variance / temperature),
        "seebeck_coefficient": (mean / temperature, e_mean / temperature),
        "peltier_coefficient": (mean, e_mean),
        "lorenz_ratio": (lorenz, lorenz_error),
    }
    if not i_0 > e_0:
        found = {name: pair for name, pair in found.items() if name not in _RATIOS}
    elif variance > e_variance:
        merit = mean**2 * i_0 / variance
        most = (abs(mean) + e_mean) ** 2 * (i_0 + e_0) / (variance - e_variance)
        found["figure_of_merit"] = merit, most - merit + 4 * _EPSILON * merit
    return found, first.converged and second.converged and unitary


def _cold_conductances(system: OpenSystem) -> dict[str, tuple[float, float]]:
    """Return the limits T -> 0 at fixed size: tau_1 is then constant over the window.

    Above temperature 0 it is so within its rounding errors, which bound its slope.
    """
    _, temperature = _common_state(system)
    tau, rounding = _at_one_energy(system, lambda own, w: response_transmission(own, w)[None])
    of_left = _rounding_errors(system)[:, 0]
    rounding = np.fmax(rounding[0], 0.5 * of_left.sum())
    value, error = float(tau[0]) / (2 * np.pi), float(rounding) / (2 * np.pi)
    thermal = LORENZ_NUMBER * temperature
    if np.isnan(value):
        return {"thermal_conductance": (0.0, thermal * len(system.leads) / (2 * np.pi))}
    found = {
        "electrical_conductance": (value, error),
        "thermal_conductance": (thermal * value, thermal * error),
    }
    if not value > error:
        return found
    slope = 2 * error / (value - error) if temperature > 0 else 0.0
    lorenz = LORENZ_NUMBER, (slope + _EPSILON) * LORENZ_NUMBER
    return found | {
        "seebeck_coefficient": (0.0, slope),
        "peltier_coefficient": (0.0, slope * temperature),
        "lorenz_ratio": lorenz,
        "figure_of_merit": (0.0, slope**2),
    }


def _own_potential(
    found: Mapping[str, tuple[float, float]], reference: Estimate
) -> dict[str, tuple[float, float]]:
    """Return the Peltier coefficient and ``K`` with ``L_21 - T I_ref/2`` in place of ``L_21``."""
    conductance, e_conductance = found["electrical_conductance"]
    thermal, e_thermal = found["thermal_conductance"]
    seebeck, e_seebeck = found["seebeck_coefficient"]
    peltier, e_peltier = found["peltier_coefficient"]
    current, current_error, _ = reference
    shift = current / (2 * conductance)
    e_shift = (current_error / 2 + abs(shift) * e_conductance) / (conductance - e_conductance)
    return {
        "peltier_coefficient_own_potential": (peltier - shift, e_peltier + e_shift),
        "thermal_conductance_own_potential": (
            thermal + seebeck * current / 2,
            e_thermal + (abs(seebeck) * current_error + e_seebeck * abs(current)) / 2,
        ),
    }


def linear_response(
    system: OpenSystem,
    rtol: float = ACCURACY,
    currents: SteadyCurrents | None = None,
    known: Conductances | None = None,
) -> LinearResponse:
    """Return conductances, thermopower and what follows from them.

    Parameters
    ----------
    system : OpenSystem
        With two leads at one chemical potential and temperature.  At temperature 0 the limits are
        returned: ``G = tau_1(mu)``, ``K = 0``, and the Wiedemann-Franz law, which at finite size
        holds in the end at every ``mu`` where anything is transmitted.
    rtol : float
        Error over value aimed at, for each integral by itself; there is no absolute tolerance, so
        that a conductance of 1e-90 outside the band is as good as any.
    currents : SteadyCurrents, optional
        Those of the system, where they were computed before; loss and gain make some.
    known : Conductances, optional
        What `thermal_responses` found.

    Returns
    -------
    LinearResponse
        With an error of each number, and notes on those that are NaN.

    Raises
    ------
    ValueError
        When there are not two leads, or the leads differ.

    Notes
    -----
    Where nothing is transmitted, what is divided by the conductance is NaN with a note.  At
    temperature 0 and at a band edge where the transmission jumps, so is the conductance itself.
    """
    mu, _ = _common_state(system)
    if _is_cold(system):
        found, converged = _cold_conductances(system), True
    else:
        found, converged = known or _conductances(_Windows.of([system], rtol))[0]
        found = dict(found)
    reference = Estimate(0.0, 0.0)
    if system.loss.any() or system.gain.any():
        currents = currents or steady_currents(system, rtol)
        reference = currents.particle_current.at(0)
        converged = converged and currents.converged
    found["reference_current"] = reference[:2]
    if "seebeck_coefficient" in found:
        found |= _own_potential(found, reference)
    names = [x.name for x in fields(LinearResponse) if x.name != "converged"]
    missing = {name for name in names if name not in found}
    conducts = "electrical_conductance" in found
    reason = _NO_CONDUCTANCE if conducts else f"at temperature 0, {why_undefined(system, [mu])}"
    nothing = undefined(_NO_HEAT if missing == {"figure_of_merit"} else reason)
    numbers = {x: Estimate(float(value), float(error)) for x, (value, error) in found.items()}
    return LinearResponse(converged=converged, **numbers, **dict.fromkeys(missing, nothing))


# --- Sommerfeld expansion -----------------------------------------------------------------------


_DEGREE = 16
"""Degree of the Chebyshev interpolation that is differentiated."""
_HALVINGS = 40
"""Half widths tried, each half of the one before."""


@cache
def _stencil() -> tuple[np.ndarray, np.ndarray]:
    """Return nodes on [-1, 1] and the weights of the first two derivatives at 0, (n,), (2, n)."""
    nodes = np.cos(np.pi * np.arange(_DEGREE + 1) / _DEGREE)
    nodes[_DEGREE // 2] = 0.0
    to_coefficients = np.linalg.inv(chebyshev.chebvander(nodes, _DEGREE))
    basis = np.eye(_DEGREE + 1)
    rows = [chebyshev.chebval(0.0, chebyshev.chebder(basis, m)) for m in (1, 2)]
    return nodes, np.array(rows) @ to_coefficients


@remembered
def logarithmic_derivatives(
    system: OpenSystem, energy: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return ``(ln tau_1)'`` and ``(ln tau_1)''`` at an energy, each with its error.

    The logarithm, because tau_1 is positive and may change by many decades within one unit of
    energy.  It is interpolated on intervals of ever smaller width; the truncation error falls and
    the rounding error grows, and the width with the smallest sum is taken.  The truncation error is
    the change to any smaller width, not only to the next: intervals that are much wider than a
    resonance agree with each other and miss it.

    Parameters
    ----------
    system : OpenSystem
        With two leads.
    energy : float
        In t.

    Returns
    -------
    first, second : tuple of float
        Value and error, in 1/t and 1/t^2; NaN where tau_1 is zero or not smooth.
    """
    nodes, weights = _stencil()
    scale = energy_scale(system)
    widths = scale * 0.5 ** np.arange(_HALVINGS)
    at = energy + widths[:, None] * nodes
    with np.errstate(divide="ignore", invalid="ignore"):
        log_tau = np.log(response_transmission(system, at.ravel()).reshape(at.shape))
        # The differences keep the digits that a large common value would cost.
        log_tau = log_tau - log_tau[:, [_DEGREE // 2]]
        orders = np.arange(1, 3)
        values = (log_tau @ weights.T) / widths[:, None] ** orders
        slope = abs(values[:, :1])
        noise = _EPSILON * (_ROUNDING_ERRORS + scale * slope)
        noise = noise * abs(weights).sum(axis=1) / widths[:, None] ** orders
        change = abs(values[:, None] - values)  # from one width (first) to another
        beyond_noise = np.triu(np.moveaxis(change - noise, -1, 0), 1).max(axis=-1).T
        errors = np.maximum(abs(np.diff(values, axis=0)), beyond_noise[:-1]) + noise[:-1]
    found = []
    for k in range(2):
        error = np.where(np.isfinite(errors[:, k]), errors[:, k], np.inf)
        best = int(np.argmin(error))
        fine = np.isfinite(error[best])
        found.append((float(values[best, k]), float(error[best])) if fine else (np.nan, np.nan))
    return found[0], found[1]


def sommerfeld_lorenz_ratio(system: OpenSystem) -> Estimate:
    """Return ``K/(G T)`` by the Sommerfeld expansion to second order in T.

        K/(G T) = (pi^2/3) [1 + (8 pi^2/15) T^2 tau''/tau - (pi^2/3) T^2 (tau'/tau)^2]

    with tau_1 at ``mu``.  (S37) of paper extended-landauer-buttiker drops the middle term, which is
    of the same order (erratum E3).  The error is that of the derivatives, not what higher orders
    would add: the expansion fails where tau_1 is not smooth on the scale of T.

    Parameters
    ----------
    system : OpenSystem
        With two leads at one chemical potential and temperature.

    Returns
    -------
    Estimate
        In (k_B/e)^2.

    Raises
    ------
    ValueError
        When there are not two leads, or the leads differ.
    """
    mu, temperature = _common_state(system)
    (a, e_a), (b, e_b) = logarithmic_derivatives(system, mu)
    if np.isnan(a + b):
        return undefined("the transmission at the chemical potential is zero or not smooth")
    # tau'/tau = a and tau''/tau = b + a^2
    square = (np.pi * temperature) ** 2
    value = LORENZ_NUMBER * (1 + square * (8 / 15 * b + a**2 / 5))
    error = LORENZ_NUMBER * square * (8 / 15 * e_b + (2 * abs(a) + e_a) * e_a / 5)
    return Estimate(value, error + _EPSILON * abs(value))
