# All results and the source in one file; asked for, it is packed again, in the same bytes.


rule archive:
    input:
        ready(
            [path for jobs in PROJECT.jobs.values() for path in jobs.targets],
            every_study=True,
        ),
        rules.report.output,
    log:
        f"{RESULTS}/archive.log",
    localrule: True
    params:
        studies=list(PROJECT.jobs),
        flags=PROJECT.flags,
        program=program,
    message:
        "archive"
    shell:
        "{params.program} archive create {params.studies:q} --log {log:q} {params.flags:q}"
