"""The library: systems as objects, their observables as labelled data, for notebooks and scripts.

The arguments of a part are the keys of a study file, and so are defaults and messages: a part is
the class of its ``kind`` in CamelCase.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nessflow.config.grid import Ensemble, generator
from nessflow.config.project import load_study as read_study
from nessflow.config.study import Study
from nessflow.config.study_file import UnitsFile
from nessflow.errors import Problem, nearest
from nessflow.outcome import Status
from nessflow.registry import AnyOf, Kind, PartError, find_kind
from nessflow.run.judge import Verdict
from nessflow.studies.systems import LeadRole, System
from nessflow.studies.variables import ACCURACY
from nessflow.systems.channels.channel import Channels
from nessflow.systems.disorder.disorder import Disorder
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.leads.lead import Lead
from nessflow.systems.shapes.shape import Shape
from nessflow.validation import InvalidValues, validated
from nessflow.verbs.load import load_study
from nessflow.verbs.point import computed, dataset_of, first_point, with_derived_of
from nessflow.verbs.tables.physical import in_physical_units
from nessflow.written.physical import shown_unit

__all__ = [
    "System",
    "channels",
    "disorder",
    "lattices",
    "leads",
    "load",
    "physical",
    "point",
    "shapes",
    "solve",
    "study",
    "table",
    "transmission",
]


class Family:
    """The parts of a family as attributes, those of the project and of installed packages too."""

    def __init__(self, members: AnyOf):
        self._members = members

    def __dir__(self) -> list[str]:
        return [part.__name__ for part in self._members.members.values()]

    def __getattr__(self, name: str) -> Any:
        for part in self._members.members.values():
            if part.__name__ == name:
                return part
        raise AttributeError(f"there is no {name}; there are {', '.join(sorted(dir(self)))}")

    def __repr__(self) -> str:
        return ", ".join(sorted(dir(self)))


lattices = Family(AnyOf(Lattice))
leads = Family(AnyOf(Lead, LeadRole))
channels = Family(AnyOf(Channels))
disorder = Family(AnyOf(Disorder))
shapes = Family(AnyOf(Shape))


def load(study: str, root: Path | str = "results", *, physical: bool = False) -> xr.Dataset:
    """Read the checked dataset of a study.

    Parameters
    ----------
    study : str
        Name of the study, the stem of its file in ``config/studies``.
    root : str or path, optional
        Results folder.
    physical : bool
        In physical units, by the ``units`` of the study or its project; see `physical`.

    Returns
    -------
    xarray.Dataset
        Every variable with ``units``, ``natural_units`` and ``long_name``.

    Raises
    ------
    nessflow.errors.ConfigError
        When physical units are asked for and neither study nor project say how large t is.
    nessflow.store.files.StoreError
        When the file is missing, damaged, was changed after it was written, or is not of the
        study as its file in the project has it now.
    """
    return load_study(study, root, physical=physical)


def physical(data: xr.Dataset, t: str, a: str | None = None) -> xr.Dataset:
    """Return data in physical units: meV, K, nA, e^2/h.

    Parameters
    ----------
    data : xarray.Dataset
        Of `solve`, `point` or `load`, in natural units.
    t : str
        How large the energy t is, such as ``2.5 meV``.
    a : str, optional
        How large the length a is, such as ``0.5 nm``.

    Returns
    -------
    xarray.Dataset
        Each variable and coordinate with its unit as ``units``, and ``natural_factor``, what it was
        multiplied by.

    Raises
    ------
    ValueError
        When a size is none, or the data are in physical units already.
    """
    sizes = {"t": t} | ({} if a is None else {"a": a})
    found, faults = validated(UnitsFile, sizes)
    if found is None:
        told = [(fault, ".".join(map(str, fault.key))) for fault in faults]
        problems = [
            Problem("physical", None, key, str(sizes[key]), fault.expected, fault.hint)
            for fault, key in told
        ]
        raise InvalidValues("\n".join(map(str, problems)))
    return in_physical_units(data, found.units())


def solve(
    system: System,
    observables: str | Sequence[str | Mapping[str, Any]] | None = None,
    *,
    accuracy: float = ACCURACY,
    sample: int = 0,
    seed: int = 0,
) -> xr.Dataset:
    """Return the steady state of an open system.

    Parameters
    ----------
    system : System
        Lattice, disorder, loss, gain and leads.
    observables : str or sequence, optional
        As in a study file: names, or mappings of a name to its parameters, or instances of
        `nessflow.observables.observable.Observable`; left out, those that a study of the kind
        ``steady-current`` has by default.
    accuracy : float
        Relative error aimed at for every number, as in a study.
    sample, seed : int
        Number of the disorder sample, and root seed, as in a study.

    Returns
    -------
    xarray.Dataset
        Variables, dimensions, units and errors as in ``data.nc``; see `point`.
    """
    asked: dict[str, Any] = {"system": system, "accuracy": accuracy}
    if observables is not None:
        is_list = isinstance(observables, list | tuple)
        asked["observables"] = list(observables) if is_list else [observables]
    return point("steady-current", sample=sample, seed=seed, **asked)


def point(kind: str, *, sample: int = 0, seed: int = 0, **parameters: Any) -> xr.Dataset:
    """Return what a study of any kind stores at one point.

    Parameters
    ----------
    kind : str
        A kind of study; ``nessflow describe`` lists them.
    sample, seed : int
        Number of the disorder sample, and root seed, as in a study.
    **parameters
        Parameters of the kind, as in a study file: numbers, texts, lists, mappings, parts.  A
        `System` serves each kind that takes lattice and leads.

    Returns
    -------
    xarray.Dataset
        Variables, dimensions, units and errors as in ``data.nc``.  The attributes ``status`` and
        ``message`` say how it went; the attribute ``undefined`` of a variable why it is NaN.

    Raises
    ------
    ValueError
        One line for each value that cannot be, as of a study file.
    LookupError
        When there is no such kind.

    Warns
    -----
    UserWarning
        When the status is not ok, with the message.
    """
    module = _kind(kind)
    # Kinds have systems of their own, with probes for instance, of the same parts.
    given = {name: _parts_of(value) for name, value in parameters.items()}
    checked = module.Parameters(**given)
    for name, number in (("sample", sample), ("seed", seed)):
        if isinstance(number, bool) or not (isinstance(number, Integral) and number >= 0):
            raise ValueError(f"{name} = {number!r}: expected a whole number from 0")
    rng = generator(Ensemble(1, 1, seed), {}, sample) if module.is_random(checked) else None
    found = computed(module, checked, rng)
    return _told(dataset_of(found), found.verdict)


def _kind(name: str) -> Kind:
    try:
        return find_kind(name)
    except PartError as error:
        if str(error):
            raise
        hint = nearest(name, error.names) or f"there are {', '.join(error.names)}"
        raise LookupError(f"there is no kind {name!r}; {hint}") from None


def _parts_of(value: Any) -> Any:
    if not isinstance(value, System):
        return value
    return {name: part for name, part in value if part is not None}


def _told(data: xr.Dataset, verdict: Verdict) -> xr.Dataset:
    """Return a point with what became of it; warn where it is not ok."""
    status = Status(verdict.status).name.lower()
    if verdict.status != Status.OK:
        warnings.warn(f"{status}: {verdict.message}", stacklevel=3)
    return data.assign_attrs(status=status, message=verdict.message)


def transmission(system: System, energies: Iterable[float], *, sample: int = 0) -> xr.DataArray:
    """Return the transmission into each lead from each terminal.

    Parameters
    ----------
    system : System
        Lattice, disorder, loss, gain and leads.
    energies : iterable of float
        In t, in any order.
    sample : int
        Number of the disorder sample, of root seed 0.

    Returns
    -------
    xarray.DataArray
        ``T_ab`` from terminal_2 b into terminal a, over (terminal, terminal_2, energy), with the
        coordinate ``error``; the diagonal is nan, as it is no transmission.
    """
    energies = np.atleast_1d(np.asarray(energies, float))
    found = point("transmission", sample=sample, system=system, energies=energies)
    array = found["transmission"]
    return array.assign_coords(error=(array.dims, found["transmission_error"].values))


class Points:
    """A study of the project, to be evaluated point by point.

    Parameters
    ----------
    name : str
        Name of the study.
    root : path, optional
        Folder of the project.
    """

    def __init__(self, name: str, root: Path | str = "."):
        self.name, self.root = name, Path(root)

    def point(self, *, sample: int = 0, **changes: Any) -> xr.Dataset:
        """Return one point; an axis that is not given takes its first value.

        Parameters
        ----------
        sample : int
            Number of the disorder sample.
        **changes
            Values of axes.  Parameters are changed in the study file.

        Returns
        -------
        xarray.Dataset
            As of the function `point`, and the values of the axes; with the derived variables
            that need no other point.
        """
        study = self._read([f"{name}={value}" for name, value in changes.items()])
        found, _ = first_point(study, sample)
        return _told(with_derived_of(study, found)[0], found.verdict)

    def data(self) -> xr.Dataset:
        """Return the checked dataset of the study, see `load`."""
        return load_study(self.name, self.root / "results")

    def _read(self, overrides: Sequence[str]) -> Study:
        path = self.root / "config" / "studies" / f"{self.name}.yaml"
        return read_study(
            path,
            tier="paper",
            overrides=overrides,
            one_point=True,
        )

    def __repr__(self) -> str:
        return f"study({self.name!r})"


def study(name: str, root: Path | str = ".") -> Points:
    """Return a study of the project.

    Parameters
    ----------
    name : str
        Name of the study, the stem of its file in ``config/studies``.
    root : path, optional
        Folder of the project.
    """
    return Points(name, root)


def table(data: xr.Dataset) -> str:
    """Return the numbers of a point as text: name, place, value with its error, unit.

    Parameters
    ----------
    data : xarray.Dataset
        Of `solve` or `point`.

    Returns
    -------
    str
        One line for each number that is defined, and one with the reason for each that is not.
    """
    lines = []
    for name, array in data.data_vars.items():
        if str(name).endswith("_error"):
            continue
        error = data.get(f"{name}_error")
        unit = shown_unit(array.attrs)
        unit = "" if unit == "1" else unit
        for index in np.ndindex(array.shape):
            value = float(array.values[index])
            places = [str(array[dim].values[i]) for dim, i in zip(array.dims, index, strict=True)]
            where = f"[{', '.join(places)}]" if places else ""
            if np.isnan(value):
                continue
            spread = "" if error is None else f" +- {float(error.values[index]):.1e}"
            lines.append(f"{name}{where} = {value:.12g}{spread} {unit}".rstrip())
        if "undefined" in array.attrs:
            lines.append(f"{name} is undefined: {array.attrs['undefined']}")
    return "\n".join(lines)
