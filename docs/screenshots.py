"""Take the pictures of docs/explorer.md, and print size and opening time of the page.

    python docs/screenshots.py <explorer.html> <folder> <layer/neuron> <number of the second mask set>

Needs what the tests of the report need (envs/report.txt, Chromium), and fonts of the demo's languages.
"""

import shutil
import sys
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

PICTURES = {"map": "light", "neurons": "light", "neuron": "light", "comparison": "dark"}
"""Part of the page -> colour scheme."""
READY = "body[data-ready]"


def main(page: Path, folder: Path, neuron: str, second: str) -> None:
    """Write the pictures of a page into a folder.

    Args:
        page: explorer.html.
        folder: of the pictures.
        neuron: layer/neuron that is shown.
        second: the mask set with which the first is compared, by number.
    """
    folder.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, scheme in PICTURES.items():
            size = {"width": 1100, "height": 900}
            tab = browser.new_context(offline=True, color_scheme=scheme, viewport=size).new_page()
            begin = time.monotonic()
            tab.goto(page.resolve().as_uri() + (f"#{neuron}" if name == "neuron" else ""))
            tab.wait_for_selector(READY)
            print(f"{name}: {page.stat().st_size / 1e6:.2f} MB, opened in {time.monotonic() - begin:.1f} s")
            tab.select_option("#other", second)
            tab.wait_for_timeout(500)
            tab.evaluate("document.activeElement.blur()")
            picture = folder / f"{name}.png"
            tab.locator(f"#{name}").screenshot(path=picture)
            Image.open(picture).convert("RGB").quantize(255).save(picture, optimize=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
