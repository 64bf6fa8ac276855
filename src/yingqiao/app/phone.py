"""The phone's side of signing in this process: its parts on the stores, and codes shown on the console."""

from __future__ import annotations

import sys
import time

from yingqiao.app.signing_office import issuing_rule
from yingqiao.app.stores import Stores
from yingqiao.settings import Settings
from yingqiao.signing.certificates.identity import masked_mobile
from yingqiao.store.signing.phone_desk import PhoneDesk, open_desk


class ConsoleSender:
    """Stands in for a text message service: the code goes to standard output, never to the log."""

    def send(self, mobile: str, code: str) -> None:
        """The number is masked: what a console shows is kept by many."""
        sys.stdout.write(f"下证验证码（{masked_mobile(mobile)}）：{code}\n")
        sys.stdout.flush()


def phone_desk(settings: Settings, stores: Stores) -> PhoneDesk:
    """Raises StoreUnavailable; KeystoreError under another master key."""
    return open_desk(
        stores.database,
        stores.master_key,
        stores.objects,
        settings.phone,
        issuing_rule(settings),
        ConsoleSender(),
        lambda: time.time_ns() // 10**6,
        stores.keys,
    )
