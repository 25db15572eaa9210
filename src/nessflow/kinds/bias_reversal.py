"""A system with sources and drains at forward and at reverse bias: what its kinds share."""

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.estimate import Estimate, undefined
from nessflow.observables.thermodynamics import without_temperature
from nessflow.parts import KeyedError, Strict, at_key
from nessflow.probes import wire_formulas
from nessflow.probes.exact import solve_probes
from nessflow.probes.linear import linear_probes_of
from nessflow.probes.problem import Probe, ProbeSolution, moved
from nessflow.probes.third_order import physical_solution, third_order_probes
from nessflow.scattering.profiles import joule_heat
from nessflow.scattering.terminal_flows import terminal_potentials
from nessflow.studies import probed_systems
from nessflow.studies.kind import NOT_NEGATIVE, Limits, Status, Variable
from nessflow.studies.placement import NONRECIPROCITY, nonreciprocity
from nessflow.studies.variables import ACCURACY, Accuracy, of_integrals, status_of, with_errors
from nessflow.systems.system import OpenSystem, Terminal

CONVENTIONS = (
    "Forward bias: leads as given; reverse bias: the chemical potentials of left and right "
    "exchanged, the demanded currents as they are.",
    "Nonreciprocity |I(reverse)| - |I(forward)|, nonreciprocal current -(I(reverse) + I(forward)), "
    "I the left lead's current: equal as long as the forward current has not changed its sign.  "
    "Reference current: |bias| / 2 pi, that of one open channel.",
    "Methods: linear about the mean of the given chemical potentials, third-order about it at "
    "temperature 0, exact.",
    "Linear response is that of small biases and currents.  Band excess, relative departure (below "
    "1 is I_g < 2 gamma^2 I_o at weak coupling) and neglected orders (the true current at the "
    "potentials found less the one solved for, over its first-order terms) say how far from small "
    "the given ones are.  A point is suspect where a probe would leave its band, so that there is "
    "no such state, or where more was left out than the first order holds.",
)
SCALARS = (
    NONRECIPROCITY
    | with_errors(
        {
            "relative_nonreciprocity": Variable(
                (), "1", "nonreciprocity over the mean magnitude of both currents", Limits(-2, 2)
            ),
            "conductance": Variable(
                (), "e^2/hbar", "difference of forward and reverse current over twice the bias"
            ),
        }
    )
    | {
        "reference_current": Variable(
            (), "t/hbar", "current of an open channel at this bias", NOT_NEGATIVE
        )
    }
)
VALIDITY = {
    "band_excess": Variable(
        (), "t", "largest distance of a probe's chemical potential beyond its band"
    ),
    "relative_departure": Variable(
        (),
        "1",
        "largest departure of a probe's chemical potential from the mean over the bias",
        NOT_NEGATIVE,
    ),
    "neglected_orders": Variable(
        (),
        "1",
        "change of a current by the orders left out over its first-order terms, largest",
        NOT_NEGATIVE,
    ),
}


class BiasedSystem(Strict):
    """One system, solved at forward and at reverse bias."""

    system: probed_systems.ProbedSystem = Field(
        description="lattice, disorder, loss, gain, leads left and right, and probes"
    )
    method: Literal["linear", "third-order", "exact"] = Field(
        "linear", description="order in bias and currents to which the probes are solved"
    )
    accuracy: Accuracy = ACCURACY

    @model_validator(mode="after")
    def _sources_and_drains_balance(self) -> Self:
        names = probed_systems.lead_names(self.system)
        if set(names) != {"left", "right"}:
            raise KeyedError(
                f"nonreciprocity needs the leads left and right, got {', '.join(names)}",
                "system",
                "leads",
            )
        groups = self.system.probes.items()
        currents = [group.current for name, group in groups for _ in group.places(name)]
        total, size = sum(currents), sum(map(abs, currents))
        if abs(total) > 1e-12 * size:
            raise KeyedError(
                f"the currents of the probes add up to {total:g}, so that the currents of left and "
                "right differ; as many sources as drains are needed, pairs of both on an even "
                "number of sites",
                "system",
                "probes",
            )
        return self

    @model_validator(mode="after")
    def _temperatures_suit_the_method(self) -> Self:
        if self.method == "third-order":
            with at_key("system"):
                probed_systems.require_cold(self.system, "the third order")
        own, probes = self.system.leads.values(), self.system.probes.values()
        found = {x.temperature for x in own} | {x.temperature for x in probes}
        if self.method == "linear" and (len(found) > 1 or None in found):
            raise KeyedError(
                "linear response needs leads and probes of one given temperature; for others use "
                "method: exact",
                "system",
            )
        return self


