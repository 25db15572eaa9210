"""Parameters of a ring of fermions, weakly coupled to an equilibrium bath and a dissipator."""

import functools
from typing import Annotated, Literal

import numpy as np
from pydantic import Discriminator, Field, field_validator, model_validator

from nessflow.kinetic import bands, rates
from nessflow.kinetic.equation import gibbs_log_odds
from nessflow.kinetic.flows import State
from nessflow.kinetic.peak import steady_state_at
from nessflow.kinetic.steady import SteadyState
from nessflow.studies.kind import Coordinate, Strict, quantity

CONVENTIONS = (
    "Ring: H = -hopping sum_j (c_{j+1}^+ c_j + h.c.) + ...; momenta k = -pi + 2 pi (j + "
    "momentum_shift)/length, j = 0, ..., length - 1; lattice constant 1; bands from below.",
    "Baths: d rho/dt = -i[H, rho] + coupling sum_i share_i (L rho L^+ - {L^+ L, rho}/2).  The "
    "coupling is epsilon J of the paper; steady occupations and currents do not depend on it.",
    "Equilibrium bath: one operator for each pair of modes, rate coupling/length times "
    "exp(beta (e_a - e_b)/2) from a to b.  Dissipator: operators on neighbouring cells, the same "
    "on every cell.",
    "State: the generalised Gibbs ensemble with occupations 1/(1 + exp(lambda)), lambda the "
    "Lagrange parameter; the limit of weak coupling and long rings.  Filling: particles per mode, "
    "conserved; at the share 1, modes that no process reaches keep the filling.",
    "Currents are to the right, per bond; other quantities are per cell.  Exchange counts from the "
    "bath into the system.",
)

Complex = tuple[float, float]
"""Real and imaginary part."""
Matrix = tuple[tuple[complex, ...], ...]


class ChainBand(Strict):
    """One band, -2 hopping cos k."""

    kind: Literal["chain"]
    hopping: float = quantity("hopping amplitude", "t", 1.0)

    @property
    def orbitals(self) -> tuple[str, ...]:
        """Names of the orbitals of a cell."""
        return ("1",)

    def bands(self, length: int, shift: float) -> bands.Bands:
        """Return the bands of a ring."""
        return bands.chain_bands(length, self.hopping, shift)


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

    def bands(self, length: int, shift: float) -> bands.Bands:
        """Return the bands of a ring."""
        return bands.rashba_bands(
            length, self.hopping, self.alpha_y, self.alpha_z, self.zeeman, shift
        )


class BlochBands(Strict):
    """Any bands: H = sum_j c_j^+ T_0 c_j + sum_{j,d} (c_{j+d}^+ T_d c_j + h.c.)."""

    kind: Literal["bloch"]
    onsite: Matrix = Field(description="rows of the Hermitian T_0; complex as '1+2j'")
    hoppings: dict[Annotated[int, Field(ge=1)], Matrix] = Field(
        description="distance d in cells -> rows of T_d"
    )

    def __hash__(self):
        return hash(self.onsite)

    @model_validator(mode="after")
    def _square(self):
        size = len(self.onsite)
        for name, rows in {"onsite": self.onsite, **self.hoppings}.items():
            if size == 0 or len(rows) != size or any(len(row) != size for row in rows):
                raise ValueError(f"{name}: expected {size or 1} rows of {size or 1} numbers each")
        return self

    @property
    def orbitals(self) -> tuple[str, ...]:
        """Names of the orbitals of a cell."""
        return tuple(str(i + 1) for i in range(len(self.onsite)))

    def bands(self, length: int, shift: float) -> bands.Bands:
        """Return the bands of a ring."""
        hoppings = {d: np.array(rows) for d, rows in self.hoppings.items()}
        return bands.bloch_bands(np.array(self.onsite), hoppings, length, shift)


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
            raise ValueError(f"rates: {len(self.rates)} for {orbitals} orbitals")
        units = np.eye(len(self.rates))
        found = [np.sqrt(g) * np.diag(u) for g, u in zip(self.rates, units, strict=True) if g > 0]
        if not found:
            raise ValueError("rates: all are zero, so that there is no dissipator to normalise")
        return found


class LocalOperators(Strict):
    """L_j = sum_mn c_{j+m}^+ M_mn c_{j+n} for each of some matrices M."""

    kind: Literal["local"]
    matrices: Annotated[tuple[Matrix, ...], Field(min_length=1)] = Field(
        description="rows of each M over cell and orbital, cell by cell; complex as '1+2j'"
    )

    @field_validator("matrices")
    @classmethod
    def _square(cls, matrices):
        for number, rows in enumerate(matrices, start=1):
            if any(len(row) != len(rows) for row in rows):
                raise ValueError(f"matrix {number} is not square")
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


@functools.lru_cache(maxsize=1)
def _bloch_bands(kind: AnyBands, length: int, shift: float) -> bands.Bands:
    """Return the bands: the checks of a ring, and the points of a sweep, share them."""
    return kind.bands(length, shift)


class Ring(Strict):
    """A ring between an equilibrium bath and a dissipator."""

    length: Annotated[int, Field(ge=3, le=1_000_000)] = quantity("number of cells", "1")
    momentum_shift: Annotated[float, Field(ge=0, lt=1)] = quantity(
        "shift of the momenta, in units of 2 pi/length", "1", 0.0
    )
    bands: AnyBands
    dissipator: AnyDissipator
    inverse_temperature: float = quantity(
        "inverse temperature of the equilibrium bath", "1/t", ge=0
    )
    coupling: float = quantity("strength of both baths together", "t/hbar", gt=0)
    filling: float = quantity("particles per mode", "1", 0.5, gt=0, lt=1)

    @model_validator(mode="after")
    def _exists(self):
        rates.thermal_channel(self.bloch_bands(), self.inverse_temperature)
        orbitals = len(self.bands.orbitals)
        rates.require_operators(self.dissipator.operators(orbitals), orbitals)
        return self

    def bloch_bands(self) -> bands.Bands:
        """Return the bands."""
        return _bloch_bands(self.bands, self.length, self.momentum_shift)

    def channels(self, modes: bands.Bands) -> list[rates.Channel]:
        """Return the rates of the dissipator."""
        return rates.operator_channels(modes, self.dissipator.operators(modes.count))


def steady(ring: Ring, share: float) -> SteadyState:
    """Return the steady state of a ring."""
    modes = ring.bloch_bands()
    return steady_state_at(
        modes, ring.inverse_temperature, ring.channels(modes), ring.coupling, share, ring.filling
    )


def gibbs(ring: Ring) -> np.ndarray:
    """Return the Lagrange parameters of the Gibbs state of the bath's temperature, (modes,)."""
    return gibbs_log_odds(ring.bloch_bands(), ring.inverse_temperature, ring.filling)[0]


def values_of(state: SteadyState) -> State:
    """Return the occupations of a steady state with their errors."""
    return State(state.equation, state.log_odds, state.log_odds_error)


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
