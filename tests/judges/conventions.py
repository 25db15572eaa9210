"""The compliance checker in its own environment: ``python conventions.py`` and its arguments.

For each variable of a file it would look for the same lists of variables again, which for hundreds
of variables takes most of a minute; files do not change meanwhile, so each list is found once.
"""

import copy
import functools
import sys
from pathlib import Path

from compliance_checker.cf import util
from compliance_checker.suite import CheckSuite

# Where the command lies, and no package has it.
sys.path.append(str(Path(sys.executable).parent))
from cchecker import main


def kept(find):
    """Return a function of a file that finds its answer once."""
    answers = {}

    @functools.wraps(find)
    def found(file):
        if file not in answers:
            answers[file] = find(file)
        return copy.copy(answers[file])

    return found


LISTS = {
    find: kept(find)
    for name, find in vars(util).items()
    if name.startswith("get_") and name.endswith(("_variable", "_variables"))
}

if __name__ == "__main__":
    CheckSuite.load_all_available_checkers()
    modules = [m for name, m in sys.modules.items() if name.startswith("compliance_checker")]
    for module in modules:
        for name, value in list(vars(module).items()):
            if callable(value) and getattr(value, "__hash__", None) and value in LISTS:
                setattr(module, name, LISTS[value])
    sys.exit(main())
