"""Paths to an anchor: by bytes of names and key identifiers, facts of each step, bounded search."""

from dataclasses import replace

from tests.helpers.pki import Entity, key_of, make, name, order, world
from yingqiao.gm import certificates, chain, der, issuing, names, oids, signatures, sm2
from yingqiao.gm.issuing import Authority, Profile

W = world()
DOCTOR, CA, ROOT = W.doctor.certificate, W.ca.certificate, W.root.certificate


def best(leaf, pool, anchors) -> chain.Path:
    return chain.build(leaf, pool, anchors)[0]


def test_whole_path():
    path = best(DOCTOR, [ROOT, CA], [ROOT])
    assert path.certificates == (DOCTOR, CA, ROOT)
    assert (path.anchored, path.sound) == (True, True)
    assert all(step.names_equal and step.key_ids_agree for step in path.steps)


def test_any_certificate_may_be_the_anchor():
    """Hospitals hand in the issuing CA alone (5.3)."""
    assert best(DOCTOR, [], [CA]).certificates == (DOCTOR, CA)
    assert best(DOCTOR, [], [DOCTOR]).certificates == (DOCTOR,)


def test_without_issuer_the_path_is_the_certificate_alone():
    path = best(DOCTOR, [], [ROOT])
    assert (path.certificates, path.anchored) == ((DOCTOR,), False)


def test_not_anchored_goes_up_as_far_as_it_can():
    path = best(DOCTOR, [CA, ROOT], [])
    assert (path.certificates, path.anchored) == ((DOCTOR, CA, ROOT), False)


def test_of_two_cas_of_one_name_the_one_with_the_key_is_taken():
    """Renewed CAs keep their name; AKI against SKI tells them apart."""
    other = make(Profile.CA, "影桥测试 CA", W.root)
    path = best(DOCTOR, [other.certificate, CA, ROOT], [ROOT])
    assert path.certificates[1] == CA
    assert path.sound
    wrong = best(DOCTOR, [other.certificate, ROOT], [ROOT])
    assert (wrong.anchored, wrong.sound) == (True, False)
    assert wrong.steps[0].key_ids_agree is False
    assert not wrong.steps[0].signature.valid


def test_an_issuer_that_is_no_ca_is_a_fact():
    mallory = make(Profile.SIGNING, "被签发者", W.doctor)
    path = best(mallory.certificate, [DOCTOR, CA], [ROOT])
    step = path.steps[0]
    assert (step.signature.valid, step.issuer_is_ca, step.issuer_may_certify) == (True, False, False)
    assert (path.anchored, path.sound) == (True, False)


def test_path_length_is_kept():
    """The CA has pathLenConstraint 0: no CA below it."""
    below = make(Profile.CA, "下级 CA", W.ca)
    leaf = make(Profile.SIGNING, "丁", below)
    path = best(leaf.certificate, [below.certificate, CA], [ROOT])
    assert [step.length_kept for step in path.steps] == [True, False, True]
    assert not path.sound


def test_names_equal_by_text_only():
    """UTF8String in the one, PrintableString in the other: found, and noted."""
    parts = [(oids.COUNTRY, "CN"), (oids.COMMON_NAME, "Plain CA")]
    written = names.build(parts)
    other = der.sequence(
        *(der.set_of([der.sequence(der.write_oid(oid), der.write_printable(text))]) for oid, text in parts)
    )
    private = sm2.generate()
    authority = Authority(written, key_of(private), signatures.sm2_signer(private))
    root = certificates.parse(issuing.issue(order(Profile.CA, written, key_of(private)), authority))
    renamed = replace(authority, name=names.read(der.parse(other)))
    leaf = certificates.parse(
        issuing.issue(order(Profile.SIGNING, name("戊"), W.doctor.certificate.key), renamed)
    )
    path = best(leaf, [], [root])
    assert path.anchored
    assert path.steps[0].names_equal is False
    assert path.sound


def test_cycles_and_crowds_are_bounded():
    crowd: list[Entity] = []
    for _ in range(6):
        crowd.append(make(Profile.CA, "同名 CA", crowd[-1] if crowd else None))
    pool = [one.certificate for one in crowd]
    paths = chain.build(pool[-1], pool, [ROOT])
    assert 1 <= len(paths) <= chain.MAX_PATHS
    assert all(len(path.certificates) <= chain.MAX_LENGTH for path in paths)
    assert not any(path.anchored for path in paths)
