"""Laws of leads, lattices, shapes, channels, disorder, observables and kinds: tests of own parts.

The parts of nessflow pass the same functions.  Each takes an instance with values at which the laws
are tried, and raises AssertionError with the law that fails, where, what was found and expected.
``docs/parts.md`` has an example of each kind of part; ``pytest`` is not needed.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import scipy.integrate
from pydantic import BaseModel

from nessflow.config.grid import points_of
from nessflow.config.project import load_study, parameters_of
from nessflow.config.study import own_variables, variables_at, variables_of
from nessflow.kinds import steady_current
from nessflow.observables.observable import Observable
from nessflow.outcome import Coordinate, Outcome, Status, Variable
from nessflow.parts import Part
from nessflow.registry import KIND_NEEDS, Kind, find_kind, kind_names, members
from nessflow.run.judge import judge
from nessflow.scattering.currents import steady_currents
from nessflow.spectrum.occupation import fermi
from nessflow.studies.systems import LeadRole, System, model_of, open_system
from nessflow.systems.channels.channel import Channels
from nessflow.systems.disorder.disorder import Additive, Disorder
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.leads.lead import Joined, Lead, bordered
from nessflow.systems.matrices import Tridiagonal, as_dense, checked
from nessflow.systems.shapes.shape import Shape
from nessflow.systems.system import AttachedLead, OpenSystem
from nessflow.validation import as_written, validated

_FAR = 1e7
"""Distance, in extents of the bands, at which only the weight of a lead is left."""
_WITHIN = np.array([1e-6, 0.013, 0.13, 0.23, 0.37, 0.513, 0.61, 0.83, 0.971, 1 - 1e-6])
"""Places in a band, in its width."""
_INNER = slice(3, 8)
"""Those that are not near an edge."""
_AROUND = np.array([-3.7, -1.3, -0.41, -0.13, -0.027, 0.003, 0.043, 0.37, 0.93, 2.1])
"""Energies from the reference energy of bands that do not end, in t."""
_ROUNDED = 1e-7
"""Distance by which leads are rounded, in extents of the bands."""
_SITES = (1, 3, 4)
"""Numbers of sites on which a lead is tried."""
_WIDE = {"kind": "wide-band", "broadening": 0.7}
_LEADS = {
    "left": {"kind": "semi-infinite-chain", "chemical_potential": 0.4, "temperature": 0.1},
    "right": {"kind": "semi-infinite-chain", "chemical_potential": -0.2, "temperature": 0.1},
}
_GOING_ON = {name: lead | {"kind": "continued"} for name, lead in _LEADS.items()}
SYSTEMS: Mapping[str, Mapping[str, Any]] = {
    "wire": {"lattice": {"kind": "chain", "sites": 5}, "leads": _LEADS},
    "cold": {
        "lattice": {"kind": "chain", "sites": 4, "onsite": 0.1},
        "leads": {name: lead | {"temperature": 0} for name, lead in _LEADS.items()},
    },
    "loss": {
        "lattice": {"kind": "chain", "sites": 5, "onsite": 0.3},
        "loss": {"kind": "bond", "rate": 0.2},
        "leads": _LEADS,
    },
    "loss and gain": {
        "lattice": {"kind": "ladder", "length": 3},
        "loss": {"kind": "sites", "rates": {2: 0.1}},
        "gain": {"kind": "onsite", "rate": 0.05},
        "leads": _LEADS,
    },
    "dark states": {"lattice": {"kind": "ring", "sites": 8}, "leads": _LEADS},
    "flux": {"lattice": {"kind": "ring", "sites": 5, "flux": 0.7}, "leads": _LEADS},
    "spin": {
        "lattice": {
            "kind": "chain",
            "sites": 2,
            "orbitals": 2,
            "onsite": ((0.2, 0.1), (0.1, -0.2)),
            "hopping": ((1, -0.4), (0.4, 1)),
        },
        "loss": {"kind": "onsite", "rate": 0.1, "orbital": 2},
        "leads": _GOING_ON,
    },
    "field": {
        "lattice": {
            "kind": "strip",
            "length": 2,
            "width": 2,
            "flux": 0.7,
            "onsite": (0.3, 0, 0, 0),
        },
        "leads": _GOING_ON,
    },
    "bound state": {
        "lattice": {"kind": "chain", "sites": 4, "onsite": (0, 2.5, 0, 0)},
        "leads": _LEADS,
    },
    "one lead": {
        "lattice": {"kind": "chain", "sites": 3},
        "leads": {"left": _WIDE | {"chemical_potential": 0.2, "temperature": 0.05}},
    },
    "three leads": {
        "lattice": {"kind": "star", "arms": 3, "length": 1},
        "leads": {
            name: _WIDE | {"chemical_potential": 0.1 * k, "temperature": 0.05, "site": k + 2}
            for k, name in enumerate("abc")
        },
    },
    "disorder": {
        "lattice": {"kind": "chain", "sites": 5},
        "disorder": {"kind": "uniform", "half_width": 1.0},
        "leads": _LEADS,
    },
    "vacancies": {
        "lattice": {"kind": "strip", "length": 3, "width": 2},
        "disorder": [
            {"kind": "vacancies", "concentration": 0.2},
            {"kind": "binary", "values": [0.0, 0.2], "on": "loss"},
        ],
        "leads": _LEADS,
    },
}
"""Systems at which observables are tried, unless others are given."""


class _Laws:
    """Says of one part which law it breaks."""

    def __init__(self, part: object):
        self.part = part

    def hold(self, fine: Any, law: str, found: object = "", expected: object = "") -> None:
        """Require that a law holds."""
        if not np.all(fine):
            said = f": found {found}" if str(found) else ""
            said += f", expected {expected}" if str(expected) else ""
            raise AssertionError(f"{self.part}: {law}{said}")

    def agree(
        self, law: str, found: Any, expected: Any, allowed: Any = 0.0, at: Any = None
    ) -> None:
        """Require that arrays agree within what is allowed; ``at`` names places along the first."""
        found, expected = np.asarray(found), np.asarray(expected)
        self.hold(found.shape == expected.shape, f"{law} (shape)", found.shape, expected.shape)
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        with np.errstate(invalid="ignore"):
            bad = ~(same | (abs(found - expected) <= allowed))
        if bad.any():
            index = tuple(np.argwhere(bad)[0])
            place = [str(i) for i in index]
            if at is not None:
                place[0] = f"{at[index[0]]:g}" if isinstance(at[index[0]], float) else place[0]
            where = f" at {', '.join(place)}" if place else ""
            self.hold(False, law + where, found[index], expected[index])


# --- parts ----------------------------------------------------------------------------------------


def _check_part(part: Part, family: type[Part]) -> _Laws:
    laws = _Laws(repr(part))
    kind = type(part)
    laws.hold(isinstance(part, family), "it is a part of its family", kind, family)
    laws.hold(part.kind == kind.model_fields["kind"].default, "`kind` is the default", part.kind)
    laws.hold(bool((kind.__doc__ or "").strip()), "its docstring says what it is")
    silent = [n for n, f in kind.model_fields.items() if n != "kind" and not f.description]
    laws.hold(not silent, "each key says what it means", f"none for {', '.join(silent)}")
    read, faults = validated(kind, as_written(part))
    laws.hold(not faults, "a study file can say its values", faults)
    laws.hold(read == part, "a study file with its values means the same part", read, part)
    return laws


def check_lead(lead: Lead) -> None:
    """Check the laws of leads.

    Parameters
    ----------
    lead : Lead
        With values at which it is coupled; those of a terminal are passed over.

    Raises
    ------
    AssertionError
        When it breaks one.
    """
    lead = model_of(lead) if isinstance(lead, LeadRole) else lead
    laws = _check_part(lead, Lead)
    whole = lead
    if whole.rows not in (None, 1):
        lead = _Along(whole=whole)
    _check_bands(laws, lead)
    energies = np.concatenate([*_inside(lead), *_outside(lead)])
    _check_broadening(laws, lead, energies)
    if lead.tail == 0:
        _check_causality(laws, lead)
    _check_derivatives(laws, lead)
    _check_poles(laws, lead, energies)
    for sites in _SITES if whole.rows is None else (whole.rows,):
        _check_on_sites(laws, whole, sites, energies)
    _check_rounding(laws, lead)
    _check_current(laws, lead)


class _Along(Lead):
    """What a lead on several sites is for one combination of them, which knows of all elements."""

    kind: str = ""
    whole: Lead

    @property
    def _vector(self) -> np.ndarray:
        row = np.arange(self.whole.rows or 0)
        return np.exp(2j * row**2) / (1 + row)

    @property
    def bands(self) -> tuple[tuple[float, float], ...]:
        return self.whole.bands

    @property
    def edges(self) -> tuple[float, ...]:
        return self.whole.edges

    @property
    def poles(self) -> tuple[tuple[complex, float], ...]:
        v = self._vector.conj()
        poles = self.whole.poles_on(self.whole.rows or 0)
        return tuple((pole, abs(v @ u) ** 2) for pole, u in poles)

    @property
    def uncoupled(self) -> Lead:
        return _Along(whole=self.whole.uncoupled)

    @property
    def is_coupled(self) -> bool:
        return self.whole.is_coupled

    def rounded(self, distance: float, number: int) -> Lead:
        other = self.whole.rounded(distance, number)
        return self if other is self.whole else _Along(whole=other)

    def broadening_at(self, energies: np.ndarray) -> np.ndarray:
        along = self._each(energies, self.whole.channel_amplitudes)
        return (abs(self._vector.conj() @ along) ** 2).sum(axis=-1).reshape(np.shape(energies))

    def self_energy(self, energies: np.ndarray) -> np.ndarray:
        return self._along(energies, self.whole.self_energy_matrix)

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        return self._along(energies, self.whole.regular_self_energy_matrix)

    def _along(self, energies: np.ndarray, function: Callable) -> np.ndarray:
        v, matrices = self._vector, self._each(energies, function)
        return np.array([v.conj() @ x @ v for x in matrices]).reshape(np.shape(energies))

    def _each(self, energies: np.ndarray, function: Callable) -> np.ndarray:
        return function(np.ravel(np.asarray(energies, float)), self.whole.rows)


def _intervals(lead: Lead) -> list[tuple[float, float]]:
    """Return the bands, cut where they do not end."""
    middle = lead.reference_energy
    return [(max(low, middle - 40), min(high, middle + 40)) for low, high in lead.bands]


def _inside(lead: Lead) -> list[np.ndarray]:
    """Return energies within each band, where it does not end around the reference energy too."""
    found = [low + (high - low) * _WITHIN for low, high in _intervals(lead)]
    return found if lead.is_banded else [*found, lead.reference_energy + _AROUND]


def _outside(lead: Lead) -> list[np.ndarray]:
    """Return energies in each gap, and below and above all bands."""
    found = [
        high + (low - high) * np.array([1e-9, 0.2, 0.437, 0.7, 1 - 1e-9])
        for (_, high), (low, _) in pairwise(lead.bands)
    ]
    width = _extent(lead)
    for edge, side in ((lead.bottom, -1), (lead.top, 1)):
        if np.isfinite(edge):
            found.append(edge + side * width * np.array([1e-9, 0.3, 1.7, 20.0, 1e3]))
    return found


def _extent(lead: Lead) -> float:
    """Return the distance between the outermost edges, 1 where there are none."""
    return lead.top - lead.bottom if lead.is_banded else 1.0


def _check_bands(laws: _Laws, lead: Lead) -> None:
    ends = [end for band in lead.bands for end in band]
    laws.hold(len(ends) > 0, "it has a band")
    rising = all(low < high for low, high in lead.bands) and ends == sorted(ends)
    laws.hold(rising, "its bands ascend and do not overlap", lead.bands)
    laws.hold(
        lead.has_states(lead.reference_energy),
        "its reference energy is in a band",
        lead.reference_energy,
        lead.bands,
    )
    for pole, residue in lead.poles:
        laws.hold(np.imag(pole) <= 0, "its poles are on or below the real line", pole)
        laws.hold(residue > 0, "the residues of its poles are positive", residue)
        if np.imag(pole) == 0:
            law = "a pole on the real line is in no band"
            laws.hold(not lead.has_states(np.real(pole)), law, pole, lead.bands)
    laws.hold(lead.is_coupled, f"`{lead.strength}` is what couples it, and not 0")
    middle = np.array([lead.reference_energy + 0.01 * _extent(lead)])
    nothing = lead.uncoupled.self_energy(middle)
    laws.agree(f"without `{lead.strength}` it does nothing", nothing, [0.0])


def _check_broadening(laws: _Laws, lead: Lead, energies: np.ndarray) -> None:
    sigma, gamma = lead.self_energy(energies), lead.broadening_at(energies)
    laws.agree("each energy is by itself", [lead.self_energy(w) for w in energies], sigma, 0.0)
    inside = lead.has_states(energies)
    laws.agree("Gamma = -2 Im Sigma", gamma, -2 * sigma.imag, 1e-14 * abs(sigma), energies)
    for energy, value in zip(energies[inside], gamma[inside], strict=True):
        laws.hold(value > 0, f"Gamma > 0 within its bands, at {energy:.9g}", value)
    laws.agree("Gamma is 0 outside its bands", gamma[~inside], 0 * gamma[~inside], 0.0)
    edges = np.array(lead.edges)
    is_told = ~np.isnan(lead.self_energy(edges))
    laws.hold(is_told, "Sigma at the edges of its bands is no NaN", edges[~is_told])


def _integral(lead: Lead, energy: float | None = None) -> float:
    """Return ``int dx/2pi Gamma(x)``, or the principal value with ``1/(energy - x)``."""

    def gamma(x: float) -> float:
        return float(lead.broadening_at(np.array([x]))[0]) / (2 * np.pi)

    total, middle, extent = 0.0, lead.reference_energy, _extent(lead)
    marks = [middle, *(middle + side * extent * 10.0**k for k in range(-1, 7) for side in (-1, 1))]
    marks += [np.real(pole) for pole, _ in lead.poles]
    for low, high in lead.bands:
        low, high = max(low, min(marks)), min(high, max(marks))
        inner = [x for x in marks if energy is None or abs(x - energy) > 1e-3 * extent]
        points = sorted({low, *(x for x in inner if low < x < high), high})
        for start, stop in pairwise(points):
            if energy is None:
                total += scipy.integrate.quad(gamma, start, stop, limit=500)[0]
            elif start < energy < stop:
                cauchy = {"weight": "cauchy", "wvar": energy}
                total -= scipy.integrate.quad(gamma, start, stop, limit=500, **cauchy)[0]
            else:
                total += scipy.integrate.quad(
                    lambda x: gamma(x) / (energy - x), start, stop, limit=500
                )[0]
    return total


def _check_causality(laws: _Laws, lead: Lead) -> None:
    """Retarded: ``Re Sigma`` is what follows from the broadening and the states that have none."""
    extent = _extent(lead)
    if lead.is_banded:
        energies = [low + x * (high - low) for low, high in lead.bands for x in (0.231, 0.617)]
        energies += [high + 0.3 * (low - high) for (_, high), (low, _) in pairwise(lead.bands)]
        energies += [lead.bottom - 0.4 * extent, lead.top + 0.8 * extent]
    else:
        energies = (lead.reference_energy + _AROUND).tolist()
    places = np.array(energies)
    real_poles = [(np.real(x), r) for x, r in lead.poles if np.imag(x) == 0]
    expected = [
        _integral(lead, w) + sum(r / (w - pole) for pole, r in real_poles) for w in energies
    ]
    found = lead.self_energy(places)
    allowed = 3e-6 * max(abs(found).max(), 1e-300)
    law = "Re Sigma is the Hilbert transform of Gamma and the poles (Kramers-Kronig)"
    laws.agree(law, found.real, expected, allowed, energies)
    if lead.is_banded:
        far = _FAR * max(extent, abs(lead.bottom), abs(lead.top)) * np.array([-1.0, 1.0])
        weight = _integral(lead) + sum(r for _, r in real_poles)
        law = "far away Sigma falls as (int Gamma/2pi + residues)/energy, energy x Sigma"
        laws.agree(law, lead.self_energy(far) * far, [weight] * 2, 3e-6 * weight, far)


def _check_derivatives(laws: _Laws, lead: Lead) -> None:
    energies = np.concatenate([x[_INNER] for x in _inside(lead)])
    if lead.is_banded:
        energies = np.append(energies, [lead.bottom - 0.3 * _extent(lead), lead.top + 0.7])
    for energy in energies:
        distance = min([1.0, *(abs(energy - x) for x in lead.edges)])
        distance = min([distance, *(abs(energy - pole) for pole, _ in lead.poles)])
        step = 1e-3 * distance
        for law, function, derivatives in (
            (
                "`regular_self_energy` is smooth, its poles apart",
                lead.regular_self_energy,
                Lead.regular_derivatives(lead, energy),
            ),
            (
                "Sigma, Sigma', Sigma'' are differences of Sigma",
                lead.self_energy,
                lead.derivatives(energy),
            ),
        ):
            around = function(energy + step * np.arange(-3, 4))
            first = np.dot([-1, 9, -45, 0, 45, -9, 1], around) / (60 * step)
            second = np.dot([2, -27, 270, -490, 270, -27, 2], around) / (180 * step**2)
            allowed = np.array([1e-11, 1e-9, 1e-6]) * abs(around).max() / distance ** np.arange(3)
            law = f"{law}, at the energy {energy:.6g}"
            laws.agree(law, derivatives, [around[3], first, second], allowed)


def _check_poles(laws: _Laws, lead: Lead, energies: np.ndarray) -> None:
    extent = _extent(lead)
    for energy in energies:
        if any(abs(energy - pole) < 1e-6 * extent for pole, _ in lead.poles):
            continue
        scale = lead.reference_energy
        matrix = np.array([[scale + 0.3, 0.2], [0.2, scale - 0.4]], complex)
        matrix[0, 0] += lead.regular_self_energy(energy)
        orbitals = [(np.array([0]), np.sqrt([residue]), pole) for pole, residue in lead.poles]
        whole = energy * np.eye(2 + len(orbitals)) - bordered(matrix, orbitals)
        matrix[0, 0] += lead.self_energy(energy) - lead.regular_self_energy(energy)
        expected = np.linalg.inv(energy * np.eye(2) - matrix)
        law = f"poles are orbitals beside the site, at the energy {energy:.6g}"
        allowed = 1e-11 * abs(expected).max()
        laws.agree(law, np.linalg.inv(whole)[:2, :2], expected, allowed)


def _check_on_sites(laws: _Laws, lead: Lead, sites: int, energies: np.ndarray) -> None:
    channels = lead.channels(sites)
    for vector, own in channels:
        laws.hold(np.shape(vector) == (sites,), f"amplitudes on {sites} sites", np.shape(vector))
        laws.hold(isinstance(own, Lead), "a channel is a lead", own)
    matrices = lead.self_energy_matrix(energies, sites)
    gamma = 1j * (matrices - matrices.conj().swapaxes(1, 2))
    v = lead.channel_amplitudes(energies, sites)
    size = abs(matrices).max()
    law = f"on {sites} sites i (Sigma - Sigma^+) = V V^+"
    laws.agree(law, v @ v.conj().swapaxes(1, 2), gamma, 1e-12 * size, energies)
    lowest = np.linalg.eigvalsh(gamma)[:, 0]
    laws.hold(lowest > -1e-12 * size, f"on {sites} sites Gamma has no negative eigenvalue", lowest)
    columns = (v != 0).any(axis=1).sum(axis=1)
    if any(isinstance(own, Joined) for _, own in channels):
        law = f"on {sites} sites V has columns where it has states"
        laws.agree(law, np.sign(columns), lead.has_states(energies).astype(int), 0, energies)
    else:
        opened = sum(own.has_states(energies).astype(int) for _, own in channels)
        law = f"on {sites} sites as many columns of V as open channels"
        laws.agree(law, columns, opened, 0, energies)


def _check_rounding(laws: _Laws, lead: Lead) -> None:
    """Rounded, its bands, and what a level between two transmits, are off by no more than said."""
    distance = _ROUNDED * _extent(lead)
    first, second = (lead.rounded(distance, number) for number in range(2))
    if first is lead:
        return
    laws.hold(first != second, "`rounded` is another lead for each number", first)
    energies = np.concatenate([x[_INNER] for x in _inside(lead)])
    nearest = np.min([abs(energies - x) for x in lead.edges] or [np.ones(energies.size)], axis=0)
    level = lead.reference_energy + 0.07 * min(1.0, _extent(lead))
    sigma = lead.self_energy(energies)
    # |dT| <= 4 |d Sigma| / |Im Sigma|, and Sigma varies over the distance to the next edge.
    allowed = 4 * abs(sigma / sigma.imag) * 2 * distance / nearest
    for number, other in enumerate((first, second)):
        law = f"`rounded` moves bands by twice the distance at most, number {number}"
        laws.agree(law, np.array(other.span), np.array(lead.span), 2 * distance)
        law = f"`rounded` changes what a level between two transmits by no more, number {number}"
        found, expected = (_transmission(x, level, energies) for x in (other, lead))
        laws.agree(law, found, expected, allowed, energies)


def _transmission(lead: Lead, level: float, energies: np.ndarray) -> np.ndarray:
    """Return what a level between two such leads transmits."""
    sigma = lead.self_energy(energies)
    return 4 * sigma.imag**2 / abs(energies - level - 2 * sigma) ** 2


def _check_current(laws: _Laws, lead: Lead) -> None:
    """One level between two such leads: the current of the engine and Landauer's integral."""
    middle = lead.reference_energy
    level = middle + 0.07 * min(1.0, _extent(lead))
    temperature = 0.1 * min(1.0, _extent(lead))
    potentials = middle + 2 * temperature, middle - temperature
    leads = [
        AttachedLead(name, 0, lead, mu, temperature)
        for name, mu in zip(("left", "right"), potentials, strict=True)
    ]
    zero = Tridiagonal.zero(1)
    matrix = Tridiagonal(np.array([level]), np.empty(0))
    found = steady_currents(OpenSystem(matrix, zero, zero, tuple(leads)))

    def integrand(energy: float) -> float:
        transmission = _transmission(lead, level, np.array([energy]))
        left, right = (fermi(np.array([energy]), mu, temperature) for mu in potentials)
        return float((transmission * (left - right))[0]) / (2 * np.pi)

    total, error = 0.0, 0.0
    reach = max(potentials) - min(potentials) + 40 * temperature
    for low, high in _intervals(lead):
        low, high = max(low, middle - reach), min(high, middle + reach)
        marks = [middle + x * temperature for x in (-10, -3, -1, 0, 1, 3, 10)] + [level]
        marks += [np.real(pole) for pole, _ in lead.poles]
        points = sorted({low, *(x for x in marks if low < x < high), high})
        for start, stop in pairwise(points) if low < high else ():
            part = scipy.integrate.quad(integrand, start, stop, limit=500, epsabs=1e-13)
            total, error = total + part[0], error + part[1]
    current, wrong, _ = found.particle_current.at(0)
    allowed = wrong + error + 1e-12
    law = "the current through a level between two such leads is Landauer's integral over its bands"
    laws.agree(law, current, total, allowed)


