"""A signing service for the phone over a real socket: the gateway's half of two-party SM2 on jobs held in memory.

It keeps to the phone API; its cryptography is the gateway's own. For what a real gateway does not do on demand:
certificates of any state, and dropped connections.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.helpers import pki
from yingqiao.gm import cooperative, issuing, key_share, signatures, sm2
from yingqiao.gm.cooperative import KeyState, SignFinish, SignOffer
from yingqiao.gm.issuing import Profile
from yingqiao.gm.key_share import CooperativeError, KeyOffer, ServerShare

USER = "doctor-1"
NAME, HOSPITAL = "张三", "影桥测试医院"
Json = dict[str, Any]


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


class RefusedError(Exception):
    def __init__(self, code: str, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.code, self.status = code, status


@dataclass
class HeldKey:
    share: ServerShare
    request: bytes
    certificate: bytes = b""
    state: KeyState = field(default_factory=KeyState)
    used: dict[str, int] = field(default_factory=dict)


class PhoneService:
    """`jobs` by id; `signatures` as verified; `state` is what the certificate is said to be; `drop` cuts such calls off."""

    def __init__(self) -> None:
        self.url = ""
        self.code = "ABCD-EFGH-2345"
        self.state = "normal"
        self.drop: set[str] = set()
        self.keys: dict[str, HeldKey] = {}
        self.jobs: dict[str, Json] = {}
        self.signatures: dict[str, bytes] = {}
        self.tokens: set[str] = set()
        self.challenges: dict[str, bytes] = {}
        self.picture: str | None = None
        self.auto: Json = {"enabled": False, "until": None, "maxMinutes": 43_200}
        self._lock = threading.Lock()

    def add_job(self, title: str, data: bytes, kind: str = "DATA") -> str:
        now = int(time.time() * 1000)
        number = f"SD_{len(self.jobs) + 1}"
        about = {"id": number, "title": title, "description": "请审核后签名", "appName": "PACS 报告系统"}
        times = {"createdAt": now, "expiresAt": now + 86_400_000}
        self.jobs[number] = (
            about | times | {"type": kind, "state": "UNSIGN", "result": None, "data": b64(data)}
        )
        self.jobs[number] |= {
            "ticket": secrets.token_urlsafe(18),
            "size": len(data),
            "algorithm": "SM3withSM2",
        }
        return number

    def answer(self, name: str, asked: Json) -> Json:
        """Raises RefusedError, CooperativeError."""
        with self._lock:
            if "token" in asked and asked["token"] not in self.tokens:
                raise RefusedError("token", "登录已失效，请重新登录", 401)
            found: Json = getattr(self, "on_" + re.sub("[A-Z]", lambda one: f"_{one[0].lower()}", name))(
                asked
            )
            return found

    def on_get_service_info(self, _: Json) -> Json:
        about = {"name": HOSPITAL, "version": "2.1", "url": self.url, "phoneDownload": False}
        return about | {"handwrittenSeal": True, "sealReview": True, "autoSignMaxMinutes": 43_200}

    def on_look_activation(self, asked: Json) -> Json:
        if asked["code"] != self.code:
            raise RefusedError("activation-unknown", "激活码不对或已使用，请在自助服务页面重新获取")
        return {"user": USER, "name": NAME, "hospital": HOSPITAL, "department": "影像科"}

    def on_make_key(self, asked: Json) -> Json:
        offer = KeyOffer.from_bytes(base64.b64decode(asked["offer"]))
        share, answer = key_share.accept_key(offer, session=asked["session"], user=USER)
        key_id = secrets.token_hex(8)
        self.keys[key_id] = HeldKey(share, b"request for " + share.public.point)
        return {"keyId": key_id, "answer": b64(answer.to_bytes()), "request": b64(self.keys[key_id].request)}

    def on_challenge(self, _: Json) -> Json:
        challenge = secrets.token_hex(8)
        self.challenges[challenge] = f"影桥协同签名登录\n随机数：{challenge}\n".encode()
        return {"challenge": challenge, "data": b64(self.challenges[challenge])}

    def _content(self, held: HeldKey, job: str) -> bytes:
        """e of what is to be signed."""
        kind, number = job.split(":", 1)
        if kind == "job" and self.jobs[number]["type"] == "HASH":
            return base64.b64decode(self.jobs[number]["data"])
        message = {"csr": lambda: held.request, "login": lambda: self.challenges[number]}.get(
            kind, lambda: base64.b64decode(self.jobs[number]["data"])
        )()
        return sm2.digest_for(held.share.public, message)

    def on_offer(self, asked: Json) -> Json:
        held, job = self.keys[asked["keyId"]], asked["job"]
        offer = SignOffer.from_bytes(base64.b64decode(asked["offer"]))
        outcome = cooperative.answer(
            held.share,
            held.state,
            offer,
            job=job,
            used=held.used.get(job, 0),
            e=self._content(held, job),
            now=int(time.time()),
            lifetime=120,
        )
        held.state = outcome.state
        if outcome.refusal:
            raise outcome.refusal
        assert outcome.answer is not None
        held.used[job] = offer.number
        return {"answer": b64(outcome.answer.to_bytes())}

    def on_finish(self, asked: Json) -> Json:
        held, job = self.keys[asked["keyId"]], asked["job"]
        final = SignFinish.from_bytes(base64.b64decode(asked["finish"]))
        outcome = cooperative.finish(held.share.public, held.state, final, job=job, now=int(time.time()))
        held.state = outcome.state
        if outcome.refusal:
            raise outcome.refusal
        assert outcome.signature is not None
        kind, number = job.split(":", 1)
        if kind == "job":
            self.signatures[number] = outcome.signature
            self.jobs[number] |= {"state": "FINISH", "result": True}
            return {
                "jobId": number,
                "signature": b64(outcome.signature),
                "certificate": b64(held.certificate),
            }
        token = secrets.token_urlsafe(24)
        self.tokens.add(token)
        if kind == "login":
            return {"token": token, "name": NAME, "hospital": HOSPITAL, "certificateState": self.state}
        key = signatures.sm2_key(held.share.public.point)
        order = pki.order(Profile.SIGNING, pki.name(NAME), key)
        held.certificate = issuing.issue(order, pki.world().ca.authority)
        certified = {"certificate": b64(held.certificate), "encryptionCertificate": None}
        return certified | {"state": self.state, "certificateId": asked["keyId"], "token": token}

    def on_ticket(self, asked: Json) -> Json:
        job = next((job for job in self.jobs.values() if job["ticket"] == asked["o"]), None)
        if job is None:
            raise RefusedError("ticket", "没有这个签名二维码，或它已失效", 404)
        return {
            "jobId": job["id"],
            "title": job["title"],
            "appName": job["appName"],
            "expiresAt": job["expiresAt"],
        }

    def on_jobs(self, asked: Json) -> Json:
        hidden = ("data", "ticket")
        found = [
            {name: value for name, value in job.items() if name not in hidden}
            for job in reversed(self.jobs.values())
            if job["state"] == asked["state"] and asked.get("search", "") in job["title"]
        ]
        return {"jobs": found}

    def on_job(self, asked: Json) -> Json:
        return self.jobs[asked["id"]] | {"contentType": "text/plain"}

    def on_refuse(self, asked: Json) -> Json:
        self.jobs[asked["id"]] |= {"state": "FINISH", "result": False, "reason": asked["reason"]}
        return {}

    def on_certificates(self, _: Json) -> Json:
        words = {"normal": "正常", "expiring": "临期", "renewable": "过期可更新"}[self.state]
        times = {"notBefore": 1_767_225_600_000, "notAfter": 1_830_297_600_000}
        return {
            "certificates": [
                {"id": key_id, "serial": "5A01", "subject": f"CN={NAME}", "issuer": "CN=影桥测试 CA"}
                | times
                | {"state": self.state, "stateWords": words, "profile": "signing"}
                for key_id in self.keys
            ]
        }

    def on_seal(self, _: Json) -> Json:
        return {"picture": None, "waiting": self.picture}

    def on_set_seal(self, asked: Json) -> Json:
        self.picture = asked["picture"]
        return {"applied": False}

    def on_auto_sign(self, _: Json) -> Json:
        return self.auto

    def on_set_auto_sign(self, asked: Json) -> Json:
        self.auto |= {"enabled": asked["enabled"], "until": asked["until"]}
        return self.auto

    def on_logout(self, asked: Json) -> Json:
        self.tokens.discard(asked["token"])
        return {}


@contextmanager
def serve_phones() -> Iterator[PhoneService]:
    """On a port of its own, so for the page another origin (CORS)."""
    service = PhoneService()

    def answer(name: str, asked: Json) -> Json:
        if name in service.drop:
            raise ConnectionAbortedError
        try:
            return {"status": 200, "message": "SUCCESS", "data": service.answer(name, asked)}
        except RefusedError as error:
            return {"status": error.status, "message": str(error), "data": {"code": error.code}}
        except CooperativeError as error:
            return {"status": 400, "message": error.reason, "data": {"code": error.code}}

    with serve(answer) as service.url:
        yield service


@contextmanager
def serve(answer: Callable[[str, Json], Json]) -> Iterator[str]:
    """A server of JSON services by the last part of their path; its address. ConnectionAbortedError cuts the caller off."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_OPTIONS(self):
            self._send(b"")

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                said = answer(self.path.rpartition("/")[2], asked)
            except ConnectionAbortedError:
                self.close_connection = True
                self.connection.close()
                return
            self._send(json.dumps(said).encode())

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            for name, value in (
                ("access-control-allow-origin", "*"),
                ("access-control-allow-headers", "content-type"),
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
