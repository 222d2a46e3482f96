"""Values by name, as attributes: `job.inputs.orders`, `job.params.rate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._errors import CallsheetError, UnknownNameError, suggest


class Names(Mapping[str, Any]):
    """Values that are attributes and items. An unknown name is an error that suggests the nearest one.

    A declared name takes precedence over the methods of mappings, so an input may have the name `items`.

    Args:
        kind: What the values are, e.g. `parameter`.
        values: The values by name.
        place: What contains the names: stage.toml, or the request of a test.
    """

    def __init__(self, kind: str, values: Mapping[str, Any], place: str = "stage.toml declares") -> None:
        # No name of a declaration contains a space.
        vars(self)["the kind"] = kind
        vars(self)["the place"] = place
        vars(self)["the values"] = dict(values)

    def __getattribute__(self, name: str) -> Any:
        values = object.__getattribute__(self, "__dict__").get("the values", {})
        return values[name] if name in values else object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, _value: Any) -> None:
        kind = vars(self)["the kind"]
        raise CallsheetError(f"the {kind} `{name}` cannot be set", f"the {kind}s of a stage are read-only")

    def __getitem__(self, name: str) -> Any:
        values = _values(self)
        if name not in values:
            kind = vars(self).get("the kind", "value")
            place = vars(self).get("the place", "")
            raise UnknownNameError(f"{place} no {kind} `{name}`", suggest(name, values))
        return values[name]

    def __contains__(self, name: object) -> bool:
        return name in _values(self)

    def __iter__(self) -> Iterator[str]:
        return iter(_values(self))

    def __len__(self) -> int:
        return len(_values(self))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_values(self)})

    def __repr__(self) -> str:
        return f"<{vars(self)['the kind']}s {', '.join(_values(self)) or '(none)'}>"


def _values(names: Names) -> dict[str, Any]:
    values: dict[str, Any] = vars(names).get("the values", {})
    return values
