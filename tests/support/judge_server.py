"""The local endpoint for judges as a process of its own, which outlives a client that is killed.

    cd tests && python -m support.judge_server '{"faults": 0.1}'

prints its port and serves until it is ended; the options are those of `judge_faults`.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from typing import Any

from aiohttp import web

from support.judge_endpoint import Endpoint
from support.judge_faults import Options
from support.places import ROOT


async def serve(options: Options) -> None:
    runner = web.AppRunner(Endpoint(options).application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    print(site._server.sockets[0].getsockname()[1], flush=True)  # type: ignore[attr-defined]
    await asyncio.Event().wait()


def serve_many() -> None:
    """Fork a server for each line of options and print its process and port; all end with the standard input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    running = []
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            print(os.getpid(), end=" ")
            asyncio.run(serve(Options(**json.loads(line))))
        running.append(pid)
    for pid in running:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@cache
def _forking() -> subprocess.Popen[str]:
    """Return the process that servers are forked from, which has imported what takes a third of a second."""
    command = [sys.executable, "-m", "support.judge_server"]
    return subprocess.Popen(
        command, cwd=ROOT / "tests", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


class Server:
    """The server in a process of its own; a context manager."""

    def __init__(self, **options: Any) -> None:
        self.options = Options(**options)

    def __enter__(self) -> "Server":
        forking = _forking()
        assert forking.stdin is not None and forking.stdout is not None
        forking.stdin.write(f"{json.dumps(asdict(self.options))}\n")
        self._pid, port = map(int, forking.stdout.readline().split())
        self.address = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.address}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            while True:  # until it is gone: nothing listens at its port then
                os.kill(self._pid, signal.SIGKILL)
                time.sleep(0.001)

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.address}/stats") as answer:
            return json.load(answer)


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(serve(Options(**json.loads(sys.argv[1]))))
    else:
        serve_many()
