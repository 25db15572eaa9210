"""What a pydantic model says about plain values, in terms of the keys of a file.

The JSON Schema of a model is the one description of its keys used here: it knows units,
descriptions, valid keys and the branches of unions, and needs no look into pydantic.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from nessflow.errors import Problem, closest, nearest, shown
from nessflow.registry import project
from nessflow.written.expressions import PLACE_NAMES, ExpressionError, expression

Model = TypeVar("Model")
Key = tuple[str | int, ...]
"""Keys of mappings and numbers of entries that lead to a value."""

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
    "missing": "a value",
    "model_type": "a mapping of keys to values",
    "string_too_short": "text of at least {min_length} characters",
    "string_type": "text",
    "too_long": "at most {max_length} entries",
    "too_short": "at least {min_length} entries",
    "tuple_type": "a list",
}
_OF_VALUES = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
_OF_VALUES |= {"value_error", "assertion_error"}
"""Errors that say that a number, or numbers together, are not possible."""
WORDS = {
    r"^[a-z0-9][a-z0-9-]{0,79}$": "a name of at most 80 characters a-z, 0-9 and -",
    r"^[A-Za-z][A-Za-z0-9_-]{0,79}$": "a name of at most 80 letters, digits, - and _, a letter "
    "first",
    r"^([a-z0-9][a-z0-9-]{0,79}|[^/~$].*\.csv)$": "the name of a study, or a table of the project "
    "such as data/measured.csv",
}
"""What the patterns of texts mean."""
_TYPES = ("_type", "_parsing", "literal_error", "too_short")
"""Endings of the errors that say that a value is of another type, or empty, altogether."""
_COMPLEX = re.compile(r"\(?[-+\d.].*[ij]\)?", re.IGNORECASE)
_MOST = 50
"""Faults of one value that are listed; the others are counted."""


@dataclass(frozen=True)
class Fault:
    """One fault of a value, and the key of that value."""

    key: Key
    expected: str
    hint: str
    rule: Key | None = None
    """Key of the model whose validator said it: other values below it may be meant as well."""
    of_value: bool = False
    """Whether another number there could be right: the key and the type of its value are."""
    of_key: bool = False
    """Whether the last part of the key is at fault, and not the value that it has."""


def validated(
    model: Any, data: object, other_keys: tuple[str, ...] = ()
) -> tuple[Any, list[Fault]]:
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
        errors: list[Any] = error.errors(include_url=False)
        found = [
            (e["type"], replace(_fault(root, data, e, other_keys), of_value=_is_of_value(e)))
            for e in errors[:_MOST]
            if e["type"] != "callable_type"  # what Python alone can give
        ]
        faults = _merged(_said_once(root, data, found))
        if len(errors) > _MOST:
            faults.append(Fault((), "", f"{len(errors) - _MOST} more faults are not listed"))
        return None, faults


class InvalidValues(ValueError):
    """Values that a model cannot have; its text is one line for each fault."""


def explained(model: type[BaseModel], values: dict[str, Any]) -> InvalidValues | None:
    """Return what is wrong with the arguments of a model, as it would be said of a file.

    Parameters
    ----------
    model : type
        A pydantic model that refused them.
    values : dict
        Its arguments: numbers, texts, arrays, other models, and what holds these.

    Returns
    -------
    InvalidValues or None
        None where they cannot be written in a file, or a file with them would be fine.
    """
    data = as_written(values)
    try:
        _, faults = validated(model, data)
    except (TypeError, ValueError):
        return None
    problems = []
    for fault in faults:
        given = functools.reduce(_item, fault.key, data)
        key = ".".join(map(str, fault.key))
        told = "" if given is None or fault.of_key else shown(given)
        problems.append(Problem(_called(model), None, key, told, fault.expected, fault.hint))
    return InvalidValues("\n".join(map(str, problems))) if problems else None


def as_told(model: type[BaseModel], error: ValidationError) -> InvalidValues:
    """Return what is wrong with arguments that no file can have, such as arrays and functions."""
    problems = []
    for each in error.errors(include_url=False):
        context, kind = each.get("ctx", {}), each["type"]
        said = context.get("error")
        key = ".".join(map(str, (*each["loc"], *getattr(said, "key", ()))))
        expected = _EXPECTED[kind].format(**context) if kind in _EXPECTED else ""
        hint = (
            "it is missing" if kind == "missing" else "" if expected else str(said or each["msg"])
        )
        problems.append(Problem(_called(model), None, key, "", expected, hint))
    return InvalidValues("\n".join(map(str, problems)))


def _called(model: type[BaseModel]) -> str:
    """Return what messages call a model."""
    name = getattr(model, "__name__", "")
    kind = getattr(model, "model_fields", {}).get("kind")
    if kind is not None and kind.default == "":  # none of a study file
        return ""
    if name == "Parameters":  # of a kind of study, which is known by the name of its module
        return model.__module__.rpartition(".")[2].replace("_", "-")
    return name


def as_written(value: object) -> Any:
    """Return a value as it stands in a file."""
    if isinstance(value, BaseModel):
        known = type(value).model_fields
        names = ((name, known[name].alias or name) for name in known if name in value.__dict__)
        items = {alias: as_written(getattr(value, name)) for name, alias in names}
        return value.written(items) if hasattr(value, "written") else items
    if isinstance(value, type):
        return value.__name__
    if is_dataclass(value):
        return {each.name: as_written(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, dict):
        return {str(key): as_written(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # of numpy, numbers and arrays
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [as_written(item) for item in value]
    return str(value).strip("()") if isinstance(value, complex) else value


def with_whole_numbers(value: Any) -> Any:
    """Return a copy of nested values where floats without a fraction are integers."""
    if isinstance(value, dict):
        return {key: with_whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_whole_numbers(item) for item in value]
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value


def schema_of(model: type[BaseModel] | TypeAdapter) -> dict:
    """Return the JSON Schema of a model, parts of the project included."""
    return _schema_of(model, project())


@functools.cache
def _schema_of(model: type[BaseModel] | TypeAdapter, project: Path) -> dict:
    return _adapter(model).json_schema()


@functools.cache
def _adapter(model: type[BaseModel] | TypeAdapter) -> TypeAdapter:
    return model if isinstance(model, TypeAdapter) else TypeAdapter(model)


def quantity_at(model: type[BaseModel], key: Key, data: object) -> tuple[str, str] | None:
    """Return the natural units and the description of the field that holds ``key``.

    ``data`` decides which branch of each union holds.  An entry of a list or mapping has the
    units of the whole.  Both are empty when the field has no units; None when there is no such key.
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
    if found is None:
        return ("", "") if node else None
    return found["natural_units"], found.get("description", "")


