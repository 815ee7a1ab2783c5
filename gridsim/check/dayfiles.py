"""The files of one day of a check."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from gridsim.helpers.timestamps import rfc3339
from gridsim.ledger import Reader


@dataclass(frozen=True, slots=True)
class DayFiles:
    """The files of a day, in a separate folder."""

    folder: Path

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    @property
    def records(self) -> Path:
        return self.folder / "records"

    @property
    def settlement(self) -> Path:
        return self.folder / "settlement.csv"

    @property
    def events(self) -> Path:
        return self.folder / "events.csv"

    @property
    def output(self) -> Path:
        return self.folder / "commands.log"

    @property
    def system_output(self) -> Path:
        return self.folder / "system.log"

    @property
    def page(self) -> Path:
        return self.folder / "verify.html"

    @property
    def of_a_system(self) -> list[Path]:
        """All files except the ledger, which the run itself replaces."""
        outputs = [self.output, self.system_output, self.page]
        return [self.records, self.settlement, self.events, *outputs]

    def write_events(self) -> None:
        """Write the events of the day, with the time during which each project took part."""
        query = (
            "SELECT event, project_id, start_ms, end_ms, ending, target_kw "
            "FROM settlements JOIN projects USING (project) ORDER BY settlement"
        )
        with (
            Reader(self.ledger) as reader,
            self.events.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(["event", "project_id", "start", "end", "ending", "target_kw"])
            for event, project, start, end, ending, target in reader.rows(query):
                writer.writerow([event, project, rfc3339(start), rfc3339(end), ending, target])
