from snakemake.utils import min_version

min_version("9.0")

if "study" not in config:

    configfile: "config/demo.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/corpora.smk"
include: "workflow/rules/relevance.smk"
include: "workflow/rules/masks.smk"
include: "workflow/rules/benchmarks.smk"
include: "workflow/rules/judge.smk"
include: "workflow/rules/publish.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    localrule: True
    input:
        TABLES,
        FIGURES,


rule figures:
    localrule: True
    input:
        FIGURES,


rule tables:
    localrule: True
    input:
        TABLES,
