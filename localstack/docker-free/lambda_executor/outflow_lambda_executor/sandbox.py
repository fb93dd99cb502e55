import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue

from .invocation import Invocation, Outcome
from .log_pipe import LogPipe
from .runtime_api import RuntimeApi

EXIT_SECONDS = 5


class Sandbox:
    """One runtime process. It runs one invocation at a time."""

    def __init__(self, command: Sequence[str], folder: Path, env: dict[str, str]) -> None:
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[Invocation | None] = SimpleQueue()
        self._running: Invocation | None = None
        self._initialised: Future[Outcome | None] = Future()
        self._has_ended = threading.Event()
        self._wants_next = threading.Event()
        self._api = RuntimeApi(self)
        try:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**env, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                # Nothing is written to it. It closes when LocalStack ends, even by SIGKILL, and then the process exits.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                # Its own process group, so that processes started by a handler end with it.
                start_new_session=True,
            )
        except OSError:
            self._api.close()
            raise
        self.log = LogPipe(self._process.stdout)
        threading.Thread(target=self._await_exit, daemon=True).start()

    def is_reusable(self, seconds: float) -> bool:
        """Waits until the process requests its next invocation, or ends after its last response."""
        self._wants_next.wait(seconds)
        return self._wants_next.is_set() and not self._has_ended.is_set()

    def initialise(self, seconds: float) -> Outcome | None:
        """Waits until the function is loaded. Returns the failure, if any."""
        try:
            return self._initialised.result(seconds)
        except TimeoutError:
            self.stop()
            return Outcome.failure("Runtime.InitTimedout", f"Error: Not initialised after {seconds:.2f} seconds")

    def invoke(self, make: Callable[[int], Invocation], seconds: float) -> Outcome:
        """Runs an invocation. A timeout, or the end of the process, is an error of the function."""
        invocation = make(round((time.time() + seconds) * 1000))
        with self._lock:
            if self._has_ended.is_set():
                return self._exit_error(invocation.request_id)
            self._running = invocation
            self._wants_next.clear()
        self._waiting.put(invocation)
        try:
            return invocation.outcome.result(seconds)
        except TimeoutError:
            with self._lock:
                self._running = None
            self.stop()
            return Outcome.failure(
                "Sandbox.Timedout",
                f"RequestId: {invocation.request_id} Error: Task timed out after {seconds:.2f} seconds",
            )

    def stop(self) -> None:
        if not self._has_ended.is_set():
            self._kill_group()
            self._has_ended.wait(EXIT_SECONDS)

    # Requests of the process to the Runtime API.

    def next_invocation(self) -> Invocation | None:
        self._wants_next.set()
        self._settle_initialisation(None)
        return self._waiting.get()

    def init_failed(self, error: bytes) -> None:
        self._settle_initialisation(Outcome.error(error))

    def respond(self, request_id: str, body: bytes, is_error: bool) -> bool:
        with self._lock:
            invocation = self._running
            if invocation is None or invocation.request_id != request_id:
                return False
            self._running = None
        invocation.outcome.set_result(Outcome.error(body) if is_error else Outcome(body))
        return True

    def _await_exit(self) -> None:
        self._process.wait()
        self._kill_group()
        self._process.stdin.close()
        with self._lock:
            self._has_ended.set()
            self._wants_next.set()
            invocation, self._running = self._running, None
        self._settle_initialisation(self._exit_error(None))
        if invocation is not None:
            invocation.outcome.set_result(self._exit_error(invocation.request_id))
        self._waiting.put(None)
        self._api.close()

    def _settle_initialisation(self, failure: Outcome | None) -> None:
        with self._lock:
            if not self._initialised.done():
                self._initialised.set_result(failure)

    def _kill_group(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _exit_error(self, request_id: str | None) -> Outcome:
        code = self._process.returncode
        if code == 0:
            reason = "Runtime exited without providing a reason"
        elif code < 0:
            reason = f"Runtime exited with error: signal: {signal.strsignal(-code).lower()}"
        else:
            reason = f"Runtime exited with error: exit status {code}"
        prefix = "" if request_id is None else f"RequestId: {request_id} "
        return Outcome.failure("Runtime.ExitError", f"{prefix}Error: {reason}")
