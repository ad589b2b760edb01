"""Every wrong configuration is answered with what is wrong, where, and what is allowed."""

import copy

import pytest
from crane.study.study import Study
from support.study_config import (
    COMMIT,
    GPT,
    HUB_CORPUS,
    HUB_FILES,
    HUB_MODEL,
    PINNED,
    REMOVE,
    SHA,
    changed,
    messages,
)

RANDOM = {"label": "R", "method": "random", "seeds": 2}
LAPE_MATCHED = {"label": "L", "method": "lape_matched", "filter_rate": 0.95, "activation_bar_ratio": 0.95}
LOCAL = {"documents": 10, "max_tokens": 8, "seed": 0, "shards": 1, "source": "local"}
WRONG = [
    # (what is edited, all of these stand in one line of the message)
    ({"studdy": "x"}, ["(top level)", "'studdy'", "did you mean 'study'?"]),
    ({"study": "a b"}, ["study", "'a b'", "letters, digits"]),
    ({"study": REMOVE}, ["missing key", "study"]),
    ({"relevance__objectiv": "x"}, ["relevance", "'objectiv'", "did you mean 'objective'?", "allowed: aggregate"]),
    ({"relevance__objective": "next"}, ["relevance.objective", "'next'", "next_token_logit, next_token_logprob"]),
    ({"relevance__rules": "lrp"}, ["relevance.rules", "'lrp'", "attnlrp, cp_lrp, input_x_gradient"]),
    ({"relevance__aggregate": "max"}, ["relevance.aggregate", "'max'", "sum, mean, sum_abs, max_abs"]),
    ({"relevance__skip_first": "no"}, ["relevance.skip_first", "'no'", "boolean"]),
    ({"relevance__batch_size": 0}, ["relevance.batch_size", "0", "minimum of 1"]),
    ({"relevance__site": REMOVE}, ["relevance", "missing key site"]),
    ({"mask_sets__crane__method": "krane"}, ["mask_sets.crane.method", "'krane'", "crane, dispersion, lape"]),
    ({"mask_sets__crane__rule": "best"}, ["mask_sets.crane.rule", "'best'", "contrast, target_only, margin"]),
    ({"mask_sets__crane__seeds": 5},
     ["mask_sets.crane.seeds", "no meaning with method: crane, only with method: random", "remove it"]),
    ({"mask_sets__crane__normalise": "z"}, ["mask_sets.crane.normalise", "'z'", "layer, global, rank"]),
    ({"mask_sets__crane_threshold__threshold": REMOVE},
     ["mask_sets.crane_threshold.threshold", "missing", "'contrast'"]),
    ({"mask_sets__crane__budget": REMOVE}, ["mask_sets.crane", "'margin'", "threshold or a budget"]),
    ({"mask_sets__crane__budget": {"count": 99999}}, ["mask_sets.crane.budget.count", "99999", "1024"]),
    ({"mask_sets__crane__budget": {"fraction": 1.5}}, ["mask_sets.crane.budget.fraction", "1.5", "maximum of 1"]),
    ({"mask_sets__crane__budget": {"fraction": 0.1, "count": 3}},
     ["mask_sets.crane.budget", "exactly one of: match, fraction, count (found: count, fraction)"]),
    ({"mask_sets__random__match": "kran"}, ["mask_sets.random.match", "'kran'", "there are: crane"]),
    ({"mask_sets__again": {**RANDOM, "match": "random"}}, ["mask_sets.again.match", "'random'", "itself matched"]),
    ({"mask_sets__original": {**RANDOM, "match": "crane"}}, ["mask_sets", "'original'", "reserved"]),
    ({"mask_sets__a-b": {**RANDOM, "match": "crane"}}, ["mask_sets", "'a-b'", "Letters, digits and _"]),
    ({"relevance__site": "residual_write"}, ["mask_sets.lape.method", "'lape'", "relevance.site intermediate"]),
    ({"benchmarks__quiz_vi__language": "fr"}, ["benchmarks.quiz_vi.language", "'fr'", "there are: en, zh, vi"]),
    ({"languages__fr": {"name": "French"}}, ["suites.quiz", "0 benchmarks in language 'fr'", "exactly one"]),
    ({"suites__quiz": ["quiz_en", "quiz_zh"]}, ["suites.quiz", "0 benchmarks in language 'vi'"]),
    ({"suites__quiz": ["quiz_en", "quiz_zh"]}, ["benchmarks.quiz_vi", "in no suite"]),
    ({"suites__more": ["quiz_en", "quiz_zh", "quiz_vi"]}, ["suites.more", "'quiz_en'", "already in suite 'quiz'"]),
    ({"suites__quiz": ["quiz_en", "quiz_en", "quiz_zh", "quiz_vi"]}, ["suites.quiz", "'quiz_en' is listed twice"]),
    ({"suites__quiz": ["quiz_en", "quiz_zh", "quiz_fr"]}, ["suites.quiz", "'quiz_fr'", "there are: quiz_en"]),
    ({"suites__open": ["quiz_en", "quiz_zh", "quiz_vi"]}, ["suites", "'open'", "reserved"]),
    ({"languages": {"en": {"name": "English"}}}, ["languages", "1 entry given, at least 2"]),
    ({"identification_model": "bas"}, ["identification_model", "'bas'", "there are: base, chat"]),
    ({"transfer_models": ["chat", "big"]}, ["transfer_models", "'big'", "there are: base, chat"]),
    ({"transfer_models": ["base"]}, ["transfer_models", "'base'", "identification model itself"]),
    ({"models__chat__intermediate_size": 128}, ["models.chat.intermediate_size", "128", "256"]),
    ({"models__chat__layers": 5}, ["models.chat.layers", "5", "4"]),
    ({"models__base__path": "models/x"},
     ["models.base.path", "no meaning with source: train_demo, only with source: local", "'models/x'"]),
    ({"models__base": {"label": "B", "source": "local", "layers": 4, "intermediate_size": 256}},
     ["models.base", "missing key path"]),
    ({"models__base": {"label": "B", "source": "local", "layers": 4, "intermediate_size": 256, "path": "x"}},
     ["models", "finetune_demo", "train_demo"]),
    ({"demo": REMOVE}, ["demo", "missing", "generated"]),
    ({"corpora": LOCAL}, ["corpora", "missing keys files, column"]),
    ({"corpora": {**LOCAL, "column": "text", "files": {"en": "a", "zh": "b"}}},
     ["corpora.files", "no entry for language 'vi'"]),
    ({"corpora": {**LOCAL, "column": "text", "files": {"en": "a", "zh": "b", "vi": "c", "fr": "d"}}},
     ["corpora.files", "'fr'", "there are: en, zh, vi"]),
    ({"corpora__files": {"en": "a"}}, ["corpora.files", "{'en': 'a'}", "remove it"]),
    ({"corpora__documents": 1}, ["corpora.documents", "1", "minimum of 2"]),
    ({"corpora__documents": "many"}, ["corpora.documents", "'many'", "integer"]),
    ({"open_questions__suffix": {"en": "", "zh": ""}}, ["open_questions.suffix", "no entry for language 'vi'"]),
    ({"open_questions__source": "local"}, ["open_questions", "missing key files"]),
    ({"open_questions__style": "chat"}, ["open_questions.style", "'chat'", "lape, raw"]),
    ({"judges__reference__kind": "gpt-4o"}, ["judges.reference.kind", "'gpt-4o'", "reference, openai, openai_batch"]),
    ({"judges__reference__model": "m"},
     ["judges.reference.model", "no meaning with kind: reference", "kind: openai, openai_batch", "remove it"]),
    ({"judges": {}}, ["judges", "0 entries given, at least 1"]),
    ({"judges__gpt": {"kind": "openai", "label": "G"}}, ["judges.gpt", "missing key", "model, prompt, output"]),
    ({"judges__gpt": {**GPT, "poll_seconds": 5}},
     ["judges.gpt.poll_seconds", "no meaning with kind: openai, only with kind: openai_batch"]),
    ({"judges__gpt": {**GPT, "kind": "openai_batch", "concurrency": 5}},
     ["judges.gpt.concurrency", "kind: openai_batch, only with kind: openai;"]),
    ({"judges__gpt": {**GPT, "prompt": "mtbench"}}, ["judges.gpt.output", "'mtbench'", "output: text"]),
    ({"judges__gpt": {**GPT, "price": {"input": 1}}}, ["judges.gpt.price", "missing key output"]),
    ({"judges__gpt": {**GPT, "api_key": "x"}}, ["judges.gpt", "unknown key 'api_key'"]),
    ({"engine": "vlm"}, ["engine", "'vlm'", "hf"]),
    ({"scores__resamples": 10}, ["scores.resamples", "10", "minimum of 100"]),
    ({"mask_sets__theirs": {"label": "T", "method": "import", "file": "x.pth", "languages": ["en", "zh"]}},
     ["mask_sets.theirs.languages", "no entry for language 'vi'"]),
    ({"published__models": {"big": "llama2-7b-base"}}, ["published.models.big", "'big'", "there are: base, chat"]),
    ({"published__models": {"base": "llama3"}}, ["published.models.base", "'llama3'", "llama2-7b-base"]),
    ({"published__same_model": True}, ["published.same_model", "'base'", "trained by the demo"]),
    ({"published__mask_sets": {"krane": "crane"}}, ["published.mask_sets.krane", "there are: crane"]),
    ({"published__benchmarks": {"quiz_en": "ceval"}}, ["published.benchmarks.quiz_en", "'en'", "'zh'"]),
    ({"published__benchmarks": {"open_en": "mmlu"}}, ["published.benchmarks.open_en", "open questions"]),
    ({"mask_sets__theirs": {"label": "T", "method": "import", "file": "x.bin", "languages": ["en", "zh", "vi"]}},
     ["mask_sets.theirs.file", "'x.bin'"]),
    # from the network
    ({"models__base": {**HUB_MODEL, "revision": "main"}}, ["models.base.revision", "'main'", "40 hexadecimal digits"]),
    ({"models__base": {**HUB_MODEL, "revision": COMMIT[:12]}}, ["models.base.revision", "40 hexadecimal digits"]),
    ({"models__base": {**HUB_MODEL, "repository": "llama"}}, ["models.base.repository", "'llama'", "owner/name"]),
    ({"models__base": {**HUB_MODEL, "path": "x"}}, ["models.base.path", "remove it"]),
    ({"models__base__revision": COMMIT}, ["models.base.revision", "remove it"]),
    ({"models__base": HUB_MODEL, "models__base__revision": REMOVE}, ["models.base", "missing key revision"]),
    ({"corpora": HUB_CORPUS}, ["corpora.repository", "missing", "'en'"]),
    ({"corpora": {**HUB_CORPUS, **PINNED, "pool": 114}, "perplexity": REMOVE},
     ["corpora.pool", "114", "100 documents", "at least 115"]),
    ({"corpora": {**HUB_CORPUS, **PINNED, "pool": 324}}, ["corpora.pool", "324", "perplexity", "at least 325"]),
    ({"corpora": {**HUB_CORPUS, **PINNED, "max_files": 0}}, ["corpora.max_files", "minimum of 1"]),
    ({"corpora": {**HUB_CORPUS, **PINNED, "files": {**HUB_FILES, "vi": {"files": "x"}}}},
     ["corpora.files.vi", "missing keys repository, revision"]),
    ({"corpora": {**HUB_CORPUS, **PINNED, "files": {**HUB_FILES, "vi": 3}}}, ["corpora.files.vi", "3", "string"]),
    ({"corpora": {**LOCAL, "column": "text", "files": {"en": "a", "zh": "b", "vi": {**PINNED, "files": "c"}}}},
     ["corpora.files.vi", "source: hub"]),
    ({"corpora": {**LOCAL, "column": "text", "files": {"en": "a", "zh": "b", "vi": "c"}, "pool": 100}},
     ["corpora.pool", "remove it"]),
    ({"benchmarks__quiz_en__dataset": "mmlu"}, ["benchmarks.quiz_en.dataset", "'mmlu'", "there are: none"]),
    ({"datasets": {"mmlu": {**PINNED, "files": ["*"]}}, "benchmarks__quiz_en__dataset": "mmlu"},
     ["benchmarks.quiz_en", "data and dataset exclude each other"]),
    ({"datasets": {"mmlu": {**PINNED, "files": ["*"]}}}, ["datasets.mmlu", "no benchmark", "remove it"]),
    ({"datasets": {"corpus": {**PINNED, "files": ["*"]}}}, ["datasets", "'corpus'", "reserved"]),
    ({"open_questions__source": "local", "open_questions__files": {
        "en": "a", "zh": "b", "vi": {"url": "https://a.org/vi.txt"}}},
     ["open_questions.files.vi", "missing key sha256"]),
    ({"open_questions__source": "local", "open_questions__files": {
        "en": "a", "zh": "b", "vi": {"url": "ftp://a.org/vi.txt", "sha256": SHA}}},
     ["open_questions.files.vi.url", "'ftp://a.org/vi.txt'", "https://"]),
    ({"open_questions__source": "local", "open_questions__files": {
        "en": "a", "zh": "b", "vi": {"url": "https://a.org/vi.txt", "sha256": "abc"}}},
     ["open_questions.files.vi.sha256", "'abc'", "64 hexadecimal digits"]),
    ({"mask_sets__theirs": {"label": "T", "method": "import", "languages": ["en", "zh"],
                            "file": {"url": "https://a.org/L.neuron.pth", "sha256": SHA}}},
     ["mask_sets.theirs.languages", "no entry for language 'vi'"]),
    ({"mask_sets__theirs": {"label": "T", "method": "import",
                            "file": {"url": "https://a.org/x.parquet/y.zip?z=a.pth", "sha256": SHA}}},
     ["mask_sets.theirs.file", "'y.zip'"]),
    ({"mask_sets__crane__budget": {"match": "lap"}}, ["mask_sets.crane.budget.match", "'lap'", "there are: crane"]),
    ({"mask_sets__crane__budget": {"match": "random"}}, ["mask_sets.crane.budget.match", "'random'", "itself matched"]),
    ({"mask_sets__crane__budget": {"match": "crane"}}, ["mask_sets.crane.budget.match", "'crane'", "itself matched"]),
    ({"mask_sets__crane__relevance": "logits"}, ["mask_sets.crane.relevance", "'logits'", "there are: logprob"]),
    ({"mask_sets__lape__intervention": {"scale": -1}}, ["mask_sets.lape.intervention.scale", "-1", "minimum of 0"]),
    ({"mask_sets__lape__intervention": {"scale": 2, "mean": True}},
     ["mask_sets.lape.intervention", "exactly one of: scale, mean (found: mean, scale)"]),
    ({"mask_sets__lape__intervention": {"mean": False}},
     ["mask_sets.lape.intervention.mean", "false is not allowed; allowed: true"]),
    ({"mask_sets": {"theirs": {"label": "T", "method": "import", "file": "x.parquet", "intervention": {"mean": True}}},
      "sweeps": REMOVE, "perplexity": REMOVE, "relevance__site": "residual_write"},
     ["mask_sets.theirs.intervention", "imported neurons are intermediate"]),
    ({"relevance_variants__logprob": {}}, ["relevance_variants.logprob", "replaces no setting", "rules, objective"]),
    ({"relevance_variants__logprob__site": "intermediate"}, ["relevance_variants.logprob", "unknown key 'site'"]),
    ({"sweeps__budgets": {}}, ["sweeps", "'budgets'", "did you mean 'budget'?"]),
    ({"sweeps__budget__suite": "quizz"}, ["sweeps.budget.suite", "'quizz'", "there are: quiz"]),
    ({"sweeps__budget__mask_sets": ["crane", "kran"]}, ["sweeps.budget.mask_sets", "'kran'"]),
    ({"sweeps__budget__mask_sets": ["lape"]}, ["sweeps.budget.mask_sets", "'lape'", "does not rank all neurons"]),
    ({"sweeps__budget__mask_sets": ["random"], "mask_sets__random__match": "lape"},
     ["sweeps.budget.mask_sets", "'random' is matched to 'lape'", "possible: crane, dispersion"]),
    ({"sweeps__budget__fractions": [0.1, 2]}, ["sweeps.budget.fractions.1", "2", "maximum of 1"]),
    ({"sweeps__threshold__mask_set": "crane"}, ["sweeps.threshold.mask_set", "'crane'", "no threshold"]),
    ({"sweeps__threshold__mask_set": "kran"}, ["sweeps.threshold.mask_set", "'kran'"]),
    ({"sweeps__ablation__mask_sets": ["lape"]}, ["sweeps.ablation.mask_sets", "'lape'", "possible: crane, dispersion"]),
    ({"sweeps__ablation__rules": ["all"]}, ["sweeps.ablation.rules.0", "'all'", "margin, target_only, contrast"]),
    (
        {"mask_sets__crane__intervention": {"scale": 0.5}},
        ["sweeps.budget.mask_sets: 'crane' has an intervention", "name a set without an intervention"],
    ),
    (
        {"mask_sets__crane_threshold__intervention": {"mean": True}},
        ["sweeps.threshold.mask_set: 'crane_threshold' has an intervention", "this sweep masks"],
    ),
    (
        {"mask_sets__again": {**LAPE_MATCHED, "match": "lape_matched"}},
        ["mask_sets.again.match", "'lape_matched'", "itself matched"],
    ),
    ({"sweeps__ablation__relevance": ["abs"]}, ["sweeps.ablation.relevance", "'abs'", "there are: logprob"]),
    ({"sweeps__intervention__mask_sets": ["x"]}, ["sweeps.intervention.mask_sets", "'x'"]),
    ({"perplexity__mask_sets": ["x"]}, ["perplexity.mask_sets", "'x'", "there are: crane"]),
    ({"demo__pretraining": REMOVE}, ["demo.pretraining", "missing", "'base' is trained (source: train_demo)"]),
    ({"demo__finetuning": REMOVE}, ["demo.finetuning", "missing", "'chat' is trained (source: finetune_demo)"]),
    ({"perplexity__documents": 501}, ["perplexity.documents", "1501", "1500"]),
]  # fmt: skip


