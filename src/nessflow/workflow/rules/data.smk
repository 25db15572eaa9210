# Blocks of points, and their collection into one dataset per study: a rule for each study, since
# all files that one rule makes must have the same wildcards, and a marker has one of its own.


rule block:
    input:
        ready([]),
    output:
        # `update`: an extended inner axis keeps the points that are there.
        update(f"{RESULTS}/{{study}}/blocks/{{block}}.nc"),
    log:
        f"{RESULTS}/{{study}}/logs/{{block}}.log",
    resources:
        # An attempt that ran out of time leaves its finished points to the next.
        mem_mb=lambda w, attempt: 1000 * 2 ** (attempt - 1),
        runtime=lambda w, attempt: 10 * 2 ** (attempt - 1),
    params:
        block=lambda w: f"{w.block}.nc",
        source=lambda w: PROJECT.jobs[w.study].source,
        numbers=lambda w: PROJECT.jobs[w.study].numbers,
        points=lambda w: PROJECT.jobs[w.study].points,
        flags=PROJECT.flags,
        program=program,
    message:
        "{wildcards.study}: {wildcards.block}"
    shell:
        "{params.program} solve {wildcards.study:q} {params.block:q} --log {log:q} {params.flags:q}"


for study, jobs in PROJECT.jobs.items():

    rule:
        name:
            f"gather_{study.replace('-', '_')}"
        input:
            ready(jobs.blocks),
        output:
            # `update`: what is there is kept until it is replaced, and where that fails.
            data=update(jobs.data),
            failures=update(f"{RESULTS}/{study}/failures.csv"),
            manifest=update(f"{RESULTS}/{study}/manifest.json"),
            # Named after what was gathered: results that came without Snakemake's records
            # are found to be of another grid or source all the same.
            current=touch(jobs.marker),
        log:
            f"{RESULTS}/{study}/logs/gather.log",
        localrule: True
        params:
            study=study,
            source=jobs.source,
            content=jobs.content,
            flags=PROJECT.flags,
            program=program,
        message:
            f"{study}: data.nc"
        shell:
            "{params.program} gather {params.study:q} --log {log:q} {params.flags:q}"
