"""One point of a study of this project, as `nessflow point STUDY --json` prints it."""

import json
from pathlib import Path

from click.testing import CliRunner

from nessflow.cli import commands

STUDIES = Path(__file__).resolve().parents[2] / "config" / "studies"


def point(study: str, **settings) -> dict:
    """Return the JSON of one point, which must have succeeded.

    ``settings`` are values of axes and parameters, a dotted key by ``**{"a.b": value}``.
    """
    chosen = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
    arguments = ["point", str(STUDIES / f"{study}.yaml"), "--json", *chosen]
    done = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    result = json.loads(done.stdout)
    assert result["status"] == 0, result["message"]
    return result
