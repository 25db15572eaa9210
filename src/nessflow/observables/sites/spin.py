"""Spin on the sites and through the bonds of lattices with two orbitals, spin up and down."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.observables.observable import Observable
from nessflow.outcome import Limits, Status, Variable, of_integrals, with_errors
from nessflow.scattering.sites.integrals import LocalIntegrals, local_integrals
from nessflow.solvers.pairwise import site_bonds
from nessflow.systems.matrices import as_sparse, matrix_elements
from nessflow.systems.system import OpenSystem

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
"""Pauli matrices x, y, z; orbital 1 of a site is spin up along z, orbital 2 down."""


class _Spin(Observable):
    """What needs elements of the correlation matrix between orbitals."""

    def evaluate_to(self, accuracy: float, system: OpenSystem) -> LocalIntegrals | None:
        """Return occupations and coherences; None where sites have no spin."""
        if system.orbitals != 2:
            return None
        if system.is_tridiagonal:
            names = ("hamiltonian", "loss", "gain")
            matrices = {name: as_sparse(getattr(system, name)).matrix for name in names}
            system = replace(system, **matrices)
        pairs = self.pairs(system)
        return local_integrals(system, ("filled", "coherences"), accuracy, between=pairs)

    def pairs(self, system: OpenSystem) -> np.ndarray:
        """Return the pairs of rows whose correlations are needed, (k, 2)."""
        raise NotImplementedError

    def fault(self, system: OpenSystem, result: LocalIntegrals | None) -> tuple[Status, str]:
        """Return whether the integrals converged."""
        return of_integrals(result is None or result.converged)


def _without_spin(system: OpenSystem, count: int) -> Estimate:
    number = f"{system.orbitals} orbital" + "s" * (system.orbitals > 1)
    reason = f"spin needs a lattice of orbitals: 2, up and down; its sites have {number}"
    return undefined(reason, (count, 3))


class SpinDensity(_Spin):
    """Spin on each site of a lattice of two orbitals, up and down."""

    name = "spin-density"
    variables = with_errors(
        {
            "spin_density": Variable(
                ("spin_site", "spin_component"), "hbar", "spin on the site", Limits(-0.5, 0.5)
            )
        }
    )
    conventions = (
        "Spin density: sum <c_s^+ (sigma_ss'/2) c_s'> over the orbitals of a site, 1 up and 2 down "
        "along z, of the states that the terminals fill.",
    )

    def pairs(self, system: OpenSystem) -> np.ndarray:
        """Return up and down of each site."""
        up = np.arange(0, system.sites, 2)
        return np.stack([up, up + 1], axis=1)

    def estimates(
        self, system: OpenSystem, result: LocalIntegrals | None
    ) -> Mapping[str, Estimate]:
        """Return the three components."""
        if result is None:
            return {"spin_density": _without_spin(system, system.sites // system.orbitals)}
        (n, n_error, _), (c, c_error, _) = result.parts["filled"], result.parts["coherences"]
        # With C_ij = <c_j^+ c_i>: s_x = Re C_12, s_y = -Im C_12.
        (x, y), (x_error, y_error) = np.split(c, 2), np.split(c_error, 2)
        z, z_error = 0.5 * (n[::2] - n[1::2]), 0.5 * (n_error[::2] + n_error[1::2])
        found = np.stack([x, -y, z], axis=1), np.stack([x_error, y_error, z_error], axis=1)
        return {"spin_density": Estimate(*found)}


class BondSpinCurrents(_Spin):
    """Spin current through each bond between sites of two orbitals, up and down."""

    name = "bond-spin-currents"
    variables = with_errors(
        {
            "bond_spin_current": Variable(
                ("spin_bond", "spin_component"), "t", "spin current through the bond, by hopping"
            )
        }
    )
    conventions = (
        "Bond spin current: Im Tr[{sigma, h_ji} <c_j^+ c_i>]/2 from site i to site j > i, half of "
        "the difference of the particle currents of spins along and against the component.  With "
        "spin-orbit coupling or a field across it the spin is not conserved: what enters a site is "
        "not what leaves it, and such currents flow in equilibrium too.",
    )

    def pairs(self, system: OpenSystem) -> np.ndarray:
        """Return all orbitals of one site with all of the other."""
        first, second = (2 * site_bonds(system)).T
        steps = ((0, 0), (0, 1), (1, 0), (1, 1))
        return (
            np.stack([[first + i, second + j] for i, j in steps]).transpose(2, 0, 1).reshape(-1, 2)
        )

    def estimates(
        self, system: OpenSystem, result: LocalIntegrals | None
    ) -> Mapping[str, Estimate]:
        """Return the three components of each bond."""
        sites = site_bonds(system)
        if result is None:
            return {"bond_spin_current": _without_spin(system, len(sites))}
        (real, imag), (real_error, imag_error) = (
            x.reshape(2, len(sites), 2, 2) for x in result.parts["coherences"][:2]
        )
        # Blocks <j|h|i> of the bonds, and the halves of their anticommutators with sigma/2.
        h = as_sparse(system.hamiltonian)
        pairs = self.pairs(system)[:, ::-1]
        blocks = matrix_elements(h, pairs).reshape(len(sites), 2, 2).swapaxes(1, 2)[:, None]
        moved = 0.25 * (PAULI @ blocks + blocks @ PAULI)
        value = 2 * np.einsum("bakm,bmk->ba", moved, real + 1j * imag).imag
        error = 2 * np.einsum("bakm,bmk->ba", abs(moved), real_error + imag_error)
        return {"bond_spin_current": Estimate(value, error)}
