"""Parts and kinds of the user's own: found, described, digested, and refused in one message."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nessflow.cli import commands
from nessflow.config.project import blamed, load_study
from nessflow.config.study import possible_parameters
from nessflow.digest import closure, source_digest
from nessflow.registry import kind_names, members, sources_of, use_project
from nessflow.studies.systems import System, open_system
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.leads.lead import Lead
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.matrices import as_dense
from nessflow.verbs.workflow import read_project

LATTICE = '''
"""Zigzag chain."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Bonds, Length, Graph
from .steps import both


class Zigzag(Graph):
    """Chain with hoppings to next and second neighbours."""

    kind: Literal["zigzag"] = "zigzag"
    sites: Length = quantity("number of sites", "1")
    across: float = quantity("hopping across the zigzag", "t", 0.5)

    @property
    def bonds(self) -> Bonds:
        """Bonds to the two sites behind."""
        first, second = both(self.sites)
        return Bonds(first, second, np.where(second - first == 1, 1.0, self.across))
'''
STEPS = """
import numpy as np

def both(sites):
    first, second = np.triu_indices(sites, 1)
    near = second - first <= 2
    return first[near], second[near]
"""
LEAD = '''
"""A chain by another name."""

from typing import ClassVar, Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.leads.lead import Lead


class Wire(Lead):
    """Wire of hopping 1."""

    kind: Literal["wire"] = "wire"
    coupling: float = quantity("hopping between wire and contact site", "t", 1.0)

    bands: ClassVar = ((-2.0, 2.0),)

    def regular_self_energy(self, energies):
        """Return the self-energy."""
        x = np.asarray(energies, complex) / 2
        root = np.where(abs(x.real) < 1, -1j * np.sqrt(1 - x * x), 0)
        far = np.sign(x.real) * np.sqrt(np.maximum(x.real**2 - 1, 0))
        return self.coupling**2 * (x + root - far)
'''
KIND = '''
"""My kind: square of a number."""
from nessflow.studies.kind import Strict, Variable, Outcome, quantity
from nessflow.studies.variables import never_random as is_random
class Parameters(Strict):
    x: float = quantity("a number", "t")
