"""Judging against a local endpoint: requests a second at concurrency 1 and 32, in one run.

Run by `make bench-judge`. The endpoint (`tests/support/judge_server.py`, a process of its own) takes 50 ms for an
answer, so that what is measured is the asking: client, store and parser. Prints both rates, their ratio, and the rate
at which a second run takes the same replies from the store. Read the ratio: single rates depend on the machine and its
disk.

    python bench/judge.py [answers at concurrency 32]
"""

import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "tests")]

from crane.judging.asking import ask_about  # noqa: E402
from crane.judging.endpoint import Endpoint  # noqa: E402
from crane.judging.online import OnlineJudge  # noqa: E402
from crane.judging.store import JudgementStore  # noqa: E402
from support.judge_server import Server  # noqa: E402

DELAY = 0.05
"""Seconds that the endpoint takes for an answer."""
CONCURRENCY = (1, 32)


def rate(server: Server, store: JudgementStore, first: int, count: int, concurrency: int) -> float:
    """Ask about some answers and return how many a second."""
    settings = {
        "base_url": server.base_url, "model": "judge-1", "prompt": "crane", "output": "json_schema",
        "kind": "openai", "max_tokens": 100, "attempts": 1,
    }  # fmt: skip
    answers = [
        {"question": f"Question {n}?", "output": f"Answer {n}. " * 40, "language": "en"}
        for n in range(first, first + count)
    ]
    start = time.perf_counter()
    ask_about(
        answers, {"en": "English"}, settings, store,
        lambda: OnlineJudge(Endpoint(server.base_url, "BENCH_KEY", 60), concurrency),
    )  # fmt: skip
    return count / (time.perf_counter() - start)


def main(count: int) -> None:
    """Measure both concurrencies alternately, three rounds, and print the medians."""
    os.environ["BENCH_KEY"] = "bench"
    measured: dict[int, list[float]] = {concurrency: [] for concurrency in CONCURRENCY}
    known = []
    with (
        tempfile.TemporaryDirectory(dir=ROOT) as folder,
        Server(delay=DELAY, key="bench") as server,
        JudgementStore(Path(folder) / "judgements.sqlite") as store,
    ):
        rate(server, store, 0, 10, 1)  # the libraries are loaded
        asked = 10
        for _ in range(3):
            for concurrency in CONCURRENCY:
                size = count if concurrency > 1 else count // 10
                measured[concurrency].append(rate(server, store, asked, size, concurrency))
                asked += size
            known.append(rate(server, store, asked - count, count, 1))
        stats = server.stats()
    one, many = (sorted(measured[concurrency])[1] for concurrency in CONCURRENCY)
    print(f"endpoint: {DELAY * 1000:.0f} ms per answer, {stats['requests']} requests, none twice: "
          f"{stats['most_answers_to_one'] == 1}, at most {stats['most_in_flight']} in flight")  # fmt: skip
    print(
        f"concurrency {CONCURRENCY[0]}: {one:.1f} a second; {CONCURRENCY[1]}: {many:.1f}; ratio {many / one:.1f}"
    )
    print(f"from the store: {sorted(known)[1]:.0f} a second")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 600)
