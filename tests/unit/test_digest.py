import os
import textwrap

import pytest

from nessflow import digest
from nessflow.digest import closure, source_digest, style_digest

FILES = {
    "__init__.py": "from nessflow.unused import everything\n",
    "unused.py": "everything = 1\n",
    "physics/__init__.py": "",
    "physics/solver.py": '''
        """A solver."""
        from . import tables

        def solve(x):
            """Return twice x."""
            return tables.TWO * x  # twice
        ''',
    "physics/tables.py": "TWO = 2\n",
    "physics/other.py": "THREE = 3\n",
    "loud/__init__.py": "VOLUME = 11\n",
    "loud/speaker.py": "",
    "studies/__init__.py": '"""Kinds."""\n',
    "studies/first.py": """
        import numpy as np

        def evaluate(x):
            from nessflow.physics import solver
            import nessflow.loud.speaker
            return solver.solve(x)
        """,
    "studies/second.py": "from nessflow.physics.other import THREE\n",
    "figures/__init__.py": "",
    "figures/map.py": "from nessflow.physics.tables import TWO\n",
    "figures/paper.mplstyle": "lines.linewidth: 1\n",
}


class Tree:
    """A package on disk; each digest is taken of a copy, since digests are cached."""

    def __init__(self, folder):
        self.folder, self.copies, self.newline = folder, 0, "\n"
        self.files = {name: textwrap.dedent(text) for name, text in FILES.items()}

    def write(self):
        self.copies += 1
        root = self.folder / str(self.copies)
        for name, text in self.files.items():
            path = root / "nessflow" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, newline=self.newline)
        return root

    def edit(self, name, old, new):
        assert old in self.files[name]
        self.files[name] = self.files[name].replace(old, new)

    def digests(self):
        root = self.write()
        names = ("first", "second")
        return [source_digest(f"nessflow.studies.{n}", root) for n in names] + [style_digest(root)]


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def test_closure_follows_every_form_of_import(tree):
    assert closure("nessflow.studies.first", tree.write()) == (
        "nessflow.loud",
        "nessflow.loud.speaker",
        "nessflow.physics.solver",
        "nessflow.physics.tables",
        "nessflow.studies.first",
    )


def test_an_edit_reaches_its_users_and_nobody_else(tree):
    first, second, style = tree.digests()
    tree.edit("physics/tables.py", "2", "2.5")
    changed = tree.digests()
    assert changed[0] != first
    assert changed[1] == second
    assert changed[2] != style
    tree.edit("loud/__init__.py", "11", "12")
    assert tree.digests()[0] != changed[0]


def test_comments_docstrings_layout_and_place_change_nothing(tree):
    before = tree.digests()
    tree.edit("physics/solver.py", "Return twice x.", "Return x, doubled.")
    tree.edit("physics/solver.py", "  # twice", "")
    tree.edit("physics/solver.py", "tables.TWO * x", "(tables.TWO\n        *  x)")
    tree.edit("physics/solver.py", '"""A solver."""', "# A solver.")
    tree.edit("studies/__init__.py", "Kinds.", "All kinds.")
    tree.edit("unused.py", "1", "2")
    tree.newline = "\r\n"
    assert tree.digests() == before


def test_a_style_edit_is_for_figures_alone(tree):
    before = tree.digests()
    tree.edit("figures/paper.mplstyle", "1", "2")
    after = tree.digests()
    assert after[:2] == before[:2]
    assert after[2] != before[2]


def test_a_renamed_module_is_another_source(tree):
    before = tree.digests()
    tree.files["studies/first.py"] = tree.files["studies/first.py"].replace("solver", "solvers")
    tree.files["physics/solvers.py"] = tree.files.pop("physics/solver.py")
    assert tree.digests()[0] != before[0]


def test_an_unknown_module_is_an_error(tree):
    with pytest.raises(ModuleNotFoundError, match=r"nessflow\.studies\.third"):
        source_digest("nessflow.studies.third", tree.write())


def test_the_digest_of_this_package_covers_the_physics_that_a_kind_uses():
    names = closure("nessflow.kinds.steady_current")
    assert "nessflow.studies.kind" in names
    assert "nessflow.systems.system" in names
    assert "nessflow.spectrum.quadrature" in closure("nessflow.observables.currents")
    assert not any(name.startswith(("nessflow.run", "nessflow.figures")) for name in names)
    assert len(source_digest("nessflow.kinds.steady_current")) == 16


@pytest.mark.parametrize(
    "change", [lambda b: b[:-9], lambda b: b.replace(b"TWO", b"TOO"), lambda b: b""]
)
def test_what_was_kept_of_a_file_is_checked(tree, change):
    root = tree.write()
    first = source_digest("nessflow.studies.first", root)
    kept = list(root.rglob("*.digest"))
    assert kept
    for path in kept:
        path.write_bytes(change(path.read_bytes()))
    forget()
    assert source_digest("nessflow.studies.first", root) == first


def test_times_and_sizes_of_files_tell_nothing(tree):
    root = tree.write()
    path = root / "nessflow" / "physics" / "tables.py"
    first, then = source_digest("nessflow.studies.first", root), path.stat()
    digests = []
    for text in ("TWO = 3\n", "TWO = 2\n"):
        path.write_text(text)
        os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
        forget()
        digests.append(source_digest("nessflow.studies.first", root))
    assert digests[0] != first
    assert digests[1] == first


def forget():
    """Be as another process."""
    for function in vars(digest).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()
