"""What do all studies cost at the paper's resolution?  Run: python benchmarks/studies.py

Wall time, CPU time, memory, and the share that is not physics.  Runs the workflow in a copy of the
project, so that nothing is reused.
"""

import csv
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOLVING = re.compile(r"CPU ([\d.]+) s of start-up, ([\d.]+) s of solving")


def copy_of_project(folder: Path) -> None:
    """Copy what the workflow reads, compiled kernels included."""
    for name in ("Snakefile", "workflow", "profiles", "config", "src"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)


def run(folder: Path, cores: int) -> tuple[float, float]:
    """Run every study; return wall and CPU seconds of the run with all its jobs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", str(cores), "--quiet", "all"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src")},
        check=True,
        capture_output=True,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def main() -> None:
    cores = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_of_project(folder)
        wall, cpu = run(folder, cores)
        again, idle = run(folder, cores)
        logs = [
            SOLVING.search(path.read_text())
            for path in (folder / "results").glob("*/logs/**/*.log")
            if path.stem not in ("gather", "figures")
        ]
        solving = sum(float(match[2]) for match in logs if match)
        memory = []
        for path in (folder / "results").glob("*/benchmarks/**/*.tsv"):
            with path.open() as stream:
                memory += [float(row["max_rss"]) for row in csv.DictReader(stream, delimiter="\t")]
    print(f"load average {os.getloadavg()[0]:.1f}, {cores} cores")
    print(f"all studies, paper tier: {wall:.0f} s wall, {cpu:.0f} s CPU")
    print(
        f"solving {solving:.0f} s CPU; start-up, gathering, figures and Snakemake "
        f"{cpu - solving:.0f} s, {1 - solving / cpu:.0%}"
    )
    print(f"second run, nothing to do: {again:.1f} s wall, {idle:.1f} s CPU")
    print(f"largest memory of a block job: {max(memory):.0f} MB")


if __name__ == "__main__":
    main()
