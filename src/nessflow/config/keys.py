"""The keys of a pydantic model in words: type, bounds, units, default, meaning."""

import textwrap
from collections.abc import Iterator

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
        return " or ".join(_form(root, branch, plural) for branch in branches)
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
