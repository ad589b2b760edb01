"""The cost of steering the identification model between pairs of languages."""

from crane.names import OPEN_SUITE, ORIGINAL, PERPLEXITY
from crane.preflight.assumptions import Assumptions
from crane.preflight.part_costs import part_cost
from crane.study.study import Study


def steering_cost(study: Study, assumed: Assumptions, size: float) -> tuple[float, float]:
    """Return the GPU seconds and the bytes of all steered answers, known answers and texts, starts of jobs included.

    Under a pair of languages the questions of one language are asked, and the texts of all are read.

    Args:
        study: the study, with the section `steering`.
        assumed: assumptions.
        size: parameters of the identification model.
    """
    model, steering = study.identification_model, study.steering
    seconds = disk = 0.0
    answered = part_cost(study, model, OPEN_SUITE, assumed, size)
    read = (0.0, 0.0)
    if steering.documents:
        share = steering.documents / study.config["perplexity"]["documents"]
        whole = part_cost(study, model, PERPLEXITY, assumed, size)
        read = whole[0] * share, whole[1] * share
    languages = len(study.languages)
    for group, members in steering.groups.items():
        seconds += study.config["evaluation"]["gpus"] * 60 * assumed.start_minutes
        asked = languages if group == ORIGINAL else len(steering.pairs)
        texts = 1 if group == ORIGINAL else len(steering.pairs)
        seconds += len(members) * (asked / languages * answered[0] + texts * read[0])
        disk += len(members) * (asked / languages * answered[1] + texts * read[1])
    return seconds, 2 * disk
