"""The demo study in a reduced form, run for real: its tables, masks and figures follow from one another."""

import copy
import hashlib
import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from crane.artefacts import read_jsonl, read_table
from crane.neurons.neuron_set import NeuronSet
from crane.scores.langspec_f1 import langspec_f1
from support.reduced_study import LANGUAGES
from support.workspace import Workspace

MODELS = ["base", "chat"]
MASK_SETS = ["crane", "dispersion", "random-0", "random-1"]
SWEPT = ["mean-none-margin-fraction0.1", "dispersion-x0.5", "dispersion-mean"]
"""Mask sets that only the sweeps of the reduced study have."""
pytestmark = pytest.mark.slow


def test_a_second_run_does_nothing(study: Workspace) -> None:
    done = study.run()
    assert "Nothing to be done" in done.stdout + done.stderr
    assert not list(study.results.rglob("*.partial"))
    assert not list(study.results.glob("parts/receipts/*/*.txt"))


def test_it_does_not_matter_later_what_shared_a_job(study: Workspace) -> None:
    """Mask sets were chosen while others were evaluated: the times of their files lie between those of the receipts."""
    for speed in ({"sets_per_job": 3}, {"sets_per_job": 1, "batch_tokens": 64}):
        with study.configured(lambda config, speed=speed: config["evaluation"].update(speed)):
            assert study.planned() == {}
    with study.configured(lambda config: config["relevance"].update(shards_per_job=1, batch_tokens=48)):
        assert study.planned() == {}


def test_the_model_knows_its_world(study: Workspace) -> None:
    scores = read_table(study.results / "scores.parquet")
    original = scores[(scores["mask_set"] == "original") & (scores["kind"] == "nlu")]
    assert len(original) == 2 * len(LANGUAGES)
    assert (original["score"] > 0.45).all(), original[["model", "benchmark", "score"]]  # chance is 0.25
    assert (original["n"] == 60).all()


def test_scores_follow_from_the_answers(study: Workspace) -> None:
    scores = read_table(study.results / "scores.parquet").set_index(
        ["model", "mask_set", "mask_language", "benchmark"]
    )
    checked = 0
    of_sweeps = set(SWEPT)
    for path in (study.results / "evaluations").rglob("quiz.parquet"):
        if path.parent.name in of_sweeps:
            continue
        answers = read_table(path)
        for key, group in answers.groupby(["model", "mask_set", "mask_language", "benchmark"]):
            assert scores.loc[key, "score"] == pytest.approx(group["correct"].mean())
            assert scores.loc[key, "probability"] == pytest.approx(group["probability"].mean())
            best = group["loglikelihoods"].map(np.argmax)
            share = group["loglikelihoods"].map(lambda v: np.exp(v - v.max()) / np.exp(v - v.max()).sum())
            assert ((group["probability"] > 0.5) <= (group["correct"] == 1)).all()
            assert (share.map(lambda s: s.max()) >= group["probability"] - 1e-5).all()
            assert best.between(0, 3).all()
            checked += 1
    for path in (study.results / "judgements").rglob("*.jsonl"):
        judged = pd.DataFrame(read_jsonl(path))
        assert judged["score"].between(1, 10).all() and set(judged["judge"]) == {"reference"}
        assert {"replies", "answer_language"} <= set(judged)
        for (*key, language), group in judged.groupby(["model", "mask_set", "mask_language", "language"]):
            assert scores.loc[(*key, f"open_{language}"), "score"] == pytest.approx(group["score"].mean())
            checked += 1
    assert checked == len(scores) == 2 * (1 + 3 * len(MASK_SETS)) * 2 * len(LANGUAGES)


def test_langspec_f1_follows_from_the_scores(study: Workspace) -> None:
    scores = read_table(study.results / "scores.parquet")
    results = read_table(study.results / "langspec_f1.parquet")
    assert len(results) == 2 * 2 * 3 * len(MASK_SETS)
    for row in results.itertuples():
        rows = scores[(scores["model"] == row.model) & (scores["suite"] == row.suite)]
        before = rows[rows["mask_set"] == "original"].set_index("language")["score"].to_dict()
        after = rows[(rows["mask_set"] == row.mask_set) & (rows["mask_language"] == row.mask_language)]
        expected = langspec_f1(before, after.set_index("language")["score"].to_dict(), row.mask_language)
        assert row.f1 == pytest.approx(expected.f1)
        assert row.low - 1e-9 <= row.high
        assert row.distinguishable == (row.target_drop_low > 0 or row.target_drop_high < 0)


