"""A plugin of every kind, each healthy until its body is replaced by one of those here."""

from __future__ import annotations

PLUGIN = """
import time

import numpy as np

from gridsim.api import (
    Baseline, DerSettings, Device, DeviceFault, Fleet, Format, Load, MessageFault, Payloads, Source,
    Telemetry, Transport, View, Weather, WeatherSample, hookimpl,
)


class Odd(Device):
    def step(self, tick):
        BODY_device
        return 1.0


class OddFleet(Fleet):
    reported_type = "odd"

    def step(self, tick, orders):
        n = len(self.members)
        BODY_fleet
        BODY_stop
        return Telemetry(np.ones(n))


class OddWeather(Weather):
    def at(self, time_ms):
        n = len(self.sites)
        BODY_weather
        return WeatherSample(*(np.ones(n) for _ in range(5)))


class OddLoad(Load):
    def at(self, tick):
        n = len(self.members)
        BODY_load
        return np.ones(n)

    def expected(self, time_ms):
        return np.ones(len(self.members))


class OddBaseline(Baseline):
    def at(self, tick):
        n = len(self.members)
        BODY_baseline
        return np.ones(n)


class OddFault(DeviceFault):
    def inject(self, tick, affected):
        affected.current_output[0] = 3.0
        BODY_fault


class OddMessageFault(MessageFault):
    def inject(self, tick, effects):
        BODY_message_fault


class OddAlteration(MessageFault):
    def inject(self, tick, effects):
        effects.altered[:] = True

    @classmethod
    def alter(cls, settings, body, chance):
        BODY_alter
        return body


class OddFormat(Format):
    def encode(self, batch):
        n = len(batch)
        BODY_format
        return Payloads([b"x"] * n, np.arange(n + 1))


class OddTransport(Transport):
    def describe(self):
        return "nowhere"

    def connect(self):
        pass

    def write(self, batch, receipt):
        n = len(batch)
        BODY_transport

    def close(self):
        pass


class OddSource(Source):
    def describe(self):
        return "nowhere"

    def connect(self):
        pass

    def serve(self, inbox, timeout_s):
        BODY_source
        time.sleep(timeout_s)

    def acknowledge(self, acknowledgements):
        pass

    def close(self):
        pass


class OddView(View):
    def start(self, control):
        pass

    def show(self, snapshot):
        BODY_view
        pass

    def close(self):
        pass


@hookimpl
def gridsim_register(register):
    register.der("odd", Odd)
    register.der("odd_fleet", OddFleet)
    register.weather("odd", OddWeather)
    register.load("odd", OddLoad)
    register.baseline("odd_baseline", OddBaseline)
    register.fault("odd", OddFault)
    register.fault("odd_message", OddMessageFault)
    register.fault("odd_alteration", OddAlteration)
    register.format("odd", OddFormat)
    register.transport("odd", OddTransport)
    register.source("odd", OddSource)
    register.view("odd", OddView)
"""
_RAISES = {
    "raises": "raise ValueError('worn out')",
    "exits": "raise SystemExit('worn out')",
    "hangs": "time.sleep(3600)",
}
_ARRAYS = {
    **_RAISES,
    "NaN": "return np.full(n, np.nan)",
    "infinity": "return np.full(n, np.inf)",
    "wrong length": "return np.ones(n + 1)",
    "wrong type": "return 'warm'",
    "nothing": "return None",
}
_TELEMETRY = {
    name: body.replace("return ", "return Telemetry(") + ")" if "return np" in body else body
    for name, body in _ARRAYS.items()
} | {"wrong type in it": "return Telemetry(['warm'] * n)"}

BODIES = {
    "device": {
        **_RAISES,
        "NaN": "return float('nan')",
        "infinity": "return float('inf')",
        "wrong length": "return np.ones(2)",
        "wrong type": "return 'warm'",
        "nothing": "return None",
    },
    "fleet": _TELEMETRY | {"beyond its bounds": "return Telemetry(np.full(n, 50.0))"},
    "stop": _TELEMETRY,
    "weather": {
        name: body.replace("return ", "return WeatherSample(*[") + "] * 5)"
        if "return np" in body
        else body
        for name, body in _ARRAYS.items()
    },
    "load": _ARRAYS,
    "baseline": _ARRAYS,
    "fault": {
        **_RAISES,
        "NaN": "affected.current_output[0] = np.nan",
        "infinity": "affected.current_output[0] = np.inf",
        "wrong length": "affected.current_output = affected.current_output[1:]",
        "wrong type": "affected.current_output = 'warm'",
        "nothing": "affected.current_output = None",
    },
    "message_fault": {
        **_RAISES,
        "NaN": "effects.delay_ms = effects.delay_ms * np.nan",
        "infinity": "effects.delay_ms = effects.delay_ms + np.inf",
        "wrong length": "effects.copies = effects.copies[1:]",
        "wrong type": "effects.copies = 'two'",
        "nothing": "effects.altered = None",
    },
    "alter": {
        "raises": _RAISES["raises"],
        "exits": _RAISES["exits"],
        "wrong length": "return b''",
        "wrong type": "return 'warm'",
        "nothing": "return None",
    },
    "format": {
        **_RAISES,
        "wrong length": "return Payloads([b'x'] * (n - 1), np.arange(n + 1))",
        "wrong type": "return 'warm'",
        "wrong type in it": "return Payloads(['x'] * n, np.arange(n + 1))",
        "nothing": "return None",
    },
    "transport": {
        **_RAISES,
        "NaN": "receipt.delivered(float('nan'))",
        "infinity": "receipt.delivered(float('inf'))",
        "wrong length": "receipt.delivered(n + 1)",
        "negative": "receipt.delivered(-1)",
        "wrong type": "receipt.delivered('all')",
        "wrong reason": "receipt.dropped(n, None)",
    },
    "source": {
        **_RAISES,
        "wrong type": "inbox.post('charge')",
        "nothing": "inbox.post(None)",
    },
    "view": _RAISES,
}
