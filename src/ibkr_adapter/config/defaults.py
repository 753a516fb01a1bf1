"""What stands where a file says nothing, and the file that says all of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from ibkr_adapter.config.model import AccountKind, Capability, Component, Environment, Limits, MarketData

SIMULATED: Final = "simulated"
PRODUCTION: Final = "production"
MAIN: Final = "ibkr_adapter"
"""The component that a file means when it names none."""

FILE_BYTES_MAX: Final = 1_000_000
INSTRUMENTS_MAX: Final = 100
"""IB's ordinary allowance of market-data lines."""

KNOWN_PORTS: Final = {
    7496: AccountKind.LIVE,
    4001: AccountKind.LIVE,
    7497: AccountKind.PAPER,
    4002: AccountKind.PAPER,
}
"""TWS and IB Gateway as installed. Source: TWS API, errors 502."""

DEFAULT_ENVIRONMENTS: Final = {
    SIMULATED: Environment(),
    "development": Environment(),
    "staging": Environment(),
    PRODUCTION: Environment(account_kind=AccountKind.LIVE, market_data=MarketData.LIVE_ONLY),
}

DEFAULT_PORTS: Final = {"development": 7497, "staging": 4002}

DEFAULT_COMPONENTS: Final = {
    "ibkr_adapter": Component(
        client_id=1, purpose="primary market data and order routing", capabilities=tuple(Capability)
    ),
    "risk_manager": Component(
        client_id=2, purpose="account summary and margin, read-only", capabilities=(Capability.ACCOUNT,)
    ),
    "execution_replay": Component(
        client_id=3,
        purpose="analytics without orders, paper accounts only",
        capabilities=(Capability.MARKET_DATA, Capability.ACCOUNT),
        paper_only=True,
    ),
    "emergency_console": Component(
        client_id=99, purpose="a person, during incidents only", capabilities=(Capability.ACCOUNT, Capability.ORDERS)
    ),
}
"""The client-id table of the desk: IB allows one session for each client id, so each component has its own."""

READ_ONLY: Final = frozenset({"risk_manager", "execution_replay"})

PAPER_LIMITS: Final = Limits(
    order_quantity_shares=Decimal(1_000),
    order_notional_usd=Decimal(250_000),
    open_orders=20,
    price_collar_percent=Decimal(5),
)
"""Paper environments ship limits; a live one never does."""

PRIMARY_EXCHANGES: Final = {"SPY": "ARCA", "IWM": "ARCA"} | dict.fromkeys(
    ("QQQ", "AAPL", "MSFT", "GOOGL", "GOOG", "AMZN", "NVDA", "META", "TSLA"), "NASDAQ"
)

DEFAULT_SYMBOLS: Final = ("SPY", "QQQ", "IWM", "AAPL", "MSFT", "GOOGL", "AMZN", "NVDA", "META", "TSLA")

