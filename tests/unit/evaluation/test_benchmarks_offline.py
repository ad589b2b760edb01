"""The real task definitions of MMLU, C-Eval and Belebele on small local copies of their data sets, without network."""

import socket

import pytest
from crane.evaluation import benchmarks
from crane.evaluation.benchmarks import BenchmarkError
from crane.evaluation.hf import HuggingFaceEngine
from support import hub_datasets

pytestmark = pytest.mark.usefixtures("few_tasks")
SHOTS = 5


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """Return a folder with the three data sets."""
    folder = tmp_path_factory.mktemp("datasets")
    assert len(hub_datasets.write_mmlu(folder / "mmlu")) == 57
    assert len(hub_datasets.write_ceval(folder / "ceval")) == 52
    hub_datasets.write_belebele(folder / "belebele")
    return folder


@pytest.fixture(scope="module")
def lm(tmp_path_factory, make_model, tokenizer):
    """Return a tiny model with room for five solved examples, as lm-eval's `LM`."""
    folder = tmp_path_factory.mktemp("model")
    make_model("llama", seed=3, vocabulary=len(tokenizer), max_position_embeddings=2048).save_pretrained(
        folder
    )
    tokenizer.save_pretrained(folder)
    return HuggingFaceEngine(folder, batch_size=16).lm()


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def settings(task, dataset, **more):
    return {"task": task, "dataset": str(dataset), "fewshot": SHOTS, **more}


ASKED = [
    # task, data set, tasks in it, questions of each, what ends a question
    ("mmlu", "mmlu", 57, 2, "\nAnswer:"),
    ("ceval-valid", "ceval", 52, 2, "\n答案："),
    ("belebele_vie_Latn", "belebele", 1, 8, "\nAnswer:"),
]


@pytest.mark.parametrize(("task", "dataset", "leaves", "questions", "end"), ASKED, ids=[a[0] for a in ASKED])
def test_all_task_definitions_run_offline(lm, datasets, monkeypatch, task, dataset, leaves, questions, end):
    given = settings(task, datasets / dataset)
    tasks = benchmarks.load(task, given)
    assert len(tasks["tasks"]) == leaves
    starts, contexts = set(), []
    call, ask = lm._model_call, lm.loglikelihood
    monkeypatch.setattr(
        lm, "_model_call", lambda ids, **m: (starts.update(ids[:, 0].tolist()), call(ids, **m))[1]
    )
    monkeypatch.setattr(
        lm, "loglikelihood", lambda asked, **m: (contexts.extend(r.args[0] for r in asked), ask(asked))[1]
    )
    results = benchmarks.run(lm, tasks, given)
    assert starts == {lm.tokenizer.bos_token_id}
    assert len(results) == leaves * questions
    assert results["task"].nunique() == leaves
    assert results["probability"].between(0, 1).all()
    assert results["loglikelihoods"].map(len).eq(4).all()
    assert len(contexts) == 4 * len(results)
    for context in contexts:
        assert context.count(end) == SHOTS + 1
        assert context.endswith(end)
        asked = [line for line in context.splitlines() if "which of these is number" in line]
        assert len(set(asked)) == SHOTS + 1  # the question asked is none of the examples


def test_belebele_is_clustered_by_passage(lm, datasets):
    given = settings("belebele_vie_Latn", datasets / "belebele", cluster_by="link")
    results = benchmarks.run(lm, benchmarks.load("belebele", given), given)
    assert results["cluster"].tolist() == [f"https://example.org/{i // 2}" for i in range(8)]


@pytest.mark.parametrize("language", hub_datasets.LANGUAGES)
def test_one_download_serves_belebele_in_all_languages(datasets, language):
    tasks = benchmarks.load(language, settings(f"belebele_{language}", datasets / "belebele"))
    (task,) = tasks["tasks"].values()
    assert [doc["dialect"] for doc in task.eval_docs] == [language] * 8


def test_a_dataset_without_the_part_asked_for_is_told(datasets, tmp_path):
    with pytest.raises(BenchmarkError, match=r"'law': cannot read .*mmlu"):
        benchmarks.load("law", settings("ceval-valid_law", datasets / "mmlu"))
    with pytest.raises(BenchmarkError, match=r"'law': cannot read .*nothing"):
        benchmarks.load("law", settings("ceval-valid_law", tmp_path / "nothing"))
