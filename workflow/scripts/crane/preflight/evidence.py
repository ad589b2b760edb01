"""Whether a study can measure the evidence for its neurons, told before relevance is measured."""

from crane.study.study import Study


def selection_null(study: Study) -> str:
    """Return how the selection null deals the shards, or why there is none and what it would take."""
    if not study.masks.nulled:
        return "none, because no mask set has a rule that can be repeated on texts of one language"
    shards, languages, dealt = study.config["corpora"]["shards"], len(study.languages), study.inputs.dealt
    if not dealt:
        return (
            f"none, because {shards} shards cannot be dealt to {languages} languages: tables will not say how many "
            f"neurons a rule selects without any difference of language; set corpora.shards to {languages} or more"
        )
    left = shards - sum(map(len, dealt.values()))
    return f"{len(dealt)} groups of {len(dealt['1'])} shards" + (
        f"; {left} of {shards} shards are in no group" if left else ""
    )
