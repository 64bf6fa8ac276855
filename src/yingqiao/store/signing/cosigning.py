"""Signing together with a phone: the server's half of certificate requests, log-ins and jobs (gm-signing 4.5).

What is checked before every answer and again before the end: whose job it is, that it is neither over nor signed, that
the certificate may be used; e is computed here from what is kept. An answer is stored before it leaves. The end of a
protocol run and what it is for are one transaction: after a crash between answer and end the phone sends its last
message again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, delete, insert, select

from yingqiao.gm import cooperative
from yingqiao.gm.cooperative import Outcome, SignFinish, SignOffer
from yingqiao.gm.sm2 import digest_for
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.jobs import Job, JobError
from yingqiao.signing.phone import Kind, Named, digest_of, login_data
from yingqiao.store import sign_jobs
from yingqiao.store.database import Database
from yingqiao.store.schema import login_challenges
from yingqiao.store.signing.downloads import Downloaded, Downloads
from yingqiao.store.signing.logins import Sessions
from yingqiao.store.signing.phone_jobs import FoundJob, PhoneJobs
from yingqiao.store.signing.shared_keys import SharedKey, SharedKeys
from yingqiao.store.signing.visits import Visitor, Visits, who_of

ANSWER_MS = 60 * 1000
"""How long an answer waits for the phone's last message; so long its key signs nothing else."""
CHALLENGE_MS = 5 * 60 * 1000
_TRIES = 20
_BUSY = ("busy", "该证书正在签名，请稍后再试")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class LoggedIn:
    visitor: Visitor
    token: str


@dataclass(frozen=True, slots=True, repr=False)
class Signed:
    job: Job


@dataclass(frozen=True, slots=True, repr=False)
class _Subject:
    """What is signed: with which key, over which digest, for which job."""

    key: SharedKey
    e: bytes
    visitor: Visitor | None = None
    found: FoundJob | None = None


@dataclass(frozen=True, slots=True, repr=False)
class _Effect:
    """What came of a signature: a token where one follows, the job as it ended."""

    token: str | None = None
    job: Job | None = None


