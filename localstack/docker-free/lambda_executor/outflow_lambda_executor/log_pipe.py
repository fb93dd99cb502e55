import os
import selectors
import threading
from typing import IO


class LogPipe:
    """What a process prints, read as it comes so that printing never blocks it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._printed = bytearray()
        self._is_open = True
        os.set_blocking(pipe.fileno(), False)
        threading.Thread(target=self._read_on, daemon=True).start()

    def take(self) -> str:
        """All that was printed until now and not taken before: also what is still in the pipe."""
        self._drain()
        with self._lock:
            text = self._printed.decode(errors="replace")
            self._printed.clear()
        return text if text == "" or text.endswith("\n") else f"{text}\n"

    def _read_on(self) -> None:
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
