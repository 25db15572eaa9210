"""What does an ensemble cost against a plain script?  Run: python benchmarks/ensemble.py

Steady currents of 200 disordered chains of 100 sites with loss everywhere at low temperature (the
study `disorder-current` at V = 0.5), each with its error, against what one would write by hand:
`np.linalg.inv` at each energy of a uniform grid over [-4, 4] or [-40, 40] and the trapezoidal rule.
The script runs on a few samples; its time is scaled to the whole ensemble.  Errors are the largest
of the samples, relative, of the particle currents from the leads and of the net current.
"""

import os
import time

import numpy as np
from quadrature import sample

from nessflow.scattering.currents import steady_currents
from nessflow.systems.matrices import as_dense

SAMPLES = 200
SCRIPT_SAMPLES = 2
SITES, LOSS, DISORDER, TEMPERATURE, BROADENING = 100, 0.1, 0.5, 1e-4, 1.1
GRIDS = [(4.0, 301), (4.0, 1001), (4.0, 10_001), (40.0, 10_001)]


def chain_of(seed):
    return sample(SITES, LOSS, DISORDER, TEMPERATURE, bias=0.0, seed=seed)


def script(system, limit, count):
    """Return the particle currents from the left and right lead, the plain way."""
    left, right = system.leads
    hamiltonian = as_dense(system.hamiltonian)
    sigma = np.zeros((SITES, SITES), complex)
    sigma[0, 0] = sigma[-1, -1] = -0.5j * BROADENING
    effective = hamiltonian - 1j * LOSS * np.eye(SITES) + sigma
    energies = np.linspace(-limit, limit, count)
    integrand = np.empty((2, count))
    for k, energy in enumerate(energies):
        green = np.linalg.inv(energy * np.eye(SITES) - effective)
        between = BROADENING**2 * abs(green[0, -1]) ** 2
        f_left, f_right = (
            1 / (np.exp(min((energy - lead.chemical_potential) / TEMPERATURE, 700.0)) + 1)
            for lead in (left, right)
        )
        loss = [BROADENING * 2 * LOSS * np.sum(abs(green[i]) ** 2) for i in (0, -1)]
        integrand[0, k] = between * (f_left - f_right) + loss[0] * f_left
        integrand[1, k] = between * (f_right - f_left) + loss[1] * f_right
    return np.trapezoid(integrand, energies) / (2 * np.pi)


def ours():
    chain_of(0)
    steady_currents(chain_of(0))
    start = time.process_time()
    found = [steady_currents(chain_of(seed)) for seed in range(SAMPLES)]
    return found, time.process_time() - start


def relative_errors(found):
    """Return the largest reported errors over values, of the leads' currents and the net one."""
    leads = [x.particle_current.error[:2] / abs(x.particle_current.value[:2]) for x in found]
    net = [x.net_particle_current.error / abs(x.net_particle_current.value) for x in found]
    return np.max(leads), np.max(net)


def compare(limit, count, found, reference):
    """Print the script's time and true errors on a uniform grid."""
    start = time.process_time()
    values = np.array([script(chain_of(k), limit, count) for k in range(SCRIPT_SAMPLES)])
    seconds = (time.process_time() - start) * SAMPLES / SCRIPT_SAMPLES
    exact = np.array([x.particle_current.value[:2] for x in found[:SCRIPT_SAMPLES]])
    net = (values @ [1, -1]) / (exact @ [1, -1])
    errors = abs(values / exact - 1).max(), abs(net - 1).max()
    report(f"script, {count} energies in +-{limit:.0f}", seconds, reference, *errors)


def report(label, seconds, reference, leads, net):
    print(
        f"{label:32s}{seconds / reference:7.0f} x{leads:12.0e}{net:10.0e}{seconds:11.1f} s",
        flush=True,
    )


def main():
    print(f"load average {os.getloadavg()}")
    print(f"{'':32s}{'time':>9s}{'error: leads':>14s}{'net':>8s}{'CPU time':>13s}")
    found, seconds = ours()
    energies = np.mean([x.evaluations for x in found])
    report(f"nessflow, {energies:.0f} energies", seconds, seconds, *relative_errors(found))
    for limit, count in GRIDS:
        compare(limit, count, found, seconds)
    largest = max(x.particle_current.error.max() for x in found)
    print(f"largest reported error of a particle current of any sample: {largest:.0e} t/hbar")


if __name__ == "__main__":
    main()
