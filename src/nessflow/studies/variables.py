"""What the modules of several kinds have in common: errors of variables, no randomness."""

from collections.abc import Mapping

from pydantic import BaseModel

from nessflow.studies.kind import Variable


def with_errors(variables: Mapping[str, Variable]) -> dict[str, Variable]:
    """Return the variables, each followed by its ``_error``."""
    result = {}
    for name, variable in variables.items():
        result[name] = variable
        result[f"{name}_error"] = Variable(
            variable.dims, variable.natural_units, f"numerical error of {variable.long_name}"
        )
    return result


def never_random(parameters: BaseModel) -> bool:
    """Return False: ``is_random`` of a kind that draws nothing from the generator."""
    return False
