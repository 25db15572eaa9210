# Figures from gathered data alone: each in a job of its own, so that a bad one costs no other.


rule draw:
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
    localrule: True
    params:
        source=PROJECT.figure_source,
        spec=lambda w: PROJECT.jobs[w.study].specs[w.figure],
        caption=lambda w: PROJECT.jobs[w.study].captions[w.figure],
        flags=PROJECT.flags,
        program=program,
    message:
        "{wildcards.study}: figure {wildcards.figure}"
    shell:
        "{params.program} figure {wildcards.study:q} {wildcards.figure:q}"
        " --log {log:q} {params.flags:q}"


for study, jobs in PROJECT.jobs.items():
    if not jobs.figure_list:
        continue

    rule:
        name:
            f"list_figures_{study.replace('-', '_')}"
        input:
            ready([path for paths in jobs.figures.values() for path in paths]),
        output:
            jobs.figure_list,
            # Named after what was drawn, as that of the data.
            touch(jobs.figure_marker),
        log:
            f"{RESULTS}/{study}/logs/captions.log",
        localrule: True
        params:
            study=study,
            captions=list(jobs.captions.items()),
            flags=PROJECT.flags,
            program=program,
        message:
            f"{study}: captions"
        shell:
            "{params.program} captions {params.study:q} --log {log:q} {params.flags:q}"
