"""What do exact relaxation and master equations cost?  Run: python benchmarks/lindblad.py

A map of 80 x 80 chemical potentials through the study kind, each point with its parameters checked;
the exact evolution at 200 times for Gamma/Omega = 0.002; all equations at one point; a master
equation's third cumulant against a Fock-space superoperator.  CPU time, one thread.
"""

import sys
import time
from pathlib import Path

import numpy as np

from nessflow.kinds import asymptotic_rates, master_equations
from nessflow.lindblad.additive import local_equation
from nessflow.lindblad.counting import transport
from nessflow.lindblad.propagator import evolve as evolve_approximately
from nessflow.scattering.evolution import evolve
from nessflow.studies.networks import NetworkParameters

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from fock import FockEquation


def parameters(mu=(1.0, 0.2), temperature=(0.05, 0.05), sites=2, coupling=0.01, bandwidth=10.0):
    """Return the network of Fig. 5."""
    reservoirs = {
        name: {"chemical_potential": mu[k], "temperature": temperature[k]}
        for k, name in enumerate(("left", "right"))
    }
    network = {"sites": sites, "energy": 1.0, "detuning": 0.1, "tunnelling": 0.5}
    bath = {"coupling": coupling, "bandwidth": bandwidth}
    return NetworkParameters.model_validate({"network": network, "reservoirs": reservoirs | bath})


def seconds(function):
    """Return CPU time and result."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def rates_map(points=80):
    """Return the largest relative non-Markovianity of a map."""
    potentials = np.linspace(0, 2, points)
    return max(
        asymptotic_rates.evaluate(parameters((left, right)), None).values[
            "relative_non_markovianity"
        ]
        for left in potentials
        for right in potentials
    )


def main():
    master_equations.evaluate(parameters(), None)  # compiles what is compiled
    spent, largest = seconds(rates_map)
    print(f"map of 80 x 80 rates             {spent:8.2f} s   largest nu/Gamma {largest:.4f}")
    system = parameters((1.0, 0.0), (0.1, 0.1), coupling=0.2, bandwidth=100.0).system()
    times = np.linspace(0, 25, 201)
    spent, found = seconds(lambda: evolve(system, times))
    print(f"exact evolution, 200 times       {spent:8.2f} s   error {found.error.max():.1e}")
    spent, found = seconds(lambda: evolve_approximately(system, times))
    print(f"approximate evolution, 200 times {spent:8.2f} s   error {found.error.max():.1e}")
    for sites in (2, 8, 16):
        point = parameters(sites=sites, coupling=0.1)
        spent, _ = seconds(lambda: master_equations.evaluate(point, None))  # noqa: B023
        print(f"six equations, {sites:2d} sites          {spent:8.3f} s")
    for sites in (2, 3, 4):
        equation = local_equation(parameters(sites=sites).system())
        spent, found = seconds(lambda: transport(equation))  # noqa: B023
        fock, cumulants = seconds(lambda: FockEquation(equation).cumulants(0))  # noqa: B023
        error = abs(found.third_cumulant.value[0] / cumulants[2] - 1)
        print(
            f"three cumulants, {sites} sites         {1e3 * spent:8.2f} ms  Fock space"
            f" {1e3 * fock:.1f} ms, difference {error:.0e}"
        )


if __name__ == "__main__":
    main()
