import os
import shutil
import tempfile
import time
from pathlib import Path

from localstack import config
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException, RuntimeExecutor

from .invocation import Invocation, Outcome
from .sandbox import Sandbox

NODE = "OUTFLOW_LAMBDA_NODE"
"""Environment variable of LocalStack with the path of the Node.js executable that runs all functions."""

LOOPBACK = "127.0.0.1"
CLIENT = Path(__file__).with_name("client") / "main.mjs"


class ProcessExecutor(RuntimeExecutor):
    """A Lambda execution environment. It starts a new sandbox whenever the previous one has ended.

    The first invocation waits for the initialisation, so that its failure is reported with the function's log.
    """

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id, function_version)
        self._folder: Path | None = None
        self._env: dict[str, str] = {}
        self._sandbox: Sandbox | None = None
        self._is_new = False
        self._is_stopped = False

    def start(self, env_vars: dict[str, str]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lambda-environment-"))
        runtime = self.function_version.config.runtime
        self._env = {
            **{name: str(value) for name, value in env_vars.items() if value is not None},
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
            "LAMBDA_TASK_ROOT": str(self._code),
            "LAMBDA_RUNTIME_DIR": str(CLIENT.parent),
            "PATH": os.environ.get("PATH", os.defpath),
            # Not the developer's home folder, whose AWS profile the SDK would read.
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
        }
        self._start_sandbox()

    def stop(self) -> None:
        self._is_stopped = True
        if self._sandbox is not None:
            self._sandbox.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        timeout = self.function_version.config.timeout
        if not self._is_new and not self._sandbox.is_reusable(timeout):
            self._sandbox.stop()
            self._start_sandbox()
        sandbox = self._sandbox
        was_new, self._is_new = self._is_new, False
        request_id = payload["invoke-id"]
        started = time.perf_counter()
        outcome = sandbox.initialise(config.LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT)
        initialised = time.perf_counter()
        head = sandbox.log.take() if was_new else ""
        if outcome is None:
            outcome = sandbox.invoke(
                lambda deadline_ms: Invocation(
                    request_id,
                    payload["invoked-function-arn"],
                    payload["payload"].encode(),
                    payload.get("trace-id", ""),
                    deadline_ms,
                ),
                timeout,
            )
        else:
            sandbox.stop()
        log = self._log(
            request_id,
            outcome,
            head,
            sandbox.log.take(),
            duration_ms=(time.perf_counter() - initialised) * 1000,
            init_ms=(initialised - started) * 1000 if was_new else None,
        )
        return InvocationResult(request_id, outcome.body, outcome.error_type is not None, log)

    def get_logs(self) -> str:
        return "" if self._sandbox is None else self._sandbox.log.take()

    def get_address(self) -> str:
        return LOOPBACK

    def get_endpoint_from_executor(self) -> str:
        return LOOPBACK

    def get_runtime_endpoint(self) -> str:
        # LocalStack's own runtime reports to this address. The client here uses the sandbox's Runtime API instead.
        return f"http://{LOOPBACK}:{config.GATEWAY_LISTEN[0].port}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        runtime = function_version.config.runtime
        if runtime is None or not runtime.startswith("nodejs"):
            raise LambdaRuntimeException(f"runtime: got {runtime or 'a container image'}; expected nodejs")
        if NODE not in os.environ:
            raise LambdaRuntimeException(f"{NODE}: not set; expected the path of a Node.js executable")
        function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Does nothing. LocalStack deletes the code with the function."""

    @property
    def _code(self) -> Path:
        return Path(self.function_version.config.code.get_unzipped_code_location())

    def _start_sandbox(self) -> None:
        if self._is_stopped:
            raise LambdaRuntimeException("the execution environment is stopped")
        self._sandbox = Sandbox([os.environ[NODE], str(CLIENT)], self._code, self._env)
        self._is_new = True

    def _log(
        self, request_id: str, outcome: Outcome, head: str, printed: str, duration_ms: float, init_ms: float | None
    ) -> str:
        """Returns the function's output between the START, END and REPORT lines of CloudWatch Logs."""
        last = ""
        if outcome.error_type == "Sandbox.Timedout":
            seconds = float(self.function_version.config.timeout)
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            last = f"{now} {request_id} Task timed out after {seconds:.2f} seconds\n\n"
            status = "Status: timeout"
        elif outcome.error_type is not None:
            status = f"Status: error\tError Type: {outcome.error_type}"
        else:
            status = None
        report = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {int(duration_ms) + 1} ms",
            f"Memory Size: {self.function_version.config.memory_size} MB",
            None if init_ms is None else f"Init Duration: {init_ms:.2f} ms",
            status,
        ]
        return (
            f"{head}START RequestId: {request_id} Version: {self.function_version.id.qualifier}\n{printed}{last}"
            f"END RequestId: {request_id}\n" + "\t".join(part for part in report if part is not None) + "\n"
        )
