// The page: folds server-sent events into tables. It only ever writes text, never markup, and it says at once when what
// it shows has stopped being true.

const SILENT_MS = 3500;       // the service sends something at least every second
const STALE_MS = 6000;        // neither a tick nor a proof that the line is alive
const SPARK_POINTS = 120;
const SPARK_POINTS_MIN = 30;
const SPARK_EVERY_MS = 1000;
const MS = 1e6;               // nanoseconds in a millisecond

const $ = (id) => document.getElementById(id);
const root = document.documentElement;

let state = null;             // the last whole picture
const quotes = new Map();     // instrument -> quote
const proven = new Map();     // instrument -> ms, the last proof that its line is alive
const sparks = new Map();     // instrument -> { points, at }
const rows = new Map();       // instrument -> cells of its row
let held = [];                // positions shown, each { key, row }
let clockSkew = null;         // browser minus service, ms
let heardAt = performance.now();
let lostAt = null;
let source = null;

// --- numbers and words -----------------------------------------------------------------------------------------

const DASH = "–";
const minus = (text) => text.replace("-", "−");
const formats = new Map();
function number(value, digits, signed = false) {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  const key = `${digits}${signed}`;
  if (!formats.has(key)) {
    formats.set(key, new Intl.NumberFormat("en-US", {
      minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: signed ? "exceptZero" : "auto",
    }));
  }
  return minus(formats.get(key).format(value));
}
const plainNumber = new Intl.NumberFormat("en-US", { maximumFractionDigits: 6 });
const quantity = (value) => (value === null || value === undefined ? DASH : minus(plainNumber.format(value)));
const price = (value) => number(value, value !== null && Math.abs(value) < 1 ? 4 : 2);
const money = (value, signed = false) => number(value, 2, signed);

const plural = (n, one, many = `${one}s`) => `${plainNumber.format(n)} ${n === 1 ? one : many}`;
const words = (name) => {
  const text = String(name ?? "").replaceAll("_", " ").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
};

function age(ms) {
  if (ms === null || !Number.isFinite(ms)) return DASH;
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d`;
}
const serviceNow = () => Date.now() - (clockSkew ?? 0);
const since = (ns) => (ns === null || ns === undefined ? null : serviceNow() - ns / MS);
const newYork = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "America/New_York",
});
const clock = (ns) => (ns ? newYork.format(new Date(ns / MS)) : DASH);
const newYorkMinute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "America/New_York" });
const newYorkDay = new Intl.DateTimeFormat("en-GB", { weekday: "short", timeZone: "America/New_York" });
function minuteOf(ns) { // with the day where it is not today
  const at = new Date(ns / MS), day = newYorkDay.format(at);
  return `${day === newYorkDay.format(new Date(serviceNow())) ? "" : `${day} `}${newYorkMinute.format(at)}`;
}
function countdown(ns) {
  const s = Math.max(0, Math.ceil(-since(ns) / 1000));
  return s < 600 ? `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")} min` : age(s * 1000);
}
const direction = (value) => (value > 0 ? "up" : value < 0 ? "down" : "");

// --- writing to the document -----------------------------------------------------------------------------------

function make(tag, { text, cls, level, title } = {}, ...children) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (cls) element.className = cls;
  if (level) element.dataset.level = level;
  if (title) element.title = title;
  element.append(...children);
  return element;
}
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
function mark(element, text, level) {
  write(element, text);
  if (element.dataset.level !== level) element.dataset.level = level;
}
const cell = (text, cls = "n", title) => make("td", { text, cls, title });
const name = (text, extra) => {
  const header = make("th", { text });
  header.scope = "row";
  if (extra) header.append(" ", make("small", { text: extra }));
  return header;
};
function emptyRow(body, columns, text) {
  const only = make("td", { text, cls: "empty" });
  only.colSpan = columns;
  body.replaceChildren(make("tr", {}, only));
}
const LEVELS = new Set(["bad", "warn"]);
const facts = (list, pairs) => list.replaceChildren(...pairs.flatMap(([term, value, cls, title]) => [
  make("dt", { text: term, cls: cls?.includes("lead") ? "lead" : "" }), make("dd", LEVELS.has(cls) ? { text: value, level: cls, title } : { text: value, cls, title }),
]));
function announce(text) { write($("announce"), text); }

// --- quotes ----------------------------------------------------------------------------------------------------

