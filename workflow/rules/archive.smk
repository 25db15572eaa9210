# All results and the source in one file; asked for, it is packed again, in the same bytes.


rule archive:
    message:
        "archive"
    localrule: True
    input:
        [path for jobs in PROJECT.jobs.values() for path in jobs.targets],
        rules.report.output,
    params:
        studies=list(PROJECT.jobs),
        flags=PROJECT.flags,
    shell:
        "{NESSFLOW} archive create {params.studies:q} {params.flags:q}"
