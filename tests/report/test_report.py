"""The report in a real browser without network: what a reader sees, category by category."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CATEGORIES = {"Answers", "Evidence", "Figures", "Provenance", "Tables"}
# Snakemake's report carries the script of Tailwind's CDN inside, which warns of itself. Nothing is fetched.
TAILWIND = "cdn.tailwindcss.com should not be used in production"
# What is shown of a result: a table's page, or a figure.
SHOWN = "(document.querySelector(\"iframe, img[src*='image/png']\") || {}).src"


class Reader:
    """One page of the browser, and everything that went wrong on it."""

    def __init__(self, page: Any, report: Path) -> None:
        self.page, self.said, self.fetched = page, [], []
        page.on("console", lambda message: self.said.append((message.type, message.text)))
        page.on("pageerror", lambda error: self.said.append(("error", str(error))))
        page.on("request", lambda request: self.fetched.append(request.url))
        self.url = report.as_uri()
        page.set_default_timeout(10_000)

    def open(self, *menu: str) -> None:
        self.page.goto(self.url)
        for name in menu:
            self.page.locator("nav, body").first.get_by_text(name, exact=True).first.click()

    def results(self) -> list[dict[str, str]]:
        """Return the labels of the results of the open category."""
        self.page.wait_for_selector("table")
        heads = [text.lower() for text in self.page.locator("thead th").all_inner_texts()]
        rows = self.page.locator("tbody tr")
        return [
            dict(zip(heads, rows.nth(i).locator("td").all_inner_texts(), strict=False))
            for i in range(rows.count())
        ]

    def view(self, row: int) -> None:
        self.page.locator("tbody tr").nth(row).locator("a[iconname=eye]").click()


@pytest.fixture(scope="session")
def reader(report: Path, chromium: str) -> Iterator[Reader]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Inside containers, where tests run as root, Chromium has no sandbox.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(offline=True, viewport={"width": 1500, "height": 1000}).new_page()
        yield Reader(page, report)
        browser.close()


def menus(reader: Reader) -> list[tuple[str, ...]]:
    """Return every category, with its subcategory where it has some."""
    found: list[tuple[str, ...]] = []
    for category in sorted(CATEGORIES):
        reader.open(category)
        reader.page.wait_for_timeout(150)
        names = [name.strip() for name in reader.page.locator("li a").all_inner_texts()]
        folders = names[names.index(category) + 1 :]  # the way back stands above
        found += [(category, name) for name in folders] or [(category,)]
    return found


def test_the_report_opens_without_network_or_errors(reader: Reader) -> None:
    reader.open()
    text = reader.page.inner_text("body")
    assert set(text.splitlines()) >= CATEGORIES
    assert "AttnLRP" in text and "LangSpec-F1" in text
    reader.page.wait_for_timeout(500)
    assert [said for said in reader.said if TAILWIND not in said[1]] == []
    assert {kind for kind, _ in reader.said} <= {"warning"}
    assert all(url.startswith(("file:", "data:")) for url in reader.fetched)


def test_it_begins_with_what_the_study_answers(reader: Reader, report: Path) -> None:
    reader.open()
    sentences = (report.parent / "answers.rst").read_text(encoding="utf-8").splitlines()
    assert len(sentences) == 2 * 2 * 2, "two models, methods that are no references, languages"
    shown = reader.page.locator("li").all_inner_texts()
    for sentence in sentences:
        assert sentence.removeprefix("* ").replace("**", "") in {" ".join(text.split()) for text in shown}
    body = reader.page.inner_text("body")
    assert body.index("What the study answers") < body.index("How it was made") < body.index("AttnLRP")


def test_every_figure_is_shown_and_every_table_opens(reader: Reader, report: Path) -> None:
    seen: dict[str, set[str]] = {"figure": set(), "table": set()}
    page = reader.page
    for menu in menus(reader):
        reader.open(*menu)
        for number, labels in enumerate(reader.results()):
            if "BibTeX" in labels.get("file", ""):
                continue  # for download
            # A label of two values becomes a switch, and the results of both one row.
            for choice in range(max(1, page.locator("fieldset label").count())):
                before = page.evaluate(SHOWN)
                if page.locator("fieldset label").count():
                    page.locator("fieldset label").nth(choice).click()
                reader.view(number)
                page.wait_for_function(
                    f"before => {{ const now = {SHOWN}; return now && now !== before }}", arg=before
                )
                if page.locator("iframe").count() == 0:
                    image = page.locator("img[src*='image/png']")
                    width = image.evaluate("async e => { await e.decode(); return e.naturalWidth }")
                    assert width > 100 and image.evaluate("e => e.clientWidth") > 100, (menu, labels)
                    seen["figure"].add(image.get_attribute("src"))
                else:
                    rows = page.frame_locator("iframe").locator("tbody tr")
                    rows.first.wait_for()
                    assert rows.count() > 1, (menu, labels)
                    seen["table"].add(page.locator("iframe").get_attribute("src"))
    assert len(seen["figure"]) == len(list((report.parent / "figures").glob("*.png")))
    # The provenance is one more.
    assert len(seen["table"]) == len(list((report.parent / "tables").glob("*.html"))) + 1
    assert [said for said in reader.said if TAILWIND not in said[1]] == []


def test_a_table_reads_as_its_text_form(reader: Reader, report: Path) -> None:
    reader.open("Tables")
    labels = reader.results()
    number = [row["table"] for row in labels].index("table1")
    reader.view(number)
    frame = reader.page.frame_locator("iframe")
    shown = frame.locator("tbody tr").all_inner_texts()
    text = (report.parent / "tables" / "table1.txt").read_text(encoding="utf-8")
    for line in shown:
        assert all(cell in text for cell in line.split("\t") if cell.strip())
    assert "Table 1." in frame.locator("caption").inner_text()
    assert "resamples" in frame.locator("ul").inner_text()


def test_captions_and_versions_are_there(reader: Reader) -> None:
    reader.open("Figures")
    number = next(i for i, row in enumerate(reader.results()) if row["figure"] == "random band")
    reader.page.locator("tbody tr").nth(number).locator("a[iconname=information-circle]").click()
    reader.page.wait_for_timeout(300)
    assert "smallest" in reader.page.inner_text("body") or "random seed" in reader.page.inner_text("body")
    reader.open("Provenance")
    number = next(i for i, row in enumerate(reader.results()) if "versions" in row["file"])
    reader.view(number)
    text = reader.page.frame_locator("iframe").locator("body").inner_text()
    assert re.search(r"library\s+drawn\s+1", text) and "0" * 64 in text
