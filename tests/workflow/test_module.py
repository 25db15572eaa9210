"""The workflow as a module of somebody else's, whose rules stand beside ours."""

import os
import shutil
import subprocess

import pytest

from conftest import CHAIN, ROOT, SPECTRUM, Project
from nessflow.registry import use_project
from pages import page, run_page

CONFIG = """\
samples: [a, b]
nessflow:
  studies: [chain, spectrum]
  results: results/transport
"""
HOST = """\
import nessflow


configfile: "config/config.yaml"


module transport:
    snakefile:
        nessflow.SNAKEFILE
    config:
        config


use rule * from transport as nf_*


use rule block from transport as nf_block with:
    resources:
        mem_mb=lambda w, attempt: 7000 * attempt,
    message:
        "{wildcards.study} in {resources.mem_mb} MB"


rule all:
    input:
        transport.every("targets"),
        expand("{sample}.txt", sample=config["samples"]),


rule table:
    input:
        rules.nf_data.input,
        chain="results/transport/chain/data.nc",
    output:
        "{sample}.txt",
    shell:
        "echo $(wc -c < {input.chain}) ${{NESSFLOW_WARM:+warm}} > {output}"
"""


@pytest.fixture
def host(tmp_path):
    """A workflow of somebody who has installed nessflow and has two studies."""
    project = Project(tmp_path / "host")
    (project.folder / "config" / "studies").mkdir(parents=True)
    for name in ("profiles", "envs"):
        shutil.copytree(ROOT / name, project.folder / name)
    shutil.copy(ROOT / "CITATION.cff", project.folder)
    for name, text in (("chain", CHAIN), ("spectrum", SPECTRUM)):
        project.study(name).write_text(text)
    (project.folder / "config" / "config.yaml").write_text(CONFIG)
    (project.folder / "Snakefile").write_text(HOST)
    return project


def test_all_studies_run_beside_rules_of_its_own(host, finished):
    done = host.snakemake()
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "not present in the Snakefile" not in said
    assert "chain in 7000 MB" in said
    # Jobs are forks of a warm process, as in a project, where the system can do that.
    words = [str(len(finished.data("chain")))] + ["warm"] * hasattr(os, "pidfd_open")
    assert [(host.folder / f"{each}.txt").read_text().split() for each in "ab"] == [words] * 2
    for study, figure in (("chain", "current"), ("spectrum", "loss")):
        made = host.folder / "results" / "transport" / study
        assert (made / "data.nc").read_bytes() == finished.data(study)
        assert (made / "figures" / f"{figure}.png").is_file()
    assert host.jobs() == {}
    # What is asked of the command line knows where the results are.
    assert "chain: ok" in host.nessflow("verify").stdout

    # Reasons to run are those of a project; another Python is none.
    host.edit("config/studies/chain.yaml", "[0.1, 0.3]", "[0.1, 0.3, 0.5]")
    jobs = host.jobs()
    assert jobs["nf_block"] == 2
    assert jobs["table"] == 2
    assert "nf_gather_spectrum" not in jobs


def test_its_targets_have_the_name_that_it_gives(host):
    names = host.snakemake("--list-rules").stdout.split()
    assert {"all", "table", "nf_chain", "nf_spectrum", "nf_data", "nf_figures"} <= set(names)
    jobs = host.jobs("nf_spectrum")
    assert "table" not in jobs
    assert jobs["nf_draw"] == 1


def test_no_rule_of_the_module_is_run_by_default(host):
    """The first rule of the workflow is, also where the module comes before."""
    table = HOST[HOST.index("rule table") :].replace("        rules.nf_data.input,\n", "")
    mine = 'rule mine:\n    input:\n        "a.txt",\n\n\n'
    (host.folder / "Snakefile").write_text(HOST[: HOST.index("use rule block")] + mine + table)
    jobs = host.jobs()
    assert jobs["mine"] == 1
    assert jobs["nf_gather_chain"] == 1
    assert "nf_gather_spectrum" not in jobs