DEFAULT_TEMPLATE: Final = """\
# ibkr-adapter configuration. Every line shows a default: what you leave out is as written here.

environment = "development"     # development, staging or production; "simulated" belongs to `ibkr-adapter demo`
component = "ibkr_adapter"      # who we are, from the table of components below
# data_dir = "~/.local/state/ibkr-adapter/development"   # XDG_STATE_HOME is respected
allow_plaintext = []            # hosts beyond loopback to which IB's unencrypted protocol may be spoken
message_codes = ""              # file with the desk's own rows over the table of IB's message codes

[environments.development]
account_kind = "paper"          # paper or live; live is accepted in production only
account = ""                    # the only account accepted; required for live, in full
gateway = "primary"             # one of the gateways below
standby = ""                    # another of them, with a username of its own; empty: no failover
# upstream_recycle_s = 300      # connect anew when the gateway has been without IB for so long; left out: never
# upstream_failover_s = 600     # or use the standby; left out: never
market_data = "live-or-delayed" # or "live-only", the default of production
packages = []                   # releases of the official client allowed here, e.g. ["10.50.2"]; empty: all supported

[gateways.primary]
host = "127.0.0.1"
port = 7497                     # 7497 TWS paper, 7496 TWS live, 4002 Gateway paper, 4001 Gateway live
# kind = "live"                 # only for a live gateway behind another port
username = ""                   # a label of the login behind it; needed where there is a standby
# trading = true                # whether orders may go there; left out: not at a standby
time_zone = "America/New_York"  # of the times below: that of the gateway's own restart

# [gateways.primary.tls]        # a tunnel in front of the gateway; without this table nothing is encrypted
# ca = "tunnel-ca.pem"          # the authority that signed the tunnel's certificate, PEM; or system_ca = true
# system_ca = false             # trust the authorities of this machine instead
# certificate = "ours.pem"      # ours, for a tunnel that asks for one
# key = "ours-key.pem"          # its key, readable by this user alone
# key_password = ""             # where the passphrase of the key stands, as a password of Redis below
# server_name = ""              # the name in the tunnel's certificate, where it is not the host
# fingerprint = ""              # SHA-256 of the only certificate to accept, besides all else

# [[gateways.primary.windows]]  # when it or IB is expected to be away; the page on the configuration lists the defaults
# name = "gateway_restart"      # one of the defaults, of which only what is given here changes, or a name of your own
# kind = "restart"              # or "broker", IB's own resets, or "login", which waits for a person
# days = "daily"                # or ["sun", "mon"]: the days on which it begins
# at = "04:45"
# minutes = 45                  # 0 switches it off; windows = [] in the table above all of them
# patience_minutes = 10         # of a restart: how long after the loss nobody is told

[components.ibkr_adapter]
client_id = 1                   # 0 is never used, no id twice
purpose = "primary market data and order routing"
capabilities = ["market_data", "account", "orders"]

[trading]
enabled = false                 # nothing is sent to the market until this is true
command_ttl_s = 2               # an order older than this is refused rather than sent late

[trading.limits]                # a missing limit refuses every order; live has no defaults
order_quantity_shares = 1000
order_notional_usd = 250000
open_orders = 20
price_collar_percent = 5        # furthest a limit price may stand from the market

[market_data]
generic_ticks = "233"           # 233 trades and volume, 236 shortable

# [[instruments]]               # default: SPY QQQ IWM AAPL MSFT GOOGL AMZN NVDA META TSLA
# symbol = "SPY"
# primary_exchange = "ARCA"

[pacing]
messages_max = 45               # in any second; IB allows half as many as there are lines, 50 for 100
messages_reserved = 5           # on top of them, for cancels alone
messages_burst = 5              # in a tenth of a second, of what is no order
lines = 100                     # market-data lines of the login, shared with TWS and with every other client
depth = 3                       # instruments that may show depth at once
tick_by_tick = 5                # tick-by-tick streams at once

[http]
listen = "127.0.0.1:8080"       # port 0 takes any free one
hosts = []                      # further names under which a browser may reach the page
token = ""                      # where it stands, as a password of Redis below; empty: made at each start

[store]
path = ""                       # SQLite file; default: <data_dir>/store.sqlite

[journal]
directory = ""                  # default: <data_dir>/journal

[ha]                            # several machines share a client id: one works, the others stand by
enabled = false                 # needs redis.url
lease_ttl_s = 15                # within this time of one's death another has taken over
name = ""                       # what the others call this one; default: the host's name

[redis]
url = ""                        # e.g. "redis://localhost:6379/0"; empty: no Redis
password = ""                   # where it stands: "env:NAME", "file:/path" or "vault:path#field"
prefix = ""                     # before every key, so that environments can share a server

[vault]                         # where secrets named "vault:path#field" stand
url = ""                        # e.g. "https://vault.desk:8200"; empty: no Vault
auth = "approle"                # or "token"
role_id = ""                    # for approle, each named as above: "env:NAME" or "file:/path"
secret_id = ""
token = ""                      # for token
mount = "secret"                # of the KV engine, version 2
namespace = ""                  # Enterprise only
ca = ""                         # file of the certificate authority; default: the ones this machine trusts
timeout_s = 5                   # an exchange that takes longer has failed
ttl_s = 3600                    # a value is used this long after it was last read, and read again at half of it

[log]
level = "info"                  # debug, info, warning, error
"""
