"""The synchronous areas of power grids: their frequency and how it varies, by time zone.

The frequency is the same in a whole area. Standard deviations are round values of the size that is
measured, not figures read from a table: see Rydin Gorjão et al., "Open database analysis of scaling
and spatio-temporal properties of power grid frequencies" (Nature Communications 11, 2020) for
Europe, and the annual frequency response analyses of NERC for North America. They change from year
to year by a few mHz.
Correlation times are round numbers of some minutes (Schäfer et al., Nature Energy 3, 2018, show
exponential decays). That of Continental Europe gives a noise of 1.3 mHz per root of s; 1.05 is
fitted by Rydin Gorjão et al. (IEEE Access 8, 2020), who leave out the steps of the market. Of areas
without published statistics that are known here, the values are those of a medium-sized area.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SynchronousArea:
    """The frequency of an area, an Ornstein-Uhlenbeck process."""

    nominal_hz: float
    deviation_hz: float
    """The standard deviation from the nominal frequency."""
    correlation_s: float
    """The time in which the autocorrelation falls to 1/e."""


SYNCHRONOUS_AREAS: Mapping[str, SynchronousArea] = {
    "continental-europe": SynchronousArea(50.0, 0.020, 450.0),
    "great-britain": SynchronousArea(50.0, 0.060, 200.0),
    "ireland": SynchronousArea(50.0, 0.040, 150.0),
    "nordic": SynchronousArea(50.0, 0.042, 200.0),
    "eastern-interconnection": SynchronousArea(60.0, 0.016, 300.0),
    "western-interconnection": SynchronousArea(60.0, 0.019, 300.0),
    "texas": SynchronousArea(60.0, 0.017, 200.0),
    "quebec": SynchronousArea(60.0, 0.021, 150.0),
    "other-50": SynchronousArea(50.0, 0.040, 200.0),
    "other-60": SynchronousArea(60.0, 0.040, 200.0),
}
"""The areas by name."""

_OF_AREA = {
    "America": "eastern-interconnection",
    "Brazil": "other-60",
    "Europe": "continental-europe",
}
_CITIES = {
    # The grids of the Maghreb are synchronous with Spain; Malta has a cable to Sicily.
    ("Africa", "continental-europe"): "Algiers Casablanca Ceuta El_Aaiun Tunis",
    ("Europe", "great-britain"): "London Isle_of_Man",
    ("Europe", "ireland"): "Belfast Dublin",
    # Copenhagen is Nordic; the west of Denmark is not.
    ("Europe", "nordic"): "Copenhagen Helsinki Mariehamn Oslo Stockholm",
    ("Europe", "other-50"): """
        Astrakhan Kaliningrad Kirov Minsk Moscow Samara Saratov Simferopol Ulyanovsk Volgograd
    """,
    ("America", "western-interconnection"): """
        Boise Cambridge_Bay Creston Dawson Dawson_Creek Denver Edmonton Ensenada Fort_Nelson
        Inuvik Los_Angeles Phoenix Santa_Isabel Shiprock Tijuana Vancouver Whitehorse
        Yellowknife
    """,
    ("America", "quebec"): "Blanc-Sablon Montreal",
    ("America", "other-50"): """
        Anguilla Antigua Argentina Asuncion Barbados Buenos_Aires Catamarca Cayenne Cordoba
        Coyhaique Curacao Danmarkshavn Dominica Godthab Grenada Guadeloupe Jamaica Jujuy La_Paz
        Marigot Martinique Mendoza Miquelon Montevideo Nuuk Punta_Arenas Rosario Santiago
        Scoresbysund St_Barthelemy St_Lucia St_Vincent Thule
    """,
    ("America", "other-60"): """
        Adak Anchorage Araguaina Aruba Bahia Bahia_Banderas Belem Belize Boa_Vista Bogota
        Campo_Grande Cancun Caracas Cayman Chihuahua Ciudad_Juarez Costa_Rica Cuiaba Eirunepe
        El_Salvador Fortaleza Guatemala Guayaquil Guyana Havana Hermosillo Juneau Kralendijk
        Lima Lower_Princes Maceio Managua Manaus Matamoros Mazatlan Merida Metlakatla
        Mexico_City Monterrey Montserrat Nassau Nome Noronha Ojinaga Panama Paramaribo
        Port-au-Prince Port_of_Spain Porto_Acre Porto_Velho Puerto_Rico Recife Rio_Branco
        Santarem Santo_Domingo Sao_Paulo Sitka St_Kitts St_Thomas Tegucigalpa Tortola Virgin
        Yakutat
    """,
    ("Asia", "other-60"): "Manila Riyadh Seoul Taipei",
    ("Asia", "continental-europe"): "Istanbul",
    ("Atlantic", "other-60"): "Bermuda",
    ("Pacific", "other-60"): """
        Chuuk Enderbury Galapagos Guam Honolulu Johnston Kosrae Kwajalein Majuro Midway
        Pago_Pago Palau Pohnpei Ponape Saipan Samoa Truk Wake Yap
    """,
}
_NAMED = {
    "Cuba": "other-60",
    "Eire": "ireland",
    "GB": "great-britain",
    "GB-Eire": "great-britain",
    "Mexico/BajaNorte": "western-interconnection",
    "Mexico/BajaSur": "other-60",
    "Mexico/General": "other-60",
    "Navajo": "western-interconnection",
    "Poland": "continental-europe",
    "Portugal": "continental-europe",
    "ROC": "other-60",
    "ROK": "other-60",
    "Turkey": "continental-europe",
    "CET": "continental-europe",
    "EET": "continental-europe",
    "MET": "continental-europe",
    "WET": "continental-europe",
    "EST": "eastern-interconnection",
    "EST5EDT": "eastern-interconnection",
    "CST6CDT": "eastern-interconnection",
    "MST": "western-interconnection",
    "MST7MDT": "western-interconnection",
    "PST8PDT": "western-interconnection",
    "HST": "other-60",
}
_WEST = ("Alberta", "Arizona", "Mountain", "Pacific", "Yukon")
_ISLANDS = ("Alaska", "Aleutian", "Hawaii", "Samoa")


def synchronous_area_of(timezone: str) -> str:
    """Return the name of the synchronous area of most homes in a time zone, by its IANA name.

    Japan's homes have 50 Hz, as in Tokyo, because they share a time zone with those of 60 Hz.
    """
    if timezone in _NAMED:
        return _NAMED[timezone]
    area, _, city = timezone.partition("/")
    if area in ("US", "Canada"):
        if city in _ISLANDS:
            return "other-60"
        return "western-interconnection" if city in _WEST else "eastern-interconnection"
    first = city.partition("/")[0]
    for (own, name), cities in _CITIES.items():
        if area == own and first in cities.split():
            return name
    return _OF_AREA.get(area, "other-50")
