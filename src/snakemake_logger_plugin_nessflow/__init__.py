"""What Snakemake says on a terminal: one line on how far a run is, and what went wrong.

All else stands in ``.snakemake/log`` and in the logs of the jobs.  Where nobody watches a run
on a terminal, before it starts, and with ``--quiet``, ``--verbose`` or ``-n``, Snakemake says what
it always says.
"""

import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

from snakemake.logging import ColorizingTextHandler
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

VARIABLE = "NESSFLOW_WATCHED"
"""Environment variable that tells jobs that somebody else says how far they are."""
_UNSAID = (LogEvent.WORKFLOW_STARTED, LogEvent.RESOURCES_INFO, LogEvent.RUN_INFO)
_COUNTS = re.compile(r"(\d+) points reused, (\d+) computed.*?(?:, (\d+) failed)?;")


class LogHandler(LogHandlerBase):
    """Shows a run as one line that changes."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        """See whether somebody watches, before any job starts."""
        chosen, stream = self.common_settings, sys.stderr
        self._plain = ColorizingTextHandler(nocolor=chosen.nocolor, stream=stream)
        self._is_watched = stream.isatty() and not (
            chosen.dryrun or chosen.quiet or chosen.verbose or chosen.stdout or chosen.debug_dag
        )
        self._progress: Any = None
        self._jobs: dict[Any, tuple[str, str, list[str]]] = {}
        self._failed: list[str] = []
        if self._is_watched:
            os.environ[VARIABLE] = "1"

    def emit(self, record: Any) -> None:
        """Take what Snakemake says."""
        event = getattr(record, "event", None)
        if self._is_watched and event == LogEvent.RUN_INFO:
            # Not before the Snakefile has said where nessflow is.
            from nessflow.run.progress import Progress

            self._progress = Progress(sys.stderr, "steps")
            self._progress.total = sum(
                count for rule, count in record.stats.items() if rule != "total"
            )
        if not self._is_watched or (self._progress is None and event not in _UNSAID):
            self._plain.setFormatter(self.formatter)
            self._plain.emit(record)
        elif self._progress is not None:
            self._show(event, record)

    def _show(self, event: LogEvent | None, record: Any) -> None:
        progress = self._progress
        if event == LogEvent.JOB_INFO:
            doing = record.rule_msg or record.rule_name
            self._jobs[record.jobid] = doing, record.rule_name, list(record.log or ())
            progress.at(doing)
        elif event == LogEvent.JOB_FINISHED:
            _, rule, logs = self._jobs.pop(record.job_id, ("", "", []))
            failed = _failed_points(logs) if rule == "block" else 0
            progress.count(computed=1, failed=failed)
        elif event == LogEvent.JOB_ERROR:
            doing, _, logs = self._jobs.pop(record.jobid, (record.rule_name, "", []))
            self._failed.append(doing)
            progress.say(f"failed: {', '.join([doing, *logs])}")
        elif (event is None and record.levelno >= logging.ERROR) or event == LogEvent.ERROR:
            progress.say(self.format(record))

    def close(self) -> None:
        """Say how the run ended."""
        if self._progress is not None:
            progress, self._progress = self._progress, None
            progress.end()
            number = len(self._failed)
            ended = f"; {number} of them failed, as said above" if number else ""
            points = f", {progress.failed} points failed" if progress.failed else ""
            progress.say(f"{progress.done + number} of {progress.total} steps{ended}{points}")
        super().close()


def _failed_points(logs: list[str]) -> int:
    """Return how many points of a block failed, as the last line of its log says."""
    try:
        found = _COUNTS.findall(Path(logs[0]).read_text(encoding="utf-8"))
        return int(found[-1][2] or 0)
    except (OSError, LookupError, ValueError):
        return 0
