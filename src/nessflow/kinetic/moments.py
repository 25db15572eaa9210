"""Moments that a steady state between rates of few columns is made of.

The occupations follow from two numbers for each column r,

    n_i = G_i / (G_i + D_i),  G_i = sum_r into_ri s_r a_r,  D_i = sum_r out_ri s_r b_r,
    a_r = sum_i out_ri n_i,   b_r = sum_i into_ri (1 - n_i),

``s_r`` the strengths.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from nessflow.kinetic.equation import Number
from nessflow.kinetic.rates import Channel

_MOST = 8
"""Columns up to which steps for moments cost less than steps for the modes."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Rates of some channels, none negative.

    Attributes
    ----------
    out, into : ndarray
        Without strengths, (columns, modes).
    strength : ndarray
        Of each column, (columns,).
    """

    out: np.ndarray
    into: np.ndarray
    strength: np.ndarray

    def moments(self, log_odds: np.ndarray) -> np.ndarray:
        """Return all a, then all b, of the state of some log odds, (2 columns,)."""
        # Imported here: numba takes long to import.
        from nessflow.kinetic.kernels import moments_of

        return moments_of(self.out, self.into, expit(-log_odds), expit(log_odds))

    def log_odds(self, strength: np.ndarray, moments: np.ndarray) -> np.ndarray:
        """Return ``ln(D/G)`` of each mode for some strengths and moments, (modes,)."""
        a, b = moments.reshape(2, -1)
        return np.log(((strength * b) @ self.out) / ((strength * a) @ self.into))

    def settled(
        self, strengths: np.ndarray, number: Number, start: np.ndarray, velocity: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the moments of steady states at successive strengths, and their currents.

        Parameters
        ----------
        strengths : (states, columns) array
            Of each state; the first of them positive, and never twice the same.
        number : Number
            Of particles.
        start : (2 columns,) array
            Moments to begin with.
        velocity : (modes,) array
            What a particle of each mode counts.

        Returns
        -------
        moments : (states, 2 columns) float
            NaN where Newton's method did not converge, and from there on.
        currents : (states,) float
            ``sum_i velocity_i n_i``.
        """
        from nessflow.kinetic.kernels import settled

        of_number = number.by_particles, number.fewer
        return settled(self.out, self.into, strengths, *of_number, start, velocity)

    def slope(self, strength: np.ndarray, moments: np.ndarray, velocity: np.ndarray) -> float:
        """Return ``d(sum_i velocity_i n_i)/d ln s_1`` of the steady state of some moments."""
        from nessflow.kinetic.kernels import slope

        return slope(self.out, self.into, strength, moments, velocity)


def columns_of(channels: Sequence[Channel]) -> Columns | None:
    """Return the columns of some channels.

    Parameters
    ----------
    channels : sequence of Channel
        At least one.

    Returns
    -------
    Columns or None
        None where they are many, or one has both signs, so that moments may vanish.
    """
    counts = [c.out.shape[1] for c in channels]
    if sum(counts) > _MOST or any((x < 0).any() for c in channels for x in (c.out, c.into)):
        return None
    out, into = (np.vstack([getattr(c, name).T for c in channels]) for name in ("out", "into"))
    return Columns(out, into, np.repeat([c.strength for c in channels], counts))
