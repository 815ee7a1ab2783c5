"""The load profiles of EN 16147 and of Commission Delegated Regulation (EU) 812/2013.

Annex VII, table 3 of the regulation (EUR-Lex 32013R0812): the time and the useful energy of each
draw of a day.
"""

from __future__ import annotations

from typing import Literal

Profile = Literal["3XS", "XXS", "XS", "S", "M", "L", "XL", "XXL"]

REFERENCE_KWH: dict[Profile, float] = {
    "3XS": 0.345,
    "XXS": 2.1,
    "XS": 2.1,
    "S": 2.1,
    "M": 5.845,
    "L": 11.655,
    "XL": 19.07,
    "XXL": 24.53,
}
"""The energy of a day that the regulation states, Qref, kWh."""
# Times of draws that several profiles share; each energy is followed by its times.
_TABLE: dict[Profile, str] = {
    "3XS": """
        .015 07:00 07:05 07:15 07:26 07:30 09:00 09:30 11:30 11:45 12:00 12:30 12:45 14:30 15:00
             15:30 16:00 18:30 19:00 19:30 21:15 21:30 21:35 21:45
    """,
    "XXS": """
        .105 07:00 07:30 08:30 09:30 11:30 11:45 12:00 12:30 12:45 18:00 18:15 18:30 19:00 19:30
             20:00 20:45 21:00 21:15 21:35 21:45
    """,
    "XS": ".525 07:30 12:45 1.05 20:30",
    "S": ".105 07:00 07:30 08:30 09:30 11:30 11:45 18:00 18:15 .315 12:45 .42 20:30 .525 21:30",
    "M": """
        .105 07:00 07:30 08:01 08:15 08:30 08:45 09:00 09:30 10:30 11:30 11:45 14:30 15:30 16:30
             18:00 18:15 18:30 19:00 21:15
        1.4 07:05 21:30 .315 12:45 .735 20:30
    """,
    "L": """
        .105 07:00 07:30 07:45 08:25 08:30 08:45 09:00 09:30 10:30 11:30 11:45 14:30 15:30 16:30
             18:00 18:15 18:30 19:00 21:30
        1.4 07:05 3.605 08:05 21:00 .315 12:45 .735 20:30
    """,
    "XL": """
        .105 07:00 07:26 08:01 08:15 08:30 08:45 09:00 09:30 10:00 10:30 11:00 11:30 11:45 14:30
             15:00 15:30 16:00 16:30 17:00 18:00 18:15 18:30 19:00 21:15
        1.82 07:15 4.42 07:45 20:46 21:30 .735 12:45 20:30
    """,
    "XXL": """
        .105 07:00 07:26 08:01 08:15 08:30 08:45 09:00 09:30 10:00 10:30 11:00 11:30 11:45 14:30
             15:00 15:30 16:00 16:30 17:00 18:00 18:15 18:30 19:00 21:15
        1.82 07:15 6.24 07:45 20:46 21:30 .735 12:45 20:30
    """,
}
# The power of draws by their energy, kW: the flows of the table at its temperatures. 2 and 3 l/min
# of a basin, 6 of a shower, 10 and 16 of a bath heated by 30 K; 4 l/min of dishes by 45 K.
_FLOW_KW = {
    0.015: 4.19,
    0.105: 6.28,
    0.525: 6.28,
    1.05: 6.28,
    0.315: 12.56,
    0.42: 12.56,
    0.735: 12.56,
    1.4: 12.56,
    1.82: 12.56,
    3.605: 20.93,
    4.42: 20.93,
    6.24: 33.49,
}
# 2 l/min by 30 K, and 5 l/min by 35 K.
_OTHER_FLOW_KW: dict[tuple[Profile, float], float] = {("XXS", 0.105): 4.19, ("S", 0.525): 12.21}


def draws_of(profile: Profile) -> list[tuple[int, float, float]]:
    """Return the draws of a day in order: (minute of the day, energy in kWh, power in kW)."""
    draws, energy = [], 0.0
    for word in _TABLE[profile].split():
        if ":" not in word:
            energy = float(word)
            continue
        hour, minute = word.split(":")
        power = _OTHER_FLOW_KW.get((profile, energy), _FLOW_KW[energy])
        draws.append((int(hour) * 60 + int(minute), energy, power))
    return sorted(draws)
