"""The verdict on a point of a kind, for tests."""

from nessflow.run.judge import judge


def judged(kind, parameters, rng=None):
    """Return the verdict on what a kind says of one point."""
    coordinates = {name: c.values for name, c in kind.coordinates(parameters).items()}
    return judge(kind.evaluate(parameters, rng), kind.VARIABLES, coordinates)
