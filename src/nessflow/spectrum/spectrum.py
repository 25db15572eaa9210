"""Integrals over the energy of one open system: the only caller of the quadrature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nessflow.spectrum.mesh import EnergyMesh, energy_mesh
from nessflow.spectrum.quadrature import Integral, Panels, integrate
from nessflow.systems.system import OpenSystem

ACCURACY = 1e-10
"""Error over value that all integrals aim at unless they are asked for another."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The energies of one system, and the accuracy of the integrals over them.

    Attributes
    ----------
    system : OpenSystem
        The system, by whose poles, band edges and Fermi steps the energies are divided.
    rtol : float
        Error over value aimed at, for every component of an integral by itself.  Rounding errors
        that are larger take its place and are part of the errors.
    limits : tuple of float
        Range beyond which the integrand vanishes, in t.
    poles : (p,) complex array, optional
        `nessflow.spectrum.mesh.known_poles` of the system, where they were computed before, or the
        poles of another Green's function.
    everywhere : bool
        Whether the integrals go on where no current flows, for occupations.
    windows : sequence of tuple of float
        Energies that are left out, with all poles in them.
    """

    system: OpenSystem
    rtol: float = ACCURACY
    limits: tuple[float, float] = (-np.inf, np.inf)
    poles: np.ndarray | None = None
    everywhere: bool = False
    windows: Sequence[tuple[float, float]] = ()

    @cached_property
    def _mesh(self) -> EnergyMesh:
        return energy_mesh(
            self.system, self.limits, self.poles, self.everywhere, self.windows, self.rtol
        )

    @property
    def panels(self) -> Panels:
        """First panels, for what is summed at nodes that do not adapt.

        Raises
        ------
        ValueError
            When there are too many sites for the poles, as `nessflow.spectrum.mesh.known_poles`.
        """
        return self._mesh.panels

    def integral(
        self,
        integrand: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
        peak: float | np.ndarray = 1.0,
        logarithmic_tail: bool = False,
    ) -> Integral:
        """Return integrals over ``dw / 2 pi``.

        Parameters
        ----------
        integrand : callable
            ``integrand(w (n,)) -> (values (m, n), magnitudes (m, n))``, as
            `nessflow.spectrum.quadrature.integrate` wants.
        peak : float or (m,) array
            Bound of the integrand for a transmission of 1: as much of it may hide in resonances and
            Fermi steps that double precision does not resolve.
        logarithmic_tail : bool
            Whether the integrand falls with a logarithm of the energy.

        Returns
        -------
        Integral
            Of m components; the errors hold what is not resolved.

        Raises
        ------
        ValueError
            As `panels`.
        """
        mesh = self._mesh
        panels = mesh.panels.graded_to_infinity() if logarithmic_tail else mesh.panels
        found = integrate(integrand, panels, self.rtol, mesh.scale)
        hidden = peak * (np.where(found.error > 0, mesh.unresolved, 0.0) + mesh.blurred)
        columns = (
            column / (2 * np.pi) for column in (found.value, found.error + hidden, found.size)
        )
        return Integral(*columns, found.converged, found.evaluations)
