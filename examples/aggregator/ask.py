"""A request to the service: `python ask.py reset`, `records`, or `settle < events.csv`."""

import os
import sys
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

PORT = os.environ.get("AGGREGATOR_PORT", "8765")

if __name__ == "__main__":
    [question] = sys.argv[1:]
    body = sys.stdin.buffer.read() if question == "settle" else b""
    try:
        with urlopen(f"http://127.0.0.1:{PORT}/{question}", body, timeout=30) as answer:
            sys.stdout.buffer.write(answer.read())
    except HTTPError as error:
        sys.exit(error.read().decode())
    except URLError as error:
        sys.exit(f"the service does not answer: {error.reason}")
