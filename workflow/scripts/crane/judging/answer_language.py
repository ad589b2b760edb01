"""The language of an answer, so that "switched to another language" and "lost the ability" can be told apart."""

import re
from collections.abc import Sequence

from lingua import Language, LanguageDetectorBuilder

NEIGHBOURS = ("en", "fr", "es", "pt", "de", "it", "ru", "ja", "ko", "id", "th", "ar")
"""Languages that an answer may switch to beside the study's own."""
FEWEST_WORDS = 3
"""Of a script with spaces; below, an answer has no language that could be told (`Paris` is a word of many)."""
FEWEST_CHARACTERS = 4
"""Of a script without spaces."""
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[^\W\d_]+")
# What a study may call a language of lingua: by two letters, by three, and by names of its own.
_KNOWN = {
    code.name.lower(): language
    for language in Language.all()
    for code in (language.iso_code_639_1, language.iso_code_639_3)
}
_ALIASES = {"no": "nb", "nor": "nb", "yue": "zh", "cmn": "zh", "fil": "tl"}


class LanguageIdentifier:
    """Tells a text's language by its n-grams (lingua, whose models lie in the package).

    Args:
        languages: codes of the study's languages, with or without a script (`zh_Hans`); candidates beside
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
            asked: code of the study's language that was asked in. lingua tells no scripts and no dialects: of two
                codes that it has as one language (`zh_Hans` and `zh_Hant`), the answer is in the one asked for.

        Returns:
            None where the text is too short or has no language, and where lingua lacks the language asked for: an
            answer in that language would be taken for one in its nearest neighbour.
        """
        if asked not in self._known:
            return None
        letters = _UNSPACED.findall(text)
        words = [word for word in _WORD.findall(text) if not _UNSPACED.search(word)]
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
