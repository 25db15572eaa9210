"""Pages of the documents, run from top to bottom as they are printed.

Blocks of a page, by their language: ``console`` has commands after ``$`` and what they say;
``python`` is run in one process for the whole page, and a ``text`` below it is what it prints;
``yaml`` and ``python`` that begin with ``# folder/name`` are files of the reader's project.  A line
``...`` stands for whatever is there.  A block that begins with ``# not run by a test:`` says why.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from conftest import ROOT

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)")
ROUNDING = re.compile(r"\+- \S+e-\d\d")
FILE = re.compile(r"# (?!not run)([\w./-]+/[\w.-]+|[A-Z]\w+)(?: .*)?\n")
COMMANDS = Path(sys.executable).parent
READER = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Ada Lovelace"), ("EMAIL", "ada@example.org"))
}
NOT_RUN = "# not run by a test: "


@dataclass(frozen=True)
class Block:
    """A block of code of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    found = re.finditer(r"^( *)```([\w{}-]*)[^\n]*\n(.*?)^\1```$", text, re.M | re.S)
    return [
        Block(page.name, text.count("\n", 0, match.start()) + 1, match[2], match[3])
        for match in found
    ]


def run_page(page: Path, folder: Path) -> None:
    """Run it with a folder as the current one, in which the last ``cd`` of a console stays."""
    names: dict[str, object] = {"__name__": "__main__"}
    printed = None
    with contextlib.chdir(folder):
        for block in blocks_of(page):
            if block.text.startswith(NOT_RUN):
                continue
            told, printed = printed, None
            if block.language == "console":
                run_console(block)
            elif (file := FILE.match(block.text)) and block.language in ("yaml", "python", "text"):
                path = Path(file[1])
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)
            elif block.language == "python":
                printed = output(block, names)
            elif block.language == "text":
                assert told is not None, f"{block}: what prints this?"
                assert_same(told, block.text, block)
            else:
                assert not block.language or block.language.startswith("{"), f"{block}: not run"


def output(block: Block, names: dict[str, object]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * block.line + block.text, block.page, "exec"), names)
    return printed.getvalue()


def run_console(block: Block) -> None:
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.M)
    assert not parts[0], f"{block}: begins with no command"
    for command, expected in zip(parts[1::2], parts[2::2], strict=True):
        words = shlex.split(command, comments=True)
        if words[0] == "cd":
            os.chdir(words[1])
            continue
        done = subprocess.run(
            command,
            shell=True,
            env=os.environ | READER | {"PATH": f"{COMMANDS}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{block}: {command}\n{done.stdout}{done.stderr}"
        if expected:
            assert_same(done.stdout, expected, f"{block}: {command}")


def assert_same(found: str, expected: str, where: object) -> None:
    """Assert that texts agree, numbers but their errors to six digits."""
    pieces = [piece.strip("\n") for piece in re.split(r"^ *\.\.\.$", expected, flags=re.M)]
    pattern = ".*".join(re.escape(NUMBER.sub("#", ROUNDING.sub("", p))) for p in pieces)
    found = ROUNDING.sub("", found).strip("\n")
    marked = NUMBER.sub("#", found)
    assert re.fullmatch(pattern, marked, re.S), f"{where}: printed\n{found}\nand not\n{expected}"
    if len(pieces) == 1:
        values = (NUMBER.findall(text) for text in (found, ROUNDING.sub("", expected)))
        found_values, expected_values = (np.array(each, float) for each in values)
        np.testing.assert_allclose(
            found_values, expected_values, rtol=1e-6, atol=1e-12, err_msg=str(where)
        )


def page(name: str) -> Path:
    return ROOT / "docs" / name
