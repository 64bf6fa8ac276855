"""A thin face on OpenSSL's libcrypto: the one Python's own ssl links, so it is patched with the system.

Short calls keep the GIL (giving it away costs more than they take, and under load a thread waits milliseconds
to have it back); the few that multiply points or make key pairs release it. libcrypto may be called
from many threads as long as no two use one changing object: the callers see to that. What
libcrypto hands out is owned by `Owned`, which frees it.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib
import sys
from collections.abc import Callable, Iterator
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint, c_ulong, c_void_p
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

from yingqiao.gm.errors import GmError

OLDEST = 0x30000000
SM2 = b"SM2"
_SIZE_P = POINTER(c_size_t)


class LibcryptoError(GmError):
    """libcrypto cannot be loaded, is too old, lacks SM2, or failed where it must not."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason, code=code)


class Parameter(ctypes.Structure):
    """OSSL_PARAM (openssl/core.h)."""

    _fields_ = [
        ("key", c_char_p),
        ("data_type", c_uint),
        ("data", c_void_p),
        ("data_size", c_size_t),
        ("return_size", c_size_t),
    ]


UNSIGNED, UTF8, OCTETS = 2, 4, 5
UNMODIFIED = c_size_t(-1).value
PUBLIC, KEYPAIR = 0x86, 0x87  # EVP_PKEY_PUBLIC_KEY, EVP_PKEY_KEYPAIR

_V, _I, _S, _T = c_void_p, c_int, c_size_t, c_char_p
_LIGHT: dict[str, tuple[Any, ...]] = {  # name: result, arguments
    "OpenSSL_version_num": (c_ulong,),
    "OpenSSL_version": (_T, _I),
    "ERR_clear_error": (None,),
    "OBJ_txt2nid": (_I, _T),
    "BN_new": (_V,),
    "BN_secure_new": (_V,),
    "BN_clear_free": (None, _V),
    "BN_CTX_secure_new": (_V,),
    "BN_CTX_free": (None, _V),
    "BN_bin2bn": (_V, _T, _I, _V),
    "BN_bn2binpad": (_I, _V, _V, _I),
    "BN_bn2nativepad": (_I, _V, _V, _I),
    "BN_set_flags": (None, _V, _I),
    "BN_is_zero": (_I, _V),
    "BN_cmp": (_I, _V, _V),
    "BN_priv_rand_range": (_I, _V, _V),
    "BN_mod_add_quick": (_I, _V, _V, _V, _V),
    "BN_mod_exp_mont_consttime": (_I, _V, _V, _V, _V, _V, _V),
    "BN_MONT_CTX_new": (_V,),
    "BN_MONT_CTX_set": (_I, _V, _V, _V),
    "BN_to_montgomery": (_I, _V, _V, _V, _V),
    "BN_mod_mul_montgomery": (_I, _V, _V, _V, _V, _V),
    "EC_GROUP_new_by_curve_name": (_V, _I),
    "EC_GROUP_get0_order": (_V, _V),
    "EC_POINT_new": (_V, _V),
    "EC_POINT_clear_free": (None, _V),
    "EC_POINT_oct2point": (_I, _V, _V, _T, _S, _V),
    "EC_POINT_point2oct": (_S, _V, _V, _I, _V, _S, _V),
    "EC_POINT_is_at_infinity": (_I, _V, _V),
    "EC_POINT_add": (_I, _V, _V, _V, _V, _V),
    "EC_POINT_invert": (_I, _V, _V, _V),
    "EVP_PKEY_free": (None, _V),
    "EVP_PKEY_CTX_new": (_V, _V, _V),
    "EVP_PKEY_CTX_new_from_name": (_V, _V, _T, _T),
    "EVP_PKEY_CTX_free": (None, _V),
    "EVP_PKEY_fromdata_init": (_I, _V),
    "EVP_PKEY_fromdata": (_I, _V, POINTER(_V), _I, POINTER(Parameter)),
    "EVP_PKEY_get_bn_param": (_I, _V, _T, POINTER(_V)),
    "EVP_PKEY_verify_init": (_I, _V),
    "EVP_PKEY_sign_init": (_I, _V),
    "EVP_PKEY_encrypt_init": (_I, _V),
    "EVP_PKEY_decrypt_init": (_I, _V),
    "OPENSSL_cleanse": (None, _V, _S),
}
_HEAVY: dict[str, tuple[Any, ...]] = {
    "EC_POINT_mul": (_I, _V, _V, _V, _V, _V, _V),
    "EVP_PKEY_verify": (_I, _V, _T, _S, _T, _S),
    "EVP_PKEY_sign": (_I, _V, _V, _SIZE_P, _T, _S),
    "EVP_PKEY_encrypt": (_I, _V, _V, _SIZE_P, _T, _S),
    "EVP_PKEY_decrypt": (_I, _V, _V, _SIZE_P, _T, _S),
}


