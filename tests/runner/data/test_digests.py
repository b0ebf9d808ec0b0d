"""The digests of what a run takes beside its data."""

import hashlib

import numpy as np

from runner.composition import compose_config
from runner.data.digests import digest_inputs


def sha256(*files):
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def test_files_of_weights_and_feeds_have_digests(tmp_path):
    weights, first, second = (tmp_path / f"{name}.npz" for name in "wab")
    for index, file in enumerate((weights, first, second)):
        np.savez(file, image=np.full((2, 8, 8, 1), index, np.float32), again=np.zeros(2))
    assert digest_inputs(compose_config([])) == {}
    given = [f"pretrained.source={weights}", f"feeds={first}"]
    assert digest_inputs(compose_config(given)) == {
        "pretrained.digest": sha256(weights),
        "feeds.digest": sha256(first),
    }
    feeds = f"feeds={{digit:1,image:{second},parity:{{file:{first},array:again}}}}"
    assert digest_inputs(compose_config([feeds])) == {"feeds.digest": sha256(first, second)}
    # A run is told apart by its id.
    assert digest_inputs(compose_config(["pretrained.source=abc"])) == {}
