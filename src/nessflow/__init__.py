"""Currents, noise and entropy production of open quantum systems over parameter grids.

Importing it sets the linear algebra of numpy and scipy to one thread (`nessflow.threads`).
"""

from nessflow.threads import set_one_thread

__version__ = "0.1.0"
__license__ = "BSD-3-Clause"

set_one_thread()


def load(study, root="results"):
    """Read the checked dataset of a study.

    Parameters
    ----------
    study : str
        Name of the study, the stem of its file in ``config/studies``.
    root : str or path, optional
        Results folder.

    Returns
    -------
    xarray.Dataset
        Every variable with ``units``, ``natural_units`` and ``long_name``.

    Raises
    ------
    nessflow.store.files.StoreError
        When the file is missing, damaged, was changed after it was written, or is not of the
        study as its file in the project has it now.
    """
    from nessflow.verbs.load import load_study

    return load_study(study, root)
