"""A system that a function of the project makes."""

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from nessflow.matrix import called, project
from nessflow.parts import at_key
from nessflow.systems.described import Described, described
from nessflow.systems.lattices.given.given import Given, kept


class _Held:
    """A function that returns what Python has made already, whatever its arguments are."""

    def __init__(self, value: object):
        self.value = value

    def __call__(self, **parameters: object) -> object:
        return self.value

    def __repr__(self) -> str:
        shape = getattr(self.value, "shape", "")
        return f"{type(self.value).__name__}{shape}"


class Python(Given):
    """System that a function of the project makes: a matrix, a description, or one of Kwant.

    What it may return is said in `nessflow.systems.described`.  Its leads continue the system:
    ``{kind: continued}`` in the place of their names.
    """

    kind: Literal["python"] = "python"
    function: str | SkipJsonSchema[Callable] = Field(
        description="file and name of the function, parts/my_model.py:build",
        examples=["parts/my_model.py:build"],
    )
    parameters: dict[str, Any] = Field(
        {}, description="name -> value of its arguments; numbers without a fraction are int"
    )

    @field_validator("parameters")
    @classmethod
    def _as_written(cls, parameters: Any, info: ValidationInfo) -> Any:
        # Of an axis they come as float, as which they would count nothing.
        is_text = isinstance(info.data.get("function"), str)
        return _whole(parameters) if is_text else parameters

    @classmethod
    def of(cls, value: object, parameters: Mapping[str, object] | None = None) -> "Python":
        """Return the lattice of what Python has made already.

        Parameters
        ----------
        value : object
            What a function may return.
        parameters : mapping, optional
            Those of a system of Kwant.
        """
        return cls(function=_Held(value), parameters=dict(parameters or {}))

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        made = self.described
        if "orbitals" not in self.model_fields_set:
            self.__dict__["orbitals"] = made.orbitals
        self._require_orbitals()
        return self

    @cached_property
    def described(self) -> Described:
        """The system, see `Given`; of equal arguments it is made once."""
        if callable(self.function):
            return self._made()
        arguments = json.dumps(self.parameters, sort_keys=True, default=repr)
        return kept((project(), self.function, arguments), self._made)

    def _made(self) -> Described:
        with at_key(*(["function"] if isinstance(self.function, str) else [])):
            return called(self.function, self.parameters, self._described)

    def _described(self, found: object) -> Described:
        _require_no_whole_numbers(found, "hamiltonian")
        return described(found, self.parameters)


def _whole(value: object) -> object:
    """Return nested values where numbers without a fraction are int, as a study file has them."""
    if isinstance(value, Mapping):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _require_no_whole_numbers(found: object, name: str) -> None:
    """Check that no array is one of int: it would have cut off what was put into it.

    ``numpy.diag([energy] * 3)`` is such an array where the energy of a point is 0.

    Raises
    ------
    ValueError
        At the first that is.
    """
    if isinstance(found, Mapping):
        for key, each in found.items():
            if key not in ("site", "position", "orbitals"):
                _require_no_whole_numbers(each, str(key))
    elif hasattr(found, "dtype") and found.dtype.kind in "iu":
        raise ValueError(
            f"{name} is an array of whole numbers ({found.dtype}), which cuts off the decimals of "
            "what is put into it; make it one of float"
        )