def takes_number(
    model: type[BaseModel] | TypeAdapter, key: Key, data: object, *, or_text: bool = False
) -> bool:
    """Tell whether the value at ``key`` may be a number, and no text unless ``or_text``."""
    root = schema_of(model)
    node = resolved(root, _walked(root, key, data)[0])
    types = {resolved(root, branch).get("type") for branch in (*branches_of(node), node)}
    return bool(types & {"number", "integer"}) and (or_text or "string" not in types)


@functools.cache
def has_places(model: type[BaseModel]) -> bool:
    """Tell whether some values of a model may be formulas of sites or bonds."""
    return '"per":' in json.dumps(schema_of(model))


def _fault(root: dict, data: object, error: dict, other_keys: tuple) -> Fault:
    kind, context = error["type"], error.get("ctx", {})
    key = _key_of(root, error["loc"], data)
    if kind == "extra_forbidden":
        return _unknown_key(_properties(root, key[:-1], data), key, other_keys)
    if kind == "union_tag_not_found":
        discriminator = _union_at(root, key, data)["discriminator"]
        expected = f"one of {', '.join(discriminator['mapping'])}"
        return Fault((*key, discriminator["propertyName"]), expected, "it is missing")
    if kind == "union_tag_invalid":
        tags = context["expected_tags"].replace("'", "").split(", ")
        key = (*key, context["discriminator"].strip("'"))
        return Fault(key, f"one of {', '.join(tags)}", nearest(context["tag"], tags))
    if kind == "part":
        return Fault((*key, "kind"), "", context["why"])
    if kind in ("value_error", "assertion_error"):
        said = context["error"]
        place = _written(data, (*key, *getattr(said, "key", ())))
        return Fault(place, "", str(said), rule=key, of_key=getattr(said, "of_key", False))
    if kind == "formula":
        node = _node_at(root, key, data)
        return Fault(key, context["expected"] + _meaning(node), context["why"])
    if kind == "string_pattern_mismatch":
        expected = WORDS[context["pattern"]]
    else:
        expected = _EXPECTED[kind].format(**context) if kind in _EXPECTED else error["msg"]
    expected = expected.removeprefix("Input should be ")
    if error["loc"][-1:] == ("[key]",):
        return Fault(key, f"{expected} as key", "", of_key=True)
    hint = "it is missing" if kind == "missing" else ""
    node, given = _node_at(root, key, data), functools.reduce(_item, key, data)
    words = [value for value in node.get("enum", ()) if isinstance(value, str)]
    if not _meaning(node):
        node = _list_at(root, key, data)
    if kind in ("float_type", "int_type", "int_parsing") and isinstance(given, str):
        hint = _number_hint(given, node)
    if kind == "literal_error" and isinstance(given, str):
        hint = nearest(given, words)
    return Fault(key, expected + _meaning(node), hint)


