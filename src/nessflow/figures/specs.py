"""What a figure is, as written in a study file."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, TypeAdapter

Selection = dict[str, float | str]
Limits = tuple[float, float]
Scale = Literal["linear", "log"]


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_by_name=True
    )


class Layer(_Strict):
    """One more line, from this study or another one."""

    source: str | None = Field(None, alias="from", description="study; default the figure's own")
    y: str = Field(description="variable")
    sel: Selection = Field({}, description="coordinate -> value, for other dimensions")
    label: str = Field(description="entry of the legend")


class Law(_Strict):
    """A power law ``y x^exponent`` with the coefficient ``y`` of another study."""

    source: str | None = Field(None, alias="from", description="study; default the figure's own")
    y: str = Field(description="variable of one number: the coefficient")
    exponent: float = Field(description="exponent of x")
    sel: Selection = {}
    label: str = Field(description="entry of the legend")


class Plot(_Strict):
    """What every plot has."""

    name: str = Field("panel", pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")
    title: str | None = None
    caption: str | None = Field(None, description="remark for the caption")
    x: str = Field(description="axis or dimension")
    sel: Selection = Field({}, description="coordinate -> value, for other dimensions")
    xscale: Scale | None = None
    yscale: Scale | None = None
    xlim: Limits | None = None
    ylim: Limits | None = None
    ylabel: str | None = Field(None, description="words in place of the long name; no unit")
    display_unit: str | None = Field(None, description="for example t/h instead of t/hbar")
    zero_line: bool = False


class Lines(Plot):
    """Lines of ``y`` over ``x``: one for each value of ``hue``, or one for each layer."""

    plot: Literal["lines"]
    y: str | None = Field(None, description="variable")
    hue: str | None = Field(None, description="axis or dimension, one line for each value")
    layers: tuple[Layer, ...] = ()
    magnitude: bool = Field(False, description="draw the absolute value")


class Map(Plot):
    """Colours of ``z`` over ``x`` and ``y``."""

    plot: Literal["map"]
    y: str = Field(description="axis or dimension")
    z: str = Field(description="variable")
    zlabel: str | None = Field(None, description="words in place of the long name; no unit")
    zero_contour: bool = False
    layers: tuple[Layer, ...] = Field((), description="lines over the map, x to y")


class Samples(Plot):
    """Every disorder sample, their mean with its standard error, and their envelope."""

    plot: Literal["samples"]
    y: str = Field(description="variable with samples")


class PowerLaw(Plot):
    """An ensemble mean over ``x``, both logarithmic, with its fit and exact laws."""

    plot: Literal["power-law"]
    y: str = Field(description="ensemble mean variable")
    fit: str | None = Field(None, description="name of a fit of the study")
    laws: tuple[Law, ...] = ()


Panel = Annotated[Lines | Map | Samples | PowerLaw, Discriminator("plot")]


class Panels(_Strict):
    """Plots side by side."""

    plot: Literal["panels"]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")
    caption: str | None = None
    panels: tuple[Panel, ...] = Field(min_length=1, max_length=4)


Spec = Lines | Map | Samples | PowerLaw | Panels
SPEC = TypeAdapter(Annotated[Spec, Discriminator("plot")])


def studies_of(spec: Spec, study: str) -> list[str]:
    """Return the studies whose data a figure of ``study`` needs, sorted."""
    names = {study}
    for panel in panels_of(spec):
        for layer in (*getattr(panel, "layers", ()), *getattr(panel, "laws", ())):
            names.add(layer.source or study)
    return sorted(names)


def panels_of(spec: Spec) -> tuple[Spec, ...]:
    """Return the single plots of a figure."""
    return spec.panels if isinstance(spec, Panels) else (spec,)
