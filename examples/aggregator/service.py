"""The aggregator as a process, which reads MQTT and answers requests over HTTP.

python service.py                          # aggregator:Aggregator
python service.py bugs:CountsRepeats       # one of those with a bug
"""

import csv
import io
import json
import os
import sys
from datetime import datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

PORT = int(os.environ.get("AGGREGATOR_PORT", "8765"))


class Service:
    """One aggregator, which `reset` replaces by an empty one."""

    def __init__(self, name: str, host: str, port: int) -> None:
        module, _, kind = name.partition(":")
        self._make = partial(getattr(import_module(module), kind), host, port)
        self._aggregator: Any = None

    def reset(self, _: str) -> str:
        if self._aggregator is not None:
            self._aggregator.close()
        self._aggregator = self._make()
        return ""

    def records(self, _: str) -> str:
        return "".join(json.dumps(reading) + "\n" for reading in self._aggregator.readings())

    def settle(self, events: str) -> str:
        """Return the settlement, a CSV, of events with the time in which each project took part."""
        answer = io.StringIO()
        writer = csv.writer(answer)
        writer.writerow(["event", "project_id", "reduction_kwh"])
        for row in csv.DictReader(io.StringIO(events)):
            times = [datetime.fromisoformat(row[name]) for name in ("start", "end")]
            for one in self._aggregator.settle(row["event"], *times):
                if one["project_id"] == row["project_id"]:
                    writer.writerow(one.values())
        return answer.getvalue()


class Handler(BaseHTTPRequestHandler):
    service: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        try:
            status, answer = 200, getattr(self.service, self.path.strip("/"))(body)
        except Exception as error:
            status, answer = 500, f"{type(error).__name__}: {error}"
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


if __name__ == "__main__":
    name = sys.argv[1] if sys.argv[1:] else "aggregator:Aggregator"
    host = os.environ.get("GRIDSIM_BROKER_HOST", "localhost")
    Handler.service = Service(name, host, int(os.environ.get("GRIDSIM_BROKER_PORT", "1883")))
    ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
