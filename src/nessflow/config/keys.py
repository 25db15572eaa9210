"""The keys of a pydantic model in words: type, bounds, units, default, meaning."""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from nessflow.validation import branches_of, resolved, schema_of

_INDENT = "  "
_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def key_lines(model: type[BaseModel]) -> list[str]:
    """Return one line for each key that a value of a model may have, indented as in a file.

    Parameters
    ----------
    model : type
        A pydantic model.  The keys of the models in it are listed below their own key; those of
        a union below each value of the key that chooses, such as ``kind: chain``.

    Returns
    -------
    list of str
        ``key: type (units), required or the default  # meaning``.
    """
    schema = schema_of(model)
    return list(_keys(schema, schema, _INDENT, {}))


class UnknownKey(LookupError):
    """There is no such key; ``valid`` has those that there are in its place."""

    def __init__(self, key: Sequence[str], valid: Iterable[str]):
        super().__init__(".".join(key))
        self.key, self.valid = tuple(key), sorted(set(valid))


@dataclass(frozen=True)
class _Place:
    """What may stand at a key: its value, the mapping that has it, the parts that lead there."""

    node: dict
    parent: dict = field(default_factory=dict)
    parts: tuple[str, ...] = ()


def described_key(schema: dict, key: Sequence[str], title: str = "") -> list[str]:
    """Return what may be written at a key, of whatever part it is.

    Parameters
    ----------
    schema : dict
        JSON Schema of a model.
    key : sequence of str
        Keys of mappings and names of parts, ``("system", "leads", "left", "broadening")``; entries
        of a list have a number or none.
    title : str, optional
        What it is called; the key, if left out.

    Returns
    -------
    list of str
        Type, units, bounds, default and meaning, an example, and the keys below.

    Raises
    ------
    UnknownKey
        When there is none.
    """
    places = [_Place(schema)]
    for number, part in enumerate(key):
        found = [new for place in places for new in _inside(schema, place, part)]
        if not found:
            valid = (name for place in places for name in _names(schema, place.node))
            raise UnknownKey(key[: number + 1], valid)
        places = found
    told: dict[tuple[str, ...], dict[str, None]] = {}
    for place in places:
        body = tuple(_described(schema, place, key[-1]))
        told.setdefault(body, {}).update(dict.fromkeys(place.parts[-1:]))
    lines = []
    for body, parts in told.items():
        of = f" (of {', '.join(parts)})" if len(told) > 1 and parts else ""
        lines += ["", f"{title or '.'.join(key)}{of}", *body]
    return lines[1:]


def parts_of(schema: dict, name: str) -> list[tuple[str, ...]]:
    """Return where in a model a part of this name may stand, an observable included."""
    found, seen = [], set()

    def look(node: dict, key: tuple[str, ...]) -> None:
        node = resolved(schema, node)
        if "discriminator" in node:
            mapping = node["discriminator"]["mapping"]
            if name in mapping:
                found.append((*key, name))
            for tag, target in mapping.items():
                if target not in seen:
                    seen.add(target)
                    look({"$ref": target}, (*key, tag))
        for child, value in node.get("properties", {}).items():
            if key[-1:] == ("observables",) and child == name:
                found.append((*key, name))
            look(value, (*key, child))
        for part in branches_of(node) or _contents(node):
            if "discriminator" not in node:
                look(part, key)

    look(schema, ())
    return list(dict.fromkeys(found))


def _inside(root: dict, place: _Place, part: str) -> Iterator[_Place]:
    """Yield what a key means in a value, of each branch of a union that has it."""
    node = resolved(root, place.node)
    if "discriminator" in node:
        for tag, target in node["discriminator"]["mapping"].items():
            branch = _Place({"$ref": target}, {}, (*place.parts, tag))
            if tag == part:
                yield branch
            else:
                yield from _inside(root, branch, part)
        return
    for form in (node, *node.get("also", ())):
        if part in form.get("properties", {}):
            yield _Place(form["properties"][part], form, place.parts)
    for each in branches_of(node):
        yield from _inside(root, _Place(each, place.parent, place.parts), part)
    if branches_of(node) or node.get("properties"):
        return
    for content in _contents(node):
        inside = _Place(content, {}, place.parts)
        kinds = resolved(root, content).get("discriminator", {}).get("mapping", {})
        if part in kinds or (node.get("type") == "array" and not part.isdecimal()):
            yield from _inside(root, inside, part)
        else:
            yield inside


