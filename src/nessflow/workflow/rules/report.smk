# One page over all studies, from gathered data and figures.
rule report:
    input:
        every("targets"),
    output:
        f"{RESULTS}/report/index.html",
        f"{RESULTS}/report/manifest.json",
    log:
        f"{RESULTS}/report/report.log",
    localrule: True
    params:
        source=PROJECT.report_source,
        studies=PROJECT.chosen,
        shown=[PROJECT.jobs[name].figure_state["current"] for name in PROJECT.chosen],
        flags=PROJECT.flags,
        program=program,
    message:
        "report"
    shell:
        "{params.program} report {params.studies:q} --log {log:q} {params.flags:q}"