class Cosigning:
    """Safe from any thread. Methods raise SigningRefused, CooperativeError, StoreUnavailable."""

    def __init__(
        self,
        database: Database,
        keys: SharedKeys,
        visits: Visits,
        downloads: Downloads,
        jobs: PhoneJobs,
        sessions: Sessions,
        service: str,
        now_ms: Callable[[], int],
    ) -> None:
        """`service` is the name that log-in data says."""
        self._database = database
        self._keys = keys
        self._visits = visits
        self._downloads = downloads
        self._jobs = jobs
        self._sessions = sessions
        self._service = service
        self._now_ms = now_ms

    def challenge(self, key_id: str) -> tuple[str, bytes]:
        """Something new to sign to log in, and the bytes whose digest that is. The one before is void."""
        self._visits.of_key(key_id, may_update=True)
        challenge = secrets.token_urlsafe(24)
        row = {"key_id": key_id, "challenge": challenge, "expires_at": self._now_ms() + CHALLENGE_MS}
        with self._database.write() as connection:
            connection.execute(delete(login_challenges).where(login_challenges.c.key_id == key_id))
            connection.execute(insert(login_challenges).values(row))
        return challenge, login_data(self._service, key_id, challenge)

    def offer(self, key_id: str, named: Named, token: str, offer: SignOffer) -> bytes:
        """The answer's 64 bytes, stored: one look at all it stands on, one transaction."""
        for _ in range(_TRIES):
            with self._database.read() as connection:
                subject = self._look(connection, key_id, named, token)
                used = self._keys.used(connection, key_id, named.text)
            self._refuse_over(subject, claim=True)
            outcome = cooperative.answer(
                self._keys.open(subject.key),
                subject.key.state,
                offer,
                job=named.text,
                used=used,
                e=subject.e,
                now=self._now_ms(),
                lifetime=ANSWER_MS,
            )
            if self._keys.keep(subject.key, outcome):
                _raise_refusal(outcome, key_id, named)
                if outcome.answer is None:
                    raise SigningRefused("answer", "没有应答，请重新签名")
                return outcome.answer.to_bytes()
        raise SigningRefused(*_BUSY)

    def finish(
        self, key_id: str, named: Named, token: str, final: SignFinish
    ) -> Downloaded | LoggedIn | Signed:
        """The end: what was signed takes effect. Asked again when it had, the same is told once more, without a token."""
        for _ in range(_TRIES):
            if named.text == f"{Kind.CSR}:{key_id}" and (issued := self._visits.certificate_of(key_id)):
                return self._downloads.downloaded(issued, None)
            with self._database.read() as connection:
                subject = self._look(connection, key_id, named, token)
            if (job := _signed_before(subject)) is not None:
                return Signed(job)
            self._refuse_over(subject)
            if (effect := self._end(subject, named, final)) is not None:
                return self._said(subject, named, effect)
        raise SigningRefused(*_BUSY)

    def _end(self, subject: _Subject, named: Named, final: SignFinish) -> _Effect | None:
        """The attempt closed and what it was for done, in one transaction; None when another step came first."""
        key, effects = subject.key, list[_Effect]()
        outcome = cooperative.finish(key.public, key.state, final, job=named.text, now=self._now_ms())

        def also(connection: Connection, outcome: Outcome) -> None:
            if outcome.signature is not None:
                effects.append(self._effect(connection, subject, named, outcome.signature))

        try:
            if not self._keys.keep(key, outcome, also):
                return None
        except SigningRefused:
            self._close(key.id, named, final)
            raise
        _raise_refusal(outcome, key.id, named)
        return effects[-1]

    def _close(self, key_id: str, named: Named, final: SignFinish) -> None:
        """Right, but for nothing: the attempt closes, its answer goes."""
        for _ in range(_TRIES):
            key = self._keys.get(key_id)
            outcome = cooperative.finish(key.public, key.state, final, job=named.text, now=self._now_ms())
            if self._keys.keep(key, outcome):
                return

    def _look(self, connection: Connection, key_id: str, named: Named, token: str) -> _Subject:
        """Everything a step stands on, as it is now."""
        if named.kind is Kind.CSR:
            return self._request(connection, key_id, named)
        if named.kind is Kind.LOGIN:
            return self._login(connection, key_id, named)
        visitor = self._visits.of_token_in(connection, token)
        if visitor.key.id != key_id:
            raise SigningRefused("key", "登录所用的密钥与签名的密钥不是同一个")
        found = self._jobs.find_theirs_in(connection, visitor, named.id)
        return _Subject(visitor.key, digest_of(found.job, visitor.key.public), visitor, found)

    def _request(self, connection: Connection, key_id: str, named: Named) -> _Subject:
        if named.id != key_id:
            raise SigningRefused("field", "证书申请与密钥不符")
        key = self._keys.get_in(connection, key_id)
        if key.erased_at is not None:
            raise SigningRefused("key-erased", "该证书的密钥已注销，请重新下载证书")
        return _Subject(key, digest_for(key.public, self._downloads.info_of(connection, key_id)))

    def _login(self, connection: Connection, key_id: str, named: Named) -> _Subject:
        visitor = self._visits.of_key_in(connection, key_id, may_update=True)
        self._check_challenge(connection, key_id, named.id)
        e = digest_for(visitor.key.public, login_data(self._service, key_id, named.id))
        return _Subject(visitor.key, e, visitor)

    def _refuse_over(self, subject: _Subject, *, claim: bool = False) -> None:
        """Raises SigningRefused for a job that may not be signed now; with `claim`, one for nobody becomes the visitor's."""
        visitor, found = subject.visitor, subject.found
        if visitor is None or found is None:
            return
        if claim:
            self._jobs.claim(visitor.doctor, found)
        self._jobs.refuse_over(found.job)

    def _check_challenge(self, connection: Connection, key_id: str, challenge: str) -> None:
        c = login_challenges.c
        row = connection.execute(select(c.challenge, c.expires_at).where(c.key_id == key_id)).first()
        right = row is not None and secrets.compare_digest(row.challenge, challenge)
        if row is None or not right or row.expires_at <= self._now_ms():
            raise SigningRefused("challenge", "登录请求已失效，请重新登录")

    def _effect(self, connection: Connection, subject: _Subject, named: Named, signature: bytes) -> _Effect:
        """What the signature is for, in the transaction that closes its attempt."""
        key, visitor, found = subject.key, subject.visitor, subject.found
        if visitor is None:
            return _Effect(token=self._downloads.issue(connection, key.id, key.public, signature))
        if found is None:
            c = login_challenges.c
            spent = delete(login_challenges).where(c.key_id == key.id, c.challenge == named.id)
            if not connection.execute(spent).rowcount:
                raise SigningRefused("challenge", "登录请求已失效，请重新登录")
            return _Effect(token=self._sessions.open_in(connection, who_of(key.id), self._now_ms()))
        certificate, signer, at = visitor.issued.certificate or b"", visitor.signer, self._now_ms()
        try:
            job = sign_jobs.finish_in(connection, found.job, signature, certificate, signer=signer, at=at)
        except JobError as error:
            raise SigningRefused("job-over", str(error)) from error
        return _Effect(job=job)

    def _said(self, subject: _Subject, named: Named, effect: _Effect) -> Downloaded | LoggedIn | Signed:
        if effect.job is not None:
            _log.info("phone.signed", job=named.id, key=subject.key.id)
            return Signed(effect.job)
        if subject.visitor is not None:
            return LoggedIn(subject.visitor, effect.token or "")
        issued = self._visits.certificate_of(subject.key.id)
        if issued is None:
            raise SigningRefused("no-certificate", "证书尚未下载完成，请重新下载")
        _log.info("phone.certificate", key=subject.key.id, certificate=issued.id)
        return self._downloads.downloaded(issued, effect.token)


def _signed_before(subject: _Subject) -> Job | None:
    """The job, when this very certificate signed it: the answer had been lost on its way."""
    if subject.visitor is None or subject.found is None:
        return None
    job = subject.found.job
    return job if job.result and job.certificate == subject.visitor.issued.certificate else None


def _raise_refusal(outcome: Outcome, key_id: str, named: Named) -> None:
    """After its state was stored: wrong PINs count."""
    if outcome.refusal is None:
        return
    code, failures = outcome.refusal.code, outcome.state.failures
    _log.info("phone.refused", key=key_id, kind=str(named.kind), reason=code, failures=failures)
    raise outcome.refusal
