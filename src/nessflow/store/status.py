"""Codes of how points went; light, for those who read no data."""

PENDING = -1
"""Status of a point that is not computed yet; only in files of unfinished blocks."""

OK, NOT_CONVERGED, EXCEPTION, TIME_LIMIT, SUSPECT = range(5)
STATUS_MEANINGS = ("ok", "not_converged", "exception", "time_limit", "suspect")
