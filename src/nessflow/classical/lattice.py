"""Right- and left-movers on a lattice with sources and drains (paper nonreciprocal-gain-loss).

In each time step a mover on site x goes on to the next site with probability q_x (``hopping``) or
turns round where it is with 1 - q_x, and the site receives s_x particles (``injection``), half of
them right-movers; a drain has s_x < 0.  The paper's lattice, (1)-(5) and (C15)-(C18) with the
corrections of erratum E19, has q_x = p on the sites of sources and drains and 1 elsewhere.
Reservoirs send movers in at both ends.  Units: lattice spacing, time step and charge are 1, so that
the velocity of the movers is 1 and densities are per site.

The steady state is solved by running sums.  With the flux u_x = q_x rho+(x) from x to x+1, the flux
v_x = q_x rho-(x) from x to x-1 and the bond current J_x = u_x - v_{x+1}, the two balances of a site
are

    J_x = J_{x-1} + s_x        and        u_x = u_{x-1} - (1 - q_x) J_{x-1} + q_x s_x / 2:

a chain of resistors 1 - q_x with one contact resistance 1, for any placement of sources and drains.
Fluxes are finite for q_x = 0 as well, where densities are not.
"""

from dataclasses import dataclass, replace

import numpy as np

from nessflow.classical.currents import ChainCurrents
from nessflow.classical.sums import EPSILON, running_sums
from nessflow.estimate import Estimate, undefined


@dataclass(frozen=True)
class MoverLattice:
    """A lattice of ``n`` sites between two reservoirs.

    Parameters
    ----------
    hopping : np.ndarray
        Probability that a mover goes on in a time step, else it turns round; shape (n,).
    injection : np.ndarray
        Particles that each site receives in a time step, half of them right-movers; shape (n,).
    left, right : float
        Density of the movers that the reservoirs send in.
    """

    hopping: np.ndarray
    injection: np.ndarray
    left: float
    right: float


@dataclass(frozen=True)
class LatticeState(ChainCurrents):
    """Steady state of a `MoverLattice`.

    Attributes
    ----------
    bond_current : Estimate
        (n+1,), to the right, the reservoirs' bonds at both ends.
    density : Estimate
        (2, n), right-movers first; undefined on sites with hopping 0.
    """

    density: Estimate


def steady_state(lattice: MoverLattice) -> LatticeState:
    """Return the steady state: (8), (7) of the paper for its placement, any other likewise.

    Exact but for rounding, whose bound is the error.

    Parameters
    ----------
    lattice : MoverLattice
        Any placement of sources and drains.

    Returns
    -------
    LatticeState
        With the errors.
    """
    turning = 1 - lattice.hopping
    added = np.concatenate([[0.0], running_sums(lattice.injection)])
    to_right = lattice.hopping * lattice.injection / 2
    drops = running_sums(turning * added[:-1] - to_right)
    resistance = series_resistance(lattice)
    bias = lattice.left - lattice.right
    current = (bias - drops[-1] - added[-1]) / resistance
    size = abs(bias) + np.sum(abs(turning * added[:-1])) + np.sum(abs(to_right)) + abs(added[-1])
    current_error = 4 * EPSILON * (size / resistance + abs(current))
    bonds = current + added
    right_flux = np.concatenate([[0.0], running_sums(to_right - turning * bonds[:-1])])
    right_flux += lattice.left
    left_flux = right_flux[:-1] - bonds[:-1]
    flux_error = resistance * current_error + 4 * EPSILON * (abs(lattice.left) + size)
    with np.errstate(divide="ignore", invalid="ignore"):
        density = np.array([right_flux[1:], left_flux]) / lattice.hopping
        density_error = flux_error / lattice.hopping + 4 * EPSILON * abs(density)
    stuck = lattice.hopping == 0
    for values in (density, density_error):
        values[:, stuck] = np.nan
    reason = "no mover leaves a site with hopping probability 0: its density is infinite"
    return LatticeState(
        Estimate(bonds, current_error + EPSILON * (abs(added) + abs(bonds))),
        Estimate(density, density_error, reason if stuck.any() else ""),
    )


def series_resistance(lattice: MoverLattice) -> float:
    """Return ``1 + sum_x (1 - q_x)``; its inverse is the probability to cross the lattice.

    Parameters
    ----------
    lattice : MoverLattice
        Of which the hopping counts alone.

    Returns
    -------
    float
        1 or more.
    """
    return 1 + float(np.sum(1 - lattice.hopping))