class Libcrypto:
    """The functions of the two tables as attributes."""

    def __init__(self, name: str | None) -> None:
        """`name` as for ctypes. Raises OSError when it does not load, AttributeError when a function lacks."""
        self.name = name
        for library, table in ((ctypes.PyDLL(name), _LIGHT), (ctypes.CDLL(name), _HEAVY)):
            for function, (result, *arguments) in table.items():
                found = getattr(library, function)
                found.restype, found.argtypes = result, arguments
                setattr(self, function, found)
        self.number: int = self.OpenSSL_version_num()
        self.version: str = self.OpenSSL_version(0).decode()

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)  # what the tables name is set above; this tells mypy that it is

    def check(self, done: object, what: str) -> None:
        """Raises LibcryptoError when `done` is a null pointer or not positive; leaves no error behind for ssl."""
        if not done or (isinstance(done, int) and done < 0):
            self.ERR_clear_error()
            raise LibcryptoError("libcrypto-failed", f"OpenSSL 的 {what} 没有成功（{self.version}）")


class Owned:
    """A pointer with the function that frees it, called once, when nobody refers to it any more."""

    __slots__ = ("_free", "pointer")

    def __init__(self, pointer: int | None, free: Callable[[int], None], what: str) -> None:
        """Raises LibcryptoError on a null pointer."""
        self.pointer, self._free = pointer, free
        libcrypto().check(pointer, what)

    def close(self) -> None:
        pointer, self.pointer = self.pointer, None
        if pointer:
            self._free(pointer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def candidates() -> Iterator[str | None]:
    """Where libcrypto may be, best first: behind Python's own extension modules, then by its usual names."""
    for module in ("_hashlib", "_ssl"):
        try:
            yield getattr(importlib.import_module(module), "__file__", None)
        except ImportError:
            continue
    found = ctypes.util.find_library("crypto")
    names = ("libcrypto.so.4", "libcrypto.so.3", "libcrypto.3.dylib", "libcrypto-3-x64", "libcrypto-3")
    yield from ((found, *names) if found and sys.platform != "darwin" else names)


def load(names: Iterator[str | None]) -> Libcrypto:
    """The first that loads, is OpenSSL 3 or later and has SM2. Raises LibcryptoError that tells about each."""
    reasons: list[str] = []
    for name in dict.fromkeys(names):
        try:
            library = Libcrypto(name)
        except (OSError, AttributeError) as error:
            reasons.append(f"{name or 'python'}：{str(error)[:120]}")
            continue
        problem = _problem(library)
        if problem is None:
            return library
        reasons.append(f"{name or 'python'}：{problem}")
    raise LibcryptoError(
        "libcrypto-missing",
        "没有可用的 OpenSSL libcrypto（3.0 或以上、含 SM2）；试过的有：" + "；".join(reasons),
    )


def _problem(library: Libcrypto) -> str | None:
    if not library.version.startswith("OpenSSL ") or library.number < OLDEST:
        return f"版本是 {library.version}，需要 OpenSSL 3.0 或以上"
    context = library.EVP_PKEY_CTX_new_from_name(None, SM2, None)
    if not context or library.OBJ_txt2nid(SM2) == 0:
        library.ERR_clear_error()
        return f"{library.version} 编译时去掉了 SM2"
    library.EVP_PKEY_CTX_free(context)
    return None


@lru_cache(maxsize=1)
def libcrypto() -> Libcrypto:
    """The library of this process, loaded at first use. Raises LibcryptoError."""
    return load(candidates())
