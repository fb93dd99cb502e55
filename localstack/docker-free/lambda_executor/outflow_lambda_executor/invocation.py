import json
from concurrent.futures import Future
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    body: bytes
    error_type: str | None = None
    """None when the function returned a response."""

    @classmethod
    def error(cls, body: bytes) -> "Outcome":
        try:
            return cls(body, str(json.loads(body)["errorType"]))
        except (ValueError, KeyError, TypeError):
            return cls(body, "Unhandled")

    @classmethod
    def failure(cls, error_type: str, message: str) -> "Outcome":
        return cls(json.dumps({"errorType": error_type, "errorMessage": message}).encode(), error_type)


@dataclass(frozen=True)
class Invocation:
    request_id: str
    function_arn: str
    payload: bytes
    trace_id: str
    deadline_ms: int
    outcome: Future[Outcome] = field(default_factory=Future)
