"""YAML 1.2 files read into plain Python values that remember the line they came from."""

import unicodedata
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from nessflow.errors import ConfigError, Problem, shown
from nessflow.validation import Key

_MAX_BYTES = 256 * 1024
_MAX_VALUES = 50_000  # aliases expanded: a few lines of nested aliases can stand for billions
_MAX_DEPTH = 40
_LARGEST = 1e300
_MISSING = object()
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Place:
    """A line of a file, or the command line."""

    file: str
    line: int | None = None


COMMAND_LINE = Place("command line")


@dataclass(frozen=True)
class Document:
    """Nested plain values and the place of each."""

    data: Any
    places: Mapping[Key, Place]
    origins: Mapping[Key, Key] = field(default_factory=dict)
    """Where values stand that were copied from elsewhere in the document."""

    def place(self, key: Key) -> Place:
        """Return the place of a value, or of its nearest ancestor that was written."""
        for size in range(len(key), 0, -1):
            if key[:size] in self.origins:
                key = self.origins[key[:size]] + key[size:]
                break
        while key not in self.places:
            key = key[:-1]
        return self.places[key]

    def get(self, key: Key, default: object = None) -> Any:
        """Return the value at ``key``, or the default."""
        value = self.data
        for part in key:
            try:
                value = value[part]
            except (LookupError, TypeError):
                return default
        return value

    def key(self, text: str) -> Key:
        """Return the key that a dotted text names; digits count entries where a list stands."""
        key: Key = ()
        for part in text.split("."):
            is_index = part.isdecimal() and isinstance(self.get(key), list)
            key = (*key, int(part) if is_index else part)
        return key

    def problem(self, key: Key, expected: str, hint: str = "", given: str | None = None) -> Problem:
        """Return a fault of the value at ``key``, with its file and line."""
        place = self.place(key)
        if given is None:
            value = self.get(key, _MISSING)
            # A fault of the whole file does not show the whole file.
            given = shown(value) if key and value is not _MISSING else ""
        return Problem(place.file, place.line, dotted(key), given, expected, hint)

    def replaced(self, key: Key, value: object, place: Place) -> "Document":
        """Return the document with another value at ``key``, written at ``place``.

        Raises
        ------
        ConfigError
            When an ancestor of ``key`` is neither a mapping nor a list that has it.
        """
        data = self._assigned(key, value, place)
        if self.origins:
            raise ValueError("values that others were copied from cannot be replaced")
        kept = {k: p for k, p in self.places.items() if k[: len(key)] != key}
        made = {key[:n]: place for n in range(1, len(key)) if key[:n] not in kept}
        return Document(data, {**kept, **made, key: place})

    def _assigned(self, key: Key, value: object, place: Place) -> Any:
        try:
            return assigned(self.data, key, value)
        except LookupError as error:
            ancestor = error.args[0]
            parent = self.get(ancestor)
            expected = f"{dotted(ancestor)} to be a mapping, not {shown(parent)}"
            if isinstance(parent, list):
                expected = f"the number of an entry, from 0 to {len(parent) - 1}"
            problem = Problem(place.file, place.line, dotted(key), shown(value), expected)
            raise ConfigError([problem]) from None

    def without(self, key: Key) -> "Document":
        """Return the document without the entry ``key`` of a mapping."""
        *parent, last = key
        entries = {k: v for k, v in self.get(tuple(parent)).items() if k != last}
        return Document(assigned(self.data, tuple(parent), entries), self.places)

    def part(self, key: str) -> "Document":
        """Return the mapping at a key, or nothing as an empty one, as a document of its own.

        Raises
        ------
        ConfigError
            When it is something else.
        """
        value = {} if self.get((key,)) is None else self.get((key,))
        if not isinstance(value, dict):
            raise ConfigError([self.problem((key,), "a mapping of keys to values")])
        places = {k[1:]: place for k, place in self.places.items() if k[:1] == (key,)}
        return Document(value, places)

    def without_places(self) -> "Document":
        """Return the document with values that do not know where they were written."""
        return Document(self.data, {(): Place("")})

    def copied(self, source: Key, target: Key) -> "Document":
        """Return the document with the value at ``source`` also at ``target``, places included.

        Raises
        ------
        ConfigError
            As ``replaced``.
        """
        data = self._assigned(target, self.get(source), self.place(source))
        kept = {k: v for k, v in self.origins.items() if k[: len(target)] != target}
        return Document(data, self.places, {**kept, target: source})


def dotted(key: Key) -> str:
    """Return a key as it is written in overrides and messages."""
    return ".".join(map(str, key))


def split(key: str) -> Key:
    """Return the parts of a dotted key."""
    return tuple(key.split("."))


def assigned(tree: object, key: Key, value: object) -> Any:
    """Return nested mappings and lists with ``value`` at ``key``; missing mappings are made.

    Raises
    ------
    LookupError
        With the key of the ancestor that has no place for it.
    """
    if not key:
        return value
    head, *rest = key
    try:
        if isinstance(tree, dict):
            return {**tree, head: assigned(tree.get(head, {}), tuple(rest), value)}
        if isinstance(tree, list) and str(head).isdecimal() and int(head) < len(tree):
            index = int(head)
            item = assigned(tree[index], tuple(rest), value)
            return [*tree[:index], item, *tree[index + 1 :]]
    except LookupError as error:
        raise LookupError((head, *error.args[0])) from None
    raise LookupError(())


