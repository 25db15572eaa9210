"""A kind without physics, and studies of it, for tests of the pipeline."""

import dataclasses
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from nessflow.config.grid import Axis, Ensemble, label_of
from nessflow.config.study import Study
from nessflow.parts import Strict
from nessflow.run.gather import gather_study
from nessflow.run.solve import solve_block
from nessflow.studies.kind import Coordinate, Outcome, Variable

DIGEST = "0123456789abcdef"


class Parameters(Strict):
    V: float
    mu: float = 0.0
    site: int = 1


def outcome_of(parameters: Parameters, rng, **changes) -> Outcome:
    """A noisy power law with exponent 2, and a conserved pair of currents."""
    noise = 0.0 if rng is None else 0.1 * rng.standard_normal()
    net = parameters.V**2 * (1 + noise) * parameters.site
    values = {
        "current": np.array([net, -net]),
        "current_error": np.full(2, 1e-12),
        "net_current": net,
        "affinity": np.nan,
    }
    outcome = Outcome(values, notes={"affinity": "infinite for pure loss"})
    return replace(outcome, **changes)


def kind_of(evaluate=outcome_of, calls: list | None = None) -> SimpleNamespace:
    """Return the kind that evaluates with ``evaluate`` and notes each point in ``calls``."""

    def counted(parameters, rng):
        if calls is not None:
            calls.append(parameters)
        return evaluate(parameters, rng)

    return SimpleNamespace(
        Parameters=Parameters,
        VARIABLES={
            "current": Variable(("terminal",), "t/hbar", "current"),
            "current_error": Variable(("terminal",), "t/hbar", "error of the current"),
            "net_current": Variable((), "t/hbar", "net current"),
            "affinity": Variable((), "1", "affinity"),
        },
        coordinates=lambda parameters: {
            "terminal": Coordinate(np.array(["left", "right"]), "1", "terminal")
        },
        is_random=lambda parameters: True,
        evaluate=counted,
    )


def numbers(name: str, values, *, outer: bool = False) -> Axis:
    return Axis(name, outer, tuple(label_of(v) for v in values), "t", f"axis {name}")


SITES = Axis(
    "monitored", False, ("first", "third"), cases={"first": {"site": 1}, "third": {"site": 3}}
)
AXES = (numbers("V", [0.1, 0.2, 0.5]), numbers("mu", [0, 1.5], outer=True), SITES)


@dataclasses.dataclass(frozen=True)
class FakeStudy(Study):
    """A study of a source that tests choose."""

    digest: str = DIGEST

    @property
    def modules(self):
        return {"fake": self.digest}


def study_of(axes=AXES, ensemble=Ensemble(6, 4, 1), **changes) -> FakeStudy:  # noqa: B008
    study = FakeStudy(
        name="fake",
        title="A fake study",
        reference={"paper": "none", "figure": "1"},
        notes="",
        kind_name="fake",
        kind=kind_of(),
        template={axis.name: f"${axis.name}" for axis in axes if axis.cases is None},
        axes=tuple(axes),
        ensemble=ensemble,
        fits=(),
        figures=(),
        path=Path("fake.yaml"),
        tier="paper",
        document=None,
    )
    return replace(study, **changes)


def solve(study, folder: Path, kind=None, blocks=None, digest=DIGEST, **options):
    """Solve blocks of a study, all by default, with another kind or source; return their counts."""
    study = replace(study, kind=kind or study.kind, digest=digest)
    blocks = [replace(block, study=study) for block in blocks or study.blocks]
    return [solve_block(block, folder, **options) for block in blocks]


def gather(study, folder: Path, digest=DIGEST, **options):
    return gather_study(replace(study, digest=digest), folder, **options)
