"""Parameters of a ring of fermions, weakly coupled to an equilibrium bath and a dissipator."""

import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Discriminator, Field, field_validator, model_validator

from nessflow.estimate import Estimate
from nessflow.kinetic import bands, rates
from nessflow.kinetic.bands import Bands
from nessflow.kinetic.equation import RateEquation, gain_and_drain, gibbs_log_odds, rate_equation
from nessflow.kinetic.flows import particle_current, total_entropy_production
from nessflow.kinetic.fluctuations import correlation_shift, particle_noise
from nessflow.kinetic.peak import steady_state_at
from nessflow.kinetic.steady import SteadyState
from nessflow.matrix import Matrix, require_square
from nessflow.parts import KeyedError, Strict, at_key, quantity
from nessflow.studies.kind import NOT_NEGATIVE, SECOND_LAW, Coordinate, Status, Variable
from nessflow.studies.variables import status_of, with_errors

FEWEST_CELLS, FEW_CELLS = 12, 32
"""Cells up to which a ring is always short, and up to which its correlations are looked at; they
fall as 1/length."""
_SHIFT_OF_OCCUPATIONS, _SHIFT_OF_CURRENT = 0.04, 0.07
"""Changes by correlations that make a ring too short, that of the current relative to it."""
_STEPS = (0.5, 0.25, 0.75)
"""Shifts of the momenta to compare with: parts of an error of period one step change their sign
with the first; of period half a step with both others, which exchange their places where k and -k
differ, so that neither is enough alone."""

CONVENTIONS = (
    "Ring: H = -hopping sum_j (c_{j+1}^+ c_j + h.c.) + ...; momenta k = 2 pi (m + "
    "momentum_shift)/length, m = -floor(length/2), ..., so that it is periodic without shift; "
    "lattice constant 1; bands from below.",
    "Baths: d rho/dt = -i[H, rho] + coupling sum_i share_i (L rho L^+ - {L^+ L, rho}/2).  The "
    "coupling is epsilon J of the paper; steady occupations and currents do not depend on it.",
    "Equilibrium bath: one operator for each pair of modes, rate coupling/length times "
    "exp(beta (e_a - e_b)/2) from a to b.  Dissipator: operators on neighbouring cells, the same "
    "on every cell.",
    "State: the generalised Gibbs ensemble with occupations 1/(1 + exp(lambda)), lambda the "
    "Lagrange parameter; the limit of weak coupling and long rings.  Filling: particles per mode, "
    "conserved; at the share 1, modes that no process reaches keep the filling.",
    "Length: values are for the limit of long rings, and the distance to it is part of every "
    "error: what changes with momenta shifted by half a step and by a quarter to either side.  "
    "With length_is_physical: true the ensemble of this length itself is meant, and errors hold "
    "rounding alone.",
    "Suspect: bands closer to each other at some momentum than the coupling, since coherences "
    "between them are left out; and, unless the length is physical, rings of up to "
    f"{FEWEST_CELLS} cells, and of up to {FEW_CELLS} whose correlations at a fixed number of "
    "particles are not small (kind ring-exact has them).",
    "Currents are to the right, per bond; other quantities are per cell.  Exchange counts from the "
    "bath into the system.",
    "Particle noise: zero frequency, length times the integral of <<dI(t) dI(0)>> over t without a "
    "factor 2, over times longer than 1/coupling.  Entropy production: of both baths, the sum over "
    "pairs of modes and operators of (f_ab - f_ba) ln(f_ab/f_ba)/2, f_ab the rate of particles "
    "that go from a to b by the operator.",
)

FLOWS = with_errors(
    {
        "particle_current": Variable((), "t/hbar", "particle current to the right"),
        "particle_noise": Variable(
            (), "t/hbar", "zero-frequency noise of the particle current", NOT_NEGATIVE
        ),
        "entropy_production": Variable(
            (), "k_B*t/hbar", "entropy production of both channels", SECOND_LAW
        ),
    }
)
"""What every kind of ring has of a steady state."""

Complex = tuple[float, float]
"""Real and imaginary part."""
Estimates = dict[str, Any]


class ChainBand(Strict):
    """One band, -2 hopping cos k."""

    kind: Literal["chain"]
    hopping: float = quantity("hopping amplitude", "t", 1.0)

    @property
    def orbitals(self) -> tuple[str, ...]:
        """Names of the orbitals of a cell."""
        return ("1",)

    def hamiltonian(self) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Return matrices on a cell and to other cells, as `bands.bloch_bands` takes them."""
        return bands.chain_hamiltonian(self.hopping)


class RashbaBands(Strict):
    """Two bands of spins with spin-orbit coupling in a Zeeman field; orbitals up and down."""

    kind: Literal["rashba"]
    hopping: float = quantity("hopping amplitude", "t", 1.0)
    alpha_y: float = quantity("spin-orbit hopping that keeps the spin", "t")
    alpha_z: float = quantity("spin-orbit hopping that flips the spin", "t")
    zeeman: float = quantity("Zeeman energy of spin up, minus that of spin down", "t")

    @property
    def orbitals(self) -> tuple[str, ...]:
        """Names of the orbitals of a cell."""
        return "up", "down"

    def hamiltonian(self) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Return matrices on a cell and to other cells, as `bands.bloch_bands` takes them."""
        return bands.rashba_hamiltonian(self.hopping, self.alpha_y, self.alpha_z, self.zeeman)