const FIELDS = ["bid_size", "bid", "ask", "ask_size", "spread", "last", "last_size", "change", "percent"];
const WIDE = new Set(["bid_size", "ask_size", "spread", "last_size", "percent"]);
const PRICES = new Set(["bid", "ask", "last"]);

function quoteRow(instrument) {
  if (rows.has(instrument)) return rows.get(instrument);
  const unlike = make("small", { cls: "narrow" }); // where there is no room for the source, what is not live still says so
  const head = name(instrument);
  head.append(" ", unlike);
  const row = make("tr", {}, head);
  const cells = { row, unlike, values: {} };
  for (const field of FIELDS) {
    cells[field] = cell(DASH, `n${WIDE.has(field) ? " wide" : ""}${PRICES.has(field) ? " price" : ""}`);
    row.append(cells[field]);
  }
  cells.spark = spark();
  cells.source = make("span", { text: DASH, cls: "tag" });
  cells.age = cell(DASH, "n dim");
  row.append(make("td", { cls: "spark-cell" }, cells.spark.svg), make("td", { cls: "wide" }, cells.source), cells.age);
  $("quote-rows").append(row);
  rows.set(instrument, cells);
  return cells;
}

function spark() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 100 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const base = document.createElementNS(svg.namespaceURI, "line");
  const path = document.createElementNS(svg.namespaceURI, "path");
  svg.append(base, path);
  return { svg, base, path };
}

const mid = (quote) => (quote.bid !== null && quote.ask !== null ? (quote.bid + quote.ask) / 2 : quote.last);
const current = (quote) => quote?.last ?? (quote ? mid(quote) : null);

function showQuote(quote) {
  const before = quotes.get(quote.instrument);
  if (before && before.ts_recv_ns > quote.ts_recv_ns) return;
  quotes.set(quote.instrument, quote);
  const cells = quoteRow(quote.instrument);
  const now = current(quote);
  const change = now !== null && quote.close ? now - quote.close : null;
  const shown = {
    bid_size: quantity(quote.bid_size), bid: price(quote.bid), ask: price(quote.ask), ask_size: quantity(quote.ask_size),
    spread: quote.bid !== null && quote.ask !== null ? number(quote.ask - quote.bid, quote.bid < 1 ? 4 : 2) : DASH,
    last: price(quote.last), last_size: quantity(quote.last_size),
    change: number(change, 2, true), percent: change === null ? DASH : `${number((100 * change) / quote.close, 2, true)} %`,
  };
  for (const field of FIELDS) {
    if (cells.values[field] === shown[field]) continue;
    cells.values[field] = shown[field];
    cells[field].textContent = shown[field];
    if (PRICES.has(field) && before?.[field] && quote[field] !== null) flash(cells[field], quote[field] - before[field]);
  }
  for (const field of ["change", "percent"]) {
    cells[field].classList.toggle("up", change > 0);
    cells[field].classList.toggle("down", change < 0);
  }
  const level = { live: "good", frozen: "warn", delayed: "warn", delayed_frozen: "warn" }[quote.source];
  mark(cells.source, quote.halted ? "Halted" : words(quote.source), quote.halted ? "bad" : level ?? "");
  write(cells.unlike, quote.halted ? "halted" : quote.source === "live" ? "" : words(quote.source).toLowerCase());
  collect(quote);
}

function flash(element, by) {
  if (!by) return;
  element.classList.remove("flash-up", "flash-down");
  void element.offsetWidth; // restart the animation
  element.classList.add(by > 0 ? "flash-up" : "flash-down");
}

function collect(quote) {
  const value = mid(quote);
  if (value === null) return;
  const entry = sparks.get(quote.instrument) ?? { points: [], at: 0 };
  sparks.set(quote.instrument, entry);
  const now = Date.now();
  if (now - entry.at < SPARK_EVERY_MS && entry.points.length) {
    entry.points[entry.points.length - 1] = value;
  } else {
    entry.points.push(value);
    entry.at = now;
    if (entry.points.length > SPARK_POINTS) entry.points.shift();
  }
}

function drawSparks() {
  for (const [instrument, { points }] of sparks) {
    const { base, path } = rows.get(instrument).spark;
    if (points.length < 2) continue;
    const low = Math.min(...points), high = Math.max(...points), span = high - low || 1;
    const y = (value) => 19 - (18 * (value - low)) / span;
    const step = 100 / (Math.max(points.length, SPARK_POINTS_MIN) - 1); // a young line grows, then it slides
    const from = 100 - step * (points.length - 1);
    path.setAttribute("d", points.map((p, i) => `${i ? "L" : "M"}${(from + i * step).toFixed(1)} ${y(p).toFixed(1)}`).join(""));
    const start = y(points[0]).toFixed(1);
    for (const [key, value] of [["x1", from.toFixed(1)], ["x2", "100"], ["y1", start], ["y2", start]]) base.setAttribute(key, value);
  }
}