def _is_of_value(error: dict) -> bool:
    if getattr(error.get("ctx", {}).get("error"), "is_certain", False):
        return False
    is_fraction = error["type"] == "int_type" and isinstance(error["input"], float)
    return is_fraction or error["type"] in _OF_VALUES


def _unknown_key(properties: Iterable[str], key: Key, other_keys: tuple) -> Fault:
    valid = [*sorted(properties), *(other_keys if len(key) == 1 else ())]
    expected = f"one of the keys {', '.join(valid)}" if valid else "no key"
    return Fault(key, expected, nearest(str(key[-1]), valid), of_key=True)


def _written(data: object, key: Key) -> Key:
    """Return ``key``, or that of the list, range or text that does not have its entry as such."""
    written: Key = ()
    for part in key:
        if not isinstance(data, dict | list):
            break
        if isinstance(data, dict) and isinstance(part, int) and str(part) not in data:
            break
        part = str(part) if isinstance(data, dict) else part
        written, data = (*written, part), _item(data, part)
    return written


def _number_hint(text: str, node: dict) -> str:
    """Return what may be wrong with a text where a number is expected."""
    if _COMPLEX.fullmatch(text.strip()):
        return node.get("if_complex", "it has to be real")
    with suppress(ValueError):
        float(text)
        return "write it without quotes"
    try:
        formula = expression(text)
    except ExpressionError as error:
        return str(error) if text.startswith("$") else ""
    if text.startswith("$") and formula.names & set(PLACE_NAMES):
        return (
            f"{', '.join(PLACE_NAMES)} differ from site to site: only on-site energies, hoppings "
            "and rates may be formulas of them"
        )
    if text.startswith("$"):
        return "it may not be a formula of axes"
    if formula.names:
        return "" if formula.is_name else f"a formula of axes is written $({text})"
    try:
        formula.evaluate({})
    except ExpressionError as error:
        return str(error)
    return ""


