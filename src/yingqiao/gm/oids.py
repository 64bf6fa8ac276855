"""Object identifiers: one table with the names programs know and Chinese words for people.

Sources: GM/T 0006 and GB/T 33560 (algorithms), GM/T 0010 (messages), GB/T 20518-2018 (Chinese extensions),
RFC 5280, 5652, 3161, 5816; the private ones as seen in certificates of BJCA and others.
"""

from __future__ import annotations

from typing import NamedTuple

SM2 = "1.2.156.10197.1.301"
SM2_SIGN = "1.2.156.10197.1.301.1"
SM2_EXCHANGE = "1.2.156.10197.1.301.2"
SM2_ENCRYPT = "1.2.156.10197.1.301.3"
SM3 = "1.2.156.10197.1.401"
SM2_SM3 = "1.2.156.10197.1.501"
RSA_SM3 = "1.2.156.10197.1.504"
EC_PUBLIC_KEY = "1.2.840.10045.2.1"
RSA = "1.2.840.113549.1.1.1"
SHA1_RSA = "1.2.840.113549.1.1.5"
SHA256_RSA = "1.2.840.113549.1.1.11"
SHA384_RSA = "1.2.840.113549.1.1.12"
SHA512_RSA = "1.2.840.113549.1.1.13"
SHA1 = "1.3.14.3.2.26"
SHA256 = "2.16.840.1.101.3.4.2.1"
SHA384 = "2.16.840.1.101.3.4.2.2"
SHA512 = "2.16.840.1.101.3.4.2.3"

GM_DATA = "1.2.156.10197.6.1.4.2.1"
GM_SIGNED_DATA = "1.2.156.10197.6.1.4.2.2"
PKCS7_DATA = "1.2.840.113549.1.7.1"
PKCS7_SIGNED_DATA = "1.2.840.113549.1.7.2"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
ALGORITHM_PROTECTION = "1.2.840.113549.1.9.52"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
SIGNATURE_TIME_STAMP = "1.2.840.113549.1.9.16.2.14"
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"

COUNTRY, STATE, LOCALITY = "2.5.4.6", "2.5.4.8", "2.5.4.7"
ORGANIZATION, UNIT, COMMON_NAME = "2.5.4.10", "2.5.4.11", "2.5.4.3"
SERIAL_NUMBER, SURNAME, GIVEN_NAME, TITLE = "2.5.4.5", "2.5.4.4", "2.5.4.42", "2.5.4.12"
EMAIL = "1.2.840.113549.1.9.1"

SUBJECT_KEY_ID, KEY_USAGE, SUBJECT_ALT_NAME = "2.5.29.14", "2.5.29.15", "2.5.29.17"
ISSUER_ALT_NAME, BASIC_CONSTRAINTS, CRL_NUMBER = "2.5.29.18", "2.5.29.19", "2.5.29.20"
CRL_REASON, INVALIDITY_DATE, ISSUING_POINT = "2.5.29.21", "2.5.29.24", "2.5.29.28"
NAME_CONSTRAINTS, CRL_POINTS, POLICIES = "2.5.29.30", "2.5.29.31", "2.5.29.32"
POLICY_CONSTRAINTS, AUTHORITY_KEY_ID, EXTENDED_USAGE = "2.5.29.36", "2.5.29.35", "2.5.29.37"
DELTA_CRL, AUTHORITY_INFO = "2.5.29.27", "1.3.6.1.5.5.7.1.1"
OCSP, CA_ISSUERS = "1.3.6.1.5.5.7.48.1", "1.3.6.1.5.5.7.48.2"

TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
ANY_USAGE = "2.5.29.37.0"

IDENTIFY_CODE = "1.2.156.10260.4.1.1"
INSURANCE_NUMBER = "1.2.156.10260.4.1.2"
REGISTRATION_NUMBER = "1.2.156.10260.4.1.3"
ORGANIZATION_CODE = "1.2.156.10260.4.1.4"
TAXATION_NUMBER = "1.2.156.10260.4.1.5"
HEALTH_ENTITY = "1.2.86.21.1.1"
BJCA_UNIQUE_ID = "1.2.156.112562.2.1.1.1"
BJCA_MSSP_ID = "1.2.156.112562.2.1.1.10"

SM2_SIGNATURES = frozenset({SM2_SM3, SM2_SIGN, SM2, SM2_ENCRYPT})
"""What stands as algorithm of an SM2 signature in messages; 301.3 is the standard's own PKCS#7 sample."""
DIGESTS = {SM3: "sm3", SHA1: "sha1", SHA256: "sha256", SHA384: "sha384", SHA512: "sha512"}
"""Names `hashlib` knows them by."""
RSA_DIGESTS = {
    SHA1_RSA: "sha1",
    SHA256_RSA: "sha256",
    SHA384_RSA: "sha384",
    SHA512_RSA: "sha512",
    RSA_SM3: "sm3",
}


