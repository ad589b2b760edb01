# Needs the scores; makes the tables that say how sure they are: tests, differences between mask sets, the null distribution
# results/<study>/tables/{drop_tests-<model>-<suite>,f1_differences-<suite>,null_distribution-<suite>}.*
ASKED = [*SUITES, OPEN_SUITE]

TABLES += [
    f"{RESULTS}/tables/{table}.{form}"
    for table in [
        *expand(
            "drop_tests-{model}-{suite}", model=study.evaluated_models, suite=ASKED
        ),
        *(expand("f1_differences-{suite}", suite=ASKED) if study.reference else []),
        *(
            expand("null_distribution-{suite}", suite=ASKED)
            if study.by_method("random")
            else []
        ),
    ]
    for form in FORMS
]


rule make_drop_tests:
    """Signed drops of every mask with intervals, changed answers, McNemar's test and Holm's correction."""
    input:
        scores=f"{RESULTS}/scores.parquet",
    output:
        **table_files(
            "drop_tests-{model}-{suite}",
            category="Evidence",
            subcategory="Tests",
            caption="../report/drop_tests.rst",
            labels={
                "result": "drops and tests",
                "model": "{model}",
                "suite": "{suite}",
            },
        ),
    log:
        f"{RESULTS}/logs/make_drop_tests/{{model}}-{{suite}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        code=code_version("make_drop_tests.py"),
    script:
        "../scripts/make_drop_tests.py"


rule make_f1_differences:
    """LangSpec-F1 of every mask set minus that of the first CRANE set, in the same resamples."""
    input:
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
    output:
        **table_files(
            "f1_differences-{suite}",
            category="Evidence",
            subcategory="Tests",
            caption="../report/f1_differences.rst",
            labels={
                "result": "differences of F1",
                "model": "",
                "suite": "{suite}",
            },
        ),
    log:
        f"{RESULTS}/logs/make_f1_differences/{{suite}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        table={
            "reference": study.reference,
            "resamples": pick("scores.resamples"),
        },
        code=code_version("make_f1_differences.py"),
    script:
        "../scripts/make_f1_differences.py"


rule make_null_distribution:
    """Percentile and p-value of every mask set's LangSpec-F1 among its random mask sets."""
    input:
        langspec_f1=f"{RESULTS}/langspec_f1.parquet",
    output:
        **table_files(
            "null_distribution-{suite}",
            category="Evidence",
            subcategory="Null distribution",
            caption="../report/null_distribution.rst",
            labels={
                "result": "null distribution",
                "model": "",
                "suite": "{suite}",
            },
        ),
    log:
        f"{RESULTS}/logs/make_null_distribution/{{suite}}.log",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    params:
        labels=LABELS,
        code=code_version("make_null_distribution.py"),
    script:
        "../scripts/make_null_distribution.py"
