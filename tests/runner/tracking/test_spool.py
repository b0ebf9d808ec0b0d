"""Entries on disk: whole or not there, and nothing but entries."""

import os
import pickle
import struct
import zlib
from contextlib import closing

import ml_dtypes
import numpy as np
import pytest

from runner.feeds import SparseValue
from runner.results import FetchResult, StepsResult
from runner.tracking.entries import PhasesTimed, ResultLogged, RunEnded, TagsAdded
from runner.tracking.spool import SpoolError, SpoolReader, SpoolWriter
from runner.tracking.tracker import Status, TrackingError

ENTRIES = [
    TagsAdded({"devices": "/CPU:0"}),
    PhasesTimed({"build": 0.25}),
    RunEnded(Status.KILLED, "an error"),
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.spool"


def read_all(file):
    with closing(SpoolReader(file)) as reader:
        return [spooled.entry for spooled in reader.read()]


def test_entries_come_back_in_order(file):
    with closing(SpoolWriter(file)) as spool:
        for entry in ENTRIES:
            spool.append(entry)
    assert read_all(file) == ENTRIES


def test_arrays_come_back_as_they_were(file):
    steps = StepsResult(1, 7, np.linspace(0, 1, 5, dtype=np.float32), {"accuracy": np.ones(5)})
    sparse = SparseValue(np.array([[0, 2]]), np.array([1.5]), np.array([2, 3]))
    fortran = np.asfortranarray(np.arange(6).reshape(2, 3))
    fetched = {"a": fortran, "b": sparse, "c": None, "d": np.array([b"x"]), "e": np.float32(2)}
    fetched["half"] = np.asarray([0.5, -3.0], ml_dtypes.bfloat16)
    result = FetchResult(
        "test", fetched, frozenset(["a"]), {"a": "x", "n": ["b"]}, np.arange(2), {}, None
    )
    with closing(SpoolWriter(file)) as spool:
        spool.append(ResultLogged(steps))
        spool.append(ResultLogged(result))
    first, second = (entry.result for entry in read_all(file))
    np.testing.assert_array_equal(first.losses, steps.losses)
    assert first.losses.dtype == np.float32
    np.testing.assert_array_equal(second.fetched["a"], fortran)
    assert isinstance(second.fetched["b"], SparseValue)
    np.testing.assert_array_equal(second.fetched["b"].values, [1.5])
    assert second.fetched["c"] is None
    assert second.fetched["d"].tolist() == [b"x"]
    assert second.fetched["e"] == 2
    assert second.fetched["half"].dtype == ml_dtypes.bfloat16
    assert second.fetched["half"].tolist() == [0.5, -3.0]
    assert (second.batched, second.structure) == (result.batched, result.structure)


def test_an_entry_is_taken_once_it_is_whole(file, tmp_path):
    with closing(SpoolWriter(file)) as spool:
        spool.append(ENTRIES[0])
        first = file.stat().st_size
        spool.append(ResultLogged(StepsResult(1, 1, np.ones(100), {})))
    content = file.read_bytes()
    growing = tmp_path / "growing.spool"
    growing.write_bytes(b"")
    with closing(SpoolReader(growing)) as reader:
        taken = []
        for byte in range(len(content)):
            with growing.open("ab") as stream:
                stream.write(content[byte : byte + 1])
            taken.append(len(list(reader.read())))
    assert [byte + 1 for byte, count in enumerate(taken) if count] == [first, len(content)]


def test_what_was_taken_back_on_a_full_disk_is_forgotten(file, tmp_path):
    with closing(SpoolWriter(file)) as spool:
        spool.append(TagsAdded({"devices": "x" * 1000}))
    cut = file.read_bytes()[:500]
    growing = tmp_path / "growing.spool"
    growing.write_bytes(cut)
    with closing(SpoolReader(growing)) as reader:
        assert not list(reader.read())
        with closing(SpoolWriter(tmp_path / "next.spool")) as spool:
            spool.append(ENTRIES[2])
        growing.write_bytes(spool.file.read_bytes())
        assert [spooled.entry for spooled in reader.read()] == [ENTRIES[2]]


def test_a_spool_is_no_program(file):
    SpoolWriter(file).close()
    assert not file.stat().st_mode & 0o111


def test_a_damaged_entry_is_told_of(file):
    with closing(SpoolWriter(file)) as spool:
        spool.append(ENTRIES[0])
        start = file.stat().st_size
        spool.append(ENTRIES[1])
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with closing(SpoolReader(file)) as reader:
        entries = reader.read()
        assert next(entries).entry == ENTRIES[0]
        with pytest.raises(SpoolError, match=rf"the entry at byte {start} is damaged$"):
            next(entries)


def test_zeros_are_no_entry(file):
    file.write_bytes(bytes(100))
    with pytest.raises(SpoolError, match=r"the entry at byte 0 is damaged$"):
        read_all(file)


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("named", [None, "runner.results"])
def test_a_file_of_somebody_else_runs_nothing(file, tmp_path, named, monkeypatch):
    proof = tmp_path / "proof"
    body = pickle.dumps((0, Command(f"touch {proof}")), protocol=5)
    if named:  # a function of a module whose records are taken
        body = b"cruner.results\nnest_fetches\n(NNtR.".replace(b"cruner", b"crunner")
    content = struct.pack("<IQ", 1, len(body)) + body
    file.write_bytes(struct.pack("<QI", len(content), zlib.crc32(content)) + content)
    with pytest.raises(SpoolError, match="which no run writes"):
        read_all(file)
    assert not proof.exists()


def test_a_spool_that_is_there_is_not_written_over(file):
    file.touch()
    with pytest.raises(TrackingError, match=r"^tracking\.spool: .* cannot be written: File exists"):
        SpoolWriter(file)


def test_a_spool_is_locked_as_long_as_its_process_may_write(file):
    writer = SpoolWriter(file)
    with closing(SpoolReader(file)) as reader:
        assert reader.is_written
        writer.append(ENTRIES[0])
        writer.sync()
        assert reader.is_written
        writer.close()
        assert not reader.is_written


def test_what_waits_is_counted_by_headers_alone(file):
    with closing(SpoolWriter(file)) as spool:
        for entry in ENTRIES:
            spool.append(entry)
    with closing(SpoolReader(file)) as reader:
        assert reader.count() == 3
        first = next(reader.read())
        assert reader.count() == 2
    with closing(SpoolReader(file)) as reader:
        reader.skip_to(first.end)
        assert [spooled.entry for spooled in reader.read()] == ENTRIES[1:]
        assert reader.rest_bytes == 0


def test_a_record_of_other_fields_is_told_of(file):
    result = StepsResult(1, 1, np.zeros(1), {})
    vars(result)["pace"] = 1.0
    with closing(SpoolWriter(file)) as spool:
        spool.append(ENTRIES[0])
        spool.append(ResultLogged(result))
    with closing(SpoolReader(file)) as reader:
        told = r"is not of this version of the project: StepsResult has other fields: pace$"
        entries = reader.read()
        assert next(entries).entry == ENTRIES[0]
        with pytest.raises(SpoolError, match=told):
            next(entries)


@pytest.mark.parametrize(
    "body",
    [
        b"crunner.results\nNoLongerThere\n.",
        b"(I0\ncrunner.tracking.tracker\nStatus\n(S'PAUSED'\ntRt.",
    ],
)
def test_an_entry_of_another_version_is_told_of(file, body):
    content = struct.pack("<IQ", 1, len(body)) + body
    file.write_bytes(struct.pack("<QI", len(content), zlib.crc32(content)) + content)
    with pytest.raises(SpoolError, match="is not of this version of the project"):
        read_all(file)
