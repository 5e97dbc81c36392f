"""A stand-in for the W&B server on the loopback: GraphQL, file stream, files, artifacts, reports.

It keeps what a client sends in the way that the service documents: a run is found by its id, a chunk of
the file stream replaces the lines from its offset on and nothing else, `complete` closes the run. What
happens to a request instead of an answer is decided by a function of its path.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "0123456789abcdef0123456789abcdef01234567"
ENTITY = "loopback"


@dataclass(frozen=True)
class Fault:
    """What happens to a request: a delay, then an error status, or a connection that is cut.

    `after` cuts the connection only once the request has taken effect: the answer is lost. `forgets`
    answers as if it had.
    """

    status: int | None = None
    delay: float = 0.0
    cut: bool = False
    after: bool = False
    forgets: bool = False


@dataclass
class ServedRun:
    """One run as the server has it; `lines` are the history's by their number."""

    id: str
    project: str
    fields: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    lines: dict[int, str] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    state: str = "running"
    uploads: int = 0

    @property
    def history(self) -> list[dict[str, Any]]:
        assert sorted(self.lines) == list(range(len(self.lines))), f"{self.id}: lines are missing"
        return [json.loads(self.lines[number]) for number in sorted(self.lines)]

    def columns(self) -> dict[str, Any]:
        return {name: value["value"] for name, value in self.config.items() if name != "_wandb"}


