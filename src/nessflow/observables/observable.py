"""What is computed of an open system: the contract of observables, and their evaluation together.

An observable is one class in one module: of this package, of the project's folder ``parts`` or of
an installed package (`nessflow.registry`).  What several need (entropy production needs currents)
is computed once; integrals over the energy share their transmissions, and each refines its own
panels, so that the numbers of one never depend on which others are computed.
"""

import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    InstanceOf,
    Tag,
    TypeAdapter,
    ValidationInfo,
    create_model,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import core_schema

from nessflow.estimate import Estimate
from nessflow.outcome import (
    Coordinate,
    Limits,
    Outcome,
    Status,
    Variable,
    joined,
    outcome_of,
    status_of,
)
from nessflow.parts import KeyedError, Strict
from nessflow.registry import Source, members, project, refusal, source_of
from nessflow.spectrum import rates
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.system import OpenSystem, share_states


class Observable(Strict):
    """Something that is computed of an open system.

    A subclass with a ``name`` is an observable.  Its fields are the parameters that a study file
    may give it.  What is an integral over `Rates` has an `integrand`, what integrates
    by itself `evaluate_to` an accuracy, all else `evaluate`; each leads to the result, of which
    `estimates` are stored.

    Attributes
    ----------
    name : str
        As it stands in a study file.
    variables : mapping of str to Variable
        What is stored, in this order; ``<name>_error`` follows what has an error.  Dimensions are
        those of the system (`nessflow.studies.systems.coordinates`) and those of `coordinates`.
    requires : tuple of type
        Other observables, without parameters, whose results `evaluate` is given.
    conventions : tuple of str
        Lines of text on signs, factors and numbering.
    """

    home: ClassVar[str] = "nessflow.observables"
    needs: ClassVar[tuple[str, ...]] = ("variables",)

    name: ClassVar[str]
    variables: ClassVar[Mapping[str, Variable]]
    requires: ClassVar[tuple[type["Observable"], ...]] = ()
    conventions: ClassVar[tuple[str, ...]] = ()

    def written(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return how it stands in a study file, from its fields as they do."""
        return {self.name: fields}

    def coordinates(self) -> dict[str, Coordinate]:
        """Return the dimensions of the variables that follow from the parameters."""
        return {}

    def require_leads(self, leads: Sequence[str]) -> None:
        """Check that the leads that the parameters name are there; raise `KeyedError` if not."""

    def integrand(self, system: OpenSystem) -> rates.Observable | None:
        """Return what is integrated over the energy; None where `evaluate` says all."""
        return None

    def evaluate(self, system: OpenSystem, *needed: Any) -> Any:
        """Return the result, from those of the observables in ``requires``."""
        raise NotImplementedError(f"{self.name} has neither an integrand nor an evaluation")

    def evaluate_to(self, accuracy: float, system: OpenSystem, *needed: Any) -> Any:
        """Return what `evaluate` does, by integrals that aim at a relative error."""
        return self.evaluate(system, *needed)

    def estimates(self, system: OpenSystem, result: Any) -> Mapping[str, Estimate]:
        """Return an estimate for each variable but errors; by default the result is these."""
        return result

    def fault(self, system: OpenSystem, result: Any) -> tuple[Status, str]:
        """Return the status that follows from convergence and invariants, and why."""
        return status_of()

    def limits(self, system: OpenSystem) -> dict[str, Limits]:
        """Return the limits that depend on the system, in place of those of the variables."""
        return {}

    def never_zero(self, system: OpenSystem) -> dict[str, np.ndarray | bool]:
        """Return the variables, and which of their elements, that vanish by underflow alone."""
        return {}


def observable_kinds() -> dict[str, type[Observable]]:
    """Return all observables by name, sorted, those of the project and installed ones too."""
    return dict(sorted(members(Observable).items()))


# --- what a study asks for ------------------------------------------------------------------------


class Listed:
    """Says of a field that it lists observables: names, or a name with its parameters.

    Its values are tuples of `Observable`.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        # The observables of a project are known when values are validated, and not before.
        return core_schema.with_info_plain_validator_function(self._validated)

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(_choice(project()).core_schema)

    def _validated(self, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, tuple) and all(isinstance(item, str) for item in value):
            return _named(project(), value)
        for number, item in enumerate(value if isinstance(value, list) else ()):
            for name in item if isinstance(item, Mapping) else [item]:
                if isinstance(name, str) and (why := refusal(Observable, name)):
                    raise KeyedError(why, number)
        choice = _choice(project())
        if info.mode == "json":
            return choice.validate_json(json.dumps(value), strict=True)
        return choice.validate_python(value)


@functools.cache  # the default, for every point
def _named(root: Path, names: tuple[str, ...]) -> tuple[Observable, ...]:
    return _choice(root).validate_python(names)


@functools.cache
def _choice(root: Path) -> TypeAdapter:
    kinds = observable_kinds()
    fields: dict[str, Any] = {
        name.replace("-", "_"): Annotated[
            kind | None, Field(None, alias=name, description=summary(kind))
        ]
        for name, kind in kinds.items()
    }
    config = ConfigDict(**Strict.model_config)
    mapping: Any = create_model("Observables", __config__=config, **fields)
    item: Any = Annotated[
        Annotated[Literal[tuple(kinds)], Tag("name")]
        | Annotated[mapping, Tag("mapping")]
        | Annotated[SkipJsonSchema[InstanceOf[Observable]], Tag("instance")],
        Discriminator(_way_of_writing),
        AfterValidator(_chosen),
    ]
    return TypeAdapter(Annotated[tuple[item, ...], AfterValidator(_compatible)])


def _way_of_writing(item: object) -> str:
    if isinstance(item, Observable):
        return "instance"
    return "mapping" if isinstance(item, Mapping) else "name"


def summary(kind: type[Observable]) -> str:
    """Return the first line of the description of an observable."""
    return (kind.__doc__ or "").strip().splitlines()[0]


def _chosen(item: str | Strict) -> Observable:
    if isinstance(item, Observable):
        return item
    if isinstance(item, str):
        kind = observable_kinds()[item]
        missing = [name for name, field in kind.model_fields.items() if field.is_required()]
        if missing:
            keys = ", ".join(f"{name}: ..." for name in missing)
            raise ValueError(f"{item} needs parameters: write {{{item}: {{{keys}}}}}")
        return kind()
    given = [value for _, value in item if value is not None]
    if len(given) != 1:
        raise ValueError("one observable with its parameters; each is an entry of the list")
    return given[0]


def _compatible(items: tuple[Observable, ...]) -> tuple[Observable, ...]:
    """Check that each stands there once, and that they agree on the dimensions that they share."""
    names: set[str] = set()
    owners: dict[str, str] = {}
    shared: dict[str, tuple[str, np.ndarray]] = {}
    for number, item in enumerate(items):
        if item.name in names:
            raise KeyedError(f"{item.name} is listed twice", number)
        names.add(item.name)
        for variable in item.variables:
            if (owner := owners.setdefault(variable, item.name)) != item.name:
                raise KeyedError(
                    f"{item.name} and {owner} both have {variable}; rename one", number
                )
        for dim, coordinate in item.coordinates().items():
            owner, values = shared.setdefault(dim, (item.name, coordinate.values))
            if not np.array_equal(values, coordinate.values):
                raise KeyedError(
                    f"{item.name} has other values of {dim} than {owner}, and data have one {dim}; "
                    "list those of both in each, or make it two studies",
                    number,
                )
    return items


@dataclass(frozen=True)
class Chosen:
    """An observable as a study file asks for it, checked or not.

    Attributes
    ----------
    variables : mapping of str to Variable
        What it stores.
    source : Source
        Where its numbers come from.
    written : object
        Its parameters as they stand in the file.
    """

    variables: Mapping[str, Variable]
    source: Source
    written: object


def chosen(written: object, default: Sequence[str]) -> dict[str, Chosen]:
    """Return what a study asks for, by name, from the list as it is written.

    Parameters
    ----------
    written : object
        The list; anything else, such as None, stands for the default.  Entries that name no
        observable are passed over.
    default : sequence of str
        Names of observables.

    Returns
    -------
    dict
        Name -> `Chosen`, in the order of the list.
    """
    found = {}
    for item in written if isinstance(written, list) else default:
        entries = item.items() if isinstance(item, Mapping) else [(item, {})]
        for name, parameters in entries:
            kind = observable_kinds().get(name) if isinstance(name, str) else None
            if kind is not None:
                source = source_of(Observable, name)
                found[name] = Chosen(kind.variables, source, parameters or {})
    return found


# --- evaluation -----------------------------------------------------------------------------------


def _with_needed(observables: Iterable[Observable]) -> dict[str, Observable]:
    """Return observables and all that they need, by name, in an order that serves all."""
    found: dict[str, Observable] = {}

    def add(observable: Observable) -> None:
        for kind in observable.requires:
            if kind.name not in found:
                add(kind())
        found.setdefault(observable.name, observable)

    # By name: the order in which they are asked for changes nothing.
    for observable in sorted(observables, key=lambda x: x.name):
        add(observable)
    return found


Known = Mapping[str, Callable[[], Any]]
"""Results that a caller has a way of its own to: name of an observable -> what returns it."""


def evaluate(
    system: OpenSystem,
    observables: Sequence[Observable],
    accuracy: float = ACCURACY,
    known: Known = MappingProxyType({}),
) -> Outcome:
    """Return the variables of some observables of one system.

    Parameters
    ----------
    system : OpenSystem
        The system.
    observables : sequence of Observable
        Each of another name.
    accuracy : float
        Relative error aimed at in all integrals over the energy.
    known : mapping of str to callable
        Results that are not computed here; each is asked for where it is needed.

    Returns
    -------
    Outcome
        Values in the order of the observables.  The status is that of the first, by name, that is
        not ok, those that others need included.
    """
    return outcome(system, observables, results(system, observables, accuracy, known))


def evaluate_all(
    systems: Sequence[OpenSystem], observables: Sequence[Observable], accuracy: float = ACCURACY
) -> list[Outcome]:
    """Return the variables of the same observables of several systems, as `evaluate` of each.

    Integrals over the energy of systems that differ in Hamiltonian, loss, gain and occupations
    alone, such as the samples of an ensemble, are computed together.

    Parameters
    ----------
    systems : sequence of OpenSystem
        The systems.
    observables, accuracy
        As of `evaluate`.

    Returns
    -------
    list of Outcome
        Of each system, to the last bit what it is alone.
    """
    found = results_of_all(systems, observables, accuracy, [{}] * len(systems))
    every = _with_needed(observables)
    both = zip(systems, found, strict=True)
    return [_outcome(system, observables, every, own) for system, own in both]


def results(
    system: OpenSystem,
    observables: Iterable[Observable],
    accuracy: float = ACCURACY,
    known: Known = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the results of some observables, and of all that these need, by name.

    Parameters
    ----------
    system, observables, accuracy, known
        As of `evaluate`; one that is there twice is computed once.

    Returns
    -------
    dict
        What `Observable.evaluate` or the integrals of `Observable.integrand` give.
    """
    return results_of_all([system], observables, accuracy, [known])[0]


def results_of_all(
    systems: Sequence[OpenSystem],
    observables: Iterable[Observable],
    accuracy: float,
    known: Sequence[Known],
) -> list[dict[str, Any]]:
    """Return `results` of each system; integrals over the energy are computed together.

    Parameters
    ----------
    systems : sequence of OpenSystem
        The systems.
    observables, accuracy
        As of `results`.
    known : sequence of mapping
        As of `results`, of each system.

    Returns
    -------
    list of dict
        `results` of each.
    """
    every = _with_needed(observables)
    found = [{name: own[name]() for name in every if name in own} for own in known]
    integrals = []
    for system, own in zip(systems, found, strict=True):
        each = {name: x.integrand(system) for name, x in every.items() if name not in own}
        integrals.append({name: x for name, x in each.items() if x is not None})
    asked = [list(each.values()) for each in integrals]
    integrated = rates.integrate_each_system(systems, asked, accuracy)
    for system, own, names, values in zip(systems, found, integrals, integrated, strict=True):
        own |= zip(names, values, strict=True)
        for name, observable in every.items():
            if name not in own:
                needed = [own[kind.name] for kind in observable.requires]
                own[name] = observable.evaluate_to(accuracy, system, *needed)
    return found


def outcome(
    system: OpenSystem, observables: Sequence[Observable], results: Mapping[str, Any]
) -> Outcome:
    """Return the variables of some observables, from `results` of these or more."""
    return _outcome(system, observables, _with_needed(observables), results)


def _outcome(
    system: OpenSystem,
    observables: Sequence[Observable],
    every: Mapping[str, Observable],
    results: Mapping[str, Any],
) -> Outcome:
    """Return `outcome` of some observables and all that they need."""
    faults = [every[name].fault(system, results[name]) for name in sorted(every)]
    status, message = next((x for x in faults if x[0] != Status.OK), status_of())
    parts = [_part(system, each, results[each.name]) for each in observables]
    return replace(joined(*parts), status=status, message=message)


def _part(system: OpenSystem, observable: Observable, result: Any) -> Outcome:
    """Return the variables of one observable as an outcome."""
    found = outcome_of(
        observable.variables,
        observable.estimates(system, result),
        limits=observable.limits(system),
        never_zero=observable.never_zero(system),
    )
    if missing := [name for name in observable.variables if name not in found.values]:
        raise ValueError(f"{observable.name} has no estimate of {', '.join(missing)}")
    return replace(found, values={name: found.values[name] for name in observable.variables})


# --- what vanishes --------------------------------------------------------------------------------


def fluctuates(system: OpenSystem) -> bool:
    """Return whether warm leads share states with each other, or with loss or gain."""
    open_ = system.loss.any() or system.gain.any() or share_states(system.leads)
    return bool(open_) and any(lead.temperature > 0 for lead in system.leads)


def flows(system: OpenSystem) -> bool:
    """Return whether, besides, anything drives a current."""
    alike = len({(x.chemical_potential, x.temperature) for x in system.leads}) == 1
    return fluctuates(system) and (not alike or is_driven(system))


def is_driven(system: OpenSystem) -> bool:
    """Return whether there is loss or gain."""
    return bool(system.loss.any() or system.gain.any())
