"""Compute every block of every small study in this process: ``python all_blocks.py``."""

from pathlib import Path

from nessflow.pipeline.grid import blocks_of
from nessflow.pipeline.solve import solve_block
from nessflow.registry import find_kind
from nessflow.workflow import digest_of, read_project

project = read_project(Path.cwd(), tier="smoke")
for study in project.studies.values():
    kind = find_kind(study.kind)
    for block in blocks_of(study.axes, study.ensemble):
        path = project.results / study.name / "blocks" / block.path
        solve_block(study, block, kind, path, digest=digest_of(study))
