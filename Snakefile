# The papers are a project of nessflow as any other; they are run by the source beside them.
include: "workflow/rules/source.smk"


import nessflow


include: nessflow.SNAKEFILE


rule all:
    localrule: True
    input:
        every("targets"),
