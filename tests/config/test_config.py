from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ibkr_adapter import statefile
from ibkr_adapter.clock import SECOND
from ibkr_adapter.config import (
    DEFAULT_SYMBOLS,
    PAPER_LIMITS,
    AccountKind,
    Capability,
    Config,
    Limits,
    MarketData,
    reading,
)
from ibkr_adapter.config.defaults import DEFAULT_TEMPLATE
from ibkr_adapter.config.reading import parse, simulated
from ibkr_adapter.config.showing import show
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.errors import ConfigurationError
from tests.config.refusals import refused

LIVE = """
environment = "production"
[environments.production]
account = "U1234567"
[gateways.primary]
port = 4001
"""


class TestDefaults:
    def test_an_empty_file_is_paper_on_loopback_and_sends_nothing(self) -> None:
        """Nothing configured means: development, paper, TWS's paper port on loopback, trading off, page on loopback."""
        config = parse("", "empty")
        assert (config.environment, config.active.account_kind) == ("development", AccountKind.PAPER)
        assert config.gateway.address == "127.0.0.1:7497"
        assert not config.trading.enabled
        assert config.http.loopback
        assert config.client_id == 1

    def test_the_default_instruments_have_their_primary_exchanges(self) -> None:
        """SPY and IWM are listed on ARCA, the others of the default list on NASDAQ."""
        venues = {i.symbol: i.primary_exchange for i in parse("", "empty").instruments}
        assert tuple(venues) == DEFAULT_SYMBOLS
        assert {s for s, v in venues.items() if v == "ARCA"} == {"SPY", "IWM"}
        assert set(venues.values()) == {"ARCA", "NASDAQ"}

    def test_the_template_says_what_an_empty_file_means(self) -> None:
        """The commented template parses to exactly the defaults it claims to show."""
        template, empty = parse(DEFAULT_TEMPLATE, "x"), parse("", "x")
        assert replace(template, given=frozenset()) == empty

    def test_the_reference_page_holds_the_template(self) -> None:
        """docs/reference/configuration.md shows the template word for word."""
        page = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
        assert DEFAULT_TEMPLATE in page.read_text()

    def test_data_lives_in_the_state_directory_of_the_user(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """XDG_STATE_HOME is respected, each environment has its own directory."""
        monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
        config = parse("", "empty")
        assert config.data_dir == "/var/state/ibkr-adapter/development"
        assert config.store.path == "/var/state/ibkr-adapter/development/store.sqlite"
        assert statefile.path_in(config.data_path) == Path("/var/state/ibkr-adapter/development/service.json")

    def test_relative_paths_count_from_the_file(self, tmp_path: Path) -> None:
        """A relative directory means beside the file, wherever the service is started."""
        file = tmp_path / "desk.toml"
        file.write_text('data_dir = "var"\n[journal]\ndirectory = "j"')
        config = reading.load(file)
        assert config.data_dir == str(tmp_path / "var")
        assert config.journal.directory == str(tmp_path / "j")


class TestPrecision:
    @pytest.mark.parametrize(
        ("text", "path", "remedy"),
        [
            ('enviroment = "staging"', "enviroment", "did you mean environment?"),
            ("[trading]\nenabeld = true", "trading.enabeld", "did you mean enabled?"),
            ("[trading.limits]\norder_notional = 1", "trading.limits.order_notional", "order_notional_usd"),
            ('environment = "prodution"', "environment", "did you mean production?"),
            ('[environments.stagin]\naccount = ""', "environments.stagin", "did you mean staging?"),
            ('[log]\nlevel = "loud"', "log.level", "debug, info, warning, error"),
            ('component = "ibkr_adaptor"', "component", "did you mean ibkr_adapter?"),
        ],
    )
    def test_a_misspelt_key_is_refused_and_the_right_one_named(self, text: str, path: str, remedy: str) -> None:
        """Unknown keys and names are never ignored: the error names the dotted path and the nearest known one."""
        error = refused(text)
        assert error.path == path
        assert remedy in error.remedy

    @pytest.mark.parametrize(
        ("text", "path", "message"),
        [
            ('[trading]\nenabled = "true"', "trading.enabled", "expected true or false, got text"),
            ("[trading.limits]\nopen_orders = 1.5", "trading.limits.open_orders", "expected whole number"),
            ('[trading.limits]\norder_notional_usd = "5"', "trading.limits.order_notional_usd", "expected number"),
            ("[trading.limits]\norder_notional_usd = inf", "trading.limits.order_notional_usd", "not a number"),
            ("[trading.limits]\norder_notional_usd = 1e99", "trading.limits.order_notional_usd", "not a number"),
            ("[trading.limits]\nopen_orders = 0", "trading.limits.open_orders", "above 0"),
            ("[trading]\ncommand_ttl_s = 0", "trading.command_ttl_s", "above 0"),
            ("trading = 3", "trading", "expected a table"),
            ('[gateways.primary]\nhost = "127.0.0.1"', "gateways.primary.port", "missing"),
            ("[gateways.primary]\nport = 70000", "gateways.primary.port", "not a port"),
            ('[http]\nlisten = "8080"', "http.listen", "not an address and port"),
            ('[http]\nlisten = "::1:8080"', "http.listen", "not an address and port"),
            ('[redis]\nurl = "localhost:6379"', "redis.url", "not a Redis address"),
            ('[market_data]\ngeneric_ticks = "233;236"', "market_data.generic_ticks", "no tick number"),
            ('[[instruments]]\nsymbol = "spy"', "instruments[0].symbol", "no symbol"),
            (
                '[[instruments]]\nsymbol = "SPY"\n[[instruments]]\nsymbol = "SPY"',
                "instruments[1].symbol",
                "listed twice",
            ),
            ('[[instruments]]\nsymbol = "SPY\\u0000"', "instruments[0].symbol", "no symbol"),
        ],
    )
    def test_a_value_of_the_wrong_kind_is_refused_where_it_stands(self, text: str, path: str, message: str) -> None:
        """Each error names the key by its dotted path and says what is wrong with the value."""
        error = refused(text)
        assert error.path == path
        assert message in error.message

    def test_broken_toml_is_reported_with_its_line(self) -> None:
        """What is not TOML is refused with the file's name and the line."""
        error = refused('environment = "staging"\n[trading\n')
        assert "desk.toml" in error.message
        assert "line 2" in error.message

    @pytest.mark.parametrize("content", [None, b"\xff\xfe", b"a" * 1_000_001])
    def test_a_file_that_cannot_be_read_is_a_configuration_error(self, tmp_path: Path, content: bytes | None) -> None:
        """Missing, not UTF-8, or far too large: said in one sentence, with what to do."""
        file = tmp_path / "desk.toml"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ConfigurationError) as caught:
            reading.load(file)
        assert caught.value.remedy


