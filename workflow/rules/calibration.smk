# Needs a model, its held-out texts and its statistics; makes results/<study>/effects/<model>.parquet, the measured effect
# of every drawn neuron and group on every language's loss, and results/<study>/calibration.parquet, the rank correlation
# of every criterion with it. Finished parts of the effects are stored in results/<study>/parts/ immediately.


rule measure_effects:
    """Zero random neurons, and random groups of them, one after another, and measure every language's loss."""
    input:
        model=f"{RESULTS}/models/{FIRST}",
        texts=expand(
            f"{RESULTS}/held_out/{FIRST}/{{lang}}.parquet", lang=study.languages
        ),
    output:
        effects=f"{RESULTS}/effects/{FIRST}.parquet",
    log:
        f"{RESULTS}/logs/measure_effects.log",
    benchmark:
        f"{RESULTS}/resources/measure_effects.tsv"
    conda:
        "../../envs/relevance.yaml"
    resources:
        batch_tokens=config["evaluation"].get("batch_tokens", 8192),
        gpu=1,
        models_in_memory=1,
    params:
        measured=study.calibration,
        site=pick("relevance.site"),
        store=STORE,
        code=code_version("measure_effects.py"),
    script:
        "../scripts/measure_effects.py"


rule score_calibration:
    """Correlate every criterion with the measured effects, and say what their noise allows."""
    input:
        **{
            f"kurtosis{variant}": statistics(FIRST, variant)
            for variant in ["", *study.masks.calibrated_variants]
        },
        effects=f"{RESULTS}/effects/{FIRST}.parquet",
    output:
        calibration=f"{RESULTS}/calibration.parquet",
    log:
        f"{RESULTS}/logs/score_calibration.log",
    conda:
        "../../envs/analysis.yaml"
    params:
        selections={
            name: study.masks.selection(name) for name in study.masks.calibrated
        },
        languages=study.languages,
        site=pick("relevance.site"),
        scores=pick("scores.resamples", "scores.seed"),
        code=code_version("score_calibration.py"),
    script:
        "../scripts/score_calibration.py"
