"""Steady states by dense matrices and adaptive integrals: nothing of the engine.

Leads of equal cells by ordered Schur forms of their equations of motion (`surface`), one matrix
inverse an energy, all channels of all terminals in one scattering matrix, loss and gain among them.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from surface import surface_self_energy


def fejer(n):
    """Nodes ``cos(pi k/(n + 1))`` within [-1, 1], every other of them of half the rule, weights."""
    angles, odd = np.pi * np.arange(1, n + 1) / (n + 1), np.arange(1, n + 1, 2)
    weights = np.sin(np.outer(angles, odd)) @ (1 / odd)
    return np.cos(angles), 4 * np.sin(angles) / (n + 1) * weights


_NODES, _MANY = fejer(31)
_FEW = fejer(15)[1]


@dataclass(frozen=True)
class Terminal:
    """A lead on some rows: a cell, a hopping outwards and a coupling, or a broadening matrix."""

    rows: tuple[int, ...]
    chemical_potential: float
    temperature: float
    cell: np.ndarray | None = None
    hopping: np.ndarray | None = None
    coupling: np.ndarray | None = None
    broadening: np.ndarray | None = None

    def self_energy(self, energy):
        if self.broadening is not None:
            return -0.5j * self.broadening
        return surface_self_energy(energy, (self.rows, self.cell, self.hopping, self.coupling))

    @cached_property
    def edges(self):
        """Energies between which subbands are, extrema of sorted bands: some too many."""
        if self.broadening is not None:
            return []

        def bands(wave):
            h = np.exp(1j * np.asarray(wave))[..., None, None] * self.hopping
            return np.linalg.eigvalsh(self.cell + h + np.swapaxes(h.conj(), -1, -2))

        waves, found = np.linspace(-np.pi, np.pi, 2001), []
        step = waves[1] - waves[0]
        for n, band in enumerate(bands(waves[:-1]).T):
            rise = np.diff(band, append=band[0])
            for place in np.flatnonzero(rise * np.roll(rise, 1) <= 0):
                sign = 1 if rise[place - 1] > 0 else -1
                low, high = waves[place] - step, waves[place] + step
                for _ in range(40):
                    inner = np.linspace(low, high, 5)
                    best = int(np.argmax(sign * bands(inner)[:, n]))
                    low, high = inner[max(best - 1, 0)], inner[min(best + 1, 4)]
                found.append(float(bands(0.5 * (low + high))[n]))
        return found

    def filled(self, energy):
        x = energy - self.chemical_potential
        if self.temperature == 0:
            return np.where(x < 0, 1.0, 0.0)
        return 1 / (1 + np.exp(np.clip(x / self.temperature, -700, 700)))


@dataclass(frozen=True)
class Dense:
    """An open system of dense matrices: h, loss P and gain Q, (N, N), and its leads."""

    hamiltonian: np.ndarray
    loss: np.ndarray
    gain: np.ndarray
    terminals: tuple[Terminal, ...]

    @property
    def count(self):
        """Number of terminals, loss and gain included."""
        return len(self.terminals) + 2

    def scattering(self, energies):
        """Return scattering matrices, (E, c, c), the terminal of each channel and occupations."""
        n, count = len(self.hamiltonian), len(energies)
        inverse = energies[:, None, None] * np.eye(n) - self.hamiltonian
        inverse = inverse + 1j * (self.loss + self.gain)
        columns, owner, filled = [], [], []

        def add(terminal, damping, rows, occupation):
            values, vectors = np.linalg.eigh(damping)
            wide = np.zeros((count, n, len(rows)), complex)
            wide[:, list(rows)] = vectors * np.sqrt(np.maximum(values, 0))[..., None, :]
            columns.append(wide)
            owner.extend([terminal] * len(rows))
            filled.extend([np.broadcast_to(occupation, count)] * len(rows))

        for number, lead in enumerate(self.terminals):
            sigma = np.array([lead.self_energy(energy) for energy in energies])
            inverse[(slice(None), *np.ix_(lead.rows, lead.rows))] -= sigma
            add(number, 1j * (sigma - sigma.conj().mT), lead.rows, lead.filled(energies))
        add(self.count - 2, 2 * self.loss, range(n), 0.0)
        add(self.count - 1, 2 * self.gain, range(n), 1.0)
        w = np.concatenate(columns, axis=2)
        s = 1j * w.conj().mT @ np.linalg.solve(inverse, w) - np.eye(w.shape[2])
        return s, np.array(owner), np.array(filled).T

    def at(self, energies):
        """Return what is integrated, (..., E): see `named`."""
        s, owner, filled = self.scattering(energies)
        out = s @ (filled[..., None] * s.conj().mT)
        mine = [np.flatnonzero(owner == a) for a in range(self.count)]
        # Sums of differences: what far away is filled alike does not cancel.
        change = (abs(s) ** 2 * (filled[:, :, None] - filled[:, None, :])).sum(axis=2)
        current = np.array([change[:, at].sum(axis=1) for at in mine])
        counted = []
        for at in mine:
            own = s[:, at]
            counted.append(-own.conj().mT @ own)
            counted[-1][:, at, at] += 1
        weight = filled[:, :, None] * (1 - filled[:, None, :])
        noise = [(weight * a * b.mT).real.sum(axis=(1, 2)) for a in counted for b in counted]
        made = 0.0
        for at in mine:
            levels = np.linalg.eigvalsh(out[(slice(None), *np.ix_(at, at))])
            made = made + entropy(levels) - entropy(filled[:, at])
        return np.concatenate([current, energies * current[:-2], noise, [made]])

    def integrated(self, accuracy=1e-11):
        """Return the integrals over dE/2pi by name, and a bound of their errors."""
        points = {e for lead in self.terminals for e in lead.edges}
        low, high = min(points, default=-1.0), max(points, default=1.0)
        for lead in self.terminals:
            mu, t = lead.chemical_potential, lead.temperature
            points |= {mu + k * t for k in (-30, -12, -4, 0, 4, 12, 30)}
        levels = np.linalg.eigvalsh(self.hamiltonian)
        low, high = min(low, levels[0] - 1, *points), max(high, levels[-1] + 1, *points)
        points = np.unique([low, high, *points, *levels])
        points = points[np.append(True, np.diff(points) > 1e-10)]
        value, error = 0.0, 0.0
        for first, last in pairwise(points):
            middle, half = 0.5 * (first + last), 0.5 * (last - first)

            def inner(x, middle=middle, half=half):
                return half * np.sin(x) * self.at(middle - half * np.cos(x))

            found = adaptive(inner, 0.0, np.pi, accuracy / len(points))
            value, error = value + found[0], error + found[1]
        tails = []
        for edge, sign in ((low, -1), (high, 1)):

            def tail(x, edge=edge, sign=sign):
                values = self.at(edge + sign * x * x / (1 - x)) * x * (2 - x) / (1 - x) ** 2
                # Energy currents have no tails, or diverge; those of entropies are logarithms.
                values[self.count : 2 * self.count - 2] = 0
                tails.append(abs(values[-1]).max())
                values[-1] = 0
                return values

            found = adaptive(tail, 0.0, 1.0, accuracy)
            value, error = value + found[0], error + found[1]
        if max(tails) > 1e-9:
            value[-1] = np.nan
        return self.named(value / (2 * np.pi)), self.named(error / (2 * np.pi))

    def named(self, numbers):
        leads, count = self.count - 2, self.count
        current, energy, noise, entropy = np.split(
            numbers, np.cumsum([count, leads, count * count])
        )
        return {
            "particle_current": current,
            "energy_current": energy,
            "particle_noise": noise.reshape(count, count),
            "scattering_entropy_production": entropy[0],
        }


def entropy(filled):
    x = np.clip(filled, 0, 1)
    return sum(-(y * np.log(np.where(y > 0, y, 1))).sum(axis=-1) for y in (x, 1 - x))


def adaptive(function, low, high, accuracy, depth=0):
    """Integral of a vector and its error, on halves of halves."""
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    values = half * function(middle + half * _NODES)
    found = values @ _MANY
    difference = abs(found - values[:, 1::2] @ _FEW)
    error = np.minimum(difference, (200 * difference) ** 1.5) + 1e-15 * abs(found)
    if error.max() < accuracy or depth > 9:
        return found, error
    halves = (low, middle), (middle, high)
    parts = [adaptive(function, *ends, 0.5 * accuracy, depth + 1) for ends in halves]
    return tuple(first + second for first, second in zip(*parts, strict=True))
