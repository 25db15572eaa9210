"""What a kind of study has to provide.

A kind is a module in ``nessflow.kinds``, a file of the project's folder ``parts`` or an entry
point (`nessflow.registry`); ``steady-current`` is the module ``steady_current``.  It defines

``Parameters``
    A pydantic model of one point, every ``$axis`` replaced by its value.
``VARIABLES``
    ``dict[str, Variable]``: what ``evaluate`` returns for one point, each with the limits that
    mathematics sets; limits that depend on the point are part of its ``Outcome``.
    Every kind of this package has a particle current, its zero-frequency noise and the entropy
    production: their names end in `FLOWS`, a word before says of what (``net_``, ``steady_``,
    ``spectral_``); each has an ``_error``, and is NaN with its reason where it has no value.
``CONVENTIONS``
    Lines of text on signs, factors and numbering, for ``nessflow describe``.
``coordinates(parameters)``
    ``dict[str, Coordinate]``: one entry for each dimension named in ``VARIABLES``.  They may
    depend on outer axes (the sites of a chain whose length is an outer axis), never on inner ones
    or on the sample.  The data of a study have every value that occurs, numbers in order (one
    number where 12 digits agree), and NaN where a point has no such value.
``is_random(parameters)``
    Whether ``evaluate`` draws random numbers (an ensemble makes sense);
    `nessflow.studies.variables.never_random` where it does not.
``evaluate(parameters, rng)``
    ``Outcome`` of one point, which `outcome_of` makes from estimates.  ``rng`` is None where
    ``is_random`` is false; what is drawn comes from ``nessflow.studies.draws.stream(rng, name)``,
    by the name of the thing drawn, as numbers without a scale: sample k is then one draw at all
    points.
``chosen(written)``
    Optional, for kinds whose studies choose observables by the parameter ``observables``: what
    that list asks for by name, each with the variables, the module and the parameters of an
    observable (``nessflow.observables.observable.chosen``), None being the default.  Of a kind with
    one open system all this is one base class and four names (``nessflow.studies.observed``).
``OWN``
    Optional beside ``chosen``: variables that all studies of the kind have, whatever they choose.
    ``VARIABLES`` are these and those of the default.  Where ``OWN`` has any, ``evaluate`` has the
    argument ``own``, True by default; where it is False these are there already, and the kind need
    not compute them.
``evaluate_many(points, rngs)``
    Optional, for kinds that cost less per point when many are evaluated together: the ``Outcome``
    of each of a list of parameters, with the ``rng`` of each, to the last bit as
    ``evaluate(parameters, rng)`` gives it.  Used where there is no time limit; where it raises,
    each point is evaluated alone.

The module docstring's first line is the one-line description of the kind; ``examples/<kind>.yaml``
beside it is a small study of it, for ``nessflow describe``.  What a kind is made of can be imported
from here; `nessflow.parts` and `nessflow.systems` have the rest.
"""

from nessflow.estimate import Estimate as Estimate
from nessflow.estimate import undefined as undefined
from nessflow.grids import Grid as Grid
from nessflow.outcome import ANYTHING as ANYTHING
from nessflow.outcome import COVARIANCE as COVARIANCE
from nessflow.outcome import NOT_NEGATIVE as NOT_NEGATIVE
from nessflow.outcome import PROBABILITY as PROBABILITY
from nessflow.outcome import SECOND_LAW as SECOND_LAW
from nessflow.outcome import Coordinate as Coordinate
from nessflow.outcome import Limits as Limits
from nessflow.outcome import Outcome as Outcome
from nessflow.outcome import Status as Status
from nessflow.outcome import Variable as Variable
from nessflow.outcome import outcome_of as outcome_of
from nessflow.parts import KeyedError as KeyedError
from nessflow.parts import Strict as Strict
from nessflow.parts import quantity as quantity

FLOWS = ("particle_current", "particle_noise", "entropy_production")
"""How the names of the three variables end that every kind of this package has."""
