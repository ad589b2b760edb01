"""Links in the documentation lead somewhere, and docs/demo holds what is shown or linked, and nothing else."""

import re
from pathlib import Path

import pytest
from support.places import ROOT

PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    ROOT / "config" / "README.md",
    ROOT / "results" / "README.md",
]
DEMO = ROOT / "docs" / "demo"


def targets(page: Path) -> list[str]:
    """Return the targets of all links and images of a page."""
    return re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    texts = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in texts}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_heading(page: Path) -> None:
    for target in targets(page):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(path), f"{page.name}: {target}"


def test_the_demos_tables_and_figures_are_those_of_the_documentation() -> None:
    linked = {(page.parent / target).resolve() for page in PAGES for target in targets(page)}
    assert {path for path in DEMO.iterdir() if path not in linked} == set()


def test_make_copies_what_the_documentation_shows() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    names = {
        f"{name}.{ending}"
        for variable, ending in (("DOC_TABLES", "md"), ("DOC_FIGURES", "png"))
        for name in re.search(rf"^{variable} := (.*)$", makefile, re.MULTILINE)[1].split()
    }
    assert names == {path.name for path in DEMO.iterdir()}
