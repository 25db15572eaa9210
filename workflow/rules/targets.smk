# Named targets: all, data, figures, and one per study.
localrules:
    all,
    data,
    figures,


rule all:
    default_target: True
    input:
        [path for jobs in PROJECT.jobs.values() for path in jobs.targets],


rule data:
    input:
        [jobs.data for jobs in PROJECT.jobs.values()],


rule figures:
    input:
        [path for jobs in PROJECT.jobs.values() for path in jobs.figures],


for study, jobs in PROJECT.jobs.items():

    rule:
        name:
            study
        localrule: True
        input:
            jobs.targets,
