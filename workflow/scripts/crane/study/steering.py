"""Steering: which pairs of languages, under which mask sets, and what decides the answers.

Imported by the Snakefile on every node, so nothing heavy is imported here.
"""

from collections.abc import Mapping
from functools import cached_property
from itertools import permutations
from typing import Any

from crane.names import OPEN_SUITE, ORIGINAL
from crane.study.interventions import canonical, needs_measured, operation
from crane.study.masks import MaskSets

HOW = ("activate", "deactivate", "site")
"""Settings that say what is done to the neurons."""


class Steering:
    """The section `steering`, expanded; nothing without it.

    Args:
        config: the checked configuration.
        masks: its mask sets.
    """

    def __init__(self, config: Mapping[str, Any], masks: MaskSets) -> None:
        self._asked: Mapping[str, Any] = config.get("steering", {})
        self._languages = list(config["languages"])
        self._parallel = OPEN_SUITE in config["scores"].get("parallel", ())
        self._masks = masks

    def __bool__(self) -> bool:
        return bool(self._asked)

    @property
    def pairs(self) -> list[list[str]]:
        """Languages asked in and targets."""
        return [list(pair) for pair in self._asked.get("pairs", permutations(self._languages, 2))]

    @cached_property
    def how(self) -> dict[str, Any]:
        """What is done to the neurons, for `params`."""
        given = {key: self._asked[key] for key in HOW if key in self._asked}
        return canonical({"steer": given})["steer"]

    @property
    def groups(self) -> dict[str, list[str]]:
        """The unmasked model and the steered mask sets, seeds expanded: a job for each group."""
        if not self:
            return {}
        steered = {
            name: [one for one, settings in self._masks.shown.items() if settings["group"] == name]
            for name in self._asked["mask_sets"]
        }
        return {ORIGINAL: [ORIGINAL], **steered}

    @property
    def documents(self) -> int:
        """Held-out texts per language; 0 if their perplexity is not measured."""
        return self._asked.get("documents", 0)

    @property
    def knows_answers(self) -> bool:
        """Whether the same question has an answer in each language: the open questions are parallel."""
        return self._parallel

    def need_means(self, group: str) -> bool:
        """Whether the means or medians of neurons are needed to steer the sets of a group."""
        return group != ORIGINAL and needs_measured({"steer": self.how})

    def described(self) -> str:
        """Return what is done to the neurons, in words; empty without the section."""
        if not self:
            return ""
        off, on = operation(self.how["deactivate"]), operation(self.how["activate"])
        site = self.how["site"]
        return f"{site} of the neurons of the language asked in: {off}; {site} of the target's neurons: {on}"