def solved(
    systems: Sequence[OpenSystem], probes: list[Probe], method: str, accuracy: float
) -> list[list[ProbeSolution]]:
    """Return several systems at forward and at reverse bias with their probes solved for.

    The systems are the samples of a point.

    Raises
    ------
    NoSolution
        When no chemical potentials give the demanded currents, in any of them.
    """
    if method == "linear":
        given = [terminal_potentials(way) for way in both_directions(systems[0])]
        each = [system for system in systems for _ in given]
        found = linear_probes_of(each, probes, accuracy, np.tile(given, (len(systems), 1)))
        return [found[k : k + 2] for k in range(0, len(found), 2)]
    pairs = map(both_directions, systems)
    if method == "exact":
        return [[solve_probes(way, probes, accuracy) for way in pair] for pair in pairs]
    expanded = [[third_order_probes(way, probes, accuracy) for way in pair] for pair in pairs]
    return [[physical_solution(way) for way in pair] for pair in expanded]


def expanded_heat(solved: ProbeSolution, mean: float) -> dict[str, Estimate]:
    """Return heat and entropy production in the leading order of the biases."""
    system = solved.system
    value = -joule_heat(system, mean)
    heat = Estimate(value, 64 * np.finfo(float).eps * abs(value))
    if system.loss.any() or system.gain.any():
        heat = undefined("with loss or gain heat is that of the exact method", value.shape)
    cold = heat.undefined or without_temperature(system)
    entropy = undefined(cold) if cold else -1 * (heat / solved.temperature.value).total()
    return {"heat_current": heat, "joule_heat": -1 * heat.total(), "entropy_production": entropy}


def how_valid(solutions: Sequence[ProbeSolution]) -> dict[str, Estimate]:
    """Return what `VALIDITY` lists, the worse of the directions of the bias."""
    found = [solution.validity for solution in solutions]
    place, mu = solutions[0].terminals.index, solutions[0].chemical_potential.value
    bias = abs(mu[place("left")] - mu[place("right")])
    departure = max(x.departure for x in found)
    return {
        "band_excess": Estimate(max(x.band_excess for x in found), np.nan),
        "relative_departure": Estimate(departure / bias, np.nan)
        if bias
        else undefined("there is no bias"),
        "neglected_orders": Estimate(max(x.neglected for x in found), np.nan),
    }


def judged(solutions: Sequence[ProbeSolution]) -> tuple[Status, str]:
    """Return the status of a point by its solutions, and why it is not ok."""
    if not all(solution.converged for solution in solutions):
        return of_integrals(False)
    return status_of(doubt=next((x.validity.reason for x in solutions if x.validity.reason), ""))


def both_directions(system: OpenSystem) -> tuple[OpenSystem, OpenSystem]:
    """Return the system as it is, and with the chemical potentials of left and right exchanged."""
    left, right = (_terminal(system, name).chemical_potential for name in ("left", "right"))
    other = {"left": right, "right": left}
    mu = [other.get(x.name, x.chemical_potential) for x in system.terminals]
    return system, moved(system, np.array(mu))


def _terminal(system: OpenSystem, name: str) -> Terminal:
    return next(terminal for terminal in system.terminals if terminal.name == name)


def left_terminal(system: OpenSystem) -> int:
    """Return the place of the left lead among the terminals."""
    return [terminal.name for terminal in system.terminals].index("left")


def asymmetries(forward: OpenSystem, current: Estimate) -> dict[str, Estimate]:
    """Return what `SCALARS` lists, from the left currents (forward, reverse)."""
    bias = _terminal(forward, "left").chemical_potential
    bias -= _terminal(forward, "right").chemical_potential
    found = nonreciprocity(current)
    mean, total = abs(current.value).mean(), current.error.sum()
    relative = undefined("no current flows in either direction, within the errors")
    if mean > total:
        value = found["nonreciprocity"].value / mean
        # Over the least magnitude that the errors allow.
        relative = Estimate(value, (1 + abs(value) / 2) * total / (mean - total / 2))
    conductance = undefined("without bias there is no conductance")
    if bias:
        conductance = Estimate(current.value[0] - current.value[1], total) / (2 * bias)
    return found | {
        "relative_nonreciprocity": relative,
        "conductance": conductance,
        "reference_current": Estimate(abs(bias) / (2 * np.pi), np.nan),
    }


def wire_of(system: OpenSystem, probes: list[Probe]) -> tuple[wire_formulas.Wire | None, str]:
    """Return what the closed forms of the uniform wire need, or None and the reason."""
    try:
        return wire_formulas.wire_of(system, probes), ""
    except ValueError as error:
        return None, str(error)
