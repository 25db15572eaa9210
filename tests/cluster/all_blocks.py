"""Compute every block of every small study in this process: ``python all_blocks.py``."""

from pathlib import Path

from nessflow.run.solve import solve_block
from nessflow.verbs.workflow import read_project

project = read_project(Path.cwd(), tier="smoke")
for study in project.studies.values():
    for block in study.blocks:
        solve_block(block, project.results / study.name)
