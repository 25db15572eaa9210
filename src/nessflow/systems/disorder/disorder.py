"""What every kind of disorder is: numbers of the sites or bonds of one sample."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from nessflow.parts import Part
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.places import SiteList, sites_of


class Disorder(Part, ABC):
    """What differs from sample to sample: fields are the keys of a study file, ``draw`` the rest.

    Derive from `Additive` where numbers are added to something.

    Attributes
    ----------
    on : str
        What it acts on: a key, or one and the same for all of a kind.
    is_random : bool
        Whether samples differ; where they do not, ``draw`` is given no generator.
    """

    home: ClassVar = __package__
    needs: ClassVar = ("on",)

    sites: SiteList | None = Field(
        None,
        description="sites that have it, and on bonds those between two of them: a list, {start, "
        "stop, step} with stop included, {where: x < 10} or the name of a region; left out: all",
    )

    if TYPE_CHECKING:

        @property
        def on(self) -> str:
            """What it acts on."""

    @property
    def is_random(self) -> bool:
        """Whether samples differ; they do unless told."""
        return True

    @abstractmethod
    def draw(self, positions: np.ndarray, rng: Any) -> np.ndarray:
        """Return what one sample has.

        Numbers are drawn place by place and scaled, so that the same generator gives the same
        sample at any width, and the first places of a longer lattice are those of a shorter one.

        Parameters
        ----------
        positions : (n, d) float array
            Of the sites or of the middles of the bonds, in lattice constants.
        rng : numpy.random.Generator or None
            What they are drawn from; None where nothing is random.

        Returns
        -------
        (n,) array
            A number for each place.
        """

    def inside(self, lattice: Lattice) -> np.ndarray | bool:
        """Return which sites, or which of the bonds of a lattice, have it: (n,) bool, or all."""
        if self.sites is None:
            return True
        chosen = np.zeros(lattice.sites, bool)
        chosen[np.array(sites_of(self.sites, lattice)) - 1] = True
        if self.on != "bonds":
            return chosen
        first, second, _ = lattice.bonds
        return chosen[first] & chosen[second]

    def require_fit(self, places: int) -> None:
        """Check that there is something for each place.

        Parameters
        ----------
        places : int
            Number of sites, or of bonds.

        Raises
        ------
        KeyedError
            At the key that has too many values or too few.
        """


def chosen(concentration: float, count: int, rng: np.random.Generator | None) -> np.ndarray:
    """Return which places are among those of a concentration, each with that probability.

    Parameters
    ----------
    concentration : float
        Between 0, no place, and 1, all of them.
    count : int
        Number n of places.
    rng : numpy.random.Generator or None
        What they are drawn from; None where that is none or all.

    Returns
    -------
    (n,) bool array
        A place that is among those of one concentration is among those of every larger one.
    """
    numbers = np.full(count, 0.5) if rng is None else rng.uniform(size=count)
    return numbers < concentration


class Additive(Disorder):
    """Numbers that are added to energies of sites, to hoppings or to rates."""

    on: Literal["sites", "bonds", "loss", "gain"] = Field(
        "sites",
        description="added to energies of sites, hoppings of bonds (phases stay), or rates of loss "
        "or gain on sites",
    )

    @property
    def least(self) -> float | np.ndarray:
        """Least number that can come, or that of each place: rates must stay above 0 with it."""
        return -np.inf


def sites_or_bonds(lattice: Lattice, on: str, drawn: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return where disorder has its numbers, in the order in which it has them.

    Parameters
    ----------
    lattice : Lattice
        The lattice.
    on : str
        What disorder acts on.
    drawn : bool
        Whether bonds come in the order in which a growing lattice gets them, by their higher, then
        their lower site, as for numbers that are drawn; else by their lower, then their higher
        site, as bonds are numbered.

    Returns
    -------
    order : (n,) int array
        Sites, or places among the ``bonds`` of the lattice, from 0.
    positions : (n, d) float array
        Of these, in lattice constants.
    """
    at = lattice.positions
    if on != "bonds":
        return np.arange(len(at)), at
    ends = np.sort(np.stack(lattice.bonds[:2]), axis=0)
    order = np.lexsort(ends if drawn else ends[::-1])
    return order, at[ends[:, order]].mean(axis=0)
