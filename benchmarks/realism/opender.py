"""Grid support beside OpenDER, EPRI's model of IEEE 1547-2018 (PyPI: opender)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.realism.report import Check, at_most, note
from gridsim.api import GridSample, GridSupport, GridSupportSettings, Tick
from gridsim.testing import make_members, make_sites, make_weather

_RATED_KW = 100.0
_HZ = 60.0
# Until OpenDER has entered service, and until its output has settled.
_SERVICE_S, _SETTLED_S = 400, 60
# Other curves than the default ones. The droop is 4 % of 60 Hz beyond 0.1 Hz.
_VOLT_VAR = [[0.93, 0.3], [0.97, 0.1], [1.01, 0.0], [1.06, -0.4]]
_VOLT_WATT = [[1.05, 1.0], [1.09, 0.3]]
_FREQ_WATT = [[-1.3, 0.5], [-0.1, 0.0], [0.1, 0.0], [1.3, -0.5]]
_SOURCE = "OpenDER (EPRI)"


def checks() -> list[Check]:
    """Return the checks; a note if OpenDER is not installed."""
    if find_spec("opender") is None:
        return [note("grid support beside OpenDER", "not run: python -m pip install opender", "-")]
    volts = np.arange(0.90, 1.0951, 0.005).round(3).tolist()
    hertz = np.arange(59.0, 61.01, 0.1).round(2).tolist()
    return [
        *_compared("volt-var, category A", {"volt_var": "category_a"}, volts, [_HZ], 60.0),
        *_compared("volt-var, category B", {"volt_var": "category_b"}, volts, [_HZ], 60.0),
        *_compared(
            "volt-var, at 10 % of the power", {"volt_var": "category_b"}, volts, [_HZ], 10.0
        ),
        *_compared("volt-watt", {"volt_watt": "category_b"}, volts, [_HZ], 95.0),
        *_compared("freq-watt", {"freq_watt": True}, [1.0], hertz, 60.0),
        *_compared(
            "volt-var and volt-watt, at the rated power",
            {"volt_var": "category_b", "volt_watt": "category_b"},
            volts,
            [_HZ],
            _RATED_KW,
        ),
        *_compared("volt-var, other points", {"volt_var": _VOLT_VAR}, volts, [_HZ], 60.0),
        *_compared("volt-watt, other points", {"volt_watt": _VOLT_WATT}, volts, [_HZ], 95.0),
        *_compared("freq-watt, other points", {"freq_watt": _FREQ_WATT}, [1.0], hertz, 60.0),
    ]


def _compared(
    name: str,
    settings: dict[str, Any],
    volts: Sequence[float],
    hertz: Sequence[float],
    available_kw: float,
) -> list[Check]:
    """Compare the settled power at each voltage and frequency, as shares of the rating."""
    points = [(volt, hz) for volt in volts for hz in hertz]
    own = np.array([_own(settings, *point, available_kw) for point in points])
    theirs = np.array([_theirs(settings, *point, available_kw) for point in points])
    worst = float(np.abs(own - theirs).max()) / _RATED_KW
    label = f"grid support: {name}, largest difference at {len(points)} points"
    return [at_most(label, 0.01, worst, _SOURCE)]


def _own(
    settings: dict[str, Any], voltage: float, hz: float, available_kw: float
) -> tuple[float, float]:
    members = make_members(
        GridSupportSettings, [{"nameplate_capacity": _RATED_KW, **settings}], sites=make_sites(1)
    )
    support = GridSupport(members)
    one = np.ones(1)
    grid = GridSample(hz * one, _HZ * one, voltage * one, 0.0 * one, 0.0 * one)
    power = available_kw * one
    for _ in range(_SETTLED_S):
        kw, kvar = support.apply(Tick(0, 0, 1.0, make_weather(1), grid), power, 0.0 * one, power)
    return float(kw[0]), float(kvar[0])


def _theirs(
    settings: dict[str, Any], voltage: float, hz: float, available_kw: float
) -> tuple[float, float]:
    import opender

    # It logs each change of a setting.
    logging.disable(logging.CRITICAL)
    opender.DER.t_s = 1.0
    watts = 1000.0 * _RATED_KW
    given = opender.DERCommonFileFormat(NP_P_MAX=watts, NP_VA_MAX=watts)
    category = settings.get("volt_var", "off")
    given.NP_NORMAL_OP_CAT = "CAT_A" if category == "category_a" else "CAT_B"
    # The category sets its default curves.
    for key, name in (("volt_var", "QV"), ("volt_watt", "PV")):
        points = settings.get(key)
        for place, (at, value) in enumerate(points if isinstance(points, list) else (), 1):
            setattr(given, f"{name}_CURVE_V{place}", at)
            setattr(given, f"{name}_CURVE_{'Q' if name == 'QV' else 'P'}{place}", value)
    if isinstance(settings.get("freq_watt"), list):
        given.PF_DBOF = given.PF_DBUF = 0.1
        given.PF_KOF = given.PF_KUF = 0.04
    given.QV_MODE_ENABLE = category != "off"
    given.PV_MODE_ENABLE = settings.get("volt_watt", "off") != "off"
    given.PF_MODE_ENABLE = bool(settings.get("freq_watt", False))
    device = opender.DER_PV(given)
    for second in range(_SERVICE_S + _SETTLED_S):
        in_service = second < _SERVICE_S
        device.update_der_input(
            v_pu=1.0 if in_service else voltage,
            f=_HZ if in_service else hz,
            p_dc_kw=available_kw,
        )
        device.run()
    logging.disable(logging.NOTSET)
    return float(device.p_out_kw), float(device.q_out_kvar)
