"""Links in the documentation lead somewhere, and folders of tables and figures hold what is shown, and nothing else."""

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
SHOWN = {"DEMO": ROOT / "docs" / "demo", "SMOLLM2": ROOT / "docs" / "smollm2"}
"""Study, as the Makefile calls it -> folder of its tables and figures that the documentation shows."""


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


@pytest.mark.parametrize("folder", SHOWN.values(), ids=SHOWN)
def test_only_tables_and_figures_of_the_documentation_are_kept(folder: Path) -> None:
    linked = {(page.parent / target).resolve() for page in PAGES for target in targets(page)}
    assert {path for path in folder.iterdir() if path not in linked} == set()


@pytest.mark.parametrize("study", SHOWN)
def test_make_copies_what_the_documentation_shows(study: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    names = {
        f"{name}.{ending}"
        for variable, ending in ((f"{study}_TABLES", "md"), (f"{study}_FIGURES", "png"))
        for name in re.search(rf"^{variable} := (.*)$", makefile, re.MULTILINE)[1].split()
    }
    assert names == {path.name for path in SHOWN[study].iterdir()}
