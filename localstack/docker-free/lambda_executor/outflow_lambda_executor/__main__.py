"""Runs LocalStack in host mode until standard input closes.

The parent process holds the other end of the pipe, so LocalStack also stops when its parent is killed.
"""

import os
import signal
import sys
import threading

STOP_SECONDS = 20


def stop_at_end_of_input() -> None:
    # Not through sys.stdin, whose lock Python needs when it exits.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(STOP_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def run() -> int:
    from localstack.runtime.main import main

    try:
        main()
    except SystemExit as exit:
        return exit.code if isinstance(exit.code, int) else 1
    return 0


if __name__ == "__main__":
    threading.Thread(target=stop_at_end_of_input, daemon=True).start()
    code = run()
    # A normal exit would wait forever for threads that LocalStack 4.14.0 may start after it stopped its services.
    sys.stdout.flush()
    os._exit(code)
