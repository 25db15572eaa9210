"""What a pydantic model says about plain values, in terms of the keys of a file.

The JSON Schema of a model is the one description of its keys used here: it knows units,
descriptions, valid keys and the branches of unions, and needs no look into pydantic.
"""

import functools
import json
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from nessflow.pipeline.document import Key
from nessflow.pipeline.errors import nearest

Model = TypeVar("Model")

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping of keys to values",
    "finite_number": "a finite number",
    "float_type": "a number",
    "greater_than": "a number > {gt:g}",
    "greater_than_equal": "a number >= {ge:g}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than": "a number < {lt:g}",
    "less_than_equal": "a number <= {le:g}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "a mapping of keys to values",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_type": "text",
    "too_long": "at most {max_length} entries",
    "too_short": "at least {min_length} entries",
    "tuple_type": "a list",
    "union_tag_invalid": "one of {expected_tags}",
}
_OF_VALUES = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
_OF_VALUES |= {"value_error", "assertion_error"}
"""Errors that say that a number, or numbers together, are not possible."""


@dataclass(frozen=True)
class Fault:
    """One fault of a value, and the key of that value."""

    key: Key
    expected: str
    hint: str
    is_rule: bool
    """Whether a validator of the model said it: it may concern more values than its key."""
    of_value: bool = False
    """Whether another number there could be right: the key and the type of its value are."""


def validated(
    model: type[Model] | TypeAdapter[Model], data: object, other_keys: tuple[str, ...] = ()
) -> tuple[Model | None, list[Fault]]:
    """Validate plain values without any conversion of text or booleans into numbers.

    Parameters
    ----------
    model : type or TypeAdapter
        A pydantic model, or a union of models.
    data : dict
        Values as read from a file, expressions evaluated.
    other_keys : tuple of str
        Keys that are valid at the top beside those of the model, for hints.

    Returns
    -------
    instance : model or None
        None when there are faults.
    faults : list of Fault
    """
    # Strict JSON is what a YAML file can say: lists for tuples, text for the keys of a
    # mapping, but "1" is no number and 1 is not true.
    text = json.dumps(with_whole_numbers(data))
    try:
        return _adapter(model).validate_json(text, strict=True), []
    except ValidationError as error:
        root = schema_of(model)
        found = [
            replace(_fault(root, data, e, other_keys), of_value=_is_of_value(e))
            for e in error.errors(include_url=False)
        ]
        return None, _merged(found)


def with_whole_numbers(value: object) -> object:
    """Return a copy of nested values where floats without a fraction are integers."""
    if isinstance(value, dict):
        return {key: with_whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_whole_numbers(item) for item in value]
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value


@functools.cache
def schema_of(model: type[BaseModel] | TypeAdapter) -> dict:
    """Return the JSON Schema of a model."""
    return _adapter(model).json_schema()


@functools.cache
def _adapter(model: type[BaseModel] | TypeAdapter) -> TypeAdapter:
    return model if isinstance(model, TypeAdapter) else TypeAdapter(model)


def quantity_at(model: type[BaseModel], key: Key, data: object) -> tuple[str, str] | None:
    """Return the natural units and the description of the field that holds ``key``.

    ``data`` decides which branch of each union holds.  An entry of a list or mapping has the
    units of the whole.  None when the field has no units.
    """
    root = schema_of(model)
    node, found = root, None
    for part in key:
        node = _branch(root, node, data)
        if part in node.get("properties", {}):
            found = None
        node = _child(root, node, part)
        found = node if "natural_units" in node else found
        data = _item(data, part)
    return (found["natural_units"], found.get("description", "")) if found else None


def _fault(root: dict, data: object, error: dict, other_keys: tuple) -> Fault:
    kind, context = error["type"], error.get("ctx", {})
    key = _key_of(root, error["loc"], data)
    if kind == "extra_forbidden":
        valid = sorted(_node_at(root, key[:-1], data).get("properties", ()))
        valid += other_keys if len(key) == 1 else ()
        hint = nearest(str(key[-1]), valid)
        return Fault(key, f"one of the keys {', '.join(valid)}" if valid else "no key", hint, False)
    if kind == "union_tag_not_found":
        discriminator = _union_at(root, key, data)["discriminator"]
        expected = f"one of {', '.join(discriminator['mapping'])}"
        return Fault((*key, discriminator["propertyName"]), expected, "it is missing", False)
    if kind == "missing":
        return Fault(key, f"a value{_meaning(_node_at(root, key, data))}", "it is missing", False)
    if kind == "union_tag_invalid":
        tags = context["expected_tags"].replace("'", "").split(", ")
        key = (*key, context["discriminator"].strip("'"))
        return Fault(key, f"one of {', '.join(tags)}", nearest(context["tag"], tags), False)
    if kind in ("value_error", "assertion_error"):
        return Fault(key, "", str(context["error"]), True)
    pattern = _EXPECTED.get(kind)
    expected = pattern.format(**context) if pattern else error["msg"]
    expected = expected.removeprefix("Input should be ")
    return Fault(key, expected + _meaning(_node_at(root, key, data)), "", False)


