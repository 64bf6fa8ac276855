"""The signature of coss and dsvs requests: StringA, its HMAC, and why one does not match (四(二)4, T113, T114).

All top-level parameters but `signature`, without null and empty ones, sorted by the code points of their names,
joined as `k=v` with `&`, values as they stand in the JSON text, UTF-8; HMAC with the application's secure code;
base64. Nothing is trimmed, encoded or normalised.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote_plus

SIGNATURE = "signature"
SHA256, SHA1, MD5 = "HmacSHA256", "HmacSHA1", "HmacMD5"
ALGORITHMS = {SHA256: hashlib.sha256, SHA1: hashlib.sha1, MD5: hashlib.md5}
_NAMES = {"hmac": SHA256, "hmacsha256": SHA256, "hmacsha1": SHA1, "hmacmd5": MD5}
MAX_DIAGNOSED = 64 * 1024
"""Characters of StringA: a wrong signature of a larger one is not looked into, as anybody may send those."""
_SHOWN = frozenset(
    {
        *("algo", "appid", "attachcert", "datatype", "expirydate", "oridatatype", "requireqrcode"),
        *("signalgo", "signdataid", "transid", "version"),
    }
)
"""Parameters that name neither patients nor secrets; of others the log has the length."""


class ParameterError(ValueError):
    """The body is no set of parameters; the text is Chinese and quotes no value."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """A request as received: names and values as written, null left out."""

    values: Mapping[str, str]

    def string_a(self, leave_out: Iterable[str] = (SIGNATURE,)) -> str:
        """What is signed."""
        left = frozenset(leave_out)
        return "&".join(f"{k}={v}" for k, v in sorted(self.values.items()) if v and k not in left)

    def find(self, name: str) -> str:
        """The value under the name in whatever case (T116); '' when there is none."""
        found = self.values.get(name)
        if found is not None:
            return found
        wanted = name.lower()
        return next((v for k, v in self.values.items() if k.lower() == wanted), "")


def read_parameters(raw: bytes) -> Parameters:
    """The parameters of a JSON body. Numbers and booleans keep their text.

    Raises ParameterError: not UTF-8, a byte order mark, no object, a name twice (in any case), a nested value.
    """
    if raw.startswith(b"\xef\xbb\xbf"):
        raise ParameterError("请求体开头有 BOM，请去掉")
    try:
        found = json.loads(
            raw.decode(), parse_int=str, parse_float=str, parse_constant=_refuse, object_pairs_hook=_Pairs
        )
    except UnicodeDecodeError:
        raise ParameterError("请求体不是 UTF-8 编码（是否用了 GBK？）") from None
    except (json.JSONDecodeError, RecursionError):
        raise ParameterError("请求体不是合法的 JSON") from None
    if not isinstance(found, _Pairs):
        raise ParameterError("请求体应为 JSON 对象")
    return Parameters(_flat(found.pairs))


def _refuse(_: str) -> NoReturn:
    raise ParameterError("请求体含有 NaN 或 Infinity")


class _Pairs:
    """An object as its pairs: of a name given twice nothing is lost."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _flat(pairs: list[tuple[str, Any]]) -> dict[str, str]:
    values: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in pairs:
        if name.lower() in seen:
            raise ParameterError(f"参数 {name[:40]!r} 出现了两次")
        seen.add(name.lower())
        if isinstance(value, (_Pairs, list)):
            raise ParameterError(f"参数 {name[:40]!r} 应为文本，不能是对象或数组")
        if value is not None:
            text = ("true" if value else "false") if isinstance(value, bool) else value
            _refuse_surrogates(name + text)
            values[name] = text
    return values


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ParameterError("请求体含有半个代理对（\\ud800–\\udfff）") from None


def algorithm_of(sign_algo: str) -> str | None:
    """HmacSHA256, HmacSHA1 or HmacMD5 for a signAlgo as met (T113: HMAC, HmacSHA256, hmac-sha256); None otherwise."""
    return _NAMES.get(sign_algo.lower().replace("-", "").replace("_", "") or "hmac")


def mac(secret: bytes, text: str | bytes, algorithm: str = SHA256) -> bytes:
    """The HMAC of `text` (UTF-8)."""
    return hmac.digest(secret, text.encode() if isinstance(text, str) else text, ALGORITHMS[algorithm])


def sign(secret: bytes, text: str, algorithm: str = SHA256) -> str:
    """The signature of StringA as sent: base64."""
    return base64.b64encode(mac(secret, text, algorithm)).decode()


def decode_signature(text: str) -> bytes | None:
    """The bytes of a signature; None when it is no base64.

    A `+` that became a space on the way, the URL alphabet, line breaks and missing padding change nothing: the
    bytes must match all the same.
    """
    bare = text.strip("\r\n\t ").translate(_DAMAGED).rstrip("=")
    try:
        return binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True) if bare else None
    except (binascii.Error, ValueError):
        return None


_DAMAGED = str.maketrans({" ": "+", "-": "+", "_": "/", "\r": None, "\n": None})


