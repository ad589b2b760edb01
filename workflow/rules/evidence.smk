# Needs the results; makes the tables of what a point estimate leaves open, as tables.smk makes the others: tests,
# selectivity, nulls, stability, and the paper's numbers beside the run's.


rule tabulate_drop_tests:
    """Tabulate drops with intervals, changed answers and tests."""
    input:
        **OF_UNEQUAL_LENGTH,
        scores=f"{RESULTS}/scores.parquet",
    output:
        **table(
            "drop_tests-{model}-{suite}",
            caption="../report/drop_tests.rst",
            **among_evidence("drops and tests", "Tests"),
        ),
    log:
        f"{RESULTS}/logs/tabulate_drop_tests/{{model}}-{{suite}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        **tabulated_by("evidence.drop_tests"),
        labels=LABELS,
    script:
        "../scripts/make_table.py"


use rule tabulate_drop_tests as tabulate_f1_differences with:
    input:
        **OF_UNEQUAL_LENGTH,
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
    output:
        **table(
            "f1_differences-{suite}",
            caption="../report/f1_differences.rst",
            **among_evidence("differences of F1", "Tests", model=""),
        ),
    log:
        f"{RESULTS}/logs/tabulate_f1_differences/{{suite}}.log",
    params:
        **tabulated_by("evidence.f1_differences"),
        settings={
            "reference": study.masks.reference,
            "resamples": pick("scores.resamples"),
        },


use rule tabulate_drop_tests as tabulate_null_distribution with:
    input:
        **OF_UNEQUAL_LENGTH,
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
    output:
        **table(
            "null_distribution-{suite}",
            caption="../report/null_distribution.rst",
            **among_evidence("null distribution", "Null distribution", model=""),
        ),
    log:
        f"{RESULTS}/logs/tabulate_null_distribution/{{suite}}.log",
    params:
        **tabulated_by("evidence.null_distribution"),


use rule tabulate_drop_tests as tabulate_sampled_null with:
    input:
        **OF_UNEQUAL_LENGTH,
        **SAMPLED_NULL,
    output:
        **table(
            "sampled_null",
            caption="../report/sampled_null.rst",
            **among_evidence(
                "null of many seeds, on a part of the questions",
                "Null distribution",
                model="",
                suite="",
            ),
        ),
    log:
        f"{RESULTS}/logs/tabulate_sampled_null.log",
    params:
        **tabulated_by("sampled_null.sampled_null_table"),
        settings={"random": study.sampled_labels(), "seed": study.sample.get("seed", 0)},


use rule tabulate_drop_tests as tabulate_selectivity with:
    input:
        **OF_UNEQUAL_LENGTH,
        contrasts=contrasts(),
    output:
        **table(
            "selectivity",
            caption="../report/selectivity.rst",
            **among_evidence("selectivity (D)", "Selectivity", model="", suite=""),
        ),
    log:
        f"{RESULTS}/logs/tabulate_selectivity.log",
    params:
        **tabulated_by("selectivity.selectivity_table"),
        resamples=pick("scores.resamples"),


use rule tabulate_selectivity as tabulate_double_dissociation with:
    output:
        **table(
            "double_dissociation",
            caption="../report/double_dissociation.rst",
            **among_evidence(
                "double dissociation (table)", "Selectivity", model="", suite=""
            ),
        ),
    log:
        f"{RESULTS}/logs/tabulate_double_dissociation.log",
    params:
        **tabulated_by("selectivity.dissociation_table"),


rule write_answers:
    """Write what the study answers: verdicts in a table, and a sentence per method and language."""
    input:
        **OF_UNEQUAL_LENGTH,
        **SAMPLED_NULL,
        contrasts=contrasts(),
        summaries=mask_files(study.masks.shown, "json"),
        stability=f"{RESULTS}/stability.parquet",
    output:
        **table(
            "answers",
            category="Answers",
            caption="../report/answers.rst",
            labels={"table": "answers"},
        ),
        page=f"{RESULTS}/answers.rst",
    log:
        f"{RESULTS}/logs/write_answers.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        **({"random": study.sampled_labels()} if SAMPLED_NULL else {}),
        labels=LABELS,
        mask_sets=study.masks.groups(list(study.masks.shown)),
        code=code_version("write_answers.py"),
    script:
        "../scripts/write_answers.py"


