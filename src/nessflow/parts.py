"""What all models of parameters share: strict fields with units, and faults that know their key."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nessflow.validation import as_told, explained

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    # Where pydantic has it is its own affair.
    ModelMetaclass = type(BaseModel)


class _SaysWhatIsWrong(ModelMetaclass):
    """Constructors that refuse values in the words in which a study file is refused."""

    def __call__(cls, *args: Any, **values: Any) -> Any:
        model: Any = cls
        values = model.arguments(*args, **values)
        try:
            return super().__call__(**values)
        except ValidationError as error:
            raise explained(model, values) or as_told(model, error) from None


class Strict(BaseModel, metaclass=_SaysWhatIsWrong):
    """Base of every parameter model: no unknown key, no NaN, immutable; shown without defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def arguments(cls, *args: object, **values: object) -> dict[str, object]:
        """Return the fields by name of what the constructor is given."""
        if args:
            known = ", ".join(f"{name}=..." for name in cls.model_fields if name != "kind")
            raise TypeError(f"{cls.__name__} takes its values by name: {cls.__name__}({known})")
        return values

    def __setattr__(self, name: str, value: object) -> None:
        try:
            super().__setattr__(name, value)
        except ValidationError:
            text = f"{type(self).__name__} cannot be changed; make another one with this {name}"
            raise AttributeError(text) from None

    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        fields = type(self).model_fields
        for name, value in super().__repr_args__():
            if name not in fields or value != fields[name].get_default():
                yield name, value

    def __str__(self) -> str:
        return repr(self)


class Part(Strict):
    """Base of what a study file names by its ``kind``: fields are its keys, methods the physics.

    A *family* of parts is a class that derives from this one, such as `Lattice`, and says in
    ``home`` which package or module has its members; `nessflow.registry` finds them, and those of
    others.  ``needs`` names what each member has to say beside the abstract methods of the family.
    """

    home: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    kind: str


class KeyedError(ValueError):
    """A rule that values break together, told where the value is that breaks it.

    Parameters
    ----------
    message : str
        What is wrong, and the way out.
    *key : str or int
        Keys of mappings and numbers of entries that lead to the value, from the model whose
        validator raises the error.
    of_key : bool
        Whether the last key itself is wrong, and not the value that it has.
    is_certain : bool
        Whether it is wrong at every point: of a file or a function, not of the value of an axis.
    """

    def __init__(
        self, message: str, *key: str | int, of_key: bool = False, is_certain: bool = False
    ):
        super().__init__(message)
        self.key, self.of_key, self.is_certain = key, of_key, is_certain


@contextmanager
def at_key(*key: str | int, is_certain: bool = False) -> Iterator[None]:
    """Say of every ValueError inside that the value at ``key`` causes it, see `KeyedError`."""
    try:
        yield
    except ValueError as error:
        of_key, certain = (getattr(error, name, False) for name in ("of_key", "is_certain"))
        below, is_certain = getattr(error, "key", ()), is_certain or certain
        raise KeyedError(str(error), *key, *below, of_key=of_key, is_certain=is_certain) from None


def quantity(
    description: str,
    natural_units: str,
    default: Any = ...,
    *,
    if_complex: str = "",
    **constraints: Any,
) -> Any:
    """Return a pydantic field that knows its unit.

    Parameters
    ----------
    description : str
        What the number means, for ``nessflow describe`` and axis labels.
    natural_units : str
        Unit with hbar = k_B = e = 1 and energies in the hopping ``t``.
    default : optional
        Default value; required when left out.
    if_complex : str, optional
        Where what one may mean by a complex number goes instead.
    **constraints
        Bounds as in ``pydantic.Field`` (``ge``, ``gt``, ``le``, ``lt``), and ``examples``: values
        that ``nessflow describe`` shows.
    """
    extra: dict[str, Any] = {"natural_units": natural_units}
    if if_complex:
        extra["if_complex"] = if_complex
    return Field(default, description=description, json_schema_extra=extra, **constraints)