def _names(root: dict, node: dict) -> Iterator[str]:
    """Yield the keys and names of parts that a value may have."""
    node = resolved(root, node)
    for target in node.get("discriminator", {}).get("mapping", {}).values():
        yield from _names(root, {"$ref": target})
    yield from node.get("discriminator", {}).get("mapping", {})
    yield from node.get("properties", {})
    if "discriminator" not in node:
        for part in branches_of(node) or _contents(node) * (node.get("type") == "array"):
            yield from _names(root, part)


def _described(root: dict, place: _Place, name: str) -> Iterator[str]:
    node = resolved(root, place.node)
    units = node.get("natural_units", "1")
    is_part = place.parts[-1:] == (name,) and not place.parent
    need = f", {_need(place.parent, name)}" if name in place.parent.get("properties", {}) else ""
    if not is_part:
        yield f"  {_form(root, node)}{f' ({units})' if units != '1' else ''}{need}"
    if text := " ".join(node.get("description", "").split()):
        yield from textwrap.wrap(text, 96, initial_indent=_INDENT, subsequent_indent=_INDENT)
    if (value := example(root, node)) != _TEXT:
        yield f"  Example: {'' if is_part else f'{name}: '}{written(value)}"
    if is_part:
        below = list(_keys(root, node, 2 * _INDENT, {}, chooser="kind"))
    else:
        below = list(_below(root, node, 2 * _INDENT, {}))
    yield from ["  Keys", *below] if below else []


_TEXT = "text"
"""Example of a text, of which nothing is known."""


def example(root: dict, node: dict) -> Any:
    """Return a value that a schema accepts: its own example, its default, or what it needs."""
    node = resolved(root, node)
    if node.get("examples"):
        return node["examples"][0]
    if node.get("default") is not None and node["default"] not in ([], {}):
        return node["default"]
    if "enum" in node or "const" in node:
        return node.get("const", (node.get("enum") or [None])[0])
    if node.get("format") == "complex":
        return 1
    if "discriminator" in node:
        return example(root, {"$ref": next(iter(node["discriminator"]["mapping"].values()))})
    if branches := branches_of(node):
        return example(root, branches[0])
    kind = node.get("type")
    if kind == "array":
        entries = node.get("prefixItems") or [node["items"]] * max(1, node.get("minItems", 1))
        return [example(root, entry) for entry in entries]
    if kind == "object":
        properties = node.get("properties", {})
        needed = [
            name
            for name, each in properties.items()
            if name in node.get("required", ()) or name == "kind" or "examples" in each
        ]
        if not properties and (contents := _contents(node)):
            is_counted = re.match(r"(site|lattice vector)\b", node.get("description", ""))
            return {"1" if is_counted else "a": example(root, contents[0])}
        return {x: example(root, properties[x]) for x in needed or list(properties)[:1]}
    examples: dict[Any, Any] = {"string": _TEXT, "boolean": True, "null": None}
    return examples.get(kind, _number(node))


def _number(node: dict) -> float:
    """Return a number within the bounds: 1 if that may be."""
    low = node.get("minimum", node.get("exclusiveMinimum", float("-inf")))
    high = node.get("maximum", node.get("exclusiveMaximum", float("inf")))
    if low < 1 < high or 1 in (node.get("minimum"), node.get("maximum")):
        return 1
    if node.get("type") == "integer" or high == float("inf"):
        return low + 1 if "exclusiveMinimum" in node else low
    return (low + high) / 2 if low > float("-inf") else high - 1