class TestMoney:
    def test_live_needs_production_full_account_and_live_port(self) -> None:
        """With all three said, live is accepted; market data is then live only and no limit is invented."""
        config = parse(LIVE, "desk.toml")
        assert config.active.account_kind is AccountKind.LIVE
        assert config.active.market_data is MarketData.LIVE_ONLY
        assert config.trading.limits == Limits()

    @pytest.mark.parametrize(
        ("old", "new", "path"),
        [
            ('account = "U1234567"', "", "environments.production.account"),
            ('"U1234567"', '"U***567"', "environments.production.account"),
            ('"U1234567"', '"DU1234567"', "environments.production.account"),
            ("port = 4001", "port = 4002", "gateways.primary.port"),
            ("port = 4001", "port = 5000", "gateways.primary.port"),
            ("[gateways.primary]\nport = 4001", "", "gateways"),
            ("port = 4001", 'port = 4001\nkind = "paper"', "gateways.primary.kind"),
            ('environment = "production"', 'component = "execution_replay"\nenvironment = "production"', "component"),
        ],
    )
    def test_live_is_refused_when_one_of_them_disagrees(self, old: str, new: str, path: str) -> None:
        """A masked or paper account, a paper or unknown port, no port, a paper-only component: never live."""
        assert refused(LIVE.replace(old, new)).path == path

    def test_a_live_gateway_behind_another_port_must_be_called_live(self) -> None:
        """A port IB does not know says nothing, so the file has to."""
        config = parse(LIVE.replace("port = 4001", 'port = 5000\nkind = "live"'), "desk.toml")
        assert config.gateway.port == 5000

    @pytest.mark.parametrize("environment", ["development", "staging"])
    def test_live_is_refused_outside_production(self, environment: str) -> None:
        """Only production may name a live account."""
        error = refused(f'[environments.{environment}]\naccount_kind = "live"\naccount = "U1234567"')
        assert error.path == f"environments.{environment}.account_kind"

    @pytest.mark.parametrize("port", [7496, 4001])
    def test_paper_never_reaches_a_live_port(self, port: int) -> None:
        """A paper environment pointed at a live port is a mistake, not a wish."""
        assert refused(f"[gateways.primary]\nport = {port}").path == "gateways.primary.port"

    def test_paper_limits_ship_and_one_may_be_changed_alone(self) -> None:
        """What a paper file leaves out keeps its shipped limit, exact to the last digit where given."""
        limits = parse("[trading.limits]\norder_notional_usd = 1234.56", "x").trading.limits
        assert limits == replace(PAPER_LIMITS, order_notional_usd=Decimal("1234.56"))

    def test_live_trading_without_limits_warns_that_every_order_is_refused(self) -> None:
        """A missing limit refuses; the file is accepted and says so."""
        config = parse(LIVE + "[trading]\nenabled = true\n[trading.limits]\nopen_orders = 5", "desk.toml")
        assert config.trading.limits.missing == ("order_quantity_shares", "order_notional_usd", "price_collar_percent")
        assert any("every order will be refused" in warning for warning in config.warnings)

    def test_the_simulated_environment_cannot_be_configured_by_file(self) -> None:
        """Only the demo, which starts the simulator itself, runs as simulated."""
        assert "demo" in refused('environment = "simulated"').remedy

    def test_the_demo_accepts_one_port_and_one_account(self, tmp_path: Path) -> None:
        """Trading on, paper limits, and nothing but the simulator it started."""
        config = simulated(45_123, "DU1234567", tmp_path, "127.0.0.1:0")
        assert config.environment == "simulated"
        assert config.active.account == "DU1234567"
        assert config.gateway.address == "127.0.0.1:45123"
        assert config.trading.enabled
        assert config.trading.limits == PAPER_LIMITS
        assert config.journal.directory.startswith(str(tmp_path))

    @pytest.mark.parametrize(("environment", "kind"), [("development", "paper"), ("production", "live")])
    def test_an_account_of_unknown_kind_belongs_to_no_environment(self, environment: str, kind: str) -> None:
        """A prefix that says neither paper nor live is refused, for money as for play."""
        text = f'[environments.{environment}]\naccount_kind = "{kind}"\naccount = "X1234567"'
        assert refused(text).path == f"environments.{environment}.account"


