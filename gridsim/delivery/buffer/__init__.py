"""Buffers: where batches wait for a transport."""

from gridsim.delivery.buffer.base import Buffer, QueuedBatch
from gridsim.delivery.buffer.memory import MemoryBuffer

__all__ = ["Buffer", "MemoryBuffer", "QueuedBatch"]
