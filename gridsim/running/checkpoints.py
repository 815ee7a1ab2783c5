"""The checkpoints that a run writes, and the files beside them."""

from __future__ import annotations

import errno
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from loguru import logger

from gridsim.api import Instruction
from gridsim.contracts.part_status import CheckpointStatus
from gridsim.contracts.state import State, StateError
from gridsim.errors import GridsimError, UsageError
from gridsim.execution.checkpoint import RunFacts, checkpoint_bytes
from gridsim.execution.copies import CheckpointCopy
from gridsim.execution.folder import CheckpointFolder
from gridsim.execution.journal import Altering, AlteringFile, Entries, Journal
from gridsim.execution.progress import ProgressFile, RunProgress
from gridsim.running.checkpoint_plan import CheckpointPlan

# How long a checkpoint waits until its readings are settled: they cannot be made again after it.
_SETTLED_S: Final = 600.0
_LEDGER_S: Final = 30.0
_LOOK_S: Final = 0.02
_CLOSE_S: Final = 5.0
# Errors of a disk that may be gone at the next start.
_PASSING: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EIO)


@dataclass(frozen=True, slots=True)
class _Taken:
    tick: int
    state: State
    facts: RunFacts
    keys: Mapping[str, str]
    at_once: bool


class Checkpoints:
    """The checkpoints of one run.

    State and instructions are taken in the engine's thread; files are written in another. A failure
    is logged once, and the run goes on.
    """

    def __init__(
        self,
        plan: CheckpointPlan,
        take: Callable[[], tuple[State, RunFacts]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write nothing yet. `take` returns the state between two ticks, and the run's facts."""
        self.keys = plan.keys
        self._plan = plan
        self._take = take
        self._monotonic = monotonic
        self._folder = CheckpointFolder(plan.path)
        self._copy = CheckpointCopy(plan.url, plan.options)
        self._journal: Journal | None = None
        self._progress: ProgressFile | None = None
        self._altering: AlteringFile | None = None
        self._known_altering: list[Altering] = []
        self._last = RunProgress()
        self._written = 0
        self._error = ""
        self._due = 0.0
        self._known: Callable[[], Entries] = dict
        self._settled: dict[int, int] = {}
        """The number of the first reading that is not settled, by transport."""
        self._committed: Callable[[int, float], bool] = lambda _tick, _limit_s: True
        self._is_settled: Callable[[int], bool] = lambda _number: True
        self._requests: queue.SimpleQueue[_Taken | None] = queue.SimpleQueue()
        self._busy = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._work, name="checkpoint", daemon=True)

    # Called by the run, before its first tick and after its last.

    def open(self, known: Callable[[], Entries], gap: tuple[int, int] | None = None) -> None:
        """Open and lock the folder, and write the first checkpoint of a run that begins.

        `known` returns the instructions that are known for ticks to come; `gap` has the first and
        last tick that a resumed run will skip. Raises GridsimError if the disk is full, UsageError
        if the folder cannot be used, and StateError, naming the plugin, if a state cannot be kept.
        """
        kept = self._plan.kept
        self._known = known
        self._known_altering = [] if kept is None else [*kept.altering]
        try:
            self._folder.open(resumed=kept is not None)
            if kept is None:
                state, facts = self._take()
                self._last = RunProgress(settled=[0] * len(facts.transports))
                self._journal = self._folder.journal(0, {})
                self._progress = self._folder.progress(self._last)
                self._settled = dict(enumerate(self._last.settled))
                self._folder.write(0, checkpoint_bytes(state, self.keys, facts))
                self._altering = self._folder.altering([])
            else:
                self._written = tick = kept.checkpoint.tick
                self._last = kept.progress
                self._settled = dict(enumerate(self._last.settled))
                self._journal = self._folder.journal(tick, kept.journal)
                self._progress = self._folder.progress(self._last)
                self._folder.clear_after(tick)
                gaps = [one for one in kept.gaps if one[1] >= tick]
                self._folder.write_gaps(gaps if gap is None else [*gaps, gap])
                self._altering = self._folder.altering(kept.altering)
            self._copy.open(self._plan.path, resumed=kept is not None)
        except OSError as error:
            self.release()
            text = f"[checkpoint] path: error: {self._plan.path}: {error.strerror or error}"
            # A service should be started again when there is space.
            raise (GridsimError if error.errno in _PASSING else UsageError)(text) from error
        except BaseException:
            self.release()
            raise

    def start(
        self, committed: Callable[[int, float], bool], is_settled: Callable[[int], bool]
    ) -> None:
        """Start the writer. `committed` waits until ledger and spools have all before a tick;
        `is_settled` returns whether no transport has an unsettled reading below a number.
        """
        self._committed, self._is_settled = committed, is_settled
        self._due = self._monotonic() + self._plan.every_s
        self._thread.start()

    def close(self, *, ended: bool) -> None:
        """Stop writing. With `ended` the run cannot be resumed, and its files are removed."""
        self._is_closing = True
        if self._thread.is_alive():
            self._requests.put(None)
            self._thread.join(_CLOSE_S)
        self._copy.close(ended=ended)
        if ended:
            try:
                self._folder.end()
            except OSError as error:
                self._failed(error)
        self.release()

    def release(self) -> None:
        """Close the files, and leave them as they are."""
        for one in (self._journal, self._progress, self._altering, self._folder):
            if one is not None:
                with suppress(OSError):
                    one.close()

    def status(self) -> CheckpointStatus:
        """Return the status of the checkpoints."""
        return CheckpointStatus(str(self._plan.path), self._written, self._error)

    # Called from the engine's thread.

    def note(self, tick: int, instructions: Sequence[Instruction]) -> None:
        """Add the instructions of a tick to the journal, before the tick begins."""
        try:
            if self._journal is not None:
                self._journal.append(tick, instructions)
            self._copy.nudge()
        except OSError as error:
            self._failed(error)

    def alter(self, altering: Altering) -> None:
        """Add an injected fault that alters messages, before the first of them is handed over."""
        self._known_altering.append(altering)
        try:
            if self._altering is not None:
                self._altering.add(altering)
            self._copy.nudge()
        except OSError as error:
            self._failed(error)

    def mark(self, progress: RunProgress) -> None:
        """Note the progress, before readings are handed over. It never goes back."""
        if progress.tick < self._last.tick:
            return
        self._last = progress
        try:
            if self._progress is not None:
                self._progress.mark(progress)
        except OSError as error:
            self._failed(error)

    def after_tick(self, next_tick: int) -> None:
        """Take a checkpoint if one is due."""
        if self._monotonic() >= self._due and not self._busy.is_set():
            self.take(next_tick)

    def take(self, next_tick: int, *, at_once: bool = False) -> bool:
        """Take a checkpoint between two ticks, and let the writer write it; return whether so.

        `at_once`: it does not wait until its readings are settled. It replaces one that waits.
        """
        self._due = self._monotonic() + self._plan.every_s
        try:
            state, facts = self._take()
            self._mend_folder()
            journal = self._folder.journal(next_tick, self._known())
        except (OSError, StateError) as error:
            self._failed(error)
            return False
        if self._journal is not None:
            self._journal.close()
        self._journal = journal
        self._busy.set()
        self._requests.put(_Taken(next_tick, state, facts, self.keys, at_once))
        return True

    # Called from any thread.

    def settle(self, transport: int, number: int) -> None:
        """Note the first reading of a transport that is not settled."""
        self._settled[transport] = number
        try:
            if self._progress is not None:
                self._progress.settle(transport, number)
        except OSError as error:
            self._failed(error)

    def wait(self, timeout_s: float) -> bool:
        """Wait until the writer has nothing to do, and return whether that is so."""
        deadline = time.monotonic() + timeout_s
        while (is_busy := self._busy.is_set()) and time.monotonic() < deadline:
            time.sleep(0.002)
        return not is_busy

    # Internal.

    def _work(self) -> None:
        while (taken := self._requests.get()) is not None:
            self._busy.set()
            try:
                if not self._wait_settled(taken):
                    continue
                # A checkpoint whose readings the ledger lacks could not be continued.
                if self._committed(taken.tick, _LEDGER_S):
                    data = checkpoint_bytes(taken.state, taken.keys, taken.facts)
                    self._folder.write(taken.tick, data)
                    self._recovered(taken.tick)
                    self._copy.nudge()
                elif not self._is_closing:
                    self._failed(GridsimError("the ledger has not written the readings before it"))
            except Exception as error:
                self._failed(error)
            finally:
                if self._requests.empty():
                    self._busy.clear()

    def _wait_settled(self, taken: _Taken) -> bool:
        """Wait until the readings of a checkpoint are settled; False if another one replaces it."""
        deadline = self._monotonic() + _SETTLED_S
        while not (taken.at_once or self._is_settled(taken.facts.readings)):
            if not self._requests.empty():
                return False
            if self._monotonic() > deadline:
                break
            time.sleep(_LOOK_S)
        return True

    def _mend_folder(self) -> None:
        """Create the folder again if it was deleted. Raises OSError or UsageError."""
        if self._plan.path.is_dir():
            return
        for one in (self._progress, self._altering, self._folder):
            if one is not None:
                one.close()
        self._folder.open(resumed=True)
        self._altering = self._folder.altering(self._known_altering)
        settled = [number for _, number in sorted(self._settled.items())]
        self._progress = self._folder.progress(replace(self._last, settled=settled))
        logger.warning("{} was deleted, and is created again", self._plan.path)

    def _failed(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if not self._error:
            logger.warning(
                "checkpoints cannot be written to {}: {}. The run continues; `--resume` would "
                "continue from tick {:,}",
                self._plan.path,
                reason,
                self._written,
            )
        self._error = str(reason)

    def _recovered(self, tick: int) -> None:
        self._written = tick
        if self._error:
            self._error = ""
            logger.info("checkpoints are written to {} again", self._plan.path)