def read_document(path: Path) -> Document:
    """Read a YAML file whose top level is a mapping.

    Raises
    ------
    ConfigError
        When there is no such file, or it is not YAML; with every duplicate key, NaN, tag and
        key that is not a name.
    """
    if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
        raise _refused(path, None, "a file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _refused(path, None, f"a readable file ({error.strerror})") from None
    if len(content) > _MAX_BYTES:
        raise _refused(path, None, f"at most {_MAX_BYTES} bytes, not {len(content)}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(path, line, "text in UTF-8") from None
    document = parse(text, Place(str(path)))
    if not isinstance(document.data, dict):
        given = "an empty file" if document.data is None else shown(document.data)
        raise _refused(path, document.places[()].line, f"a mapping of keys to values, not {given}")
    return document


def parse(text: str, place: Place) -> Document:
    """Read a YAML text; ``place`` is its file, or where it stands when it is one line.

    Raises
    ------
    ConfigError
        As ``read_document``.
    """
    node = _composed(text, place)
    builder = _Builder(place)
    data = builder.value(node, ()) if node else None
    if builder.problems:
        raise ConfigError(builder.problems)
    return Document(
        data, {(): place if place is COMMAND_LINE else Place(place.file, 1), **builder.places}
    )


def _refused(path: Path, line: int | None, expected: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem(str(path), line, "", "", expected, hint)])


def _composed(text: str, place: Place) -> Node | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor used twice is legal YAML
            return YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, reason = mark.line + 1 if mark else 1, error.problem or error.context
    except YAMLError as error:
        position = getattr(error, "position", 0)
        line, reason = text.count("\n", 0, position) + 1, str(error).splitlines()[0]
    except RecursionError:
        line, reason = 1, "nested too deeply"
    hint = "indent with spaces, not tabs" if "\\t" in reason or "\t" in reason else ""
    if "mapping values are not allowed" in reason:
        hint = "a text with a colon and a space in it stands in quotes"
    if place is COMMAND_LINE:
        line = None
    raise ConfigError([Problem(place.file, line, "", "", f"YAML ({reason})", hint)])


def _is_no_character(c: str) -> bool:
    category = unicodedata.category(c)
    return category == "Cs" or (category == "Cc" and c not in "\n\t") or ord(c) & 0xFFFE == 0xFFFE


class _Builder:
    """Turns the nodes of a YAML text into plain values, collecting places and faults."""

    def __init__(self, place: Place):
        self.place = place
        self.places: dict[Key, Place] = {}
        self.problems: list[Problem] = []
        self.count = 0
        self.scalars = YAML(typ="safe", pure=True).constructor

    def value(self, node: Any, key: Key) -> Any:
        self.places.setdefault(key, self._line(node))
        self.count += 1
        if self.count > _MAX_VALUES or len(key) > _MAX_DEPTH:
            self._fault(node, key, f"at most {_MAX_VALUES} values, nested {_MAX_DEPTH} deep")
            raise ConfigError(self.problems)
        if isinstance(node, MappingNode):
            return self._mapping(node, key)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*key, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, key)

    def _mapping(self, node: MappingNode, key: Key) -> dict[str, Any]:
        result: dict[str, Any] = {}
        alike: dict[str, str] = {}
        for name, item in node.value:
            if not isinstance(name, ScalarNode) or not name.value or name.value == "<<":
                self._fault(name, key, "a name as key", "<< and nested keys are not allowed")
            elif name.value in result:
                first = self.places[(*key, name.value)].line
                self._fault(name, (*key, name.value), "each key once", f"first on line {first}")
            else:
                # Keys are text throughout, as in a dotted key: 1 and "1" are one key.
                self._require_text(name, key)
                folded = unicodedata.normalize("NFC", name.value).casefold()
                folded = folded.lstrip("0") if folded.isdecimal() else folded
                other = alike.setdefault(folded, name.value)
                if other != name.value:
                    # They become names of folders, and of what people read.
                    expected = (
                        f"a key that differs from {other} by more than capitals, accents or zeros"
                    )
                    self._fault(name, (*key, name.value), expected)
                self.places[(*key, name.value)] = self._line(name)
                result[name.value] = self.value(item, (*key, name.value))
        return result

    def _scalar(self, node: ScalarNode, key: Key) -> Any:
        kind = str(node.tag).removeprefix(_TAG)
        if kind in ("str", "timestamp", "value"):
            self._require_text(node, key)
            return node.value
        if kind not in ("null", "bool", "int", "float"):
            self._fault(node, key, "a value without tag", f"remove {node.tag}")
            return None
        try:
            value = self.scalars.construct_object(node)
        except (YAMLError, ValueError, LookupError):
            self._fault(node, key, f"a value of type {kind}, not {shown(node.value)}")
            return None
        if kind in ("int", "float") and not abs(value) < _LARGEST:
            self._fault(node, key, f"a finite number, not {shown(node.value)}")
            return None
        return value

    def _require_text(self, node: ScalarNode, key: Key) -> None:
        # Texts end up in NetCDF, SVG, HTML and CSV, which do not have such characters.
        if found := next(filter(_is_no_character, node.value), None):
            self._fault(node, key, f"text without control characters, such as {found!a}")

    def _line(self, node: Node) -> Place:
        if self.place is COMMAND_LINE:
            return COMMAND_LINE
        return Place(self.place.file, node.start_mark.line + 1)

    def _fault(self, node: Node, key: Key, expected: str, hint: str = "") -> None:
        place = self._line(node)
        self.problems.append(Problem(place.file, place.line, dotted(key), "", expected, hint))
