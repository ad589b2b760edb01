"""The parts of a language's samples that are measured one by one."""

from crane.artefacts import ArtefactError


def shard_rows(total: int, shard: int, shards: int) -> range:
    """Return the rows of one of `shards` nearly equal, consecutive parts."""
    if not 0 <= shard < shards <= total:
        raise ArtefactError(f"{total} samples cannot be cut into {shards} shards (shard {shard} asked for)")
    return range(total * shard // shards, total * (shard + 1) // shards)
