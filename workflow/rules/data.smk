# Blocks of points, and their collection into one dataset per study.


rule block:
    message:
        "{wildcards.study}: {wildcards.block}"
    output:
        # `update`: an extended inner axis keeps the points that are there.
        update(f"{RESULTS}/{{study}}/blocks/{{block}}.nc"),
    log:
        f"{RESULTS}/{{study}}/logs/{{block}}.log",
    benchmark:
        f"{RESULTS}/{{study}}/benchmarks/{{block}}.tsv"
    params:
        source=lambda w: PROJECT.jobs[w.study].source,
        numbers=lambda w: PROJECT.jobs[w.study].numbers,
        points=lambda w: PROJECT.jobs[w.study].points,
        flags=PROJECT.flags,
    resources:
        mem_mb=lambda w, attempt: 1000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    shell:
        "{NESSFLOW} solve {wildcards.study} {wildcards.block}.nc --log {log} {params.flags}"


rule gather:
    message:
        "{wildcards.study}: data.nc"
    input:
        lambda w: PROJECT.jobs[w.study].blocks,
    output:
        data=f"{RESULTS}/{{study}}/data.nc",
        failures=f"{RESULTS}/{{study}}/failures.csv",
        manifest=f"{RESULTS}/{{study}}/manifest.json",
    log:
        f"{RESULTS}/{{study}}/logs/gather.log",
    params:
        source=lambda w: PROJECT.jobs[w.study].source,
        content=lambda w: PROJECT.jobs[w.study].content,
        flags=PROJECT.flags,
    resources:
        mem_mb=lambda w, attempt: 2000 * attempt,
        runtime=30,
    shell:
        "{NESSFLOW} gather {wildcards.study} --log {log} {params.flags}"
