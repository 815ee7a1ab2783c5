"""Weather files, and what is read from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gridsim_plugins.weather.file.reading import read_weather
from gridsim_plugins.weather.file.series import Series
from gridsim_plugins.weather.file.settings import WeatherFileSettings

HOUR_MS = 3_600_000
Write = Callable[..., str]
EPW_HEAD = """LOCATION,Fredericton,NB,CAN,WYEC2,717000,45.87,-66.53,-4.0,20.0
DESIGN CONDITIONS,0
TYPICAL/EXTREME PERIODS,0
GROUND TEMPERATURES,0
HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0
COMMENTS 1,made up
COMMENTS 2,for a test
DATA PERIODS,1,{per_hour},Data,Sunday, 1/ 1,12/31
"""


def read(path: str, **settings: Any) -> tuple[Series, str]:
    return read_weather(WeatherFileSettings.model_validate({"path": path, **settings}))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def epw(year: int = 2001, per_hour: int = 1, days: int = 365, marks: Mapping[str, str] = {}) -> str:
    """An EPW whose temperature is the hour of the day; `marks` replace values of 1 July."""
    lines = []
    for n in range(24 * days * per_hour):
        at = datetime(year, 1, 1) + timedelta(hours=n / per_hour)
        minute = 0 if per_hour == 1 else at.minute + 60 // per_hour
        row = {"temp": f"{at.hour}.5", "ghi": "100", "dni": "50", "dhi": "60", "wind": "4.5"}
        if (at.month, at.day, at.hour) in ((7, 1, 12), (7, 1, 13)):
            row |= marks
        fields = [at.year, at.month, at.day, at.hour + 1, minute, "?9", row["temp"], 0, 50, 101300]
        fields += [0, 0, 300, row["ghi"], row["dni"], row["dhi"], 0, 0, 0, 0, 180, row["wind"]]
        lines.append(",".join(str(field) for field in [*fields, *[0] * 13]))
    return EPW_HEAD.format(per_hour=per_hour) + "\n".join(lines) + "\n"


PLACE: dict[str, Any] = {"latitude": 45.0, "longitude": 8.0}
