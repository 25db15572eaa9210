"""Is the quadrature worth having beside SciPy's?  Run: python benchmarks/quadrature.py

One sample of each kind, the same vectorised integrand (reference current and response current) for
all, CPU time and evaluations to reach the same true error.  Given to SciPy: the Fermi steps and
band edges as break points.  `quad_vec` takes one energy at a time and has no break points on an
infinite range, so it gets pieces.
"""

import itertools
import time

import numpy as np
from scipy.integrate import cubature, quad_vec

from nessflow.scattering.currents import reference_transmission, response_transmission
from nessflow.spectrum.mesh import energy_mesh
from nessflow.spectrum.occupation import fermi, fermi_difference
from nessflow.spectrum.quadrature import integrate
from nessflow.systems.disorder.uniform import Uniform
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.leads.wide_band import WideBand
from nessflow.systems.system import AttachedLead, OpenSystem, Tridiagonal

TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10, 1e-12)
TARGET = 1e-8


def sample(sites, loss, half_width, temperature, bias, finite_band=False, seed=1):
    onsite = Uniform(half_width=half_width).draw(np.zeros((sites, 1)), np.random.default_rng(seed))
    model = SemiInfiniteChain() if finite_band else WideBand(broadening=1.1)
    leads = [
        AttachedLead("left", 0, model, 0.1 + bias, temperature),
        AttachedLead("right", sites - 1, model, 0.1, temperature),
    ]
    rates = [Tridiagonal(np.full(sites, rate)) for rate in (loss, 0.0)]
    return OpenSystem(Chain(sites=sites).hamiltonian(onsite), *rates, leads)


CASES = {
    "loss .1 everywhere, N=100, kT=1e-4, V=1": sample(100, 0.1, 1.0, 1e-4, 0.5),
    "same between finite bands": sample(100, 0.1, 1.0, 1e-4, 0.5, finite_band=True),
    "no loss, N=100, W=1, kT=.1": sample(100, 0.0, 0.5, 0.1, 0.5),
    "no loss, N=200, W=2, kT=.1 (localised)": sample(200, 0.0, 1.0, 0.1, 0.5),
}


class Counted:
    """The integrand of one system, counting its evaluations."""

    def __init__(self, system):
        self.system, self.energies = system, 0
        self.lossless = not system.loss.any()

    def __call__(self, energies):
        self.energies += energies.size
        left, right = self.system.leads
        filled = fermi(energies, right.chemical_potential, right.temperature)
        response = response_transmission(self.system, energies)
        rows = [fermi_difference(energies, left, right) * response]
        if not self.lossless:
            rows.append(filled * reference_transmission(self.system, energies)[0])
        return np.array(rows)


def breaks(system):
    steps = [
        x.chemical_potential + x.temperature * np.array([-40, -20, -7, 0, 7, 20, 40])
        for x in system.leads
    ]
    edges = [edge for lead in system.leads for edge in lead.model.edges]
    return np.unique(np.concatenate([*steps, edges]))


def ours(function, rtol):
    def integrand(energies):
        values = function(energies)
        return values, abs(values)

    mesh = energy_mesh(function.system)
    return integrate(integrand, mesh.panels, rtol, mesh.scale).value


def by_cubature(function, rtol):
    points = [[x] for x in breaks(function.system)]
    found = cubature(lambda w: function(w[:, 0]).T, [-np.inf], [np.inf], rtol=rtol, points=points)
    return found.estimate


def by_quad_vec(function, rtol):
    points = np.concatenate([[-np.inf], breaks(function.system), [np.inf]])

    def one(energy):
        return function(np.array([energy]))[:, 0]

    pieces = itertools.pairwise(points)
    return sum(quad_vec(one, *piece, epsabs=0, epsrel=rtol, limit=2000)[0] for piece in pieces)


def cheapest(method, system, exact):
    """Return CPU time, evaluations and error of the loosest tolerance that meets the target."""
    for rtol in TOLERANCES:
        function = Counted(system)
        start = time.process_time()
        value = method(function, rtol)
        seconds = time.process_time() - start
        error = np.max(abs(value / exact - 1))
        if error <= TARGET or seconds > 60:
            break
    return seconds, function.energies, error


def main():
    print(f"true relative error to reach: {TARGET:g} in every component")
    for name, system in CASES.items():
        exact = ours(Counted(system), 1e-13)
        print(f"\n{name}")
        reference = None
        for label, method in (("ours", ours), ("cubature", by_cubature), ("quad_vec", by_quad_vec)):
            seconds, energies, error = cheapest(method, system, exact)
            reference = reference or seconds
            print(
                f"  {label:9s} {seconds * 1e3:10.1f} ms  {seconds / reference:7.1f} x ours  "
                f"{energies:8d} energies  error {error:.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
