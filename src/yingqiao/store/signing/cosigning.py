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
from yingqiao.gm.cooperative import KeyState, Outcome, SignFinish, SignOffer
from yingqiao.gm.key_share import Share
from yingqiao.gm.sm2 import digest_for
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.jobs import Job, JobError
from yingqiao.signing.phone import Kind, Named, digest_of, login_data
from yingqiao.store import sign_jobs
from yingqiao.store.database import Database
from yingqiao.store.schema import login_challenges
from yingqiao.store.signing.downloads import Downloaded, Downloads
from yingqiao.store.signing.logins import Sessions
from yingqiao.store.signing.phone_jobs import PhoneJobs
from yingqiao.store.signing.shared_keys import Also, SharedKey, SharedKeys
from yingqiao.store.signing.visits import Visitor, Visits, who_of

ANSWER_MS = 60 * 1000
"""How long an answer waits for the phone's last message; so long its key signs nothing else."""
CHALLENGE_MS = 5 * 60 * 1000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class LoggedIn:
    visitor: Visitor
    token: str


@dataclass(frozen=True, slots=True, repr=False)
class Signed:
    job: Job


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is signed: with which key, over which digest, for which job."""

    key: SharedKey
    e: bytes
    job: Job | None = None
    visitor: Visitor | None = None


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
        """The answer's 64 bytes."""
        subject = self._subject(key_id, named, token)

        def step(share: Share, state: KeyState) -> Outcome:
            return cooperative.answer(
                share,
                state,
                offer,
                job=named.text,
                used=self._keys.used(key_id, named.text),
                e=subject.e,
                now=self._now_ms(),
                lifetime=ANSWER_MS,
            )

        outcome = self._run(key_id, named, step)
        if outcome.answer is None:
            raise SigningRefused("answer", "没有应答，请重新签名")
        return outcome.answer.to_bytes()

    def finish(
        self, key_id: str, named: Named, token: str, final: SignFinish
    ) -> Downloaded | LoggedIn | Signed:
        """The end: what was signed takes effect. Asked again when it had, the same is told once more."""
        if (done := self._done_before(key_id, named, token)) is not None:
            return done
        subject = self._subject(key_id, named, token)
        told: list[str | None] = []

        def step(_: Share, state: KeyState) -> Outcome:
            return cooperative.finish(subject.key.public, state, final, job=named.text, now=self._now_ms())

        def also(connection: Connection, outcome: Outcome) -> None:
            if outcome.signature is not None:
                told.append(self._effect(connection, subject, named, outcome.signature))

        try:
            self._run(key_id, named, step, also)
        except SigningRefused:
            self._keys.run(key_id, step)  # right, but for nothing: the attempt closes, its answer goes
            raise
        return self._said(subject, named, told[-1])

    def _run(
        self,
        key_id: str,
        named: Named,
        step: Callable[[Share, KeyState], Outcome],
        also: Also | None = None,
    ) -> Outcome:
        """Raises the refusal, after its state was stored: wrong PINs count."""
        outcome = self._keys.run(key_id, step, also)
        if outcome.refusal is not None:
            _log.info(
                "phone.refused",
                key=key_id,
                kind=str(named.kind),
                reason=outcome.refusal.code,
                failures=outcome.state.failures,
            )
            raise outcome.refusal
        return outcome

    def _subject(self, key_id: str, named: Named, token: str) -> _Subject:
        if named.kind is Kind.CSR:
            if named.id != key_id:
                raise SigningRefused("field", "证书申请与密钥不符")
            key = self._keys.get(key_id)
            return _Subject(key, digest_for(key.public, self._downloads.info_of(key_id)))
        if named.kind is Kind.LOGIN:
            visitor = self._visits.of_key(key_id, may_update=True)
            self._check_challenge(key_id, named.id)
            data = login_data(self._service, key_id, named.id)
            return _Subject(visitor.key, digest_for(visitor.key.public, data), visitor=visitor)
        visitor = self._visits.of_token(token)
        if visitor.key.id != key_id:
            raise SigningRefused("key", "登录所用的密钥与签名的密钥不是同一个")
        job = self._jobs.open_for(visitor, named.id)
        return _Subject(visitor.key, digest_of(job, visitor.key.public), job, visitor)

    def _check_challenge(self, key_id: str, challenge: str) -> None:
        c = login_challenges.c
        with self._database.read() as connection:
            row = connection.execute(select(c.challenge, c.expires_at).where(c.key_id == key_id)).first()
        right = row is not None and secrets.compare_digest(row.challenge, challenge)
        if row is None or not right or row.expires_at <= self._now_ms():
            raise SigningRefused("challenge", "登录请求已失效，请重新登录")

    def _effect(
        self, connection: Connection, subject: _Subject, named: Named, signature: bytes
    ) -> str | None:
        """What the signature is for, in the transaction that closes its attempt. A token, where one follows."""
        key = subject.key
        if named.kind is Kind.CSR:
            return self._downloads.issue(connection, key.id, key.public, signature)
        if named.kind is Kind.LOGIN:
            c = login_challenges.c
            spent = delete(login_challenges).where(c.key_id == key.id, c.challenge == named.id)
            if not connection.execute(spent).rowcount:
                raise SigningRefused("challenge", "登录请求已失效，请重新登录")
            return self._sessions.open_in(connection, who_of(key.id), self._now_ms())
        assert subject.job is not None and subject.visitor is not None  # noqa: S101, PT018 a job's subject has both
        try:
            sign_jobs.finish_in(
                connection,
                subject.job,
                signature,
                subject.visitor.issued.certificate or b"",
                signer=subject.visitor.signer,
                at=self._now_ms(),
            )
        except JobError as error:
            raise SigningRefused("job-over", str(error)) from error
        return None

    def _said(self, subject: _Subject, named: Named, token: str | None) -> Downloaded | LoggedIn | Signed:
        if subject.visitor is None:
            issued = self._visits.certificate_of(subject.key.id)
            if issued is None:
                raise SigningRefused("no-certificate", "证书尚未下载完成，请重新下载")
            _log.info("phone.certificate", key=subject.key.id, certificate=issued.id)
            return self._downloads.downloaded(issued, token)
        if named.kind is Kind.LOGIN:
            return LoggedIn(subject.visitor, token or "")
        _log.info("phone.signed", job=named.id, key=subject.key.id)
        return Signed(self._jobs.find(named.id))

    def _done_before(self, key_id: str, named: Named, token: str) -> Downloaded | Signed | None:
        """The answer was lost on its way: what had taken effect is told again, without a token."""
        if named.kind is Kind.CSR and named.id == key_id:
            issued = self._visits.certificate_of(key_id)
            return None if issued is None else self._downloads.downloaded(issued, None)
        if named.kind is Kind.JOB:
            visitor = self._visits.of_token(token)
            job = self._jobs.find_theirs(visitor, named.id)
            if job.result and job.certificate == visitor.issued.certificate:
                return Signed(job)
        return None