def largest_flux(lattice: MoverLattice, density: np.ndarray) -> float:
    """Return a bound of all fluxes on the way from a density to the steady state.

    A step is linear without negative coefficients, so that every flux stays below those of a
    lattice full up to the largest one and of sources alone, drains counted as such.

    Parameters
    ----------
    lattice : MoverLattice
        Every hopping above 0.
    density : (2, n) array
        At the start.

    Returns
    -------
    float
        Particles per time step.
    """
    ends = abs(lattice.left), abs(lattice.right)
    full = max(float((lattice.hopping * abs(density)).max()), *ends)
    sources = replace(lattice, injection=abs(lattice.injection), left=0.0, right=0.0)
    return full + float((lattice.hopping * steady_state(sources).density.value).max())


# --- evolution ------------------------------------------------------------------------------------


def step(lattice: MoverLattice, density: np.ndarray) -> np.ndarray:
    """Return the densities one time step later: (1)-(5) of the paper, for any placement.

    Parameters
    ----------
    lattice : MoverLattice
        The lattice.
    density : (2, n) array
        Right-movers first.

    Returns
    -------
    (2, n) float array
        Right-movers first.
    """
    moving = lattice.hopping * density
    turning = density - moving
    later = turning[::-1] + lattice.injection / 2
    later[0] += np.concatenate([[lattice.left], moving[0, :-1]])
    later[1] += np.concatenate([moving[1, 1:], [lattice.right]])
    return later


def reservoir_currents(lattice: MoverLattice, density: np.ndarray) -> np.ndarray:
    """Return the currents from the left and right reservoir in the next time step.

    Parameters
    ----------
    lattice : MoverLattice
        The lattice.
    density : (2, n) array
        Right-movers first.

    Returns
    -------
    (2,) float array
        Particles per time step, into the lattice.
    """
    out = np.array([lattice.hopping[0] * density[1, 0], lattice.hopping[-1] * density[0, -1]])
    return np.array([lattice.left, lattice.right]) - out


def relaxation_rate(
    lattice: MoverLattice, tolerance: float = 1e-12, most_iterations: int = 20_000
) -> tuple[Estimate, bool]:
    """Return the rate, per time step, at which the slowest perturbation decays.

    It is ``-ln lambda``, lambda the spectral radius of the step without reservoirs and injection.
    That matrix M has no negative entry, so that lambda is an eigenvalue (Perron and Frobenius) and
    1 / (1 - lambda) the spectral radius of its non-negative inverse (1 - M)^-1, which inverse
    iteration finds.  The smallest and the largest growth of a component enclose it (Collatz and
    Wielandt); half of their distance is the error.

    Parameters
    ----------
    lattice : MoverLattice
        Of which the hopping counts alone.
    tolerance : float
        Relative distance of the bounds of ``1 / (1 - lambda)`` at which the iteration ends.
    most_iterations : int
        Number after which it ends anyway.

    Returns
    -------
    rate : Estimate
        Per time step; undefined where nothing turns round, as every mover leaves after n steps,
        and where a hopping is 0, as movers never leave.
    converged : bool
        Whether the iteration reached its tolerance.
    """
    turns = np.flatnonzero(lattice.hopping < 1)
    if turns.size == 0:
        return undefined("no mover turns round: nothing is left after as many steps as sites"), True
    if not lattice.hopping.all():
        return undefined("movers on a site with hopping 0 never leave it"), True
    # Movers outside of the sites between the first and the last turn leave and never come back.
    hopping = lattice.hopping[turns[0] : turns[-1] + 1]
    vector = np.ones((2, hopping.size))
    low, high = 0.0, np.inf
    for _ in range(most_iterations):
        image = _summed_over_time(hopping, vector)
        growth = image / vector
        low, high = max(low, growth.min()), min(high, growth.max())
        vector = image / image.max()
        if high - low <= tolerance * high:
            break
    rates = -np.log1p(-1 / np.array([high, low]))
    # Rounding of a component may exceed the distance of the bounds.
    rounding = 8 * EPSILON * hopping.size * rates.mean()
    error = abs(rates[1] - rates[0]) / 2 + rounding
    return Estimate(float(rates.mean()), float(error)), bool(high - low <= tolerance * high)


