from snakemake.utils import min_version

min_version("9.0")

if not config:

    configfile: "config/demo.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/corpora.smk"
include: "workflow/rules/relevance.smk"
include: "workflow/rules/masks.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/judging.smk"
include: "workflow/rules/calibration.smk"
include: "workflow/rules/steering.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/evidence.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/explorer.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/provenance.smk"
include: "workflow/rules/preflight.smk"


report: "workflow/report/workflow.rst"


onsuccess:
    tidy_records(workflow)


onerror:
    tidy_records(workflow)


rule all:
    default_target: True
    input:
        outputs.table_files(study),
        outputs.figure_files(study),
        outputs.record_files(study),
        outputs.explorer_files(study),
    localrule: True


rule figures:
    input:
        outputs.figure_files(study),
    localrule: True


rule tables:
    input:
        outputs.table_files(study),
    localrule: True
