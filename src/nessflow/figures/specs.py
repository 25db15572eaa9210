"""What a figure is, as written in a study file."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, TypeAdapter, model_validator

Selection = dict[str, float | str | Annotated[list[float | str], Field(min_length=1)]]
"""Dimension -> one value, or several where all of them are drawn."""
Limits = tuple[float, float]
Scale = Literal["linear", "log"]
LineStyle = Literal["solid", "dashed", "dotted", "dashdot", "points"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")]


Source = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9-]{0,79}|[^/~$].*\.csv)$")]
"""A study, or a table of measured data."""


def is_table(source: str | None) -> bool:
    """Tell whether data are those of a file, not of a study."""
    return source is not None and source.endswith(".csv")


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_by_name=True
    )


class Layer(_Strict):
    """One more line, from this study or another one."""

    source: Source | None = Field(
        None, alias="from", description="study, or table data/NAME.csv; default the figure's own"
    )
    x: str | None = Field(None, description="axis, dimension or variable; default that of the plot")
    y: str = Field(description="variable")
    sel: Selection = Field({}, description="coordinate -> value, for other dimensions")
    label: str = Field(description="entry of the legend")


class Curve(Layer):
    """One more line of a plot of lines, or one for each value of ``hue``."""

    hue: str | None = Field(None, description="axis or dimension, one line for each value")
    every: str | None = Field(None, description="axis or dimension, points for all its values")
    style: LineStyle | None = None
    minus: str | None = Field(
        None, description="of a table: variable of the figure's study that is subtracted from y"
    )

    @model_validator(mode="after")
    def _rows_of_a_table(self) -> Self:
        if is_table(self.source):
            if self.sel and self.minus is None:
                raise ValueError("sel chooses among the values of minus; a table has all its rows")
            if self.hue or self.every:
                raise ValueError("a table is one line: it has no hue and no every")
        elif self.minus is not None:
            raise ValueError("minus belongs to a table: from: data/NAME.csv")
        return self


class Contour(_Strict):
    """The line over a map where a variable has one value."""

    source: Name | None = Field(None, alias="from", description="study; default the figure's own")
    z: str | None = Field(None, description="variable; default that of the map")
    level: float = Field(0.0, description="in the unit that is shown")
    sel: Selection = {}
    label: str = Field(description="entry of the legend")


class Law(_Strict):
    """A power law ``y x^exponent`` with the coefficient ``y`` of another study."""

    source: Name | None = Field(None, alias="from", description="study; default the figure's own")
    y: str = Field(description="variable of one number: the coefficient")
    exponent: float = Field(description="exponent of x")
    sel: Selection = {}
    label: str = Field(description="entry of the legend")


class ReferenceLine(_Strict):
    """A thin line across the plot at one value of x or of y, or at all values of a variable."""

    source: Name | None = Field(None, alias="from", description="study; default the figure's own")
    x: float | str | None = None
    y: float | str | None = Field(None, description="a number in the unit that is shown")
    sel: Selection = {}
    label: str = Field("", description="written along the line")

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if (self.x is None) == (self.y is None):
            raise ValueError("give x or y of the line, not both")
        return self


class Mark(_Strict):
    """A symbol at given numbers, or at all values of variables."""

    source: Source | None = Field(
        None, alias="from", description="study, or table data/NAME.csv; default the figure's own"
    )
    x: float | str
    y: float | str = Field(description="a number in the unit that is shown")
    sel: Selection = {}
    label: str = Field("", description="entry of the legend")


class Plot(_Strict):
    """What every plot has."""

    if TYPE_CHECKING:

        @property
        def y(self) -> str | None:
            """Variable that it shows by itself; None where curves say."""

    name: Name = "panel"
    title: str | None = None
    caption: str | None = Field(None, description="remark for the caption")
    width: Literal["single", "double"] = Field("single", description="columns of a journal page")
    x: str = Field(description="axis, dimension or variable")
    sel: Selection = Field({}, description="coordinate -> value, for other dimensions")
    xscale: Scale | None = None
    yscale: Scale | None = None
    xlim: Limits | None = None
    ylim: Limits | None = None
    xlabel: str | None = Field(None, description="words in place of the long name; no unit")
    ylabel: str | None = Field(None, description="words in place of the long name; no unit")
    display_unit: str | None = Field(None, description="for example t/h instead of t/hbar, or nA")
    zero_line: bool = False
    reference_lines: tuple[ReferenceLine, ...] = ()
    marks: tuple[Mark, ...] = Field((), max_length=4)


class Lines(Plot):
    """Lines of ``y`` over ``x``: one for each value of ``hue``, or one for each layer."""

    plot: Literal["lines"]
    y: str | None = Field(None, description="variable")
    hue: str | None = Field(None, description="axis or dimension, one line for each value")
    every: str | None = Field(None, description="axis or dimension, points for all its values")
    style: LineStyle | None = None
    layers: tuple[Curve, ...] = ()
    magnitude: bool = Field(False, description="draw the absolute value")

    @property
    def curves(self) -> tuple[Curve, ...]:
        """Return ``y``, when given, and the layers."""
        if self.y is None:
            return self.layers
        look = {"hue": self.hue, "every": self.every, "style": self.style}
        return (Curve(y=self.y, label="", **look), *self.layers)

    @model_validator(mode="after")
    def _something_with_one_name(self) -> Self:
        names = {curve.y for curve in self.curves}
        if not names:
            raise ValueError("neither y nor layers: there is nothing to draw")
        for key in ("hue", "every", "style"):
            if getattr(self, key) and self.y is None:
                raise ValueError(f"{key} belongs to y: give y, or the {key} of a layer")
        if len(names) > 1 and self.ylabel is None:
            raise ValueError(f"{', '.join(sorted(names))} share an axis: name it with ylabel")
        return self


class Coloured(Plot):
    """What plots with colours by a variable have."""

    if TYPE_CHECKING:

        @property
        def z(self) -> str | None:
            """Variable of the colours."""

    zlabel: str | None = Field(None, description="words in place of the long name; no unit")
    zlim: Limits | None = None
    zscale: Scale = "linear"
    zsteps: Annotated[list[float], Field(min_length=2)] | None = Field(
        None, description="where one colour ends and the next begins, in the unit that is shown"
    )

    @model_validator(mode="after")
    def _colours_have_an_order(self) -> Self:
        if self.zscale == "log" and self.zlim and min(self.zlim) <= 0:
            raise ValueError("a logarithmic scale needs zlim above 0")
        if self.zsteps and self.zsteps != sorted(set(self.zsteps)):
            raise ValueError("give zsteps in order, each once")
        return self


class Map(Coloured):
    """Colours of ``z`` over ``x`` and ``y``."""

    plot: Literal["map"]
    y: str = Field(description="axis or dimension")
    z: str = Field(description="variable")
    zero_contour: bool = False
    contours: tuple[Contour, ...] = Field((), max_length=4)
    layers: tuple[Layer, ...] = Field((), max_length=4, description="lines over the map, x to y")


BONDS = {"bond": "site", "spin_bond": "spin_site"}
"""Dimensions of bonds, and of the sites that they join."""


class SiteMap(Coloured):
    """The lattice, each site a disc with the colour of ``z``."""

    plot: Literal["site-map"]
    x: str = Field("x", description="place of the sites along the plot")
    y: str = Field("y", description="place of the sites across it")
    z: str = Field(description="variable of sites")


class CurrentMap(Coloured):
    """The lattice, with an arrow along each bond for its current and colours of ``z`` on sites."""

    plot: Literal["current-map"]
    x: str = Field("x", description="place of the sites along the plot")
    y: str = Field("y", description="place of the sites across it")
    current: str = Field("bond_current", description="variable of bonds")
    z: str | None = Field(None, description="variable of sites")


class Samples(Plot):
    """Every disorder sample, their mean with its standard error, and their envelope."""

    plot: Literal["samples"]
    y: str = Field(description="variable with samples")


class PowerLaw(Plot):
    """An ensemble mean over ``x``, both logarithmic, with its fit and exact laws."""

    plot: Literal["power-law"]
    y: str = Field(description="ensemble mean variable")
    fit: str | None = Field(None, description="name of a fit of the study")
    laws: tuple[Law, ...] = Field((), max_length=4)


Panel = Annotated[Lines | Map | SiteMap | CurrentMap | Samples | PowerLaw, Discriminator("plot")]


class Panels(_Strict):
    """Plots side by side."""

    plot: Literal["panels"]
    name: Name
    caption: str | None = None
    # A list: a tuple with a faulty entry would be called too short as well.
    panels: list[Panel] = Field(min_length=1, max_length=4)


Spec = Lines | Map | SiteMap | CurrentMap | Samples | PowerLaw | Panels
SPEC = TypeAdapter(Annotated[Spec, Discriminator("plot")])


def panels_of(spec: Spec) -> Sequence[Any]:
    """Return the single plots of a figure."""
    return spec.panels if isinstance(spec, Panels) else [spec]


def selections_of(spec: Spec, study: str) -> list[tuple[str, Selection]]:
    """Return what a figure of ``study`` reads: a study and the selection from it, for each line.

    A layer of the figure's own study has the selection of the plot too.
    """
    found = []
    for panel in panels_of(spec):
        if panel.y is not None:
            found.append((study, panel.sel))
        found += [selection_of(panel, layer, study) for layer in _readers(panel)]
        found += [(study, panel.sel | each.sel) for each in _readers(panel) if _subtracts(each)]
    return found


def _readers(panel: Any) -> Iterator[Any]:
    """Yield the parts of a plot that read data of their own."""
    for key in ("layers", "laws", "contours"):
        yield from getattr(panel, key, ())
    for part in (*panel.reference_lines, *panel.marks):
        if isinstance(part.x, str) or isinstance(part.y, str):
            yield part


def _subtracts(part: object) -> bool:
    return isinstance(part, Curve) and part.minus is not None


def selection_of(panel: Plot, layer: Any, study: str) -> tuple[str, Selection]:
    """Return the study that a layer reads, and its selection."""
    source = layer.source or study
    if is_table(source):
        return source, {}
    return source, panel.sel | layer.sel if source == study else layer.sel


def studies_of(spec: Spec, study: str) -> list[str]:
    """Return the studies whose data a figure of ``study`` needs, sorted."""
    return sorted({source for source, _ in selections_of(spec, study) if not is_table(source)})


def tables_of(spec: Spec) -> list[str]:
    """Return the tables that a figure shows, sorted."""
    return sorted({source for source, _ in selections_of(spec, "") if is_table(source)})
