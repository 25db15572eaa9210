# What can be asked for by name: all data, all figures, one study.


rule data:
    input:
        every("gathered"),
    localrule: True


rule figures:
    input:
        every("drawn"),
    localrule: True


for study in PROJECT.chosen:

    rule:
        name:
            study
        input:
            ready(PROJECT.jobs[study].targets, study),
        localrule: True


# Asked for by its name it says what is wrong with it.
for study in PROJECT.refused:

    rule:
        name:
            study
        input:
            ready([], study),
        localrule: True
