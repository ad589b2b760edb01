"""A local endpoint that speaks OpenAI's chat completions, models, files and batches, with faults on purpose.

Which request meets which fault follows from a hash of its body, so that a run can be repeated. `/stats` counts what
arrived, what was answered in full, and which faults were met.
"""

import asyncio
import json
import time
from collections import Counter
from email.utils import formatdate
from typing import Any

from aiohttp import web

from support.judge_batches import Batches
from support.judge_faults import ANSWERS, BEFORE, Options, about, digest, score_of, share


class Endpoint:
    """The state of the server."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.arrived: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.met: Counter[str] = Counter()
        self.routes: Counter[str] = Counter()
        self.first_arrival: dict[str, float] = {}
        self.pauses: list[float] = []
        self.in_flight = self.most_in_flight = 0
        self.batches = Batches(self)

    # Completions ----------------------------------------------------------------------------------------

    def completion(self, body: dict[str, Any], key: str) -> dict[str, Any]:
        """Answer a request in full."""
        name = digest(body)
        self.answered[name] += 1
        if self.options.body is not None:
            return self.options.body
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
        if self.options.odd:
            reply["usage"], message["refusal"] = ["many"], ["none"]
            message["reasoning"] = "half a character: \ud83d"
        return reply

    def written(self, value: Any, key: str) -> str:
        """Return JSON; a loose tongue writes the key in escapes."""
        escaped = "".join(f"\\u{ord(character):04x}" for character in key)
        text = json.dumps(value)
        return text.replace(key, escaped) if key and self.options.loose_tongue else text

    def fault_of(self, name: str) -> str | None:
        if not self.options.kinds or share(name, "fault") >= self.options.faults:
            return None
        return self.options.kinds[int(share(name, "kind") * len(self.options.kinds))]

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        name = digest(body)
        self.arrived[name] += 1
        if self.arrived[name] == 1:
            self.first_arrival[name] = time.monotonic()
        elif self.arrived[name] == 2:
            self.pauses.append(time.monotonic() - self.first_arrival[name])
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.options.always:
                return self.error(request, self.options.always, "as told")
            if self.options.old and "max_completion_tokens" in body:
                return self.error(request, 400, "Unsupported parameter: 'max_completion_tokens'")
            if self.options.old and any(message["role"] == "system" for message in body["messages"]):
                return self.error(request, 400, "System role not supported")
            if self.options.models is not None and body["model"] not in self.options.models:
                return self.error(request, 404, f"The model {body['model']} does not exist")
            for fault, part in self.options.never.items():
                if share(about(body), f"never {fault}") < part:
                    return await self.break_down(request, fault)
            fault = self.fault_of(name) if self.arrived[name] == 1 else None
            if fault in BEFORE:
                self.met[fault] += 1
                return await self.break_down(request, fault)
            await asyncio.sleep(self.options.delay)
            key = self.key_of(request)
            text = self.written(self.completion(body, key), key)
            return web.Response(text=text, content_type="application/json")
        finally:
            self.in_flight -= 1

    async def break_down(self, request: web.Request, fault: str) -> web.StreamResponse:
        if fault == "429 with Retry-After":
            _, date, seconds = self.options.retry_after.rpartition("date+")
            after = formatdate(time.time() + int(seconds), usegmt=True) if date else seconds
            return self.error(request, 429, "slow down", {"Retry-After": after})
        if fault in ("no quota", "no quota and no wait"):
            wait = {"Retry-After": "3000"} if fault == "no quota" else None
            return self.error(request, 429, "buy some", wait, code="insufficient_quota")
        if fault == "error with 200":
            return web.json_response({"error": {"message": "no credits", "code": 402}})
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
        self,
        request: web.Request,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        code: str = "",
    ) -> web.Response:
        if self.options.loose_tongue:
            message += f" (key {self.key_of(request)})"
        return web.json_response(
            {"error": {"message": message, "code": code}}, status=status, headers=headers
        )

    # Models ---------------------------------------------------------------------------------------------

    async def models(self, request: web.Request) -> web.Response:
        served = self.options.models
        name = request.match_info.get("model")
        if served is None or (name and name not in served):
            return self.error(request, 404, "not found")
        entries = [{"id": m, "object": "model", "created": 0, "owned_by": "tests"} for m in served]
        if name:
            return web.json_response(next(entry for entry in entries if entry["id"] == name))
        return web.json_response({"object": "list", "data": entries})

    # Around ---------------------------------------------------------------------------------------------

    async def stats(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "requests": sum(self.arrived.values()), "bodies": len(self.arrived),
                "answered": sum(self.answered.values()), "answered_bodies": len(self.answered),
                "most_answers_to_one": max(self.answered.values(), default=0), "met": self.met,
                "routes": self.routes, "most_in_flight": self.most_in_flight, "batches": len(self.batches.entries),
                "shortest_pause": min(self.pauses, default=None),
            }
        )  # fmt: skip

    @web.middleware
    async def authorised(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path != "/stats" and self.options.key and self.key_of(request) != self.options.key:
            return self.error(request, 401, f"Incorrect API key: {self.key_of(request)}")
        return await handler(request)

    @web.middleware
    async def faulty(self, request: web.Request, handler: Any) -> web.StreamResponse:
        name = request.match_info.route.name
        if name is None:
            return await handler(request)
        faults, call = self.options.routes.get(name, []), self.routes[name]
        self.routes[name] += 1
        _, done, fault = (faults[call] if call < len(faults) else "").rpartition("done, then ")
        if not fault:
            return await handler(request)
        self.met[f"{name}: {fault}"] += 1
        if fault == "half":
            whole = await handler(request)
            return web.Response(text=whole.text[: len(whole.text) // 2], content_type=whole.content_type)
        if done:
            await handler(request)
        return await self.break_down(request, fault)

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self.authorised, self.faulty], client_max_size=2**28)
        app.add_routes([
            web.post("/v1/chat/completions", self.chat, name="chat"), web.get("/stats", self.stats),
            web.get("/v1/models", self.models, name="models"), web.get("/v1/models/{model}", self.models, name="model"),
            web.post("/v1/files", self.batches.upload, name="upload"),
            web.get("/v1/files/{file}/content", self.batches.content, name="content"),
            web.post("/v1/batches", self.batches.create, name="create"),
            web.get("/v1/batches", self.batches.batch_list, name="batch-list"),
            web.get("/v1/batches/{batch}", self.batches.batch, name="look"),
        ])  # fmt: skip
        return app