def check_lattice(lattice: Lattice) -> None:
    """Check the laws of lattices.

    Parameters
    ----------
    lattice : Lattice
        Of few sites.

    Raises
    ------
    AssertionError
        When it breaks one.
    """
    laws = _check_part(lattice, Lattice)
    sites, size = lattice.sites, lattice.size
    laws.hold(size == sites * lattice.orbitals, "`size` is sites times orbitals", size)
    try:
        clean = as_dense(checked("Hamiltonian", lattice.hamiltonian()))
    except ValueError as error:
        raise AssertionError(f"{lattice!r}: its Hamiltonian is Hermitian: {error}") from None
    law = "h has all `sites`, a row for each of their orbitals"
    laws.hold(clean.shape == (size, size), law, clean.shape, (size, size))
    laws.agree("h is the same twice", as_dense(checked("", lattice.hamiltonian())), clean)
    disorder = np.random.default_rng(1).normal(size=sites)
    found = as_dense(checked("", lattice.hamiltonian(disorder)))
    law = "disorder is added to the energies of the sites"
    energies = np.diag(np.repeat(disorder, lattice.orbitals))
    laws.agree(law, found, clean + energies, 1e-15 * abs(clean).max(initial=1))
    positions = lattice.positions
    fine = positions.shape[:1] == (sites,) and positions.ndim == 2 and np.isfinite(positions).all()
    laws.hold(fine, "`positions` has a row for each site", positions.shape, (sites, "d"))
    law = "no two sites are at one place"
    laws.hold(len(np.unique(positions.round(9), axis=0)) == sites, law, positions)
    contacts = lattice.contacts
    known = len(contacts) == 2 and all(1 <= site <= sites for site in contacts)
    laws.hold(known, "its two contacts are sites, from 1", contacts, f"1 to {sites}")
    first, second, hopping = lattice.bonds
    inside = [0 <= x < sites for x in (*first, *second)]
    laws.hold(all(inside), "bonds are between sites, from 0", (first, second), f"0 to {sites - 1}")
    pairs = [tuple(sorted(pair)) for pair in zip(first.tolist(), second.tolist(), strict=True)]
    laws.hold(all(j != k for j, k in pairs), "no bond is from a site to itself", pairs)
    laws.hold(len(set(pairs)) == len(pairs), "no bond is there twice, in either order", pairs)
    n = lattice.orbitals
    blocks = np.asarray(hopping)
    blocks = blocks if blocks.ndim == 3 else np.multiply.outer(blocks, np.eye(n))
    expected = np.zeros((sites, sites, n, n), complex)
    expected[first, second] = -blocks
    expected[second, first] = -blocks.conj().swapaxes(1, 2)
    within = clean.reshape(sites, n, sites, n)[range(sites), :, range(sites)]
    expected[range(sites), range(sites)] = within
    whole = expected.swapaxes(1, 2).reshape(size, size)
    law = "h[first, second] = -hopping of `bonds` is all there is beside the diagonal"
    laws.agree(law, clean, whole)
    for side in lattice.sides:
        _check_continuation(laws, lattice, side, clean)
    # Refuses sites beyond the last one, and no other.
    lattice.require_site(sites)
    _require_refusal(laws, "there is no site behind the last", lattice.require_site, sites + 1)


