"""The language of an answer, which distinguishes "switched to another language" from "lost the ability"."""

import re
from collections.abc import Sequence

from lingua import Language, LanguageDetectorBuilder

from crane.texts.unspaced import UNSPACED

NEIGHBOURS = ("en", "fr", "es", "pt", "de", "it", "ru", "ja", "ko", "id", "th", "ar")
"""Languages that an answer may switch to, besides the study's."""
FEWEST_WORDS = 3
"""Minimum length of an answer in a script with spaces; shorter ones (`Paris`) cannot be identified."""
FEWEST_CHARACTERS = 4
"""Minimum length of an answer in a script without spaces."""
_WORD = re.compile(r"[^\W\d_]+")
# Codes by which a study may name a language of lingua: ISO 639-1, ISO 639-3, and aliases.
_KNOWN = {
    code.name.lower(): language
    for language in Language.all()
    for code in (language.iso_code_639_1, language.iso_code_639_3)
}
_ALIASES = {"no": "nb", "nor": "nb", "yue": "zh", "cmn": "zh", "fil": "tl"}


class LanguageIdentifier:
    """Identifies a text's language by its n-grams (lingua, whose models come with the package).

    Args:
        languages: codes of the study's languages, with or without a script (`zh_Hans`); candidates in addition to
            `NEIGHBOURS`.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self._known = {code: language for code in languages if (language := _lingua_language(code))}
        candidates = {*self._known.values(), *(_KNOWN[code] for code in NEIGHBOURS)}
        self._detector = LanguageDetectorBuilder.from_languages(
            *sorted(candidates, key=lambda language: language.name)
        ).build()

    def __call__(self, text: str, asked: str) -> str | None:
        """Return the code of an answer's language.

        Args:
            text: the answer.
            asked: code of the language of the question. lingua does not distinguish scripts or dialects: if two codes
                are one language to it (`zh_Hans` and `zh_Hant`), the answer counts as the one asked for.

        Returns:
            None if the text is too short or has no language, or if lingua does not know the language asked for: an
            answer in it would be taken for its nearest neighbour.
        """
        if asked not in self._known:
            return None
        letters = UNSPACED.findall(text)
        words = [word for word in _WORD.findall(text) if not UNSPACED.search(word)]
        if len(letters) < FEWEST_CHARACTERS and len(words) < FEWEST_WORDS:
            return None
        detected = self._detector.detect_language_of(text)
        if detected is None:
            return None
        codes = [code for code in (asked, *self._known) if self._known[code] == detected]
        return codes[0] if codes else detected.iso_code_639_1.name.lower()


def _lingua_language(code: str) -> Language | None:
    language = code.split("_")[0]
    return _KNOWN.get(_ALIASES.get(language, language))
