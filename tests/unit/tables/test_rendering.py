"""A table in each of its forms."""

import re

import pytest
from crane.tables import rendering
from support.published_results import BASE, CHAT, EVERY, TRANSFERRED, table


def test_csv_holds_every_number():
    built = table([BASE, CHAT], "exam", TRANSFERRED)
    assert len(built.tidy) == 2 * 7 * 3
    assert rendering.render(built, "table3", "csv").count("\n") == 1 + len(built.tidy)
    row = built.tidy.query(
        f"model == {CHAT!r} and mask_set == 'crane' and mask_language == 'vi' and benchmark == 'belebele_vi'"
    ).iloc[0]
    assert (row["score"], row["f1"], row["n"]) == (0.2867, 0.4316, 900)
    assert row["drop"] == pytest.approx(0.4067 - 0.2867)


def test_latex_is_escaped_and_uses_booktabs():
    text = rendering.render(table([BASE], "exam", EVERY), "table1", "tex")
    assert r"Belebele\_vi (vi)" in text and r"95\% interval" in text and r"\toprule" in text
    assert "_vi" not in text.replace(r"\_vi", "") and text.isascii()
    grouped = rendering.render(table([BASE, CHAT], "exam", TRANSFERRED), "table3", "tex")
    assert r"\multicolumn{3}{c}{Base model}" in grouped


def test_every_sign_of_the_tables_is_escaped():
    assert "†‡§¶±−–".translate(rendering.LATEX).isascii()


def test_a_table_too_wide_for_a_terminal_is_broken_and_loses_nothing():
    """Read back by the rules under the headings: every part begins with the columns that name its rows."""
    built = table([BASE, CHAT], "exam", TRANSFERRED)
    text = rendering.render(built, "table3", "txt")
    assert max(map(len, text.splitlines())) <= rendering.TERMINAL_WIDTH
    parts = [part.splitlines() for part in text.split("\n\n")[1:-1]]
    read = []
    for lines in parts:
        (ruled,) = [place for place, line in enumerate(lines) if set(line) == {"-", " "}]
        columns = [match.span() for match in re.finditer("-+", lines[ruled])]
        cells = [[line[start:end].strip() for line in lines[ruled + 1 :]] for start, end in columns]
        assert cells[:2] == built.cells.iloc[:, :2].T.to_numpy().tolist()
        read += cells[2:]
    assert len(parts) == 2 and read == built.cells.iloc[:, 2:].T.to_numpy().tolist()


def test_markdown_has_title_table_and_notes():
    text = rendering.render(table([BASE], "open", EVERY), "table2", "md")
    assert text.startswith("**Table 2. Open-ended generation results on Base model")
    assert "| CRANE    | zh     |" in text and "- Scores by GPT-4." in text
    with pytest.raises(ValueError, match=r"form .pdf."):
        rendering.render(table([BASE], "open", EVERY), "table2", "pdf")
