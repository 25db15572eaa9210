# One page over all studies, from gathered data and figures.
rule report:
    message:
        "report"
    localrule: True
    input:
        [path for name in PROJECT.chosen for path in PROJECT.jobs[name].targets],
    output:
        f"{RESULTS}/report/index.html",
    log:
        f"{RESULTS}/report/report.log",
    params:
        source=PROJECT.report_source,
        studies=" ".join(PROJECT.chosen),
        flags=PROJECT.flags,
    shell:
        "{NESSFLOW} report {params.studies} --log {log} {params.flags}"
