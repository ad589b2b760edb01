# What all rules share: the checked study, names in paths, and how params and logs are written.
import os
import sys

from snakemake.exceptions import WorkflowError

sys.path.insert(0, f"{workflow.basedir}/workflow/scripts")

# Threads that wait must not spin: two training or evaluation jobs on one machine would starve each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from crane.names import OPEN_SUITE, ORIGINAL
from crane.provenance import code_version
from crane.study import ConfigError, Study

try:
    study = Study(config)
except ConfigError as error:
    raise WorkflowError(str(error))

RESULTS = f"results/{study.name}"
FIRST = study.identification_model


# One leaf or several of the configuration, for a rule's params: see Study.pick.
pick = study.pick


# A wildcard constraint: one of these names, or nothing at all where there is none.
def among(names):
    return "|".join(names) or "(?!)"


# Layers and width of a model, for the params of rules that compare them with what they read.
def shape(wildcards):
    return {key: pick(f"models.{wildcards.model}.{key}") for key in ["intermediate_size", "layers"]}


wildcard_constraints:
    model="|".join(config["models"]),
    lang="|".join(study.languages),
    shard=r"\d+",
    layer=r"\d+",
    mask_set="|".join([ORIGINAL, *study.mask_sets]),
    suite="|".join([*config["suites"], OPEN_SUITE]),