def _summed_over_time(hopping: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Return (1 - M)^-1 density, (2, n): the steady state with ``density`` injected each step."""
    turning = 1 - hopping
    added = np.concatenate([[0.0], np.cumsum(density.sum(axis=0))])
    to_right = hopping * density[0]
    lost = np.sum(turning * added[:-1] - to_right) + added[-1]
    bonds = added - lost / (1 + turning.sum())
    right_flux = np.cumsum(to_right - turning * bonds[:-1])
    left_flux = np.concatenate([[0.0], right_flux[:-1]]) - bonds[:-1]
    return np.array([right_flux, left_flux]) / hopping


# --- fluctuations ---------------------------------------------------------------------------------


def particle_noise(lattice: MoverLattice) -> Estimate:
    """Return the zero-frequency noise of the reservoirs' currents.

    Movers are independent of each other, and reservoirs and sources emit them at random (Poisson
    numbers in each step).  Then the numbers that cross from left to right, from right to left and
    from each source to each end are independent Poisson numbers: with the probability T to cross
    and P_x,a to leave from x to the end a,

        S_LL = T (rho_L + rho_R) + sum_x s_x P_x,L        S_LR = -T (rho_L + rho_R).

    Parameters
    ----------
    lattice : MoverLattice
        Any placement of sources and drains.

    Returns
    -------
    Estimate
        (2, 2), per time step; undefined with a drain: what it extracts does not depend on what is
        there, which no process of independent particles does.
    """
    if (lattice.injection < 0).any():
        return undefined(
            "a drain extracts at a fixed rate whatever is there, which is no process of "
            "independent particles",
            (2, 2),
        )
    resistance = series_resistance(lattice)
    turning = 1 - lattice.hopping
    before = running_sums(turning) - turning
    to_right = (1 - lattice.hopping / 2 + before) / resistance
    crossing = (lattice.left + lattice.right) / resistance
    emitted = np.array([lattice.injection @ (1 - to_right), lattice.injection @ to_right])
    value = np.diag(crossing + emitted) - crossing * np.eye(2)[::-1]
    own = np.diag(np.full(2, lattice.injection.sum()))
    return Estimate(value, 8 * EPSILON * (np.log2(len(turning)) + 1) * (abs(value) + own))


def entropy_production(lattice: MoverLattice) -> Estimate:
    """Return ``J ln(rho_L / rho_R)``, in k_B per time step, of a lattice without injection.

    Every path across the lattice and its reverse have the same probability, so that a particle
    that crosses takes its chemical potential ln(rho) from one ideal gas to the other.

    Parameters
    ----------
    lattice : MoverLattice
        Any placement of sources and drains.

    Returns
    -------
    Estimate
        In k_B per time step; undefined with injection or an empty reservoir, where a process has
        no reverse one.
    """
    if reason := without_reverse(lattice):
        return undefined(reason)
    current = (lattice.left - lattice.right) / series_resistance(lattice)
    value = float(current * np.log(lattice.left / lattice.right))
    return Estimate(value, float(16 * EPSILON * (abs(value) + abs(current))))


def without_reverse(lattice: MoverLattice) -> str:
    """Return why a process has no reverse one, so that entropies are undefined; empty where none.

    Parameters
    ----------
    lattice : MoverLattice
        Any placement of sources and drains.

    Returns
    -------
    str
        The reason.
    """
    if lattice.injection.any():
        return "injection and extraction at a fixed rate have no reverse process"
    if not lattice.left > 0 < lattice.right:
        return "a reservoir is empty: no particle comes back from it"
    return ""


def _times_log(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return ``x ln y``, 0 where x is."""
    return x * np.log(y, out=np.zeros(np.shape(y)), where=x > 0)


def step_entropy(lattice: MoverLattice, density: Estimate) -> Estimate:
    """Return the entropy that the next time step produces, in k_B.

    ``sum_a I_a ln(rho_a)`` in the reservoirs and what the ideal gas on the lattice, of the entropy
    ``sum (rho - rho ln(q rho))``, gains itself: in equilibrium ``q rho`` is the same everywhere.
    Never negative, as a step brings any two densities closer to each other, and
    `entropy_production` in the steady state.

    Parameters
    ----------
    lattice : MoverLattice
        Any placement of sources and drains.
    density : Estimate
        (2, n), right-movers first.

    Returns
    -------
    Estimate
        In k_B per time step; undefined as `entropy_production`.
    """
    if reason := without_reverse(lattice):
        return undefined(reason)
    held, density_error = density.value, density.error
    potentials = np.log([lattice.left, lattice.right])
    flows = reservoir_currents(lattice, held) * potentials
    terms, error = [flows], 0.0
    for rho, sign in ((step(lattice, held), 1), (held, -1)):
        terms += [sign * rho.ravel(), -sign * _times_log(rho, lattice.hopping * rho).ravel()]
        # The slope of rho ln rho, which is infinite at 0.
        most = lattice.hopping * np.maximum(rho, density_error)
        error += np.sum(density_error + abs(_times_log(density_error, most)))
    error += abs(potentials) @ (lattice.hopping[[0, -1]] * density_error[[1, 0], [0, -1]])
    every = np.concatenate(terms)
    rounding = 4 * EPSILON * (np.log2(every.size) + 1) * abs(every).sum()
    return Estimate(float(every.sum()), float(error + rounding))
