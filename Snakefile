# Where Snakemake looks first; catalogs of workflows want the file in the folder beside.
include: "workflow/Snakefile"


# That of an included file is forgotten.
workflow.default_target = "all"
