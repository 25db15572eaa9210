"""What is measured at the leads, several times over, each under a name of its own."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import AfterValidator, ConfigDict, model_validator

from nessflow.errors import nearest
from nessflow.estimate import Estimate, stacked, undefined
from nessflow.observables.observable import Observable
from nessflow.observables.response.conductances import Conductances, matrices_of
from nessflow.outcome import Coordinate
from nessflow.parts import KeyedError, Strict
from nessflow.systems.system import OpenSystem


def _different(leads: tuple[str, str]) -> tuple[str, str]:
    if leads[0] == leads[1]:
        raise ValueError(f"both are {leads[0]}; name two leads")
    return leads


Pair = Annotated[tuple[str, str], AfterValidator(_different)]
"""Names of two leads."""


class Measurements(Observable):
    """Measurements by name: the keys are names, the values say which leads do what.

    A subclass says in ``__pydantic_extra__`` what each value is, in ``dimension`` and ``meaning``
    what the names are, and returns the estimate of one in `measured`.
    """

    model_config = ConfigDict(extra="allow")

    dimension: ClassVar[str]
    meaning: ClassVar[str]
    variable: ClassVar[str]
    requires = (Conductances,)

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.named:
            raise ValueError(f"name what is measured: {self.name}: {{NAME: {{...}}}}")
        for key in self.named:
            if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]{0,79}", key):
                raise KeyedError("a name has at most 80 letters, digits, - and _", key, of_key=True)
        return self

    @property
    def named(self) -> dict[str, Strict]:
        """What is measured, by name."""
        return self.__pydantic_extra__ or {}

    def written(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return how it stands in a study file."""
        own = {name: of.model_dump(mode="json") for name, of in self.named.items()}
        return super().written(fields | own)

    def coordinates(self) -> dict[str, Coordinate]:
        """Return the names."""
        return {self.dimension: Coordinate(np.array(list(self.named)), "1", self.meaning)}

    def require_leads(self, leads: Sequence[str]) -> None:
        """Check that all leads are there, see `Observable`."""
        for name, of in self.named.items():
            for key, lead in _leads_of(of):
                if lead not in leads:
                    hint = nearest(lead, leads)
                    raise KeyedError(
                        f"expected a lead ({', '.join(leads)})" + (f"; {hint}" if hint else ""),
                        name,
                        *key,
                    )

    def evaluate(self, system: OpenSystem, matrices: Estimate) -> Mapping[str, Estimate]:
        """Return an estimate for each name."""
        conductance = matrices_of(system, matrices)["conductance_matrix"]
        if conductance.undefined:
            return {self.variable: undefined(conductance.undefined, (len(self.named),))}
        found = {name: self.measured(of, system, matrices) for name, of in self.named.items()}
        return {self.variable: stacked(found)}

    def measured(self, of: Any, system: OpenSystem, matrices: Estimate) -> Estimate:
        """Return what one name stands for, from `Conductances`."""
        raise NotImplementedError


def _leads_of(of: Strict) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the leads that are named, each with its key."""
    for key in type(of).model_fields:
        value = getattr(of, key)
        if isinstance(value, str):
            yield (key,), value
        elif isinstance(value, tuple):
            yield from (((key, number), lead) for number, lead in enumerate(value))
