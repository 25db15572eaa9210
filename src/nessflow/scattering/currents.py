"""Steady currents of an open system and the transmissions they are made of.

Every terminal a (a lead, all loss channels together, all gain channels together) sends into the
system ``I_a = int dw/2pi sum_b T_ab (f_a - f_b)``, where ``T_ab = Tr[Gamma_a G Gamma_b G^+]``, loss
has ``Gamma = 2P`` and ``f = 0``, gain has ``Gamma = 2Q`` and ``f = 1``.  With two leads this is
eq (8) of paper extended-landauer-buttiker, whose ``J_LS`` and ``J_RS`` are *half* the currents
between lead and reservoirs: ``I_L = J_LR + 2 J_LS`` and ``-I_R = J_LR - 2 J_RS``, so that
``J = (I_L - I_R) / 2 = J_LR + J_LS - J_RS``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from nessflow.estimate import Estimate, undefined, without_two_leads
from nessflow.solvers.dense import inverse_green, solved
from nessflow.spectrum.edges.limits import continuous, on_band_edge
from nessflow.spectrum.occupation import fermi, fermi_difference, fermi_holes
from nessflow.spectrum.quadrature import Integral
from nessflow.spectrum.rates import Observable, Rates, integrate_observables
from nessflow.spectrum.rounding import with_moved_levels
from nessflow.spectrum.spectrum import ACCURACY, Spectrum
from nessflow.systems.matrices import Matrix, as_dense, expectation, overlap
from nessflow.systems.system import OpenSystem, Surroundings, Terminal, remembered

# --- transmissions -----------------------------------------------------------------------------


def terminal_names(system: OpenSystem | Surroundings) -> tuple[str, ...]:
    """Return the names of all terminals.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    tuple of t str
        Those of the leads in order, then "loss" and "gain".
    """
    return (*(terminal.name for terminal in system.terminals), "loss", "gain")


def transmission(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return ``T_ab = Tr[Gamma_a G Gamma_b G^+]`` between all terminals, from b to a.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    (t, t, E) float array
        Terminals as in `terminal_names`.  The diagonal is 0: what a lead sends back into itself
        enters no current, see `reflection`.  Sums over rows and over columns of one lead agree
        (unitarity), T_ab and T_ba need not.  NaN at band edges where the limits from both sides
        differ.
    """

    return continuous(system, energies, lambda own, w: _table(Rates(own, w)))


def _table(rates: Rates) -> np.ndarray:
    """Return `transmission` from the rates, (t, t, E)."""
    l = len(rates.system.terminals)
    table = np.zeros((l + 2, l + 2, rates.energies.size))
    table[:l, :l] = rates.leads
    table[range(l), range(l)] = 0.0
    table[:l, l], table[:l, l + 1] = rates.from_loss, rates.from_gain
    table[l, :l], table[l + 1, :l] = rates.to_loss, rates.to_gain
    table[l, l + 1], table[l + 1, l] = rates.loss_gain, rates.gain_loss
    return table