function showAges() {
  const cut = !state || state.link.state !== "ready" || ["lost", "doubted"].includes(state.upstream);
  const silent = new Set((state?.streams ?? []).filter((s) => /^quote/.test(s.stream) && s.state !== "live").map((s) => s.instrument));
  let stale = 0;
  const fresh = new Set();
  for (const [instrument, cells] of rows) {
    const quote = quotes.get(instrument);
    const sinceTick = quote ? since(quote.ts_recv_ns) : null;
    const sinceProof = quote ? serviceNow() - Math.max(quote.ts_recv_ns / MS, proven.get(instrument) ?? 0) : Infinity;
    const old = cut || silent.has(instrument) || !(sinceProof <= STALE_MS);
    stale += old ? 1 : 0;
    if (!old) fresh.add(instrument);
    write(cells.age, sinceTick !== null && sinceTick < 1000 ? "now" : age(sinceTick));
    cells.row.classList.toggle("stale", old);
  }
  for (const { key, row } of held) row.classList.toggle("stale", !fresh.has(key)); // as old as the quote it is drawn from
  $("position-total").classList.toggle("stale", held.some(({ key }) => !fresh.has(key)));
  write($("quotes-note"), rows.size === 0 ? "" : stale ? `${stale} of ${rows.size} stale` : `${rows.size} current`);
}

// --- the rest of the picture -----------------------------------------------------------------------------------

function showBar(s) {
  const kind = s.environment === "simulated" ? "simulated" : s.account_kind;
  root.dataset.kind = ["paper", "live", "simulated"].includes(kind) ? kind : "unknown";
  write($("badge"), kind ? kind.toUpperCase() : "UNKNOWN");
  write($("environment"), words(s.environment));
  write($("component"), `${s.component}, client ${s.link.client_id}`);
  document.title = `${kind ? kind.toUpperCase() : "?"} · ${s.link.state === "ready" ? "ready" : words(s.link.state).toLowerCase()} · ibkr-adapter`;
  const expected = s.link.excuse && s.link.state !== "ready";
  mark($("plane-link"), words(s.link.state) + (expected ? ", expected" : ""), expected ? "warn" : linkLevel(s.link.state));
  mark($("plane-upstream"), words(s.upstream), { connected: "good", lost: "bad", doubted: "bad" }[s.upstream] ?? "");
  const [farmWords, farmLevel] = farmState(s);
  mark($("plane-farms"), farmWords, farmLevel);
  mark($("plane-gate"), s.gate.open ? "Open" : "Closed", s.gate.open ? "good" : "warn");
  write($("rate"), `${s.rate.last_second} of ${s.rate.limit}${s.rate.waiting ? `, ${s.rate.waiting} wait` : ""}`);
  const share = s.rate.limit ? Math.min(1, s.rate.last_second / s.rate.limit) : 0;
  $("rate-bar").style.transform = `scaleX(${share})`;
  $("rate-bar").classList.toggle("high", share > 0.9);
}
function farmState(s) {
  const broken = s.farms.filter((farm) => farm.state === "broken").length, coming = s.farms.filter((farm) => farm.state === "connecting").length;
  if (broken) return [`${broken} of ${s.farms.length} broken`, "bad"];
  if (coming) return [`${coming} of ${s.farms.length} connecting`, "warn"];
  return s.farms.length ? [`${s.farms.length} fine`, "good"] : ["None heard of", ""];
}

function showWindow(s) {
  const window = s.window;
  write($("window-term"), window?.in_force ? words(window.name) : "Next window");
  if (!window) return mark($("plane-window"), "None", "");
  if (window.in_force) return mark($("plane-window"), `Until ${minuteOf(window.until_ns)}, ${countdown(window.until_ns)}`, "warn");
  return mark($("plane-window"), `${minuteOf(window.from_ns)}, in ${countdown(window.from_ns)}`, since(window.gate_closes_ns) >= 0 ? "warn" : "");
}

