"""The demo study in a reduced form, run for real: what its tables say, and what happens when things break."""

import copy
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from crane.artefacts import read_jsonl, read_table
from crane.models.loading import load_model
from crane.models.tokenizers import load_tokenizer
from crane.neurons.interventions import masked
from crane.neurons.neuron_set import NeuronSet
from crane.scores.langspec_f1 import langspec_f1
from support.workspace import Workspace, plain

LANGUAGES = ["en", "zh", "vi"]
MODELS = ["base", "chat"]
MASK_SETS = ["crane", "dispersion", "random-0", "random-1"]
SWEPT = ["mean-none-margin-fraction0.1", "dispersion-x0.5", "dispersion-mean"]
"""Mask sets that only the sweeps of the reduced study have."""
pytestmark = pytest.mark.slow


def reduced(demo: dict[str, Any]) -> dict[str, Any]:
    """The demo with fewer texts and mask sets, and with sweeps."""
    config = copy.deepcopy(demo)
    config["study"] = "reduced"
    config["demo"]["data"].update(documents=3000, identification=400, benchmark=60, questions=8)
    config["corpora"].update(documents=300)
    config["mask_sets"] = {name: config["mask_sets"][name] for name in ("crane", "dispersion", "random")}
    config["mask_sets"]["random"]["seeds"] = 2
    config["published"]["mask_sets"] = {"crane": "crane", "random": "random"}
    config["scores"]["resamples"] = 2000
    suite = {"suite": "quiz", "mask_sets": ["dispersion"]}
    config["sweeps"] = {
        "budget": {"suite": "quiz", "mask_sets": ["crane", "random"], "fractions": [0.1], "seeds": 2},
        "ablation": {**suite, "fraction": 0.1, "statistics": ["mean"]},
        "intervention": {**suite, "scales": [0, 0.5], "mean": True},
    }
    config["perplexity"].update(mask_sets=["dispersion"], documents=50)
    return config


@pytest.fixture(scope="module")
def study(finished_study: Any, demo_config: dict[str, Any]) -> Workspace:
    return finished_study("reduced", reduced(demo_config), Workspace.run)


# What the results say ---------------------------------------------------------------------------------


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
    with study.configured(lambda config: config["relevance"].update(shards_per_job=1, batch_size=2)):
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
    assert {"attribute_relevance_0", "collect_answers", "score_masks"} <= record["rules"].keys()
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


def test_a_stored_answer_is_what_the_masked_model_says(study: Workspace) -> None:
    """Recompute one question under one mask by hand: chat model, masks of the base model."""
    answers = read_table(study.results / "evaluations" / "chat" / "dispersion" / "quiz.parquet")
    row = answers[(answers["mask_language"] == "zh") & (answers["benchmark"] == "quiz_zh")].iloc[7]
    question = read_jsonl(study.results / "generated" / "zh" / "benchmark.jsonl")[row["doc_id"]]
    model, tokenizer = (load(study.results / "models" / "chat") for load in (load_model, load_tokenizer))
    neurons = NeuronSet.read_parquet(study.results / "masks" / "base" / "dispersion.parquet")
    prompt = tokenizer(f"Q: {question['question']}\nA:").input_ids
    with masked(model, neurons, "zh"), torch.no_grad():
        for choice, stored in zip(question["choices"], row["loglikelihoods"], strict=True):
            ids = torch.tensor([tokenizer(f"Q: {question['question']}\nA: {choice}").input_ids])
            logprobs = model(ids).logits[0].log_softmax(-1)
            own = sum(float(logprobs[t - 1, ids[0, t]]) for t in range(len(prompt), ids.shape[1]))
            assert own == pytest.approx(float(stored), abs=1e-4)


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