use rule tabulate_drop_tests as tabulate_methods with:
    input:
        **OF_UNEQUAL_LENGTH,
        **SELECTION_NULL,
        **(
            {"calibration": f"{RESULTS}/calibration.parquet"}
            if study.calibration
            else {}
        ),
        contrasts=contrasts(),
        summaries=mask_files(study.masks.shown, "json"),
        stability=f"{RESULTS}/stability.parquet",
    output:
        **table(
            "methods",
            caption="../report/methods.rst",
            **among_evidence("all methods (table)", "Methods", FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/tabulate_methods.log",
    params:
        **tabulated_by("comparison.methods_table"),
        **study.comparison,
        adds={name: study.masks.adds(name) for name in config["mask_sets"]},
        groups=study.masks.groups(list(study.masks.shown)),
        resamples=pick("scores.resamples"),


use rule tabulate_drop_tests as tabulate_stability with:
    input:
        **OF_UNEQUAL_LENGTH,
        stability=f"{RESULTS}/stability.parquet",
    output:
        **table(
            "stability",
            caption="../report/stability.rst",
            **among_evidence("stability (table)", "Stability", FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/tabulate_stability.log",
    params:
        **tabulated_by("stability.stability_table"),
        labels=MASK_LABELS,
        shards=pick("corpora.shards"),


use rule tabulate_drop_tests as tabulate_calibration with:
    input:
        **OF_UNEQUAL_LENGTH,
        calibration=f"{RESULTS}/calibration.parquet",
    output:
        **table(
            "calibration",
            caption="../report/calibration.rst",
            **among_evidence("calibration (table)", "Calibration", FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/tabulate_calibration.log",
    params:
        **tabulated_by("calibration.calibration_table"),
        labels=MASK_LABELS,
        resamples=pick("scores.resamples"),
        measured=study.calibration,


use rule tabulate_drop_tests as tabulate_steering with:
    input:
        **OF_UNEQUAL_LENGTH,
        steering=f"{RESULTS}/steering.parquet",
    output:
        **table(
            "steering",
            caption="../report/steering.rst",
            **among_evidence("steering (table)", "Steering", FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/tabulate_steering.log",
    params:
        **tabulated_by("steering.steering_table"),
        how=study.steering.described(),


use rule tabulate_drop_tests as tabulate_overlap with:
    input:
        **OF_UNEQUAL_LENGTH,
        overlap=f"{RESULTS}/overlap.parquet",
    output:
        **table(
            "overlap",
            caption="../report/overlap.rst",
            **among_evidence("overlap (table)", "Stability", FIRST, suite=""),
        ),
    log:
        f"{RESULTS}/logs/tabulate_overlap.log",
    params:
        **tabulated_by("stability.overlap_table"),
        labels=MASK_LABELS,


use rule tabulate_drop_tests as tabulate_published with:
    input:
        **OF_UNEQUAL_LENGTH,
        scores=f"{RESULTS}/scores.parquet",
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
        paper_scores="resources/published/scores.csv",
        paper_f1="resources/published/langspec_f1.csv",
    output:
        **table(
            "published-{model}-{suite}",
            caption="../report/published.rst",
            **among_evidence("paper and this run (table)", "Paper and this run"),
        ),
    log:
        f"{RESULTS}/logs/tabulate_published/{{model}}-{{suite}}.log",
    params:
        **tabulated_by("published.published_table"),
        published=config.get("published", {}),


# `use rule` does not take over that a rule is local.
workflow.localrules(
    *(each.name for each in workflow.rules if each.name.startswith("tabulate_"))
)
