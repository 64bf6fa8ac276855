"""The landing area: what was flushed is found again, byte for byte; torn and forged records are not."""

import errno
import hashlib
import os
import random
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.laid import lay
from yingqiao.exchange.model import Arrival
from yingqiao.store import landing_format
from yingqiao.store.landing import LandingArea, LandingError, LandingFull
from yingqiao.store.segment import Disk

ARRIVAL = Arrival(
    1_700_000_000_000, "CT01", "YINGQIAO", "10.0.0.9", "1.2.840.10008.1.2.1", "1.2.3.4", "1.2.3.4.5"
)
PREFIX = b"\0" * 128 + b"DICM"


@pytest.fixture
def area(tmp_path):
    landing = LandingArea(tmp_path / "landing", reserve_bytes=0)
    yield landing
    landing.close()


def keep(area, dataset, arrival=ARRIVAL):
    pending = area.append(arrival, lay(PREFIX, dataset))
    area.flush([pending])
    return pending.place


def found(area):
    """Every whole record: (arrival, dataset) in the order of the files."""
    return [(r.arrival, bytes(r.dataset)) for name in area.segments() for r in area.scan(name)]


def test_what_is_flushed_is_read_and_scanned_back(area):
    datasets = [random.Random(n).randbytes(n * 997 + 8) for n in range(20)]
    places = [keep(area, d, replace(ARRIVAL, sop_instance_uid=f"1.2.{n}")) for n, d in enumerate(datasets)]
    for place, dataset in zip(places, datasets, strict=True):
        raw = area.read(place.segment, place.offset, place.length)
        assert raw == PREFIX + dataset
        assert b"".join(area.chunks(place.segment, place.offset, place.length, 1000)) == raw
        assert place.digest == hashlib.sha256(dataset).digest()
        assert place.dataset_offset == len(PREFIX)
    assert [d for _, d in found(area)] == datasets
    assert [a.sop_instance_uid for a, _ in found(area)] == [f"1.2.{n}" for n in range(20)]


def test_a_scan_starts_where_it_is_told(area):
    places = [keep(area, bytes([n]) * 5000) for n in range(4)]
    after = landing_format.record_end(places[1])
    assert [r.dataset[0] for r in area.scan(places[0].segment, after)] == [2, 3]


@pytest.mark.parametrize("cut", [1, 100, 4096, 9000, 12_000])
def test_a_torn_tail_hides_nothing_that_came_before(area, cut):
    """A power cut may leave any part of what was not yet flushed."""
    kept = [bytes([n]) * 6000 for n in range(3)]
    place = [keep(area, d) for d in kept][-1]
    torn = area.append(ARRIVAL, lay(PREFIX, b"t" * 12_000), at_once=True).place
    path = area.root / place.segment
    os.truncate(path, torn.offset + torn.length - cut)
    assert [d for _, d in found(area)] == kept


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_byte_costs_its_record_only(tmp_path_factory, data):
    area = LandingArea(tmp_path_factory.mktemp("flip") / "landing", reserve_bytes=0)
    try:
        kept = [bytes([n]) * 3000 for n in range(4)]
        places = [keep(area, d) for d in kept]
        victim = data.draw(st.integers(0, 3))
        start = landing_format.record_start(places[victim])
        spot = data.draw(
            st.integers(start, start + 300)
            | st.integers(places[victim].offset + 132, places[victim].offset + 3131)
        )
        path = area.root / places[0].segment
        raw = bytearray(path.read_bytes())
        raw[spot] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(raw)
        left = [d for _, d in found(area)]
        assert [d for d in left if d != kept[victim]] == [d for d in kept if d != kept[victim]]
    finally:
        area.close()


def test_a_hole_is_stepped_over(area):
    """A thread that failed between reserving and writing leaves one."""
    keep(area, b"a" * 100)
    segment, _ = area._reserve(50_000)
    keep(area, b"b" * 100)
    assert [d[:1] for _, d in found(area)] == [b"a", b"b"]
    assert len(area.segments()) == 1
    del segment


def test_a_record_inside_a_dataset_is_no_record(tmp_path, area):
    """A sender that sends a landing file as a dataset plants nothing: nonce and offset differ."""
    other = LandingArea(tmp_path / "other", reserve_bytes=0)
    place = keep(other, b"planted!")
    keep(area, (other.root / place.segment).read_bytes())
    own = keep(area, b"x" * 9000)
    copy = (area.root / own.segment).read_bytes()
    keep(area, copy)  # even this very segment's records, at another offset
    assert len(found(area)) == 3
    other.close()


def test_a_large_instance_has_a_file_of_its_own(area):
    writer = area.open_large(ARRIVAL, PREFIX)
    writer.write(b"a" * 100_000)
    writer.write(b"b" * 10)
    assert area.segments() == {}
    place = writer.finish(hashlib.sha256(b"a" * 100_000 + b"b" * 10).digest())
    assert place.segment.startswith("big-")
    assert found(area) == [(ARRIVAL, b"a" * 100_000 + b"b" * 10)]
    assert area.read(place.segment, place.offset, place.length)[len(PREFIX) :].endswith(b"b" * 10)


def test_an_unfinished_large_instance_leaves_nothing(area):
    writer = area.open_large(ARRIVAL, PREFIX)
    writer.write(b"a" * 100_000)
    writer.discard()
    writer.discard()
    assert [p.name for p in area.root.iterdir()] == ["lock"]


