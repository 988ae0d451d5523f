"""The settings: one frozen object, read once from the environment and passed down."""

# Size: the settings are one table, and each comes with its words.
import ipaddress
import os
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import platformdirs
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.problems import ConfigurationError
from app.scopes import parse_write_keys

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
SHORTEST_SECRET = 20  # characters of a key or token: 120 random bits in base64
HOST_NAME = re.compile(r"[\w.-]{1,253}|[0-9A-Fa-f:.]{2,45}|\[[0-9A-Fa-f:.]{2,45}\]", re.ASCII)
HEADER_NAME = re.compile("[A-Za-z][A-Za-z0-9-]{0,63}")
# What Kubernetes puts into the environment of every pod beside a Service named `telemetry`, or
# `telemetry-web`; none of it is a setting.
SERVICE_LINK = re.compile(
    r"TELEMETRY_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
LINK = re.compile("(tcp|udp|sctp)://", re.IGNORECASE)


# A path prefix; not one that begins as our own addresses do, from which it could not be distinguished.
OWN_PATHS = r"v1|reports|docs|public|privacy|static|healthz|readyz|metrics|openapi\.json"
PATH_PREFIX = re.compile(rf"(?!/(?:{OWN_PATHS})(?:/|$))(?:/(?!\.)[A-Za-z0-9._~-]{{1,64}}){{1,8}}")


def default_data_dir() -> Path:
    """Return where the embedded cluster, the spool and generated secrets live when no folder is named."""
    try:
        return platformdirs.user_state_path("pyairbyte-telemetry")
    except RuntimeError:  # neither HOME nor an entry for this user
        raise ConfigurationError(
            "This user has no home folder: set TELEMETRY_DATA_DIR to a folder that may be written. "
            "(unwritable_data_dir)"
        ) from None


class Settings(BaseSettings):
    """Everything an operator can set, as `TELEMETRY_<NAME>` environment variables."""

    model_config = SettingsConfigDict(
        env_prefix="TELEMETRY_", frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    database_url: SecretStr | None = Field(
        None,
        description="Any Postgres 15 or later (`postgresql://user:password@host/name`); unset: an "
        "embedded one.",
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Holds the embedded cluster, the spool and the generated secrets (files of mode "
        "0600). Keep it on a persistent volume.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8000, description="Port to listen on; 0 picks a free one."
    )
    workers: Annotated[int, Field(ge=1, le=64)] = Field(1, description="Number of server processes.")
    hash_key: SecretStr | None = Field(
        None,
        description="Key of the HMAC under which ids are stored, 32 characters or more. Generated with "
        "the embedded "
        "database; required with an external one.",
    )
    hash_key_rotations: SecretStr = Field(
        SecretStr(""),
        description="Keys that `keys rotate-hash` added to the hash key since, oldest first, separated "
        "by commas, 32 "
        "characters or more each. The hash key itself stays as it was.",
    )
    write_keys: SecretStr = Field(
        SecretStr(""),
        description="Further write keys to accept, separated by commas: `key` or `key:scope+scope`, of "
        "the scopes `ingest`, "
        "`import`, `relay`. A key without any has all; PyAirbyte's two public keys have `ingest` and "
        "never more.",
    )
    report_token: SecretStr | None = Field(
        None,
        description="Bearer token of the reports; generated into the data dir.",
    )
    denied_ids: SecretStr = Field(
        SecretStr(""),
        description="Anonymous ids whose syncs reports leave out, such as those of our own tests, "
        "separated by commas. They are "
        "hashed before anything is looked up, and never written.",
    )
    alert_webhook: SecretStr | None = Field(
        None,
        description="Where new regressions are posted, once each, as JSON with a `text` that Slack "
        "shows: an https:// address. Checked "
        "every hour.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is logged.")
    raw_retention_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        90,
        description="Days after their arrival for which single events are kept; whole weeks are dropped "
        "at once.",
    )
    retention_grace_minutes: Annotated[int, Field(ge=0, le=1440)] = Field(
        60,
        description="Minutes of a process before it deletes anything for its age: time to notice a "
        "wrong clock.",
    )
    deadline_ms: Annotated[int, Field(ge=50, le=60_000)] = Field(
        1000, description="Milliseconds within which a request must be durable."
    )
    ingest: Literal["direct", "log"] = Field(
        "direct",
        description="`direct`: events are committed before they are answered. `log`: they are fsynced to the "
        "log, answered `queued`, and brought to Postgres in large commits behind it.",
    )
    log_url: SecretStr | None = Field(
        None,
        description="NATS with JetStream, where the log of `TELEMETRY_INGEST=log` is kept then: "
        "`nats://user:password@host:4222`, several servers separated by commas, `tls://` for TLS. The spool "
        "stands in while it is unavailable.",
    )
    log_mb: Annotated[int, Field(ge=1)] = Field(
        4096, description="Quota of the stream in NATS, in MiB; full, the spool stands in."
    )
    log_monitor_url: str = Field(
        "",
        description="Monitoring addresses of all NATS servers, such as `http://nats-1:8222`, separated by "
        "commas: only they say whether what is acknowledged is on disk (`sync_interval: always`).",
    )
    spool_mb: Annotated[int, Field(ge=1)] = Field(
        1024,
        description="Quota of the spool of one process, in MiB: what waits on disk while Postgres is "
        "unavailable, or in log mode for its turn.",
    )
    address_rate: Annotated[int, Field(ge=0)] = Field(
        50,
        description="Requests a second that one address may send, ten times that at once; 0 switches it off.",
    )
    address_connections: Annotated[int, Field(ge=0)] = Field(
        64,
        description="Connections that one address may hold; beyond it its longest idle one gives way. "
        "Not for loopback and trusted "
        "proxies; 0 switches it off.",
    )
    key_rate: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Requests a second under one write key, ten times that at once; 0, the default, "
        "switches it off: "
        "PyAirbyte's key is everybody's.",
    )
    limit_loopback: bool = Field(
        False,
        description="Whether the limits hold for loopback, too.",
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses or networks of proxies, separated by commas, whose X-Forwarded-For or "
        "Forwarded says who sends. "
        "Without it everyone behind a proxy is one address: name it here, or set TELEMETRY_ADDRESS_RATE=0.",
    )
    user_header: str = Field(
        "",
        description="Header in which the trusted proxies name the user whom they authenticated, such as "
        "X-Forwarded-User: its "
        "presence opens the pages, without a login. They must take it away from what readers send.",
    )
    path_prefix: str = Field(
        "",
        description="Path under which a proxy serves pages and endpoints, such as /telemetry. "
        "X-Forwarded-Prefix of a trusted proxy "
        "says the same, and goes before it.",
    )
    hosts: str = Field(
        "",
        description="Names under which the service is reached, separated by commas; a request to read "
        "something under another one is "
        "answered 421. Unset: any; on loopback without a proxy in front only localhost and addresses, "
        "so that no page from "
        "elsewhere reads along.",
    )
    pg_bin: Path | None = Field(None, description="Folder of the Postgres binaries of the embedded database.")

    @field_validator("*", mode="before")
    @classmethod
    def strip_line_end(cls, value: object) -> object:
        """Return a value less the line end that `echo` left: a key is the same in a file and here."""
        if not isinstance(value, str):
            return value
        stripped = value.rstrip("\r\n")
        if value and not stripped:
            raise ValueError("holds a line end only")
        return stripped

    @field_validator("hash_key")
    @classmethod
    def check_hash_key(cls, key: SecretStr | None) -> SecretStr | None:
        """Refuse a key that is short enough to be guessed."""
        if key is not None and len(key.get_secret_value().strip()) < 32:
            raise ValueError("needs at least 32 characters")
        return key

    @field_validator("write_keys")
    @classmethod
    def check_scopes(cls, keys: SecretStr) -> SecretStr:
        """Refuse scopes that there are not, and more than `ingest` for a key that is public."""
        parse_write_keys(keys.get_secret_value())
        return keys

    @field_validator("write_keys", "report_token")
    @classmethod
    def check_length(cls, secret: SecretStr | None) -> SecretStr | None:
        """Refuse a key or token that is short enough to be guessed."""
        parts = secret.get_secret_value().split(",") if secret else []
        if any(0 < len(part.strip().partition(":")[0]) < SHORTEST_SECRET for part in parts):
            raise ValueError(f"needs at least {SHORTEST_SECRET} characters each")
        return secret

    @field_validator("trusted_proxies")
    @classmethod
    def check_proxies(cls, networks: str) -> str:
        """Refuse what is neither address nor network."""
        try:
            for part in filter(str.strip, networks.split(",")):
                ipaddress.ip_network(part.strip(), strict=False)
        except ValueError:
            raise ValueError("takes addresses or networks such as 10.0.0.0/8,::1") from None
        return networks

    @field_validator("hosts")
    @classmethod
    def check_hosts(cls, hosts: str) -> str:
        """Refuse what no request could name as its host."""
        if not all(HOST_NAME.fullmatch(part.strip()) for part in hosts.split(",") if part.strip()):
            raise ValueError("takes names such as telemetry.example.org, without scheme and port")
        return hosts

    @field_validator("log_monitor_url")
    @classmethod
    def check_monitors(cls, urls: str) -> str:
        """Refuse what is no list of web addresses."""
        parts = [part.strip() for part in urls.split(",") if part.strip()]
        if not all(part.startswith(("http://", "https://")) for part in parts):
            raise ValueError("takes addresses such as http://nats-1:8222, separated by commas")
        return urls

    @field_validator("user_header")
    @classmethod
    def check_user_header(cls, name: str, info: ValidationInfo) -> str:
        """Refuse what is no header's name, and a header that nobody would be trusted with."""
        if name and not HEADER_NAME.fullmatch(name):
            raise ValueError("takes the name of a header, such as X-Forwarded-User")
        if name and not str(info.data.get("trusted_proxies", "")).strip():
            raise ValueError("needs TELEMETRY_TRUSTED_PROXIES: without it anybody could send the header")
        return name

    @field_validator("path_prefix")
    @classmethod
    def check_prefix(cls, prefix: str) -> str:
        """Refuse what is no path, or one of our own."""
        if prefix and not PATH_PREFIX.fullmatch(prefix.rstrip("/")):
            raise ValueError("takes a path such as /telemetry, other than the service's own")
        return prefix.rstrip("/")

    @field_validator("alert_webhook")
    @classmethod
    def check_webhook(cls, webhook: SecretStr | None) -> SecretStr | None:
        """Refuse what is no web address."""
        if webhook is not None and not webhook.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("takes an address such as https://hooks.example.com/…")
        return webhook

    @field_validator("hash_key_rotations")
    @classmethod
    def check_rotations(cls, keys: SecretStr) -> SecretStr:
        """Refuse keys that are short enough to be guessed, and one that stands twice."""
        parts = keys.get_secret_value().split(",") if keys.get_secret_value() else []
        if any(len(key) < 32 for key in parts):
            raise ValueError("needs at least 32 characters each")
        if len(set(parts)) < len(parts):
            raise ValueError("has a key twice")
        return keys

    @field_validator("write_keys", "report_token", "hash_key_rotations")
    @classmethod
    def check_printable(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """Refuse a secret that HTTP Basic or a comma-separated list could not carry."""
        text = secret.get_secret_value() if secret else ""
        keys = (
            [part.partition(":")[0] for part in text.split(",")]
            if info.field_name == "write_keys"
            else [text]
        )
        if not all("!" <= character <= "~" and character != ":" for key in keys for character in key):
            raise ValueError("takes printable ASCII without colons and blanks")
        return secret

    @field_validator("report_token")
    @classmethod
    def check_single(cls, token: SecretStr | None) -> SecretStr | None:
        """Refuse a list: there is one report token."""
        if token is not None and "," in token.get_secret_value():
            raise ValueError("takes one token, without commas")
        return token

    @model_validator(mode="after")
    def check_log(self) -> Self:
        """Refuse a log that nothing would be appended to."""
        if self.log_url is not None and self.ingest != "log":
            raise ValueError("TELEMETRY_LOG_URL needs TELEMETRY_INGEST=log")
        return self

    @model_validator(mode="after")
    def check_distinct(self) -> Self:
        """Refuse one secret in two places: a write key is public, a report token is not."""
        given = [
            *self.extra_write_keys,
            *(each.get_secret_value() for each in (self.report_token, self.hash_key) if each),
            *self.rotations,
        ]
        if len(set(given)) < len(given):
            raise ValueError("hash keys, write keys and the report token must all differ")
        return self

    @property
    def rotations(self) -> tuple[str, ...]:
        """The keys of `TELEMETRY_HASH_KEY_ROTATIONS`, oldest first."""
        return tuple(filter(None, self.hash_key_rotations.get_secret_value().split(",")))

    @property
    def extra_write_keys(self) -> dict[str, frozenset[str]]:
        """The scopes of each key of `TELEMETRY_WRITE_KEYS`, in order."""
        return parse_write_keys(self.write_keys.get_secret_value())

    @property
    def denied(self) -> tuple[str, ...]:
        """The ids of `TELEMETRY_DENIED_IDS`."""
        return tuple(filter(None, (part.strip() for part in self.denied_ids.get_secret_value().split(","))))


def load_settings() -> Settings:
    """Return the settings, read from the environment; a secret also from the file that `TELEMETRY_…_FILE`
    names.

    Raises ConfigurationError, which names each variable that is wrong and what it takes, never its value.
    """
    refuse_other_encodings(os.environ)
    given: dict[str, Any] = {**read_secret_files(os.environ)}
    if LINK.match(os.environ.get("TELEMETRY_PORT", "")):
        given["port"] = str(
            Settings.model_fields["port"].default
        )  # a service link of Kubernetes, see `find_unknown`
    try:
        return Settings(**given)
    except ValidationError as error:
        reasons = [
            describe_error(item)
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise ConfigurationError("; ".join(reasons)) from None


def refuse_other_encodings(environment: Mapping[str, str]) -> None:
    """Raise ConfigurationError for a setting that is no UTF-8; names of folders may be any bytes."""
    for name, value in environment.items():
        if name.startswith("TELEMETRY_") and name not in PATHS and not is_text(value):
            raise ConfigurationError(f"{name} is no text in UTF-8.")


def is_text(value: str) -> bool:
    """Return whether a value of the environment was text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def wants_color() -> bool:
    """Return whether a terminal may be written to in colours (https://no-color.org)."""
    return not os.environ.get("NO_COLOR")


def find_launcher() -> str | None:
    """Return the command that started this one, as a person would type it; `dev.py` says so."""
    return os.environ.get("PYAIRBYTE_TELEMETRY_CALLED_AS") or None


def override(**values: object) -> None:
    """Have this process and those that it starts read these settings in place of what the
    environment says; None: as it is."""
    for name, value in values.items():
        if value is not None:
            os.environ[f"TELEMETRY_{name.upper()}"] = str(value)


def unset(variables: Collection[str]) -> None:
    """Take variables out of the environment of this process and those that it starts."""
    for name in variables:
        os.environ.pop(name, None)


def describe_error(item: Mapping[str, Any]) -> str:
    """Return which variable is wrong and what it takes, of an error of pydantic."""
    text = str(item["msg"]).removeprefix("Value error, ")
    return f"TELEMETRY_{str(item['loc'][0]).upper()}: {text}" if item["loc"] else f"TELEMETRY_…: {text}"


def read_secret_files(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that files hold, by field, less a line end. Raises
    ConfigurationError, never naming content."""
    found = {}
    for name in SECRET_FIELDS:
        variable = f"TELEMETRY_{name.upper()}"
        file = environment.get(f"{variable}_FILE")
        if not file:
            continue
        if environment.get(variable):
            raise ConfigurationError(f"{variable} and {variable}_FILE are both set: take one of them away.")
        try:
            found[name] = Path(file).read_text("utf-8-sig").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{variable}_FILE cannot be read ({type(error).__name__}).") from None
        if not found[name]:  # an empty token would be a token
            raise ConfigurationError(f"{variable}_FILE names an empty file: write the secret into it.")
    return found


def is_service_link(name: str, value: str) -> bool:
    """Return whether a variable is one that Kubernetes sets for a Service."""
    return SERVICE_LINK.fullmatch(name) is not None or (
        name.endswith("_PORT") and LINK.match(value) is not None
    )


def find_unknown(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for every `TELEMETRY_…` variable that is no setting, with the nearest one that is."""
    settings = {f"TELEMETRY_{name.upper()}" for name in Settings.model_fields}
    known = settings | {f"TELEMETRY_{name.upper()}_FILE" for name in SECRET_FIELDS}
    said = []
    if LINK.match(environment.get("TELEMETRY_PORT", "")):
        said.append(
            "TELEMETRY_PORT is ignored: Kubernetes set it for a Service named `telemetry`; rename that, "
            "or set "
            "enableServiceLinks: false."
        )
    for name in sorted(environment):
        # Names of settings are taken in any case of letters, as pydantic does.
        if not name.upper().startswith("TELEMETRY_") or name in known or name.upper() in settings:
            continue
        if not is_service_link(name, environment[name]):
            near = get_close_matches(name.upper(), known, 1)
            said.append(f"{name} is no setting." + (f" Is {near[0]} meant?" if near else ""))
    return said


PATHS = frozenset(
    {"TELEMETRY_DATA_DIR", "TELEMETRY_PG_BIN"}
    | {f"TELEMETRY_{name.upper()}_FILE" for name in Settings.model_fields}
)
SECRET_FIELDS = tuple(
    name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
)
