"""An acknowledgement means durable: the whole program under SIGKILL at random moments, HTTP and DICOM together.

The gateway is killed `YINGQIAO_KILLS` times (four by default, hundreds before a release) while senders push. In the end
every acknowledged record and instance is there, byte-exact, and nothing is half there.
"""

from __future__ import annotations

import os
import random
import signal
import time

from tests.acceptance.account import check_everything
from tests.acceptance.load import Load
from tests.helpers.connector import until
from tests.peers.gateway import GatewayMaker

KILLS = int(os.environ.get("YINGQIAO_KILLS", "4"))


def test_killed_at_random_nothing_acknowledged_is_lost(make_gateway: GatewayMaker) -> None:
    gateway = make_gateway(start=False)
    load = Load(gateway)
    acknowledged = load.pushed.exams, load.pushed.instances
    for round_ in range(KILLS):
        gateway.start()
        load.begin(f"R{round_}")
        time.sleep(random.uniform(0.05, 0.8))
        # on a machine that stood still nothing may have been acknowledged yet: such a kill would prove nothing
        assert until(lambda kills=round_ + 1: min(map(len, acknowledged)) > kills)
        gateway.stop(signal.SIGKILL)
        load.end()
    gateway.start()
    check_everything(gateway.data, load.pushed)
    assert len(load.pushed.exams) > KILLS
    assert len(load.pushed.instances) > KILLS
