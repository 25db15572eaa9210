"""Check that the lock installs without a compiler: python envs/check_wheels.py [LOCK]

Asks the package index of pip, for each Python and system that is claimed, for a wheel of every
pin of `envs/requirements.lock`, by its hashes; what has no wheel anywhere must be source of Python
alone.  Needs the network, and some minutes.  Ends with 1 where something is lacking.
"""

import itertools
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

LOCK = Path(__file__).with_name("requirements.lock")
PYTHONS = ("3.11", "3.12", "3.13")
"""Not 3.14: `immutables`, which Snakemake needs, has no wheel for it."""
SYSTEMS = {
    "Linux x86_64": ("linux", "x86_64"),
    "Linux aarch64": ("linux", "aarch64"),
    "macOS 14 arm64": ("darwin", "arm64"),
}
"""What `sys.platform` and `platform.machine()` are there.  Not Intel Macs, which numba has left."""
GLIBC = range(28, 16, -1)
"""Minor versions: 2.28 is that of RHEL 8, and older than those of Debian 11 and Ubuntu 20.04."""
_LACKING = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)")


def pins(lock: str) -> dict[Requirement, str]:
    """Return the lines of a lock, hashes and all, by what each asks for."""
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n?", "", lock, flags=re.M).strip())
    return {Requirement(entry.split("\\")[0].strip()): entry for entry in entries}


def applies(pin: Requirement, python: str, system: str) -> bool:
    """Tell whether a pin is installed there: pip asks that of the machine it runs on alone."""
    platform, machine = SYSTEMS[system]
    there = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": platform,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[platform],
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "os_name": "posix",
    }
    return pin.marker is None or pin.marker.evaluate(there)


def tags(system: str) -> list[str]:
    """Return the tags of wheels that run there, the newest first."""
    platform, machine = SYSTEMS[system]
    if platform == "darwin":
        return [f"macosx_14_0_{machine}"]  # pip knows the older ones
    return [*(f"manylinux_2_{minor}_{machine}" for minor in GLIBC), f"manylinux2014_{machine}"]


def without_wheel(lines: dict[Requirement, str], python: str, system: str) -> list[Requirement]:
    """Return the pins that have no wheel there.

    Raises
    ------
    RuntimeError
        When pip fails for another reason, of which it says the last lines.
    """
    left = {pin: line for pin, line in lines.items() if applies(pin, python, system)}
    found = []
    options = ["--only-binary=:all:", "--python-version", python]
    options += [part for tag in tags(system) for part in ("--platform", tag)]
    while failed := _pip("download", left, options):
        names = set(_LACKING.findall(failed))
        if not (missing := [pin for pin in left if pin.name in names]):
            raise RuntimeError("\n".join(failed.splitlines()[-5:]))
        found += missing
        left = {pin: line for pin, line in left.items() if pin not in missing}
    return found


def is_plain_source(pin: Requirement, line: str) -> bool:
    """Tell whether a pin is built from its source without a compiler, for all systems alike."""
    with tempfile.TemporaryDirectory() as folder:
        options = [f"--no-binary={pin.name}", "--wheel-dir", folder]
        return not _pip("wheel", {pin: line}, options) and any(Path(folder).glob("*-none-any.whl"))


def _pip(command: str, lines: dict[Requirement, str], options: list[str]) -> str:
    """Return what pip says of a failure; empty when there is none."""
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "asked.txt"
        asked.write_text("\n".join(_unmarked(line) for line in lines.values()))
        place = ["--dest", folder] if command == "download" else []
        start = [sys.executable, "-m", "pip", "--disable-pip-version-check", command, "--quiet"]
        start += ["--no-deps", "--require-hashes", "--requirement", str(asked)]
        no_compiler = os.environ | {"CC": "false", "CXX": "false"}
        done = subprocess.run(
            [*start, *place, *options], capture_output=True, text=True, env=no_compiler
        )
    return done.stderr if done.returncode else ""


def _unmarked(line: str) -> str:
    return re.sub(r" ;.*(?= \\\n)", "", line, count=1)


def main(lock: Path = LOCK) -> int:
    """Say what can be installed where; return how many pins cannot somewhere."""
    lines = pins(lock.read_text())
    plain: dict[Requirement, bool] = {}
    count = 0
    for python, system in itertools.product(PYTHONS, SYSTEMS):
        asked = {pin: line for pin, line in lines.items() if not plain.get(pin)}
        missing = without_wheel(asked, python, system)
        plain |= {pin: is_plain_source(pin, lines[pin]) for pin in missing if pin not in plain}
        faults = [f"{pin.name}{pin.specifier}" for pin in missing if not plain[pin]]
        print(f"Python {python}, {system}: {f'no {faults}' if faults else 'all'}", flush=True)
        count += len(faults)
    sources = sorted(pin.name for pin, is_plain in plain.items() if is_plain)
    print(f"source of Python alone: {', '.join(sources) or 'none'}")
    return count


if __name__ == "__main__":
    sys.exit(bool(main(*map(Path, sys.argv[1:]))))
