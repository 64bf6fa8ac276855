"""Tests about a day by Beijing's calendar, which begins at 16:00 UTC for whoever is being tested, too."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from tests.helpers.connector import BEIJING


def wait_for_a_day_that_lasts(minutes: float = 2.0) -> None:
    """Past midnight when it is near: a test that runs over it and the program tell of different days, both rightly."""
    now = datetime.now(BEIJING)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    left = (midnight - now).total_seconds()
    if left < minutes * 60:
        time.sleep(left + 1)
