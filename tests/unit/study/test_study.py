"""A study expands its configuration, and every preset is one."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from crane.study.check import drop_nulls
from crane.study.study import Study
from support.places import ROOT, SCRIPTS
from support.study_config import HUB_MODEL, REMOVE, changed, preset

# Expansion ----------------------------------------------------------------------------------------------


def test_benchmarks_include_the_open_questions(config: dict[str, Any]) -> None:
    study = Study(config)
    assert study.benchmarks["quiz_zh"]["suite"] == "quiz"
    assert study.benchmarks["quiz_zh"]["kind"] == "nlu"
    assert study.benchmarks["open_vi"] | {"label": ""} == {
        "label": "", "language": "vi", "kind": "open", "suite": "open", "chance": 1, "highest": 10,
        "parallel": True,
    }  # fmt: skip
    assert study.evaluated_models == ["base", "chat"]
    assert set(study.labels()["benchmarks"]) == set(study.benchmarks)


def test_scores_know_their_benchmarks_without_their_labels(config: dict[str, Any]) -> None:
    study = Study(config)
    assert list(study.scored_benchmarks("quiz")) == ["quiz_en", "quiz_zh", "quiz_vi"]
    assert set(study.scored_benchmarks("quiz", "open")) == set(study.benchmarks)
    renamed = Study(changed(config, benchmarks__quiz_en__label="Another"))
    assert renamed.scored_benchmarks("quiz") == study.scored_benchmarks("quiz")
    assert renamed.labels() != study.labels()
    apart = Study(changed(config, scores__parallel=["open"])).scored_benchmarks("quiz", "open")
    assert {name for name, facts in apart.items() if facts["parallel"]} == {"open_en", "open_zh", "open_vi"}
    assert not any(
        facts["parallel"] for facts in Study(changed(config, scores__parallel=REMOVE)).benchmarks.values()
    )


def test_models_by_source(config: dict[str, Any]) -> None:
    assert Study(config).models_of("train_demo") == ["base"]
    of_the_hub = changed(
        config, models__base=HUB_MODEL, models__chat=REMOVE, transfer_models=[], published=REMOVE
    )
    assert Study(of_the_hub).models_of("hub") == ["base"]
    assert Study(of_the_hub).models_of("train_demo") == []


def test_perplexity_is_measured_on_the_models_and_under_the_masks_asked_for(config: dict[str, Any]) -> None:
    study = Study(config)
    assert study.perplexity_models == ["base"]
    assert study.perplexity_sets == [
        "crane",
        "dispersion",
        "lape_matched",
        *(f"{name}-{i}" for name in ("random", "random_dispersion") for i in range(5)),
    ]
    assert Study(changed(config, perplexity__transfer=True)).perplexity_models == ["base", "chat"]
    without = Study(changed(config, perplexity=REMOVE, calibration=REMOVE))
    assert without.perplexity_models == without.perplexity_sets == []


def test_pick(config: dict[str, Any]) -> None:
    study = Study(config)
    assert study.pick("relevance.rules") == "attnlrp"
    picked = study.pick("relevance.site", "corpora.seed")
    assert picked == {"corpora.seed": 0, "relevance.site": "intermediate"}
    assert list(picked) == sorted(picked)
    with pytest.raises(KeyError):
        study.pick("relevance.nothing")


def test_the_snakefile_stays_light() -> None:
    """What the Snakefile imports on every node brings no library that takes seconds, or that goes online."""
    heavy = ["torch", "transformers", "huggingface_hub", "httpx2", "lm_eval", "datasets", "pandas", "numpy"]
    lines = (ROOT / "workflow" / "rules" / "common.smk").read_text(encoding="utf-8").splitlines()
    imports = [line for line in lines if line.startswith("from crane.")]
    assert len(imports) >= 5
    code = "\n".join(["import sys", *imports, f"print(*[name for name in {heavy} if name in sys.modules])"])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(SCRIPTS)}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


# Presets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_passes(path: Path) -> None:
    below = re.search(r" overlay on (\w+)\.yaml", path.read_text(encoding="utf-8"))
    config = preset(below[1], path.stem) if below else preset(path.stem)
    drop_nulls(config)
    Study(config)


def test_the_papers_study_is_the_published_one() -> None:
    study = Study(preset("config"))
    assert study.languages == ["en", "zh", "vi"] and study.evaluated_models == ["base", "chat"]
    assert all((m["layers"], m["intermediate_size"]) == (32, 11008) for m in study.config["models"].values())
    crane = study.masks.shown["crane"]
    assert (crane["normalise"], crane["rule"], crane["threshold"]) == ("layer", "contrast", 1)
    assert study.config["relevance"]["objective"] == "next_token_logit"
    asked = study.config["open_questions"]
    assert (asked["max_new_tokens"], asked["repetition_penalty"], asked["style"]) == (2048, 1.1, "lape")
    tasks = [study.config["benchmarks"][name]["task"] for name in study.config["suites"]["nlu"]]
    assert tasks == ["mmlu", "ceval-valid", "belebele_vie_Latn"]
    assert all(b["fewshot"] == 5 for b in study.config["benchmarks"].values())


def test_the_authors_settings_lie_over_the_papers() -> None:
    study = Study(preset("config", "authors"))
    crane = study.masks.shown["crane"]
    assert (crane["normalise"], crane["rule"], crane["threshold"]) == ("global", "target_only", 1)
    assert study.config["relevance"]["objective"] == "next_token_logit_plus_last_max"
    assert study.config["open_questions"]["style"] == "raw"
    assert study.name != Study(preset("config")).name


def test_the_evidence_of_the_demo_repeats_none_of_its_jobs() -> None:
    plain, more = Study(preset("demo")), Study(preset("demo", "demo-evidence"))
    assert plain.results == more.results
    assert more.masks.shown == plain.masks.shown
    assert all(more.masks.selection(name) == plain.masks.selection(name) for name in plain.masks.every)


def test_a_null_needs_shards_and_a_rule_that_is_repeated(config: dict[str, Any]) -> None:
    assert Study(config).has_selection_null
    assert not Study(changed(config, corpora__shards=2)).has_selection_null, "fewer than languages"
    ternary = {
        "label": "T", "method": "ternary", "kind": "any", "top_rate": 0.01, "activation_bar_ratio": 0.95,
    }  # fmt: skip
    alone = {"sweeps": REMOVE, "published": REMOVE, "perplexity": REMOVE, "calibration": REMOVE}
    assert Study(changed(config, mask_sets={"t": ternary}, **alone)).has_selection_null
    cut = {"t": {**ternary, "budget": {"count": 3}}}
    assert not Study(changed(config, mask_sets=cut, **alone)).has_selection_null
