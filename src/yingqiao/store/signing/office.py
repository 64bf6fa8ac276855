"""The signing office: everything that is kept of people, applications and certificates, opened together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from yingqiao.gm.keystore import MasterKey
from yingqiao.signing.certificates.authority import IssuingRule
from yingqiao.signing.private_keys import SOFTWARE, PrivateKeys
from yingqiao.store.database import Database
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.objects import Objects
from yingqiao.store.signing.activations import Activations
from yingqiao.store.signing.authority import CertificateAuthority
from yingqiao.store.signing.cases import Cases
from yingqiao.store.signing.doctors import Doctors
from yingqiao.store.signing.logins import Sessions
from yingqiao.store.signing.personal import PersonalData
from yingqiao.store.signing.seal_making import SealMaking
from yingqiao.store.signing.seals_registry import SealRegistry
from yingqiao.store.signing.staff import Staff
from yingqiao.store.signing.unit_certificates import UnitCertificates


@dataclass(frozen=True, slots=True)
class Office:
    """Safe from any thread."""

    hospitals: HospitalRegistry
    objects: Objects
    sessions: Sessions
    staff: Staff
    doctors: Doctors
    cases: Cases
    authority: CertificateAuthority
    activations: Activations
    seals: SealRegistry
    seal_making: SealMaking
    units: UnitCertificates
    now_ms: Callable[[], int]
    public_url: str = ""
    """Where verifiers reach this gateway, without a final slash; '' when nobody said."""
    phone_url: str = ""
    """Where phones do, likewise: to a phone one gateway has one address, or it would be two services."""


def office_of(
    database: Database,
    master_key: MasterKey,
    objects: Objects,
    rule: IssuingRule,
    now_ms: Callable[[], int],
    public_url: str = "",
    phone_url: str = "",
    keys: PrivateKeys = SOFTWARE,
) -> Office:
    """Nothing is asked of the database yet."""
    personal = PersonalData(database, master_key)
    sessions = Sessions(database)
    doctors = Doctors(database, personal, sessions, now_ms)
    cases = Cases(database, personal, doctors, now_ms)
    authority = CertificateAuthority(database, master_key, rule, now_ms, keys)
    units = UnitCertificates(database, master_key, authority, rule, now_ms, keys)
    seals = SealRegistry(database, units, now_ms)
    return Office(
        hospitals=HospitalRegistry(database, master_key),
        objects=objects,
        sessions=sessions,
        staff=Staff(database, sessions, now_ms),
        doctors=doctors,
        cases=cases,
        authority=authority,
        activations=Activations(database, now_ms),
        seals=seals,
        seal_making=SealMaking(database, seals, units, cases, objects, rule.months, now_ms),
        units=units,
        now_ms=now_ms,
        public_url=public_url,
        phone_url=phone_url or public_url,
    )
