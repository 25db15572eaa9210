"""One point of a study of this project, as `nessflow point STUDY --json` prints it."""

import json
from pathlib import Path

from click.testing import CliRunner

from nessflow.cli import commands

STUDIES = Path(__file__).resolve().parents[2] / "config" / "studies"


def point(study: str, *overrides: str, status: int = 0, **settings) -> dict:
    """Return the JSON of one point, which must have succeeded unless another ``status`` is told.

    ``overrides`` are ``dotted.key=value`` as on the command line; ``settings`` the same by name,
    a dotted key by ``**{"a.b": value}``.
    """
    chosen = [*overrides, *(f"{key}={json.dumps(value)}" for key, value in settings.items())]
    arguments = ["point", str(STUDIES / f"{study}.yaml"), "--json"]
    arguments += [f"--set={override}" for override in chosen]
    done = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    result = json.loads(done.stdout)
    assert result["status"] == status, result["message"]
    return result
