"""Finds the parts of studies: classes of the package and of others, and kinds of study.

A part is a class that derives from its family (`nessflow.parts.Part`: lattices, leads, ...) and
says its ``kind``; a kind of study is a module (`nessflow.studies.kind`).  They are looked for in

* the package: the family's ``home``, and ``nessflow.kinds`` for kinds;
* the project: the files ``parts/*.py`` beside ``config/``, each imported alone; by
  ``from .name import ...`` one takes from another;
* installed packages: entry points of the group ``nessflow.parts``, each a class or a module; one
  that is a kind has its name.

A file that cannot be imported, or lacks what its family asks for, is a fault of those studies alone
that name something not found elsewhere; a name that is there twice, of those that use it.
"""

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import inspect
import json
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Protocol, cast, get_args

from pydantic import (
    BaseModel,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError, core_schema

from nessflow.errors import listed, nearest
from nessflow.outcome import Coordinate, Outcome, Variable

GROUP = "nessflow.parts"
FOLDER = "parts"
_KINDS = "nessflow.kinds"


class PartError(LookupError):
    """No part or kind of this name that could be used; ``names`` has those there are, if any."""

    def __init__(self, message: str, names: Iterable[str] = ()):
        super().__init__(message)
        self.names = tuple(names)

    def __str__(self) -> str:
        return self.args[0]


@dataclass(frozen=True)
class Source:
    """A module that parts come from.

    Attributes
    ----------
    name : str
        Its dotted name, below ``parts`` for a file of the project.
    root : Path
        Folder that the name starts from.
    place : str
        What messages call it.
    classes : tuple of type
        The classes that may be parts.
    kind : str
        Name that it has as a kind of study, where it is one.
    module : module or None
        None where it cannot be imported.
    fault : str
        Why it cannot.
    """

    name: str
    root: Path
    place: str
    classes: tuple[type, ...] = ()
    kind: str = ""
    module: ModuleType | None = field(default=None, repr=False)
    fault: str = ""


# --- where parts come from ------------------------------------------------------------------------

_project: Path | None = None


def use_project(path: Path | str) -> None:
    """Have own parts looked for in the project that a file or folder belongs to.

    Until then, and where no folder above holds ``config/``, that is the current folder's.
    """
    global _project
    _project = _project_of(Path(path))


def _project_of(path: Path) -> Path | None:
    path = path.absolute()
    return next((p for p in (path, *path.parents) if (p / "config").is_dir()), None)


def project_of(path: Path) -> Path:
    """Return the folder of the project that a file or folder belongs to, whichever is in use."""
    return _project_of(path) or Path.cwd()


def project() -> Path:
    """Return the folder of the project."""
    return _project or Path.cwd()


def has_outside(root: Path) -> bool:
    """Tell whether there is anything but what nessflow has, in a project or installed.

    What such a file says may follow from whatever it likes to read when it is imported.
    """
    return any((root / FOLDER).glob("*.py")) or bool(entry_points(group=GROUP))


@functools.cache
def _own_sources(root: Path) -> tuple[Source, ...]:
    folder = root / FOLDER
    if not (root / "config").is_dir():
        return ()
    package = _package_of(folder)
    paths = (path for path in sorted(folder.glob("*.py")) if path.stem.isidentifier())
    return tuple(_own_source(path, package) for path in paths if path.stem[0] != "_")


@functools.cache
def _package_of(folder: Path) -> str:
    """Return the name of a package of the modules in a folder.

    It has no file of its own, so that nothing has to be installed, and the parts of two projects in
    one process are not taken for each other.
    """
    package = ModuleType(f"{FOLDER}_{hashlib.sha256(bytes(folder)).hexdigest()[:12]}")
    package.__path__ = [str(folder)]
    sys.modules[package.__name__] = package
    return package.__name__


def _own_source(path: Path, package: str) -> Source:
    place = (Path(FOLDER) / path.name).as_posix()
    where = f"{FOLDER}.{path.stem}", path.parents[1], place
    try:
        module = importlib.import_module(f"{package}.{path.stem}")
    except (Exception, SystemExit) as error:
        return Source(*where, kind=_named(path.stem), fault=_fault_of_import(error, path))
    return Source(*where, **_contents(module, _named(path.stem)))


def _fault_of_import(error: BaseException, path: Path) -> str:
    """Return file, line and error; the line in the project nearest to where it happened."""
    where, what = _traced(error, path.parent)
    return f"{where or f'{FOLDER}/{path.name}'}: {what}"


def fault_of_outside(error: Exception, values: Mapping[str, Any]) -> str:
    """Return what an error is that a study met which has parts from outside, "" where it has none.

    What such a part does wrong may be seen first where its values are used: then it names them all.

    Parameters
    ----------
    error : Exception
        What was raised while the study was read.
    values : mapping
        The study as written.
    """
    texts = set(_texts_in(values))
    used = [source for source in _outside() if _is_named(source, texts)]
    for source in used:
        where, what = _traced(error, _file_of(source.module).parent) if source.module else ("", "")
        if where:
            return f"{where}: {what}"
    if not used:
        return ""
    what = str(error)
    if not isinstance(error, ValueError):
        frame = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"
    return f"{' or '.join(source.place for source in used)}: {what}"


def _is_named(source: Source, texts: Iterable[str]) -> bool:
    """Tell whether a kind, a part or a function of a module is among some texts."""
    names = {source.kind, *map(_own_name, source.classes)}
    return any(text in names or text.startswith(f"{source.place}:") for text in texts)


def _texts_in(values: object) -> Iterator[str]:
    """Yield every key and every text in nested mappings and lists."""
    if isinstance(values, str):
        yield values
    elif isinstance(values, Mapping | list | tuple):
        for value in values:
            yield from _texts_in(value)
        if isinstance(values, Mapping):
            yield from _texts_in(list(values.values()))


def _traced(error: BaseException, folder: Path) -> tuple[str, str]:
    """Return the line in a file of a folder nearest to an error, if any, and the error."""
    frames = traceback.extract_tb(error.__traceback__)
    at: list[tuple[str | None, int | None]] = [(f.filename, f.lineno) for f in frames]
    if isinstance(error, SyntaxError):
        at.append((error.filename, error.lineno))
    own = [(Path(name).name, line) for name, line in at if name and Path(name).parent == folder]
    try:
        told = str(getattr(error, "msg", None) or error)
    except Exception:
        told = ""  # its author's mistake as well
    if not told and at:
        told = (traceback.extract_tb(error.__traceback__)[-1].line or "").strip()
    what = f"{type(error).__name__}: {told}"
    if not own:
        return "", what
    name, line = own[-1]
    return f"{FOLDER}/{name}{f':{line}' if line else ''}", what


@functools.cache
def _installed_sources() -> tuple[Source, ...]:
    return tuple(_installed_source(entry) for entry in entry_points(group=GROUP))


def _installed_source(entry: EntryPoint) -> Source:
    place = f"entry point {entry.name} = {entry.value}"
    if entry.dist is not None:
        place += f" of {entry.dist.name}"
    try:
        loaded = entry.load()
        module = importlib.import_module(entry.module)
    except (Exception, SystemExit) as error:
        fault = f"{place}: {type(error).__name__}: {error}"
        return Source(entry.module, Path(), place, kind=entry.name, fault=fault)
    root = _file_of(module).parents[entry.module.count(".")]
    if module.__spec__ is not None and module.__spec__.submodule_search_locations is not None:
        root = root.parent
    found = _contents(module, entry.name)
    if isinstance(loaded, type):
        found |= {"classes": (loaded,), "kind": ""}
    return Source(entry.module, root, place, **found)


@functools.cache
def _package_sources(home: str) -> tuple[Source, ...]:
    module = importlib.import_module(home)
    names = [home]
    if hasattr(module, "__path__"):
        found = pkgutil.walk_packages(module.__path__, f"{home}.")
        names = [each.name for each in found if not each.ispkg]
    return tuple(map(_package_source, names))


def _file_of(module: ModuleType) -> Path:
    return Path(module.__file__ or "")


def _package_source(name: str) -> Source:
    module = importlib.import_module(name)
    path = _file_of(module)
    place = f"the package ({path.relative_to(_ROOT).as_posix()})"
    return Source(name, _ROOT, place, **_contents(module, _named(name.rpartition(".")[2])))


_ROOT = Path(__file__).parents[1]


def _named(stem: str) -> str:
    return stem.replace("_", "-")


def _contents(module: ModuleType, name: str) -> dict[str, Any]:
    """Return what a module has to offer."""
    classes = [c for c in vars(module).values() if isinstance(c, type)]
    return {
        "classes": tuple(c for c in classes if c.__module__ == module.__name__),
        "kind": name if {"Parameters", "evaluate"} & vars(module).keys() else "",
        "module": module,
    }


# --- parts ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Members:
    """The parts of a family by name, the source of each, and why other names cannot be used."""

    parts: Mapping[str, Any]
    sources: Mapping[str, Source]
    refused: Mapping[str, str]
    faults: tuple[str, ...]


def members(family: type) -> Mapping[str, Any]:
    """Return the parts of a family by name, those of the project and of installed packages too."""
    return _members(family, project()).parts


def source_of(family: type, name: str) -> Source:
    """Return where a part comes from; raises KeyError when there is none of this name."""
    return _members(family, project()).sources[name]


def faults() -> list[str]:
    """Return one line for each file of the project and each entry point that cannot be imported."""
    return [source.fault for source in _outside() if source.fault]


def _outside() -> tuple[Source, ...]:
    return (*_own_sources(project()), *_installed_sources())


@functools.cache
def _members(family: Any, root: Path) -> Members:
    sources = (*_package_sources(family.home), *_own_sources(root), *_installed_sources())
    parts: dict[str, Any] = {}
    places: dict[str, Source] = {}
    refused: dict[str, str] = {}
    broken = [source.fault for source in sources if source.fault]
    for source in sources:
        for part in source.classes:
            name = _name_of(part, family)
            if name is None or parts.get(name) is part:
                continue
            if lacking := _lacking(part, family):
                broken.append(f"{source.place}: {part.__name__} does not say {lacking}")
            elif "variables" in family.needs and (
                what := _not_variables(getattr(part, "variables", None))
            ):
                broken.append(f"{source.place}: {part.__name__}.variables: {what}")
            elif name in parts:
                both = f"{places[name].place} and {source.place}"
                refused[name] = f"{both} both have a part of this name; rename one"
            else:
                parts[name], places[name] = part, source
    sound = {name: part for name, part in parts.items() if name not in refused}
    return Members(sound, places, refused, tuple(broken))


def _name_of(part: type, family: type) -> str | None:
    """Return the name of a part of a family, None for all other classes."""
    return _own_name(part) if issubclass(part, family) and part is not family else None


def _own_name(part: type) -> str | None:
    """Return by which name a class is a part, None for most classes."""
    field = getattr(part, "model_fields", {}).get("kind")
    name = getattr(part, "name", None) if field is None else field.default
    return name if isinstance(name, str) and name else None


def _lacking(part: type, family: Any) -> str:
    """Return what a part has to say and does not, as text."""
    missing = set(getattr(part, "__abstractmethods__", ()))
    fields = getattr(part, "model_fields", {})
    missing |= {n for n in family.needs if n not in fields and not hasattr(part, n)}
    return ", ".join(sorted(missing))


def _not_variables(given: object) -> str:
    """Return what is wrong with what has to be variables by name, as text."""
    if not isinstance(given, Mapping):
        return f"expected a mapping of names to variables, not {given!r}"
    wrong = [name for name, each in given.items() if not isinstance(each, Variable)]
    return f"{wrong[0]!r}: expected a Variable, not {given[wrong[0]]!r}" if wrong else ""


def refusal(family: type, name: object) -> str:
    """Return why a part cannot be used, where it may be one that somebody has written."""
    found = _members(family, project())
    if not isinstance(name, str) or name in found.parts:
        return ""
    return found.refused.get(name) or "; ".join(found.faults)


@dataclass(frozen=True)
class AnyOf:
    """Says of a field that it holds any part of a family: ``Annotated[Lattice, AnyOf(Lattice)]``.

    Attributes
    ----------
    family : type
        The family.
    role : type, optional
        A model whose keys each part has besides its own.
    """

    family: type
    role: type | None = None

    @property
    def members(self) -> Mapping[str, Any]:
        """The parts by name, with the keys of the role."""
        parts = members(self.family)
        return parts if self.role is None else {n: in_role(p, self.role) for n, p in parts.items()}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        # The parts of a project are known when values are validated, and not before.
        return core_schema.with_info_plain_validator_function(self._validated)

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(_union(self, project()).core_schema)

    def _validated(self, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, self.role or self.family):
            return value
        kind = value.get("kind") if isinstance(value, Mapping) else None
        if why := refusal(self.family, kind):
            raise PydanticCustomError("part", "{why}", {"why": why})
        union = _union(self, project())
        if info.mode == "json":
            # Lists stand for tuples there, and text for the numbers that are keys.
            return union.validate_json(json.dumps(value), strict=True)
        return union.validate_python(value)


@functools.cache
def in_role(part: type, role: type) -> type:
    """Return the class of a part that has the keys of a role besides its own."""
    names = {"__doc__": part.__doc__, "__module__": role.__module__}
    return type(part.__name__, (role, part), names)


@functools.cache
def _union(any_of: AnyOf, root: Path) -> TypeAdapter:
    return TypeAdapter(Annotated[object, _Union(tuple(any_of.members.items()))])


@dataclass(frozen=True)
class _Union:
    parts: tuple[tuple[str, type], ...]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        choices = {name: handler.generate_schema(part) for name, part in self.parts}
        return core_schema.tagged_union_schema(choices, discriminator="kind")


# --- functions of the project ---------------------------------------------------------------------

_FUNCTION = re.compile(rf"{FOLDER}/([A-Za-z_]\w*)\.py:([A-Za-z_]\w*)")


def find_function(text: str) -> Callable:
    """Return a function of the project.

    Parameters
    ----------
    text : str
        ``parts/my_model.py:build``.

    Raises
    ------
    PartError
        When there is none, or its file cannot be imported.
    """
    source, name = function_source(text)
    if source is None:
        raise PartError(f"{text}: expected file and name of a function, parts/my_model.py:build")
    if source.fault:
        raise PartError(source.fault)
    if source.module is None:
        near = [path.name for path in (project() / FOLDER).glob("*.py")]
        hint = nearest(Path(source.place).name, near)
        raise PartError(f"there is no file {source.place} in {project()}" + (hint and f"; {hint}"))
    found = getattr(source.module, name, None)
    if not callable(found):
        names = [n for n, x in vars(source.module).items() if callable(x) and n[0] != "_"]
        hint = nearest(name, names) or f"it has {listed(names) or 'no function'}"
        raise PartError(f"{source.place} has no function {name}; {hint}")
    return found


def function_source(text: str) -> tuple[Source | None, str]:
    """Return the file of the project that a function is in, None where the text names none."""
    written = _FUNCTION.fullmatch(text)
    return (_function_file(project(), written[1]), written[2]) if written else (None, "")


@functools.cache
def _function_file(root: Path, stem: str) -> Source:
    for source in _own_sources(root):
        if source.name == f"{FOLDER}.{stem}":
            return source
    path = root / FOLDER / f"{stem}.py"
    # Of a project without studies, or one whose name says that it is no part.
    package = _package_of(root / FOLDER)
    if path.is_file():
        return _own_source(path, package)
    return Source(f"{FOLDER}.{stem}", root, f"{FOLDER}/{stem}.py")


def fault_of_call(error: BaseException, function: str) -> str:
    """Return what went wrong in a function of the project, and the line nearest to it.

    Where others have called it, such as Kwant, what they were told is the cause of what they say.
    """
    folder = project() / FOLDER
    causes = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    own = (cause for cause in causes if _traced(cause, folder)[0])
    told = next(own, causes[-1])
    where, what = _traced(told, folder)
    if isinstance(told, ValueError) and not where:
        return f"{function}: {told}"
    return f"{where or function}: {what}"


def line_of(function: Callable) -> str:
    """Return file and line of a function of the project, ``parts/my_model.py:12``."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return "" if code is None else f"{FOLDER}/{Path(code.co_filename).name}:{code.co_firstlineno}"


# --- kinds of study -------------------------------------------------------------------------------


class Kind(Protocol):
    """A kind of study: a module that has these names (`nessflow.studies.kind` says more)."""

    @property
    def Parameters(self) -> type[BaseModel]:
        """The parameters of one point."""

    @property
    def VARIABLES(self) -> Mapping[str, Variable]:
        """What is computed of a point, by default where its studies choose."""

    @property
    def CONVENTIONS(self) -> Iterable[str]:
        """Lines of text on signs, factors and numbering."""

    def coordinates(self, parameters: Any, /) -> Mapping[str, Coordinate]:
        """Return the values of each dimension of the variables."""

    def is_random(self, parameters: Any, /) -> bool:
        """Tell whether random numbers are drawn."""

    def evaluate(self, parameters: Any, rng: Any, /) -> Outcome:
        """Return the numbers of a point."""


KIND_NEEDS = tuple(name for name in vars(Kind) if not name.startswith("_"))


def find_kind(name: str) -> Kind:
    """Return a kind of study by its name.

    Raises
    ------
    PartError
        When there is no such kind, two of them, or it does not define what a kind has to.
    """
    return cast(Kind, kind_source(name).module)


def kind_source(name: str) -> Source:
    """Return where a kind of study comes from; raises as `find_kind`."""
    found = [source for source in (*_package_kind(name), *_outside()) if source.kind == name]
    if not found:
        raise PartError("; ".join(faults()), kind_names())
    if len(found) > 1:
        places = " and ".join(source.place for source in found)
        raise PartError(f"{places} both have a kind of this name; rename one")
    (source,) = found
    if source.fault:
        raise PartError(source.fault)
    if missing := [need for need in KIND_NEEDS if not hasattr(source.module, need)]:
        raise PartError(f"{source.place}: a kind of study defines {', '.join(missing)} as well")
    if wrong := _wrong_in(source.module):
        raise PartError(f"{source.place}: {wrong}")
    return source


def _wrong_in(kind: Any) -> str:
    """Return which name of a kind is something else than a kind needs, as text."""
    if not (isinstance(kind.Parameters, type) and issubclass(kind.Parameters, BaseModel)):
        return "Parameters: expected a class that derives from nessflow.parts.Strict"
    if wrong := _not_variables(kind.VARIABLES):
        return f"VARIABLES: {wrong}"
    functions = (name for name in KIND_NEEDS if name.islower())
    other = next((name for name in functions if not callable(getattr(kind, name))), "")
    return other and f"{other}: expected a function"


def kind_names() -> list[str]:
    """Return the names of all kinds of study, sorted; imports them all."""
    sources = (*_package_sources(_KINDS), *_outside())
    return sorted({source.kind for source in sources if source.kind and not source.fault})


def _package_kind(name: str) -> Iterator[Source]:
    """Yield the kind of the package, which alone is imported."""
    module = f"{_KINDS}.{name.replace('-', '_')}"
    with contextlib.suppress(ModuleNotFoundError, ValueError):
        if importlib.util.find_spec(module) is not None:
            yield _package_source(module)


# --- what a study uses ----------------------------------------------------------------------------


def sources_of(kind: str, values: Iterable[Any]) -> list[Source]:
    """Return where the kind of a study comes from, and all parts that its values name.

    Parameters
    ----------
    kind : str
        Name of the kind.
    values : iterable
        Parameters as in a study file, nested mappings and lists; mappings of dotted keys too.

    Returns
    -------
    list of Source
        The kind's first; for the same values the same in any process.
    """
    source, values = kind_source(kind), list(values)
    module: Any = source.module
    names = set(_named_in(values))
    found = {
        part.sources[name]
        for part in (_members(x, project()) for x in _families(module.Parameters))
        for name in part.parts.keys() & names
    }
    functions = (function_source(text)[0] for text in _named_in(values, "function"))
    found |= {each for each in functions if each is not None and each.module is not None}
    return [source, *sorted(found, key=lambda each: each.name)]


def _families(model: type[BaseModel]) -> set[type]:
    """Return the families whose parts the values of a model may have, at any depth."""
    families: set[type] = set()
    seen: set[type] = set()
    waiting: list[Any] = [model]
    while waiting:
        node = waiting.pop()
        if isinstance(node, AnyOf):
            families.add(node.family)
            waiting += node.members.values()
        elif isinstance(node, type) and issubclass(node, BaseModel):
            if node not in seen:
                seen.add(node)
                fields = node.model_fields.values()
                waiting += [part for f in fields for part in (f.annotation, *f.metadata)]
        else:
            waiting += get_args(node)
    return families


def _named_in(values: object, name: str = "kind") -> Iterator[str]:
    """Yield every text that is the value of a key of some name."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            if isinstance(value, str) and str(key).rpartition(".")[2] == name:
                yield value
        values = list(values.values())
    if isinstance(values, list | tuple):
        for value in values:
            if isinstance(value, Mapping | list | tuple):
                yield from _named_in(value, name)
