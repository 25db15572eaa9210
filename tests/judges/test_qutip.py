"""QuTiP judges master equations, scattering at infinite bias and rate equations of rings.

It knows many-body states and jumps alone: no Gaussian state, no scattering, no momentum.
"""

from itertools import permutations
from pathlib import Path

import numpy as np
from judge import JUDGES, judge, needs_judges

from attached import wide_band_at
from lattices import chain
from nessflow.kinetic.bands import chain_bands
from nessflow.kinetic.equation import rate_equation
from nessflow.kinetic.rates import operator_channels, product_operator, thermal_channel
from nessflow.lindblad.additive import local_equation
from nessflow.lindblad.counting import transport
from nessflow.lindblad.equation import MasterEquation
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.counting import lead_cumulants
from nessflow.scattering.currents import steady_currents
from nessflow.scattering.noise import terminal_noise
from nessflow.scattering.profiles import terminal_currents
from nessflow.systems.matrices import Tridiagonal, as_dense
from nessflow.systems.system import OpenSystem
from small_rings import many_body_current

TIMES = np.array([0.0, 0.2, 1.0, 4.0, 20.0])
CLOSE = {"rtol": 0.0, "atol": 1e-11}

pytestmark = needs_judges


def judged(capsys, folder, equations):
    """Ask QuTiP about equations by name."""
    for name, equation in equations.items():
        np.savez(folder / f"{name}.npz", **equation)
    script = Path(__file__).with_name("many_body.py")
    judge(capsys, JUDGES / "python", "-W", "ignore", script, folder)
    return {name: dict(np.load(folder / f"{name}.judged.npz")) for name in equations}


def close(found, expected):
    np.testing.assert_allclose(found, expected, **CLOSE)


# --- master equations -----------------------------------------------------------------------------


def random_channels(rng, sites):
    """Loss and gain of the ends, of every site, and of all sites together, (3, N, N) each."""
    loss, gain = rng.normal(size=(2, 3, sites, sites)) + 1j * rng.normal(size=(2, 3, sites, sites))
    for channels in (loss, gain):
        channels[:2] = np.eye(sites) * channels[:2]
        channels[0, 1:-1] = 0.0
    return 0.6 * loss, 0.4 * gain


def random_equation(seed, sites):
    """Hamiltonian and channels, and the same with rate matrices."""
    rng = np.random.default_rng(seed)
    h = rng.normal(size=(sites, sites)) + 1j * rng.normal(size=(sites, sites))
    h = 0.5 * (h + h.conj().T)
    loss, gain = random_channels(rng, sites)
    rates = [
        np.einsum("amk,amj->akj", loss.conj(), loss),
        np.einsum("amj,amk->ajk", gain, gain.conj()),
    ]
    equation = MasterEquation(("ends", "sites", "all"), h, *rates)
    return {"hamiltonian": h, "loss": loss, "gain": gain, "times": TIMES[1:]}, equation


def test_master_equations_are_those_of_many_bodies(tmp_path, capsys):
    """Steady state, currents, noise, third cumulant and relaxation of any h, loss and gain."""
    cases = {f"{n}-sites-{seed}": random_equation(seed, n) for n in (2, 3, 4) for seed in (1, 2)}
    answers = judged(capsys, tmp_path, {name: case[0] for name, case in cases.items()})
    for name, (_, equation) in cases.items():
        found, many_body = transport(equation), answers[name]
        close(equation.steady_density, many_body["density"])
        for quantity in ("particle_current", "energy_current", "particle_noise", "third_cumulant"):
            close(getattr(found, quantity).value, many_body[quantity])
        relaxation = many_body["relaxation"]
        close(equation.relaxation(relaxation[0], TIMES), relaxation)
        assert abs(relaxation[1] - relaxation[0]).max() > 0.01


# --- scattering -----------------------------------------------------------------------------------

INFINITE = 1e14
"""Chemical potential, in t, at which a wide-band lead is white noise."""


def ends(sites, broadening):
    """Lead that fills at the first and lead that empties at the last site."""
    values = zip(("left", "right"), (0, sites - 1), broadening, (INFINITE, -INFINITE), strict=True)
    return [wide_band_at(*value, temperature=0.0) for value in values]


def channels_of(system, loss, gain):
    """Jumps of the two leads at infinite bias, of loss and of gain.

    Channels of loss and gain are counted twice: they enter with ``2 L rho L^+``.
    """
    n = system.sites
    out, into = np.zeros((2, 4, n, n), complex)
    into[0, 0, 0] = np.sqrt(system.leads[0].model.broadening)
    out[1, 0, -1] = np.sqrt(system.leads[1].model.broadening)
    out[2, : len(loss)], into[3, : len(gain)] = np.sqrt(2) * loss, np.sqrt(2) * gain
    h = as_dense(system.hamiltonian)
    return {"hamiltonian": h, "loss": out, "gain": into, "times": TIMES[1:2]}