let alertsShown = new Set();
function showAlerts(s) {
  const raised = s.alerts.filter((alert) => alert.raised);
  const critical = raised.filter((alert) => alert.severity === "critical").length;
  const fresh = raised.filter((alert) => !alertsShown.has(alert.key));
  if (fresh.length) announce(`Alert: ${fresh.map((alert) => sentence(alert.text)).join(" ")}`);
  alertsShown = new Set(raised.map((alert) => alert.key));
  $("alerts").hidden = !raised.length;
  $("alerts").classList.toggle("urgent", critical > 0);
  write($("h-alerts"), `${plural(raised.length, "alert")}${critical && critical < raised.length ? `, ${critical} critical` : ""}`);
  $("alert-rows").replaceChildren(...raised.map((alert) => {
    const item = make("li", { title: alert.key }, make("span", { text: words(alert.severity), cls: "tag", level: alert.severity === "critical" ? "bad" : "warn" }),
      make("b", { text: sentence(alert.text) }));
    if (alert.remedy) item.append(make("span", { text: sentence(alert.remedy), cls: "remedy" }));
    item.append(make("small", { text: `since ${clock(alert.since_ns)}, ${age(since(alert.since_ns))}` }));
    return item;
  }));
}
const linkLevel = (name) => (name === "ready" ? "good" : /down|halted/.test(name) ? "bad" : "warn");

let gateShown = null;
function showGate(gate, connected) {
  const shown = JSON.stringify([gate, connected]);
  if (shown === gateShown) return;
  if (gateShown !== null) announce(gate.open ? "Orders can be sent again." : "New orders are not sent.");
  gateShown = shown;
  $("gate-banner").hidden = gate.open;
  write($("gate-title"), connected ? "New orders are not sent. Cancelling works." : "No order and no cancel can be sent: there is no session.");
  $("gate-reasons").replaceChildren(...gate.reasons.map((reason) => {
    const item = make("li", { text: sentence(reason.text) });
    if (reason.remedy) item.append(" ", make("span", { text: sentence(reason.remedy) }));
    return item;
  }));
}
function sentence(text) {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}

const ACCOUNT_TAGS = [
  ["NetLiquidation", "Net liquidation", "lead"], ["TotalCashValue", "Cash"], ["GrossPositionValue", "Gross positions"],
  ["BuyingPower", "Buying power"], ["AvailableFunds", "Available funds"], ["ExcessLiquidity", "Excess liquidity"],
  ["InitMarginReq", "Initial margin"], ["MaintMarginReq", "Maintenance margin"], ["AccountType", "Type"],
];
function showAccount(s) {
  const account = s.accounts[0];
  if (!account) {
    write($("account-note"), "");
    facts($("account"), [s.summary_owner && s.summary_owner !== s.component ? ["Asked for by", s.summary_owner] : ["Not reported yet", ""]]);
    return;
  }
  const more = s.accounts.length > 1 ? `, ${s.accounts.length - 1} more` : "";
  const currencies = new Set(Object.values(account.values).map(([, currency]) => currency).filter(Boolean));
  const [only] = currencies.size === 1 ? currencies : [""];
  write($("account-note"), `${account.account}, ${account.kind}${only ? `, ${only}` : ""}${more}`);
  const pairs = ACCOUNT_TAGS.filter(([tag]) => account.values[tag]).map(([tag, label, cls]) => {
    const [value, currency] = account.values[tag];
    const amount = Number(value);
    return [label, currency && Number.isFinite(amount) ? `${money(amount)}${only ? "" : ` ${currency}`}` : words(value), cls];
  });
  pairs.push(["As of", account.as_of_ns ? `${age(since(account.as_of_ns))} ago` : DASH, "dim"]);
  if (s.summary_owner && s.summary_owner !== s.component) pairs.push(["Asked for by", s.summary_owner, "dim"]);
  facts($("account"), pairs);
}