class TestClientIds:
    def test_the_desk_table_is_the_default(self) -> None:
        """1 trades, 2 reads the account, 3 is paper only, 99 is for a person."""
        components = parse("", "x").components
        assert {name: c.client_id for name, c in components.items()} == {
            "ibkr_adapter": 1,
            "risk_manager": 2,
            "execution_replay": 3,
            "emergency_console": 99,
        }
        assert {name for name, c in components.items() if c.can(Capability.ORDERS)} == {
            "ibkr_adapter",
            "emergency_console",
        }

    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ("[components.ibkr_adapter]\nclient_id = 0", "components.ibkr_adapter.client_id"),
            ("[components.ibkr_adapter]\nclient_id = -1", "components.ibkr_adapter.client_id"),
            ("[components.mine]\nclient_id = 2", "components.mine.client_id"),
            ('[components.risk_manager]\ncapabilities = ["orders"]', "components.risk_manager.capabilities"),
            ('[components.mine]\nclient_id = 7\ncapabilities = ["magic"]', "components.mine.capabilities"),
        ],
    )
    def test_ids_are_governed(self, text: str, path: str) -> None:
        """No id 0, no id twice, no orders for read-only components."""
        assert refused(text).path == path

    def test_a_component_of_our_own_joins_the_table(self) -> None:
        """A new component needs an id of its own and reads only, unless it says otherwise."""
        config = parse('component = "mine"\n[components.mine]\nclient_id = 7', "x")
        assert config.client_id == 7
        assert not config.identity.can(Capability.ORDERS)