def reflection(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return ``R_a = Tr[s_aa^+ s_aa]`` over the open channels of each lead.

    What a lead sends back into itself, between its channels included; with the transmissions of its
    row it makes the number of its open channels.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    (l, E) float array
        By terminal of the leads.  NaN where a channel of the lead opens: it reflects all that
        comes in on one side, and is closed on the other.
    """

    reflected = continuous(system, energies, lambda own, w: _reflected(Rates(own, w)))
    return np.where(_opens(system, energies), np.nan, reflected)


def _reflected(rates: Rates) -> np.ndarray:
    """Return `reflection` from the rates, (l, E), wherever no channel opens."""
    # A closed channel has the amplitude -1 and takes part in nothing.
    inside, terminals = rates.broadening > 0, rates.system.terminals
    both = abs(rates.amplitudes) ** 2 * (inside[:, None] & inside)
    parts = [both[np.ix_(x.channels, x.channels)].sum(axis=(0, 1)) for x in terminals]
    return np.array(parts).reshape(len(terminals), rates.energies.size)


def _opens(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return where a channel of each terminal opens, (l, E) bool."""
    opens = on_band_edge(system, energies)
    return np.array([opens[list(x.channels)].any(axis=0) for x in system.terminals])


def open_channels(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return the number of channels of each lead that have states at given energies.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    (l, E) float array
        By terminal of the leads.
    """
    inside = Rates(system, energies).broadening > 0
    return np.array([inside[list(x.channels)].sum(axis=0) for x in system.terminals], float)


def _require_two_leads(system: Any, what: str) -> None:
    if len(system.terminals) != 2:
        raise ValueError(
            f"{what} is defined between two leads, the system has {len(system.terminals)}; "
            "use steady_currents or transmission for each terminal instead"
        )


def reference_transmission(
    system: OpenSystem, energies: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``tau_0l`` and ``tau_0g = Tr[(Gamma_L - Gamma_R) G P G^+]`` (Q for gain).

    Paper extended-landauer-buttiker, below (S26).  Its (S27) and (S29) lack the factor Gamma of
    this definition (erratum E6).

    Parameters
    ----------
    system : OpenSystem
        With exactly two leads, first left, second right.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    loss, gain : (E,) float
        ``tau_0l`` and ``tau_0g``.

    Raises
    ------
    ValueError
        When there are not exactly two leads.
    """
    _require_two_leads(system, "the reference transmission")

    loss, gain = continuous(system, energies, lambda own, w: _references(Rates(own, w)))
    return loss, gain


def _references(rates: Rates) -> np.ndarray:
    """Return `reference_transmission` from the rates, (2, E)."""
    loss, gain = rates.from_loss, rates.from_gain
    return 0.5 * np.array([loss[0] - loss[1], gain[0] - gain[1]])


def response_transmission(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return ``tau_1`` of (11) and (S26) of paper extended-landauer-buttiker.

    ``tau_1 = Tr[Gamma_L G Gamma_R G^+ + Gamma_R G Gamma_L G^+]/2 + Tr[Gamma_L G (P + Q) G^+]``.

    Parameters
    ----------
    system : OpenSystem
        With exactly two leads, first left, second right.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    (E,) float array
        ``tau_1``.

    Raises
    ------
    ValueError
        When there are not exactly two leads.
    """
    _require_two_leads(system, "the response transmission")

    return continuous(system, energies, lambda own, w: response_of(Rates(own, w)))


def response_of(rates: Rates) -> np.ndarray:
    """Return `response_transmission` from the rates of two leads.

    Parameters
    ----------
    rates : Rates
        At any energies.

    Returns
    -------
    (E,) float array
        ``tau_1``.

    Raises
    ------
    ValueError
        When there are not exactly two leads.
    """
    _require_two_leads(rates.system, "the response transmission")
    between = rates.leads[0, 1] + rates.leads[1, 0]
    return 0.5 * (between + rates.from_loss[0] + rates.from_gain[0])


def all_transmissions(system: OpenSystem, energies: np.ndarray) -> dict[str, Estimate]:
    """Return all of these from one Green's function, with what rounded levels move them by.

    Parameters
    ----------
    system : OpenSystem
        With t terminals, l of them leads.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    dict of str to Estimate
        Numbers without unit: ``transmission``, (t, t, E), ``reflection``, (l, E), and of two leads
        ``loss_transmission``, ``gain_transmission`` and ``response_transmission``, (E,); (S26) of
        paper extended-landauer-buttiker.  NaN as in `transmission`, `reflection`,
        `reference_transmission` and `response_transmission`.
    """
    count = len(system.terminals)
    parts: list[Callable[[Rates], np.ndarray]] = [_table, _reflected]
    names = [f"{name}_transmission" for name in ("loss", "gain", "response") if count == 2]
    if names:
        parts += [_references, response_of]

    def rows(own: OpenSystem, energies: np.ndarray) -> np.ndarray:
        rates = Rates(own, energies)
        return np.concatenate([part(rates).reshape(-1, rates.energies.size) for part in parts])

    value, error = with_moved_levels(system, energies, lambda own, w: continuous(own, w, rows))
    back = slice((count + 2) ** 2, (count + 2) ** 2 + count)
    value[back] = np.where(_opens(system, energies), np.nan, value[back])
    error = np.where(np.isnan(value), np.nan, error)
    known = Estimate(value, error)
    square = Estimate(*(x[: back.start].reshape(count + 2, count + 2, -1) for x in known[:2]))
    others = {name: known.at(back.stop + number) for number, name in enumerate(names)}
    return {"transmission": square, "reflection": known.at(back), **others}


def response_size(rates: Rates) -> np.ndarray:
    """Return what `response_of` is a sum of, which sets its rounding error, (E,)."""
    between = rates.lead_sizes[0, 1] + rates.lead_sizes[1, 0]
    return 0.5 * (between + rates.from_loss[0] + rates.from_gain[0])


# --- currents ----------------------------------------------------------------------------------

UNITARITY_TOLERANCE = 1e-8
"""Relative violation of the unitarity of the scattering matrix beyond which nothing is right."""


_TERMINALS_ALONE = undefined("the currents of the terminals alone were computed")


@dataclass(frozen=True, eq=False)
class Transport:
    """Steady currents and cumulants of the charge that each terminal sends, hbar = 1.

    Attributes
    ----------
    terminals : tuple of str
        Names.
    particle_current, energy_current : Estimate
        (t,), from each terminal into the system, in t/hbar and t^2/hbar.
    particle_noise : Estimate
        (t, t), zero-frequency noise, no factor 2, in t/hbar.
    third_cumulant : Estimate
        (t,), of the transferred charge per unit time, in t/hbar.
    converged : bool
        Whether every integral met the tolerance or its rounding errors and sums over all terminals
        vanish within the errors; True where there is no integral.
    """

    terminals: tuple[str, ...]
    particle_current: Estimate
    energy_current: Estimate
    particle_noise: Estimate
    third_cumulant: Estimate
    converged: bool = True


@dataclass(frozen=True, eq=False)
class SteadyCurrents:
    """Steady particle and energy currents, hbar = 1, with their numerical errors.

    Attributes
    ----------
    terminals : tuple of str
        Those of the leads in order, then "loss" and "gain".
    particle_current, energy_current : Estimate
        (t,), from each terminal into the system, in t/hbar and t^2/hbar.
    net_particle_current, net_energy_current : Estimate
        ``J = (I_left - I_right)/2``, first lead left, second right; undefined without two leads,
        like all currents that follow.
    landauer_particle_current, landauer_energy_current : Estimate
        ``J_LR``: directly between the leads.
    reservoir_particle_current, reservoir_energy_current : Estimate
        (2,), ``J_LS, J_RS``: half of what flows from each lead to loss and gain.
    reference_particle_current, reference_energy_current : Estimate
        ``J_0``: net current if both leads had the right lead's occupation.
    response_particle_current, response_energy_current : Estimate
        ``dJ_1 = J - J_0``.
    unitarity_defect : Estimate
        Integral of ``Gamma_a A_aa - sum_b T_ab`` (a row of the unitarity of the scattering matrix)
        relative to that of both terms; the largest of all leads.
    integrated : bool
        Whether every integral met the tolerance or its rounding errors.
    converged : bool
        Whether that is so, and particles are conserved within the errors, and unitarity holds.
    fault : str
        Why it has not converged, or an empty text.
    evaluations : int
        Number of energies at which the Green's function was evaluated.
    """

    terminals: tuple[str, ...]
    particle_current: Estimate
    energy_current: Estimate
    unitarity_defect: Estimate
    integrated: bool
    evaluations: int
    net_particle_current: Estimate = _TERMINALS_ALONE
    net_energy_current: Estimate = _TERMINALS_ALONE
    landauer_particle_current: Estimate = _TERMINALS_ALONE
    landauer_energy_current: Estimate = _TERMINALS_ALONE
    reservoir_particle_current: Estimate = _TERMINALS_ALONE
    reservoir_energy_current: Estimate = _TERMINALS_ALONE
    reference_particle_current: Estimate = _TERMINALS_ALONE
    reference_energy_current: Estimate = _TERMINALS_ALONE
    response_particle_current: Estimate = _TERMINALS_ALONE
    response_energy_current: Estimate = _TERMINALS_ALONE

    @property
    def conservation_defect(self) -> Estimate:
        """Sum of the particle currents of all terminals, zero within its error."""
        return self.particle_current.total()

    @property
    def fault(self) -> str:
        """Why the currents have not converged."""
        if not self.integrated:
            return "an energy integral did not converge"
        defect, allowed, _ = self.conservation_defect
        if abs(defect) > allowed:
            return (
                f"the currents of all terminals add to {defect:.1e}, more than their errors "
                f"{allowed:.1e}"
            )
        if self.unitarity_defect.value > UNITARITY_TOLERANCE:
            return (
                f"unitarity violated by {self.unitarity_defect.value:.1e}, "
                f"more than {UNITARITY_TOLERANCE:.0e}"
            )
        return ""

    @property
    def converged(self) -> bool:
        """Whether the currents have converged."""
        return not self.fault


def _contact_tails(system: Surroundings, terminal: Terminal, matrix: Matrix) -> dict[int, float]:
    """Return ``Gamma_a v_a^+ P v_a``, by site from 1, of leads whose band never ends.

    Their energy current goes as this/w; only what is not zero, in equal parts on the sites of v.
    """
    leads = [system.leads[a] for a in terminal.channels]
    tails: dict[int, float] = {}
    for lead in leads:
        tail = lead.model.tail * expectation(matrix, lead.sites, lead.amplitudes)
        for site in lead.sites + 1 if tail else ():
            tails[site] = tails.get(site, 0.0) + tail / lead.sites.size
    return tails


def _listed(sites: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(set(sites))))


@remembered
def _divergences(system: Surroundings) -> tuple[dict[int, str], str | None]:
    """Return why energy currents diverge: by terminal, and of the net current of two leads.

    With a band that never ends, the lead's energy integrand is ``Gamma_a 2P_aa / w`` at
    ``w -> -inf`` and ``Gamma_a 2Q_aa / w`` at ``w -> inf``, of one sign; where gain feeds loss
    directly it is ``4 Tr[PQ] / w`` at both ends.  The reasons number sites from 1.
    """
    terminals, count = system.terminals, len(system.terminals)
    loss = [_contact_tails(system, terminal, system.loss) for terminal in terminals]
    gain = [_contact_tails(system, terminal, system.gain) for terminal in terminals]
    reasons = {}
    for a, terminal in enumerate(terminals):
        kinds = " and ".join(k for k, tail in (("loss", loss[a]), ("gain", gain[a])) if tail)
        if kinds:
            sites = _listed([*loss[a], *gain[a]])
            reasons[a] = f"{kinds} on contact site {sites} of wide-band lead {terminal.name!r}"
    for index, kind, tails in ((count, "loss", loss), (count + 1, "gain", gain)):
        sites = _listed(site for by_site in tails for site in by_site)
        if sites:
            reasons[index] = f"{kind} on contact site {sites} of a wide-band lead"
        elif overlap(system.loss, system.gain) != 0:
            reasons[index] = "loss and gain act on the same orbitals, which are wide-band sources"
    net = None
    if count == 2:
        for kind, tails in (("loss", loss), ("gain", gain)):
            left, right = (sum(by_site.values()) for by_site in tails)
            if abs(left - right) > 1e-12 * (left + right):
                at_left, at_right = (
                    _listed(site for a in x.channels for site in system.leads[a].sites + 1)
                    for x in terminals
                )
                sites = f"{at_left} and {at_right}"
                net = f"{kind} on contact sites {sites} couples unequally to wide-band leads"
    return reasons, net


def _explained(reason: str) -> str:
    return f"the energy integral diverges logarithmically: {reason}"


def divergent_rows(system: Surroundings, names: list[str]) -> tuple[list[bool], dict[str, str]]:
    """Return which energy components diverge, and why.

    Parameters
    ----------
    system : Surroundings
        Of a system.
    names : list of str
        Part that each component belongs to, as "terminal" or "net"; the k-th of a part is that of
        terminal k.

    Returns
    -------
    divergent : list of bool
        In the order of ``names``.
    notes : dict
        Attribute of `SteadyCurrents` -> reason.
    """
    reasons, net = _divergences(system)
    notes = {}
    if reasons:
        terminals = terminal_names(system)
        text = "; ".join(f"{terminals[index]}: {why}" for index, why in reasons.items())
        notes["energy_current"] = _explained(text)
    leads = {index: why for index, why in reasons.items() if index < len(system.terminals)}
    if len(system.terminals) == 2 and leads:
        notes["reservoir_energy_current"] = _explained("; ".join(leads.values()))
    if net:
        notes["net_energy_current"] = notes["reference_energy_current"] = _explained(net)
    seen: dict[str, int] = {}
    rows = []
    for name in names:
        index = seen[name] = seen.get(name, -1) + 1
        by_lead = name in ("terminal", "reservoir") and index in reasons
        rows.append(by_lead or (net is not None and name in ("net", "reference")))
    return rows, notes


def _current_parts(leads: int) -> dict[str, int]:
    """Return how many currents there are of each part, in the order of `current_terms`."""
    parts = {"terminal": leads + 2}
    return parts | _OF_TWO_LEADS if leads == 2 else parts


_OF_TWO_LEADS = {"net": 1, "landauer": 1, "reservoir": 2, "reference": 1, "response": 1}


@cache  # one function for all systems that differ in what the rates say alone
def _current_integrand(
    leads: int, finite: tuple[bool, ...]
) -> Callable[[Rates], tuple[np.ndarray, np.ndarray]]:
    """Return the integrand: all particle currents, the finite energy currents, unitarity."""
    count, chosen = len(finite), np.flatnonzero(finite)
    last = count + chosen.size

    def integrand(rates: Rates) -> tuple[np.ndarray, np.ndarray]:
        # Imported here: numba takes long to import.
        from nessflow.scattering.terms.currents import current_terms

        energies = rates.energies
        values, sizes = np.empty((2, last + leads, energies.size))
        current_terms(
            rates.leads,
            rates.lead_sizes,
            rates.difference,
            rates.filled,
            rates.empty,
            (rates.from_loss, rates.from_gain),
            (rates.to_loss, rates.to_gain),
            (rates.loss_gain, rates.gain_loss),
            values,
            sizes,
        )
        np.multiply(energies, values[chosen], out=values[count:last])
        np.multiply(abs(energies), sizes[chosen], out=sizes[count:last])
        values[last:], sizes[last:] = rates.unitarity_violation, rates.spectral + rates.absorbed
        return values, sizes

    return integrand


@remembered
def _finite_currents(system: Surroundings) -> tuple[np.ndarray, dict[str, str]]:
    """Return which energy currents, in the order of `current_terms`, are finite; why others not."""
    parts = _current_parts(len(system.terminals))
    names = [name for name, rows in parts.items() for _ in range(rows)]
    divergent, notes = divergent_rows(system, names)
    return ~np.array(divergent), notes


def currents_observable(system: OpenSystem) -> Observable[SteadyCurrents]:
    """Return all steady currents of a system as something to integrate over the energy.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    Observable of SteadyCurrents
        For `integrate_observables`.
    """
    parts = _current_parts(len(system.terminals))
    reason = without_two_leads(len(system.terminals))
    without = _OF_TWO_LEADS if reason else {}
    finite, notes = _finite_currents(system.surroundings)
    count, last = finite.size, finite.size + finite.sum()

    def result(found: Integral) -> SteadyCurrents:
        energy, energy_error = np.full((2, count), np.nan)
        energy[finite], energy_error[finite] = found.value[count:last], found.error[count:last]
        with np.errstate(invalid="ignore"):
            unitarity = np.nan_to_num(abs(found.value) / found.size)[last:]
        columns = {
            "particle": (found.value[:count], found.error[:count]),
            "energy": (energy, energy_error),
        }
        fields, first = {}, 0
        for part, members in parts.items():
            chosen = slice(first, first + members) if members > 1 else first
            first += members
            for kind, (value, error) in columns.items():
                key = f"{kind}_current" if part == "terminal" else f"{part}_{kind}_current"
                fields[key] = Estimate(value[chosen], error[chosen], notes.get(key, ""))
        for part, kind in product(without, columns):
            shape = (len(system.terminals),) if part == "reservoir" else ()
            fields[f"{part}_{kind}_current"] = undefined(reason, shape)
        return SteadyCurrents(
            terminals=terminal_names(system),
            unitarity_defect=Estimate(float(unitarity.max(initial=0.0)), np.nan),
            integrated=found.converged,
            evaluations=found.evaluations,
            **fields,
        )

    integrand = _current_integrand(len(system.terminals), tuple(finite.tolist()))
    return Observable(integrand, result)


def steady_currents(system: OpenSystem, rtol: float = ACCURACY) -> SteadyCurrents:
    """Return all steady currents of a system by error-controlled integration over the energy.

    Parameters
    ----------
    system : OpenSystem
        The system.
    rtol : float
        Error over value aimed at, for every current by itself.  Rounding errors that are larger
        take its place and are part of the reported errors.

    Returns
    -------
    SteadyCurrents
        Of all terminals; with two leads also the parts of their net current.

    Notes
    -----
    The energy current of a lead with an infinite band diverges when there is loss or gain on its
    contact site; it is then NaN with a note, and combinations that converge (`landauer`,
    `response`, sometimes `net`) are integrated as one integrand.
    """
    return integrate_observables(system, [currents_observable(system)], rtol)[0]


@remembered
def currents_at_rest(system: OpenSystem) -> SteadyCurrents:
    """Return the currents of leads in equilibrium without loss and gain, which are none.

    Parameters
    ----------
    system : OpenSystem
        All leads at one chemical potential and temperature.

    Returns
    -------
    SteadyCurrents
        Zeros without errors; no scattering matrix is computed whose unitarity could be checked.
    """
    observable = currents_observable(system)
    components, _ = observable.integrand(Rates(system, np.empty(0)))
    nothing = np.zeros(len(components))
    found = observable.result(Integral(nothing, nothing, np.ones(len(components)), True, 0))
    unchecked = undefined("in equilibrium nothing flows, and nothing was integrated")
    return replace(found, unitarity_defect=unchecked)


# --- response to weak disorder -----------------------------------------------------------------


def _site_derivatives(
    system: OpenSystem, energies: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return d/dV_j of T_LR + T_RL, of T_a,loss and of T_a,gain: (N, E), (2, N, E), (2, N, E)."""
    terminals = system.terminals
    inverse = np.concatenate([part for _, part in inverse_green(system, energies)])
    contact = system.modes(energies).columns(system.sites)
    rows = solved(inverse.swapaxes(1, 2), contact.conj())
    sources = [as_dense(matrix) @ (2 * rows.conj()) for matrix in (system.loss, system.gain)]
    columns = solved(inverse, np.concatenate([contact, *sources], axis=2))
    rates = Rates(system, energies)
    gamma, green = rates.broadening, rates.green
    # dG/dV_j = G e_j e_j^T G
    between: Any = 0.0
    left, right = (terminal.channels for terminal in terminals)
    for a, b in (*product(left, right), *product(right, left)):
        change = rows[:, :, a] * columns[:, :, b] * green[a, b].conj()[:, None]
        between = between + 2 * gamma[0] * gamma[1] * change.real.T

    def exchange(sources: np.ndarray) -> np.ndarray:
        each = 2 * gamma[:, None] * np.moveaxis(rows * sources, 0, -1).real.swapaxes(0, 1)
        return np.array([each[list(terminal.channels)].sum(axis=0) for terminal in terminals])

    _, loss, gain = np.split(columns, 3, axis=2)
    return between, exchange(loss), exchange(gain)


def disorder_susceptibility(system: OpenSystem, rtol: float = ACCURACY) -> Estimate:
    """Return ``dJ/dV_j``, the response of the net particle current to each site's energy.

    For weak uncorrelated disorder of variance ``V^2/3`` (uniform in [-V, V]) about a system
    without net current, ``<J^2> = (V^2/3) sum_j (dJ/dV_j)^2``: the exponent of fig 2(d) of paper
    extended-landauer-buttiker is 2 as V goes to 0.

    Parameters
    ----------
    system : OpenSystem
        With exactly two leads.
    rtol : float
        Error over value aimed at, for each site by itself.

    Returns
    -------
    Estimate
        (N,), in 1/hbar.

    Raises
    ------
    ValueError
        When there are not exactly two leads.
    """
    _require_two_leads(system, "the net current")
    system = system.interpolated
    left, right = system.terminals

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        batches = np.array_split(energies, max(1, energies.size * system.sites**2 // 2**21))
        derivatives = [_site_derivatives(system, batch) for batch in batches]
        between, loss, gain = (
            np.concatenate(parts, axis=-1) for parts in zip(*derivatives, strict=True)
        )
        filled = [fermi(energies, x.chemical_potential, x.temperature) for x in (left, right)]
        empty = [fermi_holes(energies, x.chemical_potential, x.temperature) for x in (left, right)]
        terms = 0.5 * np.array(
            [
                fermi_difference(energies, left, right) * between,
                filled[0] * loss[0],
                -filled[1] * loss[1],
                -empty[0] * gain[0],
                empty[1] * gain[1],
            ]
        )
        return terms.sum(axis=0), abs(terms).sum(axis=0)

    found = Spectrum(system, rtol).integral(integrand)
    return Estimate(found.value, found.error)
