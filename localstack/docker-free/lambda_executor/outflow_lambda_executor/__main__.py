"""LocalStack in host mode, for as long as standard input stays open.

Whoever starts it holds the other end: when that process ends, however it ends, LocalStack stops too.
"""

import os
import signal
import sys
import threading

STOP_SECONDS = 20


def stop_at_end_of_input() -> None:
    # Not by sys.stdin, whose lock Python wants when it ends.
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
    # Python would wait for threads that LocalStack 4.14.0 may have started after it stopped its services, for ever.
    sys.stdout.flush()
    os._exit(code)