STANDBY = """
[environments.development]
standby = "secondary"
[gateways.primary]
port = 7497
username = "desk"
[gateways.secondary]
port = 4002
username = "desk-2"
"""


class TestStandby:
    def test_a_standby_has_a_login_of_its_own_and_no_orders(self) -> None:
        """Both gateways may be used, the environment's own first; orders go to a standby only where it says so."""
        config = parse(STANDBY, "x")
        assert config.usable_gateways == ("primary", "secondary")
        assert [gateway.trading for gateway in Settings.of(config).gateways] == [True, False]
        config = parse(STANDBY + "trading = true", "x")
        assert [gateway.trading for gateway in Settings.of(config).gateways] == [True, True]

    def test_without_a_standby_there_is_no_failover(self) -> None:
        """A second gateway in the file is not enough."""
        assert parse(STANDBY.replace("standby", "# standby"), "x").usable_gateways == ("primary",)

    @pytest.mark.parametrize(
        ("old", "new", "path", "words"),
        [
            ('username = "desk-2"', "", "gateways.secondary.username", "ends the first session of a username"),
            ('username = "desk"', "", "gateways.primary.username", "ends the first session of a username"),
            ("desk-2", "DESK", "gateways.secondary.username", "share one username"),
            ('"secondary"', '"tertiary"', "environments.development.standby", "there is no 'tertiary'"),
            ('"secondary"', '"primary"', "environments.development.standby", "own gateway"),
            ("port = 4002", "port = 7497", "environments.development.standby", "own gateway"),
            ("port = 4002", "port = 4001", "gateways.secondary.port", "4001 is a live port"),
            ("standby =", "upstream_recycle_s = 59\nstandby =", "environments.development.upstream_recycle_s", "59 s"),
            ('standby = "secondary"', "upstream_failover_s = 90", "environments.development.upstream_failover_s", "no"),
        ],
    )
    def test_what_cannot_be_a_standby_is_refused_with_the_reason(
        self, old: str, new: str, path: str, words: str
    ) -> None:
        """IB ends the first session of a username when a second begins: failover would take down what it replaces."""
        fault = refused(STANDBY.replace(old, new, 1))
        assert fault.path == path
        assert words in str(fault)

    def test_how_long_a_gateway_may_be_without_ib_is_for_ever_unless_said(self) -> None:
        """Unset is never, and seconds reach the core as they were meant."""
        settings = Settings.of(parse(STANDBY, "x"))
        assert (settings.upstream_recycle_ns, settings.upstream_failover_ns) == (None, None)
        said = STANDBY.replace("standby =", "upstream_recycle_s = 300\nupstream_failover_s = 600\nstandby =")
        settings = Settings.of(parse(said, "x"))
        assert (settings.upstream_recycle_ns, settings.upstream_failover_ns) == (300 * SECOND, 600 * SECOND)