def _is_of_value(error: dict) -> bool:
    is_fraction = error["type"] == "int_type" and isinstance(error["input"], float)
    return is_fraction or error["type"] in _OF_VALUES


def _merged(faults: list[Fault]) -> list[Fault]:
    """Join what the branches of a union expect of one value."""
    merged: dict[Key, Fault] = {}
    for fault in faults:
        first = merged.get(fault.key)
        if first is None:
            merged[fault.key] = fault
        elif fault.expected and fault.expected not in first.expected:
            expected = f"{first.expected} or {fault.expected}"
            of_value = first.of_value or fault.of_value
            merged[fault.key] = Fault(fault.key, expected, first.hint, False, of_value)
    return list(merged.values())


def _meaning(node: dict) -> str:
    """Return what a field means and its units, in brackets."""
    units = f"in units {node['natural_units']}" if "natural_units" in node else ""
    parts = [part for part in (node.get("description", "").split("\n")[0], units) if part]
    return f" ({', '.join(parts)})" if parts else ""


def _key_of(root: dict, location: tuple, data: object) -> Key:
    """Return the key for pydantic's location, which names branches of unions as well."""
    node, key = root, ()
    parts = list(location)
    while parts:
        node = resolved(root, node)
        branches = branches_of(node)
        if branches:
            if len(branches) > 1:  # else the union with None, which has no part of its own
                parts.pop(0)
            node = _one_branch(root, node, data)
            continue
        part = parts.pop(0)
        if part == "[key]":
            break
        key = (*key, part)
        node = _child(root, _branch(root, node, data), part)
        data = _item(data, part)
    return key


def _node_at(root: dict, key: Key, data: object) -> dict:
    node, data = _walked(root, key, data)
    return _branch(root, node, data)


def _union_at(root: dict, key: Key, data: object) -> dict:
    """Return the union at ``key`` whose branches are named by a key of the value."""
    node, data = _walked(root, key, data)
    node = resolved(root, node)
    while "discriminator" not in node:  # the union with None around it
        node = _one_branch(root, node, data)
    return node


def _walked(root: dict, key: Key, data: object) -> tuple[dict, object]:
    node = root
    for part in key:
        node = _child(root, _branch(root, node, data), part)
        data = _item(data, part)
    return node, data


def resolved(root: dict, node: dict) -> dict:
    """Return a node of a schema, its reference followed; what stands beside it wins."""
    while "$ref" in node:
        target = root["$defs"][node["$ref"].rsplit("/", 1)[1]]
        node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
    return node


def branches_of(node: dict) -> list[dict]:
    """Return the branches of a union other than None; none of what is no union."""
    branches = node.get("oneOf") or node.get("anyOf") or []
    return [branch for branch in branches if branch.get("type") != "null"]


def _branch(root: dict, node: dict, data: object) -> dict:
    """Return what ``data`` is to be, the branch of every union chosen."""
    node = resolved(root, node)
    while branches_of(node):
        node = _one_branch(root, node, data)
    return node


def _one_branch(root: dict, node: dict, data: object) -> dict:
    branches = branches_of(node)
    discriminator = node.get("discriminator", {})
    tag = _item(data, discriminator.get("propertyName"))
    if not discriminator:
        chosen = next((b for b in branches if _fits(resolved(root, b), data)), branches[0])
    elif isinstance(tag, str) and tag in discriminator["mapping"]:
        chosen = {"$ref": discriminator["mapping"][tag]}
    else:
        chosen = {}
    outer = {k: v for k, v in node.items() if k not in ("oneOf", "anyOf", "discriminator")}
    return {**resolved(root, chosen), **outer}


def _fits(node: dict, data: object) -> bool:
    if isinstance(data, dict):
        required = node.get("required", [])
        return node.get("type") == "object" and (not required or set(data) & set(required))
    return node.get("type") == ("array" if isinstance(data, list) else "number")


def _child(root: dict, node: dict, part: str | int) -> dict:
    if part in node.get("properties", {}):
        return resolved(root, node["properties"][part])
    if isinstance(part, int):
        items = node.get("prefixItems", [])
        return resolved(root, items[part] if part < len(items) else node.get("items", {}))
    # Keys of a mapping: of any name, or of names that match a pattern.
    for extra in (*node.get("patternProperties", {}).values(), node.get("additionalProperties")):
        if isinstance(extra, dict):
            return resolved(root, extra)
    return {}


def _item(data: object, part: object) -> object:
    try:
        return data[part]
    except (LookupError, TypeError):
        return None
