"""What `envs/compile_kernels.py` compiles is all that chains ask for."""

from itertools import product

import numpy as np
import pytest
from numba.core import event

import nessflow as nf

LATTICES = {
    "alike": nf.lattices.Chain(sites=7),
    "of another hopping": nf.lattices.Chain(sites=7, hopping=0.7),
    "dimerised": nf.lattices.SSH(sites=6, intracell_hopping=0.5),
    "one bond": nf.lattices.Chain(sites=2),
    "one site": nf.lattices.Chain(sites=1),
}
RATES = {
    "nothing": None,
    "each site": nf.channels.Onsite(rate=0.02),
    "one site": nf.channels.Sites(sites=[1], rate=0.3),
    "bonds": nf.channels.Bond(rate=0.05),
}


class Compiled(event.Listener):
    """The functions of ours that numba compiles."""

    def __init__(self):
        self.names = []

    def on_start(self, found):
        dispatcher = found.data["dispatcher"].py_func
        if dispatcher.__module__.startswith("nessflow"):
            self.names.append(f"{dispatcher.__module__}.{dispatcher.__name__}")

    def on_end(self, found):
        """Nothing is done."""


@pytest.mark.parametrize("lattice", LATTICES.values(), ids=LATTICES)
def test_no_chain_waits_for_a_kernel(lattice):
    lead = nf.leads.WideBand(broadening=1.0, chemical_potential=0.1, temperature=0.2)
    other = nf.leads.SemiInfiniteChain(hopping=1.2, chemical_potential=0, temperature=0.3)
    listener = Compiled()
    with event.install_listener("numba:compile", listener):
        for loss, gain in product(RATES.values(), RATES.values()):
            if lattice.sites == 1 and RATES["bonds"] in (loss, gain):
                continue
            system = nf.System(
                lattice=lattice, loss=loss, gain=gain, leads={"left": lead, "right": other}
            )
            assert np.isfinite(nf.solve(system).net_particle_current)
    assert listener.names == []