def _check_continuation(laws: _Laws, lattice: Lattice, side: str, h: np.ndarray) -> None:
    """Check that a lattice goes on as it is, but for a gauge and for energies of single sites."""
    try:
        going_on: Any = lattice.continuation(side)
        rows, cell, hopping, coupling = going_on
    except ValueError:
        return  # too small
    m, law = rows.size, f"beyond {side} there is an orbital for each of its rows"
    shapes = {x.shape for x in (cell, hopping, coupling)}
    laws.hold(shapes == {(m, m)} and len(set(rows.tolist())) == m, law, shapes, (m, m))
    laws.agree(f"beyond {side} cells are Hermitian", cell, cell.conj().T)
    between = 1 - np.kron(np.eye(m // lattice.orbitals), np.ones((lattice.orbitals,) * 2))
    law = f"beyond {side} cells are coupled within as the sites of {side}"
    own = abs(h[np.ix_(rows, rows)]) * between
    laws.agree(law, abs(cell) * between, own, 1e-14 * abs(h).max(initial=1))
    law = f"beyond {side} the first cell is coupled as the next ones"
    laws.agree(law, abs(coupling), abs(hopping), 1e-14 * abs(h).max(initial=1))


def _require_refusal(laws: _Laws, law: str, function: Any, *arguments: Any) -> None:
    try:
        function(*arguments)
    except ValueError:
        return
    laws.hold(False, law, "no ValueError")


def check_shape(shape: Shape) -> None:
    """Check the laws of shapes.

    Parameters
    ----------
    shape : Shape
        With values at which there is a site inside.

    Raises
    ------
    AssertionError
        When it breaks one.
    """
    laws = _check_part(shape, Shape)
    box = np.array(shape.box, float)
    fine = box.shape == (2, 2) and np.isfinite(box).all() and (box[:, 0] <= box[:, 1]).all()
    laws.hold(fine, "`box` is lowest and highest x, lowest and highest y", shape.box)
    around = [np.linspace(low - 1.5, high + 1.5, 101) for low, high in box]
    x, y = (each.ravel() for each in np.meshgrid(*around))
    inside = np.asarray(shape.contains(x, y))
    law = "`contains` tells of each point whether it is inside"
    laws.hold(inside.shape == x.shape and inside.dtype == bool, law, inside.dtype, bool)
    laws.hold(inside.any(), "some point is inside")
    for points, (low, high), name in ((x, box[0], "x"), (y, box[1], "y")):
        beyond = points[inside & ((points < low - 1e-6) | (points > high + 1e-6))]
        laws.hold(not beyond.size, f"{name} of what is inside is in its box", beyond, (low, high))
    for k in (0, int(np.argmax(inside))):
        one = shape.contains(x[k : k + 1], y[k : k + 1])
        laws.hold(np.array_equal(one, inside[k : k + 1]), "each point is by itself", one)


def check_channels(channels: Channels, lattice: Lattice | None = None) -> None:
    """Check the laws of loss and gain.

    Parameters
    ----------
    channels : Channels
        Loss or gain.
    lattice : Lattice, optional
        Of few sites, one that the channels fit; a chain of five sites unless told.

    Raises
    ------
    AssertionError
        When they break one.
    """
    laws = _check_part(channels, Channels)
    lattice = Chain(sites=5) if lattice is None else lattice
    sites = lattice.sites
    channels.require_fit(lattice)
    try:
        p = as_dense(checked("loss", channels.matrix(lattice)))
    except ValueError as error:
        raise AssertionError(f"{channels!r}: its matrix is Hermitian: {error}") from None
    laws.hold(p.shape == (sites, sites), "P has all sites", p.shape, (sites, sites))
    laws.agree("P is the same twice", as_dense(checked("", channels.matrix(lattice))), p)
    lowest = np.linalg.eigvalsh(p)[0]
    allowed = -1e-14 * abs(p).max(initial=1e-300)
    laws.hold(lowest >= allowed, "P has no negative eigenvalue", lowest, "at least 0")
    lead = dict(kind="wide-band", broadening=1.0, chemical_potential=0.0, temperature=0.0)
    system = System(lattice=lattice, loss=channels, gain=channels, leads={"left": lead})
    opened = open_system(system, None)
    every = np.arange(1, lattice.orbitals + 1)
    acts = np.diag([float(channels.orbital in (None, orbital)) for orbital in every])
    p = np.kron(p, acts)
    laws.agree("as loss it is P, alike on orbitals", as_dense(opened.loss), p)
    q = as_dense(checked("gain", channels.gain_matrix(lattice)))
    laws.agree("as gain it is Q, the transpose of P unless told", as_dense(opened.gain), q)


def check_disorder(disorder: Disorder) -> None:
    """Check the laws of disorder.

    Parameters
    ----------
    disorder : Disorder
        With values at which it is not 0.

    Raises
    ------
    AssertionError
        When it breaks one.
    """
    laws = _check_part(disorder, Disorder)

    def drawn(part: Disorder, sites: int, seed: int = 3) -> np.ndarray:
        positions = Chain(sites=sites).positions
        return np.asarray(part.draw(positions, np.random.default_rng(seed))) + 0.0

    count = next((n for n in range(1, 50) if _takes(disorder, n)), 0)
    if not disorder.is_random:
        numbers = drawn(disorder, count)
        laws.hold(numbers.shape == (count,), "one number for each place", numbers.shape)
        laws.agree("without chance all samples are one", drawn(disorder, count, seed=4), numbers)
        if not _takes(disorder, 50):
            _require_refusal(
                laws, "there is one number for each place", disorder.require_fit, count + 1
            )
        return
    laws.hold(count == 1 and _takes(disorder, 50), "it fits any number of places")
    numbers = drawn(disorder, 20)
    laws.hold(numbers.shape == (20,), "one number for each place", numbers.shape, "(20,)")
    fine = np.isrealobj(numbers) and np.isfinite(numbers).all()
    laws.hold(fine, "numbers are finite and real", numbers)
    laws.agree("the same stream gives the same numbers", drawn(disorder, 20), numbers)
    other = drawn(disorder, 20, seed=4)
    laws.hold(not np.array_equal(other, numbers), "another stream gives other numbers")
    law = "drawn place by place: the first sites of a longer lattice are those of a shorter one"
    laws.agree(law, drawn(disorder, 50)[:20], numbers)
    if isinstance(disorder, Additive):
        least = np.min(disorder.least)
        many = drawn(disorder, 1000)
        laws.hold(many.min() >= least, "no number is below `least`", many.min(), least)
        _check_scale(laws, disorder, numbers, drawn)


def _takes(disorder: Disorder, places: int) -> bool:
    try:
        disorder.require_fit(places)
    except ValueError:
        return False
    return True


def _check_scale(laws: _Laws, disorder: Additive, numbers: np.ndarray, drawn: Any) -> None:
    widths = {
        name: (4 * np.asarray(getattr(disorder, name))).tolist()
        for name, field in type(disorder).model_fields.items()
        if isinstance(field.json_schema_extra, dict)
        and field.json_schema_extra.get("natural_units") == "t"
    }
    laws.hold(bool(widths), "a key in units of t says how wide it is")
    widths = {k: tuple(x) if isinstance(x, list) else x for k, x in widths.items()}
    scaled = drawn(disorder.model_copy(update=widths), 20)
    law = f"numbers are drawn, then scaled: 4 times {', '.join(widths)} is 4 times the numbers"
    laws.agree(law, scaled, 4 * numbers, 1e-13 * abs(numbers).max())


# --- outcomes -------------------------------------------------------------------------------------


def _check_variables(laws: _Laws, variables: Mapping[str, Variable]) -> None:
    for name, variable in variables.items():
        laws.hold(isinstance(variable, Variable), f"{name} is a Variable", variable)
        laws.hold(bool(variable.long_name), f"{name} has a long name")
        base = name.removesuffix("_error")
        if base != name:
            laws.hold(base in variables, f"{name} is the error of a variable", "", base)
            same = variables[base].dims == variable.dims
            laws.hold(same, f"{name} has the dimensions of {base}", variable.dims)


def _check_outcome(
    laws: _Laws,
    outcome: Outcome,
    variables: Mapping[str, Variable],
    coordinates: Mapping[str, Coordinate],
) -> None:
    """Check what is said of one point."""
    dims = {dim for variable in variables.values() for dim in variable.dims}
    law = "its coordinates are the dimensions of its variables"
    own = {name for name, each in coordinates.items() if not getattr(each, "beside", "")}
    laws.hold(own == dims, law, sorted(own), sorted(dims))
    for dim, coordinate in coordinates.items():
        laws.hold(isinstance(coordinate, Coordinate), f"{dim} is a Coordinate", coordinate)
        law = f"{dim} has a value for each of the dimension that it is beside"
        beside = coordinates.get(coordinate.beside or dim)
        laws.hold(beside is not None and coordinate.values.shape == beside.values.shape, law)
    names, said = set(variables), set(outcome.values)
    laws.hold(said == names, "its values are its variables", sorted(said ^ names), "all of both")
    try:
        labels = {dim: coordinate.values for dim, coordinate in coordinates.items()}
        verdict = judge(outcome, variables, labels)
    except ValueError as error:
        raise AssertionError(f"{laws.part}: values have the dimensions told: {error}") from None
    fine = verdict.status == Status.OK
    law = "its values are within their limits, its errors not negative, each NaN has its reason"
    laws.hold(fine, law, f"{Status(verdict.status).name}: {verdict.message}")
    for name, value in verdict.values.items():
        off = verdict.values.get(f"{name}_error")
        if off is not None:
            law = f"{name} has an error where it has a value, and only there"
            laws.hold(np.isfinite(off) == np.isfinite(value), law, off, value)
    for name, reason in outcome.notes.items():
        laws.hold(name in variables, f"the reason of {name} is that of a variable", reason)
        undefined = not np.isfinite(verdict.values[name]).all()
        laws.hold(undefined or not reason, f"{name} has a reason because a value is NaN", reason)
    extra = outcome.limits.keys() - names
    laws.hold(not extra, "its limits are those of variables", sorted(extra))


def _require_same(laws: _Laws, law: str, one: Outcome, other: Outcome, names: Iterable) -> None:
    for name in names:
        same = np.asarray(one.values[name]).tobytes() == np.asarray(other.values[name]).tobytes()
        laws.hold(same, f"{law}: {name}", other.values[name], one.values[name])


def _named(name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise AssertionError(f"{name}: no such name; there are {', '.join(sorted(known))}")
    return known[name]


def check_observable(
    observable: Observable | type[Observable] | str,
    systems: Mapping[str, System | Mapping[str, Any]] | None = None,
) -> None:
    """Check the laws of observables.

    Parameters
    ----------
    observable : Observable
        With its parameters; the class, or its name, where it has none.
    systems : mapping of str to System, optional
        Systems at which it is tried, by a name for messages, or the same as in a study file;
        unless told some of each kind (`SYSTEMS`).

    Raises
    ------
    AssertionError
        When it breaks one.
    """
    if isinstance(observable, str):
        observable = _named(observable, members(Observable))
    if isinstance(observable, type):
        observable = observable()
    made: Any = observable
    kind: Any = type(made)
    _check_variables(_Laws(kind.__name__), kind.variables)
    laws = _Laws(repr(observable) if kind.model_fields else kind.__name__)
    laws.hold(bool((kind.__doc__ or "").strip()), "its docstring says what it is")
    for name, given in (SYSTEMS if systems is None else systems).items():
        laws = _Laws(f"{kind.__name__} of the system {name!r}")
        system = System.model_validate(given)
        parameters = steady_current.Parameters(system=system, observables=(observable,))
        found, again = (_evaluated(steady_current, parameters) for _ in range(2))
        _check_outcome(laws, found, kind.variables, steady_current.coordinates(parameters))
        _require_same(laws, "the same bits twice", found, again, kind.variables)
        rngs = [_generator(steady_current, parameters, seed) for seed in (1, 2)]
        alone = found, _evaluated(steady_current, parameters, 2)
        samples = steady_current.evaluate_many([parameters] * 2, rngs)
        law = "samples that are evaluated together are as alone"
        for one, other in zip(alone, samples, strict=True):
            _require_same(laws, law, one, other, kind.variables)
        others = [x for x in ("currents", "noise", "density") if x != made.name]
        many = steady_current.Parameters(system=system, observables=(observable, *others))
        together = _evaluated(steady_current, many)
        law = "its numbers do not depend on what else is asked for"
        _require_same(laws, law, found, together, kind.variables)
        laws.hold(found.notes.items() <= together.notes.items(), f"{law}: reasons")


def check_kind(kind: Kind | str, parameters: BaseModel | Mapping[str, Any] | None = None) -> None:
    """Check the laws of kinds of study.

    Parameters
    ----------
    kind : module or str
        The module of a kind, or its name.
    parameters : mapping, optional
        Parameters of a point, as in a study file; unless told the first and the last point of its
        example, ``examples/<kind>.yaml`` beside the module.

    Raises
    ------
    AssertionError
        When it breaks one.
    """
    if isinstance(kind, str):
        kind = find_kind(_named(kind, {name: name for name in kind_names()}))
    module: Any = kind
    name = module.__name__.rpartition(".")[2].replace("_", "-")
    laws = _Laws(f"kind {name}")
    missing = [need for need in KIND_NEEDS if not hasattr(kind, need)]
    laws.hold(not missing, "it says all that a kind has to", f"no {', '.join(missing)}")
    laws.hold(bool((kind.__doc__ or "").strip()), "its docstring says what it is")
    laws.hold(all(isinstance(x, str) for x in kind.CONVENTIONS), "CONVENTIONS are lines of text")
    _check_variables(laws, kind.VARIABLES)
    points = list(_points(laws, kind, name, parameters))
    outcomes = []
    for point in points:
        found, again = (_evaluated(kind, point) for _ in range(2))
        variables = variables_at(kind, point)
        _check_outcome(laws, found, variables, kind.coordinates(point))
        _require_same(laws, "the same bits twice", found, again, variables)
        outcomes.append(found)
    if hasattr(kind, "chosen"):
        _check_choice(laws, kind, points[0], outcomes[0])
    if hasattr(kind, "evaluate_many"):
        many = list(kind.evaluate_many(points, [_generator(kind, point) for point in points]))
        laws.hold(len(many) == len(points), "evaluate_many has an outcome for each point")
        for one, other in zip(outcomes, many, strict=True):
            law = "evaluate_many gives what evaluate gives"
            _require_same(laws, law, one, other, one.values)
            laws.hold(one.notes == other.notes, f"{law}: reasons", other.notes, one.notes)


def _check_choice(laws: _Laws, kind: Kind, point: BaseModel, found: Outcome) -> None:
    """Check that own variables and observables of a kind do not depend on each other."""
    own, default = own_variables(kind), variables_of(kind, {})
    laws.hold(dict(kind.VARIABLES) == default, "VARIABLES are its own and those of the default")
    if not own:
        return
    rng = np.random.default_rng(1) if kind.is_random(point) else None
    module: Any = kind
    observables = module.evaluate(point, rng, own=False)
    law = "observables are the same where its own variables are there already"
    _require_same(laws, law, observables, found, variables_at(kind, point).keys() - own.keys())
    alone = _evaluated(kind, point.model_copy(update={"observables": ()}))
    _require_same(laws, "its own variables do not depend on observables", alone, found, own)


def _points(laws: _Laws, kind: Kind, name: str, parameters: Any) -> Iterator[BaseModel]:
    """Yield the points at which a kind is tried."""
    if isinstance(parameters, BaseModel):
        yield parameters
    elif parameters is not None:
        yield kind.Parameters(**parameters)
    else:
        module: Any = kind
        path = Path(inspect.getfile(module)).parent / "examples" / f"{name}.yaml"
        laws.hold(path.is_file(), "it has an example, or parameters are given", f"no {path}")
        study = load_study(path, find_kind=lambda _: kind, one_point=True)
        points = list(points_of(study.axes))
        for labels in points[:1] + points[1:][-1:]:
            yield parameters_of(study, labels)


def _generator(kind: Kind, parameters: BaseModel, seed: int = 1) -> np.random.Generator | None:
    return np.random.default_rng(seed) if kind.is_random(parameters) else None


def _evaluated(kind: Kind, parameters: BaseModel, seed: int = 1) -> Outcome:
    return kind.evaluate(parameters, _generator(kind, parameters, seed))