function showPositions(s) {
  const open = s.positions.filter((p) => p.quantity !== 0);
  const body = $("position-rows");
  write($("positions-note"), open.length ? plural(open.length, "instrument") : "");
  $("position-total").replaceChildren();
  held = [];
  if (!open.length) return emptyRow(body, 7, "No positions.");
  let today = 0, total = 0, value = 0, complete = true;
  held = open.map((p) => {
    const key = keyOf(p.instrument);
    const quote = quotes.get(key);
    const now = current(quote);
    const pnl = now === null ? null : p.quantity * (now - p.average_cost);
    const day = now === null || !quote.close ? null : p.quantity * (now - quote.close);
    complete &&= pnl !== null && day !== null;
    total += pnl ?? 0; today += day ?? 0; value += now === null ? 0 : p.quantity * now;
    const row = make("tr", {}, name(key, s.accounts.length > 1 ? p.account : ""), cell(quantity(p.quantity)), cell(price(p.average_cost), "n wide"),
      cell(price(now), "n market"), cell(now === null ? DASH : money(p.quantity * now), "n wide market"),
      cell(money(day, true), `n market ${direction(day)}`), cell(money(pnl, true), `n market ${direction(pnl)}`));
    return { key, row };
  });
  body.replaceChildren(...held.map(({ row }) => row));
  $("position-total").replaceChildren(make("tr", {}, make("td", { text: complete ? "Total" : "Total of what has a price" }), cell(""), cell("", "n wide"), cell(""),
    cell(money(value), "n wide market"), cell(money(today, true), `n market ${direction(today)}`), cell(money(total, true), `n market ${direction(total)}`)));
}
const keyOf = (instrument) => (instrument.sec_type === "STK" && instrument.currency === "USD"
  ? instrument.symbol : `${instrument.symbol}.${instrument.exchange}.${instrument.currency}`);

const DONE = /^(filled|cancelled|rejected|refused|not_found|lapsed)$/;
const BAD = /^(rejected|refused|in_doubt)$/;
const UNSURE = /^lapsed$/;
function showOrders(s) {
  const sorted = [...s.orders].sort((a, b) => isDone(a) - isDone(b) || b.created_ns - a.created_ns).slice(0, 50);
  const working = s.orders.filter((order) => !isDone(order)).length;
  write($("orders-note"), s.orders.length ? `${working} working, ${s.orders.length - working} finished` : "");
  const body = $("order-rows");
  if (!sorted.length) return emptyRow(body, 7, "No orders today.");
  body.replaceChildren(...sorted.map((order) => {
    const stateName = order.state.toLowerCase();
    const level = BAD.test(stateName) ? "bad" : stateName === "filled" ? "good" : isDone(order) && !UNSURE.test(stateName) ? "" : "warn";
    const tag = make("span", { text: order.cancel_asked && !isDone(order) ? "Cancelling" : words(order.state), cls: "tag", level });
    const terms = order.order_type === "MKT" ? "at market" : `at ${price(order.limit_price)}`;
    const text = make("td", { cls: "terms" }, make("b", { text: `${words(order.action)} ${quantity(order.quantity)} ${order.instrument}` }), ` ${terms}, ${order.tif}`);
    if (order.foreign) text.append(" ", make("small", { text: `client ${order.client_id}` }));
    text.title = `${order.order_key || "not ours"}, order id ${order.order_id}`;
    return make("tr", { cls: isDone(order) ? "done" : "" }, make("td", {}, tag), text, cell(quantity(order.filled)), cell(quantity(order.remaining), "n wide"),
      cell(order.average_price ? price(order.average_price) : DASH, "n wide"), cell(age(since(order.created_ns)), "n dim"), cell(order.detail, "wide dim terms", order.detail));
  }));
}
const isDone = (order) => (DONE.test(order.state.toLowerCase()) ? 1 : 0);

function showExecutions(s) {
  const sorted = [...s.executions].sort((a, b) => (b.ts_event_ns ?? b.ts_recv_ns) - (a.ts_event_ns ?? a.ts_recv_ns));
  write($("executions-note"), sorted.length ? plural(sorted.length, "fill") : "");
  const body = $("execution-rows");
  if (!sorted.length) return emptyRow(body, 8, "No fills today.");
  body.replaceChildren(...sorted.slice(0, 50).map((fill) => {
    const bought = /^(BOT|BUY)$/.test(fill.side);
    return make("tr", {}, cell(clock(fill.ts_event_ns ?? fill.ts_recv_ns), "", fill.exec_id), cell(bought ? "Bought" : "Sold", ""), cell(quantity(fill.quantity)), name(fill.instrument),
      cell(price(fill.price)), cell(fill.exchange, "wide dim"), cell(money(fill.commission), "n wide"),
      cell(fill.realized_pnl === null ? DASH : money(fill.realized_pnl, true), `n ${direction(fill.realized_pnl)}`));
  }));
}