def written(value: object) -> str:
    """Return a value as one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {written(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w./-]*", value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _keys(
    root: dict, node: dict, indent: str, listed: dict[str, str], chooser: str = ""
) -> Iterator[str]:
    """Yield the keys of a mapping, without the one that chooses it.

    ``listed`` has the key below which lines stand already.
    """
    for name, child in node["properties"].items():
        if name == chooser:
            continue
        units = child.get("natural_units", "1")
        units = f" ({units})" if units != "1" else ""
        line = f"{indent}{name}: {_form(root, child)}{units}, {_need(node, name)}"
        below = list(_below(root, child, indent + _INDENT, listed))
        first = listed.setdefault(textwrap.dedent("\n".join(below)), name) if below else name
        yield line + (f", keys of {first}" if first != name else "") + _remark(root, child)
        yield from below if first == name else ()


def _below(root: dict, node: dict, indent: str, listed: dict[str, str]) -> Iterator[str]:
    """Yield the keys of the models in a value: one mapping, a union, or what a container holds."""
    node = resolved(root, node)
    if "discriminator" in node:
        chooser = node["discriminator"]["propertyName"]
        for tag, target in node["discriminator"]["mapping"].items():
            branch = resolved(root, {"$ref": target})
            yield f"{indent}{chooser}: {tag}{_remark(root, branch)}"
            yield from _keys(root, branch, indent + _INDENT, listed, chooser)
    elif node.get("properties"):
        yield from _keys(root, node, indent, listed)
    else:
        shown = []
        for part in branches_of(node) or _contents(node):
            # One of a kind, or a list of them: said once.
            if (lines := list(_below(root, part, indent, listed))) not in shown:
                shown.append(lines)
                yield from lines


def _contents(node: dict) -> list[dict]:
    """Return what a list holds, or a mapping of any names."""
    found = [node.get("items"), node.get("additionalProperties")]
    found += node.get("patternProperties", {}).values()
    return [part for part in found if isinstance(part, dict)]


def _form(root: dict, node: dict, plural: str = "") -> str:
    node = resolved(root, node)
    form = _plain_form(root, node, plural)
    if "per" in node and node.get("type") != "string":
        form += f" or formula of {node['per']}s"
    others = node.get("also", ())
    if any("start" in each.get("properties", {}) for each in others):
        form += " or region" if len(others) > 1 else " or range"
    return form


def _plain_form(root: dict, node: dict, plural: str) -> str:
    if "discriminator" in node:
        return "one of the following"
    if node.get("format") == "complex":
        return f"complex number{plural}"
    if branches := branches_of(node):
        forms = (_form(root, branch, plural) for branch in branches)
        return " or ".join(dict.fromkeys(forms))
    if "enum" in node or "const" in node:
        return " or ".join(map(str, node.get("enum", [node.get("const")])))
    if "prefixItems" in node:
        count, first = len(node["prefixItems"]), node["prefixItems"][0]
        return f"list{plural} of {count} {_form(root, first, 's')}"
    if node["type"] == "array":
        row = resolved(root, node["items"])
        if row.get("type") == "array" and row.get("items", {}).get("format") == "complex":
            return "matrices" if plural else "matrix"
        several = "discriminator" in resolved(root, node["items"])
        return f"list{plural} of {'these' if several else _form(root, node['items'], 's')}"
    if node["type"] == "object":
        contents = _contents(node)
        if len(node.get("properties", {})) == 1 and "kind" not in node["properties"]:
            return f"{{{next(iter(node['properties']))}: ...}}"
        return f"key -> {_form(root, contents[0])}" if contents else f"mapping{plural}"
    if node["type"] == "boolean":
        return "true or false"
    if node["type"] == "string":
        return f"text{plural}"
    word = "whole number" if node["type"] == "integer" else "number"
    limits = [f"{sign} {node[key]:.12g}" for key, sign in _BOUNDS.items() if key in node]
    return " ".join([word + plural, " and ".join(limits)]).rstrip()


def _need(node: dict, name: str) -> str:
    if name in node.get("required", ()):
        return "required"
    default = node["properties"][name].get("default")
    if default is None or isinstance(default, (dict, list)):
        return "optional"
    if isinstance(default, bool):
        return f"default {str(default).lower()}"
    return f"default {default if isinstance(default, str) else format(default, '.12g')}"


def _remark(root: dict, node: dict) -> str:
    text = resolved(root, node).get("description", "").split("\n")[0]
    return f"  # {text}" if text else ""
