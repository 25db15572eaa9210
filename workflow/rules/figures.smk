# All figures of a study in one process, from gathered data alone.
for study, jobs in PROJECT.jobs.items():
    if not jobs.figures:
        continue

    rule:
        name:
            f"draw_{study.replace('-', '_')}"
        localrule: True
        message:
            f"{study}: figures"
        input:
            [path for name in PROJECT.sources[study] for path in PROJECT.jobs[name].gathered],
        output:
            jobs.figures,
        log:
            f"{RESULTS}/{study}/logs/figures.log",
        params:
            source=PROJECT.figure_source,
            specs=jobs.figure_specs,
            flags=PROJECT.flags,
            study=study,
        shell:
            "{NESSFLOW} figure {params.study} --log {log} {params.flags}"