def test_what_a_killed_process_left_unfinished_is_cleared(tmp_path):
    root = tmp_path / "landing"
    area = LandingArea(root, reserve_bytes=0)
    area.open_large(ARRIVAL, PREFIX).write(b"a" * 1000)
    keep(area, b"kept once")
    area.close()
    area = LandingArea(root, reserve_bytes=0)
    keep(area, b"kept more")
    assert [d for _, d in found(area)] == [b"kept once", b"kept more"]
    assert not list(root.glob("*.part"))
    area.close()


def test_segments_rotate_by_size(tmp_path):
    area = LandingArea(tmp_path / "landing", segment_bytes=100_000, reserve_bytes=0)
    datasets = [bytes([n]) * 30_000 for n in range(9)] + [b"z" * 300_000]
    for dataset in datasets:
        keep(area, dataset)
    assert len(area.segments()) >= 4
    assert [d for _, d in found(area)] == datasets
    area.close()


def test_many_threads_share_flushes_and_lose_nothing(tmp_path):
    flushes = []

    class Counting(Disk):
        def write(self, fd, parts, offset, *, durably=False):
            flushes.extend([fd] * durably)
            super().write(fd, parts, offset, durably=durably)

        def sync(self, fd):
            flushes.append(fd)
            super().sync(fd)

    area = LandingArea(tmp_path / "landing", segment_bytes=2_000_000, reserve_bytes=0, disk=Counting())

    def work(worker):
        for n in range(40):
            keep(area, f"{worker}:{n}".encode() * 500)

    threads = [threading.Thread(target=work, args=(w,)) for w in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(d for _, d in found(area)) == sorted(
        f"{w}:{n}".encode() * 500 for w in range(8) for n in range(40)
    )
    assert len(flushes) <= 330
    area.close()


def test_the_reserve_is_kept(tmp_path):
    """A700 comes before the disk is full."""
    area = LandingArea(tmp_path / "landing", reserve_bytes=1 << 60)
    with pytest.raises(LandingFull):
        area.append(ARRIVAL, lay(PREFIX, b"a" * 100))
    with pytest.raises(LandingFull):
        area.open_large(ARRIVAL, PREFIX)
    assert area.segments() == {}
    area.close()


def test_after_a_failed_flush_nobody_is_told_durable(tmp_path):
    """The kernel reports lost pages once; the segment is given up and a new one serves."""
    broken = []

    class Failing(Disk):
        def write(self, fd, parts, offset, *, durably=False):
            super().write(fd, parts, offset, durably=durably)
            if durably and broken:
                raise OSError(errno.EIO, "Input/output error")

    area = LandingArea(tmp_path / "landing", reserve_bytes=0, disk=Failing())
    first = keep(area, b"a" * 100)
    one, two = (area.append(ARRIVAL, lay(PREFIX, b"b" * 100)) for _ in range(2))
    broken.append(True)
    with pytest.raises(LandingError):
        area.flush([one])
    broken.clear()
    with pytest.raises(LandingError):
        area.flush([two])
    again = keep(area, b"c" * 100)
    assert again.segment != first.segment
    area.close()


def test_one_process_at_a_time(tmp_path, area):
    with pytest.raises(LandingError, match="another process"):
        LandingArea(area.root)


def test_a_stranger_in_the_folder_does_no_harm(tmp_path):
    root = tmp_path / "landing"
    root.mkdir()
    (root / "copy of seg.landing").write_bytes(b"?")
    area = LandingArea(root, reserve_bytes=0)
    keep(area, b"a" * 100)
    assert list(area.segments()) == ["seg-00000001.landing"]
    area.close()


def test_only_landing_files_are_read(area):
    for name in ("lock", "../secret.landing", "x/y.landing"):
        with pytest.raises(FileNotFoundError):
            area.read(name, 0, 1)


def test_a_text_too_long_is_refused(area):
    with pytest.raises(ValueError, match="65"):
        area.append(replace(ARRIVAL, sop_instance_uid="1" * 65), lay(PREFIX, b"abc"))


def test_a_file_system_without_direct_io_is_written_buffered(tmp_path, monkeypatch):
    """Some file systems refuse O_DIRECT at open, after having made the file."""
    plain = os.open

    def refusing(path, flags, *rest, **options):
        fd = plain(path, flags & ~os.O_DIRECT, *rest, **options)
        if flags & os.O_DIRECT:
            os.close(fd)
            raise OSError(errno.EINVAL, "Invalid argument")
        return fd

    monkeypatch.setattr(os, "open", refusing)
    area = LandingArea(tmp_path / "landing", reserve_bytes=0)
    for n in range(3):
        keep(area, bytes([n]) * 5000)
    assert [d[0] for _, d in found(area)] == [0, 1, 2]
    area.close()


def test_a_failed_flush_fails_everybody_who_waits(tmp_path):
    """One leads, the others wait: none of them is told durable, and none waits for ever."""
    everybody, verdicts = threading.Barrier(8), []

    class Failing(Disk):
        def write(self, fd, parts, offset, *, durably=False):
            raise OSError(errno.EIO, "Input/output error")

    area = LandingArea(tmp_path / "landing", reserve_bytes=0, disk=Failing())
    segment, _ = area._reserve(4096)

    def work():
        pending = area.append(ARRIVAL, lay(PREFIX, b"a" * 100))
        everybody.wait()
        with pytest.raises(LandingError):
            area.flush([pending])
        verdicts.append(pending.segment is segment)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert verdicts == [True] * 8
    area.close()


def test_the_rest_of_the_last_page_is_zeros(area):
    """What the buffer held before is nobody's business."""
    place = keep(area, b"x" * 100)
    raw = (area.root / place.segment).read_bytes()
    assert len(raw) % landing_format.ALIGNMENT == 0
    assert not any(raw[place.offset + place.length :])
