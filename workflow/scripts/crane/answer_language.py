"""The language of an answer, so that "switched to another language" and "lost the ability" can be told apart."""

import re
from collections.abc import Sequence

from lingua import IsoCode639_1, Language, LanguageDetectorBuilder

NEIGHBOURS = ("en", "fr", "es", "pt", "de", "it", "ru", "ja", "ko", "id", "th", "ar")
"""Languages that an answer may switch to beside the study's own."""
FEWEST_WORDS = 3
"""Of a script with spaces; below, an answer has no language that could be told (`Paris` is a word of many)."""
FEWEST_CHARACTERS = 4
"""Of a script without spaces."""
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[^\W\d_]+")
_KNOWN = {language.iso_code_639_1.name.lower(): language for language in Language.all()}
# Codes that a study may use for a language that lingua has under another one.
_ALIASES = {"no": "nb", "yue": "zh", "fil": "tl"}


class LanguageIdentifier:
    """Tells a text's language by its n-grams (lingua, whose models lie in the package).

    Args:
        languages: codes of the study's languages, with or without a script (`zh_Hans`); candidates beside
            `NEIGHBOURS`.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self._codes = {_lingua_code(code): code for code in languages}
        known = sorted({*NEIGHBOURS, *self._codes} & _KNOWN.keys())
        codes = [getattr(IsoCode639_1, code.upper()) for code in known]
        self._detector = LanguageDetectorBuilder.from_iso_codes_639_1(*codes).build()

    def __call__(self, text: str) -> str | None:
        """Return the code of a text's language, None where it is too short or has none."""
        letters = _UNSPACED.findall(text)
        words = [word for word in _WORD.findall(text) if not _UNSPACED.search(word)]
        if len(letters) < FEWEST_CHARACTERS and len(words) < FEWEST_WORDS:
            return None
        found = self._detector.detect_language_of(text)
        if found is None:
            return None
        code = found.iso_code_639_1.name.lower()
        return self._codes.get(code, code)


def _lingua_code(code: str) -> str:
    language = code.split("_")[0]
    return _ALIASES.get(language, language)
