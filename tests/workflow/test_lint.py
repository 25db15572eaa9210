"""Snakemake finds nothing to say of the rules, but for the environment of each."""

import pytest


@pytest.mark.parametrize("way", ["a project", "a module"])
def test_the_rules_are_clean(project, way):
    if way == "a module":
        (project.folder / "Snakefile").write_text(
            'include: "workflow/rules/source.smk"\n\n\n'
            "import nessflow\n\n\n"
            "module ours:\n    snakefile:\n        nessflow.SNAKEFILE\n\n\n"
            "use rule * from ours as ours_*\n"
        )
    done = project.snakemake("--lint")
    titles = [line.strip() for line in done.stderr.splitlines() if line.startswith("    * ")]
    # All jobs run in the environment of Snakemake, which is the one that is locked.
    wanted = "* Specify a conda environment or container for each rule.:"
    assert set(titles) == {wanted}, done.stderr
    assert len(titles) == 8