def test_a_stored_answer_is_what_the_model_says_at_mean_values(study: Workspace) -> None:
    """The neurons set, by hand, to their mean over all tokens of the three corpora."""
    answers = read_table(study.results / "evaluations" / "base" / "dispersion-mean" / "quiz.parquet")
    row = answers[(answers["mask_language"] == "vi") & (answers["benchmark"] == "quiz_vi")].iloc[3]
    question = read_jsonl(study.results / "generated" / "vi" / "benchmark.jsonl")[row["doc_id"]]
    model, tokenizer = (load(study.results / "models" / "base") for load in (load_model, load_tokenizer))
    sums, tokens = [0.0] * 4, 0
    handles = []
    for k, layer in enumerate(model.model.layers):

        def add(module: Any, inputs: Any, k: int = k) -> None:
            sums[k] = sums[k] + inputs[0][0].double().sum(0)

        handles.append(layer.mlp.down_proj.register_forward_pre_hook(add))
    with torch.no_grad():
        for code in LANGUAGES:
            for ids in read_table(study.results / "corpora" / "base" / f"{code}.parquet")["input_ids"]:
                model(torch.tensor([list(ids)], dtype=torch.int64))
                tokens += len(ids)
    for handle in handles:
        handle.remove()
    neurons = NeuronSet.read_parquet(study.results / "masks" / "base" / "dispersion.parquet")
    for k, layer in enumerate(model.model.layers):
        index = torch.from_numpy(neurons["vi"][k])
        fixed = (sums[k] / tokens).float()[index]

        def replace(module: Any, inputs: Any, index: Any = index, fixed: Any = fixed) -> Any:
            values = inputs[0].clone()
            values[..., index] = fixed
            return (values,)

        layer.mlp.down_proj.register_forward_pre_hook(replace)
    prompt = tokenizer(f"Q: {question['question']}\nA:").input_ids
    with torch.no_grad():
        for choice, stored in zip(question["choices"], row["loglikelihoods"], strict=True):
            ids = torch.tensor([tokenizer(f"Q: {question['question']}\nA: {choice}").input_ids])
            logprobs = model(ids).logits[0].log_softmax(-1)
            own = sum(float(logprobs[t - 1, ids[0, t]]) for t in range(len(prompt), ids.shape[1]))
            assert own == pytest.approx(float(stored), abs=1e-3)


def test_perplexity_is_of_texts_that_relevance_never_saw(study: Workspace) -> None:
    table = read_table(study.results / "perplexity.parquet")
    assert len(table) == 3 * (1 + 3)
    model = load_model(study.results / "models" / "base")
    for code in LANGUAGES:
        held_out = read_table(study.results / "held_out" / "base" / f"{code}.parquet")
        used = read_table(study.results / "corpora" / "base" / f"{code}.parquet")["text_sha256"]
        assert len(held_out) == 50 and not set(held_out["text_sha256"]) & set(used)
        total, tokens = 0.0, 0
        with torch.no_grad():
            for ids in held_out["input_ids"]:
                row = torch.tensor([list(ids)], dtype=torch.int64)
                total += float(model(row, labels=row).loss) * (len(ids) - 1)
                tokens += len(ids) - 1
        own = table[(table["mask_set"] == "original") & (table["language"] == code)]
        assert own["perplexity"].item() == pytest.approx(np.exp(total / tokens), rel=1e-4)
        assert own["tokens"].item() == tokens


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


