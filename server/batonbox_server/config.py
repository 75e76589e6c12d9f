"""The one table of settings: name, default, unit, help; CLI and docs derive from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

PREFIX: Final = "BATONBOX_"
# Read by the SDK, the test suite and the browser client's build; known here so that they are not
# mistaken for typing errors.
FOREIGN: Final = frozenset(
    {"BATONBOX_URL", "BATONBOX_TOKEN", "BATONBOX_TEST_ENGINE", "BATONBOX_NODE"}
)


class ConfigError(Exception):
    """A setting that cannot be used; the message names it and says what it takes."""


def _s(default: Any, help: str, *, unit: str = "", secret: bool = False) -> Any:  # noqa: A002
    return field(default=default, metadata={"help": help, "unit": unit, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting; `BATONBOX_<NAME>` sets it, `BATONBOX_<NAME>_FILE` reads it from a file."""

    host: str = _s("127.0.0.1", "address to listen on")
    port: int = _s(8080, "port to listen on; 0 picks a free one")
    workers: int = _s(1, "processes that serve the port, each a node; see docs/workers.md")
    data_dir: str = _s("data", "folder of the embedded engine, the lock and the control socket")
    redis_url: str = _s("", "an engine of your own; empty: the embedded one", secret=True)
    key_space: str = _s("bb", "prefix of every key; one organisation per space")
    origins: str = _s("", "browser origins allowed besides localhost, comma-separated")
    log_level: str = _s("info", "debug, info, warning or error")
    webhook_secret: str = _s(
        "", "base64 key of the webhook carrier, with or without `whsec_`", secret=True
    )
    webhook_url: str = _s("", "where the webhook carrier sends outbound messages")
    loopback: bool = _s(True, "offer the loopback carrier (simulated phones)")
    text_max_chars: int = _s(1600, "longest text of a message", unit="characters")
    pre_auth_max_bytes: int = _s(8192, "largest websocket message before sign-in", unit="bytes")
    message_max_bytes: int = _s(65536, "largest websocket message or HTTP body", unit="bytes")
    commands_in_flight: int = _s(16, "commands under way per connection")
    commands_per_s: float = _s(20.0, "sustained commands per user", unit="1/s")
    commands_burst: int = _s(40, "commands a user may send at once")
    subscriptions_max: int = _s(128, "list and conv subscriptions per connection")
    connections_per_user: int = _s(16, "connections per user and node")
    handshakes_per_s: float = _s(
        500.0, "websocket handshakes per process; more get 503", unit="1/s"
    )
    handshakes_pending_max: int = _s(1000, "websockets not signed in yet; more get 503")
    connections_max: int = _s(
        0, "open websockets per process; more get 503; 0: as many as open files allow"
    )
    http_keep_alive_s: int = _s(
        75,
        "an HTTP connection waits so long for its next request; longer than a balancer keeps it",
        unit="s",
    )
    http_connections_max: int = _s(10_000, "open connections of HTTP per process; more get 503")
    http_timeout_s: float = _s(
        30.0,
        "a request or an answer of HTTP that does not get on for so long is cut, at twice that",
        unit="s",
    )
    memory_max: int = _s(
        0, "a process that takes more refuses new connections; 0: no bound", unit="bytes"
    )
    hello_timeout_s: float = _s(5.0, "time for HELLO after the upgrade", unit="s")
    presence_linger_s: float = _s(
        5.0, "somebody is offline so long after their last connection to a node", unit="s"
    )
    ping_s: float = _s(25.0, "time from one PING of the server to the next", unit="s")
    pong_timeout_s: float = _s(20.0, "time for the answer to PING", unit="s")
    write_timeout_s: float = _s(30.0, "a write blocked longer closes with 4002", unit="s")
    write_batch_bytes: int = _s(65536, "most bytes joined into one write", unit="bytes")
    ring_events: int = _s(4096, "events kept in memory per followed inbox")
    ring_bytes: int = _s(4 << 20, "bytes kept in memory per followed inbox", unit="bytes")
    check_interval_s: float = _s(10.0, "how often a node compares its feeds with the log", unit="s")
    badge_interval_s: float = _s(0.1, "badges are pushed at most this often", unit="s")
    drain_s: float = _s(10.0, "time for clients to move away on SIGTERM", unit="s")
    engine_wait_s: float = _s(
        30.0, "a server that starts waits so long for an engine of your own", unit="s"
    )
    engine_timeout_s: float = _s(5.0, "an engine silent for so long counts as down", unit="s")
    dur_default: str = _s(
        "memory", "how durable a command's success is that does not say: memory, replica or fsync"
    )
    dur_least: str = _s("memory", "and at least is, whatever it says")
    dur_replicas: int = _s(
        1, "replicas that have a write before it counts as on them; 0: never wait for replicas"
    )
    dur_timeout_ms: int = _s(
        2000, "time for replicas or the disk; then the answer is durability_timeout", unit="ms"
    )
    log_events: int = _s(10000, "log entries kept per inbox, at least")
    audit_entries: int = _s(100_000, "audit entries kept per inbox and for the organisation")
    job_lease_s: float = _s(
        30.0, "what a node that died left of an organisation's change is done after", unit="s"
    )
    connection_token_s: int = _s(900, "lifetime of a connection token", unit="s")
    jwt_secret: str = _s(
        "", "HS256 secret of an embedding application's tokens, 32 bytes or more", secret=True
    )
    jwt_jwks_url: str = _s("", "where an embedding application publishes its public keys")
    jwt_issuer: str = _s("", "iss that its tokens must have; empty: any")
    jwt_audience: str = _s("", "aud that its tokens must have; needed with jwt_jwks_url")
    public_url: str = _s("", "address of this server for browsers and carriers")
    secrets_key: str = _s(
        "",
        "seals carrier accounts' secrets, base64 of 32 bytes; empty: made in data_dir",
        secret=True,
    )
    secrets_dir: str = _s("/run/secrets", "folder of the files an account's secret_file may name")
    twilio_account_sid: str = _s("", "gives the carrier account `twilio`; needs twilio_auth_token")
    twilio_auth_token: str = _s("", "its auth token", secret=True)
    twilio_messaging_service_sid: str = _s("", "send through this messaging service of Twilio's")
    twilio_url: str = _s("https://api.twilio.com", "Twilio's API, for every Twilio account")
    kannel_url: str = _s("", "sendsms of a Kannel; gives the carrier account `kannel`")
    kannel_username: str = _s("batonbox", "of its group sendsms-user")
    kannel_password: str = _s("", "and that group's password; needed with kannel_url", secret=True)
    kannel_smsc_id: str = _s("", "smsc-id that its messages leave by; empty: as Kannel routes them")
    oidc_issuer: str = _s("", "identity provider to sign in at (OpenID Connect), by its issuer URL")
    oidc_client_id: str = _s("", "what the provider calls this server; needed with oidc_issuer")
    oidc_client_secret: str = _s("", "secret shared with it; empty: a public client", secret=True)
    oidc_name: str = _s("your organisation", "what the page calls it: Continue with <name>")
    oidc_user_claim: str = _s("preferred_username", "claim that names the user, at the first time")
    oidc_provision: str = _s("off", "member: whoever it knows and we do not becomes a member")
    session_idle_s: int = _s(14 * 86400, "a session unused for so long ends", unit="s")
    session_max_s: int = _s(90 * 86400, "a session ends so long after sign-in", unit="s")
    sign_in_user_burst: int = _s(5, "failed sign-ins per user at once")
    sign_in_user_every_s: float = _s(12.0, "then one failed sign-in per user in", unit="s")
    sign_in_address_burst: int = _s(30, "failed sign-ins per client address at once")
    sign_in_address_every_s: float = _s(2.0, "then one per client address in", unit="s")
    requests_per_s: float = _s(
        200.0, "sustained HTTP requests per user, over all nodes; 0: no bound", unit="1/s"
    )
    requests_burst: int = _s(3000, "HTTP requests a user may send at once")
    requests_address_per_s: float = _s(
        500.0, "sustained HTTP requests per client address, over all nodes; 0: no bound", unit="1/s"
    )
    requests_address_burst: int = _s(5000, "HTTP requests of a client address at once")
    callbacks_per_s: float = _s(
        500.0, "sustained callbacks per carrier account, over all nodes; 0: no bound", unit="1/s"
    )
    callbacks_burst: int = _s(5000, "callbacks of a carrier account at once")
    outbox_lease_s: float = _s(30.0, "a node owns an outbound message for so long", unit="s")
    outbox_attempts: int = _s(8, "attempts before a message is failed")
    outbox_sweep_s: float = _s(1.0, "how often a node looks for due outbound messages", unit="s")
    media_url: str = _s("", "s3://bucket/prefix for messages' files; empty: <data_dir>/media")
    media_s3_endpoint: str = _s("", "address of what speaks S3; empty: Amazon's")
    media_s3_region: str = _s("", "its region; empty: AWS_REGION")
    media_s3_key_id: str = _s(
        "", "its access key; empty: AWS_ACCESS_KEY_ID, or a role", secret=True
    )
    media_s3_secret: str = _s("", "and that key's secret", secret=True)
    media_max_bytes: int = _s(5 << 20, "files of one message together, at most", unit="bytes")
    media_max_files: int = _s(10, "files of one message, at most; never more than 10")
    media_unsent_max_bytes: int = _s(
        50 << 20, "files a user has uploaded and not sent yet, at most", unit="bytes"
    )
    media_attempts: int = _s(10, "attempts to fetch a customer's file")
    media_timeout_s: float = _s(30.0, "time for a customer's file to arrive", unit="s")
    media_private: bool = _s(
        False, "let customers' files be fetched from http:// and private addresses"
    )
    archive_url: str = _s(
        "",
        "postgresql://... for the archive of old messages, shared by all nodes; empty: a file in"
        " data_dir with the embedded engine, none with one of your own",
        secret=True,
    )
    archive_keep_messages: int = _s(50, "newest messages of a conversation that stay in the engine")
    archive_done_days: float = _s(
        30.0, "a conversation done for so long leaves the engine", unit="days"
    )
    archive_sweep_s: float = _s(5.0, "how often a node looks for what may be archived", unit="s")
    engine_memory_max: int = _s(
        0,
        "of the engine's used_memory; from 4/5 of it on, what is done leaves earlier, the oldest"
        " first; logs and open conversations stay, whatever they take; 0: no bound",
        unit="bytes",
    )
    search_index: str = _s(
        "auto",
        "file: one per node; engine: its FT.SEARCH; auto: engine, where it has that and no bound",
    )
    search_dir: str = _s("", "folder of this node's search index; empty: data_dir")
    rooms_per_user: int = _s(1000, "direct rooms and channels one person may be in")
    webhooks_attempts: int = _s(30, "attempts before an event for a webhook is failed")
    webhooks_first_pause_s: float = _s(
        1.0, "before the second attempt; then 4 times as long", unit="s"
    )
    webhooks_longest_pause_s: float = _s(3600.0, "between two attempts, at most", unit="s")
    webhooks_timeout_s: float = _s(10.0, "time for a webhook's receiver to answer", unit="s")
    webhooks_sweep_s: float = _s(5.0, "how often a node looks for what others left", unit="s")
    webhooks_private: bool = _s(False, "let webhooks reach http:// and private addresses")


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings from the environment, then `overrides` that are not None; raises ConfigError."""
    environ = os.environ if environ is None else environ
    known = {f.name: f for f in fields(Settings)}
    values: dict[str, Any] = {}
    for key, text in environ.items():
        if not key.startswith(PREFIX) or key in FOREIGN:
            continue
        name, raw = key.removeprefix(PREFIX).lower(), text
        if name not in known and name.endswith("_file"):
            name, raw = name.removesuffix("_file"), _read(key, text)
        if name not in known:
            raise ConfigError(f"{key} is not a setting; `batonbox-server config` lists them")
        values[name] = _parse(key, raw, known[name].default)
    values.update({name: value for name, value in overrides.items() if value is not None})
    return Settings(**values)


def masked(settings: Settings) -> dict[str, Any]:
    """The effective settings with secrets hidden."""
    shown = {}
    for f in fields(settings):
        value = getattr(settings, f.name)
        shown[f.name] = "********" if f.metadata["secret"] and value else value
    return shown


def _read(key: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{key}: {path} cannot be read ({error.strerror})") from error


def _parse(key: str, raw: str, default: Any) -> Any:
    if isinstance(default, bool):
        if raw.lower() in {"1", "true", "yes", "on"}:
            return True
        if raw.lower() in {"0", "false", "no", "off"}:
            return False
        raise ConfigError(f"{key} must be true or false, not {raw!r}")
    if isinstance(default, int | float):
        try:
            value = type(default)(raw)
        except ValueError:
            raise ConfigError(f"{key} must be a number, not {raw!r}") from None
        if value < 0:
            raise ConfigError(f"{key} must not be negative")
        return value
    return raw
