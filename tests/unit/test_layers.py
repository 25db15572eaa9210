"""Arrows of the architecture run downwards only, and the Snakefile stays light."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nessflow.registry import kind_names

SOURCE = Path(__file__).resolve().parents[2] / "src" / "nessflow"
STANDARD = set(sys.stdlib_module_names)

GROUND = {"errors", "written", "registry", "validation", "parts"}
GROUND |= {"grids", "matrix", "estimate", "outcome"}
"""What a model of parameters, a value and a message are; they know no physics."""
ENGINE = {"systems", "solvers", "spectrum", "scattering", "probes"}
"""Quadratic systems between leads, from the lowest up."""
PHYSICS = ENGINE | {"classical", "kinetic", "lindblad", "mixture"}

ALLOWED = {
    "errors": set(),
    "written": {"errors", "pint"},
    "registry": {"errors", "outcome", "pydantic", "pydantic_core"},
    "digest": {"registry"},
    "validation": {"errors", "written", "registry", "pydantic"},
    "parts": {"validation", "pydantic"},
    "grids": {"parts", "numpy", "pydantic"},
    "matrix": {"errors", "parts", "registry", "written", "numpy", "scipy", "pydantic"},
    "estimate": {"numpy"},
    "outcome": {"estimate", "numpy"},
    "systems": {"grids", "matrix", "parts", "registry", "written"}
    | {"numpy", "scipy", "pydantic", "pydantic_core"},
    "solvers": {"systems", "numpy", "scipy", "numba"},
    "spectrum": {"solvers", "systems", "numpy", "scipy", "numba"},
    "scattering": {"estimate", "spectrum", "solvers", "systems", "numpy", "scipy", "numba"},
    "probes": ENGINE | {"estimate", "numpy", "scipy"},
    "classical": {"estimate", "numpy"},
    "kinetic": {"estimate", "solvers", "numpy", "scipy", "numba"},
    "mixture": {"estimate", "spectrum", "numpy", "scipy"},
    "lindblad": ENGINE - {"probes"} | {"estimate", "numpy", "scipy"},
    "observables": PHYSICS | GROUND | {"numpy", "pydantic", "pydantic_core"},
    "studies": PHYSICS | GROUND | {"observables", "numpy", "scipy", "pydantic"},
    "kinds": PHYSICS | GROUND | {"observables", "studies", "numpy", "scipy", "pydantic"},
    "config": {"digest", "errors", "matrix", "written", "registry", "validation"}
    | {"numpy", "scipy", "sisl", "pydantic", "ruamel"},
    "store": {"config", "digest", "errors", "registry", "validation"}
    | {"numpy", "xarray", "netCDF4", "packaging"},
    "run": {"store", "config", "digest", "errors", "registry", "validation", "written"}
    | {"numpy", "xarray"},
    "publish": {"store", "config", "rocrate"},
    "report": {"written", "numpy", "xarray", "PIL", "bokeh", "jinja2", "markupsafe"},
    "figures": {"written", "numpy", "xarray", "matplotlib", "pydantic"},
}
"""What each module or folder imports of nessflow, beside itself, and of others."""


KERNELS = {
    "kinetic/kernels.py",
    "solvers/chain_ends.py",
    "solvers/chain_sites.py",
    "solvers/poles.py",
    "scattering/terms/currents.py",
    "scattering/terms/entropy.py",
    "scattering/terms/fluctuations.py",
    "spectrum/exchanges.py",
    "spectrum/panels.py",
}
"""Modules with compiled functions."""


def imported(path: Path) -> set[str]:
    """Return layers of nessflow and outside packages that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            names.add(node.module)
            if node.module == "nessflow":
                names |= {f"nessflow.{alias.name}" for alias in node.names}
    found = set()
    for name in names:
        parts = name.split(".")
        if parts[0] != "nessflow":
            found.add(parts[0])
        elif len(parts) > 1:
            found.add(parts[1])
    return found - STANDARD


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_what_is_below(layer):
    paths = [*SOURCE.glob(f"{layer}.py"), *(SOURCE / layer).rglob("*.py")]
    assert paths
    for path in paths:
        extra = imported(path) - ALLOWED[layer] - {layer}
        assert not extra, f"{path.name} imports {sorted(extra)}"


def test_one_module_integrates_over_the_energy():
    """Mesh, 2 pi, what double precision hides and the tolerance have one owner."""
    for name in ("quadrature.integrate_each", "mesh.energy_mesh"):
        module, function = name.split(".")
        users = set()
        for path in SOURCE.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and (
                    (node.module == f"nessflow.spectrum.{module}" and function in _names(node))
                    or (node.module == "nessflow.spectrum" and module in _names(node))
                ):
                    users.add(path.relative_to(SOURCE).as_posix())
        assert users == {"spectrum/spectrum.py"}


def _names(node: ast.ImportFrom) -> set[str]:
    return {alias.name for alias in node.names}


def test_numba_is_for_kernels_only():
    users = {path for path in SOURCE.rglob("*.py") if "numba" in imported(path)}
    assert {path.relative_to(SOURCE).as_posix() for path in users} == KERNELS


def test_no_folder_is_too_full_to_look_through():
    for folder in (SOURCE, *SOURCE.rglob("*")):
        if folder.is_dir() and folder.name != "kinds":
            modules = [path for path in folder.glob("*.py") if path.stem[:2] != "__"]
            assert len(modules) <= 12, folder


def test_packages_have_no_code():
    for path in SOURCE.rglob("__init__.py"):
        if path.parent != SOURCE:
            assert path.read_text() == "", path


def test_kinds_are_the_modules_with_parameters():
    names = {path.stem for path in (SOURCE / "kinds").glob("*.py")} - {"__init__"}
    modules = {name: importlib.import_module(f"nessflow.kinds.{name}") for name in names}
    kinds = {name.replace("_", "-") for name in names if hasattr(modules[name], "Parameters")}
    assert set(kind_names()) == kinds


def test_reading_the_studies_is_light():
    """Every cluster job reads the Snakefile: nothing heavy may come with it."""
    code = (
        "import sys; from pathlib import Path; from nessflow.verbs.workflow import open_project;"
        "open_project(Path('.'), {});"
        "print([m for m in ('xarray', 'pandas', 'numba', 'matplotlib', 'netCDF4', 'pint') "
        "if m in sys.modules])"
    )
    root = SOURCE.parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(SOURCE.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_all_kernels_have_the_same_freedom_of_rounding():
    """Else last digits depend on which kernels a process compiled before."""
    from numba.core.dispatcher import Dispatcher

    from nessflow.solvers.compiled import FAST

    kernels = 0
    for path in KERNELS:
        module = importlib.import_module(f"nessflow.{path[:-3].replace('/', '.')}")
        for name, value in vars(module).items():
            if isinstance(value, Dispatcher):
                # What has no flags of its own takes those of its caller.
                default = None if value._cache.cache_path else FAST
                assert value.targetoptions.get("fastmath", default) == FAST, name
                kernels += bool(value._cache.cache_path)
    assert kernels > 5
