"""Compile the kernels, so that no first number waits for it: python envs/compile_kernels.py

A point of the example of every kind, and small chains with all that kernels are compiled for by
themselves.  numba keeps what it has compiled beside the source, for this processor; what digests
are made of is kept there, too.
"""

from itertools import product

import nessflow as nf
from nessflow.config.project import load_study
from nessflow.digest import SOURCE, source_digest
from nessflow.verbs.describe import EXAMPLES
from nessflow.verbs.point import evaluate_point

EVEN, UNEVEN = nf.lattices.Chain(sites=3), nf.lattices.SSH(sites=4, intracell_hopping=0.5)
ONSITE, BOND = nf.channels.Onsite(rate=0.01), nf.channels.Bond(rate=0.01)
END = nf.channels.Sites(sites=[1], rate=0.01)
CHAINS = tuple(product((EVEN, UNEVEN), (None, ONSITE, BOND), (None, END, BOND)))


def main() -> None:
    """Evaluate them, and read the source."""
    modules = (path.relative_to(SOURCE).with_suffix("") for path in SOURCE.glob("nessflow/**/*.py"))
    source_digest(".".join(path.parts) for path in modules if path.name != "__init__")
    for path in sorted(EXAMPLES.glob("*.yaml")):
        evaluate_point(load_study(path))
    lead = nf.leads.WideBand(broadening=1.0, chemical_potential=0.2, temperature=0.3)
    for lattice, loss, gain in CHAINS:
        leads = {"left": lead, "right": lead.model_copy(update={"chemical_potential": 0.0})}
        nf.solve(nf.System(lattice=lattice, loss=loss, gain=gain, leads=leads))


if __name__ == "__main__":
    main()