def test_changed_answers_follow_from_the_answers(study: Workspace) -> None:
    scores = read_table(study.results / "scores.parquet").set_index(
        ["model", "mask_set", "mask_language", "benchmark"]
    )
    key = ["task", "doc_id"]
    before = read_table(study.results / "evaluations" / "chat" / "original" / "quiz.parquet")
    after = read_table(study.results / "evaluations" / "chat" / "dispersion" / "quiz.parquet")
    for (language, benchmark), group in after.groupby(["mask_language", "benchmark"]):
        own = before[before["benchmark"] == benchmark].set_index(key)["correct"]
        change = group.set_index(key)["correct"] - own
        row = scores.loc[("chat", "dispersion", language, benchmark)]
        assert (row["worse"], row["better"]) == ((change < 0).sum(), (change > 0).sum())
        assert row["drop"] == pytest.approx(-change.mean())


def test_the_record_has_the_hash_of_every_table_and_figure(study: Workspace) -> None:
    record = json.loads((study.results / "provenance.json").read_text(encoding="utf-8"))
    assert record["config"]["study"] == "reduced" and set(record["models"]) == {"base", "chat"}
    assert {"attribute_relevance_0", "collect_answers_quiz_original", "score_masks"} <= record["rules"].keys()
    for folder in ("tables", "figures"):
        for path in (study.results / folder).iterdir():
            found = record["files"][path.relative_to(study.folder).as_posix()]["sha256"]
            assert found == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "@article{le2026" in (study.results / "CITATION.bib").read_text(encoding="utf-8")


def test_table_1_prints_the_scores(study: Workspace) -> None:
    scores = read_table(study.results / "scores.parquet")
    markdown = (study.results / "tables" / "table1.md").read_text(encoding="utf-8")
    lines = [
        [cell.strip() for cell in line.split("|")] for line in markdown.splitlines() if line.startswith("|")
    ]
    printed = {(cells[1], cells[2]): cells[4:7] for cells in lines}
    names = {"original": "Original", "crane": "CRANE", "dispersion": "Dispersion (ours)"}
    own = scores[(scores["model"] == "base") & (scores["suite"] == "quiz")]
    for (mask_set, mask_language), rows in own.groupby(["mask_set", "mask_language"]):
        if mask_set in names:
            shown = rows.set_index("language")["score"].loc[LANGUAGES].map("{:.4f}".format).tolist()
            assert printed[names[mask_set], "–" if mask_language == "none" else mask_language] == shown
    assert "Random (2 seeds)" in markdown and "Dispersion (ours)" in markdown
    assert "not an LLM" in (study.results / "tables" / "table2.md").read_text(encoding="utf-8")


def test_every_method_masks_the_same_budget(study: Workspace) -> None:
    counts = {
        name: NeuronSet.read_parquet(study.results / "masks" / "base" / f"{name}.parquet").counts()
        for name in MASK_SETS
    }
    for name, table in counts.items():
        assert (table.sum(axis=1) == round(0.1 * 4 * 256)).all(), name
    for seed in ("random-0", "random-1"):
        pd.testing.assert_frame_equal(counts[seed], counts["crane"])


def test_lape_takes_over_the_counts_of_crane(study: Workspace, demo_config: dict[str, Any]) -> None:
    config = copy.deepcopy(study.config)
    config["mask_sets"]["lape_matched"] = demo_config["mask_sets"]["lape_matched"]
    study.configure(config)
    try:
        study.run("results/reduced/masks/base/lape_matched.parquet")
    finally:
        study.configure(study.config)
    neurons = NeuronSet.read_parquet(study.results / "masks" / "base" / "lape_matched.parquet")
    assert (neurons.counts().sum(axis=1) == round(0.1 * 4 * 256)).all()