class BlochBands(Strict):
    """Any bands: H = sum_j c_j^+ T_0 c_j + sum_{j,d} (c_{j+d}^+ T_d c_j + h.c.)."""

    kind: Literal["bloch"]
    onsite: Matrix = Field(
        description="rows of the Hermitian T_0; complex as '1+2j', '1+2i' or [1, 2]"
    )
    hoppings: dict[Annotated[int, Field(ge=1)], Matrix] = Field(
        description="distance d in cells -> rows of T_d"
    )

    def __hash__(self) -> int:
        return hash(self.onsite)

    @model_validator(mode="after")
    def _square(self) -> Self:
        size = len(self.onsite)
        with at_key("onsite"):
            require_square(self.onsite)
        for distance, rows in self.hoppings.items():
            with at_key("hoppings", distance):
                require_square(rows, size)
        return self

    @property
    def orbitals(self) -> tuple[str, ...]:
        """Names of the orbitals of a cell."""
        return tuple(str(i + 1) for i in range(len(self.onsite)))

    def hamiltonian(self) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Return matrices on a cell and to other cells, as `bands.bloch_bands` takes them."""
        hoppings = {d: np.array(rows) for d, rows in self.hoppings.items()}
        return np.array(self.onsite), hoppings


class TwoSite(Strict):
    """L_j = (c_j^+ + delta c_{j+1}^+)(c_j - delta_prime c_{j+1}), for one orbital."""

    kind: Literal["two-site"]
    delta: Complex = quantity("amplitude of creation, real and imaginary part", "1")
    delta_prime: Complex = quantity("amplitude of annihilation, real and imaginary part", "1")

    def operators(self, orbitals: int) -> list[np.ndarray]:
        """Return the operators as matrices over cells and orbitals."""
        return [rates.product_operator([1, complex(*self.delta)], [1, -complex(*self.delta_prime)])]


class Dephasing(Strict):
    """L_{j,s} = sqrt(rate_s) c_{js}^+ c_{js} for each orbital s."""

    kind: Literal["dephasing"]
    rates: tuple[Annotated[float, Field(ge=0)], ...] = quantity(
        "dephasing of each orbital, relative to the coupling", "1"
    )

    def operators(self, orbitals: int) -> list[np.ndarray]:
        """Return the operators as matrices over cells and orbitals."""
        if len(self.rates) != orbitals:
            raise KeyedError(f"{len(self.rates)} rates for {orbitals} orbitals", "rates")
        units = np.eye(len(self.rates))
        found = [np.sqrt(g) * np.diag(u) for g, u in zip(self.rates, units, strict=True) if g > 0]
        if not found:
            raise KeyedError("all are zero, so that there is no dissipator to normalise", "rates")
        return found


class LocalOperators(Strict):
    """L_j = sum_mn c_{j+m}^+ M_mn c_{j+n} for each of some matrices M."""

    kind: Literal["local"]
    matrices: Annotated[tuple[Matrix, ...], Field(min_length=1)] = Field(
        description="rows of each M over cell and orbital, cell by cell; complex as '1+2j', "
        "'1+2i' or [1, 2]"
    )

    @field_validator("matrices")
    @classmethod
    def _square(cls, matrices: Any) -> Any:
        for number, rows in enumerate(matrices):
            with at_key(number):
                require_square(rows)
        return matrices

    def operators(self, orbitals: int) -> list[np.ndarray]:
        """Return the operators as matrices over cells and orbitals."""
        return [np.array(rows) for rows in self.matrices]


class RandomOperator(Strict):
    """One operator on two cells with normal complex elements, made symmetric.

    inversion: M_mn = M_{1-m,1-n}; particle-hole: M_mn = (-1)^(m+n) M_nm, which with k -> pi - k
    exchanges particles and holes of -2 cos k; reciprocal: M Hermitian.
    """

    kind: Literal["random"]
    seed: Annotated[int, Field(ge=0)] = Field(description="number of the draw")
    symmetry: Literal["none", "inversion", "particle-hole", "reciprocal"] = "none"

    def operators(self, orbitals: int) -> list[np.ndarray]:
        """Return the operators as matrices over cells and orbitals."""
        if orbitals != 1:
            raise ValueError(f"a random operator is for one orbital, there are {orbitals}")
        real, imaginary = np.random.default_rng(self.seed).normal(size=(2, 2, 2))
        matrix = real + 1j * imaginary
        signs = np.array([[1, -1], [-1, 1]])
        partner = {
            "none": matrix,
            "inversion": matrix[::-1, ::-1],
            "particle-hole": signs * matrix.T,
            "reciprocal": matrix.conj().T,
        }[self.symmetry]
        return [(matrix + partner) / 2]


AnyBands = Annotated[ChainBand | RashbaBands | BlochBands, Discriminator("kind")]
AnyDissipator = Annotated[
    TwoSite | Dephasing | LocalOperators | RandomOperator, Discriminator("kind")
]


@functools.lru_cache(maxsize=4)
def _bloch_bands(kind: AnyBands, length: int, shift: float) -> bands.Bands:
    """Return the bands: the checks of a ring, and the points of a sweep, share them."""
    onsite, hoppings = kind.hamiltonian()
    return bands.bloch_bands(onsite, hoppings, length, shift)


@functools.lru_cache(maxsize=4)
def _channels(dissipator: AnyDissipator, modes: bands.Bands) -> list[rates.Channel]:
    return rates.operator_channels(modes, dissipator.operators(modes.count))


@functools.lru_cache(maxsize=1)
def _smallest_gap(kind: AnyBands) -> tuple[float, float]:
    return bands.smallest_gap(*kind.hamiltonian())


class Ring(Strict):
    """A ring between an equilibrium bath and a dissipator."""

    length: Annotated[int, Field(ge=3, le=1_000_000)] = quantity("number of cells", "1")
    momentum_shift: Annotated[float, Field(ge=0, lt=1)] = quantity(
        "shift of the momenta, in units of 2 pi/length", "1", 0.0
    )
    length_is_physical: bool = Field(
        False, description="whether this length is meant, not the limit of long rings"
    )
    bands: AnyBands
    dissipator: AnyDissipator
    inverse_temperature: float = quantity(
        "inverse temperature of the equilibrium bath", "1/t", ge=0
    )
    coupling: float = quantity("strength of both baths together", "t/hbar", gt=0)
    filling: float = quantity("particles per mode", "1", 0.5, gt=0, lt=1)

    @model_validator(mode="after")
    def _exists(self) -> Self:
        with at_key("bands"):
            modes = self.bloch_bands()
        with at_key("inverse_temperature"):
            rates.thermal_channel(modes, self.inverse_temperature)
        with at_key("dissipator"):
            orbitals = len(self.bands.orbitals)
            rates.require_operators(self.dissipator.operators(orbitals), orbitals)
        return self

    def bloch_bands(self) -> Bands:
        """Return the bands."""
        return _bloch_bands(self.bands, self.length, self.momentum_shift)

    def channels(self, modes: Bands) -> list[rates.Channel]:
        """Return the rates of the dissipator."""
        return _channels(self.dissipator, modes)


def steady(ring: Ring, share: float) -> SteadyState:
    """Return the steady state of a ring."""
    modes = ring.bloch_bands()
    return steady_state_at(
        modes, ring.inverse_temperature, ring.channels(modes), ring.coupling, share, ring.filling
    )


def steady_elsewhere(ring: Ring, share: float) -> SteadyState:
    """Return the steady state of a ring that others are compared with.

    Raises
    ------
    RuntimeError
        When Newton's method did not converge.
    """
    state = steady(ring, share)
    if not state.converged:
        raise RuntimeError("Newton's method did not converge at the shifted momenta")
    return state


def gibbs(ring: Ring) -> tuple[Estimate, float]:
    """Return the Gibbs state of the bath's temperature: Lagrange parameters, (modes,), and
    chemical potential over temperature."""
    return gibbs_log_odds(ring.bloch_bands(), ring.inverse_temperature, ring.filling)


def both_grids(ring: Ring, other: Ring, share: float) -> tuple[RateEquation, np.ndarray]:
    """Return one equation for the modes of two rings, and how much each mode counts in it.

    The modes of ``ring`` come first and only follow those of ``other``.
    """
    modes = bands.concatenated(ring.bloch_bands(), other.bloch_bands())
    thermal = rates.thermal_channel(modes, ring.inverse_temperature)
    # Rates are coupling/length, and the length of both is the sum.
    equation = rate_equation(modes, thermal, ring.channels(modes), 2 * ring.coupling, share)
    return equation, np.repeat([0.0, 1.0], equation.modes // 2)


def log_odds_elsewhere(ring: Ring, other: Ring, share: float, state: SteadyState) -> np.ndarray:
    """Return the Lagrange parameters of a ring's modes between the baths of another, ``state``."""
    equation, count = both_grids(ring, other, share)
    filled, empty = (np.tile(n, 2) * count for n in (state.occupation, state.vacancy))
    gain, drain = gain_and_drain(equation.out, equation.into, filled, empty)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(drain / gain)[count == 0]


