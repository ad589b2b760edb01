"""A local endpoint that speaks OpenAI's chat completions, models, files and batches over HTTP, with faults on purpose.

    python tests/judge_server.py '{"faults": 0.1}'

prints its port and serves until it is ended. Which request meets which fault follows from a hash of its body, so that
a run can be repeated. `/stats` counts what arrived, what was answered in full, and which faults were met. `Server`
starts it as a process of its own, which outlives a client that is killed.
"""

import asyncio
import hashlib
import json
import subprocess
import sys
import urllib.request
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

BEFORE = ("429", "429 with Retry-After", "500", "503", "408", "drop", "silence", "cut JSON", "web page")
"""Faults before an answer: the same request is answered when it is sent again."""
ANSWERS = ("empty", "refusal", "no verdict")
"""Answers that hold no verdict: the re-ask is answered with one, but for `stubborn` questions."""


@dataclass
class Options:
    """How the server behaves."""

    faults: float = 0.0
    """Share of the requests that meet a fault."""
    kinds: list[str] = field(default_factory=lambda: [*BEFORE, *ANSWERS])
    stubborn: float = 0.0
    """Share of the questions about which no reply holds a verdict."""
    delay: float = 0.0
    """Seconds that an answer takes."""
    models: list[str] | None = field(default_factory=lambda: ["judge-1"])
    """None: there is no such route."""
    key: str = "test-key"
    loose_tongue: bool = False
    """Repeat the caller's key in every error and in every reply."""
    polls: int = 2
    """Looks at a batch until it has ended."""
    batch_faults: list[str] = field(default_factory=list)
    """Of the first, second, ... batch: expired, missing ids, errors, failed, cut line, lost answer."""
    lose_answers_to_create: int = 0
    """Batches that are created although the connection is lost before the client is told."""
    always: int = 0
    """HTTP status of every completion, if not 0."""


def digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def share(key: str, salt: str) -> float:
    return int(hashlib.sha256(f"{salt}{key}".encode()).hexdigest()[:8], 16) / 16**8


def about(body: dict[str, Any]) -> str:
    """Return question and answer: what stays the same in a re-ask."""
    text = body["messages"][-1]["content"]
    return text[text.index("<question>") : text.index("</answer>")]


def score_of(body: dict[str, Any]) -> int:
    return 1 + int(share(about(body), "score") * 10)


