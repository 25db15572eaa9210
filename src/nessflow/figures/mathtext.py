"""Whether matplotlib can draw the mathematics in a text."""

import re

GREEK = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda"}
GREEK |= {"mu", "nu", "xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega"}
GREEK |= {name.capitalize() for name in GREEK & {"gamma", "delta", "theta", "lambda", "xi"}}
GREEK |= {name.capitalize() for name in GREEK & {"pi", "sigma", "phi", "psi", "omega"}}

_COMMAND = "|".join((*sorted(GREEK), "hbar", "propto", "approx", "sim", "times", "infty", "pm"))
_ATOM = rf"(?:[A-Za-z0-9+\-*/=()<>.,:| ]|\\[,;]|\\(?:{_COMMAND})(?![A-Za-z]))"
_GROUP = rf"\{{{_ATOM}+\}}"
_NUCLEUS = rf"(?:\\mathrm{_GROUP}|{_ATOM}|{_GROUP})"
_SCRIPT = rf"(?:[A-Za-z0-9]|{_GROUP})"
_PLAIN = re.compile(rf"(?=.*\S)(?:{_NUCLEUS}(?:_{_SCRIPT})?(?:\^{_SCRIPT})?)+")
"""Mathematics that any matplotlib draws, told without importing it."""


def fault_of(text: str) -> str:
    """Return why matplotlib cannot draw a text, or an empty text."""
    dollars = re.split(r"(?<!\\)\$", text)
    if len(dollars) < 3 or len(dollars) % 2 == 0:
        return ""  # drawn as it stands
    if all(_PLAIN.fullmatch(part) for part in dollars[1::2]):
        return ""
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return r"what stands between two $ has to be mathtext; \$ is a dollar sign"
    return ""
