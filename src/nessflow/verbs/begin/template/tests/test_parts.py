"""The parts of this project obey the laws that nessflow asks of its own.

Run it with `python -m pytest tests` in the folder of the project.
"""

import nessflow as nf
from nessflow.testing import check_lead, check_observable


def test_semicircle() -> None:
    """Causal, no states outside its band, and the current is that of a long finite lead."""
    check_lead(
        nf.leads.Semicircle(half_width=1.5, coupling=0.7, chemical_potential=0, temperature=0)
    )


def test_imbalance() -> None:
    """Finite with an error, the same twice, for any system."""
    check_observable("imbalance")
