"""A server for the Lambda Runtime API, for one runtime process.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from .invocation import Invocation

PREFIX = "/2018-06-01/runtime"


class Runtime(Protocol):
    """Handles the requests of the runtime process."""

    def next_invocation(self) -> Invocation | None:
        """Blocks until the next invocation. None when there will be none."""

    def init_failed(self, error: bytes) -> None: ...

    def respond(self, request_id: str, body: bytes, is_error: bool) -> bool:
        """Returns False when the request id is not the running invocation's."""


class RuntimeApi(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.runtime = runtime
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes, and TCP would delay the second one.
    disable_nagle_algorithm = True
    server: RuntimeApi

    def do_GET(self) -> None:
        if self.path != f"{PREFIX}/invocation/next":
            return self._answer(404)
        invocation = self.server.runtime.next_invocation()
        if invocation is None:
            self.close_connection = True
            return self._answer(410)
        self._answer(
            200,
            invocation.payload,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                "Lambda-Runtime-Trace-Id": invocation.trace_id,
            },
        )

    def do_POST(self) -> None:
        runtime = self.server.runtime
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        match self.path.removeprefix(PREFIX).split("/"):
            case ["", "init", "error"]:
                runtime.init_failed(body)
                self._answer(202)
            case ["", "invocation", request_id, "response" | "error" as kind]:
                self._answer(202 if runtime.respond(request_id, body, kind == "error") else 400)
            case _:
                self._answer(404)

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        try:
            self.send_response_only(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            # The process has ended, which the sandbox detects by its exit.
            self.close_connection = True

    def log_message(self, *args) -> None:
        """Keeps access log lines out of LocalStack's log."""