VARIABLES = {"y": Variable((), "t", "square")}
CONVENTIONS = ()
def coordinates(p): return {}
def evaluate(p, rng): return Outcome({"y": p.x**2})
'''
WIRE = """
title: A wire
study: transmission
system:
  lattice: {kind: zigzag, sites: 6, across: $a}
  leads:
    left: {kind: wire, chemical_potential: 0.1, temperature: 0.1}
    right: {kind: semi-infinite-chain, chemical_potential: 0.1, temperature: 0.1}
energies: {start: -1, stop: 1, points: 3}
axes: {a: {inner: [0, 0.5]}}
"""
CHAIN = """
title: A chain
study: transmission
system:
  lattice: {kind: chain, sites: 6}
  leads:
    left: {kind: wide-band, broadening: 1, chemical_potential: 0.1, temperature: 0.1}
    right: {kind: semi-infinite-chain, chemical_potential: 0.1, temperature: 0.1}
energies: {start: -1, stop: 1, points: 3}
"""
MINE = """
title: Squares
study: my-kind
x: $v
axes: {v: {inner: [2, 3]}}
"""
PARTS = {"zigzag": LATTICE, "steps": STEPS, "wire": LEAD, "my_kind": KIND}
STUDIES = {"wire": WIRE, "chain": CHAIN, "mine": MINE}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a function that makes a project with own parts, each time in another folder."""

    def make(number=0, **changes):
        root = tmp_path / str(number)
        for folder in ("config/studies", "parts"):
            (root / folder).mkdir(parents=True)
        (root / "config/config.yaml").write_text("studies: all\n")
        for name, text in STUDIES.items():
            (root / f"config/studies/{name}.yaml").write_text(changes.pop(f"{name}_yaml", text))
        for name, text in {**PARTS, **changes}.items():
            if text is not None:
                (root / f"parts/{name}.py").write_text(textwrap.dedent(text))
        monkeypatch.chdir(root)
        use_project(root)
        return root

    yield make
    monkeypatch.undo()
    use_project(Path(__file__))


def run(*arguments):
    return CliRunner().invoke(commands, arguments)


def digests(root):
    return {s.name: s.digest for s in read_project(root, is_tolerant=True).studies.values()}


def broken(root):
    return {name: str(error) for name, error in read_project(root, is_tolerant=True).broken.items()}


# --- found ----------------------------------------------------------------------------------------


def test_own_parts_run(project):
    root = project()
    assert not broken(root)
    point = json.loads(run("point", "wire", "--set", "a=0", "--json").stdout)
    same = json.loads(run("point", "chain", "--json").stdout)
    assert point["status"] == same["status"] == 0
    wire = possible_parameters(read_project(root).studies["wire"], {})
    h = as_dense(open_system(wire.system, None).hamiltonian)
    assert h[0, 1] == -1
    assert h[0, 2] == 0
    plan = run("plan")
    assert plan.exit_code == 0
    assert "mine" in plan.stdout


def test_an_own_kind_runs(project):
    root = project()
    point = json.loads(run("point", "mine", "--set", "v=3", "--json").stdout)
    assert point["observables"]["y"]["value"] == 9
    assert "my-kind" in kind_names()
    assert "my-kind: My kind: square of a number." in run("describe").stdout
    described = run("describe", "my-kind").stdout
    assert "x: number (t), required  # a number" in described
    assert "Example" not in described
    (root / "parts/examples").mkdir()
    (root / "parts/examples/my-kind.yaml").write_text(MINE)
    assert run("describe", "my-kind").stdout.endswith(MINE)


def test_an_own_lead_is_that_of_the_package_with_the_same_self_energy(project):
    project()
    wire, chain = members(Lead)["wire"](coupling=0.7), SemiInfiniteChain(coupling=0.7)
    energies = np.array([-2.5, -1.3, 0.2, 1.9, 3.0])
    np.testing.assert_allclose(wire.self_energy(energies), chain.self_energy(energies), atol=1e-12)


def test_an_own_lead_serves_as_a_probe(project):
    root = project()
    text = CHAIN.replace("study: transmission", "study: probes")
    probe = "  probes: {middle: {kind: wire, temperature: 0.1, sites: [3]}}\nenergies: {start"
    text = text.replace("energies: {start", probe).partition("energies: ")[0]
    (root / "config/studies/probed.yaml").write_text(text)
    done = run("point", "probed", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["status"] == 0


def test_schema_and_descriptions_have_own_parts(project):
    root = project()
    schema = json.loads(run("describe", "--schema").stdout)
    assert "transmission.Zigzag" in schema["$defs"]
    assert "my-kind" in schema["properties"]["study"]["enum"]
    text = run("describe", "transmission").stdout
    assert "kind: zigzag  # Chain with hoppings to next and second neighbours." in text
    assert "across: number (t), default 0.5  # hopping across the zigzag" in text
    assert "kind: wire" in text
    shutil.rmtree(root / "config")
    use_project(Path(__file__))
    assert "zigzag" not in members(Lattice)


def test_a_part_that_is_not_registered_serves_in_the_library():
    class Pair(members(Lattice)["chain"]):
        """Two sites."""

        kind: str = "pair"

    lead = {"kind": "wide-band", "broadening": 1, "chemical_potential": 0, "temperature": 1}
    system = System(lattice=Pair(sites=2), leads={"left": lead})
    assert open_system(system, None).sites == 2


# --- digests --------------------------------------------------------------------------------------


def test_a_new_part_makes_nothing_old(project):
    before = digests(project(0))
    other = LATTICE.replace("Zigzag", "Other").replace("zigzag", "other")
    assert digests(project(1, other=other, broken="1 +")) == before


@pytest.mark.parametrize(
    ("part", "old", "new", "changed"),
    [
        ("zigzag", "0.5)", "0.6)", {"wire"}),
        ("steps", "<= 2", "< 3", {"wire"}),
        ("wire", "-1j", "0 - 1j", {"wire"}),
        ("my_kind", "x**2", "x*x", {"mine"}),
        ("zigzag", "Zigzag chain.", "A zigzag chain.", set()),
    ],
)
def test_an_edit_of_a_part_makes_its_studies_old(project, part, old, new, changed):
    before = digests(project(0))
    assert old in PARTS[part]
    after = digests(project(1, **{part: PARTS[part].replace(old, new)}))
    assert {name for name in before if before[name] != after[name]} == changed


def test_parts_of_cases_and_overrides_count(project):
    axes = "axes: {a: {inner: {cases: {one: {}, two: {system.loss: {kind: bond, rate: 1}}}}}}\n"
    before = digests(project(0))["chain"]
    cased = digests(project(1, chain_yaml=CHAIN + axes))["chain"]
    assert cased != before
    one_key = axes.replace("system.loss: {kind: bond, rate: 1}", "system.lattice.kind: zigzag")
    assert digests(project(2, chain_yaml=CHAIN + one_key))["chain"] not in (before, cased)
    root = project(3, chain_yaml=CHAIN + one_key)
    edited = digests(root)["chain"]
    other = PARTS["zigzag"].replace("0.5", "0.6")
    assert digests(project(4, chain_yaml=CHAIN + one_key, zigzag=other))["chain"] != edited
    path = root / "config/studies/chain.yaml"
    path.write_text(CHAIN)
    ring = load_study(path, overrides=["system.lattice.kind=ring"])
    assert ring.digest != load_study(path).digest


@pytest.mark.parametrize("part", ["lattices/chain", "channels/bond", "disorder/uniform"])
def test_an_edit_of_a_part_of_the_package_makes_the_studies_old_that_name_it(part, tmp_path):
    root = Path(__file__).parents[2]
    package, edited = root / "src", tmp_path / "edited"
    shutil.copytree(package / "nessflow", edited / "nessflow")
    path = edited / f"nessflow/systems/{part}.py"
    path.with_stem("another").write_text(path.read_text())
    path.write_text(path.read_text() + "\nMORE = 1\n")
    kind = f"kind: {part.partition('/')[2]}"
    changed, naming = set(), set()
    for study in read_project(root, is_tolerant=True).studies.values():
        cases = [axis.cases for axis in study.axes if axis.cases is not None]
        names = [source.name for source in sources_of(study.kind_name, [study.template, *cases])]
        if source_digest(names, package) != source_digest(names, edited):
            changed.add(study.name)
        # Rings between baths have no leads, and chains of their own.
        text = study.path.read_text()
        if re.search(rf"{kind}\b", text) and "leads:" in text:
            naming.add(study.name)
    assert changed == naming
    assert naming


def test_a_kind_does_not_depend_on_parts():
    names = closure("nessflow.kinds.steady_current")
    found = [name for name in names if re.match(r"nessflow\.systems\.\w+\.", name)]
    assert found == [
        "nessflow.systems.channels.channel",
        "nessflow.systems.disorder.disorder",
        "nessflow.systems.lattices.lattice",
        "nessflow.systems.leads.lead",
    ]
    assert "nessflow.registry" not in names


# --- refused --------------------------------------------------------------------------------------

BROKEN = {
    "syntax": ("class Zigzag(\n", "parts/zigzag.py:1: SyntaxError: '(' was never closed"),
    "import": ("\nimport nothing_like_it\n", "parts/zigzag.py:2: ModuleNotFoundError: No module"),
    "raises": ("x = 1\nx / 0\n", "parts/zigzag.py:2: ZeroDivisionError: division by zero"),
    "exits": ("import sys\nsys.exit(3)\n", "parts/zigzag.py:2: SystemExit: 3"),
    "helper": ("from .steps import all_of\n", "parts/zigzag.py:1: ImportError: cannot import"),
    "no bonds": (
        LATTICE.replace("def bonds", "def pairs"),
        "parts/zigzag.py: Zigzag does not say bonds",
    ),
    "no sites": (
        LATTICE.replace("    sites: Length", "    length: Length"),
        "parts/zigzag.py: Zigzag does not say sites",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_part_stops_the_studies_that_use_it(project, name):
    text, message = BROKEN[name]
    root = project(zigzag=text)
    ((study, found),) = broken(root).items()
    assert study == "wire"
    assert f"wire.yaml:5: system.lattice.kind = zigzag: {message}" in found
    assert found.count("\n") == 0
    plan = run("plan", "chain")
    assert plan.exit_code == 0
    assert f"warning: {message}" in plan.stderr or name in ("no bonds", "no sites")
    assert "Traceback" not in run("plan").stderr


def test_a_name_that_is_there_twice_is_refused_with_both_places(project):
    twin = LATTICE.replace('"zigzag"', '"chain"')
    root = project(twin=twin, steady_current=KIND)
    found = broken(root)
    assert found.keys() == {"chain"}
    assert (
        "system.lattice.kind = chain: the package (nessflow/systems/lattices/chain.py) and "
        "parts/twin.py both have a part of this name; rename one"
    ) in found["chain"]
    (root / "config/studies/chain.yaml").write_text(CHAIN.replace("transmission", "steady-current"))
    (line,) = broken(root)["chain"].splitlines()
    assert "chain.yaml:3: study = steady-current: expected one of the kinds" not in line
    assert (
        "study = steady-current: the package (nessflow/kinds/steady_current.py) and "
        "parts/steady_current.py both have a kind of this name; rename one"
    ) in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            KIND.replace("def evaluate", "def compute").replace("CONVENTIONS", "WORDS"),
            "parts/my_kind.py: a kind of study defines CONVENTIONS, evaluate as well",
        ),
        (KIND + "\nundefined\n", "parts/my_kind.py:12: NameError: name 'undefined'"),
        (
            KIND.replace("(Strict)", ""),
            "parts/my_kind.py: Parameters: expected a class that derives from nessflow",
        ),
        (
            KIND.replace('Variable((), "t", "square")', "3"),
            "parts/my_kind.py: VARIABLES: 'y': expected a Variable, not 3",
        ),
        (
            KIND.replace("CONVENTIONS = ()", "CONVENTIONS = (); is_random = True"),
            "parts/my_kind.py: is_random: expected a function",
        ),
        (
            KIND.replace("return {}", "return p.z"),
            "parts/my_kind.py:9: AttributeError: 'Parameters' object has no attribute 'z'",
        ),
        (KIND.replace("return {}", "return 3"), "parts/my_kind.py: AttributeError: 'int' object"),
        (
            KIND.replace("Variable(()", 'Variable(("spin",)'),
            "parts/my_kind.py: y has the dimension spin, which `coordinates` does not give",
        ),
        (None, "expected one of the kinds asymptotic-rates"),
    ],
)
def test_a_kind_that_does_not_keep_its_contract_is_refused(project, text, message):
    root = project(my_kind=text)
    found = broken(root)
    assert found.keys() == {"mine"}
    assert "mine.yaml:3: study = my-kind: " in found["mine"]
    assert message in found["mine"]


def test_what_a_part_does_wrong_when_a_study_is_read_stops_that_study_alone(project):
    """Its values are checked by properties of the part, which are anybody's code."""
    text = "    def model_post_init(self, _):\n        self.length\n\n    @property\n"
    root = project(zigzag=LATTICE.replace("    @property\n", text))
    ((study, found),) = broken(root).items()
    assert study == "wire"
    assert "wire.yaml:3: study = transmission: parts/zigzag.py:21: AttributeError: " in found
    assert "Traceback" not in run("plan").stderr
    # Of a study that names no part from outside an error is a defect of nessflow.
    error = ValueError("anything")
    assert blamed(error, root / "config/studies/chain.yaml") is None
    found = str(blamed(error, root / "config/studies/wire.yaml"))
    assert "parts/wire.py or parts/zigzag.py: anything" in found


def test_parts_of_one_project_are_not_those_of_another(project):
    first, second = project(0), project(1, zigzag=LATTICE.replace("0.5)", "0.7)"))
    for root, across in ((first, 0.5), (second, 0.7), (first, 0.5)):
        use_project(root)
        assert members(Lattice)["zigzag"](sites=3).across == across


# --- entry points ---------------------------------------------------------------------------------

ENTRY_POINTS = """
[nessflow.parts]
my-kind = others.squares
zigzag = others.lattices:Zigzag
wire = wire_of_one_file
broken = others.nothing
"""
DIGESTS = """
from pathlib import Path
from nessflow.verbs.workflow import read_project
project = read_project(Path(), is_tolerant=True)
assert not project.broken, project.broken
print({name: study.digest for name, study in project.studies.items()})
"""


def test_parts_of_installed_packages(project, tmp_path):
    root, site = project(**dict.fromkeys(PARTS)), tmp_path / "site"
    files = {
        "others-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: others\nVersion: 1\n",
        "others-1.dist-info/entry_points.txt": ENTRY_POINTS,
        "others/__init__.py": "",
        "others/squares.py": KIND,
        "others/lattices.py": LATTICE,
        "others/steps.py": STEPS,
        "wire_of_one_file.py": LEAD,
    }
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    source = Path(__file__).parents[2] / "src"
    environment = os.environ | {"PYTHONPATH": f"{source}{os.pathsep}{site}"}
    options = {"cwd": root, "env": environment, "capture_output": True, "text": True}

    def python(*arguments):
        return subprocess.run([sys.executable, *arguments], check=True, **options)

    def found():
        return ast.literal_eval(python("-c", DIGESTS).stdout)

    first = found()
    point = python("-m", "nessflow", "point", "mine", "--set", "v=3")
    assert "y = 9" in point.stdout
    fault = "warning: entry point broken = others.nothing of others: ModuleNotFoundError: No module"
    assert fault in python("-m", "nessflow", "plan").stderr
    for name, changed in (
        ("others/steps.py", "wire"),
        ("others/squares.py", "mine"),
        ("wire_of_one_file.py", "wire"),
    ):
        (site / name).write_text(files[name] + "\nMORE = 1\n")
        now = found()
        assert {study for study in now if now[study] != first[study]} == {changed}
        first = now
