"""Random numbers of one sample: each thing that is drawn has a stream of its own."""

import hashlib
from typing import Any

import numpy as np


def stream(rng: np.random.Generator, what: str) -> np.random.Generator:
    """Return the random generator of one thing that a sample draws, such as on-site energies.

    It depends on the seed of ``rng`` and on the name alone, not on what else was drawn before:
    things of different names are independent, and one more changes no other.  Numbers come one
    after the other, so that a longer chain begins with those of a shorter one.

    Parameters
    ----------
    rng : numpy.random.Generator
        The generator of the sample, with a ``SeedSequence``; its state is neither used nor changed.
    what : str
        Name of what is drawn.
    """
    seed: Any = rng.bit_generator.seed_seq
    number = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "little")
    key = (*seed.spawn_key, number)
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key))
