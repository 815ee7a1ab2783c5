"""The description of a run, for its ledger."""

from __future__ import annotations

from gridsim.config.configuration import Configuration
from gridsim.ledger import About, TransportNote
from gridsim.plugins.identity import identities_of
from gridsim.plugins.registry import Registry


def about_run(configuration: Configuration, configuration_hash: str, registry: Registry) -> About:
    """Return the description of a run for its ledger."""
    return About(
        configuration.simulation.seed,
        configuration_hash,
        configuration.scenario,
        [
            TransportNote(
                name=choice.name,
                type=choice.name.partition("#")[0],
                format=choice.format_name,
                # A format has no secrets, so none are written here; pydantic would mask them.
                format_settings=choice.format_settings.model_dump_json(),
                framing=choice.framing,
            )
            for choice in configuration.transports
        ],
        _plugins(configuration, registry),
        configuration.timezone,
    )


def _plugins(configuration: Configuration, registry: Registry) -> dict[str, str]:
    """Return the identities of the plugins that readings and their bytes depend on."""
    scenario = configuration.scenario
    used = [("weather", scenario.weather.name)]
    used += [("der", spec.name) for spec in scenario.fleets]
    used += [("load", spec.name) for spec in scenario.loads]
    used += [("baseline", spec.name) for spec in scenario.baselines]
    used += [("format", choice.format_name) for choice in configuration.transports]
    # Any fault may be injected later.
    used += [("fault", name) for name in registry.names("fault")]
    return identities_of(registry, used)
