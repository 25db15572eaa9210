"""A system that a function of the project makes."""

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, model_validator
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
        description="file and name of the function, parts/my_model.py:build"
    )
    parameters: dict[str, Any] = Field({}, description="name -> value of its arguments")

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
    def _is_sound(self):
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
        return described(found, self.parameters)
