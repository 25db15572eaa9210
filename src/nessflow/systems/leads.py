"""Leads: what a semi-infinite reservoir does to the site that it is coupled to.

One class is one kind of lead: its fields are the keys of a study file, its methods the physics.
It says nothing of where it is, nor how it is filled (`nessflow.systems.system.AttachedLead`).

A lead needs two things, the self-energy and the bands in which it has states.  From these follow
its broadening, its band edges, its derivatives and an energy where it is regular.  A self-energy
with a pole, of a state at the end of the lead or of a level that only the lead damps, says so
(`Lead.poles`): the pole is an orbital of its own beside the site, and the rest is regular.

On several sites a lead is the sum of its channels (`Lead.channels`), each with a vector v over the
sites and a self-energy sigma of its own: ``Sigma = sum_n v_n sigma_n(w) v_n^+``.  Its broadening is
then ``i (Sigma - Sigma^+) = V V^+`` with one column ``sqrt(Gamma_n) v_n`` for each open channel,
and the edges of all its channels are those of its subbands.

Units hbar = k_B = e = 1, energies in the hopping t.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from nessflow.parts import Part, quantity

_NODES = 32
"""Chebyshev nodes of numerical derivatives, within half the distance to the next edge."""
_NO_DISTANCE = 1e-150
"""Distance from a pole that stands for none; the self-energy there cuts the site off."""


class Lead(Part, ABC):
    """Lead with one channel on one site, and what it is on several."""

    home: ClassVar = __name__
    strength: ClassVar[str] = "coupling"
    """The field that is 0 where nothing is coupled."""
    has_rows: ClassVar[bool] = False
    """Whether its sites are rows of one lead, so that they come as a list, in order."""

    def channels(self, sites: int) -> tuple[tuple[np.ndarray, "Lead"], ...]:
        """Return the independent channels of the lead on several sites.

        Unless told, one like itself on each.

        Parameters
        ----------
        sites : int
            Number of sites m.

        Returns
        -------
        tuple of (vector, lead)
            Amplitudes over the sites, (m,), and the lead of one channel that they couple to.
        """
        return tuple((row, self) for row in np.eye(sites))

    def self_energy_matrix(self, energies: np.ndarray, sites: int) -> np.ndarray:
        """Return the retarded self-energy between several sites.

        Parameters
        ----------
        energies : (E,) array
            Real energies w, in t.
        sites : int
            Number of sites m.

        Returns
        -------
        (E, m, m) complex array
            ``sum_n v_n sigma_n v_n^+``, in t.
        """
        parts = [(v, lead.self_energy(energies)) for v, lead in self.channels(sites)]
        return sum(x[:, None, None] * np.outer(v, v.conj()) for v, x in parts)

    def channel_amplitudes(self, energies: np.ndarray, sites: int) -> np.ndarray:
        """Return V with ``i (Sigma - Sigma^+) = V V^+``.

        Parameters
        ----------
        energies : (E,) array
            Real energies w, in t.
        sites : int
            Number of sites m.

        Returns
        -------
        (E, m, c) complex array
            In the root of t, a column for each channel; zero where it is closed.
        """
        parts = [(v, lead.broadening_at(energies)) for v, lead in self.channels(sites)]
        return np.stack([np.sqrt(x)[:, None] * v for v, x in parts], axis=-1).astype(complex)

    @property
    @abstractmethod
    def bands(self) -> tuple[tuple[float, float], ...]:
        """Intervals of energies in which the lead has states, ascending, in t; may be infinite."""

    @abstractmethod
    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the retarded self-energy without its `poles`.

        Parameters
        ----------
        energies : array
            Real energies w, in t.

        Returns
        -------
        complex array
            In t, of the shape of the energies.
        """

    @property
    def poles(self) -> tuple[tuple[complex, float], ...]:
        """Poles of the self-energy, on or below the real line, and their residues, in t and t^2."""
        return ()

    def self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the retarded self-energy.

        Parameters
        ----------
        energies : array
            Real energies w, in t.

        Returns
        -------
        complex array
            In t, of the shape of the energies; huge at a pole, where the lead cuts off its site.
        """
        result = self.regular_self_energy(energies)
        for pole, residue in self.poles:
            distance = energies - np.asarray(pole)
            result = result + residue / np.where(distance == 0, _NO_DISTANCE, distance)
        return result

    def broadening_at(self, energies: np.ndarray) -> np.ndarray:
        """Return ``Gamma = -2 Im Sigma``.

        Parameters
        ----------
        energies : array
            Real energies w, in t.

        Returns
        -------
        float array
            In t; exactly 0 outside the bands.
        """
        return 0.0 - 2 * self.self_energy(energies).imag

    @cached_property
    def edges(self) -> tuple[float, ...]:
        """Ends of all bands that are finite, ascending, in t."""
        return tuple(edge for band in self.bands for edge in band if np.isfinite(edge))

    @property
    def bottom(self) -> float:
        """Lower edge of the lowest band, in t."""
        return self.bands[0][0]

    @property
    def top(self) -> float:
        """Upper edge of the highest band, in t."""
        return self.bands[-1][1]

    @property
    def is_banded(self) -> bool:
        """Whether all bands end."""
        return bool(np.isfinite(self.bottom) and np.isfinite(self.top))

    @cached_property
    def reference_energy(self) -> float:
        """Middle of the widest band, in t; 0 where bands do not end."""
        if not self.is_banded:
            return 0.0
        low, high = max(self.bands, key=lambda band: band[1] - band[0])
        return 0.5 * (low + high)

    @property
    def is_coupled(self) -> bool:
        """Whether the lead damps its site at any energy."""
        return bool(getattr(self, self.strength))

    @cached_property
    def tail(self) -> float:
        """Broadening at infinite energies, in t: what energy currents may diverge by."""
        return 0.0 if self.is_banded else float(self.broadening_at(np.array([np.inf]))[0])

    def has_states(self, energies: np.ndarray) -> np.ndarray:
        """Return whether energies are within a band, its edges left out.

        Parameters
        ----------
        energies : array
            In t.

        Returns
        -------
        bool array
            Of the shape of the energies.
        """
        return np.any([(low < energies) & (energies < high) for low, high in self.bands], axis=0)

    def regular_derivatives(self, energy: float) -> np.ndarray:
        """Return the self-energy without its `poles`, and its first two derivatives.

        Parameters
        ----------
        energy : float
            In t, not at an edge.

        Returns
        -------
        (3,) complex array
            In t, 1 and 1/t.
        """
        distance = min((abs(energy - edge) for edge in self.edges), default=1.0)
        width = 0.5 * min(distance, 1.0)
        nodes = np.polynomial.chebyshev.chebpts1(_NODES)
        values = self.regular_self_energy(energy + width * nodes)
        series = np.polynomial.chebyshev.chebfit(nodes, values, _NODES - 1)
        steps = (np.polynomial.chebyshev.chebder(series, k) for k in range(3))
        found = np.array([np.polynomial.chebyshev.chebval(0.0, step) for step in steps])
        return found / width ** np.arange(3)

    def derivatives(self, energy: float) -> np.ndarray:
        """Return the self-energy and its first two derivatives.

        Parameters
        ----------
        energy : float
            In t, at no edge and no pole.

        Returns
        -------
        (3,) complex array
            In t, 1 and 1/t.
        """
        result = self.regular_derivatives(energy).astype(complex)
        for pole, residue in self.poles:
            result += np.array([1, -1, 2]) * residue / (energy - pole) ** np.arange(1, 4)
        return result


def listed_bands(lead: Lead) -> str:
    """Return the bands of a lead as text."""
    return " and ".join(f"[{low:g}, {high:g}]" for low, high in lead.bands)


Attached = tuple[np.ndarray, np.ndarray, Lead]
"""Rows of a matrix, amplitudes v on them, and the lead that is coupled there."""


def bordered(matrix: np.ndarray, attached: Sequence[Attached]) -> np.ndarray:
    """Return a matrix with an orbital for each pole of the leads' self-energies.

    ``h + Sigma(w) - w`` with a pole, of residue r, is what is left of ``[[h + Sigma_regular(w), u],
    [u^+, pole]] - w`` with ``u = sqrt(r) v`` when the last orbital is eliminated.

    Parameters
    ----------
    matrix : (N, N) array
        In t.
    attached : sequence of Attached
        The leads.

    Returns
    -------
    (N + p, N + p) array
        The matrix first, then the poles; complex where a pole is.
    """
    orbitals = [(rows, v, *pole) for rows, v, lead in attached for pole in lead.poles]
    n, size = len(matrix), len(matrix) + len(orbitals)
    numbers = [x for _, v, pole, _ in orbitals for x in (np.ravel(v)[0], pole)]
    result = np.zeros((size, size), np.result_type(matrix, *numbers))
    result[:n, :n] = matrix
    for k, (rows, v, pole, residue) in enumerate(orbitals, n):
        result[k, k] = pole
        result[rows, k] = np.sqrt(residue) * v
        result[k, rows] = result[rows, k].conj()
    return result


class WideBand(Lead):
    """Lead with an energy-independent broadening, self-energy -i broadening / 2."""

    kind: Literal["wide-band"] = "wide-band"
    broadening: float = quantity("broadening of the contact site", "t", ge=0)

    strength: ClassVar = "broadening"
    bands: ClassVar = ((-np.inf, np.inf),)

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return ``-i broadening / 2``, see `Lead`."""
        return np.full(np.shape(energies), -0.5j * self.broadening)

    def broadening_at(self, energies: np.ndarray) -> np.ndarray:
        """Return the broadening, see `Lead`."""
        return np.full(np.shape(energies), float(self.broadening))

    def regular_derivatives(self, energy: float) -> np.ndarray:
        """Return the self-energy and two zeros, see `Lead`."""
        return np.array([-0.5j * self.broadening, 0.0, 0.0])


