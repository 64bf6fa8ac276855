"""A phone as the phone API sees it: the reference's half of the protocol (`sm2_reference.Phone`), over JSON."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from tests.helpers import sm2_reference as reference
from tests.helpers.sm2_reference import Phone

Post = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Service and parameters to the whole answer."""


class PhoneRefused(AssertionError):  # noqa: N818 an answer, not an error
    """The service did not answer 200."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(str(answer))
        self.status = answer["status"]
        self.code = (answer["data"] or {}).get("code", "")
        self.words = answer["message"]


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def unb64(text: str) -> bytes:
    return base64.b64decode(text)


class PhoneApp:
    """One phone with one key. `post` reaches the service."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.key_id = ""
        self.token = ""
        self.phone = Phone(reference.fresh())
        self.numbers: dict[str, int] = {}

    def call(self, name: str, **given: Any) -> dict[str, Any]:
        """`data` of the answer. Raises PhoneRefused."""
        answer = self.post(name, given)
        if answer["status"] != 200:
            raise PhoneRefused(answer)
        data: dict[str, Any] = answer["data"]
        return data

    def with_token(self, name: str, **given: Any) -> dict[str, Any]:
        return self.call(name, token=self.token, **given)

    def make_key(self, **given: Any) -> bytes:
        """A new key; what is to be signed for its certificate."""
        if "code" in given:
            self.phone.user = self.call("lookActivation", code=given["code"])["user"]
        offer = b64(self.phone.offer_key("session-1"))
        made = self.call("makeKey", device="测试手机", session="session-1", offer=offer, **given)
        self.phone.take_key(unb64(made["answer"]), "session-1")
        self.key_id = made["keyId"]
        return unb64(made["request"])

    def offer(self, job: str, e: bytes, **more: Any) -> bytes:
        """The server's answer to a new attempt."""
        self.numbers[job] = self.numbers.get(job, 0) + 1
        asked = self.phone.offer_signature(job, self.numbers[job], e)
        said = self.call("offer", keyId=self.key_id, job=job, token=self.token, offer=b64(asked), **more)
        return unb64(said["answer"])

    def finish(self, job: str, e: bytes, answer: bytes) -> dict[str, Any]:
        final = self.phone.finish(answer, self.numbers[job], e)
        return self.call("finish", keyId=self.key_id, job=job, token=self.token, finish=b64(final))

    def sign(self, job: str, message: bytes) -> dict[str, Any]:
        return self.sign_digest(job, self.digest(message))

    def sign_digest(self, job: str, e: bytes) -> dict[str, Any]:
        return self.finish(job, e, self.offer(job, e))

    def digest(self, message: bytes) -> bytes:
        return reference.e_for(self.phone.public, message)

    def activate(self, code: str) -> dict[str, Any]:
        """From activation code to certificate and token."""
        info = self.make_key(code=code)
        done = self.sign(f"csr:{self.key_id}", info)
        self.token = done["token"] or ""
        return done

    def renew(self) -> PhoneApp:
        """The phone with a new key and certificate."""
        newer = PhoneApp(self.post)
        newer.phone.user = self.phone.user
        info = newer.make_key(token=self.token)
        done = newer.sign(f"csr:{newer.key_id}", info)
        newer.token = done["token"]
        return newer

    def log_in(self) -> dict[str, Any]:
        asked = self.call("challenge", keyId=self.key_id)
        done = self.sign(f"login:{asked['challenge']}", unb64(asked["data"]))
        self.token = done["token"]
        return done

    def wrong_pin(self) -> PhoneApp:
        """The same phone, unlocked with another D1: nothing on it can tell."""
        other = PhoneApp(self.post)
        other.key_id, other.token, other.numbers = self.key_id, self.token, self.numbers
        other.phone = Phone(self.phone.d1 + 1, self.phone.user, self.phone.public)
        return other
