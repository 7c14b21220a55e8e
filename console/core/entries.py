"""All clouds that there are: those of clouds.yaml and OS_*, and those that stand in the user's own settings."""

from collections.abc import Sequence
from dataclasses import replace

from console.clouds.accounts import Accounts, find_accounts
from console.clouds.files import open_to_others
from console.core.settings import Paths, Settings, load_settings
from console.errors import ConfigError


def look(
    names: Sequence[str] | None = None,
    *,
    regions: Sequence[str] | None = None,
    paths: Paths | None = None,
) -> Accounts:
    """The accounts of the named clouds, or of all; blocks, so call it in a worker thread. See `find_accounts`."""
    paths = paths or Paths()
    settings = _settings(paths)
    own = {name: cloud.entry for name, cloud in settings.clouds.items() if cloud.entry}
    found = find_accounts(names, regions=regions, own=own)
    if any(cloud.auth for cloud in settings.clouds.values()) and open_to_others(paths.config_file):
        told = ConfigError(f"{paths.config_file} holds a login and others may read it: chmod 600 it.")
        return replace(found, problems=(*found.problems, told))
    return found


def _settings(paths: Paths) -> Settings:
    """The settings; where they are wrong none, since whoever opens a console reads them too, and says so."""
    try:
        return load_settings(paths)
    except ConfigError:
        return Settings()
