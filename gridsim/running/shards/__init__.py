"""One run as several shards: each shard is a run of some of the projects, and a driver leads them.

The driver calls a `ShardHost` for each shard. `HostedRun` is the shard's side; what carries the
calls to it, such as a pipe to a child process, is a part of each engine of `[execution]`.
"""
