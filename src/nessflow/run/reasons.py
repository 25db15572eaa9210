"""Why a block of a study is made again, in words, from the files that are there."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nessflow.config.study import OBSERVABLES, Block, Study, own_variables
from nessflow.errors import shown
from nessflow.run.solve import Prepared, block_of, partial_path, stale_path
from nessflow.store.files import Damaged, Missing, StoreError
from nessflow.store.layout import SOURCE_DIGEST, point_labels, stored_variables
from nessflow.store.store import read_dataset

_SHOWN = 3
"""Keys whose change is shown; there may be more."""


def block_reason(prepared: Prepared) -> str:
    """Return why a block has to be computed or written, an empty text where it has not."""
    block, attributes = prepared.block, prepared.dataset.attrs
    try:
        stored = read_dataset(prepared.path)
    except Missing:
        return _missing(block.study, prepared.path, attributes)
    except Damaged as error:
        return f"damaged: {error.cause}"
    if block_of(stored.attrs) != block_of(attributes):
        return f"the file is another block, {block_of(stored.attrs) or 'of another program'}"
    reason = changed(stored.attrs, attributes)
    if reason and stored.attrs.get("parameters") == attributes["parameters"]:
        return ", ".join(_of_observables(stored, block.study, attributes)) or reason
    if reason:
        return reason
    return _other_points(block, stored)


def changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return what differs between the parameters and the code of stored data and those of now."""
    if then.get("parameters") != now["parameters"]:
        keys = list(
            _differences(*(json.loads(str(a.get("parameters", "{}"))) for a in (then, now)))
        )
        more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
        return f"parameter changed: {', '.join(keys[:_SHOWN])}{more}"
    if then.get(OBSERVABLES) != now.get(OBSERVABLES):
        return "other observables"
    if then.get(SOURCE_DIGEST) != now[SOURCE_DIGEST]:
        return "code changed"
    return ""


def _of_observables(
    stored: xr.Dataset, study: Study, attributes: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what is new, left out or changed of the observables that a study chooses."""
    digests = study.variable_digests
    then, now = (_written(each.get(OBSERVABLES)) for each in (stored.attrs, attributes))
    changed = []
    for name, each in study.observables.items():
        there = [variable for variable in each.variables if variable in stored]
        if not there:
            yield f"new observable {name}"
        elif any(stored[x].attrs.get(SOURCE_DIGEST) != digests[x] for x in there):
            changed.append(name)
    others = [name for name in changed if then.get(name, {}) == now.get(name, {})]
    for name in changed:
        if name not in others:
            pair = then.get(name, {}), now.get(name, {})
            texts = list(_differences(*pair, f"{OBSERVABLES}.{name}"))
            yield f"parameter changed: {', '.join(texts[:_SHOWN])}"
    own = [name for name in own_variables(study.kind) if name in stored]
    kept = [name for name in own if stored[name].attrs.get(SOURCE_DIGEST) == digests[name]]
    if others and (kept or len(others) < len(study.observables)):
        yield f"code of {', '.join(others)} changed"
    elif others:
        yield "code changed"
    elif set(stored_variables(stored)) - digests.keys():
        yield "observables left out"


def _written(text: object) -> dict[str, Any]:
    """Return observables with their parameters, from the attribute that lists them."""
    items = json.loads(str(text or "[]"))
    pairs = [item.items() if isinstance(item, dict) else [(item, {})] for item in items]
    return {name: parameters or {} for entries in pairs for name, parameters in entries}


def _missing(study: Study, path: Path, attributes: Mapping[str, Any]) -> str:
    if stale_path(path, attributes).exists():
        return "set aside by a change that was taken back; its points are kept"
    if partial_path(path).exists():
        return "interrupted, or failed points to retry; the other points are kept"
    if path.with_name(f"{path.name}.damaged").exists():
        return "damaged: set aside by an earlier run"
    for stale in sorted(path.parent.glob(f"{path.name}.*.stale")):
        with suppress(StoreError):
            then = read_dataset(stale)
            if reason := changed(then.attrs, attributes):
                same = then.attrs.get("parameters") == attributes["parameters"]
                own = _of_observables(then, study, attributes) if same else ()
                return ", ".join(own) or reason
    others = path.parent.parent if path.parent.name != "blocks" else path.parent
    return "new: other blocks are there" if any(others.rglob("*.nc")) else "not computed yet"


def _other_points(block: Block, stored: xr.Dataset) -> str:
    labels = point_labels(stored, block.study.axes)
    for axis in block.study.axes:
        if axis.outer:
            continue
        then, now = labels.get(axis.name, []), list(axis.labels)
        if "" in then and axis.cases is not None:
            return f"a case of {axis.name} changed"
        if added := [label for label in now if label not in then]:
            return f"new values of {axis.name}: {', '.join(added[:_SHOWN])}" + (
                f" and {len(added) - _SHOWN} more" if len(added) > _SHOWN else ""
            )
        if then != now:
            return f"values of {axis.name} taken away or in another order"
    if block.samples is not None and not np.array_equal(stored["sample"], list(block.samples)):
        return "other samples in this block"
    return ""


def _differences(then: object, now: object, key: str = "") -> Iterator[str]:
    """Yield ``key then -> now`` for each value that differs."""
    if isinstance(then, dict) and isinstance(now, dict):
        for part in dict.fromkeys([*then, *now]):
            # What a study computes stands below `parameters`, as it stands at the top of its file.
            below = part if key in ("", "parameters") else f"{key}.{part}"
            yield from _differences(then.get(part), now.get(part), below)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for i, pair in enumerate(zip(then, now, strict=True)):
            yield from _differences(*pair, f"{key}.{i}")
    elif isinstance(then, list) and isinstance(now, list):
        yield f"{key} of {len(then)} -> {len(now)} entries"
    elif then != now:
        # Long texts may differ only beyond what is shown of them.
        texts = shown(then), shown(now)
        yield f"{key} {texts[0]} -> {texts[1]}" if texts[0] != texts[1] else f"{key} (a long value)"