def _said_once(root: dict, data: object, found: Sequence[tuple[str, Fault]]) -> Iterator[Fault]:
    """Yield the faults without those that follow from others.

    A key that is missing because it is misspelt, and a list that is no number where an entry of
    the list is at fault.
    """
    unknown = [fault.key for kind, fault in found if kind == "extra_forbidden"]
    keys = {fault.key for _, fault in found}
    above = {key[:size] for key in keys for size in range(len(key))}
    for kind, fault in found:
        beside = [str(key[-1]) for key in unknown if key[:-1] == fault.key[:-1]]
        if kind == "missing" and closest(str(fault.key[-1]), beside):
            continue
        is_container = isinstance(functools.reduce(_item, fault.key, data), dict | list)
        if kind.endswith(_TYPES) and is_container and fault.key in above:
            continue
        yield fault


def _merged(faults: Iterable[Fault]) -> list[Fault]:
    """Join what the branches of a union expect of one value."""
    merged: dict[Key, Fault] = {}
    for fault in faults:
        first = merged.get(fault.key)
        if first is None:
            merged[fault.key] = fault
        elif not fault.expected:
            hint = first.hint or ("" if first.of_key else fault.hint)
            merged[fault.key] = replace(first, hint=hint)
        elif fault.expected not in first.expected:
            alternative, bracket, meaning = fault.expected.partition(" (")
            expected = first.expected.removesuffix(bracket + meaning)
            expected = f"{expected} or {alternative}{bracket}{meaning}"
            of_value = first.of_value or fault.of_value
            merged[fault.key] = Fault(fault.key, expected, first.hint, first.rule, of_value)
    return list(merged.values())


def _meaning(node: dict) -> str:
    """Return what a field means and its units, in brackets."""
    units = f"in units {node['natural_units']}" if "natural_units" in node else ""
    parts = [part for part in (node.get("description", "").split("\n")[0], units) if part]
    return f" ({', '.join(parts)})" if parts else ""


def _key_of(root: dict, location: tuple, data: object) -> Key:
    """Return the key for pydantic's location, which names branches of unions as well."""
    node = root
    key: Key = ()
    parts = list(location)
    while parts:
        node = resolved(root, node)
        branches = branches_of(node)
        if branches:
            # The union with None has no part of its own.
            if len(branches) > 1 or "discriminator" in node:
                parts.pop(0)
            node = _one_branch(root, node, data)
            continue
        part = parts.pop(0)
        if part == "[key]":
            break
        # A branch of a union other than that of the value: no key of it.
        if isinstance(part, str) and not isinstance(data, dict | None):
            continue
        # Keys of a file are texts, those of what was made of it may be numbers.
        part = str(part) if isinstance(data, dict) else part
        key = (*key, part)
        node = _child(root, _branch(root, node, data), part)
        data = _item(data, part)
    return key


def _node_at(root: dict, key: Key, data: object) -> dict:
    node, data = _walked(root, key, data)
    return _branch(root, node, data)


def _list_at(root: dict, key: Key, data: object) -> dict:
    """Return the node of the list that ``key`` is an entry of; an empty one where it is none."""
    while key and isinstance(key[-1], int):
        key = key[:-1]
    return _node_at(root, key, data) if key else {}


def _properties(root: dict, key: Key, data: object) -> dict:
    return _node_at(root, key, data).get("properties", {})


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
        return node.get("type") == "object" and bool(not required or set(data) & set(required))
    return node.get("type") == ("array" if isinstance(data, list) else "number")


def _child(root: dict, node: dict, part: str | int) -> dict:
    for form in (node, *node.get("also", ())):
        if part in form.get("properties", {}):
            return resolved(root, form["properties"][part])
    if isinstance(part, int):
        items = node.get("prefixItems", [])
        return resolved(root, items[part] if part < len(items) else node.get("items", {}))
    # Keys of a mapping: of any name, or of names that match a pattern.
    for extra in (*node.get("patternProperties", {}).values(), node.get("additionalProperties")):
        if isinstance(extra, dict):
            return resolved(root, extra)
    return {}


def _item(data: Any, part: object) -> Any:
    try:
        return data[part]
    except (LookupError, TypeError):
        return None
