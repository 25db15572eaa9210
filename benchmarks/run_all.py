"""Run every benchmark and write docs/benchmarks.md.  Run: python benchmarks/run_all.py"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER.parent / "docs" / "benchmarks.md"
BENCHMARKS = (
    *("kernel", "scaling", "geometry", "noise", "probes", "mixture"),
    *("lindblad", "kinetic", "quadrature", "poles", "accuracy", "ensemble", "batches"),
    *("figures", "studies", "peers"),
)
IMAGES = {"accuracy": "![Error against number of energies](images/accuracy.png)\n\n"}
INTRODUCTION = """\
# Benchmarks

Written by `make bench`. Ratios are taken within one run of a benchmark, on one machine under one
load; absolute times, CPU times of one thread unless called wall time, belong to this machine.
Nothing here is a test: tests check numbers, not seconds.

"""


def machine() -> str:
    """Describe the machine without naming it."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    model = found[1] if found else "unknown processor"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (
        f"Machine: {model}, {os.cpu_count()} processors, {memory:.0f} GiB of memory, "
        f"Python {sys.version.split()[0]}, load average {load:.1f} at the start.\n\n"
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
    command = [sys.executable, str(FOLDER / f"{name}.py")]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def section(name: str) -> str:
    question, command, explanation = description(name)
    printed = f"```text\n{output(name)}\n```\n\n"
    return f"## {question}\n\n`{command}`\n\n{explanation}\n\n{printed}{IMAGES.get(name, '')}"


def main() -> None:
    page = INTRODUCTION + machine() + "".join(section(name) for name in BENCHMARKS)
    PAGE.write_text(page.rstrip("\n") + "\n")


if __name__ == "__main__":
    main()
