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
        every("targets"),


rule data:
    input:
        every("gathered"),


rule figures:
    input:
        every("drawn"),


for study in PROJECT.chosen:

    rule:
        name:
            study
        localrule: True
        input:
            ready(PROJECT.jobs[study].targets, study),


# Asked for by its name it says what is wrong with it.
for study in PROJECT.refused:

    rule:
        name:
            study
        localrule: True
        input:
            ready([], study),


include: "workflow/rules/data.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/archive.smk"
