"""Version of this package, from its metadata."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("callsheet")
except PackageNotFoundError:  # used from a checkout that is not installed
    __version__ = "0+unknown"
