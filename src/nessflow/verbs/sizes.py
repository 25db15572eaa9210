"""How large systems are that come from elsewhere, and what they cost: what `nessflow plan` says."""

import time
import tracemalloc
from contextlib import suppress
from itertools import chain

import numpy as np

from nessflow.config.project import Study
from nessflow.config.study import possible_parameters
from nessflow.errors import ConfigError
from nessflow.solvers.banded import banded_matrices
from nessflow.solvers.solver import Solver, contact_response
from nessflow.studies.systems import open_system
from nessflow.systems.lattices.given.given import Given
from nessflow.systems.system import OpenSystem

_TRIED = 1e10
"""Operations up to which one energy is solved to see what it takes."""
_SPEED = 3e9
"""Operations a second, else."""


def size_lines(study: Study) -> list[str]:
    """Return what is in the files of a study, and what its first system takes; else no line.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    list of str
        ``STUDY: system.lattice: SIZE; COST``.
    """
    try:
        parameters = possible_parameters(study, {})
    except (ConfigError, ValueError):
        return []
    lattice = getattr(getattr(parameters, "system", None), "lattice", None)
    if not isinstance(lattice, Given):
        return []
    described = lattice.described
    orbitals = f" of {lattice.orbitals} orbitals" if lattice.orbitals > 1 else ""
    elements = described.hamiltonian
    count = elements.nnz if hasattr(elements, "nnz") else np.count_nonzero(elements)
    parts = [f"{lattice.sites} sites{orbitals}, {lattice.size} rows, {count} elements"]
    if described.leads:
        cells = ", ".join(f"{name} {len(x.cell)}" for name, x in described.leads.items())
        parts[0] += f", rows of a cell of its leads: {cells}"
    with suppress(ValueError):
        parts.append(_cost(open_system(parameters.system, np.random.default_rng(0))))
    return [f"{study.name}: system.lattice: {'; '.join(chain(parts, described.remarks))}"]


def _cost(system: OpenSystem) -> str:
    """Return memory and time that the Green's function between contacts takes."""
    size = system.sites
    is_full = system.is_dense
    width = size if is_full else min(size, 2 * banded_matrices(system).width + 1)
    operations = 8.0 * size * width**2
    if operations > _TRIED:
        memory, seconds = 48.0 * size * width, operations / _SPEED
        said = "estimated "
    else:
        energy = np.array([0.123456])
        contact_response(system, energy)
        tracemalloc.start()
        contact_response(system, energy)
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        start = time.perf_counter()
        contact_response(system, energy)
        seconds, said = time.perf_counter() - start, ""
    name = Solver(system).at_contacts.__name__.rpartition(".")[2].replace("_", " ")
    return f"{said}{_memory(memory)} and {_time(seconds)} for each energy ({name})"


def _memory(size: float) -> str:
    for unit in ("kB", "MB"):
        size /= 1000
        if size < 1000:
            return f"{float(f'{size:.2g}'):g} {unit}"
    return f"{float(f'{size / 1000:.2g}'):g} GB"


def _time(seconds: float) -> str:
    return f"{float(f'{seconds:.1g}'):g} s" if seconds > 0.1 else f"{seconds * 1000:.1g} ms"
