"""Matrices as a study has them: written out in the notation of any tool, in files, by functions.

Physics knows no files: a part that names one asks here for what it holds.  The readers, which know
no physics, are found by name (`_READERS`), as kinds of study are.
"""

import importlib
import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    ValidationInfo,
    WithJsonSchema,
)
from scipy.sparse import csr_array

from nessflow import registry
from nessflow.errors import nearest
from nessflow.parts import KeyedError, at_key
from nessflow.written.expressions import constant

_SIZE = r"(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?"
_TERM = re.compile(rf"([-+]?)(?:({_SIZE})(?:\*?(im|[ijIJ]))?|(im|[ijIJ])(?:\*({_SIZE}))?)(?![.\w])")
_PAIR = re.compile(r"\(([^(),]+),([^(),]+)\)")
_WRITTEN = 2000
"""Rows of a matrix that is kept row by row."""
_FORMS = "a complex number is written 1+2j, 1+2i or [1, 2]"


def complex_number(value: object) -> complex:
    """Return the complex number that a text or a pair of numbers stands for.

    Parameters
    ----------
    value : object
        A text as Python, NumPy, Matlab, Julia, Mathematica, SymPy, C++ and Fortran print complex
        numbers (``(1+2j)``, ``1 + 2i``, ``1+2im``, ``1+2*I``, ``(1,2)``, ``1.0D0``) or a formula
        without names (``exp(1j * pi / 3)``), or a list of real and imaginary part, or a number.

    Raises
    ------
    ValueError
        When it is nothing of these, or a part is not finite.
    """
    if isinstance(value, str):
        found = _from_text(value)
    elif isinstance(value, list | tuple):
        is_pair = len(value) == 2 and all(type(part) in (int, float) for part in value)
        found = complex(*map(float, value)) if is_pair else None
    elif isinstance(value, complex | float | int) and not isinstance(value, bool):
        return value
    else:
        found = None
    if found is None:
        found = constant(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(_FORMS)
    if not (math.isfinite(found.real) and math.isfinite(found.imag)):
        raise ValueError("it is not finite")
    return found


def _from_text(text: str) -> complex | None:
    if re.search(r"[\w.]\s+[\d.]", text):  # two numbers side by side are not one
        return None
    text = re.sub(r"\s+", "", text.replace("\N{MINUS SIGN}", "-"))
    if pair := _PAIR.fullmatch(text):
        real, imaginary = (_from_text(part) for part in pair.groups())
        if real is None or imaginary is None or real.imag or imaginary.imag:
            return None
        return complex(real.real, imaginary.real)
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    parts, position = {}, 0
    while position < len(text):
        term = _TERM.match(text, position)
        # A sign between terms, at most one real and one imaginary part.
        if term is None or (position and not term[1]):
            return None
        is_imaginary = bool(term[3] or term[4])
        if is_imaginary in parts:
            return None
        digits = (term[2] or term[5] or "1").lower().replace("d", "e")
        parts[is_imaginary] = float(f"{term[1]}{digits}")
        position = term.end()
    return complex(parts.get(False, 0.0), parts.get(True, 0.0)) if parts else None


Complex = Annotated[
    complex,
    BeforeValidator(complex_number),
    WithJsonSchema(
        {
            "format": "complex",
            "anyOf": [
                {"type": "number"},
                {"type": "string"},
                {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            ],
        }
    ),
]
# --- files and functions --------------------------------------------------------------------------

_READERS = "nessflow.config.matrices.reading"

Path = Annotated[str, Field(min_length=1, max_length=1000)]
"""A file, below the folder of the project."""


Result = TypeVar("Result")
_UNNAMED = ("", "arr_0")
"""What a matrix without a name is called: in a file of one, and by ``numpy.savez(path, h)``."""


@dataclass(frozen=True, eq=False)
class Content:
    """What a file holds.

    Attributes
    ----------
    path : str
        Its path, below the folder of the project.
    size : int
        Its bytes.
    sha256 : str
        Of these.
    matrices : mapping of str to (n, m) array or csr_array
        By name; the name is empty where the file is one matrix.
    blocks : mapping of (int, int, int) to (n, n) array
        Of a periodic system ``<0 i|h|R j>`` by R, in lattice vectors; Hermitian as a whole.
    remarks : tuple of str
        What was done to the numbers of the file.
    """

    path: str
    size: int
    sha256: str
    matrices: Mapping[str, np.ndarray | csr_array] = field(default_factory=dict)
    blocks: Mapping[tuple[int, int, int], np.ndarray] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def matrix(self, name: str | None = None, usual: str = "") -> np.ndarray | csr_array:
        """Return one of the matrices.

        Parameters
        ----------
        name : str, optional
            Its name; left out, the usual one, or the only one if it has no name.
        usual : str
            The usual name; empty where there is none, and the only one is meant.

        Raises
        ------
        ValueError
            When there is none.
        """
        if self.blocks:
            raise ValueError(
                f"{self.path}: it holds the hoppings of a periodic system, and no matrix; a "
                "lattice of the kind file cuts a system out of it"
            )
        names = list(self.matrices)
        is_any = len(names) == 1 and (not usual or names[0] in _UNNAMED)
        wanted = name if name is not None else names[0] if is_any else usual
        if wanted in names:
            return self.matrices[wanted]
        known = ", ".join(filter(None, names)) or "one matrix without a name"
        said = f"there is no {wanted}" if wanted else "several matrices"
        raise ValueError(f"{self.path}: {said} in it; it has {known}, of which name says one")


def content_of(path: str, format: str | None = None) -> Content:
    """Return what a file of the project holds.

    Parameters
    ----------
    path : str
        Below the folder of the project.
    format : str, optional
        One of `FORMATS`; left out, that of the ending.

    Raises
    ------
    ValueError
        When it cannot be read: with file, line where it has one, and what was expected.
    """
    return importlib.import_module(_READERS).content_of(path, format)


def project() -> str:
    """Return the folder of the project, in which files and functions are."""
    return str(registry.project())


def called(
    function: str | Callable, parameters: Mapping[str, Any], then: Callable[[object], Result]
) -> Result:
    """Return what is made of what a function returns.

    Parameters
    ----------
    function : str or callable
        One of the project, as ``parts/my_model.py:build``; or the function itself.
    parameters : mapping
        Its arguments by name.
    then : callable
        Makes something of what it returns; raises ValueError when it is not what it should be.

    Raises
    ------
    ValueError
        When there is no such function, or anything goes wrong inside: with file, line and error.
    """
    if callable(function):
        return then(function(**parameters))
    try:
        found = registry.find_function(function)
    except registry.PartError as error:
        raise KeyedError(str(error), is_certain=True) from None
    _require_arguments(found, function, parameters)
    try:
        return then(found(**parameters))
    except (Exception, SystemExit) as error:
        raise ValueError(registry.fault_of_call(error, function)) from None


def _require_arguments(found: Callable, function: str, parameters: Mapping[str, Any]) -> None:
    """Check that a function has the arguments that it is given, and is given those that it needs.

    Raises
    ------
    KeyedError
        At the argument: which are there, and where.
    """
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return  # of a function of C nothing is known
    kinds = inspect.Parameter
    named = {
        name: each.default is kinds.empty
        for name, each in signature.parameters.items()
        if each.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    }
    is_open = any(each.kind is kinds.VAR_KEYWORD for each in signature.parameters.values())
    name = function.rpartition(":")[2]
    what = f"{registry.line_of(found) or function}: {name}{signature}"
    for key in parameters:
        if key not in named and not is_open:
            hint = nearest(str(key), list(named)) or "leave it out"
            raise KeyedError(
                f"{what} has no argument {key}; {hint}",
                *("parameters", key),
                of_key=True,
                is_certain=True,
            )
    if missing := [each for each, needed in named.items() if needed and each not in parameters]:
        one = missing[0]
        raise KeyedError(
            f"{what} needs {', '.join(missing)}; write parameters: {{{one}: 1}} with its value, or "
            f"{one}: ${one} with an axis {one}",
            "parameters",
            is_certain=True,
        )


# --- matrices -------------------------------------------------------------------------------------


def rows_of(value: object, info: ValidationInfo) -> Any:
    """Return the rows of a matrix that stands in a file, or that Python gives; others as they are.

    Parameters
    ----------
    value : object
        ``{file: data/lead.npz}``, with ``name`` and ``format`` where they are needed; an array or a
        matrix of scipy.sparse; or rows.
    info : ValidationInfo
        Whose field's name is that of the array that is meant in a file of several.

    Raises
    ------
    ValueError
        When the file cannot be read, or is too large to be written out by rows.
    """
    if isinstance(value, Mapping):
        is_text = all(isinstance(each, str) for each in value.values())
        if "file" not in value or value.keys() - {"file", "name", "format"} or not is_text:
            raise ValueError("expected rows, or {file: data/lead.npz}, with name and format")
        with at_key(is_certain=True):
            content = content_of(value["file"], value.get("format"))
            value = content.matrix(value.get("name"), info.field_name or "")
            if max(value.shape) > _WRITTEN:
                raise ValueError(
                    f"{content.path} has the shape {value.shape}; expected at most {_WRITTEN} rows"
                )
    if isinstance(value, str):
        raise ValueError(f"expected rows; those of a file are written {{file: {value}}}")
    if hasattr(value, "toarray"):
        value = value.toarray()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    # What a validator hands on counts as Python's, where rows are tuples.
    if not isinstance(value, list):
        return value
    return tuple(tuple(x) if isinstance(x, list) else x for x in value)


class _OrFile:
    """Says in a JSON Schema that a file may stand for rows."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict:
        text = {"type": "string"}
        form = {
            "type": "object",
            "properties": {"file": text, "name": text, "format": text},
            "required": ["file"],
            "additionalProperties": False,
        }
        return {**handler(schema), "also": [form]}


Matrix = Annotated[tuple[tuple[Complex, ...], ...], BeforeValidator(rows_of), _OrFile()]
"""Rows of a matrix."""

ROUNDED = 0.01
"""Of the largest element: what ``hermitian_part`` takes for rounding."""
_EXACT = 1e-12


def require_square(rows: Matrix, size: int | None = None) -> None:
    """Check that a matrix is square, of ``size`` rows if told.

    Raises
    ------
    KeyedError
        At the first row of another length.
    """
    expected = size or len(rows)
    for number, row in enumerate(rows):
        if len(row) != len(rows):
            raise KeyedError(
                f"row {number + 1} has {len(row)} entries and the matrix {len(rows)} rows; "
                "it has to be square",
                number,
            )
    if len(rows) != expected or not rows:
        raise KeyedError(f"the matrix has {len(rows)} rows, expected {expected or 'some'}")


def hermitian(rows: Matrix, *, part: bool) -> np.ndarray:
    """Return a Hermitian matrix, (N, N).

    Parameters
    ----------
    rows : tuple of tuple of complex
        Square.
    part : bool
        Take the Hermitian part of a matrix that is Hermitian but for rounding, which may be
        ``ROUNDED`` of its largest element.

    Raises
    ------
    KeyedError
        When it is not Hermitian: at the element that is furthest from its partner.
    """
    h = np.array(rows, dtype=complex) + 0  # no -0 in messages
    defect = np.abs(h - h.conj().T)
    i, j = sorted(map(int, np.unravel_index(np.argmax(defect), defect.shape)))
    largest = np.abs(h).max()
    if defect[i, j] <= (ROUNDED if part else _EXACT) * largest:
        return (h + h.conj().T) / 2 if part else h
    if i == j:
        what = f"h[{i + 1},{i + 1}] = {h[i, i]:g} has an imaginary part"
    else:
        what = f"h[{i + 1},{j + 1}] = {h[i, j]:g} but h[{j + 1},{i + 1}] = {h[j, i]:g}"
    hint = "particle loss and gain go under loss and gain"
    if part:
        hint = f"hermitian_part is for rounding of up to {ROUNDED:g} of the largest element; {hint}"
    elif i != j and defect[i, j] <= ROUNDED * largest:
        hint = "hermitian_part: true takes (h + h^+)/2 of a matrix that was printed with few digits"
    raise KeyedError(f"the matrix is not Hermitian: {what}; {hint}", j, i)


def nesting(value: object) -> int:
    """Return how deep lists are: 0 of a number, 1 of a list of numbers, 2 of a matrix.

    A pair ``[re, im]`` is told from a list by where it stands: elements of a matrix may be pairs
    where the first one is not.
    """
    if isinstance(value, np.ndarray):
        return value.ndim
    if isinstance(value, Mapping):  # a file
        return 2
    return 1 + nesting(value[0]) if isinstance(value, list | tuple) and value else 0


def _form(*depths: int) -> Discriminator:
    """Return what tells the forms of a value apart: the nearest of some depths."""
    return Discriminator(lambda value: str(min(depths, key=lambda x: abs(x - nesting(value)))))


Number = float | Complex
"""A real number stays one."""
Onsite = Annotated[
    Annotated[float, Tag("0")]
    | Annotated[tuple[float, ...], Tag("1")]
    | Annotated[Matrix, Tag("2")]
    | Annotated[tuple[Matrix, ...], Tag("3")],
    _form(0, 1, 2, 3),
]
"""An energy, one for each site, a matrix of orbitals, or one for each site."""
Hopping = Annotated[Annotated[Number, Tag("0")] | Annotated[Matrix, Tag("2")], _form(0, 2)]
"""A number, or a matrix of orbitals."""


def require_orbitals(rows: Matrix, orbitals: int) -> None:
    """Check that a matrix is one of the orbitals of a site.

    Raises
    ------
    KeyedError
        When it has another size.
    """
    require_square(rows)
    if len(rows) != orbitals:
        raise KeyedError(
            f"the matrix has {len(rows)} rows, the sites {orbitals} orbitals; "
            f"write orbitals: {len(rows)}, or a matrix of that size"
        )


def as_block(value: complex | Matrix) -> complex | np.ndarray:
    """Return a number as it is, rows as a matrix, real where all of it is."""
    if not isinstance(value, tuple):
        return value
    block = np.array(value, complex)
    return block if block.imag.any() else block.real
