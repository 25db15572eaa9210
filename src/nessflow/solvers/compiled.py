"""What all compiled kernels share."""

FAST = {"contract", "nsz", "reassoc"}
"""Freedom of rounding for every kernel of the package, without exception.

Not the full fastmath: nan and inf must keep their meaning.  numba compiles products of complex
numbers and the like once in a process, with the freedom of whichever kernel came first; were it not
the same for all, the last digits would depend on what a process had compiled before.
"""