class SemiInfiniteChain(Lead):
    """Semi-infinite chain, coupled by one bond."""

    kind: Literal["semi-infinite-chain"] = "semi-infinite-chain"
    hopping: float = quantity("hopping inside the lead", "t", 1.0, gt=0)
    coupling: float = quantity("hopping between lead and contact site", "t", 1.0)
    onsite: float = quantity("on-site energy of the lead", "t", 0.0)

    @cached_property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """``onsite -+ 2 hopping``, in t."""
        return ((self.onsite - 2 * self.hopping, self.onsite + 2 * self.hopping),)

    def _reduced(self, energies: np.ndarray) -> np.ndarray:
        """Energy from the band centre in half band widths."""
        return (np.asarray(energies, float) - self.onsite) / (2 * self.hopping)

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the self-energy, see `Lead`.

        ``Sigma = coupling^2 g`` with the surface Green's function ``g`` of the chain, the root of
        ``hopping^2 g^2 - (w - onsite) g + 1 = 0`` that is retarded inside the band and decays as
        ``1/w`` outside.
        """
        x = self._reduced(energies)
        scale = self.coupling**2 / self.hopping
        square = (1 - x) * (1 + x)  # to the last bit at the edges, unlike 1 - x^2
        outside = square < 0
        root = np.sqrt(abs(square))
        result = np.empty(x.shape, complex)
        np.multiply(x, scale, out=result.real)
        np.multiply(root, -scale, out=result.imag)
        if outside.any():
            # 1/(x + root) instead of x - root, which cancels far away.
            np.copyto(result, scale / (x + np.copysign(root, x)), where=outside)
        return result[()]

    def regular_derivatives(self, energy: float) -> np.ndarray:
        """Return the self-energy and its first two derivatives, see `Lead`."""
        half, scale = 2 * self.hopping, self.coupling**2 / self.hopping
        x = self._reduced(energy)
        if abs(x) < 1:
            root = np.sqrt((1 - x) * (1 + x))
            found = scale * np.array([x - 1j * root, 1 + 1j * x / root, 1j / root**3])
        else:
            root = np.copysign(np.sqrt((x - 1) * (x + 1)), x)
            value = scale / (x + root)
            found = np.array([value, -value / root, scale / root**3 + 0j])
        return found / half ** np.arange(3)


class SemiInfiniteStrip(SemiInfiniteChain):
    """Semi-infinite strip of the square lattice, one row for each site, coupled by a bond each.

    Its channels are its transverse modes.  Rows of a column of the system in their order: with the
    hopping of the lattice as hopping and coupling, it continues a strip.
    """

    kind: Literal["semi-infinite-strip"] = "semi-infinite-strip"
    hopping: float = quantity("hopping inside the lead, along and across", "t", 1.0, gt=0)
    coupling: float = quantity("hopping between each row and its site", "t", 1.0)

    has_rows: ClassVar = True

    def channels(self, sites: int) -> tuple[tuple[np.ndarray, Lead], ...]:
        """Return the transverse modes as chains, see `Lead.channels`.

        Mode n of m rows, ``sqrt(2/(m+1)) sin(pi n j/(m+1))``, has the energy
        ``-2 hopping cos(pi n/(m+1))`` beside ``onsite``.
        """
        number, count = np.arange(1, sites + 1), sites + 1
        # Without rounding: nodes are zeros, and the energies are symmetric.
        turns = np.outer(number, number) % (2 * count)
        modes = np.where(turns % count, np.sin(np.pi * turns / count), 0.0) * np.sqrt(2 / count)
        energies = -2 * self.hopping * np.sin(np.pi * (count - 2 * number) / (2 * count))
        fields = {"hopping": self.hopping, "coupling": self.coupling}
        return tuple(
            (mode, SemiInfiniteChain(onsite=self.onsite + float(energy), **fields))
            for mode, energy in zip(modes, energies, strict=True)
        )


class SemiInfiniteSSH(Lead):
    """Semi-infinite Su-Schrieffer-Heeger chain: two bands and a gap, coupled by one bond.

    Where the hopping between cells is the larger one it has a state at its end, in the gap.
    """

    kind: Literal["semi-infinite-ssh"] = "semi-infinite-ssh"
    intracell: float = quantity("hopping within a cell, the first bond", "t", 1.0, gt=0)
    intercell: float = quantity("hopping between cells, the second bond", "t", 1.0, gt=0)
    coupling: float = quantity("hopping between lead and contact site", "t", 1.0)
    onsite: float = quantity("on-site energy of the lead", "t", 0.0)

    @cached_property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """``onsite -+ |intracell -+ intercell|``, in t; one band where they are equal."""
        gap = abs(self.intracell - self.intercell)
        top, e = self.intracell + self.intercell, self.onsite
        return ((e - top, e - gap), (e + gap, e + top)) if gap else ((e - top, e + top),)

    @property
    def _excess(self) -> float:
        """``t2^2 - t1^2`` without cancellation."""
        t1, t2 = self.intracell, self.intercell
        return (t2 - t1) * (t2 + t1)

    @property
    def poles(self) -> tuple[tuple[complex, float], ...]:
        """State at the end of the chain, of weight ``1 - (t1/t2)^2``."""
        if self._excess <= 0:
            return ()
        weight = self._excess / self.intercell**2
        return ((self.onsite, self.coupling**2 * weight),)

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the self-energy without that of the state at the end, see `Lead`.

        ``Sigma = coupling^2 g``, with the root ``g`` of
        ``w t2^2 g^2 - (w^2 + t2^2 - t1^2) g + w = 0`` that is retarded in the bands and decays as
        ``1/w`` outside, w from ``onsite``, t1 within and t2 between cells.
        """
        t1, t2 = self.intracell, self.intercell
        w = np.asarray(energies, float) - self.onsite
        w = np.where(w == 0, _NO_DISTANCE, w)
        size, gap, top = abs(w), abs(t1 - t2), t1 + t2
        square = (size - gap) * (size + gap) * (size - top) * (size + top)
        root = np.sqrt(abs(square))
        g = np.empty(w.shape, complex)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside, middle = square < 0, (square >= 0) & (size <= gap)
            np.copyto(g, 2 * w / (w * w + self._excess + root))
            if self._excess > 0:
                rest = w - w * (2 * (t1 * t1 + t2 * t2) - w * w) / (root + self._excess)
                np.copyto(g, rest / (2 * t2 * t2), where=middle)
            else:
                np.copyto(g, 2 * w / (w * w + self._excess - root), where=middle & (size < gap))
            end = self._excess / (w * t2 * t2) if self._excess > 0 else 0.0
            retarded = (w * w + self._excess - 1j * np.sign(w) * root) / (2 * w * t2 * t2) - end
            np.copyto(g, retarded, where=inside)
            np.copyto(g, g - end, where=(square >= 0) & (size >= top))
        return self.coupling**2 * g[()]


class Lorentzian(Lead):
    """Bath whose density of states is a Lorentzian: a level that a wide band damps."""

    kind: Literal["lorentzian"] = "lorentzian"
    coupling: float = quantity("hopping between the level and the contact site", "t", 1.0)
    onsite: float = quantity("energy of the level, the centre of the Lorentzian", "t", 0.0)
    half_width: float = quantity("half width at half maximum of the Lorentzian", "t", gt=0)

    bands: ClassVar = ((-np.inf, np.inf),)

    @property
    def poles(self) -> tuple[tuple[complex, float], ...]:
        """The damped level."""
        return ((self.onsite - 1j * self.half_width, self.coupling**2),)

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return zeros: ``coupling^2 / (w - onsite + i half_width)`` is all in the pole."""
        return np.zeros(np.shape(energies), complex)

    @cached_property
    def reference_energy(self) -> float:
        """Centre of the Lorentzian, in t."""
        return self.onsite
