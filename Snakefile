from snakemake.utils import min_version

min_version("9.0")

if not config:

    configfile: "config/demo.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/downloads.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/corpora.smk"
include: "workflow/rules/relevance.smk"
include: "workflow/rules/masks.smk"
include: "workflow/rules/benchmarks.smk"
include: "workflow/rules/judge.smk"
include: "workflow/rules/publish.smk"
include: "workflow/rules/judged.smk"
include: "workflow/rules/sweeps.smk"
include: "workflow/rules/matrices.smk"
include: "workflow/rules/evidence.smk"
include: "workflow/rules/stability.smk"
include: "workflow/rules/published.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/record.smk"
include: "workflow/rules/preflight.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        TABLES,
        FIGURES,
        RECORDS,
    localrule: True


rule figures:
    input:
        FIGURES,
    localrule: True


rule tables:
    input:
        TABLES,
    localrule: True
