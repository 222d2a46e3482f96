"""Values by name, as attributes: `job.inputs.orders`, `job.params.rate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._errors import CallsheetError, suggest


class Names(Mapping[str, Any]):
    """Values that are attributes and items. An unknown name is an error that suggests the nearest one."""

    def __init__(self, kind: str, values: Mapping[str, Any]) -> None:
        self._kind = kind
        self._values = dict(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Any:
        values = self.__dict__.get("_values", {})
        if name not in values:
            raise CallsheetError(f"stage.toml declares no {self._kind} `{name}`", suggest(name, values))
        return values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return sorted(self._values)

    def __repr__(self) -> str:
        return f"<{self._kind}s {', '.join(self._values) or '(none)'}>"
