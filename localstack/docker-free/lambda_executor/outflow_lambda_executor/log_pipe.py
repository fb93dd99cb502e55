import os
import selectors
import threading
from typing import IO


class LogPipe:
    """Collects the output of a process. It reads continuously, so that the process never blocks on a full pipe."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._printed = bytearray()
        self._is_open = True
        os.set_blocking(pipe.fileno(), False)
        threading.Thread(target=self._read_continuously, daemon=True).start()

    def take(self) -> str:
        """Returns the output since the previous call, including output that is still in the pipe."""
        self._drain()
        with self._lock:
            text = self._printed.decode(errors="replace")
            self._printed.clear()
        return text if text == "" or text.endswith("\n") else f"{text}\n"

    def _read_continuously(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            while self._is_open:
                selector.select()
                self._drain()
        self._pipe.close()

    def _drain(self) -> None:
        with self._lock:
            try:
                while self._is_open:
                    chunk = os.read(self._pipe.fileno(), 65_536)
                    self._printed += chunk
                    self._is_open = chunk != b""
            except BlockingIOError:
                pass
