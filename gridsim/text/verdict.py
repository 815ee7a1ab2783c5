"""The findings about a run that has ended, as sentences."""

from __future__ import annotations

from gridsim.running.verdict import RunFinding
from gridsim.text.words import counted


def finding_line(finding: RunFinding, not_set: str = "") -> str:
    """Return a finding as one line.

    `not_set` are the settings of sources that the command line gave to the transport only.
    """
    name = f"transport {finding.transport}"
    of = f"{finding.readings:,} of {counted(finding.accepted, 'reading')}"
    last_error = f"; its last error: {finding.error}" if finding.error else ""
    match finding.kind:
        case "never connected":
            advice = f"; --set changed the transport only, not {not_set}" if not_set else ""
            return f"{name} never connected: {finding.error}{advice}"
        case "failed":
            return f"{name} failed: {finding.error}"
        case "dropped":
            reasons = ", ".join(f"{n:,} {why}" for why, n in sorted(finding.dropped.items()))
            return f"{name}: {of} dropped ({reasons}){last_error}"
        case "unconfirmed":
            return f"{name}: {of} unconfirmed: they may not have arrived{last_error}"
        case "lost with the connection":
            return (
                f"{name}: {of} may be lost with the connection, because QoS 0 sends each reading "
                "at most once"
            )
        case "nothing confirmed":
            return f"{name}: none of {counted(finding.accepted, 'reading')} was confirmed"
        case "rate not held":
            return "the rate was not held (--strict)"