function showLink(s) {
  const link = s.link;
  write($("link-note"), link.state === "ready" ? `up ${age(since(link.since_ns))}` : `${words(link.state).toLowerCase()} for ${age(since(link.since_ns))}`);
  const pairs = [["Gateway", `${link.gateway} ${link.address}`], ["Socket", `${words(link.state)} for ${age(since(link.since_ns))}`], ["Gateway to IB", words(s.upstream)], ["Session", `${link.epoch}${link.server_version ? `, server version ${link.server_version}` : ""}`]];
  if (link.standby) pairs.push(["Standby", "in use; nothing goes back by itself", "warn"]);
  if (link.excuse && link.state !== "ready") pairs.push(["Expected", `${words(link.excuse)}, until ${clock(link.excused_until_ns)}`]);
  if (s.window) pairs.push([s.window.in_force ? "Window" : "Next window", `${words(s.window.name)} ${minuteOf(s.window.from_ns)}–${minuteOf(s.window.until_ns)}`]);
  const maintains = s.preflight.maintains_orders;
  pairs.push(["Keeps orders", { ok: "No, as it should be", on: "Yes: sends them late" }[maintains] ?? "Unchecked", maintains === "on" ? "bad" : "", s.preflight.detail]);
  if (s.preflight.read_only) pairs.push(["Its API", "Read-only", "warn"]);
  if (s.lease.required) pairs.push(["Lease", s.lease.held ? `Ours, epoch ${s.lease.epoch}` : sentence(s.lease.detail || "not ours").slice(0, -1), s.lease.held ? "" : "bad"]);
  if (link.clock_ahead_ns !== null) pairs.push(["Its clock", clockWords(link.clock_ahead_ns / 1e9), Math.abs(link.clock_ahead_ns) > 2e9 ? "warn" : "", "Known to about a second"]);
  if (link.last_inbound_ns) pairs.push(["Last heard", `${age(since(link.last_inbound_ns))} ago`]);
  if (link.failures) pairs.push(["Failed attempts", plainNumber.format(link.failures)]);
  if (link.next_attempt_ns && link.state !== "ready") pairs.push(["Next attempt", `in ${age(Math.max(0, -since(link.next_attempt_ns)))}`]);
  pairs.push(["Journal", s.journal_seq === s.journal_durable_seq ? `${plainNumber.format(s.journal_seq)} records, all on disk`
    : `${plainNumber.format(s.journal_seq)} records, ${plainNumber.format(s.journal_seq - s.journal_durable_seq)} not yet on disk`]);
  if (link.detail && link.state !== "ready") pairs.push(["Because", link.detail]);
  facts($("link"), pairs);
  write($("farms-note"), farmState(s)[0].toLowerCase());
  const level = { ok: "good", broken: "bad", connecting: "warn" };
  $("farms").replaceChildren(...s.farms.map((farm) => make("li", { text: farm.state === "ok" ? farm.name : `${farm.name} ${farm.state}`, cls: "tag", level: level[farm.state] ?? "", title: `${farm.kind}, ${farm.state} for ${age(since(farm.since_ns))}` })));
}

function clockWords(ahead) {
  const seconds = Math.round(Math.abs(ahead));
  return seconds < 2 ? "Agrees with ours" : `${plainNumber.format(seconds)} s ${ahead > 0 ? "ahead of" : "behind"} ours`;
}

function showBudget(s) {
  const rate = s.rate;
  write($("budget-note"), `${rate.last_second} of ${rate.limit} a second`);
  const pairs = [["For cancels alone", `${rate.reserved} more`]];
  if (rate.halved_until_ns !== null) pairs.push(["Halved", `for another ${age(-since(rate.halved_until_ns))}`, "warn", "The gateway complained that we sent too many messages (100)"]);
  const lanes = rate.lanes.filter((lane) => lane.waiting);
  pairs.push(["Waiting", lanes.length ? lanes.map((lane) => `${plainNumber.format(lane.waiting)} ${lane.lane}, ${age(since(lane.since_ns))}`).join("; ") : "nobody", lanes.length ? "warn" : ""]);
  if (rate.expired) pairs.push(["Waited too long", plural(rate.expired, "message")]);
  facts($("budget"), pairs);
  $("held").replaceChildren(...rate.held.map((held) => make("li", {}, make("div", { cls: "head" },
    make("span", { text: `${plainNumber.format(held.waiting)} ${words(held.kind).toLowerCase()} held back` }),
    make("small", { text: held.next_ns === null ? "until one is answered" : `next in ${age(-since(held.next_ns))}` })),
  ...(held.reason ? [make("p", { text: sentence(held.reason) })] : []))));
  const full = s.quotas.filter((quota) => quota.used >= (quota.learned ?? quota.limit));
  write($("quotas-note"), full.length ? `${full.map((quota) => quota.name).join(", ")} used up` : "");
  facts($("quotas"), s.quotas.map((quota) => [words(quota.name),
    `${quota.used} of ${quota.learned ?? quota.limit}${quota.learned === null ? "" : ", learned"}`, full.includes(quota) ? "warn" : "",
    quota.learned === null ? "" : `${quota.limit} are configured; the gateway refused more than ${quota.learned}`]));
}

