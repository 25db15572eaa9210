"""A Hamiltonian in a file."""

from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from nessflow.matrix import Content, Path, content_of
from nessflow.parts import KeyedError, Strict, at_key, quantity
from nessflow.systems.described import Described, hermitian
from nessflow.systems.lattices.given.given import Given, kept
from nessflow.systems.periodic import cut

Direction = Annotated[int, Field(ge=1, le=3)]
Cells = Annotated[int, Field(ge=1, le=100_000)]


class Cut(Strict):
    """The piece of a periodic system that is the system."""

    direction: Direction = quantity("lattice vector along which leads continue it", "1", 1)
    cells: Cells = quantity("number of cells along it", "1")
    width: dict[Direction, Cells] = quantity(
        "lattice vector -> number of cells along it, with open boundaries", "1", {}
    )
    phase: dict[Direction, float] = quantity(
        "lattice vector -> phase from cell to cell, of a wave along it", "rad", {}
    )


class File(Given):
    """Hamiltonian of a file of the project: .npz of NumPy or scipy.sparse, .mtx, Wannier90, Siesta.

    A file of a periodic system (Wannier90 ``_hr.dat``; Siesta, where the package sisl is installed)
    has no sites: ``cut`` says which cells are the system, and leads ``left`` and ``right`` continue
    it.  A site is a cell then, with the orbitals of the file.
    """

    kind: Literal["file"] = "file"
    path: Path = Field(
        description="the file, below the folder of the project", examples=["data/wire.npz"]
    )
    format: Literal["npz", "mtx", "wannier90", "sisl"] | None = Field(
        None, description="what it is; left out: what its ending says"
    )
    name: str | None = Field(
        None, description="name of the array in a file of NumPy; left out: hamiltonian"
    )
    hermitian_part: bool = Field(
        False, description="take (h + h^+)/2 of a matrix that was printed with few digits"
    )
    fermi_energy: float = quantity("energy of the file that is 0", "t", 0.0)
    cut: Cut | None = Field(None, description="which cells of a periodic system are the system")

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        with at_key("path", is_certain=True):
            content = self._content
        if content.blocks and self.cut is None:
            raise KeyedError(
                f"{self.path} is a periodic system; say which cells are the system, "
                "cut: {direction: 1, cells: 6}",
                "path",
            )
        if not content.blocks and self.cut is not None:
            raise KeyedError(f"{self.path} is one matrix, not periodic: nothing is cut", "cut")
        if content.blocks and self.name is not None:
            raise KeyedError(f"{self.path} has no names; leave it out", "name")
        if content.blocks:
            orbitals = self.described.orbitals
            if "orbitals" in self.model_fields_set and self.orbitals != orbitals:
                raise KeyedError(f"{self.path} has {orbitals} orbitals in a cell", "orbitals")
            # As if they had been told: those of the file.
            self.__dict__["orbitals"] = orbitals
        self._require_orbitals()
        return self

    @property
    def sides(self) -> tuple[str, ...]:
        """Sides of a piece of a periodic system, see `Lattice`."""
        return tuple(self.described.leads)

    @cached_property
    def _content(self) -> Content:
        return content_of(self.path, self.format)

    @cached_property
    def described(self) -> Described:
        """The system, see `Given`; of the same content and keys it is made once."""
        written = repr(self.model_copy(update={"path": "", "orbitals": 1}))
        return kept((self._content.sha256, written), self._made)

    def _made(self) -> Described:
        content = self._content
        if content.blocks:
            with at_key("cut"):
                piece: Any = self.cut
                found = cut(
                    content.blocks,
                    piece.direction,
                    piece.cells,
                    piece.width,
                    piece.phase,
                    self.fermi_energy,
                )
            return replace(found, remarks=content.remarks)
        with at_key("path", is_certain=True):
            matrix = content.matrix(self.name, "hamiltonian")
            name = f"{self.path}: {self.name or 'the matrix'}"
            h = hermitian(name, matrix, part=self.hermitian_part, first=1)
        if self.fermi_energy:
            from scipy.sparse import csr_array, eye_array

            h = csr_array(h) - self.fermi_energy * eye_array(h.shape[0])
        return Described(h)