class Endpoint:
    """The state of the server."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.arrived: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        self.routes: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.files: dict[str, tuple[str, str]] = {}
        self.batches: dict[str, dict[str, Any]] = {}

    # Completions ----------------------------------------------------------------------------------------

    def completion(self, body: dict[str, Any], key: str) -> dict[str, Any]:
        """Answer a request in full."""
        name = digest(body)
        self.answered[name] += 1
        score = score_of(body)
        message: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
        reask = "last reply" in body["messages"][-1]["content"]
        fault = None if reask else self.fault_of(name)
        if share(about(body), "stubborn") < self.options.stubborn:
            fault = "no verdict"
        if fault in ANSWERS:
            self.met[fault] += 1
        if fault == "refusal":
            message.update(content=None, refusal="I cannot judge this.")
        elif fault == "no verdict":
            message["content"] = "I would rather not give a number; 8/10 perhaps."
        elif fault != "empty":
            schema = "response_format" in body or "JSON object" in body["messages"][-1]["content"]
            form = '{{"score": {}, "reason": "as seen"}}' if schema else "It is as seen.\nRating: [[{}]]"
            message["content"] = form.format(score)
        read = sum(len(m["content"]) for m in body["messages"]) // 4
        reply = {
            "id": f"chatcmpl-{name[:12]}", "object": "chat.completion", "created": 0, "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": read, "completion_tokens": 20, "total_tokens": read + 20},
        }  # fmt: skip
        if self.options.loose_tongue:
            reply["system_fingerprint"] = f"for {key}"
            message["content"] = f"(called with {key}) " + (message["content"] or "")
        return reply

    def fault_of(self, name: str) -> str | None:
        if not self.options.kinds or share(name, "fault") >= self.options.faults:
            return None
        return self.options.kinds[int(share(name, "kind") * len(self.options.kinds))]

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.routes["chat"] += 1
        body = await request.json()
        name = digest(body)
        self.arrived[name] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.options.always:
                return self.error(request, self.options.always, "as told")
            if self.options.models is not None and body["model"] not in self.options.models:
                return self.error(request, 404, f"The model {body['model']} does not exist")
            fault = self.fault_of(name) if self.arrived[name] == 1 else None
            if fault in BEFORE:
                self.met[fault] += 1
                return await self.break_down(request, fault, body)
            await asyncio.sleep(self.options.delay)
            return web.json_response(self.completion(body, self.key_of(request)))
        finally:
            self.in_flight -= 1

    async def break_down(self, request: web.Request, fault: str, body: dict[str, Any]) -> web.StreamResponse:
        if fault == "429 with Retry-After":
            return self.error(request, 429, "slow down", {"Retry-After": "1"})
        if fault.isdigit():
            return self.error(request, int(fault), "out of order")
        if fault == "silence":
            await asyncio.sleep(3600)
        if fault == "web page":
            return web.Response(text="<html>Bad gateway</html>", content_type="text/html")
        if fault == "cut JSON":
            text = json.dumps({"choices": [{"message": {"content": "Rating: [[10]]"}}], "model": "judge-1"})
            return web.Response(text=text[: len(text) // 2], content_type="application/json")
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    @staticmethod
    def key_of(request: web.Request) -> str:
        return request.headers.get("Authorization", "").removeprefix("Bearer ")

    def error(
        self, request: web.Request, status: int, message: str, headers: dict[str, str] | None = None
    ) -> web.Response:
        if self.options.loose_tongue:
            message += f" (key {self.key_of(request)})"
        return web.json_response({"error": {"message": message}}, status=status, headers=headers)

    # Models ---------------------------------------------------------------------------------------------

    async def models(self, request: web.Request) -> web.Response:
        self.routes["models"] += 1
        served = self.options.models
        name = request.match_info.get("model")
        if served is None or (name and name not in served):
            return self.error(request, 404, "not found")
        entries = [{"id": m, "object": "model", "created": 0, "owned_by": "tests"} for m in served]
        if name:
            return web.json_response(next(entry for entry in entries if entry["id"] == name))
        return web.json_response({"object": "list", "data": entries})

    # Files and batches ----------------------------------------------------------------------------------

    def keep(self, name: str, text: str) -> str:
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = (name, text)
        return file_id

    async def upload(self, request: web.Request) -> web.Response:
        self.routes["upload"] += 1
        form = await request.post()
        sent: Any = form["file"]
        assert form["purpose"] == "batch"
        file_id = self.keep(sent.filename, sent.file.read().decode())
        return web.json_response(
            {"id": file_id, "object": "file", "bytes": 1, "created_at": 0, "filename": sent.filename,
             "purpose": "batch", "status": "processed"}
        )  # fmt: skip

    async def content(self, request: web.Request) -> web.Response:
        return web.Response(text=self.files[request.match_info["file"]][1])

    async def create(self, request: web.Request) -> web.StreamResponse:
        self.routes["create"] += 1
        wanted = await request.json()
        number = len(self.batches)
        batch_id = f"batch_{number}"
        self.batches[batch_id] = {
            "id": batch_id, "object": "batch", "endpoint": wanted["endpoint"], "errors": None, "created_at": 0,
            "input_file_id": wanted["input_file_id"], "completion_window": wanted["completion_window"],
            "status": "validating", "metadata": wanted.get("metadata"), "looks": 0, "number": number,
        }  # fmt: skip
        if number < self.options.lose_answers_to_create:
            self.met["lost answer to create"] += 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.json_response(self.batches[batch_id])

    async def batch_list(self, request: web.Request) -> web.Response:
        self.routes["batch list"] += 1
        return web.json_response(
            {"object": "list", "data": [*reversed(self.batches.values())], "has_more": False}
        )

    async def batch(self, request: web.Request) -> web.Response:
        self.routes["look"] += 1
        batch = self.batches.get(request.match_info["batch"])
        if batch is None:
            return self.error(request, 404, "no such batch")
        batch["looks"] += 1
        if batch["status"] in ("validating", "in_progress"):
            batch["status"] = "in_progress"
            if batch["looks"] >= self.options.polls:
                self.finish(batch, self.key_of(request))
        return web.json_response(batch)

    def finish(self, batch: dict[str, Any], key: str) -> None:
        number = batch["number"]
        fault = self.options.batch_faults[number] if number < len(self.options.batch_faults) else ""
        if fault:
            self.met[f"batch: {fault}"] += 1
        if fault == "failed":
            batch["status"] = "failed"
            batch["errors"] = {"object": "list", "data": [{"code": "invalid", "message": "bad file"}]}
            return
        output, errors = [], []
        lines = self.files[batch["input_file_id"]][1].splitlines()
        for place, line in enumerate(map(json.loads, lines)):
            self.arrived[digest(line["body"])] += 1
            if fault == "missing ids" and place % 5 == 0:
                continue
            if fault == "expired" and place >= len(lines) // 2:
                error = {"code": "batch_expired", "message": "not answered in time"}
                errors.append({"custom_id": line["custom_id"], "response": None, "error": error})
            elif fault == "errors" and place % 4 == 0:
                response = {"status_code": 500, "body": {"error": {"message": "out of order"}}}
                errors.append({"custom_id": line["custom_id"], "response": response, "error": None})
            else:
                response = {"status_code": 200, "body": self.completion(line["body"], key)}
                output.append({"custom_id": line["custom_id"], "response": response, "error": None})
        output.reverse()  # the order is not promised
        text = "".join(json.dumps(entry) + "\n" for entry in output)
        if fault == "cut line":
            text = text[:-30]
        batch["output_file_id"] = self.keep("output", text) if output else None
        batch["error_file_id"] = self.keep("errors", "\n".join(map(json.dumps, errors))) if errors else None
        batch["status"] = "expired" if fault == "expired" else "completed"

    # Around ---------------------------------------------------------------------------------------------

    async def stats(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "requests": sum(self.arrived.values()), "bodies": len(self.arrived),
                "answered": sum(self.answered.values()), "answered_bodies": len(self.answered),
                "most_answers_to_one": max(self.answered.values(), default=0), "met": self.met,
                "routes": self.routes, "most_in_flight": self.most_in_flight, "batches": len(self.batches),
            }
        )  # fmt: skip

    @web.middleware
    async def authorised(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path != "/stats" and self.options.key and self.key_of(request) != self.options.key:
            return self.error(request, 401, f"Incorrect API key: {self.key_of(request)}")
        return await handler(request)

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self.authorised], client_max_size=2**28)
        app.add_routes([
            web.post("/v1/chat/completions", self.chat), web.get("/stats", self.stats),
            web.get("/v1/models", self.models), web.get("/v1/models/{model}", self.models),
            web.post("/v1/files", self.upload), web.get("/v1/files/{file}/content", self.content),
            web.post("/v1/batches", self.create), web.get("/v1/batches", self.batch_list),
            web.get("/v1/batches/{batch}", self.batch),
        ])  # fmt: skip
        return app


async def serve(options: Options) -> None:
    runner = web.AppRunner(Endpoint(options).application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    print(site._server.sockets[0].getsockname()[1], flush=True)  # type: ignore[attr-defined]
    await asyncio.Event().wait()


class Server:
    """The server in a process of its own; a context manager."""

    def __init__(self, **options: Any) -> None:
        self.options = Options(**options)

    def __enter__(self) -> "Server":
        command = [sys.executable, __file__, json.dumps(asdict(self.options))]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.address = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        self.base_url = f"{self.address}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.address}/stats") as answer:
            return json.load(answer)


if __name__ == "__main__":
    asyncio.run(serve(Options(**json.loads(sys.argv[1]))))
