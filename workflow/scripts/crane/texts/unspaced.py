"""Scripts that write no spaces between words."""

import re

UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""A character of Thai, Lao, Burmese, Khmer, Japanese or Chinese."""
