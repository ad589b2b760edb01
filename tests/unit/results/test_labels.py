"""What a study calls its suites and mask sets."""

import pytest
from crane.results.labels import Labels, ResultsError
from support.published_results import BENCHMARKS, EVERY, LANGUAGES, labels


def test_some_mask_sets_keep_their_order() -> None:
    assert list(EVERY.only({"random", "lape", "another"}).mask_sets) == ["lape", "random"]
    assert EVERY.only(["crane"]) == labels("crane")


def test_names_say_how_many_seeds_there_are() -> None:
    assert EVERY.name("original") == "Original"
    assert EVERY.name("random") == "Random" and EVERY.name("random", 3) == "Random (3 seeds)"


def test_a_suite_is_named_where_there_are_several_of_its_kind() -> None:
    assert EVERY.title_of("exam") == "NLU" and EVERY.title_of("open") == "Open-ended generation"
    more = {"other": {**BENCHMARKS["mmlu"], "suite": "reading"}}
    both = Labels(LANGUAGES, benchmarks={**BENCHMARKS, **more})
    assert both.title_of("exam") == "NLU (exam)" and both.title_of("reading") == "NLU (reading)"
    assert both.benchmarks_of("reading") == ["other"]
    with pytest.raises(ResultsError, match="suite 'speech': not in the study, which has exam, open, reading"):
        both.title_of("speech")


def test_who_scored_is_said_of_open_answers_alone() -> None:
    assert EVERY.judge_line("open") == "\nscores by GPT-4" and EVERY.judge_line("exam") == ""
    assert Labels(LANGUAGES, benchmarks=BENCHMARKS).judge_line("open") == ""
