"""Two processes give the losses and the gradients of one that has the whole batch."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from embeddings import InputError
from embeddings.distributed import World
from tests.embeddings.together import SUMMED, noted, train

ROOT = Path(__file__).parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def test_two_processes_train_as_one(tmp_path):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [*TORCHRUN, "-m", "tests.embeddings.together", tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    with pytest.warns(UserWarning, match="negatives"):
        alone = {"plain": noted(train()), "summed": noted(train(**SUMMED))}
    for name, expected in alone.items():
        for rank in range(2):
            with np.load(tmp_path / f"{name}{rank}.npz") as given:
                assert set(given) == set(expected)
                for what in given:
                    np.testing.assert_allclose(
                        given[what], expected[what], rtol=1e-3, atol=1e-5, err_msg=what
                    )
    assert (tmp_path / "run" / "log.csv").read_text(encoding="utf-8").count("\n") == 4


def test_shares_make_up_the_batch():
    positions = np.arange(100, 111)
    worlds = [World(rank, 3) for rank in range(3)]
    shares = [world.share(positions) for world in worlds]
    assert np.array_equal(np.concatenate(shares), positions)
    assert [len(share) for share in shares] == worlds[0].shares(11)
    with pytest.raises(InputError, match="3 processes"):
        worlds[0].share(positions[:2])


def test_one_process_gathers_nothing():
    share = torch.rand(3, 2)
    assert World().gather(share, 3) is share
    assert World().once(lambda: 5) == 5
    assert World().any(True, "cpu")
