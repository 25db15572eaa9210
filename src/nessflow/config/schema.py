"""The JSON Schema of study files, for completion and checks in an editor."""

from collections.abc import Mapping

from nessflow.config.study_file import StudyFile
from nessflow.registry import Kind

_EXPRESSION = {"type": "string", "pattern": r"^\$"}
_NAMED = ("properties", "$defs")  # keywords whose values are schemas by name
_LITERAL = ("default", "const", "enum", "required", "discriminator")
_ANNOTATION = ("title", "description", "natural_units", "default")


def study_schema(kinds: Mapping[str, Kind]) -> dict:
    """Return the JSON Schema (2020-12) of a study file.

    Parameters
    ----------
    kinds : mapping of str to Kind
        Every kind of study by name.

    Returns
    -------
    dict
        The common keys, and for each kind its parameters, where every number may also be an
        expression such as ``$V``.
    """
    schema = StudyFile.model_json_schema()
    schema.pop("additionalProperties", None)
    branches = []
    for name, kind in kinds.items():
        own = kind.Parameters.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        own = _with_expressions(own)
        schema["$defs"] |= {f"{name}.{key}": node for key, node in own.get("$defs", {}).items()}
        branches.append(
            {
                "if": {"properties": {"study": {"const": name}}, "required": ["study"]},
                "then": {
                    "properties": own.get("properties", {}),
                    "required": own.get("required", []),
                },
            }
        )
    schema["properties"]["study"] = {"enum": list(kinds), "description": "The kind of study."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "nessflow study",
        "allOf": branches,
        "unevaluatedProperties": False,
    }


def _with_expressions(node: object) -> object:
    if isinstance(node, list):
        return [_with_expressions(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {}
    for key, value in node.items():
        if key in _NAMED:
            result[key] = {name: _with_expressions(item) for name, item in value.items()}
        else:
            result[key] = value if key in _LITERAL else _with_expressions(value)
    if result.get("type") not in ("number", "integer"):
        return result
    outer = {key: result.pop(key) for key in _ANNOTATION if key in result}
    return {**outer, "anyOf": [result, _EXPRESSION]}
