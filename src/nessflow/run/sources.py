"""What each variable of a study depends on beside the parameters of its system.

Numbers of a kind that lets its studies choose observables follow from the source of the kind, that
of the observable and the parameters of the observable: a change of one makes only its own variables
old.  All variables of another kind follow from its source alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import ModuleType

from nessflow.config.grid import canonical_json
from nessflow.config.study import OBSERVABLES, Study, observables_of
from nessflow.registry import Source, sources_of
from nessflow.run.digest import joint_digest
from nessflow.store.manifest import short_hash
from nessflow.validation import with_whole_numbers


def study_digest(study: Study, kind: ModuleType) -> str:
    """Return 16 hexadecimal digits for all that the numbers of a study depend on in this way."""
    if not hasattr(kind, "chosen"):
        return joint_digest(_sources(study))
    return short_hash(canonical_json(list(_observable_digests(study, kind).items())))


def variable_digests(study: Study, kind: ModuleType, digest: str) -> dict[str, str]:
    """Return the same for each variable; ``digest`` is that of the whole study."""
    if not hasattr(kind, "chosen"):
        return dict.fromkeys(kind.VARIABLES, digest)
    digests = _observable_digests(study, kind)
    chosen = observables_of(kind, study.template)
    return {variable: digests[name] for name, each in chosen.items() for variable in each.variables}


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


def reduced(study: Study, kind: ModuleType, variables: Collection[str]) -> Study:
    """Return the study that asks for no more observables than have some of the variables."""
    chosen: Mapping[str, object] = observables_of(kind, study.template)
    items = [
        {name: each.written} if each.written else name
        for name, each in chosen.items()
        if set(each.variables) & set(variables)
    ]
    if len(items) == len(chosen):
        return study
    return replace(study, template={**study.template, OBSERVABLES: items})
