# Figures from gathered data alone: each in a job of its own, so that a bad one costs no other.


rule draw:
    message:
        "{wildcards.study}: figure {wildcards.figure}"
    localrule: True
    input:
        ready(figure_data),
    output:
        # Snakemake's own report shows one format.
        report(
            f"{RESULTS}/{{study}}/figures/{{figure}}.svg",
            caption="../report/figure.rst",
            category="{study}",
            labels={"figure": "{figure}"},
        ),
        multiext(f"{RESULTS}/{{study}}/figures/{{figure}}", ".pdf", ".png", ".json"),
    log:
        f"{RESULTS}/{{study}}/logs/figures/{{figure}}.log",
    params:
        source=PROJECT.figure_source,
        spec=lambda w: PROJECT.jobs[w.study].specs[w.figure],
        caption=lambda w: PROJECT.jobs[w.study].captions[w.figure],
        flags=PROJECT.flags,
    shell:
        "{NESSFLOW} figure {wildcards.study:q} {wildcards.figure:q} --log {log:q} {params.flags:q}"


for study, jobs in PROJECT.jobs.items():
    if not jobs.figure_list:
        continue

    rule:
        name:
            f"list_figures_{study.replace('-', '_')}"
        localrule: True
        message:
            f"{study}: captions"
        input:
            ready([path for paths in jobs.figures.values() for path in paths]),
        output:
            jobs.figure_list,
            # Named after what was drawn, as that of the data.
            touch(jobs.figure_marker),
        params:
            study=study,
            captions=list(jobs.captions.items()),
            flags=PROJECT.flags,
        shell:
            "{NESSFLOW} captions {params.study:q} {params.flags:q}"
