# Where Snakemake looks first; catalogs of workflows look for the one in the folder beside.
include: "workflow/Snakefile"


# Snakemake forgets the default target of an included file.
workflow.default_target = "all"
