"""Digest of the source that a result depends on.

The digest of a module covers what it imports from nessflow, directly or not, and ignores
comments, docstrings, layout and place: editing a solver makes the results of its studies old, and
no others.

Reading the syntax trees takes a second, so what they say of each file is kept beside what Python
compiles of it (`_reading`).
"""

import ast
import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from nessflow.registry import Source

SOURCE = Path(__file__).parents[1]
_PACKAGE = "nessflow"
_WORDS = {f"{_PACKAGE}.{name}" for name in ("errors", "registry", "validation")}
"""Modules that find things and say what is wrong with values, and make none."""
Roots = tuple[tuple[str, Path], ...]
"""Top-level packages whose modules count, and the folder of each."""


def short_hash(text: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def joint_digest(sources: Iterable[Source]) -> str:
    """Return 16 hexadecimal digits for what several parts, some from outside, depend on."""
    return _digest(*_modules_of(sources))


def module_digests(sources: Iterable[Source]) -> dict[str, str]:
    """Return 16 hexadecimal digits for each module that several parts depend on, by its name."""
    modules, roots = _modules_of(sources)
    return {name: short_hash(_reading(name, roots)[0]) for name in modules}


def _modules_of(sources: Iterable[Source]) -> tuple[tuple[str, ...], Roots]:
    sources = list(sources)
    outside = {source.name.split(".")[0]: source.root for source in sources}
    outside.pop(_PACKAGE, None)
    roots = ((_PACKAGE, SOURCE), *sorted(outside.items()))
    names = {name for source in sources for name in _closure(source.name, roots)}
    return tuple(sorted(names)), roots


def source_digest(module: str | Iterable[str], root: Path = SOURCE) -> str:
    """Return 16 hexadecimal digits for the source of ``module`` and of all it imports.

    Parameters
    ----------
    module : str or iterable of str
        Dotted name, such as ``nessflow.kinds.steady_current``, or several.
    root : Path, optional
        Folder that holds the package.

    Raises
    ------
    ModuleNotFoundError
        When there is no such module.
    """
    roots = ((_PACKAGE, root),)
    modules = [module] if isinstance(module, str) else module
    names = {name for each in modules for name in _closure(each, roots)}
    return _digest(tuple(sorted(names)), roots)


@functools.cache
def style_digest(root: Path = SOURCE) -> str:
    """Return 16 hexadecimal digits for what draws the figures: modules and style files."""
    return _package_digest("figures", "*.mplstyle", root)


@functools.cache
def report_digest(root: Path = SOURCE) -> str:
    """Return hexadecimal digits for what makes the report page: modules, template, scripts."""
    verb = source_digest(f"{_PACKAGE}.verbs.report", root)
    return verb + _package_digest("report", "page.*", root)


def _package_digest(package: str, files: str, root: Path) -> str:
    """Return the digest of all modules of a package and of the other files that it has."""
    folder = root / _PACKAGE / package
    modules: set[str] = set()
    for path in sorted(folder.glob("*.py")):
        name = path.stem if path.stem != "__init__" else ""
        modules.update(closure(f"{_PACKAGE}.{package}.{name}".rstrip("."), root))
    others = [path for path in sorted(folder.glob(files)) if path.suffix != ".py"]
    return _digest(tuple(sorted(modules)), ((_PACKAGE, root),), tuple(others))


def closure(module: str, root: Path = SOURCE) -> tuple[str, ...]:
    """Return the names of ``module`` and all nessflow modules it imports, directly or not, sorted.

    Imports inside functions count.  A package counts only when its ``__init__`` has code; the
    top-level one, which every module imports, never does.
    """
    return _closure(module, ((_PACKAGE, root),))


@functools.cache
def _closure(module: str, roots: Roots) -> tuple[str, ...]:
    if _path(module, roots) is None:
        folder = dict(roots).get(module.split(".")[0])
        raise ModuleNotFoundError(f"no module {module} in {folder}", name=module)
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_imported(name, roots))
    return tuple(sorted(name for name in found if _counts(name, roots)))


@functools.cache
def _digest(modules: tuple[str, ...], roots: Roots, files: tuple[Path, ...] = ()) -> str:
    digest = hashlib.sha256()
    for name in modules:
        digest.update(f"{name}\n{_reading(name, roots)[0]}\n".encode())
    for path in files:
        # Universal newlines: a checkout with other line endings is the same style.
        digest.update(f"{path.name}\n{path.read_text()}\n".encode())
    return digest.hexdigest()[:16]


def _counts(name: str, roots: Roots) -> bool:
    path = _path(name, roots)
    return path is not None and (path.name != "__init__.py" or bool(_reading(name, roots)[0]))


@functools.cache
def _path(module: str, roots: Roots) -> Path | None:
    """Return the file of a module, None when ``module`` is something else."""
    names = module.split(".")
    base = dict(roots)[names[0]].joinpath(*names)
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    # A folder without __init__ is a namespace package: nothing to digest, but modules below it.
    return None


@functools.cache
def _reading(module: str, roots: Roots) -> tuple[str, list[str]]:
    """Return the normal text of a module, and the names that it imports.

    What was read before is found by the SHA-256 of all that it follows from, the bytes of the file
    among it: names, times and sizes of files tell nothing of what is in them.
    """
    path = _path(module, roots)
    if path is None:
        raise ModuleNotFoundError(module)
    source = path.read_bytes()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    follows_from = b"\0".join([_READER, package.encode(), source, b""])
    kept = Path(importlib.util.cache_from_source(path)).with_suffix(".digest")
    with contextlib.suppress(OSError):
        seal, _, content = kept.read_bytes().partition(b"\n")
        if seal == _seal(follows_from, content):
            return tuple(json.loads(content))
    tree = ast.parse(source)
    names = _names_imported(tree, package)
    content = json.dumps([_normal_text(tree), names]).encode()
    temporary = kept.with_suffix(f".{os.getpid()}")
    # A folder that cannot be written costs time, and nothing else.
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(_seal(follows_from, content) + b"\n" + content)
        temporary.replace(kept)
    return tuple(json.loads(content))


_READER = sys.version.encode() + Path(__file__).read_bytes()
"""What reads the files: this module, and Python, whose `ast.unparse` changes."""


def _seal(follows_from: bytes, content: bytes) -> bytes:
    return hashlib.sha256(follows_from + content).hexdigest().encode()


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a module and every statement in it; expressions, most of a tree, are passed over."""
    yield node
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        for child in getattr(node, name, ()):
            yield from _statements(child)


def _normal_text(tree: ast.Module) -> str:
    """Return a module without comments, docstrings and layout; the tree loses its docstrings.

    ``ast.unparse`` rather than ``ast.dump``, whose text changes with the version of Python.
    """
    for node in _statements(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return ast.unparse(tree)


def _names_imported(tree: ast.Module, package: str) -> list[str]:
    """Return the dotted names that a module of a package may import, sorted."""
    names = {package}
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *filter(None, [base])])
            names.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    return sorted(names)


@functools.cache
def _imported(module: str, roots: Roots) -> frozenset[str]:
    """Return the modules that count and that a module imports, and the packages above it."""
    tops = dict(roots).keys()
    _, names = _reading(module, roots)
    prefixes = {
        ".".join(parts[: n + 1])
        for parts in (name.split(".") for name in names)
        if parts[0] in tops
        for n in range(1, len(parts))
    }
    return frozenset(x for x in prefixes - _WORDS if _path(x, roots) is not None)