def monitored_chain(seed, sites):
    """Chain with loss from every bond, gain on every site and random hopping."""
    rng = np.random.default_rng(seed)
    hopping = rng.normal(size=sites - 1) + 1j * rng.normal(size=sites - 1)
    h = chain(sites, hopping, rng.normal(size=sites))
    loss = 0.4 * (np.eye(sites) + np.exp(1j * rng.uniform(0, 6)) * np.eye(sites, k=1))
    gain = np.diag(rng.uniform(0, 0.5, sites))
    rates = [tridiagonal(x.conj().T @ x) for x in (loss, gain)]
    system = OpenSystem(h, *rates, ends(sites, rng.uniform(0.2, 2, 2)))
    return system, channels_of(system, loss, gain)


def driven_chain(sites):
    """Chain that a rate 0.3 fills at one end and empties at the other."""
    zero = np.zeros((sites, sites))
    rates = [Tridiagonal.zero(sites)] * 2
    system = OpenSystem(chain(sites, 1.0, 0.0), *rates, ends(sites, (0.3, 0.3)))
    return system, channels_of(system, zero, zero)


def tridiagonal(matrix):
    return Tridiagonal(np.diag(matrix).real, np.diag(matrix, 1))


def dense(system):
    """The same system with all elements of its matrices, for which other solvers are taken."""
    matrices = (as_dense(x) for x in (system.hamiltonian, system.loss, system.gain))
    return OpenSystem(*matrices, system.leads)


def test_scattering_at_infinite_bias_is_that_of_many_bodies(tmp_path, capsys):
    """Wide-band leads are then white noise: correlations and all cumulants, loss and gain included.

    The local master equation is exact, too.
    """
    cases = {f"driven-{n}": driven_chain(n) for n in (2, 3, 4)}
    cases |= {f"monitored-{n}": monitored_chain(n, n) for n in (2, 3, 4)}
    answers = judged(capsys, tmp_path, {name: case[1] for name, case in cases.items()})
    for name, (system, _) in cases.items():
        for form in (system, dense(system)):
            agree_at_infinite_bias(form, answers[name])


def agree_at_infinite_bias(system, many_body):
    current, noise, third = (
        many_body[key] for key in ("particle_current", "particle_noise", "third_cumulant")
    )
    close(correlation_matrix(system).value.T, many_body["density"])
    close(steady_currents(system).particle_current.value, current)
    close(terminal_currents(system).particle_current.value, current)
    close(terminal_noise(system).particle_noise.value, noise)
    cumulants = np.transpose([current, np.diag(noise), third])[:2]
    close(lead_cumulants(system).cumulants.value[:, :3], cumulants)
    local = transport(local_equation(system))
    count = len(local.terminals)
    close(local.particle_current.value, current[:count])
    close(local.particle_noise.value, noise[:count, :count])
    close(local.third_cumulant.value, third[:count])


# --- rings ----------------------------------------------------------------------------------------


def test_rates_of_a_ring_are_those_of_many_bodies(tmp_path, capsys):
    """L = 4: jumps on sites give independent modes the rate equation's slope, at any coupling.

    And the steady current of two particles, which is not that of independent modes, is the one
    that the weak-coupling limit is tested with.
    """
    length, beta, share, coupling = 4, 1.7, 0.4, 0.3
    x, y = np.array([1, 1 + 1j]), np.array([1, -1 - 0.5j])
    bands = chain_bands(length)
    k, e = bands.momentum, bands.energy.value
    channels = operator_channels(bands, [product_operator(x, y)])
    equation = rate_equation(bands, thermal_channel(bands, beta), channels, coupling, share)

    waves = np.exp(1j * np.outer(np.arange(length), k)) / np.sqrt(length)
    moves = []
    for site in range(length):
        pair = waves[[site, (site + 1) % length]]
        moves.append(np.sqrt(coupling * share) * np.outer(x @ pair.conj(), y @ pair))
    thermal = coupling * (1 - share) / length * np.exp(beta * (e[:, None] - e) / 2)
    for a, b in permutations(range(length), 2):
        moves.append(np.zeros((length, length), complex))
        moves[-1][b, a] = np.sqrt(thermal[a, b])
    occupation = np.array([0.13, 0.87, 0.4, 0.65])
    case = {"hamiltonian": np.diag(e), "moves": np.array(moves), "occupation": occupation}
    many_body = judged(capsys, tmp_path, {"ring": case})["ring"]

    close(equation.derivative(occupation), many_body["slope"])
    q = 2 * np.pi * np.arange(length) / length
    driven = (x[0] + x[1] * np.exp(-1j * (k[:, None] - q))) * (
        y[0] + y[1] * np.exp(1j * k[:, None])
    )
    driven = np.sqrt(coupling * share / length) * driven
    oracle = many_body_current(length, 2, thermal, driven, e, bands.velocity.value)
    close(oracle, many_body["steady"] @ bands.velocity.value / length)
    assert oracle > 0.05