class LoopbackServer:
    """The server and all that it holds; a context that runs it."""

    def __init__(self, fault: Callable[[str], Fault | None] = lambda _: None) -> None:
        self.fault = fault
        self.runs: dict[tuple[str, str], ServedRun] = {}
        self.files: dict[str, bytes] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.reports: dict[str, dict[str, Any]] = {}
        self.created: set[str] = set()
        self.deleted: set[tuple[str, str]] = set()
        self.operations: list[str] = []
        self.unknown: list[str] = []
        self.lock = threading.RLock()
        self._connections: set[socket.socket] = set()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a client speaks to this server and to no other."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY}

    def run(self, id: str, project: str = "replay-ablation") -> ServedRun:
        return self.runs[project, id]

    def __enter__(self) -> LoopbackServer:
        handler = type("Handler", (_Handler,), {"owner": self})
        # The same port again after `stop`: the server comes back where it was.
        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    start = __enter__

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Die: listen no more and cut every connection."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        """Return the data of one GraphQL request."""
        match = re.search(r"(?:query|mutation)\s+(\w+)", query)
        name = match[1] if match else query[:40]
        self.operations.append(name)
        method = getattr(self, f"_{name[0].lower()}{name[1:]}", None)
        if method is None:
            self.unknown.append(name)
            return None
        data: dict[str, Any] = method(variables)
        return data

    def stream(self, project: str, id: str, body: dict[str, Any]) -> None:
        """Take one request of the file stream."""
        run = self.runs[project, id]
        for name, chunk in (body.get("files") or {}).items():
            if name == "wandb-history.jsonl":
                run.lines |= dict(enumerate(chunk["content"], chunk["offset"]))
            elif name == "wandb-summary.json":
                run.summary = json.loads(chunk["content"][-1])
        if body.get("complete"):
            run.state = "finished" if body["exitcode"] == 0 else "failed"

    # What the client asks. Variables are those of its queries.

    def _viewer(self, _: Any) -> Any:
        viewer = {"id": "viewer", "entity": ENTITY, "username": ENTITY, "email": "", "name": ENTITY}
        return {"viewer": viewer | {"admin": False, "flags": "{}", "teams": {"edges": []}}}

    def _getDefaultEntity(self, _: Any) -> Any:
        return self._viewer(_)

    def _serverFeaturesQuery(self, _: Any) -> Any:
        return {"serverInfo": {"features": []}}

    def _runResumeStatus(self, _: Any) -> Any:
        return {"model": None}

    def _upsertBucket(self, asked: Any) -> Any:
        key = (asked["project"], asked["name"])
        if key in self.deleted:
            return None
        run = self.runs.setdefault(key, ServedRun(asked["name"], asked["project"]))
        run.fields |= {name: value for name, value in asked.items() if value is not None}
        if asked.get("config"):
            run.config = json.loads(asked["config"])
        # The first of the two requests of a client names the group, the second only the config.
        run.uploads += asked.get("groupName") is not None
        run.state = "running"
        return {"upsertBucket": {"bucket": self._node(run), "inserted": not run.lines}}

    def _node(self, run: ServedRun) -> Any:
        owner = {"id": ENTITY, "name": ENTITY, "username": ENTITY}
        return {
            "id": base64.b64encode(f"Run:{run.id}".encode()).decode(),
            "name": run.id,
            "displayName": run.fields.get("displayName"),
            "state": run.state,
            "config": json.dumps(run.config),
            "summaryMetrics": json.dumps(run.summary),
            "systemMetrics": "{}",
            "historyLineCount": len(run.lines),
            "historyKeys": {"lastStep": len(run.lines) - 1, "keys": {}},
            "group": run.fields.get("groupName"),
            "jobType": run.fields.get("jobType"),
            "tags": run.fields.get("tags", []),
            "notes": run.fields.get("notes"),
            "description": None,
            "commit": None,
            "readOnly": False,
            "sweepName": None,
            "createdAt": "2026-01-01T00:00:00",
            "heartbeatAt": "2026-01-01T00:00:00",
            "user": owner,
            "projectId": "1",
            "project": {"id": "1", "name": run.project, "entity": owner},
        }

    def _runs(self, asked: Any) -> Any:
        wanted = json.loads(asked.get("filters") or "{}")
        found = [run for run in self.runs.values() if run.project == asked["project"]]
        if not found and not any(asked["project"] == project for project, _ in self.runs):
            return {"project": None}
        found = [run for run in found if _fits(run, wanted)]
        start = int(asked.get("cursor") or 0)
        page = found[start : start + asked["perPage"]]
        edges = [
            {"node": self._node(run), "cursor": str(start + place + 1)} for place, run in enumerate(page)
        ]
        more = start + len(page) < len(found)
        info = {"endCursor": str(start + len(page)), "hasNextPage": more}
        project = {"internalId": "1", "runCount": len(found), "readOnly": False}
        return {"project": project | {"runs": {"edges": edges, "pageInfo": info}}}

    def _run(self, asked: Any) -> Any:
        run = self.runs.get((asked["project"], asked["name"]))
        return {"project": {"internalId": "1", "run": self._node(run) if run else None}}

    def _deleteRun(self, asked: Any) -> Any:
        id = base64.b64decode(asked["id"]).decode().removeprefix("Run:")
        (key,) = [key for key in self.runs if key[1] == id]
        del self.runs[key]
        self.deleted.add(key)
        return {"deleteRun": {"clientMutationId": None}}

    def _runHistoryKeys(self, asked: Any) -> Any:
        run = self.runs[asked["project"], asked["name"]]
        return {"project": {"run": {"historyKeys": self._node(run)["historyKeys"]}}}

    def _runParquetHistory(self, asked: Any) -> Any:
        return {"project": {"run": {"parquetHistory": {"parquetUrls": [], "liveData": []}}}}

    def _historyPage(self, asked: Any) -> Any:
        run = self.runs[asked["project"], asked["run"]]
        inside = range(asked["minStep"], asked["maxStep"])
        lines = [run.lines[number] for number in sorted(run.lines) if number in inside]
        return {"project": {"run": {"history": lines[: asked["pageSize"]]}}}

    def _createRunFiles(self, asked: Any) -> Any:
        place = f"{asked['project']}/{asked['run']}"
        files = [
            {"name": name, "uploadUrl": f"{self.url}/put/{place}/{name}"} for name in asked["files"]
        ]
        return {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": files}}

    def _markRunFilesUploaded(self, _: Any) -> Any:
        return {"markRunFilesUploaded": {"success": True}}

    def _xXHashDigestsEnabled(self, _: Any) -> Any:
        return {"entity": {"xxhashDigestsEnabled": False}}

    def _createArtifact(self, asked: Any) -> Any:
        wanted = asked["input"]
        name = wanted["artifactCollectionName"]
        id = base64.b64encode(f"Artifact:{len(self.artifacts)}".encode()).decode()
        self.artifacts[id] = wanted | {"id": id, "name": name, "state": "PENDING", "files": {}}
        sequence = {"id": name, "name": name, "latestArtifact": None}
        made = {"id": id, "state": "PENDING", "artifactSequence": sequence, "versionIndex": 0}
        return {"createArtifact": {"artifact": made}}

    def _createArtifactManifest(self, asked: Any) -> Any:
        url = f"{self.url}/put/manifests/{asked['artifactID']}"
        file = {"id": "file", "name": "manifest", "displayName": "manifest", "uploadUrl": url}
        manifest = {"id": asked["artifactID"], "file": file | {"uploadHeaders": []}}
        return {"createArtifactManifest": {"artifactManifest": manifest}}

    _updateArtifactManifest = _createArtifactManifest

    def _createArtifactFiles(self, asked: Any) -> Any:
        edges = []
        for spec in asked["input"]["artifactFiles"]:
            path = f"artifacts/{spec['artifactID']}/{spec['name']}"
            node = {"id": path, "name": spec["name"], "displayName": spec["name"], "storagePath": path}
            node |= {"uploadUrl": f"{self.url}/put/{path}", "uploadHeaders": []}
            node |= {"uploadMultipartUrls": None, "artifact": {"id": spec["artifactID"]}}
            edges.append({"node": node})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _commitArtifact(self, asked: Any) -> Any:
        artifact = self.artifacts[asked["artifactID"]]
        artifact["state"] = "COMMITTED"
        made = {"id": artifact["id"], "digest": artifact["digest"]}
        return {"commitArtifact": {"artifact": made}}

    def artifact(self, name: str) -> dict[str, Any]:
        """Return the latest artifact of a name."""
        return [found for found in self.artifacts.values() if found["name"] == name][-1]

    def artifact_files(self, name: str) -> dict[str, bytes]:
        """Return the files of the latest artifact of a name."""
        prefix = f"artifacts/{self.artifact(name)['id']}/"
        return {
            place.removeprefix(prefix): data
            for place, data in self.files.items()
            if place.startswith(prefix)
        }

    def _artifactMembershipByName(self, asked: Any) -> Any:
        name, _, alias = asked["name"].partition(":")
        there = any(found["name"] == name for found in self.artifacts.values())
        if not there or self.artifact(name)["projectName"] != asked["project"] or alias != "latest":
            return {"project": {"artifactCollectionMembership": None}}
        found = self.artifact(name)
        owner = {"id": "1", "internalId": "1", "name": asked["project"], "entity": {"name": ENTITY}}
        sequence = {"__typename": "ArtifactSequence", "name": name, "project": owner}
        artifact = {"__typename": "Artifact", "id": found["id"], "artifactSequence": sequence}
        artifact |= {"versionIndex": 0, "artifactType": {"name": found["artifactTypeName"]}}
        artifact |= {"description": None, "metadata": found.get("metadata"), "ttlDurationSeconds": -2}
        artifact |= {"ttlIsInherited": True, "tags": [], "historyStep": None, "state": found["state"]}
        artifact |= {"size": 1, "digest": found["digest"], "digestAlgorithm": "MANIFEST_MD5"}
        artifact |= {"commitHash": None, "fileCount": 1, "createdAt": "2026-01-01T00:00:00"}
        artifact |= {"updatedAt": None, "aliases": []}
        member = {"__typename": "ArtifactCollectionMembership", "id": "1", "versionIndex": 0}
        member |= {"createdAt": "2026-01-01T00:00:00", "aliases": [], "artifactCollection": sequence}
        return {"project": {"artifactCollectionMembership": member | {"artifact": artifact}}}

    def _fetchArtifactManifest(self, asked: Any) -> Any:
        file = {"directUrl": f"{self.url}/get/manifests/{asked['id']}"}
        return {"artifact": {"currentManifest": {"file": file}}}

    def _getArtifactMembershipFileUrls(self, asked: Any) -> Any:
        place = f"{self.url}/get/artifacts/{self.artifact(asked['collection'])['id']}"
        edges = [
            {"node": {"__typename": "File", "name": name, "directUrl": f"{place}/{name}"}}
            for name in self.artifact_files(asked["collection"])
        ]
        info = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        collection = {"__typename": "ArtifactSequence"}
        collection |= {"artifactMembership": {"files": {"pageInfo": info, "edges": edges}}}
        return {"project": {"artifactCollection": collection}}

    def _getProjects(self, _: Any) -> Any:
        names = sorted({project for project, _ in self.runs} | self.created)
        node = {"__typename": "Project", "entityName": ENTITY, "createdAt": "2026-01-01T00:00:00"}
        node |= {"isBenchmark": False, "user": None}
        edges = [{"node": node | {"id": name, "name": name}} for name in names]
        info = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        return {"models": {"edges": edges, "pageInfo": info}}

    def _createProject(self, asked: Any) -> Any:
        self.created.add(asked["name"])
        return {"upsertModel": {"inserted": True, "project": {"id": "1"}, "model": {"id": "1"}}}

    def _projectInternalId(self, asked: Any) -> Any:
        return {"project": {"id": asked["projectName"], "internalId": "1"}}

    def _upsertView(self, asked: Any) -> Any:
        id = asked["id"] or f"report{len(self.reports) + 1}"
        self.reports[id] = asked | {"id": id}
        view = {name: asked.get(name) for name in ("name", "type", "displayName", "description", "spec")}
        project = {"id": "1", "name": asked["projectName"], "entityName": asked["entityName"]}
        view |= {"id": id, "project": project, "updatedAt": "2026-01-01T00:00:00"}
        return {"upsertView": {"view": view, "inserted": asked["id"] is None}}


def _fits(run: ServedRun, wanted: dict[str, Any]) -> bool:
    known = {"name": run.id, "jobType": run.fields.get("jobType")}
    for name, condition in wanted.items():
        options = condition["$in"] if isinstance(condition, dict) else [condition]
        if known[name] not in options:
            return False
    return True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    _answer_is_lost = False
    owner: LoopbackServer

    def setup(self) -> None:
        super().setup()
        self.owner._connections.add(self.connection)

    def handle(self) -> None:
        # Clients that go away, and our own death, are nothing to report.
        with contextlib.suppress(OSError):
            super().handle()

    def finish(self) -> None:
        self.owner._connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            return None
        if not self._known():
            return self._send(401, {"errors": [{"message": "invalid API key"}]})
        with self.owner.lock:
            return self._send(*self._post(body))

    def do_GET(self) -> None:
        with self.owner.lock:
            data = self.owner.files.get(self.path.removeprefix("/get/"))
        self._send(404 if data is None else 200, {} if data is None else data)

    def do_PUT(self) -> None:
        body = self._body()
        if body is None:
            return
        with self.owner.lock:
            self.owner.files[self.path.removeprefix("/put/")] = body
        self._send(200, {})

    def _post(self, body: bytes) -> tuple[int, Any]:
        if self.path == "/graphql":
            asked = json.loads(body)
            data = self.owner.answer(asked["query"], asked.get("variables") or {})
            return 200, {"errors": [{"message": "not known here"}]} if data is None else {"data": data}
        match = re.fullmatch(r"/files/[^/]+/([^/]+)/([^/]+)/file_stream", self.path)
        if match and (match[1], match[2]) in self.owner.runs:
            self.owner.stream(match[1], match[2], json.loads(body))
            return 200, {}
        self.owner.unknown.append(self.path)
        return 404, {}

    def _known(self) -> bool:
        given = self.headers.get("Authorization", "").partition(" ")[2]
        with contextlib.suppress(ValueError):
            return base64.b64decode(given).decode().endswith(KEY)
        return False

    def _body(self) -> bytes | None:
        """Return the request's body, or None where a fault has already answered it."""
        self._answer_is_lost = False
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.owner.fault(self.path) or Fault()
        time.sleep(fault.delay)
        if fault.forgets:
            self._send(200, {})
            return None
        if fault.status is not None:
            self._send(fault.status, {"error": "injected"})
            return None
        if fault.cut and not fault.after:
            self._cut()
            return None
        self._answer_is_lost = fault.cut
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, payload: Any) -> None:
        if self._answer_is_lost:
            return self._cut()
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)
        return None