def test_a_module_without_configuration_runs_all_studies(host):
    (host.folder / "config" / "config.yaml").unlink()
    text = HOST.replace('configfile: "config/config.yaml"\n', "")
    text = text.replace("    config:\n        config\n", "")
    text = text.replace('config["samples"]', '"ab"').replace("results/transport", "results")
    (host.folder / "Snakefile").write_text(text)
    assert host.jobs()["nf_block"] == 5


@pytest.mark.parametrize("given", ["tier", "nessflow"])
def test_what_the_workflow_is_told_reaches_the_module(host, given):
    told = {"tier": "tier=smoke", "nessflow": "nessflow={tier: smoke}"}[given]
    if given == "tier":
        # Where ours has no place of its own, the names that it knows are ours.
        (host.folder / "config" / "config.yaml").unlink()
        text = HOST.replace('configfile: "config/config.yaml"\n', "")
        (host.folder / "Snakefile").write_text(text.replace('config["samples"]', '"ab"'))
        host.edit("Snakefile", "results/transport", "results/smoke")
    else:
        host.edit("Snakefile", "results/transport", "results/transport/smoke")
    done = host.snakemake("-n", "--config", told)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "smoke/chain" in done.stdout + done.stderr


REFUSED = {
    "a prefix": ("        config\n", '        config\n    prefix:\n        "there"\n'),
    "a misspelt key": ("        config\n", '        {"nessflow": {"tire": "smoke"}}\n'),
    "an unknown place": ("        config\n", '        {"nessflow": {"results": "x"}}\n'),
    "no mapping": ("        config\n", '        {"nessflow": "smoke"}\n'),
}
SAID = {
    "a prefix": "results: there/results/transport",
    "a misspelt key": "did you mean 'tier'",
    "an unknown place": "all else stands in config/config.yaml",
    "no mapping": "a mapping of keys to values",
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_the_module_cannot_do_is_refused(host, fault):
    (host.folder / "Snakefile").write_text(HOST.replace(*REFUSED[fault], 1))
    done = host.snakemake("-n")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "config of the module: " in done.stderr
    assert SAID[fault] in done.stderr


def test_keys_of_another_workflow_have_a_way_out(host):
    (host.folder / "config" / "config.yaml").write_text("samples: [a, b]\nresults: x\n")
    done = host.snakemake("-n")
    assert done.returncode == 2
    assert "config.yaml:1: samples" in done.stderr
    assert "`nessflow:`" in done.stderr
    (host.folder / "config" / "config.yaml").write_text("samples: [a, b]\nnessflow:\n  tire: x\n")
    done = host.snakemake("-n")
    assert "config.yaml:3: tire" in done.stderr
    (host.folder / "config" / "config.yaml").write_text("samples: [a, b]\nnessflow:\n")
    host.edit("Snakefile", "results/transport", "results")
    assert host.jobs()["nf_block"] == 5


@pytest.mark.parametrize("way", ["a checkout", "a commit"])
def test_the_snakefile_of_a_repository(host, tmp_path, way):
    """Of a hosted repository Snakemake has the Snakefile alone: the rules are those installed."""
    source = tmp_path / "repository"
    shutil.copytree(ROOT / "workflow", source / "workflow")
    place = source / "workflow" / "Snakefile"
    if way == "a commit":
        author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        for command in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "All")):
            subprocess.run(["git", *command], cwd=source, check=True, capture_output=True)
        place = f"git+file://{source}/workflow/Snakefile@HEAD"
    host.edit("Snakefile", "nessflow.SNAKEFILE", repr(str(place)))
    jobs = host.jobs()
    assert jobs["nf_block"] == 5
    # The default target of a workflow that has no other, as `snakedeploy` writes it.
    assert jobs["nf_all"] == 1


def test_the_page_runs(tmp_path):
    try:
        run_page(page("module.md"), tmp_path)
    finally:
        use_project(tmp_path)
    made = tmp_path / "my-workflow" / "results"
    assert "first-wire" in (made / "a.txt").read_text()
    assert (made / "transport" / "report" / "index.html").is_file()
