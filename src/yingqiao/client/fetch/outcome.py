"""From libcurl's and servers' codes to errors with a class, a state and Chinese words.

Nobody's credentials, no query and no text of the other side is in the words.
"""

from __future__ import annotations

import errno

import pycurl

from yingqiao.client.fetch.headers import Head
from yingqiao.exchange.fetch import FetchError, FileState
from yingqiao.exchange.work import ErrorClass

PASSING, THEIRS, OURS, POISON = ErrorClass.PASSING, ErrorClass.THEIRS, ErrorClass.OURS, ErrorClass.POISON

CUT = frozenset(
    {
        *(pycurl.E_PARTIAL_FILE, pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR, pycurl.E_GOT_NOTHING),
        *(pycurl.E_SSH, pycurl.E_OPERATION_TIMEDOUT),
    }
)
"""Connections lost midway: worth another try at once."""
NO_RESUME = frozenset({pycurl.E_RANGE_ERROR, pycurl.E_BAD_DOWNLOAD_RESUME, pycurl.E_FTP_COULDNT_USE_REST})
"""The other side cannot continue: from the start, then."""
UNREACHABLE = frozenset(
    {pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_FTP_WEIRD_SERVER_REPLY}
)

_CURL = {
    pycurl.E_UNSUPPORTED_PROTOCOL: (THEIRS, FileState.FAILING, "对方的应答不合协议"),
    pycurl.E_URL_MALFORMAT: (POISON, FileState.REFUSED, "地址不合规则"),
    pycurl.E_COULDNT_RESOLVE_HOST: (PASSING, FileState.FAILING, "主机名无法解析"),
    pycurl.E_COULDNT_CONNECT: (PASSING, FileState.FAILING, "连不上对方主机"),
    pycurl.E_FTP_WEIRD_SERVER_REPLY: (PASSING, FileState.FAILING, "对方的应答不合协议"),
    pycurl.E_REMOTE_ACCESS_DENIED: (THEIRS, FileState.GONE, "对方没有此目录，或不允许进入"),
    pycurl.E_REMOTE_FILE_NOT_FOUND: (THEIRS, FileState.GONE, "对方没有此文件"),
    pycurl.E_LOGIN_DENIED: (THEIRS, FileState.DENIED, "用户名或密码不被接受"),
    pycurl.E_PARTIAL_FILE: (PASSING, FileState.FAILING, "传输中断，文件不完整"),
    pycurl.E_OPERATION_TIMEDOUT: (PASSING, FileState.FAILING, "对方太慢或没有应答，超过时限"),
    pycurl.E_GOT_NOTHING: (PASSING, FileState.FAILING, "对方没有应答就断开"),
    pycurl.E_SEND_ERROR: (PASSING, FileState.FAILING, "发送请求时连接断开"),
    pycurl.E_RECV_ERROR: (PASSING, FileState.FAILING, "接收时连接断开"),
    pycurl.E_SSL_CONNECT_ERROR: (PASSING, FileState.FAILING, "TLS 握手失败"),
    pycurl.E_PEER_FAILED_VERIFICATION: (THEIRS, FileState.DENIED, "对方的证书或主机密钥不可信"),
    pycurl.E_SSL_PINNEDPUBKEYNOTMATCH: (THEIRS, FileState.DENIED, "对方的证书与登记的指纹不符"),
    pycurl.E_SSL_CACERT_BADFILE: (OURS, FileState.FAILING, "登记的 CA 证书无法使用"),
    pycurl.E_SSL_CERTPROBLEM: (OURS, FileState.FAILING, "本机证书无法使用"),
    pycurl.E_USE_SSL_FAILED: (THEIRS, FileState.DENIED, "对方不支持 FTPS"),
    pycurl.E_FILESIZE_EXCEEDED: (POISON, FileState.UNUSABLE, "文件超过上限"),
    pycurl.E_BAD_CONTENT_ENCODING: (THEIRS, FileState.UNUSABLE, "压缩的应答解不开"),
    pycurl.E_OUT_OF_MEMORY: (OURS, FileState.FAILING, "内存不足"),
    pycurl.E_SSH: (PASSING, FileState.FAILING, "SFTP 会话失败"),
}
_HTTP = {
    401: (THEIRS, FileState.DENIED, "对方要求登录，或用户名密码不被接受"),
    403: (THEIRS, FileState.DENIED, "对方拒绝访问"),
    404: (THEIRS, FileState.GONE, "对方没有此文件"),
    407: (THEIRS, FileState.DENIED, "对方要求代理登录"),
    408: (PASSING, FileState.FAILING, "对方说超时"),
    410: (THEIRS, FileState.GONE, "对方已删除此文件"),
    425: (PASSING, FileState.FAILING, "对方要求稍后再来"),
    429: (PASSING, FileState.FAILING, "对方要求放慢"),
    503: (PASSING, FileState.FAILING, "对方暂停服务"),
}
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def of_status(head: Head) -> FetchError:
    """The error of an HTTP status that is neither 200 nor 206 nor followed."""
    if head.status >= 500:
        fallback = (PASSING, FileState.FAILING, "对方出错")
    elif head.status >= 400:
        fallback = (THEIRS, FileState.FAILING, "对方不接受请求")
    else:
        fallback = (THEIRS, FileState.FAILING, "对方的应答里没有文件")
    error_class, state, words = _HTTP.get(head.status, fallback)
    wait = head.retry_after() if error_class is PASSING else None
    return FetchError(error_class, f"{words}（HTTP {head.status}）", state=state, retry_after=wait)


def of_curl(code: int, response: int) -> FetchError:
    """The error of a transfer libcurl gave up; `response` is the last FTP reply's code."""
    if code in (
        pycurl.E_FTP_COULDNT_RETR_FILE,
        pycurl.E_REMOTE_FILE_NOT_FOUND,
        pycurl.E_REMOTE_ACCESS_DENIED,
    ):
        if 400 <= response < 500:
            return FetchError(PASSING, f"对方暂时不能提供此文件（FTP {response}）")
        if response in (530, 532):
            return FetchError(THEIRS, f"对方拒绝访问（FTP {response}）", state=FileState.DENIED)
        return FetchError(THEIRS, "对方没有此文件", state=FileState.GONE)
    if code == pycurl.E_LOGIN_DENIED and 400 <= response < 500:
        return FetchError(PASSING, f"对方暂不接受登录（FTP {response}）")
    error_class, state, words = _CURL.get(code, (PASSING, FileState.FAILING, f"传输失败（libcurl {code}）"))
    return FetchError(error_class, words, state=state)


def of_disk(error: OSError) -> FetchError:
    """Our disk's error."""
    words = "本机磁盘已满" if error.errno in _FULL else f"本机磁盘出错：{error.strerror or error}"
    return FetchError(OURS, words)
