"""Who may enter a cloud: its domain, projects, users, roles, application credentials and the tokens given out.

It decides whether a login is good and how long a token lives; how that is said over HTTP is `keystone_api`'s affair.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from console.sim.clock import Clock
from console.sim.records import Ids


@dataclass(slots=True)
class Project:
    """A project (tenant) of a cloud."""

    id: str
    name: str
    description: str = ""


@dataclass(slots=True)
class User:
    """A person or program that may log in; `roles` is by project id."""

    id: str
    name: str
    password: str
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    default_project: str | None = None
    api_key: str = ""


@dataclass(slots=True)
class Credential:
    """An application credential: a login for one project that carries its own scope."""

    id: str
    name: str
    secret: str
    user: User
    project: Project
    roles: tuple[str, ...]
    description: str = ""


@dataclass(slots=True)
class Token:
    """A login that succeeded; without a project it is good for Keystone alone."""

    text: str
    user: User
    project: Project | None
    roles: tuple[str, ...]
    methods: list[str]
    issued: float
    expires: float
    audit: str

    @property
    def project_id(self) -> str:
        """The project's id, or nothing."""
        return self.project.id if self.project else ""


class Refused(Exception):
    """A login that is not good."""


class Identity:
    """The people and tokens of one cloud."""

    def __init__(self, clock: Clock, ids: Ids, token_seconds: float = 3600) -> None:
        self.clock = clock
        self.ids = ids
        self.token_seconds = token_seconds
        self.url = ""
        self.projects: dict[str, Project] = {}
        self.users: dict[str, User] = {}
        self.credentials: dict[str, Credential] = {}
        self.tokens: dict[str, Token] = {}
        self.role_ids: dict[str, str] = {}
        self.catalog: Callable[[str], list[dict[str, Any]]] = lambda project_id: []

    def add_project(self, name: str, description: str = "") -> Project:
        """A new project."""
        project = Project(self.ids.hex(), name, description)
        self.projects[project.id] = project
        return project

    def add_user(self, name: str, password: str) -> User:
        """A new user without any role."""
        user = User(self.ids.hex(), name, password)
        self.users[user.id] = user
        return user

    def grant(self, user: User, project: Project, *roles: str) -> None:
        """Give roles in a project."""
        user.roles[project.id] = roles
        for role in roles:
            self.role_ids.setdefault(role, self.ids.hex())

    def add_credential(
        self, user: User, project: Project, name: str, secret: str | None = None, description: str = ""
    ) -> Credential:
        """A new application credential with the user's roles in that project."""
        credential = Credential(
            self.ids.hex(), name, secret or self.ids.word(48), user, project, user.roles[project.id], description
        )
        self.credentials[credential.id] = credential
        return credential

    def token(self, text: str) -> Token | None:
        """The token behind this text, unless it has expired or was revoked."""
        found = self.tokens.get(text)
        if found is None or found.expires <= self.clock.time():
            return None
        return found

    def issue(self, user: User, project: Project | None, roles: tuple[str, ...], methods: list[str]) -> Token:
        """A new token."""
        now = self.clock.time()
        token = Token(
            "gAAAAAB" + secrets.token_urlsafe(120), user, project, roles, methods, now, now + self.token_seconds,
            secrets.token_urlsafe(16),
        )  # fmt: skip
        self.tokens[token.text] = token
        return token

    def revoke_all(self) -> None:
        """Every token given out so far is void from now on."""
        self.tokens.clear()

    def find_user(self, wanted: dict[str, Any]) -> User | None:
        """The user that an auth body names, by id or by name in the default domain."""
        if "id" in wanted:
            return self.users.get(str(wanted["id"]))
        if not self.is_default(wanted.get("domain")):
            return None
        return next((user for user in self.users.values() if user.name == wanted.get("name")), None)

    def find_project(self, wanted: dict[str, Any]) -> Project | None:
        """The project that a scope names."""
        if "id" in wanted:
            return self.projects.get(str(wanted["id"]))
        if not self.is_default(wanted.get("domain")):
            return None
        return next((p for p in self.projects.values() if p.name == wanted.get("name")), None)

    @staticmethod
    def is_default(domain: Any) -> bool:
        """Whether this names the only domain there is."""
        return isinstance(domain, dict) and (domain.get("id") == "default" or domain.get("name") == "Default")

    def login(self, auth: dict[str, Any]) -> Token:
        """A token for the body of POST /v3/auth/tokens; Refused (401) or KeyError (400) otherwise."""
        identity = auth["identity"]
        method = identity["methods"][0]
        given = identity[method]
        if method == "application_credential":
            return self._login_by_credential(given, auth)
        if method == "password":
            user = self.find_user(given["user"])
            if user is None or user.password != given["user"].get("password"):
                raise Refused
        elif method == "token":
            old = self.token(str(given["id"]))
            if old is None:
                raise Refused
            user = old.user
        else:
            raise Refused
        project = self._scope(user, auth.get("scope"))
        roles = user.roles[project.id] if project else ()
        return self.issue(user, project, roles, [method])

    def _scope(self, user: User, scope: Any) -> Project | None:
        if isinstance(scope, dict) and "project" in scope:
            project = self.find_project(scope["project"])
            if project is None or project.id not in user.roles:
                raise Refused
            return project
        if isinstance(scope, dict):
            raise Refused
        return self.projects.get(user.default_project or "") if scope is None else None

    def _login_by_credential(self, given: dict[str, Any], auth: dict[str, Any]) -> Token:
        if auth.get("scope"):
            raise Refused("Application credentials cannot request a scope.")
        found = self.credentials.get(str(given.get("id", "")))
        if found is None and "name" in given and "user" in given:
            user = self.find_user(given["user"])
            named = (c for c in self.credentials.values() if c.name == given["name"] and c.user is user)
            found = next(named, None)
        if found is None or found.secret != given.get("secret"):
            raise Refused
        return self.issue(found.user, found.project, found.roles, ["application_credential"])
