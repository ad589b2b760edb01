"""The settings of a judge: those that determine its reply, those that determine how a reply is parsed, and its name.

Imported by the Snakefile on every node, so nothing heavy is imported here.
"""

from collections.abc import Mapping
from typing import Any

from crane.study.ordering import key_sorted

BASE_URL = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
_DEFAULT_SPEED = {"concurrency": 8, "timeout": 120, "poll_seconds": 60}
_OF_THE_REQUEST = ("kind", "model", "prompt", "output", "temperature", "seed", "max_tokens", "attempts")
OPENAI_DIALECT = {"max_tokens": "max_completion_tokens", "system": True}
_OF_CHRF = ("kind", "char_order", "word_order")


def request(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that determine the replies; optional ones only if given."""
    if settings["kind"] == "reference":
        return {key: settings[key] for key in _OF_CHRF}
    chosen = {key: settings[key] for key in _OF_THE_REQUEST if settings.get(key) is not None}
    dialect = {k: v for k, v in settings.get("dialect", {}).items() if v != OPENAI_DIALECT[k]}
    if dialect:  # OpenAI's own is what a judge without this key has: the same requests
        chosen["dialect"] = key_sorted(dialect)
    return {**chosen, "base_url": settings.get("base_url", BASE_URL).rstrip("/")}


def reading(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the parser of a reply needs."""
    return {key: settings[key] for key in ("kind", "prompt", "output") if key in settings}


def speed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return concurrency, timeout and polling interval, and the name of the key's variable ("" for no key)."""
    chosen = {key: settings.get(key, default) for key, default in _DEFAULT_SPEED.items()}
    return {**chosen, "key_variable": settings.get("key_variable", KEY_VARIABLE) or ""}


def describe(settings: Mapping[str, Any]) -> str:
    """Return the name of a judge in tables and figures: its label, and what it is."""
    if settings["kind"] == "reference":
        return f"{settings['label']} (1-10 from chrF against a reference answer; not an LLM)"
    return f"{settings['label']} ({settings['model']}, prompt {settings['prompt']})"


class Judges:
    """The judges of a study, in its order.

    Args:
        config: the checked configuration; a study without open questions has no judges.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._judges: Mapping[str, Mapping[str, Any]] = config.get("judges", {})
        self._languages = config["languages"]

    @property
    def names(self) -> list[str]:
        """All judges."""
        return list(self._judges)

    @property
    def first(self) -> str | None:
        """The judge whose scores are shown in tables and figures."""
        return next(iter(self._judges), None)

    @property
    def by_reference(self) -> bool:
        """Whether a judge compares answers with references."""
        return len(self.paid) < len(self.names)

    @property
    def paid(self) -> list[str]:
        """The judges behind endpoints."""
        return [name for name, settings in self._judges.items() if settings["kind"] != "reference"]

    def request(self, judge: str) -> dict[str, Any]:
        """Return the settings that determine a judge's replies."""
        return key_sorted(request(self._judges[judge]))

    def languages(self, judge: str) -> dict[str, str]:
        """Return the names of the languages if a judge's prompt mentions them."""
        languages = self._languages if judge in self.paid else {}
        return {code: languages[code]["name"] for code in sorted(languages)}

    def reading(self, judge: str) -> dict[str, Any]:
        """Return the settings that determine how a reply is parsed."""
        return key_sorted(reading(self._judges[judge]))

    def speed(self, judge: str) -> dict[str, Any]:
        """Return the settings that change no reply: speed, and the variable of the key."""
        return speed(self._judges[judge])

    def files(self, judge: str) -> list[str]:
        """Return the file of a judge's prompt, relative to `workflow`."""
        prompt = self._judges[judge].get("prompt")
        return [f"prompts/{prompt}.yaml"] if prompt else []

    def labels(self, judges: list[str] | None = None) -> dict[str, str]:
        """Return the names of judges in tables; all of them by default."""
        return {name: describe(self._judges[name]) for name in (self.names if judges is None else judges)}

    def prices(self) -> dict[str, dict[str, float]]:
        """Return the prices of the judges that have one."""
        priced = [name for name in self.paid if "price" in self._judges[name]]
        return {name: key_sorted(self._judges[name]["price"]) for name in priced}
