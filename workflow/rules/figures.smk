# All figures of a study in one process, from gathered data alone.
def flagged(study, path):
    """Flag the one format of a figure that Snakemake's own report shows, and the marker."""
    if Path(path).parent.name == ".current":
        return touch(path)
    if not path.endswith(".svg"):
        return path
    labels = {"figure": Path(path).stem}
    return report(path, caption="../report/figure.rst", category=study, labels=labels)


for study, jobs in PROJECT.jobs.items():
    if not jobs.drawn:
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
            [flagged(study, path) for path in jobs.drawn],
        log:
            f"{RESULTS}/{study}/logs/figures.log",
        params:
            source=PROJECT.figure_source,
            specs=jobs.figure_specs,
            flags=PROJECT.flags,
            study=study,
            captions=jobs.captions,
        shell:
            "{NESSFLOW} figure {params.study:q} --log {log:q} {params.flags:q}"
