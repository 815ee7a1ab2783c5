"""A shard's description for another machine."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from gridsim.config.text.environment import gather
from gridsim.config.text.load import read
from gridsim.running.shards.messages import ShardSpec

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


def portable(spec: ShardSpec) -> tuple[ShardSpec, dict[str, str]]:
    """Return a shard's description that needs neither the file of the configuration nor this
    process's environment, and the variables that the configuration needs.
    """
    options = spec.options
    environment = gather(Path.cwd())
    document = read(
        options.config, options.content, overrides=options.overrides, environment=environment
    )
    texts = [
        one.text or json.dumps(one.given, default=str) for one in (document, *document.scenarios)
    ]
    names = {name for text in (*texts, *options.overrides) for name in _VARIABLE.findall(text)}
    options = replace(
        options,
        config=options.config.absolute(),
        content=document.text if options.content is None else options.content,
        plugins=tuple(path.absolute() for path in options.plugins),
    )
    needed = {name: environment[name] for name in sorted(names) if name in environment}
    return replace(spec, options=options), needed
