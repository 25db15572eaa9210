"""Integrals over the energy of open systems: the only caller of the quadrature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nessflow.spectrum.edges.windows import EdgeWindow
from nessflow.spectrum.mesh import EnergyMesh, energy_mesh
from nessflow.spectrum.quadrature import (
    COARSE,
    NODES,
    PANELS_PER_CALL,
    Integral,
    Panels,
    integrate_each,
    resolving,
)
from nessflow.systems.system import OpenSystem

ACCURACY = 1e-10
"""Error over value that all integrals aim at unless they are asked for another."""
_COLUMNS = ("value", "error", "size")
_FEW = 100
"""First panels up to which rounds of bisection cost more than the energies that they save."""


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
    edge_windows : sequence of EdgeWindow
        Windows about band edges, which are left out as well.
    """

    system: OpenSystem
    rtol: float = ACCURACY
    limits: tuple[float, float] = (-np.inf, np.inf)
    poles: np.ndarray | None = None
    everywhere: bool = False
    windows: Sequence[tuple[float, float]] = ()
    edge_windows: Sequence[EdgeWindow] = ()

    @cached_property
    def mesh(self) -> EnergyMesh:
        """First panels and what they do not resolve.

        Raises
        ------
        ValueError
            As `panels`.
        """
        mesh = self._mesh(resolving(self.rtol))
        return mesh if mesh.panels.size <= _FEW else self._mesh(COARSE)

    def _mesh(self, rho: float) -> EnergyMesh:
        ranges = self.limits, self.poles, self.everywhere, self.windows
        return energy_mesh(self.system, *ranges, rho, self.edge_windows)

    @property
    def panels(self) -> Panels:
        """Panels for what is summed at nodes that do not adapt.

        Raises
        ------
        ValueError
            When there are too many sites for the poles, as `nessflow.spectrum.mesh.known_poles`.
        """
        return self._mesh(resolving(self.rtol)).panels

    def integral(
        self,
        integrand: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
        peak: float | np.ndarray = 1.0,
        measure: Callable[[np.ndarray], np.ndarray] = np.abs,
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
        measure : callable
            As of `nessflow.spectrum.quadrature.integrate_each`.

        Returns
        -------
        Integral
            Of m components; the errors hold what is not resolved.

        Raises
        ------
        ValueError
            As `panels`.
        """
        return integrals([self], lambda w, _: integrand(w), peak, measure=measure)[0]


def integrals(
    spectra: Sequence[Spectrum],
    integrand: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    peak: float | np.ndarray = 1.0,
    at_a_time: int = NODES.size * PANELS_PER_CALL,
    measure: Callable[[np.ndarray], np.ndarray] = np.abs,
) -> list[Integral]:
    """Return integrals over ``dw / 2 pi`` of several systems, evaluated together.

    Those of each are the same to the last bit whichever others there are.

    Parameters
    ----------
    spectra : sequence of s Spectrum
        Of each system, with the same accuracy.
    integrand : callable
        ``integrand(w (n,), counts (s,)) -> (values (m, n), magnitudes (m, n))``, of the first
        system at the first ``counts[0]`` energies, and so on, as
        `nessflow.spectrum.quadrature.integrate_each` wants.
    peak : float, (m,) or (s, m) array
        As of `Spectrum.integral`, for all systems or for each.
    at_a_time : int
        Energies that the integrand is given at a time, about.
    measure : callable
        As of `nessflow.spectrum.quadrature.integrate_each`.

    Returns
    -------
    list of s Integral
        Of m components each; the errors hold what is not resolved.

    Raises
    ------
    ValueError
        As `Spectrum.panels`.
    """
    meshes = [x.mesh for x in spectra]
    panels = [x.flattened_panels for x in meshes]
    scales, panels_per_call = [x.scale for x in meshes], max(1, at_a_time // NODES.size)
    each = integrate_each(integrand, panels, scales, spectra[0].rtol, panels_per_call, measure)
    values, errors, sizes = (np.array([getattr(x, name) for x in each]) for name in _COLUMNS)
    unresolved, blurred = np.array([(x.unresolved, x.blurred) for x in meshes]).T[..., None]
    errors = errors + peak * (np.where(errors > 0, unresolved, 0.0) + blurred)
    columns = (column / (2 * np.pi) for column in (values, errors, sizes))
    found = zip(*columns, each, strict=True)
    return [
        Integral(value, error, size, x.converged, x.evaluations) for value, error, size, x in found
    ]
