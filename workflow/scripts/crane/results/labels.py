"""What a study calls its models, languages, benchmarks and mask sets, and in which order it shows them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from crane.errors import CraneError
from crane.names import ORIGINAL

KINDS = {"nlu": ("NLU", "accuracy"), "open": ("Open-ended generation", "judge score, 1-10")}


class ResultsError(CraneError, ValueError):
    """The results lack what a table or a figure of the study shows, or it cannot be shown."""


@dataclass(frozen=True)
class Labels:
    """What the study calls things; the order of each mapping is the order of presentation."""

    languages: Mapping[str, str]
    """Code -> English name."""
    mask_sets: Mapping[str, str] = field(default_factory=dict)
    """Mask set without its seed -> display label; the unmasked `original` is not among them."""
    benchmarks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Name -> label, language (its code), suite and kind (`nlu` or `open`)."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Name -> display label."""
    judge: str = ""
    """What scored the open answers, said wherever their scores are shown."""

    def only(self, mask_sets: Collection[str]) -> "Labels":
        """Return the labels with some of the mask sets, in the same order."""
        kept = {name: label for name, label in self.mask_sets.items() if name in mask_sets}
        return replace(self, mask_sets=kept)

    def name(self, label: str, seeds: int = 1) -> str:
        """Return the display label of a mask set, with its seeds if they are several."""
        shown = "Original" if label == ORIGINAL else self.mask_sets[label]
        return f"{shown} ({seeds} seeds)" if seeds > 1 else shown

    def benchmarks_of(self, suite: str) -> list[str]:
        """Return the benchmarks of a suite.

        Raises:
            ResultsError: the study has no such suite.
        """
        names = [name for name, facts in self.benchmarks.items() if facts["suite"] == suite]
        if not names:
            known = dict.fromkeys(facts["suite"] for facts in self.benchmarks.values())
            raise ResultsError(f"suite {suite!r}: not in the study, which has {', '.join(known)}")
        return names

    def kind_of(self, suite: str) -> str:
        """Return the kind of a suite's benchmarks: `nlu` or `open`."""
        return self.benchmarks[self.benchmarks_of(suite)[0]]["kind"]

    def title_of(self, suite: str) -> str:
        """Return what a suite's results are called, with its name where the study has others of the kind."""
        kind = self.kind_of(suite)
        alike = {facts["suite"] for facts in self.benchmarks.values() if facts["kind"] == kind}
        return KINDS[kind][0] + (f" ({suite})" if len(alike) > 1 else "")

    def measure_of(self, suite: str) -> str:
        """Return what the scores of a suite are."""
        return KINDS[self.kind_of(suite)][1]

    def judge_line(self, suite: str) -> str:
        """Return a line that says who scored the open answers; empty for benchmarks."""
        return f"\nscores by {self.judge}" if self.kind_of(suite) == "open" and self.judge else ""
