# All results and the source in one file; asked for, it is packed again, in the same bytes.


rule archive:
    message:
        "archive"
    localrule: True
    input:
        ready([path for jobs in PROJECT.jobs.values() for path in jobs.targets], every_study=True),
        rules.report.output,
    params:
        studies=list(PROJECT.jobs),
        flags=PROJECT.flags,
    shell:
        "{NESSFLOW} archive create {params.studies:q} {params.flags:q}"