class TestBorders:
    def test_plaintext_leaves_the_machine_only_when_the_host_is_named(self) -> None:
        """IB's protocol is not encrypted: a host elsewhere must be named in allow_plaintext."""
        text = '[gateways.primary]\nhost = "gw.desk"\nport = 4002'
        assert refused(text).path == "gateways.primary.host"
        assert parse('allow_plaintext = ["gw.desk"]\n' + text, "x").gateway.host == "gw.desk"

    @pytest.mark.parametrize("text", ["[gateways.primary]\nport = 7497\nhost = '::1'", "[http]\nlisten = '[::1]:80'"])
    def test_ipv6_loopback_is_loopback(self, text: str) -> None:
        """::1 needs no permission."""
        config = parse(text, "x")
        assert config.http.loopback
        assert "::1" in (config.gateway.address + config.http.host)

    def test_passwords_are_never_shown(self) -> None:
        """Neither repr nor the shown configuration holds the password of a store."""
        config = parse('[redis]\nurl = "redis://desk:s3cret@host:6379/0?password=s3cret"', "x")
        assert "s3cret" in config.redis.url
        for shown in (repr(config), str(config), show(config)):
            assert "s3cret" not in shown
            assert "***@host:6379/0" in shown

    def test_tick_258_is_left_out_with_a_warning(self) -> None:
        """258 is fundamental ratios at IB, not the time of the last trade."""
        config = parse('[market_data]\ngeneric_ticks = "233, 236,258"', "x")
        assert config.market_data.generic_ticks == "233,236"
        assert any("258" in warning for warning in config.warnings)

    def test_island_is_nasdaq(self) -> None:
        """One venue, one name."""
        (instrument,) = parse('[[instruments]]\nsymbol = "AMD"\nprimary_exchange = "ISLAND"', "x").instruments
        assert instrument.primary_exchange == "NASDAQ"

    def test_what_is_shown_is_toml_that_means_the_same(self) -> None:
        """The shown configuration marks defaults and can be read back."""
        config = parse(LIVE + '[http]\nlisten = "127.0.0.1:9000"', "desk.toml")
        shown = show(config)
        assert 'listen = "127.0.0.1:9000"\n' in shown
        assert 'level = "info"  # default' in shown
        assert "# order_notional_usd is not set: every order is refused" in shown
        again = parse(shown, "again")
        assert replace(again, origin="", given=frozenset(), environments={}) == replace(
            config, origin="", given=frozenset(), environments={}
        )
        assert again.active == config.active


def toml(value: object) -> str:
    """Enough of TOML to write any generated document inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(str(k))} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in value) + '"'
    return str(value)


KEYS = (
    st.sampled_from(
        [
            *Config.__struct_fields__,
            "primary",
            "development",
            "account",
            "port",
            "client_id",
            "limits",
            "url",
            "enabled",
        ]
    )
    | st.sampled_from(
        ["listen", "path", "symbol", "order_notional_usd", "command_ttl_s", "host", "kind", "capabilities"]
    )
    | st.text(max_size=5)
)
LEAVES = (
    st.none().map(lambda _: "")
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["127.0.0.1:8080", "live", "redis://[", "~nobody/x", "~", "U1234567", "simulated", "7497"])
)
DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
    ),
    max_size=6,
)


class TestAnything:
    @given(st.text() | st.text(alphabet='[]{}=".,#\n\\ae019-+_:TZ', max_size=60))
    def test_any_text_is_a_configuration_or_a_configuration_error(self, text: str) -> None:
        """Whatever the file holds, nothing but ConfigurationError comes out."""
        check(text)

    @given(DOCUMENTS)
    def test_any_document_is_a_configuration_or_a_configuration_error(self, document: dict[str, object]) -> None:
        """Well-formed TOML with any keys and values of any kind: the same."""
        text = "\n".join(f"{toml(key)} = {toml(value)}" for key, value in document.items())
        tomllib.loads(text)
        check(text)

    @pytest.mark.parametrize("text", ["x=" + "[" * 100_000, "x=" + "9" * 5_000, "x=1e999999999999", "\n" * 1_000_001])
    def test_what_would_exhaust_us_is_refused(self, text: str) -> None:
        """Depth, digits, exponents and length are bounded."""
        refused(text)


def check(text: str) -> None:
    try:
        result = parse(text, "fuzz")
    except ConfigurationError as error:
        refusal = str(error)
    else:
        assert isinstance(result, Config)
        refusal = ""
        show(result)
    assert "\n" not in refusal
