"""Files and batches of the local endpoint for judges, with faults on purpose."""

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from support.judge_faults import digest

if TYPE_CHECKING:
    from support.judge_endpoint import Endpoint


class Batches:
    """The files that were uploaded and the batches that were made of them."""

    def __init__(self, endpoint: "Endpoint") -> None:
        self.endpoint = endpoint
        self.files: dict[str, tuple[str, str]] = {}
        self.entries: dict[str, dict[str, Any]] = {}

    def keep(self, name: str, text: str) -> str:
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = (name, text)
        return file_id

    async def upload(self, request: web.Request) -> web.Response:
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
        wanted = await request.json()
        number = len(self.entries)
        batch_id = f"batch_{number}"
        self.entries[batch_id] = {
            "id": batch_id, "object": "batch", "endpoint": wanted["endpoint"], "errors": None, "created_at": 0,
            "input_file_id": wanted["input_file_id"], "completion_window": wanted["completion_window"],
            "status": "validating", "metadata": wanted.get("metadata"), "looks": 0, "number": number,
        }  # fmt: skip
        return web.json_response(self.entries[batch_id])

    async def batch_list(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [*reversed(self.entries.values())], "has_more": False}
        )

    async def batch(self, request: web.Request) -> web.Response:
        batch = self.entries.get(request.match_info["batch"])
        if batch is None:
            return self.endpoint.error(request, 404, "no such batch")
        batch["looks"] += 1
        if batch["status"] in ("validating", "in_progress"):
            batch["status"] = "in_progress"
            if batch["looks"] >= self.endpoint.options.polls:
                self.finish(batch, self.endpoint.key_of(request))
        return web.json_response(batch)

    def finish(self, batch: dict[str, Any], key: str) -> None:
        number = batch["number"]
        fault = (
            self.endpoint.options.batch_faults[number]
            if number < len(self.endpoint.options.batch_faults)
            else ""
        )
        if fault:
            self.endpoint.met[f"batch: {fault}"] += 1
        if fault == "failed":
            batch["status"] = "failed"
            batch["errors"] = {"object": "list", "data": [{"code": "invalid", "message": "bad file"}]}
            return
        output, errors = [], []
        lines = self.files[batch["input_file_id"]][1].splitlines()
        for place, line in enumerate(map(json.loads, lines)):
            self.endpoint.arrived[digest(line["body"])] += 1
            if fault == "missing ids" and place % 5 == 0:
                continue
            if fault in ("expired", "cancelled") and place >= len(lines) // 2:
                error = {"code": f"batch_{fault}", "message": "not answered in time"}
                errors.append({"custom_id": line["custom_id"], "response": None, "error": error})
            elif fault in ("errors", "no credit") and place % 4 == 0:
                status = 500 if fault == "errors" else 402
                response = {"status_code": status, "body": {"error": {"message": "out of order"}}}
                errors.append({"custom_id": line["custom_id"], "response": response, "error": None})
            else:
                response = {"status_code": 200, "body": self.endpoint.completion(line["body"], key)}
                output.append({"custom_id": line["custom_id"], "response": response, "error": None})
        batch["request_counts"] = {
            "total": len(lines),
            "completed": len(output),
            "failed": 0 if fault in ("expired", "cancelled") else len(errors),
        }
        output.reverse()  # the order is not promised
        if fault == "lost lines":
            del output[len(output) // 2 :]
        text = "".join(self.endpoint.written(entry, key) + "\n" for entry in output)
        if fault == "cut line":
            text = text[:-30]
        batch["output_file_id"] = self.keep("output", text) if output else None
        batch["error_file_id"] = self.keep("errors", "\n".join(map(json.dumps, errors))) if errors else None
        batch["status"] = fault if fault in ("expired", "cancelled") else "completed"
