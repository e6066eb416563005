"""Whether the web process of this container answers: `python deploy/healthy.py 8000`. Exit status 0 if it does."""

import http.client
import sys


def main() -> int:
    """Ask `/healthz` at the port that the command line names."""
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=2)
    try:
        connection.request("GET", "/healthz")
        return 0 if connection.getresponse().status == http.client.OK else 1
    except (OSError, http.client.HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main())
