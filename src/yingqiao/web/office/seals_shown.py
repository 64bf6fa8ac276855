"""Seals, their history and uses as lists show them, to pages, commands and programs alike."""

from __future__ import annotations

from typing import Any, Final

from yingqiao.signing.moments import milliseconds, moment
from yingqiao.signing.seals.states import Change
from yingqiao.store.signing.office import Office
from yingqiao.store.signing.seal_uses import Use
from yingqiao.store.signing.seals_registry import KeptSeal
from yingqiao.store.signing.unit_certificates import Maker

SEAL_COLUMNS: Final = {
    "id": "编号",
    "esId": "印章标识",
    "name": "名称",
    "hospitalName": "医疗机构",
    "kindWords": "种类",
    "width": "宽（毫米）",
    "height": "高（毫米）",
    "stateWords": "状态",
    "validBefore": "生效时间",
    "validAfter": "到期时间",
    "madeBy": "制作人",
    "madeAt": "制作时间",
}
USE_COLUMNS: Final = {
    "id": "序号",
    "at": "时间",
    "name": "印章",
    "esId": "印章标识",
    "hospital": "医疗机构",
    "who": "使用人",
    "document": "文档 SM3",
    "matter": "业务标识",
    "channel": "途径",
    "resultWords": "结果",
    "reason": "原因",
    "endedAt": "完成时间",
}
MAKER_COLUMNS: Final = {
    "id": "编号",
    "subject": "制章者",
    "serial": "序列号",
    "notBefore": "生效时间",
    "notAfter": "到期时间",
    "seals": "制作印章数",
    "stateWords": "状态",
    "revokedAt": "吊销时间",
}
_HOLDERS: Final = {1: "证书", 2: "证书杂凑"}


def seal_shown(seal: KeptSeal, now: int) -> dict[str, Any]:
    """A seal; its state is that of `now` (Unix ms)."""
    standing = seal.standing(moment(now))
    return {
        "id": seal.id,
        "esId": seal.es_id,
        "name": seal.name,
        "hospital": seal.hospital_code,
        "hospitalName": seal.hospital_name,
        "kind": int(seal.kind),
        "kindWords": seal.kind.words,
        "width": seal.width,
        "height": seal.height,
        "holders": int(seal.holders),
        "holdersWords": _HOLDERS[int(seal.holders)],
        "keyHere": seal.certificate_id is not None,
        "state": standing.state.value,
        "stateWords": standing.state.words + ("（制章者证书已吊销）" if seal.maker_revoked else ""),
        "stateAt": milliseconds(standing.since) if standing.since else None,
        "stateReason": standing.reason,
        "usable": seal.usable(moment(now)),
        "makerRevoked": seal.maker_revoked,
        "validBefore": seal.valid_from,
        "validAfter": seal.valid_to,
        "unitCase": seal.unit_case,
        "stampCase": seal.stamp_case,
        "replaces": seal.replaces,
        "madeBy": seal.made_by,
        "madeAt": seal.made_at,
    }


def maker_shown(maker: Maker) -> dict[str, Any]:
    """A seal maker's certificate."""
    reason = maker.revocation
    return {
        "id": maker.id,
        "subject": str(maker.certificate.subject),
        "issuer": str(maker.certificate.issuer),
        "serial": maker.certificate.serial_hex,
        "notBefore": milliseconds(maker.certificate.not_before),
        "notAfter": milliseconds(maker.certificate.not_after),
        "seals": maker.seals,
        "state": "valid" if reason is None else "revoked",
        "stateWords": "正常" if reason is None else f"已吊销（{reason.words}）",
        "revokedAt": maker.revoked_at,
    }


def whole_seal_shown(office: Office, seal: KeptSeal) -> dict[str, Any]:
    """With its history and the signer's certificate."""
    certificate = office.seals.certificate(seal)
    return seal_shown(seal, office.now_ms()) | {
        "changes": [change_shown(one) for one in seal.changes],
        "certificate": {
            "subject": str(certificate.subject),
            "issuer": str(certificate.issuer),
            "serial": certificate.serial_hex,
            "notBefore": milliseconds(certificate.not_before),
            "notAfter": milliseconds(certificate.not_after),
        }
        if certificate is not None
        else None,
    }


def change_shown(change: Change) -> dict[str, Any]:
    return {
        "act": change.act.value,
        "actWords": change.act.words,
        "who": change.who,
        "at": milliseconds(change.at),
        "reason": change.reason,
    }


def use_shown(use: Use) -> dict[str, Any]:
    return {
        "id": use.id,
        "sealId": use.seal_id,
        "esId": use.es_id,
        "name": use.name,
        "hospital": use.hospital_code,
        "who": use.who,
        "at": use.at,
        "document": use.document,
        "matter": use.matter,
        "channel": use.channel,
        "result": use.result.value,
        "resultWords": use.result.words,
        "reason": use.reason,
        "endedAt": use.ended_at,
    }
