"""The messages that one source receives and answers, for the trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from gridsim.api import (
    Acknowledgement,
    Instruction,
    MessageAddress,
    Source,
    acknowledgement_json,
    write_instruction,
)
from gridsim.delivery.trace import NO_ADDRESS, MessageTrace
from gridsim.errors import is_interrupt


class Exchange:
    """The reporter of one source's instructions and answers to the trace.

    Answers, and instructions that were not read by `read_instruction`, are shown as equivalent
    JSON, because the source itself does nothing for the trace.
    """

    def __init__(self, trace: MessageTrace, name: str, source: Source) -> None:
        self._trace = trace
        self._name = name
        self._source = source

    def received(self, instruction: Instruction) -> None:
        """Note an instruction that arrived. Called in the source's thread."""
        if self._trace.watched is None:
            return
        devices = self._trace.concerned(instruction.target)
        if not devices:
            return
        text = instruction.received
        payload = write_instruction(instruction) if text is None else text.payload
        self._trace.note(
            devices,
            (self._name, instruction.target, instruction.id),
            "in",
            self._name,
            NO_ADDRESS if text is None else text.address,
            payload,
            None if text is None else text.size,
        )

    def answered(self, answer: Acknowledgement) -> None:
        """Note the answer to an instruction. Called in any thread; no plugin is called."""
        if self._trace.watched is None:
            return
        fate = f"{answer.status}: {answer.reason}" if answer.reason else answer.status
        self._trace.answer((self._name, answer.target, answer.id), fate)

    def handing_over(self, answers: Iterable[Acknowledgement]) -> None:
        """Note the answers that the source is about to send. Called in the source's thread."""
        if self._trace.watched is None:
            return
        for one in answers:
            if devices := self._trace.concerned(one.target):
                self._trace.note(
                    devices,
                    self._key(one),
                    "out",
                    self._name,
                    self._address(one),
                    acknowledgement_json(one),
                )

    def handed_over(
        self,
        answers: Iterable[Acknowledgement],
        fate: str,
        refused: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        """Note the fate of answers; `refused` has the far end's reasons, by their index."""
        if self._trace.watched is None:
            return
        for place, one in enumerate(answers):
            if devices := self._trace.concerned(one.target):
                text = f"refused: {refused[place]}" if place in refused else fate
                self._trace.settle(devices, self._key(one), text, self._name, NO_ADDRESS, add=False)

    def _key(self, answer: Acknowledgement) -> tuple[object, ...]:
        return self._name, answer.target, answer.id, answer.status, answer.tick

    def _address(self, answer: Acknowledgement) -> MessageAddress:
        try:
            return self._source.address(answer.target)
        except BaseException as error:
            if is_interrupt(error):
                raise
            return NO_ADDRESS
