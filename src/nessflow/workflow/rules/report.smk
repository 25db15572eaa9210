# One page over all studies, from gathered data and figures.
rule report:
    message:
        "report"
    localrule: True
    input:
        every("targets"),
    output:
        f"{RESULTS}/report/index.html",
        f"{RESULTS}/report/manifest.json",
    log:
        f"{RESULTS}/report/report.log",
    params:
        source=PROJECT.report_source,
        studies=PROJECT.chosen,
        shown=[PROJECT.jobs[name].figure_state["current"] for name in PROJECT.chosen],
        flags=PROJECT.flags,
    shell:
        "{NESSFLOW} report {params.studies:q} --log {log:q} {params.flags:q}"
