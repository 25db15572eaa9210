"""Spectrum of the effective Hamiltonian: resonances with their widths."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate
from nessflow.observables.observable import Observable
from nessflow.outcome import NOT_NEGATIVE, Variable, with_errors
from nessflow.parts import quantity
from nessflow.scattering.states.eigenstates import states_of
from nessflow.systems.system import OpenSystem


class EffectiveSpectrum(Observable):
    """Complex eigenvalues of the effective Hamiltonian at one energy."""

    name = "effective-spectrum"
    variables = with_errors(
        {
            "resonance_energy": Variable(
                ("level",), "t", "real part of the eigenvalue of the effective Hamiltonian"
            ),
            "resonance_width": Variable(
                ("level",), "t", "minus twice the imaginary part of the eigenvalue", NOT_NEGATIVE
            ),
        }
    )
    conventions = (
        "Effective Hamiltonian: h - iP - iQ + Sigma(E) of all leads at one energy E; eigenvalues "
        "are sorted by their real parts, those with equal ones by their width.  A population "
        "decays with the width over hbar.",
    )

    energy: float = quantity("energy at which the self-energies of the leads are taken", "t", 0.0)

    def evaluate(self, system: OpenSystem) -> Mapping[str, Estimate]:
        """Return energies and widths, O(N^3)."""
        values, _, conditions, rounding = states_of(system, self.energy)
        errors = conditions * rounding
        return {
            "resonance_energy": on_levels(system, values.real, errors),
            # Rounding of an undamped one has either sign.
            "resonance_width": on_levels(system, np.maximum(-2 * values.imag, 0.0), 2 * errors),
        }


def on_levels(
    system: OpenSystem, value: np.ndarray, error: np.ndarray, reason: str = ""
) -> Estimate:
    """Return what belongs to levels, (n,), with NaN for those that vacant sites do not have."""
    missing = np.full(system.sites - len(value), np.nan)
    vacant = "there are as many levels as sites that are not vacant" if missing.size else ""
    reasons = "; ".join(filter(None, (reason, vacant)))
    return Estimate(np.append(value, missing), np.append(error, missing), reasons)
