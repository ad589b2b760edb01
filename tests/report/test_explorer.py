"""The explorer in a real browser without network: filter, sort, open, compare, with hostile texts inside."""

import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.explorer_page import HOSTILE, TEXTS, page_data, write_page

TIMED = "const begin = performance.now();"
SORT = "document.querySelector('button[data-column=std]').click();"
SEARCH = (
    "const field = document.getElementById('search'); field.value = '1/2';"
    "field.dispatchEvent(new Event('input', {bubbles: true}));"
)


@cache
def drawn() -> dict[str, Any]:
    """Return the data of the page, made when the first test needs them."""
    return page_data()


@cache
def labels() -> list[str]:
    """Return layer/number of every neuron with details."""
    neurons = drawn()["neurons"]
    return [f"{k}/{i}" for k, i in zip(neurons["layer"], neurons["number"], strict=True)]


def margins_of_the_first_set() -> list[float]:
    rows = drawn()["rows"]
    return [margin for margin, number in zip(rows["margin"], rows["set"], strict=True) if number == 0]


class Page:
    """A page of the browser, and everything that it complained of or asked for."""

    def __init__(self, browser: Any, path: Path) -> None:
        self.said: list[str] = []
        self.fetched: list[str] = []
        self.page = browser.new_context(offline=True).new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.fetched.append(request.url))
        self.page.set_default_timeout(20_000)
        self.url = path.as_uri()

    def open(self, place: str = "") -> None:
        self.page.goto("about:blank")
        self.page.goto(self.url + place)
        self.page.wait_for_selector("body[data-ready]")

    def column(self, name: str) -> list[str]:
        heads = [text.strip("▲▼ \n") for text in self.page.locator("#table thead th").all_inner_texts()]
        rows = self.page.locator("#table tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
        )
        return [row[heads.index(name)] for row in rows]

    def rows(self) -> int:
        return int(self.page.inner_text("#told").split()[0])


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Inside containers, where tests run as root, Chromium has no sandbox.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def explorer(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    page = Page(browser, write_page(tmp_path_factory.mktemp("explorer") / "explorer.html", drawn()))
    yield page
    # After everything that the tests of this module did with it.
    assert page.said == []
    assert all(url.startswith(("file:", "about:", "data:", "blob:")) for url in page.fetched)


def test_it_opens_with_map_table_and_comparison(explorer: Page) -> None:
    explorer.open()
    assert explorer.page.title() == explorer.page.inner_text("h1") == "Neurons of <drawn>"
    for chart in ("map-chart", "shared-chart"):
        canvas = explorer.page.locator(f"#{chart} canvas")
        assert canvas.evaluate("canvas => canvas.clientWidth * canvas.clientHeight") > 10_000
    assert "English 24, Arabic 24, Chinese <b> 24 of 120 neurons" in explorer.page.inner_text("#map-told")
    assert explorer.rows() == 3 * 12


def test_heads_sort_by_keyboard_and_say_so(explorer: Page) -> None:
    explorer.open()
    head = explorer.page.locator("#table thead button", has_text="Margin")
    head.focus()
    explorer.page.keyboard.press("Enter")
    falling = [float(text) for text in explorer.column("Margin")]
    assert falling == sorted(falling, reverse=True)
    assert head.locator("..").get_attribute("aria-sort") == "descending"
    explorer.page.keyboard.press("Enter")  # the focus is still there
    rising = [float(text) for text in explorer.column("Margin")]
    assert rising == sorted(rising) and rising != falling
    # The shown page is the beginning of all rows.
    assert rising == pytest.approx(sorted(margins_of_the_first_set())[: len(rising)], rel=1e-3)


def test_filters_keep_what_they_say(explorer: Page) -> None:
    explorer.open()
    explorer.page.select_option("#language", "ar")
    assert explorer.rows() == 12 and set(explorer.column("Language")) == {"Arabic"}
    explorer.page.select_option("#layer", "1")
    assert all(label.startswith("1/") for label in explorer.column("Neuron"))
    explorer.page.click("text=Clear")
    explorer.page.wait_for_function("document.getElementById('told').textContent.startsWith('36 ')")
    explorer.page.fill("#search", labels()[0])
    assert set(explorer.column("Neuron")) <= {label for label in labels() if label.startswith(labels()[0])}
    explorer.page.fill("#search", "")
    explorer.page.fill("#margin", "0.5")
    expected = sum(margin >= 0.5 for margin in margins_of_the_first_set())
    assert explorer.rows() == expected
    explorer.page.fill("#margin", "")
    explorer.page.check("#whole")
    assert explorer.rows() == len(drawn()["rows"]["neuron"])
    assert "<i>Other</i> & co" in explorer.page.inner_text("#told, #set")


def test_pages_turn(explorer: Page) -> None:
    explorer.open()
    first = explorer.column("Neuron")
    assert explorer.page.locator("#back").is_disabled()
    explorer.page.click("#next")
    assert len(explorer.column("Neuron")) == 36 - len(first)
    assert explorer.page.locator("#next").is_disabled()
    explorer.page.click("#first")
    assert explorer.column("Neuron") == first


def test_a_link_opens_a_neuron_with_its_texts(explorer: Page) -> None:
    explorer.open(f"#{labels()[3]}")
    page = explorer.page
    assert page.inner_text("#neuron-title") == f"Neuron {labels()[3]}"
    assert page.evaluate("document.activeElement.id") == "neuron-title", "where a screen reader goes on"
    texts = page.locator("p.tokens")
    assert texts.count() == 2 * 3
    assert set(texts.all_text_contents()) == {"".join(text) for text in TEXTS.values()}
    assert page.locator("p.tokens[lang=ar][dir=auto]").first.evaluate(
        "p => getComputedStyle(p).direction"
    ) == ("rtl")
    tokens = page.locator("p.tokens[lang=zh]").first.locator("span").all_text_contents()
    assert tokens == ["你", "好", "世界", "。"], "a part of a character is joined with its end"
    assert page.locator("#spread-chart canvas").evaluate("canvas => canvas.clientWidth") > 300
    heads = page.locator("#detail h3").all_inner_texts()
    assert heads[0] == "Relevance in each language" and "Statistics" in heads
    assert "Measured effect of zeroing it" not in heads, "it is of the first neuron alone"
    explorer.open(f"#{labels()[0]}")
    effect = page.locator("#detail table").last.inner_text().split()
    assert effect == ["Language", "Change", "Odd", "texts", "English", "0.125", "-0.25"]


def test_its_statistics_and_ranks_are_those_of_the_data(explorer: Page) -> None:
    explorer.open(f"#{labels()[5]}")
    lines = explorer.page.locator("#detail table tr").evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
    )
    table = {line[0]: line[1:] for line in lines}
    kurtosis = [drawn()["statistics"][code]["kurtosis"][5] for code in TEXTS]
    assert [float(text) for text in table["Kurtosis"]] == pytest.approx(kurtosis, rel=1e-3)
    ranks = [drawn()["ranks"][0][code][5] for code in TEXTS]
    assert [int(text.split()[0]) for text in table["CRANE"]] == ranks
    assert drawn()["ranks"][1] is None and set(table["<i>Other</i> & co"]) <= {"✓", "–"}


