"""Everything the phone API works with, put together on one database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from yingqiao.gm.keystore import MasterKey
from yingqiao.settings import PhoneSettings
from yingqiao.signing.certificates.authority import IssuingRule
from yingqiao.signing.phone_codes import CodeSender
from yingqiao.signing.private_keys import SOFTWARE, PrivateKeys
from yingqiao.store.database import Database
from yingqiao.store.objects import Objects
from yingqiao.store.signing.activations import Activations
from yingqiao.store.signing.authority import CertificateAuthority
from yingqiao.store.signing.automatic import Automatic, AutomaticRule
from yingqiao.store.signing.cases import Cases
from yingqiao.store.signing.cosigning import Cosigning
from yingqiao.store.signing.doctors import Doctors
from yingqiao.store.signing.downloads import Downloads
from yingqiao.store.signing.logins import Sessions
from yingqiao.store.signing.personal import PersonalData
from yingqiao.store.signing.phone_codes import PhoneCodes
from yingqiao.store.signing.phone_jobs import PhoneJobs
from yingqiao.store.signing.seals import Seals
from yingqiao.store.signing.shared_keys import SharedKeys
from yingqiao.store.signing.visits import Visits


@dataclass(frozen=True, slots=True)
class PhoneDesk:
    """Every part is safe from any thread."""

    activations: Activations
    authority: CertificateAuthority
    automatic: Automatic
    codes: PhoneCodes
    cosigning: Cosigning
    doctors: Doctors
    downloads: Downloads
    jobs: PhoneJobs
    seals: Seals
    sessions: Sessions
    visits: Visits


def open_desk(
    database: Database,
    master_key: MasterKey,
    objects: Objects,
    settings: PhoneSettings,
    rule: IssuingRule,
    sender: CodeSender,
    now_ms: Callable[[], int],
    keys: PrivateKeys = SOFTWARE,
) -> PhoneDesk:
    """Raises StoreUnavailable; KeystoreError under another master key."""
    personal = PersonalData(database, master_key)
    sessions = Sessions(database)
    doctors = Doctors(database, personal, sessions, now_ms)
    cases = Cases(database, personal, doctors, now_ms)
    authority = CertificateAuthority(database, master_key, rule, now_ms, keys)
    activations, shared = Activations(database, now_ms), SharedKeys(database, master_key, now_ms, keys)
    visits = Visits(database, doctors, authority, now_ms)
    downloads = Downloads(database, doctors, activations, shared, authority, sessions, now_ms)
    jobs = PhoneJobs(database, now_ms)
    return PhoneDesk(
        activations=activations,
        authority=authority,
        automatic=Automatic(database, authority, doctors, _automatic_rule(settings), now_ms),
        codes=PhoneCodes(database, personal, doctors, activations, sender, now_ms),
        cosigning=Cosigning(database, shared, visits, downloads, jobs, sessions, settings.name, now_ms),
        doctors=doctors,
        downloads=downloads,
        jobs=jobs,
        seals=Seals(database, objects, doctors, cases, review=settings.seal_review),
        sessions=sessions,
        visits=visits,
    )


def _automatic_rule(settings: PhoneSettings) -> AutomaticRule:
    return AutomaticRule(settings.auto_sign_max_minutes, settings.auto_sign_by == "office")
