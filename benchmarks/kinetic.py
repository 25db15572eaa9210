"""How far does the steady state of a weakly coupled ring scale?  Run: python benchmarks/kinetic.py

CPU time of one thread of the steady state (Newton's method), and of currents, three kinds of
noise and entropy production together, for the ring with spin-orbit coupling and dephasing of spin
up; peak memory of the process beyond the libraries.  Then the same steady state with all rates as
a matrix.
"""

import resource
import time

from nessflow.kinetic.bands import rashba_bands
from nessflow.kinetic.equation import gibbs_log_odds, rate_equation
from nessflow.kinetic.flows import energy_exchange, entropy_production, particle_current
from nessflow.kinetic.fluctuations import fluctuations
from nessflow.kinetic.rates import matrix_channel, operator_channels, thermal_channel
from nessflow.kinetic.steady import steady_state

UP = [[[1, 0], [0, 0]]]


def memory() -> float:
    """Peak memory of the process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def solved(cells: int, dense: bool = False):
    """Return the steady state, and the CPU time that it takes."""
    start = time.process_time()
    bands = rashba_bands(cells, 1.0, 1.1, 0.9, 1.0)
    channels = operator_channels(bands, UP)
    if dense:
        channels = [matrix_channel(channels[0].rates())]
    equation = rate_equation(bands, thermal_channel(bands, 2.0), channels, 0.05, 0.9)
    state = steady_state(equation, 0.5, gibbs_log_odds(bands, 2.0, 0.5)[0].value)
    return state, time.process_time() - start


def main() -> None:
    solved(50)
    libraries = memory()
    print("  modes  steady state  observables  beyond the libraries  current and its error")
    for cells in (100, 1000, 5000, 50000):
        state, first = solved(cells)
        start = time.process_time()
        current, error, _ = particle_current(state)
        fluctuations(state)
        for channel in state.equation.channels:
            entropy_production(state, channel)
            energy_exchange(state, channel)
        second = time.process_time() - start
        print(
            f"{2 * cells:7d}  {first:10.3f} s  {second:9.3f} s  "
            f"{memory() - libraries:17.0f} MB  {current:.12f} +- {error:.0e}"
        )
    _, dense = solved(500, dense=True)
    print(f"   1000  {dense:10.3f} s with a matrix of rates")
    print(f"libraries: {libraries:.0f} MB")


if __name__ == "__main__":
    main()