function showNotices(s) {
  const latest = [...s.notices].sort((a, b) => b.ts_recv_ns - a.ts_recv_ns).slice(0, 30);
  write($("notices-note"), latest.length ? "newest first" : "");
  if (!latest.length) return $("notices").replaceChildren(make("li", { text: "IB has said nothing.", cls: "dim" }));
  const level = (notice) => (/error|critical|fatal/.test(notice.severity) ? "bad" : /warn/.test(notice.severity) ? "warn" : "");
  $("notices").replaceChildren(...latest.map((notice) => {
    const code = `${notice.code}${notice.count > 1 ? ` × ${notice.count}` : ""}`;
    const head = make("div", { cls: "head" }, make("span", {}, make("span", { text: code, cls: "tag", level: level(notice) }), ` ${notice.subject || ""}`), make("small", { text: clock(notice.ts_recv_ns) }));
    return make("li", { title: notice.text }, head, make("p", { text: notice.meaning || notice.text }));
  }));
}

const CAUSES = {
  session_lost: "connection to the gateway lost", adapter_down: "the adapter was not running", upstream_lost: "the gateway had lost IB",
  farm_broken: "a data farm was down", competing: "another session of the login had the data", silent: "it fell silent in an open market", stopped: "somebody stopped all market data", refused: "it was refused", overload: "more came than could be kept", sink_overflow: "a store was too slow",
};
function showStreams(s) {
  const live = s.streams.filter((stream) => stream.state === "live").length;
  write($("streams-note"), s.stopped ? "stopped" : s.streams.length ? `${live} of ${s.streams.length} live` : "");
  const odd = s.streams.filter((stream) => stream.state !== "live");
  const notes = s.orphans.length ? [make("li", {}, make("div", { cls: "head" }, make("span", { text: plural(s.orphans.length, "orphan") }), make("span", { text: "For nobody", cls: "tag", level: "warn" })),
    make("p", { text: `Data goes on coming for what was cancelled; ${plural(s.orphans.reduce((sum, each) => sum + each.cancels, 0), "cancel")} sent again.` }))] : [];
  $("streams").replaceChildren(...notes, ...(odd.length ? alike(odd, (stream) => `${stream.state} ${stream.detail}`).slice(0, 12).map((group) => make("li", {}, make("div", { cls: "head" },
    streamNames(group), make("span", { text: words(group[0].state), cls: "tag", level: /refused|competing/.test(group[0].state) ? "bad" : "warn" })),
  make("p", { text: [group[0].detail && sentence(group[0].detail), missing(group)].filter(Boolean).join(" ") })))
    : [make("li", { text: s.streams.length ? "All that was asked for arrives." : "Nothing is asked for yet.", cls: "dim" })]));
  const gaps = [...s.gaps].sort((a, b) => b.to_ns - a.to_ns);
  write($("gaps-note"), gaps.length ? String(gaps.length) : "");
  const together = alike(gaps, (gap) => `${gap.cause} ${Math.round(gap.from_ns / 1e9)} ${Math.round(gap.to_ns / 1e9)}`);
  $("gaps").replaceChildren(...(gaps.length ? together.slice(0, 10).map((group) => {
    const [gap] = group;
    const count = group.some((each) => each.count === null) ? null : group.reduce((sum, each) => sum + each.count, 0);
    return make("li", {}, make("div", { cls: "head" }, streamNames(group), make("small", { text: `${clock(gap.from_ns)}, ${age((gap.to_ns - gap.from_ns) / MS)}` })),
      make("p", { text: sentence(CAUSES[gap.cause] ?? words(gap.cause)) + (count === null ? "" : ` ${plural(count, "event")} lost.`) }));
  })
    : [make("li", { text: "None.", cls: "dim" })]));
}
function missing(group) { // since when, and how often it was asked for anew
  const gaps = group.map((each) => each.gap_since_ns).filter((ns) => ns !== null), heard = group.map((each) => each.last_recv_ns).filter((ns) => ns !== null);
  const anew = group.reduce((sum, each) => sum + each.resubscriptions, 0);
  const told = [];
  if (gaps.length) told.push(`missing for ${age(since(Math.min(...gaps)))}`);
  else if (heard.length) told.push(`last heard ${age(since(Math.max(...heard)))} ago`);
  if (anew) told.push(`asked anew ${anew === 1 ? "once" : `${plainNumber.format(anew)} times`}`);
  return told.length ? sentence(told.join(", ")) : "";
}
const streamNames = (group) => make("span", {
  text: group.length === 1 ? group[0].stream : plural(group.length, "stream"), title: group.map((each) => each.stream).join(", "),
});
function alike(items, keyed) { // one line for what happened to many at once
  const groups = new Map();
  for (const item of items) {
    const key = keyed(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return [...groups.values()];
}

function showSinks(s) {
  const down = s.sinks.filter((sink) => !sink.up).length;
  write($("sinks-note"), s.sinks.length ? (down ? `${down} of ${s.sinks.length} down` : "all up") : "");
  $("sinks").replaceChildren(...(s.sinks.length ? s.sinks.map((sink) => {
    const figures = [`${plainNumber.format(sink.written)} written`];
    if (sink.depth) figures.push(`${plainNumber.format(sink.depth)} waiting`);
    figures.push(sink.dropped ? `${plainNumber.format(sink.dropped)} dropped` : "none dropped");
    return make("li", {}, make("div", { cls: "head" }, make("b", { text: sink.name }),
      make("span", { text: sink.up ? "Up" : `Down for ${age(since(sink.since_ns))}`, cls: "tag", level: sink.up ? "good" : "bad" })),
    make("p", { text: figures.join(", ") + (sink.detail ? `. ${sink.detail}` : "") }));
  }) : [make("li", { text: "None configured.", cls: "dim" })]));
}

function showPicture(s) {
  state = s;
  const skew = Date.now() - s.taken_ns / MS;
  clockSkew = clockSkew === null ? skew : Math.min(clockSkew + 1, skew);
  for (const instrument of Object.keys(s.quotes).sort(inOrder(s))) quoteRow(instrument);
  for (const quote of Object.values(s.quotes)) showQuote(quote);
  showBar(s); showWindow(s); showAlerts(s); showGate(s.gate, /ready|reconciling/.test(s.link.state)); showAccount(s); showPositions(s); showOrders(s); showExecutions(s);
  showLink(s); showBudget(s); showNotices(s); showStreams(s); showSinks(s); showAges();
  write($("footer"), `ibkr-adapter ${s.version}`);
}
const inOrder = (s) => { // as configured, which is the order of the streams
  const rank = new Map(s.streams.map((stream, index) => [stream.instrument, index]));
  return (a, b) => (rank.get(a) ?? 1e9) - (rank.get(b) ?? 1e9) || a.localeCompare(b);
};

// --- the stream ------------------------------------------------------------------------------------------------

const HANDLERS = {
  snapshot: showPicture,
  quote: showQuote,
  quotes_proven: (event) => event.instruments.forEach((instrument) => proven.set(instrument, event.ts_recv_ns / MS)),
};

function connect() {
  source?.close();
  source = new EventSource("/v1/events");
  for (const [kind, handle] of Object.entries(HANDLERS)) {
    source.addEventListener(kind, (message) => {
      heard();
      handle(JSON.parse(message.data));
    });
  }
  source.addEventListener("error", () => lost());
}

function heard() {
  heardAt = performance.now();
  if (root.dataset.stream === "open") return;
  root.dataset.stream = "open";
  $("lost").hidden = true;
  if (lostAt !== null) announce("The page is connected again.");
  lostAt = null;
}

function lost() {
  if (lostAt === null) lostAt = Date.now();
  root.dataset.stream = "lost";
  showLost();
}

let retryAt = 0;
function watch() {
  const silent = performance.now() - heardAt > SILENT_MS;
  if (silent && root.dataset.stream !== "lost") lost();
  if (root.dataset.stream === "lost") {
    showLost();
    if (performance.now() > retryAt) { // EventSource gives up after some answers; we do not
      retryAt = performance.now() + 3000;
      connect();
    }
  }
}

function showLost() {
  const at = state ? ` What you see is as of ${clock(state.taken_ns)}.` : "";
  $("lost").hidden = false;
  write($("lost"), `No connection to the service for ${age(Date.now() - lostAt)}.${at} Trying again.`);
  document.title = "No connection · ibkr-adapter";
}

function tick() {
  write($("clock"), newYork.format(new Date()));
  showAges();
  if (root.dataset.stream === "open") drawSparks();
}

connect();
setInterval(watch, 500);
setInterval(tick, 500);
tick();