class Known(NamedTuple):
    """An object identifier's short name and Chinese words."""

    name: str
    words: str


_TABLE: dict[str, tuple[str, str]] = {
    SM2: ("sm2", "SM2 椭圆曲线"),
    SM2_SIGN: ("sm2-sign", "SM2 签名"),
    SM2_EXCHANGE: ("sm2-exchange", "SM2 密钥交换"),
    SM2_ENCRYPT: ("sm2-encrypt", "SM2 加密"),
    SM3: ("sm3", "SM3 杂凑"),
    SM2_SM3: ("sm2-with-sm3", "基于 SM3 的 SM2 签名"),
    "1.2.156.10197.1.502": ("sm2-with-sha1", "基于 SHA-1 的 SM2 签名"),
    "1.2.156.10197.1.503": ("sm2-with-sha256", "基于 SHA-256 的 SM2 签名"),
    RSA_SM3: ("rsa-with-sm3", "基于 SM3 的 RSA 签名"),
    "1.2.156.10197.1.104": ("sm4", "SM4"),
    "1.2.156.10197.1.401.2": ("hmac-sm3", "HMAC-SM3"),
    EC_PUBLIC_KEY: ("ec-public-key", "椭圆曲线公钥"),
    RSA: ("rsa", "RSA"),
    SHA1_RSA: ("sha1-with-rsa", "基于 SHA-1 的 RSA 签名"),
    SHA256_RSA: ("sha256-with-rsa", "基于 SHA-256 的 RSA 签名"),
    SHA384_RSA: ("sha384-with-rsa", "基于 SHA-384 的 RSA 签名"),
    SHA512_RSA: ("sha512-with-rsa", "基于 SHA-512 的 RSA 签名"),
    SHA1: ("sha1", "SHA-1 杂凑"),
    SHA256: ("sha256", "SHA-256 杂凑"),
    SHA384: ("sha384", "SHA-384 杂凑"),
    SHA512: ("sha512", "SHA-512 杂凑"),
    GM_DATA: ("gm-data", "国密数据"),
    GM_SIGNED_DATA: ("gm-signed-data", "国密签名数据"),
    "1.2.156.10197.6.1.4.2.3": ("gm-enveloped-data", "国密数字信封"),
    "1.2.156.10197.6.1.4.2.4": ("gm-signed-enveloped-data", "国密签名及数字信封"),
    "1.2.156.10197.6.1.4.2.5": ("gm-encrypted-data", "国密加密数据"),
    "1.2.156.10197.6.1.4.2.6": ("gm-key-agreement", "国密密钥协商"),
    PKCS7_DATA: ("data", "数据"),
    PKCS7_SIGNED_DATA: ("signed-data", "签名数据"),
    TST_INFO: ("tst-info", "时间戳信息"),
    CONTENT_TYPE: ("content-type", "内容类型"),
    MESSAGE_DIGEST: ("message-digest", "消息摘要"),
    SIGNING_TIME: ("signing-time", "签名时间"),
    ALGORITHM_PROTECTION: ("algorithm-protection", "算法保护"),
    SIGNING_CERTIFICATE: ("signing-certificate", "签名证书标识"),
    SIGNING_CERTIFICATE_V2: ("signing-certificate-v2", "签名证书标识（第二版）"),
    SIGNATURE_TIME_STAMP: ("signature-time-stamp", "签名时间戳"),
    COUNTRY: ("C", "国家"),
    STATE: ("ST", "省份"),
    LOCALITY: ("L", "城市"),
    ORGANIZATION: ("O", "组织"),
    UNIT: ("OU", "部门"),
    COMMON_NAME: ("CN", "名称"),
    SERIAL_NUMBER: ("serialNumber", "序列号"),
    SURNAME: ("SN", "姓"),
    GIVEN_NAME: ("GN", "名"),
    TITLE: ("title", "职务"),
    "2.5.4.9": ("street", "街道"),
    "2.5.4.13": ("description", "说明"),
    "2.5.4.15": ("businessCategory", "业务类别"),
    "2.5.4.17": ("postalCode", "邮政编码"),
    "2.5.4.20": ("telephoneNumber", "电话"),
    "2.5.4.45": ("uniqueIdentifier", "唯一标识"),
    "2.5.4.46": ("dnQualifier", "名称限定"),
    "2.5.4.97": ("organizationIdentifier", "组织标识"),
    "0.9.2342.19200300.100.1.1": ("UID", "用户标识"),
    "0.9.2342.19200300.100.1.25": ("DC", "域"),
    EMAIL: ("E", "电子邮箱"),
    SUBJECT_KEY_ID: ("subjectKeyIdentifier", "主体密钥标识"),
    KEY_USAGE: ("keyUsage", "密钥用途"),
    SUBJECT_ALT_NAME: ("subjectAltName", "主体别名"),
    ISSUER_ALT_NAME: ("issuerAltName", "颁发者别名"),
    BASIC_CONSTRAINTS: ("basicConstraints", "基本限制"),
    CRL_NUMBER: ("crlNumber", "吊销列表编号"),
    CRL_REASON: ("reasonCode", "吊销原因"),
    INVALIDITY_DATE: ("invalidityDate", "失效日期"),
    ISSUING_POINT: ("issuingDistributionPoint", "吊销列表分发点"),
    DELTA_CRL: ("deltaCRLIndicator", "增量吊销列表标识"),
    NAME_CONSTRAINTS: ("nameConstraints", "名称限制"),
    CRL_POINTS: ("cRLDistributionPoints", "吊销列表地址"),
    POLICIES: ("certificatePolicies", "证书策略"),
    POLICY_CONSTRAINTS: ("policyConstraints", "策略限制"),
    AUTHORITY_KEY_ID: ("authorityKeyIdentifier", "颁发者密钥标识"),
    EXTENDED_USAGE: ("extKeyUsage", "扩展密钥用途"),
    AUTHORITY_INFO: ("authorityInfoAccess", "颁发者信息访问"),
    "2.16.840.1.113730.1.1": ("nsCertType", "网景证书类型"),
    TIME_STAMPING: ("timeStamping", "时间戳"),
    EMAIL_PROTECTION: ("emailProtection", "邮件保护"),
    CLIENT_AUTH: ("clientAuth", "客户端认证"),
    SERVER_AUTH: ("serverAuth", "服务器认证"),
    "1.3.6.1.5.5.7.3.3": ("codeSigning", "代码签名"),
    OCSP_SIGNING: ("OCSPSigning", "OCSP 签名"),
    ANY_USAGE: ("anyExtendedKeyUsage", "任意用途"),
    IDENTIFY_CODE: ("identifyCode", "个人身份标识码"),
    INSURANCE_NUMBER: ("insuranceNumber", "个人社会保险号"),
    REGISTRATION_NUMBER: ("icRegistrationNumber", "企业工商注册号"),
    ORGANIZATION_CODE: ("organizationCode", "企业组织机构代码"),
    TAXATION_NUMBER: ("taxationNumber", "企业税号"),
    "1.2.86.11.7.1.1": ("legacyIdentifyCode", "身份证号（旧）"),
    "1.2.86.11.7.1.3": ("legacyRegistrationNumber", "工商或税务登记号（旧）"),
    "1.2.86.11.7.1.4": ("legacyCreditCode", "统一社会信用代码（旧）"),
    "1.2.86.11.7.1.5": ("legacyTaxpayer", "纳税人识别号（旧）"),
    "1.2.86.11.7.1.8": ("legacyUniqueId", "唯一标识（旧）"),
    HEALTH_ENTITY: ("healthEntity", "卫生系统证书实体唯一标识"),
    BJCA_UNIQUE_ID: ("bjcaUniqueId", "BJCA 唯一标识"),
    BJCA_MSSP_ID: ("bjcaMsspId", "BJCA 移动签名用户标识"),
    "1.2.156.112562.2.1.1.30": ("bjcaNumber", "BJCA 编号"),
    "1.2.156.112562.2.1.1.23": ("bjcaPrivate23", "BJCA 私有扩展"),
    "1.2.156.112562.2.1.1.24": ("bjcaPrivate24", "BJCA 私有扩展"),
    "1.2.156.112562.2.1.2.2": ("bjcaPrivate2", "BJCA 私有扩展"),
    "2.16.840.1.113732.2": ("bjcaRsaUniqueId", "BJCA 唯一标识（RSA）"),
}
TABLE = {dotted: Known(*known) for dotted, known in _TABLE.items()}
CHINESE_EXTENSIONS = frozenset(
    dotted
    for dotted in TABLE
    if dotted.startswith(("1.2.156.10260.4.1.", "1.2.86.", "1.2.156.112562.", "2.16.840.1.113732."))
)
"""Extensions that name a person or an organisation; the value is a string, sometimes without a tag."""


def name(dotted: str) -> str:
    """The short name, or the dotted form itself."""
    known = TABLE.get(dotted)
    return known.name if known else dotted


def words(dotted: str) -> str:
    """Chinese words, or the dotted form itself."""
    known = TABLE.get(dotted)
    return known.words if known else dotted
