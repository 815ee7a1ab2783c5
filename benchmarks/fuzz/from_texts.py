"""The inputs that people write: configurations, files of events and faults, message templates."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import strategies as st

from benchmarks.fuzz.inputs import WORDS, changed, changed_text, values
from benchmarks.fuzz.target import HOME, ROOT, SITE, Target, resolved
from gridsim.plugins.registry import Registry
from gridsim.testing import make_batch, make_roster


def configurations(registry: Registry) -> Target:
    shipped = [path.read_text() for path in sorted((ROOT / "configs").glob("*.toml"))]
    pages = [text for text in shipped if len(text) < 8000 and "count" not in text]
    seeds = [HOME, HOME + SITE, *pages]
    keys = sorted({line.split("=")[0].strip() for text in shipped for line in text.splitlines()})
    named = [key for key in keys if key.isidentifier()]
    # A value of TOML of any type, for a key that some table has.
    value = st.one_of(
        st.sampled_from(WORDS),
        values.map(json.dumps),
        st.sampled_from(("{ uniform = [1, 2] }", "{ normal = [1, nan] }", "[[1]]", "{}", "''")),
    )
    tables = st.sampled_from(
        ("simulation", "site", "weather", "ledger", "defaults.mqtt", "grid", "[projects]")
    ) | st.sampled_from(
        ("[projects.ders]", "[transports]", "[sources]", "[views]", "[events]", "[faults]")
    )
    line = st.builds("{} = {}".format, st.sampled_from(named), value)
    table = st.builds(
        lambda name, lines: "\n".join([f"[{name}]", *lines]), tables, st.lists(line, max_size=4)
    )
    built = st.lists(table, max_size=6).map("\n\n".join)
    return Target(
        "configuration text",
        st.one_of(
            *[changed(changed_text(seeds))] * 6,
            built,
            built.map(lambda more: HOME + more),
        ),
        lambda text: resolved(text, registry),
    )


def events(registry: Registry, path: Path) -> Target:
    seeds = [
        path.read_text() for path in sorted((ROOT / "configs" / "scenarios").glob("*.toml"))
    ] + [SITE]
    seeds = [text.replace("SUN_*", "HOME").replace("CAR_*", "HOME") for text in seeds]
    blocks = [block for text in seeds for block in text.split("\n\n") if block.strip()]
    main = HOME.replace("[simulation]", f"[simulation]\nscenarios = [{json.dumps(str(path))}]", 1)

    def check(text: str) -> None:
        path.write_bytes(text.encode(errors="surrogatepass"))
        resolved(main, registry)

    return Target(
        "event and fault files",
        st.one_of(changed(changed_text(blocks)), changed(changed_text(seeds))),
        check,
    )


def templates() -> Target:
    from gridsim_plugins.formats.template import Template, TemplateSettings

    seeds = [
        '{"id": "{der_id}", "kw": "{current_output}", "note": "{type} of {project_id}"}',
        '{"v": "{current_output * 1000 | round(2)}", "s": "{current_soc | else(omit)}"}',
        '["{timestamp | s}", "{timestamp | local}", "{is_online | on(1, 0)}", "{seq}"]',
        '{"p": "{max(net, 0) / nameplate_capacity | round}", "n": "{{x}}", "l": ["{latitude}"]}',
        "{current_output}",
        '{"a": {"b": [{"c": "{abs(min(net, baseline)) + 1}"}]}}',
    ]
    parts = [
        *("{", "}", "{{", "}}", "|", "round", "(", ")", "else", "omit", "*", "/", "0", "1e400"),
        *("-", "max(", "min(", "abs(", ",", '"', "der_id", "current_output", "timestamp", "net"),
        *("local", "s", "ms", "[", "]", ":", " ", "null", "true", "map", "text", "seq", "\\u0000"),
        "\n",
    ]
    batch = make_batch(make_roster())

    def check(case: tuple[str, str]) -> None:
        template, framing = case
        try:
            made = Template(TemplateSettings(template=template), framing, batch.roster)
        except ValueError:
            raise _RefusedError from None
        made.example()
        for body in made.encode(batch).bodies:
            if body.startswith((b"{", b"[")):
                json.loads(body)

    built = st.lists(st.sampled_from(parts), max_size=24).map("".join)
    shaped = built.map(lambda inner: '{"a": "{' + inner + '}"}')
    return Target(
        "message templates",
        st.tuples(
            st.one_of(changed(changed_text(seeds, parts)), shaped, built),
            st.sampled_from(("der", "der", "project", "measurand", "batch")),
        ),
        check,
        (_RefusedError,),
    )


class _RefusedError(Exception):
    """The settings of a format do not fit."""