def verify(parameters: Parameters, secrets: Iterable[bytes], algorithm: str = SHA256) -> bytes | None:
    """The secret the request is signed with, of those accepted now; None when with none of them. In constant time."""
    given = decode_signature(parameters.find(SIGNATURE)) or b""
    text = parameters.string_a(_signature_names(parameters)).encode()
    found = None
    for secret in secrets:
        if hmac.compare_digest(mac(secret, text, algorithm), given):
            found = secret
    return found


def _signature_names(parameters: Parameters) -> list[str]:
    return [name for name in parameters.values if name.lower() == SIGNATURE]


def loggable(parameters: Parameters) -> str:
    """StringA for an operator: of values that may be patients' only the length in characters and bytes."""
    left = frozenset(_signature_names(parameters))
    return "&".join(
        f"{name[:40]}={_loggable(name, value)}"
        for name, value in sorted(parameters.values.items())[:40]
        if value and name not in left
    )


def _loggable(name: str, value: str) -> str:
    if name.lower() in _SHOWN and len(value) <= 64 and value.isprintable():
        return value
    return f"〈{len(value)} 字符，{len(value.encode())} 字节〉"


def diagnose(parameters: Parameters, secret: bytes, algorithm: str = SHA256) -> str:
    """What the client probably did otherwise, in Chinese; never a reason to accept."""
    text = parameters.find(SIGNATURE)
    given = decode_signature(text)
    size = ALGORITHMS[algorithm]().digest_size
    if not text:
        return "没有 signature 参数"
    if given is None or len(given) != size:
        return _wrong_form(text, size)
    if len(parameters.string_a()) > MAX_DIAGNOSED:
        return "请求较大，未作进一步分析"
    for words, attempt in _ATTEMPTS:
        try:
            if hmac.compare_digest(attempt(parameters, secret, algorithm), given):
                return words
        except (ValueError, UnicodeError):
            continue
    return "与平台算出的不符：请逐字核对 StringA 与密钥"


def _wrong_form(text: str, size: int) -> str:
    if len(text) == 2 * size and all(c in "0123456789abcdefABCDEF" for c in text):
        return "签名是十六进制，应为 Base64"
    return f"签名不是 {size} 字节的 Base64"


def _joined(items: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in items)


def _signed(parameters: Parameters) -> list[tuple[str, str]]:
    left = frozenset(_signature_names(parameters))
    return sorted((k, v) for k, v in parameters.values.items() if k not in left)


def _some(parameters: Parameters) -> list[tuple[str, str]]:
    return [(k, v) for k, v in _signed(parameters) if v]


def _lower(pair: tuple[str, str]) -> str:
    return pair[0].lower()


Attempt = Callable[[Parameters, bytes, str], bytes]
_ATTEMPTS: tuple[tuple[str, Attempt], ...] = (
    ("客户端用 GBK 编码计算，应为 UTF-8", lambda p, s, a: mac(s, p.string_a().encode("gb18030"), a)),
    ("客户端把空值参数也算在内", lambda p, s, a: mac(s, _joined(_signed(p)), a)),
    (
        "参数名排序未按 ASCII（大写在小写之前）",
        lambda p, s, a: mac(s, _joined(sorted(_some(p), key=_lower)), a),
    ),
    (
        "客户端把参数名改成了小写",
        lambda p, s, a: mac(s, _joined(sorted((k.lower(), v) for k, v in _some(p))), a),
    ),
    ("客户端按发送的先后拼接，没有排序", lambda p, s, a: mac(s, _unsorted(p), a)),
    ("客户端对值做了 URL 编码", lambda p, s, a: mac(s, _joined((k, quote_plus(v)) for k, v in _some(p)), a)),
    (
        "值中的 + 在传输中变成了空格",
        lambda p, s, a: mac(s, _joined((k, v.replace(" ", "+")) for k, v in _some(p)), a),
    ),
    ("StringA 末尾多了 &", lambda p, s, a: mac(s, p.string_a() + "&", a)),
    ("布尔值写成了 True/False", lambda p, s, a: mac(s, _joined((k, _capital(v)) for k, v in _some(p)), a)),
    ("客户端对值去掉了首尾空白", lambda p, s, a: mac(s, _joined((k, v.strip()) for k, v in _some(p)), a)),
    (
        "客户端把密钥按 Base64 解码后使用",
        lambda p, s, a: mac(base64.b64decode(s, validate=True), p.string_a(), a),
    ),
    ("客户端把密钥按十六进制解码后使用", lambda p, s, a: mac(bytes.fromhex(s.decode()), p.string_a(), a)),
    ("密钥首尾有空白", lambda p, s, a: mac(s + b"\n", p.string_a(), a)),
)


def _unsorted(parameters: Parameters) -> str:
    left = frozenset(_signature_names(parameters))
    return _joined((k, v) for k, v in parameters.values.items() if v and k not in left)


def _capital(value: str) -> str:
    return value.capitalize() if value in ("true", "false") else value


def result_mac(secret: bytes, app_id: str, ext: str, result: str, user_id: str) -> str:
    """`hmac` of getAuthSignResult and callbacks: HMAC-SHA256 over these four, empty ones too (T124)."""
    return sign(secret, f"appId={app_id}&ext={ext}&result={result}&userId={user_id}")
