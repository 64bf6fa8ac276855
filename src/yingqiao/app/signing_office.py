"""The signing office of a data folder: its stores with what the settings decide."""

from __future__ import annotations

import time

from yingqiao.app.stores import Stores
from yingqiao.settings import Settings
from yingqiao.signing.certificates.authority import AUTHORITY_PLACE, IssuingRule
from yingqiao.store.signing.office import Office, office_of


def open_office(settings: Settings, stores: Stores) -> Office:
    """Nothing is asked of the database yet: a gateway starts without it."""
    return office_of(
        stores.database,
        stores.master_key,
        stores.objects,
        issuing_rule(settings),
        lambda: time.time_ns() // 10**6,
        public_url(settings),
        phone_url(settings),
        stores.keys,
    )


def issuing_rule(settings: Settings) -> IssuingRule:
    """Validity and the address of the revocation list in every certificate; without an address none is written."""
    base, signing = public_url(settings), settings.signing
    urls = (f"{base}/crl/{AUTHORITY_PLACE}.crl",) if base else ()
    return IssuingRule(months=signing.certificate_months, crl_urls=urls, province=signing.province)


def public_url(settings: Settings) -> str:
    return (settings.signing.public_url or settings.coss.public_url).rstrip("/")


def phone_url(settings: Settings) -> str:
    """The address in the QR codes of activations and jobs alike."""
    return (settings.coss.public_url or settings.signing.public_url).rstrip("/")
