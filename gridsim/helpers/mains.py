"""The usual mains supply of homes, by time zone: voltage and number of phases.

Voltages from the International Electrotechnical Commission's list "World plugs". The number of
phases is that of a usual house connection by the connection rules of grid operators: three in
Austria, Germany and Switzerland, in the countries around the Baltic Sea, in the Low Countries
except Belgium, and in Central Europe; one elsewhere. Norway is an exception in the north, because
most of its homes have the IT network of 230 V.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from gridsim.helpers.randomness import Floats


@dataclass(frozen=True, slots=True)
class Mains:
    """The supply of a home."""

    nominal_voltage: float
    """The voltage between a line and the neutral, V."""
    phases: int


_DEFAULT = Mains(230.0, 1)
_SPLIT = Mains(120.0, 1)
# Brazil and Mexico: 127 V is a phase of a three-phase network of 220 V.
_OF_220 = Mains(127.0, 1)
_JAPAN = Mains(100.0, 1)
_TAIWAN = Mains(110.0, 1)
_THREE = Mains(230.0, 3)
_AT_220 = Mains(220.0, 1)

_THREE_PHASE = """
    Amsterdam Belgrade Berlin Bratislava Bucharest Budapest Busingen Chisinau Copenhagen Helsinki
    Kaliningrad Kiev Kyiv Ljubljana Luxembourg Mariehamn Minsk Moscow Podgorica Prague Riga
    Sarajevo Skopje Sofia Stockholm Tallinn Vaduz Vienna Vilnius Warsaw Zagreb Zurich
"""
# Cities of America, except those of the supplies below: 230 V, 220 V, 127 V.
_AMERICA_230 = """
    Anguilla Antigua Cayenne Danmarkshavn Dominica Godthab Grenada Guadeloupe Guyana La_Paz Marigot
    Martinique Miquelon Montevideo Montserrat Nuuk Scoresbysund St_Barthelemy St_Kitts St_Lucia
    St_Vincent Thule
"""
_AMERICA_220 = """
    Argentina Asuncion Buenos_Aires Catamarca Cordoba Coyhaique Fortaleza Jujuy Lima Maceio Mendoza
    Noronha Punta_Arenas Recife Rosario Santiago
"""
_ASIA_220 = """
    Chongqing Chungking Harbin Ho_Chi_Minh Hong_Kong Kabul Kashgar Macao Macau Manila Pyongyang
    Saigon Seoul Shanghai Tehran Urumqi
"""
_AMERICA_127 = """
    Araguaina Bahia Bahia_Banderas Belem Boa_Vista Campo_Grande Cancun Chihuahua Ciudad_Juarez
    Cuiaba Ensenada Eirunepe Hermosillo Manaus Matamoros Mazatlan Merida Mexico_City Monterrey
    Ojinaga Paramaribo Porto_Acre Porto_Velho Rio_Branco Santa_Isabel Santarem Sao_Paulo Tijuana
"""
_OTHERS = {
    "Asia/Taipei": _TAIWAN,
    "Asia/Tokyo": _JAPAN,
    "Atlantic/Bermuda": _SPLIT,
    "Atlantic/Reykjavik": _THREE,
    "Brazil/Acre": _OF_220,
    "Brazil/DeNoronha": _AT_220,
    "Brazil/East": _OF_220,
    "Brazil/West": _OF_220,
    "Africa/Cairo": _AT_220,
    "Africa/Monrovia": _SPLIT,
    "Chile/Continental": _AT_220,
    "Chile/EasterIsland": _AT_220,
    "Egypt": _AT_220,
    "Hongkong": _AT_220,
    "Iran": _AT_220,
    "PRC": _AT_220,
    "Pacific/Easter": _AT_220,
    "ROK": _AT_220,
    "Cuba": _SPLIT,
    "Jamaica": _SPLIT,
    "Japan": _JAPAN,
    "Mexico/BajaNorte": _OF_220,
    "Mexico/BajaSur": _OF_220,
    "Mexico/General": _OF_220,
    "Navajo": _SPLIT,
    "Poland": _THREE,
    "ROC": _TAIWAN,
    "Iceland": _THREE,
}
# Guam, the Marianas, Samoa, Hawaii, Palau, Micronesia, the Marshall Islands, the Galapagos.
_PACIFIC_120 = """
    Chuuk Enderbury Galapagos Guam Honolulu Johnston Kosrae Kwajalein Majuro Midway Pago_Pago Palau
    Pohnpei Ponape Saipan Samoa Truk Wake Yap
"""
_BY_CITY = (
    ("Europe", _THREE_PHASE, _THREE),
    ("America", _AMERICA_230, _DEFAULT),
    ("America", _AMERICA_220, _AT_220),
    ("America", _AMERICA_127, _OF_220),
    ("Asia", _ASIA_220, _AT_220),
    ("Pacific", _PACIFIC_120, _SPLIT),
)
_NORTH_AMERICA = ("America/", "Canada/", "US/", "EST", "CST", "MST", "PST")


def mains_of(timezone: str) -> Mains:
    """Return the usual supply of a home in a time zone, by its IANA name."""
    if timezone in _OTHERS:
        return _OTHERS[timezone]
    area, _, city = timezone.partition("/")
    first = city.partition("/")[0]
    for own, cities, mains in _BY_CITY:
        if area == own and first in cities.split():
            return mains
    return _SPLIT if timezone.startswith(_NORTH_AMERICA) else _DEFAULT


def large_load_voltage(nominal: Floats) -> Floats:
    """Return the voltage of a large single-phase load, such as a car charger, float64[n], V.

    Below 150 V it is connected between two lines: twice the voltage of a split-phase supply (240 of
    120 V), and sqrt(3) times the 127 V of a three-phase network (220 V).
    """
    between = np.where(nominal == _OF_220.nominal_voltage, sqrt(3.0) * nominal, 2.0 * nominal)
    return np.where(nominal < 150.0, np.round(between), nominal)