def with_length(
    ring: Ring, estimates: Estimates, on_grid: Callable[[Ring], Estimates]
) -> tuple[Estimates, str]:
    """Return estimates whose errors hold the distance to the limit of long rings.

    Parameters
    ----------
    ring : Ring
        The ring of the values.
    estimates : mapping of str to Estimate
        By name.
    on_grid : callable
        Those of a ring with other momenta, under the same names.

    Returns
    -------
    estimates : dict
        With larger errors, unless the length is physical.
    fault : str
        Why an error lacks the distance; empty where none does.
    """
    found, reason = dict(estimates), "infinite"
    if ring.length_is_physical:
        return found, ""
    left = {name for name, (value, *_) in found.items() if np.isfinite(value).any()}
    names = sorted(left)
    for step in _STEPS:
        try:
            shifted = (ring.momentum_shift + step) % 1
            others = on_grid(ring.model_copy(update={"momentum_shift": shifted}))
        except (ValueError, RuntimeError) as error:
            reason = str(error)
            continue
        for name in names:
            value, off, undefined = found[name]
            distance = abs(np.subtract(value, others[name].value))
            if np.isfinite(distance[np.isfinite(value)]).all():
                found[name] = Estimate(value, off + distance, undefined)
                left.discard(name)
    if left:
        return found, f"no distance to long rings of {', '.join(sorted(left))}: {reason}"
    return found, ""


