"""Two logins of keystoneauth1 for clouds that were there before Keystone's v3, under the names that entries give them.

`rackspace_apikey` is Identity v2.0 with an API key (the RAX-KSKEY extension); the package that once gave it is kept by
nobody. `firstgen_apikey` is the oldest of all: two headers in, a token and one address out. What that tells is put
into the shape of an Identity v2.0 answer, so that whoever reads an account, a catalog or an end needs not know of it.
"""

import datetime as dt
from collections.abc import MutableMapping
from typing import Any

from keystoneauth1 import access, exceptions, identity, loading
from keystoneauth1.identity import base

_LIFE = dt.timedelta(hours=24)  # the guide's "typically"; an earlier end shows as a 401, which renews
_SERVERS = "x-server-management-url"


class ApiKey(identity.V2Password):
    """Identity v2.0 by user name and API key."""

    def __init__(self, auth_url: str, username: str, api_key: str, **scope: Any) -> None:
        super().__init__(auth_url, username=username, password=api_key, **scope)

    def get_auth_data(self, headers: MutableMapping[str, str] | None = None) -> dict[str, object]:
        """The part of the request that says who we are."""
        return {"RAX-KSKEY:apiKeyCredentials": {"username": self.username, "apiKey": self.password}}


class FirstGeneration(base.BaseIdentityPlugin):
    """Authentication v1.0: X-Auth-User and X-Auth-Key."""

    auth_url: str

    def __init__(self, auth_url: str, username: str, api_key: str) -> None:
        super().__init__(auth_url=auth_url)
        self._username, self._api_key = username, api_key

    def get_auth_ref(self, session: Any) -> access.AccessInfoV2:
        """Log in."""
        who = {"X-Auth-User": self._username, "X-Auth-Key": self._api_key}
        reply = session.get(self.auth_url, headers=who, authenticated=False, log=False)
        token, servers = reply.headers.get("x-auth-token"), reply.headers.get(_SERVERS)
        if not token or not servers:
            raise exceptions.InvalidResponse(response=reply)
        return access.AccessInfoV2(_as_v2(token, servers, self._username), token)

    def get_cache_id_elements(self) -> dict[str, str | None]:
        """What tells one such login from another."""
        return {"auth_url": self.auth_url, "username": self._username, "api_key": self._api_key}


def _as_v2(token: str, servers: str, user: str) -> Any:
    now = dt.datetime.now(dt.UTC)
    account = servers.rstrip("/").rpartition("/")[2]
    endpoint = {"publicURL": servers, "tenantId": account, "versionId": "1.0"}
    return {
        "access": {
            "token": {
                "id": token,
                "issued_at": now.isoformat(),
                "expires": (now + _LIFE).isoformat(),
                "tenant": {"id": account, "name": account},
            },
            "serviceCatalog": [{"type": "compute", "name": "cloudServers", "endpoints": [endpoint]}],
            "user": {"id": user, "name": user, "roles": []},
        }
    }


_KEY = (
    loading.Opt("username", required=True, help="The name of the user."),
    loading.Opt("api-key", required=True, secret=True, prompt="API key: ", help="The user's API key."),
)


class RackspaceApiKey(loading.BaseV2Loader[ApiKey]):
    """What an entry with `auth_type: rackspace_apikey` may say."""

    @property
    def plugin_class(self) -> type[ApiKey]:
        """The login."""
        return ApiKey

    def get_options(self) -> list[loading.Opt]:
        """Its options."""
        return [*super().get_options(), *_KEY]


class FirstGenerationApiKey(loading.BaseIdentityLoader[FirstGeneration]):
    """What an entry with `auth_type: firstgen_apikey` may say."""

    @property
    def plugin_class(self) -> type[FirstGeneration]:
        """The login."""
        return FirstGeneration

    def get_options(self) -> list[loading.Opt]:
        """Its options."""
        return [*super().get_options(), *_KEY]
