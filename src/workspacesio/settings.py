"""The only reader of the environment. Every setting is in the table of docs/settings.md (a test compares)."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from workspacesio.domain.errors import Invalid
from workspacesio.nodes.addresses import AllowedAddresses


@dataclass(frozen=True, slots=True)
class Settings:
    """The server's settings. Each field names its variable, default and meaning in `SETTINGS` below."""

    secret: str | None = field(repr=False, default=None)
    public_name: str | None = None
    s3_public_name: str | None = None
    database_url: str | None = field(repr=False, default=None)
    elasticsearch_node: str | None = field(repr=False, default=None)
    elasticsearch_user: str | None = None
    elasticsearch_password: str | None = field(repr=False, default=None)
    elasticsearch_certificates: str | None = None
    elasticsearch_prefix: str = "workspacesio"
    state_dir: Path = Path()
    folder_paths: tuple[str, ...] = ()
    node_addresses: tuple[str, ...] = ()
    durability: str = "full"
    workers: int = 2
    trusted_proxies: tuple[str, ...] = ()
    credential_max_seconds: int = 12 * 3600
    upload_max_age_seconds: int = 7 * 24 * 3600
    cors_origins: tuple[str, ...] = ()
    read_only: bool = False
    api_port: int = 8100
    s3_port: int = 8101
    access_log: bool = False

    def usual_life(self, usual: timedelta) -> timedelta:
        """Of keys and links for which nobody says how long they live: never longer than the longest."""
        return min(usual, timedelta(seconds=self.credential_max_seconds))


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    default: str
    meaning: str


SETTINGS = (
    Setting("WIO_SECRET", "made on first start", "The key of all keys; kept in the state folder if unset."),
    Setting("WIO_PUBLIC_NAME", "http://localhost:8100", "The address at which users reach the API."),
    Setting("WIO_S3_PUBLIC_NAME", "http://localhost:8101", "The address at which S3 clients reach the endpoint."),
    Setting("WIO_DATABASE_URL", "SQLite in the state folder", "An SQLAlchemy address, for PostgreSQL."),
    Setting(
        "WIO_ELASTICSEARCH_NODE_1",
        "an index in the state folder",
        "The address of OpenSearch (2 or 3) or Elasticsearch (7.10 or newer), where the search index is kept: "
        "`https://search.example.org:9200`, for example. It may hold `user:password@`.",
    ),
    Setting("WIO_ELASTICSEARCH_USER", "that of the address", "The user's name at the search server."),
    Setting("WIO_ELASTICSEARCH_PASSWORD", "that of the address", "The user's password at the search server."),
    Setting(
        "WIO_ELASTICSEARCH_CA",
        "those of the system",
        "A file of CA certificates that the search server's certificate is checked with.",
    ),
    Setting(
        "WIO_ELASTICSEARCH_PREFIX",
        "workspacesio",
        "What the names of the service's indices begin with; services that share a search server have one each.",
    ),
    Setting(
        "WIO_STATE_DIR",
        "$XDG_STATE_HOME/workspacesio",
        "Database, secret, locks, other metadata.",
    ),
    Setting("WIO_FOLDER_PATHS", "the served folder", "Paths under which folder nodes may lie, separated by ':'."),
    Setting(
        "WIO_NODE_ADDRESSES",
        "any for administrators, public ones for other users",
        "Host names, addresses and networks that servers added as nodes may have, each with or without a port, "
        "separated by ','; link-local and metadata addresses are always refused.",
    ),
    Setting("WIO_DURABILITY", "full", "`full`: acknowledged writes survive a power failure. `process`: a crash."),
    Setting("WEB_CONCURRENCY", "2", "Processes of the S3 endpoint."),
    Setting("WIO_TRUSTED_PROXIES", "none", "Addresses whose X-Forwarded-For is believed, separated by ','."),
    Setting("WIO_CREDENTIAL_MAX_SECONDS", "43200", "The longest life of a credential."),
    Setting("WIO_UPLOAD_MAX_AGE_SECONDS", "604800", "When an abandoned multipart upload is cleared."),
    Setting("WIO_READ_ONLY", "0", "1: every write to every node is refused, as with `wio serve --read-only`."),
    Setting("WIO_API_PORT", "8100", "The port of the API; `wio serve --port` sets it."),
    Setting("WIO_S3_PORT", "8101", "The port of the S3 endpoint; `wio serve --s3-port` sets it."),
    Setting("WIO_ACCESS_LOG", "0", "1: the endpoint writes a line for each request."),
    Setting("WIO_CORS_ORIGINS", "none", "Origins of web clients that may call the endpoint, separated by ','."),
)