def doubt(ring: Ring, share: float, state: SteadyState | None) -> str:
    """Return why a value of a ring is suspect, whatever its error; empty where nothing is."""
    gap, momentum = _smallest_gap(ring.bands)
    # The equilibrium bath alone moves particles between modes whatever their energies.
    if share > 0 and gap < ring.coupling:
        return (
            f"the gap {gap:.3g} between two bands, at the momentum {momentum:.4g}, is below the "
            f"coupling {ring.coupling:g}: coherences between them are left out"
        )
    if state is None or ring.length_is_physical or ring.length > FEW_CELLS:
        return ""
    shift, velocity = correlation_shift(state), state.equation.bands.velocity.value
    largest = abs(shift).max()
    moved, current = (abs(velocity @ n) / ring.length for n in (shift, state.occupation))
    short = ring.length <= FEWEST_CELLS
    if short or largest > _SHIFT_OF_OCCUPATIONS or moved > _SHIFT_OF_CURRENT * current + 1e-9:
        return (
            f"{ring.length} cells are few: at a fixed number of particles correlations change "
            f"occupations by about {largest:.1g} and the current by about {moved:.1g}; "
            "study: ring-exact has them"
        )
    return ""


def judged(ring: Ring, share: float, state: SteadyState, fault: str = "") -> tuple[Status, str]:
    """Return status and message of the point of a steady state.

    Parameters
    ----------
    ring : Ring
        The ring.
    share : float
        Of the dissipator in the coupling.
    state : SteadyState
        Its state.
    fault : str
        What is wrong with its values.

    Returns
    -------
    status : Status
        Of the point.
    message : str
        Why it is not ok.
    """
    if not state.converged:
        return status_of(f"Newton's method left the residual {state.residual:.1e}")
    return status_of(doubt=fault or doubt(ring, share, state))


def flows(state: SteadyState) -> Estimates:
    """Return what `FLOWS` lists, with errors by rounding; infinite entropies as they are."""
    return {
        "particle_current": particle_current(state),
        "particle_noise": particle_noise(state),
        "entropy_production": total_entropy_production(state),
    }


def finite(entropy: Estimate) -> Estimate:
    """Return an entropy with NaN where it is infinite, and why."""
    value, error, reason = entropy
    if np.isinf(value).any():
        reason = "the dissipator has a process without reverse; other momenta may avoid it"
    value, error = (np.where(np.isfinite(x), x, np.nan) for x in (value, error))
    return Estimate(value, error, reason)


def mode_coordinates(ring: Ring) -> dict[str, Coordinate]:
    """Return the coordinates of the modes and of the orbitals."""
    count = len(ring.bands.orbitals)
    return {
        "momentum": Coordinate(
            bands.momenta(ring.length, ring.momentum_shift),
            "rad",
            "momentum times lattice constant",
        ),
        "band": Coordinate(np.arange(1, count + 1), "1", "band, from below"),
        "orbital": orbital_coordinate(ring),
    }


def orbital_coordinate(ring: Ring) -> Coordinate:
    """Return the names of the orbitals."""
    return Coordinate(np.array(ring.bands.orbitals), "1", "orbital")
