"""The transaction whose COMMIT was sent, and not answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gridsim.api import Batch, TransportError

if TYPE_CHECKING:
    import psycopg


class Unclear:
    """The last transaction of a transport, until its outcome is known.

    If the connection is lost between COMMIT and its answer, the server knows whether the
    transaction was committed (`pg_xact_status`), also after a restart. So its rows are neither lost
    nor written twice.
    """

    def __init__(self) -> None:
        self._transaction: str | None = None
        self._rows = range(0)
        self._committed = range(0)

    def begin(self, cursor: psycopg.Cursor[Any], part: Batch) -> None:
        """Begin a transaction in which the rows of `part` are written."""
        cursor.execute("BEGIN; SELECT pg_current_xact_id()::text")
        cursor.nextset()
        found = cursor.fetchone()
        self._transaction = None if found is None else str(found[0])
        self._rows = range(part.number, part.number + len(part))

    def forget(self) -> None:
        """Note that the outcome is known."""
        self._transaction = None

    def resolve(self, connection: psycopg.Connection[Any]) -> None:
        """Ask for the outcome on a new connection. Raises TransportError while it is open."""
        import psycopg

        if self._transaction is None:
            return
        try:
            found = connection.execute(
                "SELECT pg_xact_status(%s::text::xid8)", (self._transaction,)
            ).fetchone()
        except psycopg.DataError:
            # A server that does not know so high a number, such as an older copy: not committed.
            found = ("aborted",)
        status = None if found is None else found[0]
        if status == "in progress":
            raise TransportError("the server has not yet ended the transaction that was lost")
        self._committed = self._rows if status == "committed" else range(0)
        self._transaction = None

    def committed_of(self, batch: Batch) -> int:
        """Return how many rows at the start of a batch were committed by the lost transaction."""
        rows, self._committed = self._committed, range(0)
        if not rows or not rows.start <= batch.number < rows.stop:
            return 0
        return min(rows.stop - batch.number, len(batch))