def default_state_dir(environment: Mapping[str, str]) -> Path:
    """XDG Base Directory Specification: state that should survive, but is not to be moved between machines."""
    base = environment.get("XDG_STATE_HOME") or os.path.join(environment.get("HOME", "/"), ".local", "state")
    return Path(base, "workspacesio")


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check every variable; raises Invalid with one sentence that names the variable."""
    env = os.environ if environment is None else environment
    durability = env.get("WIO_DURABILITY", "full")
    if durability not in ("full", "process"):
        raise Invalid("WIO_DURABILITY is 'full' or 'process'.", code="invalid_setting")
    return Settings(
        secret=env.get("WIO_SECRET") or None,
        public_name=_address(env, "WIO_PUBLIC_NAME"),
        s3_public_name=_address(env, "WIO_S3_PUBLIC_NAME"),
        database_url=env.get("WIO_DATABASE_URL") or None,
        elasticsearch_node=_address(env, "WIO_ELASTICSEARCH_NODE_1"),
        elasticsearch_user=env.get("WIO_ELASTICSEARCH_USER") or None,
        elasticsearch_password=env.get("WIO_ELASTICSEARCH_PASSWORD") or None,
        elasticsearch_certificates=env.get("WIO_ELASTICSEARCH_CA") or None,
        elasticsearch_prefix=_index_prefix(env),
        state_dir=Path(env.get("WIO_STATE_DIR") or default_state_dir(env)),
        folder_paths=tuple(path for path in env.get("WIO_FOLDER_PATHS", "").split(os.pathsep) if path),
        node_addresses=_node_addresses(env),
        durability=durability,
        workers=_number(env, "WEB_CONCURRENCY", 2),
        trusted_proxies=_listed(env, "WIO_TRUSTED_PROXIES"),
        credential_max_seconds=_number(env, "WIO_CREDENTIAL_MAX_SECONDS", 12 * 3600),
        upload_max_age_seconds=_number(env, "WIO_UPLOAD_MAX_AGE_SECONDS", 7 * 24 * 3600),
        cors_origins=_listed(env, "WIO_CORS_ORIGINS"),
        read_only=env.get("WIO_READ_ONLY") == "1",
        api_port=_number(env, "WIO_API_PORT", 8100),
        s3_port=_number(env, "WIO_S3_PORT", 8101),
        access_log=env.get("WIO_ACCESS_LOG") == "1",
    )


def _address(env: Mapping[str, str], name: str) -> str | None:
    value = env.get(name, "").rstrip("/")
    if value and not value.startswith(("http://", "https://")):
        raise Invalid(f"{name} begins with http:// or https://.", code="invalid_setting")
    return value or None


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    value = env.get(name, "")
    if not value:
        return default
    if not value.isdecimal() or int(value) < 1:
        raise Invalid(f"{name} is a whole number above 0.", code="invalid_setting")
    return int(value)


def _node_addresses(env: Mapping[str, str]) -> tuple[str, ...]:
    found = _listed(env, "WIO_NODE_ADDRESSES")
    for one in found:
        try:
            AllowedAddresses.of([one])
        except ValueError:
            raise Invalid(
                f"WIO_NODE_ADDRESSES lists {one!r}, which is no host name, address or network such as "
                "minio.example.org:9000 or 10.0.0.0/8.",
                code="invalid_setting",
            ) from None
    return found


def _index_prefix(env: Mapping[str, str]) -> str:
    prefix = env.get("WIO_ELASTICSEARCH_PREFIX") or "workspacesio"
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,99}", prefix):
        raise Invalid(
            "WIO_ELASTICSEARCH_PREFIX is made of small letters, digits, '-', '_' and '.', at most 100 of them.",
            code="invalid_setting",
        )
    return prefix


def _listed(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in env.get(name, "").split(",") if item.strip())