@pytest.mark.parametrize(("edits", "parts"), WRONG, ids=lambda v: "-".join(v) if isinstance(v, dict) else "")
def test_wrong_configurations(config, edits, parts):
    lines = messages(changed(config, **edits))
    assert any(all(part in line for part in parts) for line in lines), lines


def test_all_errors_are_reported_at_once(config):
    lines = messages(changed(config, relevance__rules="lrp", judges__reference__kind="me", study=REMOVE))
    assert len(lines) == 3


@pytest.mark.parametrize("empty", [None, [], "demo", {}])
def test_what_is_no_mapping_is_refused(empty):
    assert messages(empty)


def test_the_config_is_not_changed(config):
    before = copy.deepcopy(config)
    Study(config)
    assert config == before


@pytest.mark.parametrize(
    ("key", "value", "advice"),
    [
        ("key_variable", "sk-123abc", "the name of an environment variable"),
        ("key_variable", 5, "the name of an environment variable"),
        ("base_url", "https://me:sk-123abc@host/v1", "without user name, password"),
        ("base_url", "https://host/v1?key=sk-123abc", "without user name, password"),
    ],
)
def test_a_key_in_the_wrong_place_is_named_and_not_repeated(config, key, value, advice):
    lines = messages(changed(config, judges__gpt={**GPT, key: value}))
    assert any(f"judges.gpt.{key}: must be" in line and advice in line for line in lines), lines
    assert "sk-123abc" not in "".join(lines)