def test_links_and_shading_work_without_loading_again(explorer: Page) -> None:
    explorer.open()
    link = explorer.page.locator("#table tbody a").nth(2)
    label = link.inner_text()
    link.focus()
    explorer.page.keyboard.press("Enter")
    explorer.page.wait_for_function(
        f"document.getElementById('neuron-title').textContent === 'Neuron {label}'"
    )
    assert explorer.page.url.endswith(f"#{label}")
    colours = "() => [...document.querySelectorAll('p.tokens span')].map(s => s.style.backgroundColor).join()"
    before = explorer.page.evaluate(colours)
    explorer.page.select_option("#shading", "values")
    assert explorer.page.evaluate(colours) != before


def test_a_neuron_without_details_is_said_to_have_none(explorer: Page) -> None:
    beyond = next(f"0/{i}" for i in range(drawn()["width"]) if f"0/{i}" not in labels())
    explorer.open(f"#{beyond}")
    assert "no details" in explorer.page.inner_text("#detail")


def test_texts_and_names_are_never_html(explorer: Page) -> None:
    explorer.open(f"#{labels()[0]}")
    explorer.page.select_option("#set", "1")
    assert explorer.page.title() == "Neurons of <drawn>"
    assert all(text in explorer.page.inner_text("#detail") for text in HOSTILE)
    assert explorer.page.locator("main img, main script, main i, main b").count() == 0


def test_the_comparison_counts_what_both_have(explorer: Page) -> None:
    explorer.open()
    one, other = ({} for _ in range(2))
    for found, mask_set in zip((one, other), drawn()["sets"], strict=True):
        for code, steps in mask_set["members"].items():
            total = 0
            found[code] = {total := total + step for step in steps}
    lines = explorer.page.locator("#shared tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
    )
    for line, code in zip(lines, TEXTS, strict=True):
        a, b = one[code], other[code]
        assert [int(n) for n in line[1:6]] == [len(a), len(b), len(a - b), len(a & b), len(b - a)]
        assert float(line[6]) == pytest.approx(len(a & b) / len(a | b), rel=1e-3)
    assert explorer.page.locator("#shared-lists details").count() == 3 * 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dark_mode_has_its_own_colours(explorer: Page, scheme: str) -> None:
    explorer.page.emulate_media(color_scheme=scheme)
    explorer.open()
    colour = explorer.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") == (scheme == "light")


def test_ten_thousand_neurons_stay_usable(
    browser: Any, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Times are reported, not asserted; what has to hold is that it opens, sorts and filters at all."""
    data = page_data(layers=4, width=3000, per_layer=1700, most=6800)
    assert len(data["neurons"]["layer"]) > 10_000
    page = Page(browser, write_page(tmp_path / "large.html", data))
    begin = time.monotonic()
    page.open()
    opened = time.monotonic() - begin
    page.page.check("#whole")
    page.page.locator("#table thead button", has_text="Kurtosis").click()
    values = [float(text) for text in page.column("Kurtosis")]
    assert values == sorted(values, reverse=True)
    assert page.rows() == len(data["rows"]["neuron"]) > 20_000
    sort, search = (page.page.evaluate(f"() => {{ {TIMED} {action}; return performance.now() - begin }}")
                    for action in (SORT, SEARCH))  # fmt: skip
    assert 0 < page.rows() < 10_000
    size = (tmp_path / "large.html").stat().st_size
    for name, value in {"open_s": opened, "sort_ms": sort, "search_ms": search, "bytes": size}.items():
        record_property(name, value)
    print(f"{len(data['neurons']['layer'])} neurons, {len(data['rows']['neuron'])} rows, {size / 1e6:.1f} MB: opened "
          f"in {opened:.1f} s, sorted in {sort:.0f} ms, searched in {search:.0f} ms")  # fmt: skip
    assert page.said == []
