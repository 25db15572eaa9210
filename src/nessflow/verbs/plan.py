"""What `nessflow plan` says: why data and figures are made again, and how large systems are."""

import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nessflow.config.project import Project, Study
from nessflow.config.study import possible_parameters
from nessflow.digest import style_digest
from nessflow.errors import ConfigError
from nessflow.figures.specs import tables_of
from nessflow.run.plan import Plan
from nessflow.run.provenance import definition
from nessflow.run.reasons import changed
from nessflow.solvers.banded import banded_matrices
from nessflow.solvers.solver import Solver, contact_response
from nessflow.spectrum.mesh import levels_of_integral
from nessflow.store.citation import CREDIT, attributes_of, citation_of
from nessflow.store.files import Missing, StoreError
from nessflow.store.manifest import (
    DATA,
    FAILURES,
    FIGURES,
    Old,
    named_faults,
    read_sealed,
    state_of,
)
from nessflow.store.store import read_dataset
from nessflow.studies.systems import open_system
from nessflow.systems.lattices.given.given import Given
from nessflow.systems.system import OpenSystem
from nessflow.verbs.workflow import SIDECAR, SUFFIXES, data_of, expected_figures, written_spec

_CONTENT = {
    "axes": "values of axes",
    "derived": "derived formulas",
    "fits": "fits",
    **CREDIT,
}
"""What goes into data and changes no point, by attribute."""
_TRIED = 1e10
"""Operations up to which one energy is solved to see what it takes."""
_SPEED = 3e9
"""Operations a second, else."""
_LARGE = 3000
"""Sites from which on a lattice is told what it costs, wherever it comes from."""
_ENERGIES = 20
"""Energies that a level takes which is no narrower than its distance from the next one."""


def rerun_lines(project: Project, study: Study, plan: Plan) -> list[str]:
    """Return one line for each reason for which something of a study is made again.

    Parameters
    ----------
    project : Project
        The project.
    study : Study
        One of its studies.
    plan : Plan
        What is known of the blocks of the study.

    Returns
    -------
    list of str
        ``STUDY: WHAT: REASON; then WHAT FOLLOWS``; empty where nothing is to run.
    """
    folder = project.results / study.name
    lines = [f"{count} of {plan.blocks} blocks: {why}" for why, count in plan.reasons.items()]
    after = ["data", "figures"] if study.figures else ["data"]
    if not lines and (reason := data_reason(study, folder)):
        lines, after = [f"data: {reason}"], after[1:]
    if not lines and study.figures and (reason := figures_reason(study, project.results)):
        lines, after = [f"figures: {reason}"], []
    if lines and after:
        lines[-1] += f"; then {' and '.join(after)}"
    return [f"{study.name}: {line}" for line in lines]


def data_reason(study: Study, folder: Path) -> str:
    """Return why the blocks of a study are gathered again, an empty text where they are not."""
    for fault in named_faults(folder, state_of(study), [DATA, FAILURES]):
        if isinstance(fault, Missing):
            return "not gathered yet"
        return _of_old_data(study, folder) if isinstance(fault, Old) else _cause(fault)
    return ""


def _of_old_data(study: Study, folder: Path) -> str:
    try:
        then = read_dataset(folder / DATA).attrs
    except StoreError as error:
        return _cause(error)
    now = definition(study) | attributes_of(citation_of(study.project))
    if reason := changed(then, now):
        return reason
    for key, what in _CONTENT.items():
        if then.get(key) != now.get(key):
            return f"{what} changed"
    return "title, notes or names of axes changed"


def figures_reason(study: Study, results: Path) -> str:
    """Return why the figures of a study are drawn again, an empty text where they are not."""
    for name in sorted(data_of(study)):
        if not (results / name / DATA).exists():
            return f"no data of {name} yet"
    names = [f"{spec.name}.{suffix}" for spec in study.figures for suffix in SUFFIXES]
    folder = results / study.name / FIGURES
    for fault in named_faults(folder, expected_figures(study, results), names):
        if isinstance(fault, Old):
            return ", ".join(dict.fromkeys(_of_old_figures(study, folder))) or _cause(fault)
        if isinstance(fault, Missing) and not any(folder.glob("*.svg")):
            return "not drawn yet"
        return _cause(fault)
    return ""


def _of_old_figures(study: Study, folder: Path) -> Iterator[str]:
    for spec in study.figures:
        try:
            record = read_sealed(folder / f"{spec.name}.{SIDECAR}")
        except Missing:
            yield f"figure {spec.name} is new"
            continue
        except StoreError as error:
            yield _cause(error)
            continue
        then, now = record.get("specification"), written_spec(study, spec)
        if isinstance(then, dict) and then | {"tables": 0} == now | {"tables": 0} and then != now:
            yield f"{', '.join(tables_of(spec))} changed"
        elif then != now:
            yield f"specification of {spec.name} changed"
        if record.get("figure_digest") != style_digest():
            yield "code of figures changed"


def _cause(fault: StoreError) -> str:
    return f"{fault.path.name}: {fault.cause}"


# --- how large systems are that come from elsewhere -----------------------------------------------


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
        parameters: Any = possible_parameters(study, {})
    except (ConfigError, ValueError):
        return []
    lattice: Any = getattr(getattr(parameters, "system", None), "lattice", None)
    if not isinstance(lattice, Given):
        is_large = getattr(lattice, "sites", 0) > _LARGE
        parts = [f"{lattice.sites} sites", *_costs(parameters.system)] if is_large else []
        return [f"{study.name}: system.lattice: {'; '.join(parts)}"] if parts else []
    described = lattice.described
    rows = f" of {lattice.orbitals} orbitals, {lattice.size} rows" if lattice.orbitals > 1 else ""
    elements = described.hamiltonian
    count = elements.nnz if hasattr(elements, "nnz") else np.count_nonzero(elements)
    parts = [f"{lattice.sites} sites{rows}, {count} elements"]
    if described.leads:
        rows = ", ".join(f"{name} {x.rows.size}" for name, x in described.leads.items())
        parts.append(f"rows that its leads couple to: {rows}")
    parts += _costs(parameters.system)
    return [f"{study.name}: system.lattice: {'; '.join([*parts, *described.remarks])}"]


def _costs(described: Any) -> list[str]:
    """Return what one energy takes, and how many an integral does where levels are many."""
    try:
        system = open_system(described, np.random.default_rng(0))
        parts = [_cost(system)]
        if found := levels_of_integral(system):
            levels, lower, upper = found
            parts.append(
                f"integrals over the energy: some {levels:.0f} levels between {lower:.3g} and "
                f"{upper:.3g}, each {_ENERGIES} energies, more where it is narrow"
            )
    except ValueError:
        return []
    return parts


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
    value, unit = (seconds, "s") if seconds > 0.1 else (1000 * seconds, "ms")
    return f"{float(f'{value:.1g}'):g} {unit}"
