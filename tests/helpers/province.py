"""A province for a day: one gateway, hospitals with simulated systems and real connectors, and the count in the end
from the simulators' own records.
"""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tests.peers.gateway import YINGQIAO, RunningGateway, free_port
from yingqiao.dicom.modality import imaging_of
from yingqiao.hospital.simulate.dicom_sender import DicomNode
from yingqiao.hospital.simulate.life import Life
from yingqiao.hospital.simulate.people import credit_code
from yingqiao.hospital.simulate.ris import KEY, TRUTH, write_config
from yingqiao.hospital.simulate.site import SitePlan, plan_site
from yingqiao.hospital.simulate.visits import Place
