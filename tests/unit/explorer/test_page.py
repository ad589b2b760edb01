"""The file itself: nothing to fetch, nothing of the data as HTML, the same bytes each time."""

import base64
import gzip
import json
import re

from crane.explorer.charts import COLUMNS, SEVERAL, bin_width, charts
from crane.explorer.page import render
from crane.figures.style import COLOURS


def test_a_page_is_one_file_with_its_data_inside():
    data = {"texts": ["</script><script>@@style@@", "é語"], "number": 0.5}
    page = render("A <b>title</b> @@data@@", data)
    assert page == render("A <b>title</b> @@data@@", data)
    assert "<title>A &lt;b&gt;title&lt;/b&gt; @@data@@</title>" in page
    packed = re.search(r'id="data">([^<]*)<', page)[1]
    assert json.loads(gzip.decompress(base64.b64decode(packed))) == data
    assert not re.search(r'(src|href)="(?!#|data:)', page), "nothing to fetch"
    library = gzip.decompress(base64.b64decode(re.search(r'id="library">([^<]*)<', page)[1])).decode()
    assert "window.vegaEmbed" in library and "import " not in library[:200]
    assert len(page) < 600_000


def test_layers_of_any_width_fit_on_the_map():
    assert [bin_width(width) for width in (1, 256, 257, 11008)] == [1, 1, 2, 43]
    assert all(-(-width // bin_width(width)) <= COLUMNS for width in (1, 256, 257, 300, 1024, 11008))


def test_languages_keep_their_colours_and_overlaps_are_black_or_white():
    both = charts(["English", "Chinese"], 32, 11008)
    for theme, several in (("light", "#000000"), ("dark", "#ffffff")):
        colour = both[theme]["map"]["encoding"]["color"]["scale"]
        assert colour == {"domain": ["English", "Chinese", SEVERAL], "range": [*COLOURS[:2], several]}
        assert all(chart["$schema"].endswith("v6.4.1.json") for chart in both[theme].values())
