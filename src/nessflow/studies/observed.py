"""What kinds share whose studies choose observables of one open system.

Such a kind may have variables of its own, what it is for; the observables stand beside them.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.observables import observable
from nessflow.observables.observable import Chosen, Listed, Observable, observable_kinds
from nessflow.parts import KeyedError, Strict, at_key
from nessflow.studies import systems
from nessflow.studies.kind import Coordinate, Outcome, Variable
from nessflow.studies.variables import ACCURACY, Accuracy

FLOWS = ("currents", "noise", "entropy-production")
"""What studies ask for that do not say so, in most kinds."""


Observables = Annotated[tuple[Observable, ...], Listed()]


def listed(*default: str) -> Any:
    """Return the field ``observables`` of a kind, whose studies have these by default."""
    return Field(
        default,
        validate_default=True,
        description="list of what is computed, a name or name: {parameters} each",
    )


class Observed(Strict):
    """One system, and what is computed of it.

    Attributes
    ----------
    own : mapping of str to Variable
        What all studies of the kind have, whatever they choose.
    """

    own: ClassVar[Mapping[str, Variable]] = MappingProxyType({})

    system: systems.System = Field(description="lattice, disorder, loss, gain and leads")
    observables: Observables = listed(*FLOWS)
    accuracy: Accuracy = ACCURACY

    def own_coordinates(self) -> dict[str, Coordinate]:
        """Return the dimensions of the kind's own variables that its system does not have."""
        return {}

    def system_coordinates(self, dimensions: Iterable[str]) -> dict[str, Coordinate]:
        """Return some of the dimensions that the system has, as `systems.coordinates`."""
        return systems.coordinates(self.system, dimensions)

    @classmethod
    def chosen(cls, written: object) -> dict[str, Chosen]:
        """Return the observables of a study from the list as it is written, None by default."""
        return observable.chosen(written, cls.model_fields["observables"].default)

    @classmethod
    def refusal(cls, kind: type[Observable]) -> str:
        """Return why studies cannot list an observable, or an empty text."""
        both = [x for x in kind.variables if x in cls.own and not x.endswith("_error")]
        if not both:
            return ""
        return f"this kind has {', '.join(both)} of its own; leave {kind.name} out"

    @model_validator(mode="after")
    def _beside_its_own(self) -> Self:
        if not (self.observables or self.own):
            raise KeyedError(
                "nothing to compute; name an observable, or leave the key out", "observables"
            )
        mine = self.own_coordinates()
        leads = self.system_coordinates(["lead"])["lead"].values.tolist()
        for number, each in enumerate(self.observables):
            if reason := self.refusal(type(each)):
                raise KeyedError(reason, "observables", number)
            with at_key("observables", number, each.name):
                each.require_leads(leads)
            for dim, coordinate in each.coordinates().items():
                if not np.array_equal(mine.get(dim, coordinate).values, coordinate.values):
                    raise KeyedError(
                        f"{each.name} has other values of {dim} than the {dim} of this kind; "
                        "give it the same, those of both, or make it two studies",
                        "observables",
                        number,
                    )
        return self


def variables(kind: type[Observed]) -> dict[str, Variable]:
    """Return the variables of a kind by default: its own, and those of observables."""
    chosen = kind.chosen(None).values()
    return {**kind.own, **{name: x for each in chosen for name, x in each.variables.items()}}


def conventions(names: Iterable[str]) -> tuple[str, ...]:
    """Return the conventions of observables."""
    return tuple(line for name in names for line in observable_kinds()[name].conventions)


def variables_of(parameters: Observed) -> dict[str, Variable]:
    """Return the variables of a point: the kind's own, and those of its observables."""
    chosen = parameters.observables
    return {**parameters.own, **{name: x for each in chosen for name, x in each.variables.items()}}


def coordinates(parameters: Observed) -> dict[str, Coordinate]:
    """Return the dimensions of all variables of a point."""
    known = parameters.own_coordinates()
    for each in parameters.observables:
        known |= each.coordinates()
    every = variables_of(parameters).values()
    dimensions = dict.fromkeys(dim for variable in every for dim in variable.dims)
    return known | parameters.system_coordinates(dim for dim in dimensions if dim not in known)


def is_random(parameters: Observed) -> bool:
    """Return whether the system draws disorder."""
    return systems.is_random(parameters.system)


def with_uncertain(found: Outcome, beside: Iterable[Outcome]) -> Outcome:
    """Return an outcome whose errors hold what its values change by elsewhere.

    Parameters
    ----------
    found : Outcome
        At what was solved for, such as a chemical potential.
    beside : iterable of Outcome
        At the ends of its error.
    """
    values = dict(found.values)
    for other in beside:
        for name in values:
            if f"{name}_error" in values:
                change = np.abs(np.subtract(other.values[name], found.values[name]))
                values[f"{name}_error"] = values[f"{name}_error"] + change
    return Outcome(values, found.status, found.message, found.notes, found.limits)
