"""The climate's table, rebuilt from its sources where they are installed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.realism import climate_table

# GRIDSIM_FERRET: the folder of the unpacked Debian package ferret-datasets.
_SOURCES = Path(os.environ.get("GRIDSIM_FERRET", climate_table.FERRET))


def test_harmonics_have_the_means_of_the_months() -> None:
    """A year's course is found again from its monthly means, with its amplitude."""
    angle = np.linspace(0.0, 2.0 * np.pi, 12 * 1000, endpoint=False) + np.pi / 12_000
    course = 10.0 + 8.0 * np.cos(angle) - 3.0 * np.sin(angle) + np.cos(2.0 * angle)
    months = course.reshape(12, -1).mean(axis=1)
    found = np.linalg.lstsq(climate_table.harmonics(3), months, rcond=None)[0]
    np.testing.assert_allclose(found, [10.0, 8.0, -3.0, 1.0, 0.0, 0.0, 0.0], atol=1e-4)


def test_no_city_that_was_held_back_was_used() -> None:
    def stations(name: str, column: int) -> list[str]:
        text = (Path(climate_table.__file__).parent / "data" / name).read_text()
        rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
        return [row[column] for row in rows[1:]]

    used, held = stations("fitted-cities.csv", 1), stations("held-back-cities.csv", 2)
    assert (len(used), len(held)) == (271, 46)
    assert not set(used) & set(held)


@pytest.mark.skipif(
    not (_SOURCES / "coads_climatology.cdf").exists(),
    reason="needs ferret-datasets: see benchmarks/realism/climate_table.py",
)
def test_the_table_is_built_from_its_sources() -> None:
    built = climate_table.build(_SOURCES)
    with np.load(climate_table.TABLE) as shipped:
        assert set(shipped.files) == set(built)
        for name, values in built.items():
            steps = np.abs(np.cumsum(shipped[name], axis=-1) - values)
            # Libraries of linear algebra differ in the last bit, which may decide a rounding.
            assert steps.max() <= 1, name
            assert np.count_nonzero(steps) <= 20, name
