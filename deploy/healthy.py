"""Whether the web processes at a port answer: `python deploy/healthy.py 8000`. Exit status 0 if they do.

`python deploy/healthy.py 8000 60` waits for that, 60 seconds at most.
"""

import http.client
import sys
import time


def answers(port: int) -> bool:
    """Whether `/healthz` is answered there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> int:
    """Ask at the port that the command line names, for as many seconds as it says; once if it says nothing."""
    port, seconds = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    deadline = time.monotonic() + seconds
    while not (found := answers(port)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
