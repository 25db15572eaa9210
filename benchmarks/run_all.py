"""Run benchmarks and write docs/benchmarks.md.  Run: python benchmarks/run_all.py [NAME...]

All of them, or those that are named, in place of what the page has of these; remarks that stand
below the digest of the code are kept.  With --mark nothing is run: sections whose code has changed
since they were measured say so.
"""

import argparse
import ast
import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from nessflow.digest import SOURCE, source_digest

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER.parent / "docs" / "benchmarks.md"
BENCHMARKS = (
    *("kernel", "scaling", "geometry", "cells", "noise", "kinetic", "probes", "mixture"),
    *("lindblad", "quadrature", "poles", "accuracy", "ensemble", "batches"),
    *("figures", "studies", "peers"),
)
INTRODUCTION = """\
# Benchmarks

Written by `make bench`. Ratios are taken within one run of a benchmark, on one machine under one
load; absolute times, CPU times of one thread unless called wall time, belong to this machine.
Nothing here is a test: tests check numbers, not seconds. Each section names the digest of the code
that it measured, and says where that code is another by now.

"""
KWANT = FOLDER.parent / ".venv-kwant"
BESIDE_KWANT = ("cells", "peers")
"""Those that run where Kwant is, with kernels compiled there."""
CODE = re.compile(r"^Code measured: `(\w+)`.*$", re.M)
CHANGED = "; it has changed since."


def machine() -> str:
    """Describe the machine without naming it."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    model = found[1] if found else "unknown processor"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (
        f"{time.strftime('%-d %B %Y')}: {model}, {os.cpu_count()} processors, {memory:.0f} GiB of "
        f"memory, Python {sys.version.split()[0]}, load average {load:.1f} at the end.\n"
    )


def description(name: str) -> tuple[str, str, str]:
    """Return question, command and explanation from the first lines of a benchmark."""
    text = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text()))
    first, _, rest = text.partition("\n\n")
    question, command = first.split("  Run: ")
    return question, command, rest


def output(name: str) -> str:
    """Run a benchmark, one thread for the linear algebra, and return what it prints."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    python = sys.executable
    if name in BESIDE_KWANT:
        python = str(KWANT / "bin" / "python")
        environment["NUMBA_CACHE_DIR"] = str(KWANT / "kernels")
    command = [python, str(FOLDER / f"{name}.py")]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def digest(name: str) -> str:
    """Return 16 hexadecimal digits for a benchmark and all of nessflow that it imports or runs."""
    text = (FOLDER / f"{name}.py").read_text()
    modules = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nessflow"):
            places = [f"{node.module}.{alias.name}" for alias in node.names]
            modules |= {x if is_module(x) else node.module for x in places}
    if not modules:  # it runs the workflow
        paths = [path.relative_to(SOURCE) for path in SOURCE.glob("nessflow/**/*.py")]
        modules = {".".join(path.with_suffix("").parts) for path in paths if path.name[:2] != "__"}
    return hashlib.sha256(f"{text} {source_digest(sorted(modules))}".encode()).hexdigest()[:16]


def is_module(name: str) -> bool:
    """Return whether nessflow has a module of a dotted name."""
    path = SOURCE.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def section(name: str) -> str:
    """Run a benchmark and return what the page says of it."""
    question, command, explanation = description(name)
    printed = f"```text\n{output(name)}\n```"
    code = f"{machine()}\nCode measured: `{digest(name)}`."
    return f"## {question}\n\n`{command}`\n\n{explanation}\n\n{printed}\n\n{code}\n\n"


def sections(page: str) -> dict[str, str]:
    """Return what a page says of each benchmark."""
    parts = re.split(r"^(?=## )", page, flags=re.M)[1:]
    commands = (re.search(r"^`python benchmarks/(\w+)\.py`$", part, re.M) for part in parts)
    return {found[1]: part for found, part in zip(commands, parts, strict=True)}


def marked(page: str) -> str:
    """Return a page whose sections say whether the code that they measured has changed since."""
    texts = sections(page)
    for name, text in texts.items():
        found = CODE.search(text)
        end = "." if found[1] == digest(name) else CHANGED
        texts[name] = CODE.sub(f"Code measured: `{found[1]}`{end}", text)
    return INTRODUCTION + "".join(texts.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*BENCHMARKS, []])
    parser.add_argument("--mark", action="store_true")
    asked = parser.parse_args()
    page = PAGE.read_text()
    if not asked.mark:
        known = sections(page)
        for name in asked.names or BENCHMARKS:
            remarks = CODE.split(known[name])[-1].lstrip("\n") if name in known else ""
            known[name] = section(name) + remarks
            page = INTRODUCTION + "".join(known[name] for name in BENCHMARKS if name in known)
            page = page.rstrip("\n") + "\n"
            PAGE.write_text(page)
    PAGE.write_text(marked(page))


if __name__ == "__main__":
    main()
