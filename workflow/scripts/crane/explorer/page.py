"""The explorer as one HTML file that needs no network: data and libraries compressed inside it."""

import base64
import gzip
import html
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import vl_convert

PARTS = Path(__file__).parents[3] / "explorer"
"""Folder of the page's template, style and script."""
_VEGA_LITE = "6.4"
"""The version of Vega-Lite that altair's specifications are for; vl-convert carries it and vega-embed inside."""


def packed(text: str) -> str:
    """Return a text compressed (gzip, without a time) and in base64."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


@cache
def library() -> str:
    """Return Vega, Vega-Lite and vega-embed as one script that defines `vegaEmbed`."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_VEGA_LITE)


def render(title: str, data: Mapping[str, Any]) -> str:
    """Return the page.

    Nothing of the data is written as HTML: they are compressed, and the script puts them in as text.

    Args:
        title: of the page.
        data: JSON values, from `crane.explorer.data` and `crane.explorer.examples`.
    """
    page, style, script = (
        (PARTS / f"page.{ending}").read_text(encoding="utf-8") for ending in ("html", "css", "js")
    )
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    filled = {
        "title": html.escape(title),
        "style": style,
        "data": packed(text),
        "library": packed(library()),
        "script": script,
    }
    # In one pass, so that nothing that is filled in is taken for a place to fill.
    pieces = page.split("@@")
    return "".join(piece if place % 2 == 0 else filled[piece] for place, piece in enumerate(pieces))
