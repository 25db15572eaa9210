"""What the modules of several kinds have in common: errors of variables, no randomness."""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, Field

from nessflow.studies.kind import Coordinate, Outcome, Status, Variable

Charge = Annotated[
    Literal[1, -1],
    Field(description="charge of the carriers: sign of Seebeck and Peltier coefficients"),
]
CHARGE = (
    "Sign of Seebeck and Peltier coefficients: that of carriers of charge +1, S = -d mu/dT without "
    "current, Pi = heat over particles at equal temperatures, both positive where transport is "
    "above the chemical potential.  charge: -1 gives those of electrons, -S and -Pi."
)


def with_errors(variables: Mapping[str, Variable]) -> dict[str, Variable]:
    """Return the variables, each followed by its ``_error``."""
    result = {}
    for name, variable in variables.items():
        result[name] = variable
        result[f"{name}_error"] = Variable(
            variable.dims, variable.natural_units, f"numerical error of {variable.long_name}"
        )
    return result


def allow_for_underflow(
    values: MutableMapping[str, np.ndarray | float],
    names: Iterable[str],
    where: np.ndarray | bool = True,
) -> None:
    """Give zeros of what never vanishes an error: a zero with the error zero is a true one.

    Tails of occupations and waves that decay end at no distance, only below the least number of
    double precision.

    Parameters
    ----------
    values : mutable mapping
        Values and errors of one point; the errors are replaced.
    names : iterable of str
        Variables that do not vanish.
    where : array of bool, optional
        The elements of each that do not; what broadcasts to it.
    """
    for name in names:
        error = np.asarray(values[f"{name}_error"], float)
        hidden = where & (np.asarray(values[name]) == 0) & (error == 0)
        values[f"{name}_error"] = np.where(hidden, np.finfo(float).tiny, error)


def reasons_of_parts(reasons: Mapping[str, str]) -> str:
    """Return why parts of a variable are undefined, each with its own reason.

    Parameters
    ----------
    reasons : mapping of str to str
        Name of a part, such as an equation or a direction, to its reason; empty where the part is
        defined.

    Returns
    -------
    str
        The reason where all parts share it, else ``name, name: reason; name: reason``; empty
        where all are defined.
    """
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if reason:
            names.setdefault(reason, []).append(name)
    if len(names) == 1 and len(*names.values()) == len(reasons):
        return next(iter(names))
    return "; ".join(f"{', '.join(who)}: {reason}" for reason, who in names.items())


def notes_of_parts(notes: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the notes of an outcome from those of its parts: name of a part -> its notes."""
    names = dict.fromkeys(name for each in notes.values() for name in each)
    return {
        name: reasons_of_parts({part: each.get(name, "") for part, each in notes.items()})
        for name in names
    }


def failed(
    variables: Mapping[str, Variable], coordinates: Mapping[str, Coordinate], message: str
) -> Outcome:
    """Return an outcome that did not converge, NaN for all variables, and why."""
    sizes = {name: len(coordinate.values) for name, coordinate in coordinates.items()}
    values = {
        name: np.full([sizes[dim] for dim in variable.dims], np.nan)
        for name, variable in variables.items()
    }
    return Outcome(values, Status.NOT_CONVERGED, message)


def never_random(parameters: BaseModel) -> bool:
    """Return False: ``is_random`` of a kind that draws nothing from the generator."""
    return False
