# Table of contents: named targets here, rules in workflow/rules.
from snakemake.utils import min_version

min_version("9.20")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


localrules:
    all,
    data,
    figures,


rule all:
    default_target: True
    input:
        [path for name in PROJECT.chosen for path in PROJECT.jobs[name].targets],


rule data:
    input:
        [path for name in PROJECT.chosen for path in PROJECT.jobs[name].gathered],


rule figures:
    input:
        [path for name in PROJECT.chosen for path in PROJECT.jobs[name].drawn],


for study in PROJECT.chosen:

    rule:
        name:
            study
        localrule: True
        input:
            PROJECT.jobs[study].targets,


include: "workflow/rules/data.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/archive.smk"
