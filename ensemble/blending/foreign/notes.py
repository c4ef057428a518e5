"""What comes to light while tables are read, gathered until all of them have been."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Notes:
    """Filled while reading.

    Attributes:
        problems: What has to be mended.
        remarks: What a reader should know.
        warnings: What a reader must know.
        assumed: Members that did not say their scale and were taken as probabilities.
    """

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)

    def add_error(self, error: Exception) -> None:
        """An error as one problem; its own list of problems stays below it."""
        self.problems.append(str(error).replace("\n", "\n   "))
