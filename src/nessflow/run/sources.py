"""What each variable of a study depends on beside the parameters of its system.

Numbers of a kind that lets its studies choose observables follow from the source of the kind, that
of the observable and the parameters of the observable: a change of one makes only its own variables
old.  The own variables of such a kind, and all of another, follow from its source alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import ModuleType
from typing import NamedTuple

from nessflow.config.grid import canonical_json
from nessflow.config.study import OBSERVABLES, Study, observables_of, own_variables, variables_of
from nessflow.registry import Source, sources_of
from nessflow.run.digest import joint_digest
from nessflow.store.manifest import short_hash
from nessflow.validation import with_whole_numbers


def study_digest(study: Study, kind: ModuleType) -> str:
    """Return 16 hexadecimal digits for all that the numbers of a study depend on in this way."""
    if not hasattr(kind, "chosen"):
        return joint_digest(_sources(study))
    digests = list(_observable_digests(study, kind).items())
    own = [joint_digest(_sources(study))] if own_variables(kind) else []
    return short_hash(canonical_json(own + digests))


def variable_digests(study: Study, kind: ModuleType, digest: str) -> dict[str, str]:
    """Return the same for each variable; ``digest`` is that of the whole study."""
    if not hasattr(kind, "chosen"):
        return dict.fromkeys(kind.VARIABLES, digest)
    digests = _observable_digests(study, kind)
    found = dict.fromkeys(own_variables(kind), joint_digest(_sources(study)))
    chosen = observables_of(kind, study.template)
    return found | {x: digests[name] for name, each in chosen.items() for x in each.variables}


def _sources(study: Study) -> list[Source]:
    """Return where the kind and the parts that a study names come from."""
    cases = [axis.cases for axis in study.axes if axis.cases is not None]
    return sources_of(study.kind, [study.template, *cases])


def _observable_digests(study: Study, kind: ModuleType) -> dict[str, str]:
    shared = _sources(study)
    return {
        name: short_hash(
            canonical_json([joint_digest([*shared, each.source]), with_whole_numbers(each.written)])
        )
        for name, each in observables_of(kind, study.template).items()
    }


class Share(NamedTuple):
    """The part of a study that has some of its variables.

    Attributes
    ----------
    study : Study
        It asks for no other observables.
    variables : mapping of str to Variable
        Those that it has.
    arguments : mapping
        What `evaluate` is told beside the parameters.
    """

    study: Study
    variables: Mapping[str, object]
    arguments: Mapping[str, bool]


def reduced(study: Study, kind: ModuleType, variables: Collection[str]) -> Share:
    """Return the least part of a study that has some variables."""
    own = own_variables(kind)
    without = bool(own) and own.keys().isdisjoint(variables)
    part = _with_observables_of(study, kind, variables)
    every = variables_of(kind, part.template)
    if without:
        every = {name: x for name, x in every.items() if name not in own}
    return Share(part, every, {"own": False} if without else {})


def _with_observables_of(study: Study, kind: ModuleType, variables: Collection[str]) -> Study:
    chosen: Mapping[str, object] = observables_of(kind, study.template)
    items = [
        {name: each.written} if each.written else name
        for name, each in chosen.items()
        if set(each.variables) & set(variables)
    ]
    if len(items) == len(chosen):
        return study
    return replace(study, template={**study.template, OBSERVABLES: items})