def test_a_mask_set_is_cut_to_the_counts_of_another(study: Workspace) -> None:
    """The neurons of highest margin, as many per language as the threshold rule gives them."""
    config = copy.deepcopy(study.config)
    ranked = config["mask_sets"]["crane"]
    config["mask_sets"]["few"] = {**ranked, "rule": "contrast", "threshold": 1.5}
    del config["mask_sets"]["few"]["budget"]
    config["mask_sets"]["cut"] = {**ranked, "budget": {"match": "few"}}
    study.configure(config)
    try:
        study.run("results/reduced/masks/base/cut.parquet")
    finally:
        study.configure(study.config)
    few, cut, crane = (
        NeuronSet.read_parquet(study.results / "masks" / "base" / f"{name}.parquet")
        for name in ("few", "cut", "crane")
    )
    totals = {language: few.total(language) for language in LANGUAGES}
    assert {language: cut.total(language) for language in LANGUAGES} == totals
    assert len(set(totals.values())) > 1
    for language in LANGUAGES:
        assert totals[language] < crane.total(language)
        for layer, index in cut[language].items():
            assert set(index) <= set(crane[language][layer])


def test_the_sweeps_have_their_own_answers_and_share_the_studys(study: Workspace) -> None:
    groups = {"original", "crane", "dispersion", "random"}
    answered = {
        model: {p.name for p in (study.results / "evaluations" / model).iterdir()} for model in MODELS
    }
    assert answered == {"base": {*groups, *SWEPT}, "chat": groups}
    results = read_table(study.results / "langspec_f1.parquet")
    main = results[(results["model"] == "base") & (results["suite"] == "quiz")]
    main = main.set_index(["mask_set", "mask_language"])["f1"]
    for sweep in study.config["sweeps"]:
        table = read_table(study.results / "sweeps" / f"{sweep}.parquet")
        for row in table[table["part"] == "all"].itertuples():
            if row.mask_set in MASK_SETS:
                assert row.f1 == pytest.approx(main[row.mask_set, row.mask_language]), sweep
    ablation = read_table(study.results / "sweeps" / "ablation.parquet")
    sizes = ablation.groupby("part")["questions"].first()
    assert sizes["discovery"] + sizes["validation"] == sizes["all"] == 60
    assert ablation.loc[ablation["chosen"], "order"].nunique() == 1
    assert "chosen" in (study.results / "tables" / "sweep_ablation.md").read_text(encoding="utf-8")


def test_relevance_is_recorded_with_its_self_test(study: Workspace) -> None:
    log = (study.results / "logs" / "attribute_relevance" / "base" / "vi" / "0.log").read_text()
    assert "self-test: relevance is not conserved inside an MLP" in log
    assert re.search(r"torch 2\.13\.0.*lxt 2\.1", log)
    table = read_table(study.results / "kurtosis" / "base" / "layer-2.parquet")
    assert table.groupby("language")["count"].first().to_dict() == dict.fromkeys(LANGUAGES, 300)
    z = table.groupby("language")["z"]
    assert z.mean().abs().max() < 1e-9 and (z.std(ddof=0) - 1).abs().max() < 1e-9


def test_the_notebook_example_of_the_readme_runs(study: Workspace) -> None:
    readme = (study.folder / "README.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(code) == 1
    names: dict[str, Any] = {}
    exec(code[0].replace("results/demo", str(study.results)), names)
    assert names["relevance"].shape == (2, 4, 256)
    assert names["moments"].n == 2


def test_the_figures_regenerate_alone(study: Workspace) -> None:
    """From the results, and no rule runs but those that draw."""
    drawn = {path: path.read_bytes() for path in (study.results / "figures").iterdir()}
    for path in drawn:
        path.unlink()
    done = study.run("figures")
    rules = set(re.findall(r"^(?:local)?rule (\w+):", done.stdout + done.stderr, re.MULTILINE)) - {"figures"}
    assert rules and all(rule.startswith("plot_") for rule in rules), rules
    assert {path: path.read_bytes() for path in (study.results / "figures").iterdir()} == drawn
