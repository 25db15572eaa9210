"""Systems that somebody else has described: matrices, mappings of them, and those of Kwant.

What a description may say is a few names, which functions of a project return as a mapping or as
attributes::

    hamiltonian   (N, N) array or matrix of scipy.sparse, Hermitian
    leads         name -> orbitals, cell, hopping, and coupling where it differs from the hopping;
                  or orbitals and self_energy, a function of energies, with band and break_points
    loss, gain    (N, N) matrices P and Q of `nessflow.systems.system`
    site          (N,) int: the site of each row, where sites have several orbitals each
    position      (sites, d) float

Rows count from 0, as Python does.  A finalised system of Kwant is known by what it can do, and its
package is not imported.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from scipy.sparse import csr_array, issparse

from nessflow.systems.lattices.lattice import Continuation, Ending
from nessflow.systems.matrices import Tridiagonal, narrowed

_EXACT = 1e-12
"""Of the largest element: departure from a Hermitian matrix that is rounding."""
_ROUNDED = 0.01
"""The same of matrices that were printed with few digits."""
_FULL = 0.25
"""Share of elements other than 0 from which a matrix is dense."""
Elements: TypeAlias = Any
"""An array or a csr_array, of which SciPy has no type."""

NAMES = ("hamiltonian", "leads", "loss", "gain", "site", "position")
_OF_LEAD = ("orbitals", "cell", "hopping", "coupling")
_OF_ENDING = ("orbitals", "self_energy", "band", "break_points")
_OF_KWANT = ("hamiltonian_submatrix", "leads", "lead_interfaces")


@dataclass(frozen=True, eq=False)
class Described:
    """A system that was described as a whole, and checked.

    Attributes
    ----------
    hamiltonian : (N, N) array or csr_array
        Hermitian, in t.
    leads : mapping of str to Continuation or Ending
        Leads of equal cells, or of given self-energies, by name.
    loss, gain : (N, N) array or csr_array, or None
        P and Q, in t/hbar.
    orbitals : int
        Rows of each site.
    positions : (sites, d) array or None
        Where the sites are.
    remarks : tuple of str
        What was done to the numbers.
    """

    hamiltonian: Elements
    leads: Mapping[str, Continuation | Ending] = field(default_factory=dict)
    loss: Elements | None = None
    gain: Elements | None = None
    orbitals: int = 1
    positions: np.ndarray | None = None
    remarks: tuple[str, ...] = ()

    @cached_property
    def stored(self) -> Tridiagonal | Elements:
        """The Hamiltonian as solvers take it."""
        return stored(self.hamiltonian)


def described(found: Any, parameters: Mapping[str, object] | None = None) -> Described:
    """Return a system from what somebody says of it.

    Parameters
    ----------
    found : object
        A square matrix; a mapping or an object with the names of this module; a finalised system
        of Kwant.
    parameters : mapping, optional
        Values of the parameters of a system of Kwant.

    Raises
    ------
    ValueError
        When it is none of these, or not what it should be: which matrix, where, and why.
    """
    if hasattr(found, "finalized"):
        raise ValueError(f"{_kind_of(found)} of Kwant is not finalised: return system.finalized()")
    if hasattr(found, "cell_hamiltonian"):
        raise ValueError(
            f"{_kind_of(found)} of Kwant goes on for ever; expected a system with ends, to which "
            "it is attached as a lead"
        )
    if all(hasattr(found, name) for name in _OF_KWANT):
        found = _of_kwant(found, parameters)
    said = _said(found, NAMES, "a description")
    if said is None or said.get("hamiltonian") is None:
        raise ValueError(
            "expected a square matrix (NumPy or scipy.sparse), a mapping with the key hamiltonian, "
            f"or a finalised system of Kwant, got {_kind_of(found)}"
        )
    h = hermitian("hamiltonian", said["hamiltonian"])
    size = h.shape[0]
    rates: dict[str, Elements] = {}
    for name in ("loss", "gain"):
        rates[name] = None if said.get(name) is None else hermitian(name, said[name])
        if rates[name] is not None and rates[name].shape != h.shape:
            raise ValueError(f"{name} has the shape {rates[name].shape}, hamiltonian {h.shape}")
    orbitals = _orbitals(said.get("site"), size)
    positions = _positions(said.get("position"), size // orbitals)
    leads = said.get("leads") or {}
    if not isinstance(leads, Mapping):
        raise ValueError(f"leads: expected a mapping of names to leads, got {_kind_of(leads)}")
    known = {str(name): _lead(f"lead {name}", lead, size) for name, lead in leads.items()}
    return Described(h, known, rates["loss"], rates["gain"], orbitals, positions)


def stored(matrix: Elements) -> Tridiagonal | Elements:
    """Return a Hermitian matrix as solvers take it: as a chain, sparse, or dense where it is."""
    count = matrix.nnz if issparse(matrix) else np.count_nonzero(matrix)
    is_full = count > _FULL * matrix.shape[0] ** 2
    found = narrowed(csr_array(matrix, copy=True))
    if isinstance(found, Tridiagonal) or not is_full:
        return found
    return matrix.toarray() if issparse(matrix) else matrix


def _kind_of(value: object) -> str:
    shape = f" of the shape {np.shape(value)}" if isinstance(value, np.ndarray) else ""
    return f"{'nothing' if value is None else type(value).__name__}{shape}"


def _said(found: object, names: Sequence[str], what: str) -> Mapping[str, Any] | None:
    """Return the names that a mapping or an object says, None where it is a matrix without any."""
    if issparse(found) or isinstance(found, np.ndarray | list | tuple):
        return {"hamiltonian": found}
    if not isinstance(found, Mapping):
        return {n: getattr(found, n) for n in names if hasattr(found, n)} or None
    if unknown := [str(name) for name in found if name not in names]:
        raise ValueError(f"{what} has no {', '.join(unknown)}; it may have {', '.join(names)}")
    return found


def matrix_of(name: str, matrix: Any) -> Elements:
    """Return a matrix of finite numbers, float or complex.

    Raises
    ------
    ValueError
        When it is none.
    """
    sparse = issparse(matrix)
    if callable(matrix):
        raise ValueError(f"{name}: expected a matrix, got a function; return what it returns")
    try:
        matrix = csr_array(matrix) if sparse else np.array(matrix)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected a matrix, rows of equally many numbers") from None
    if matrix.dtype.kind not in "biufc":
        raise ValueError(f"{name}: expected numbers, got elements of type {matrix.dtype}")
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"{name}: expected a matrix, got the shape {matrix.shape}")
    matrix = matrix.astype(complex if matrix.dtype.kind == "c" else float)
    finite = np.isfinite(matrix.data if sparse else matrix)
    if not finite.all():
        if sparse:
            k = int(np.argmin(finite))
            i, j = (int(at[k]) for at in matrix.tocoo().coords)
        else:
            i, j = map(int, np.argwhere(~finite)[0])
        raise ValueError(f"{name}: the element {(i, j)} is {matrix[i, j]}, not finite")
    return matrix


def hermitian(name: str, matrix: Any, *, part: bool = False, first: int = 0) -> Elements:
    """Return a Hermitian matrix.

    Parameters
    ----------
    name : str
        What messages call it.
    matrix : object
        Whatever `matrix_of` takes.
    part : bool
        Take the Hermitian part of one that was printed with few digits.
    first : int
        What rows and columns count from in messages.

    Raises
    ------
    ValueError
        When it is not square or not Hermitian: with the element that is furthest from its partner.
    """
    matrix = matrix_of(name, matrix)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name}: expected a square matrix, got the shape {matrix.shape}")
    difference = abs(matrix - matrix.conj().T)
    if issparse(matrix):
        difference = difference.tocoo()
        k = int(np.argmax(difference.data)) if difference.nnz else None
        i, j = (int(at[k]) for at in difference.coords) if k is not None else (0, 0)
        worst = float(difference.data[k]) if k is not None else 0.0
        largest = float(abs(matrix.data).max(initial=0))
    else:
        i, j = map(int, np.unravel_index(np.argmax(difference), difference.shape))
        worst, largest = float(difference[i, j]), float(abs(matrix).max())
    if worst <= (_ROUNDED if part else _EXACT) * largest:
        return (matrix + matrix.conj().T) / 2 if worst else matrix
    i, j = sorted((i, j))
    one, other = f"{(i + first, j + first)}", f"{(j + first, i + first)}"
    what = f"the element {one} = {matrix[i, j]:g}, but {other} = {matrix[j, i]:g}"
    if i == j:
        what = f"the element {one} = {matrix[i, i]:g} has an imaginary part"
    raise ValueError(f"{name} is not Hermitian: {what}; {_way_out(matrix, worst, largest, part)}")


def _way_out(matrix: Elements, worst: float, largest: float, part: bool) -> str:
    """Return what may be meant by a matrix that is not Hermitian."""
    upper, lower = (np.triu, np.tril)
    if issparse(matrix):
        from scipy.sparse import tril, triu

        upper, lower = triu, tril
    sizes: list[float] = [abs(one(matrix, k)).sum() for one, k in ((upper, 1), (lower, -1))]
    if min(sizes) == 0 < max(sizes):
        return "only one triangle of it is there; add its conjugate transpose"
    if worst <= _ROUNDED * largest and not part:
        return "of one that was printed with few digits take (h + h^+)/2 (hermitian_part: true)"
    return "particle loss and gain go under loss and gain"


def _orbitals(site: object, size: int) -> int:
    """Return the rows of each site, where all have as many and stand together; else 1."""
    if site is None:
        return 1
    site = np.asarray(site)
    if site.shape != (size,) or site.dtype.kind not in "iu":
        raise ValueError(f"site: expected {size} whole numbers, one for each row")
    _, counts = np.unique(site, return_counts=True)
    orbitals = int(counts[0])
    together = (counts == orbitals).all() and (site == np.repeat(site[::orbitals], orbitals)).all()
    return orbitals if together else 1


def _positions(position: object, sites: int) -> np.ndarray | None:
    if position is None:
        return None
    try:
        found = np.array(position, float)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.ndim != 2 or len(found) != sites or not np.isfinite(found).all():
        raise ValueError(f"position: expected {sites} points, one for each site")
    return found


def _lead(name: str, lead: object, size: int) -> Continuation | Ending:
    said = _said(lead, (*_OF_LEAD, *_OF_ENDING[1:]), name) or {}
    is_told = said.get("self_energy") is not None
    own = _OF_ENDING if is_told else _OF_LEAD
    if other := [each for each in said if each not in own and said[each] is not None]:
        raise ValueError(f"{name}: self_energy stands in the place of {other[0]}")
    missing = [each for each in own[: 2 if is_told else 3] if said.get(each) is None]
    if missing:
        raise ValueError(
            f"{name}: expected orbitals, cell and hopping, or orbitals and self_energy; "
            f"{missing[0]} is missing"
        )
    rows = _rows(name, said["orbitals"], size)
    if is_told:
        return _ending(name, rows, said)
    cell = hermitian(f"{name}: cell", _dense(said["cell"]))
    hopping = matrix_of(f"{name}: hopping", _dense(said["hopping"]))
    n = len(cell)
    if hopping.shape != cell.shape:
        raise ValueError(f"{name}: hopping has the shape {hopping.shape}, cell {cell.shape}")
    if not hopping.any():
        raise ValueError(f"{name}: hopping is 0: nothing moves along the lead")
    coupling = said.get("coupling")
    if coupling is not None:
        coupling = matrix_of(f"{name}: coupling", _dense(coupling))
        if coupling.shape != (rows.size, n):
            raise ValueError(
                f"{name}: coupling has the shape {coupling.shape}; expected {(rows.size, n)}, a "
                "row for each of its orbitals in the system and a column for each of its cell"
            )
    elif rows.size > n or hopping[rows.size :].any():
        raise ValueError(
            f"{name}: {rows.size} orbitals, and cells of {n}; say the coupling, a matrix of that "
            "shape"
        )
    else:
        coupling = hopping[: rows.size]
    return Continuation(rows.astype(int), cell, hopping, coupling)


def _rows(name: str, orbitals: object, size: int) -> np.ndarray:
    rows = np.atleast_1d(np.asarray(orbitals))
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or not rows.size:
        raise ValueError(f"{name}: orbitals: expected numbers of rows, from 0")
    if rows.min() < 0 or rows.max() >= size:
        wrong = int(rows[(rows < 0) | (rows >= size)][0])
        raise ValueError(f"{name}: there is no row {wrong}: the system has {size}, from 0")
    if len(set(rows.tolist())) < rows.size:
        raise ValueError(f"{name}: a row of its orbitals is listed twice")
    return rows.astype(int)


def _ending(name: str, rows: np.ndarray, said: Mapping[str, Any]) -> Ending:
    if not callable(said["self_energy"]):
        raise ValueError(f"{name}: self_energy: expected a function of energies")
    try:
        band: Any = None if said.get("band") is None else tuple(map(float, said["band"]))
        points = tuple(map(float, said.get("break_points") or ()))
    except (TypeError, ValueError):
        raise ValueError(f"{name}: band and break_points: expected energies") from None
    low, high = band if band is not None and len(band) == 2 else (-np.inf, np.inf)
    if (band is not None and len(band) != 2) or not low < high:
        raise ValueError(f"{name}: band: expected the lowest and the highest energy")
    if outside := [x for x in points if not low < x < high]:
        raise ValueError(f"{name}: break_points: {outside[0]:g} is not inside of the band")
    return Ending(rows, said["self_energy"], band, points)


def _dense(matrix: Any) -> Any:
    return matrix.toarray() if issparse(matrix) else matrix


def _of_kwant(system: Any, parameters: Mapping[str, object] | None) -> dict[str, object]:
    """Return the description of a finalised system of Kwant; its leads are lead0, lead1, ...

    ``inter_cell_hopping`` has a row for each orbital of a cell and a column for each orbital of the
    interface, which come first in the cell next to it: it is ``<cell n + 1|h|interface of n>``.
    """
    parameters = dict(parameters or {})
    known = getattr(system, "parameters", None) or frozenset()
    if missing := sorted(known - parameters.keys()):
        raise ValueError(
            f"the system of Kwant takes {', '.join(missing)}; give its value, parameters: "
            f"{{{missing[0]}: 1}}, in a study by way of an argument of the function"
        )
    if not len(system.sites):
        raise ValueError("the system of Kwant has no sites")
    h, norbs, _ = system.hamiltonian_submatrix(params=parameters, sparse=True, return_norb=True)
    norbs = np.asarray(norbs)
    first = np.concatenate([[0], np.cumsum(norbs)])
    leads: dict[str, object] = {}
    for number, (lead, sites) in enumerate(zip(system.leads, system.lead_interfaces, strict=True)):
        if not len(sites):
            raise ValueError(f"lead{number} of Kwant has no hopping from cell to cell")
        rows = np.concatenate([np.arange(first[s], first[s + 1]) for s in sites])
        if not hasattr(lead, "cell_hamiltonian"):
            told = _each_energy(lead.selfenergy, parameters)
            leads[f"lead{number}"] = {"orbitals": rows, "self_energy": told}
            continue
        cell = lead.cell_hamiltonian(params=parameters)
        onward = lead.inter_cell_hopping(params=parameters)
        hopping = np.zeros(cell.shape, complex)
        hopping[: onward.shape[1]] = onward.conj().T
        leads[f"lead{number}"] = {"orbitals": rows, "cell": cell, "hopping": hopping}
    alike = bool((norbs == norbs[0]).all())
    position = np.array([site.pos for site in system.sites], float)
    return {
        "hamiltonian": h,
        "leads": leads,
        "site": np.repeat(np.arange(norbs.size), norbs) if alike else None,
        "position": position if alike else np.repeat(position, norbs, axis=0),
    }


def _each_energy(
    function: Callable[..., np.ndarray], parameters: Mapping[str, object]
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a self-energy of Kwant, of one energy, as one of several."""

    def each(energies: np.ndarray) -> np.ndarray:
        return np.array([function(energy, params=parameters) for energy in energies.tolist()])

    return each
