"""Mathematics in texts: whether matplotlib can draw it, and lines that do not cut it."""

import re
import textwrap

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


_IN_MATHEMATICS = {" ": "\0", "-": "\1"}


def wrapped(text: str, width: int) -> str:
    """Return a text in lines of about ``width`` characters, none of which ends within ``$...$``."""
    away = str.maketrans(_IN_MATHEMATICS)
    back = str.maketrans({to: what for what, to in _IN_MATHEMATICS.items()})
    whole = re.sub(r"(?<!\\)\$.*?(?<!\\)\$", lambda found: found[0].translate(away), text)
    return textwrap.fill(whole, width, break_long_words=False).translate(back)


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
