"""Response of the particle density to a weak static potential, linear in its height.

Corrected (129): with ``H_int = + int psi^* V psi`` (the printed sign contradicts (125)) and the
difference of distributions in place of their sum,

    delta rho(x) = int dk_1 dk_2/(2pi)^2 V^(k_1 - k_2) e^{i x (k_1 - k_2)}
                   [d(k_1) - d(k_2)] / (omega(k_1) - omega(k_2) - i eps).

One integral is that of the free Green's function, ``G = -i m/|k| e^{i |k| |y|}``:

    delta rho(x) = int dy V(x - y) [ m/pi int_0^inf dk/k sin(2 k |y|) d(-+k)
                                     - m/4 (d(0+) + d(0-)) ],

``d(-k)`` for y > 0 and ``d(k)`` for y < 0: particles that the potential reflects interfere with
those that arrive.  The last term is the limit eps -> 0 at the bottom of the band; it is the
reflection of slow particles by any potential.  The current does not respond in first order.
"""

import numpy as np

from nessflow.estimate import Estimate
from nessflow.mixture.occupation import Occupations, distribution
from nessflow.mixture.quadrature import Nodes, integrate
from nessflow.mixture.state import Mixture


def _ranges(positions: np.ndarray, half_width: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the ranges of ``|y|``, ``y = x - x'``, for barrier points x' left, right of x."""
    left = np.maximum(positions - half_width, 0), np.maximum(positions + half_width, 0)
    right = np.maximum(-positions - half_width, 0), np.maximum(-positions + half_width, 0)
    return [left, right]


def _bottom(mixture: Mixture) -> float:
    """Return ``d(0+) + d(0-)``."""
    shares = mixture.weights.at(np.zeros(1))
    total = 0.0
    for i, reservoir in enumerate(mixture.reservoirs):
        mu, temperature = reservoir.chemical_potential, reservoir.temperature
        x = -np.inf if temperature == 0 and mu > 0 else np.inf
        if temperature > 0:
            x = -mu / temperature
        filling = float(distribution(np.array(x), mixture.sign))
        total += filling * float(np.ravel(shares.forward[i] + shares.backward[i])[0])
    return total


def density_response(
    mixture: Mixture, positions: np.ndarray, half_width: float, rtol: float = 1e-11
) -> Estimate:
    """Return the change of the density around a square barrier of unit height.

    Parameters
    ----------
    mixture : Mixture
        Of any number of reservoirs.
    positions : (x,) array
        Where, from the middle of the barrier, in a.
    half_width : float
        The barrier is ``|x| < half_width``, in a.
    rtol : float
        Error over value aimed at, for each position by itself.

    Returns
    -------
    Estimate
        (x,), in 1/(t a).

    Raises
    ------
    ValueError
        When the half width is not positive.
    """
    if not (half_width > 0 and np.isfinite(half_width)):
        raise ValueError(f"half_width must be positive and finite, got {half_width:g}")
    positions = np.atleast_1d(np.asarray(positions, float))
    ranges = _ranges(positions, half_width)

    def integrand(nodes: Nodes) -> tuple[np.ndarray, np.ndarray]:
        found = Occupations([mixture], nodes)
        k = found.momenta
        value = np.zeros((positions.size, *k.shape))
        # The barrier to the left of x: what moves left interferes with its reflection.
        for (near, far), filled in zip(ranges, found.mixed[::-1], strict=True):
            near, far = near[:, None, None], far[:, None, None]
            # int_near^far dy sin(2 k y) = sin(k (far - near)) sin(k (far + near)) / k
            value += filled * np.sin(k * (far - near)) * np.sin(k * (far + near))
        # m/pi dk/k^2 = m^2/pi d omega/k^3
        value *= mixture.mass**2 / (np.pi * k**3)
        return value, abs(value)

    found = integrate([mixture], integrand, rtol)
    constant = -0.25 * mixture.mass * _bottom(mixture) * 2 * half_width
    return Estimate(found.value[:, 0] + constant, found.error[:, 0] + 4e-16 * abs(constant))