def test_a_masked_checkpoint_and_lists_of_neurons_are_exported_on_demand(study: Workspace) -> None:
    folder, lists = (
        "results/reduced/exports/chat/dispersion-x0.5/vi",
        "results/reduced/exports/dispersion.pth",
    )
    study.run(folder, lists)
    neurons = NeuronSet.read_parquet(study.results / "masks" / "base" / "dispersion.parquet")
    model, exported = (
        load_model(path) for path in (study.results / "models" / "chat", study.folder / folder)
    )
    ids = load_tokenizer(study.folder / folder)("Q: Thủ đô của Pháp là gì?", return_tensors="pt").input_ids
    with torch.no_grad(), masked(model, neurons, "vi", scale=0.5):
        assert torch.equal(exported(ids).logits, model(ids).logits)
    manifest = json.loads((study.folder / folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["mask_set"] == "dispersion-x0.5" and manifest["masked"]["scale"] == 0.5
    languages = json.loads((study.results / "exports" / "dispersion.json").read_text())["languages"]
    back = NeuronSet.read_lape(study.folder / lists, languages)
    for language in LANGUAGES:
        for layer, index in neurons[language].items():
            assert np.array_equal(back[language][layer], index)


def test_what_no_weight_can_express_is_not_exported(study: Workspace) -> None:
    message = _error_of(study, "results/reduced/exports/base/dispersion-mean/en")
    assert "'dispersion-mean' sets neurons to their mean value" in message


def test_the_figures_regenerate_alone(study: Workspace) -> None:
    """From the results, and no rule runs but those that draw."""
    drawn = {path: path.read_bytes() for path in (study.results / "figures").iterdir()}
    for path in drawn:
        path.unlink()
    done = study.run("figures")
    rules = set(re.findall(r"^(?:local)?rule (\w+):", done.stdout + done.stderr, re.MULTILINE)) - {"figures"}
    assert rules and all(rule.startswith("plot_") for rule in rules), rules
    assert {path: path.read_bytes() for path in (study.results / "figures").iterdir()} == drawn


# Faults -------------------------------------------------------------------------------------------------


def _error_of(study: Workspace, *arguments: str) -> str:
    done = study.run(*arguments, check=False)
    assert done.returncode != 0
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("error: ")]
    assert len(set(lines)) == 1, done.stdout[-3000:] + done.stderr[-3000:]
    assert not list(study.results.rglob("*.partial"))
    return lines[0]


def test_an_altered_shard_is_refused(study: Workspace) -> None:
    shard = study.results / "relevance" / "base" / "vi" / "0.safetensors"
    original = shard.read_bytes()
    damaged = bytearray(original)
    damaged[-8] ^= 1
    table = "results/reduced/kurtosis/base/layer-3.parquet"
    try:
        shard.write_bytes(damaged)
        message = _error_of(study, table, "--forcerun", "reduce_kurtosis")
        assert "vi/0.safetensors: layer 3 does not match its checksum" in message
        shard.write_bytes(original[: len(original) // 2])
        message = _error_of(study, table, "--forcerun", "reduce_kurtosis")
        assert "vi/0.safetensors: not a readable relevance shard" in message
    finally:
        shard.write_bytes(original)
    study.run(table)


@pytest.fixture
def local_study(study: Workspace, tmp_path: Path) -> Iterator[tuple[Workspace, dict[str, Any]]]:
    """A study on local files: the trained base model's folder and small files of one's own."""
    model = tmp_path / "model"
    model.mkdir()
    for path in (study.results / "models" / "base").iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    config = plain(study.config)
    config["study"] = "broken"
    config["transfer_models"] = []
    config["models"] = {"base": {**config["models"]["base"], "source": "local", "path": str(model)}}
    config["corpora"].update(
        source="local", column="text", documents=20, shards=1,
        files={code: str(study.results / "generated" / code / "documents.jsonl") for code in LANGUAGES},
    )  # fmt: skip
    workspace = copy.copy(study)
    workspace.config = config
    try:
        yield workspace, config
    finally:
        study.configure(study.config)


def test_a_corpus_with_too_few_documents_is_refused(
    local_study: tuple[Workspace, dict[str, Any]], tmp_path: Path
) -> None:
    workspace, config = local_study
    (tmp_path / "few.txt").write_text("One.\n\nTwo.\nTwo.\n", encoding="utf-8")
    config["corpora"]["files"]["vi"] = str(tmp_path / "few.txt")
    workspace.configure(config)
    message = _error_of(workspace, "results/broken/corpora/base/vi.parquet")
    assert "corpus of 'vi': 2 documents give 0 samples of 24 tokens" in message


def test_a_model_without_tokenizer_is_refused(local_study: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, config = local_study
    (Path(config["models"]["base"]["path"]) / "tokenizer.json").unlink()
    workspace.configure(config)
    message = _error_of(workspace, "results/broken/corpora/base/en.parquet")
    assert "no tokenizer" in message


def test_a_model_with_nan_weights_is_refused(local_study: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, config = local_study
    folder = Path(config["models"]["base"]["path"])
    model = load_model(folder)
    with torch.no_grad():
        model.model.layers[2].mlp.up_proj.weight[3, 5] = torch.nan
    model.save_pretrained(folder)
    workspace.configure(config)
    message = _error_of(workspace, "results/broken/relevance/base/en/0.safetensors")
    assert "NaN" in message or "nan" in message


def test_a_question_with_a_wrong_label_is_refused(
    local_study: tuple[Workspace, dict[str, Any]], tmp_path: Path
) -> None:
    workspace, config = local_study
    questions = read_jsonl(workspace.folder / "results" / "reduced" / "generated" / "en" / "benchmark.jsonl")
    questions[3]["answer"] = 4
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text("".join(json.dumps(q) + "\n" for q in questions), encoding="utf-8")
    config["benchmarks"]["quiz_en"]["data"] = str(wrong)
    workspace.configure(config)
    message = _error_of(workspace, "results/broken/prompts/base/quiz_en.parquet")
    assert "wrong.jsonl, line 4: 'answer' 4 is none of its 4 choices" in message


def test_an_empty_selection_names_the_language_and_the_highest_score(study: Workspace) -> None:
    config = copy.deepcopy(study.config)
    config["mask_sets"]["strict"] = {
        "label": "Strict", "method": "crane", "normalise": "layer", "rule": "contrast", "threshold": 99,
    }  # fmt: skip
    study.configure(config)
    try:
        message = _error_of(study, "results/reduced/masks/base/strict.parquet")
    finally:
        study.configure(study.config)
    assert re.search(r"language 'en': .*threshold 99.* highest score is \d", message)
    assert not (study.results / "masks" / "base" / "strict.parquet").exists()


def test_a_wrong_configuration_stops_before_anything_runs(study: Workspace) -> None:
    config = copy.deepcopy(study.config)
    config["mask_sets"]["crane"]["normalize"] = "layer"
    study.configure(config)
    try:
        done = study.run(check=False)
    finally:
        study.configure(study.config)
    assert done.returncode != 0
    assert "mask_sets.crane: unknown key 'normalize'" in done.stdout + done.stderr
    assert "did you mean 'normalise'?" in done.stdout + done.stderr
