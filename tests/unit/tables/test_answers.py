"""The first page says of made-up methods what is known of them, with the numbers of the tables."""

import pandas as pd
import pytest
from crane.tables.answers import answers_table, page
from crane.tables.rendering import Table, render
from docutils.core import publish_parts
from support.made_up_methods import LABELS, METHODS, contrasts, groups, stability, summaries


@pytest.fixture(scope="module")
def table() -> Table:
    return answers_table({"contrasts": contrasts()}, summaries(), groups(), LABELS, stability=stability())


def test_verdicts_by_method_and_language(table: Table) -> None:
    cells = table.cells.droplevel(0, axis=1)
    assert cells["Method"].tolist() == [name for name in METHODS.values() for _ in range(3)]
    assert cells["Mask"].tolist() == ["en", "zh", "vi"] * 3
    assert cells["NLU"].tolist() == ["selective"] * 3 + ["no loss"] * 3 + ["damage"] * 3
    assert cells["Stable"].tolist() == ["yes"] * 3 + ["no"] * 3 + ["yes"] * 3
    assert table.notes[0].startswith("Selective: ") and "too few" not in table.notes[0]


def test_a_method_that_works(table: Table) -> None:
    assert table.text[0] == (
        "Works, English: the 12 neurons are selective on NLU at the 1% level (accuracy: D +0.330 [0.240, 0.430], "
        "p = 0.009; en loses 0.330 [0.240, 0.420], of the others zh most, 0.000 [0.000, 0.000]; 0 of 4 masks of "
        "Random, with as many in each layer, have as large a D, p = 0.200); the choices from halves of the texts "
        "have a Jaccard index of 0.90 (0.10 by chance)."
    )


def test_a_method_that_does_nothing(table: Table) -> None:
    assert table.text[4] == (
        "Idle, Chinese: the 12 neurons are not shown to cost zh anything on NLU (accuracy: D 0.000 [0.000, 0.000], "
        "p = 1.000; zh loses 0.000 [0.000, 0.000], of the others en most, 0.000 [0.000, 0.000]; 4 of 4 masks of "
        "Random, with as many in each layer, have as large a D, p = 1.000); the choices from halves of the texts "
        "have a Jaccard index of 0.20 (0.10 by chance)."
    )


def test_a_method_that_breaks_everything(table: Table) -> None:
    sentence = table.text[8]
    assert sentence.startswith(
        "Breaks *all*, Vietnamese: the 12 neurons do damage on NLU, not shown to be selective"
    )
    assert "vi loses 1.000 [1.000, 1.000], of the others en most, 1.000 [1.000, 1.000]" in sentence


def test_a_method_that_works_no_better_than_random_masks() -> None:
    compared = contrasts()
    drawn = compared["label"] == "random"
    compared.loc[drawn, "difference"] = 0.5
    text = answers_table({"contrasts": compared}, summaries(), groups(), LABELS).text[0]
    assert "are selective on NLU at the 1% level, but random ones reach as much (" in text
    assert "4 of 4 masks of Random" in text
    alone = answers_table({"contrasts": compared[~drawn]}, summaries(), groups(), LABELS).text[0]
    assert (
        "at the 1% level (" in alone and "0 of 4 masks of Other random, with as many neurons, have" in alone
    )
    without = answers_table(
        {"contrasts": compared[compared["method"] == "crane"]}, summaries(), groups(), LABELS
    )
    assert "no random masks of as many neurons were measured" in without.text[0]
    assert without.cells["", "NLU"][0] == "uncompared"


def test_a_loss_that_may_be_no_more_than_anothers() -> None:
    compared = contrasts()
    compared["p"] = 0.5
    text = answers_table({"contrasts": compared}, summaries(), groups(), LABELS).text[0]
    assert "the 12 neurons cost en something on NLU, not shown to be more than they cost zh (" in text


def test_too_few_questions() -> None:
    few = answers_table({"contrasts": contrasts(questions=4)}, summaries(), groups(), LABELS)
    assert few.text[0] == (
        "Works, English: the 12 neurons cannot be judged on NLU, with too few questions or randomisations (p is at "
        "least 0.062 for each of 9 masks); whether other texts would choose them was not measured."
    )
    assert set(few.cells["", "Stable"]) == {"–"}


def test_references_alone_answer_nothing() -> None:
    compared = contrasts()
    empty = answers_table(
        {"contrasts": compared[compared["method"] == "random"]}, summaries(), groups(), LABELS
    )
    assert empty.text == [] and empty.cells.empty and page(empty) == ""


@pytest.mark.parametrize("form", ["md", "txt", "html", "tex"])
def test_every_form_has_the_sentences(table: Table, form: str) -> None:
    words = " ".join(render(table, "answers", form).split())
    assert words.count("the 12 neurons") == 9 and "nan" not in words
    if form == "tex":
        assert words.index("end{table*}") < words.index("the 12 neurons"), "they are no part of the caption"


def test_the_first_page_is_a_list_whatever_a_method_is_called(table: Table) -> None:
    html = publish_parts(page(table), writer="html")["body"]
    assert html.count("<li>") == 9 and "Breaks *all*, Vietnamese" in html
    assert "system-message" not in html


def test_many_random_seeds_on_a_part_of_the_questions_stand_in_place_of_few_on_all() -> None:
    about = {"model": "base", "suite": "quiz", "mask_set": "works", "mask_language": "en", "questions": 60}
    null = {"null": "many", "null_likeness": "same layers", "null_seeds": 199, "null_p": 8 / 200}
    sampled = pd.DataFrame(
        [{**about, "statistic": "d", **null}, {**about, "statistic": "f1", **null, "null_p": 1.0}]
    )
    measured = {"contrasts": contrasts()}, summaries(), groups(), LABELS
    table = answers_table(*measured, sampled_null=sampled, random={"many": "Many"})
    part = "7 of 199 masks of Many, with as many in each layer, on a part of 60 questions, have as large a D, p = 0.040"
    assert part in table.text[0] and "selective on NLU" in table.text[0]
    assert table.text[1:] == answers_table(*measured).text[1:]
    reached = answers_table(*measured, sampled_null=sampled.assign(null_p=0.5), random={"many": "Many"})
    assert "but random ones reach as much" in reached.text[0]
    few = answers_table(*measured, sampled_null=sampled.assign(null_seeds=3), random={"many": "Many"})
    assert few.text == answers_table(*measured).text
    for less in ("other size", "same size"):  # the random set on all questions has as many in each layer
        unlike = answers_table(
            *measured, sampled_null=sampled.assign(null_likeness=less), random={"many": "Many"}
        )
        assert unlike.text == answers_table(*measured).text
