"use strict";
const byId = id => document.getElementById(id);
const meta = name => document.querySelector(`meta[name=${name}]`)?.content || "";
const SILENT_MS = 15000;
let heardAt = Date.now();

// Times: those of this machine, UTC on hover.
const shortTime = new Intl.DateTimeFormat(undefined, {month: "short", day: "numeric", hour: "2-digit", minute: "2-digit"});
function localTimes(root) {
  for (const one of root.querySelectorAll("time:not([data-done])")) {
    one.textContent = shortTime.format(new Date(one.dateTime));
    one.dataset.done = "1";
  }
}

// It shows truth: a server that is gone shows as gone, and what was shown before as old.
function dead(text) {
  const banner = byId("dead");
  if (!banner) return;
  banner.hidden = !text;
  if (text) banner.textContent = text;
  document.body.classList.toggle("is-dead", Boolean(text));
}
function checkSilence() {
  if (Date.now() - heardAt > SILENT_MS) dead(`NO ANSWER since ${shortTime.format(new Date(heardAt))}: what is shown is ${Math.round((Date.now() - heardAt) / 1000)} s old`);
}

function swap(id, html) {
  const place = byId(id);
  if (!place || place.dataset.html === html) return;
  const armed = place.querySelector(".armed"), busy = place.querySelector("button:disabled");
  if (armed || busy) return;  // a finger is on its way to a button
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.path : null;
  place.dataset.html = html;
  place.innerHTML = html;
  localTimes(place);
  if (focused) place.querySelector(`[data-path="${focused}"]`)?.focus();
}

function listen() {
  const source = new EventSource("/api/events");
  source.addEventListener("overview", event => {
    heardAt = Date.now(); dead("");
    const found = JSON.parse(event.data);
    swap("banners", found.banners);
    swap("live", found.html);
    const fresh = byId("fresh");
    if (fresh) fresh.textContent = `live, ${new Date().toLocaleTimeString()}`;
  });
  source.addEventListener("trouble", event => { heardAt = Date.now(); dead(JSON.parse(event.data).text.toUpperCase()); });
  source.onerror = () => {
    // A browser that may no longer come in is told so at the door.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
    fetch("/healthz", {cache: "no-store"}).then(a => { if (!a.ok) throw new Error(); return fetch("/api/status", {method: "HEAD"}); })
      .then(a => { if (a.status === 401) location.reload(); }).catch(() => dead(`NO ANSWER: the server at ${location.host} is out of reach; what is shown was true at ${shortTime.format(new Date(heardAt))}`));
  };
  setInterval(checkSilence, 1000);
}

// What changes something takes two taps, and says what came of it.
const ARMED_MS = 5000;
function arm(button) {
  button.dataset.label = button.textContent;
  button.classList.add("armed");
  button.textContent = `Tap again: ${button.dataset.ask}`;
  button.timer = setTimeout(() => disarm(button), ARMED_MS);
}
function disarm(button) {
  clearTimeout(button.timer);
  button.classList.remove("armed");
  button.textContent = button.dataset.label || button.textContent;
}
async function act(button) {
  disarm(button);
  button.disabled = true;
  const told = byId("answer");
  const say = (text, kind) => { if (told) { told.textContent = text; told.className = kind; } };
  say(`${button.dataset.ask}: asked, waiting for the trader …`, "");
  try {
    const answer = await fetch(button.dataset.path, {method: "POST", headers: {"content-type": "application/json", "x-csrf-token": meta("csrf")},
      body: JSON.stringify({reason: byId("reason")?.value || "from the dashboard"})});
    const body = await answer.json();
    const good = answer.status === 200 && body.status === "DONE";
    say(`${button.dataset.ask}: ${body.answer || body.detail}`, good ? "up" : "down");
  } catch {
    say(`${button.dataset.ask}: NO ANSWER from the server: nothing is known to have happened`, "down");
  }
  button.disabled = false;
}
document.addEventListener("click", event => {
  const button = event.target.closest("button.act");
  if (button) { event.preventDefault(); button.classList.contains("armed") ? act(button) : arm(button); }
});

// Charts: only where one stands.
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer.json();
}
function note(place, text) { place.innerHTML = ""; const p = document.createElement("p"); p.className = "dim"; p.textContent = text; place.append(p); }

async function drawEquity(place) {
  const rows = await get("/api/equity");
  if (rows.length < 2) { note(place, "Not enough of the account was seen yet."); return; }
  const account = rows[rows.length - 1].account_id, own = rows.filter(r => r.account_id === account);
  const times = own.map(r => Date.parse(r.time) / 1000), ink = colour("--dim"), line = colour("--line");
  const axis = {stroke: ink, grid: {stroke: line, width: 1}, ticks: {stroke: line}};
  const draw = () => { place.innerHTML = ""; return new uPlot({width: place.clientWidth, height: 240, axes: [axis, {...axis, size: 80, values: (_, v) => v.map(x => x.toLocaleString())}],
    series: [{}, {label: "NAV", stroke: colour("--accent"), width: 2, value: (_, v) => v?.toLocaleString(undefined, {minimumFractionDigits: 2})}, {label: "Balance", stroke: ink, dash: [4, 4], value: (_, v) => v?.toLocaleString(undefined, {minimumFractionDigits: 2})}]},
    [times, own.map(r => Number(r.nav)), own.map(r => Number(r.balance))], place); };
  let plot = draw();
  new ResizeObserver(() => { if (Math.abs(plot.width - place.clientWidth) > 4) plot.setSize({width: place.clientWidth, height: 240}); }).observe(place);
}

function markers(trades, signals, open) {
  const marks = [];
  const at = text => Math.floor(Date.parse(text) / 1000);
  for (const t of trades) {
    marks.push({time: at(t.entry_time), position: t.side === "BUY" ? "belowBar" : "aboveBar", shape: t.side === "BUY" ? "arrowUp" : "arrowDown", color: colour(t.side === "BUY" ? "--good" : "--bad"), text: t.side});
    marks.push({time: at(t.exit_time), position: "inBar", shape: "square", color: colour(Number(t.net_pl) >= 0 ? "--good" : "--bad"), text: `${Number(t.net_pl) >= 0 ? "+" : ""}${Number(t.net_pl).toFixed(2)}`});
  }
  for (const s of signals) if (s.status !== "EXECUTED") marks.push({time: at(s.candle_time), position: s.side === "BUY" ? "belowBar" : "aboveBar", shape: "circle", color: colour("--dim"), text: ""});
  for (const t of open) if (t.entry_time) marks.push({time: at(t.entry_time), position: t.side === "BUY" ? "belowBar" : "aboveBar", shape: t.side === "BUY" ? "arrowUp" : "arrowDown", color: colour("--accent"), text: `${t.side} open`});
  return marks;
}
function snap(marks, times) {
  // A mark stands at the candle in which it happened.
  const kept = [];
  for (const m of marks) {
    let low = 0, high = times.length - 1;
    if (high < 0 || m.time < times[0]) continue;
    while (low < high) { const middle = (low + high + 1) >> 1; times[middle] <= m.time ? low = middle : high = middle - 1; }
    kept.push({...m, time: times[low]});
  }
  return kept.sort((a, b) => a.time - b.time);
}
async function drawPair(place, granularity, days) {
  const pair = place.dataset.pair, side = byId("qfh"), told = byId("chart-note");
  place.innerHTML = ""; side.innerHTML = ""; told.textContent = "";
  for (const one of document.querySelectorAll("[data-granularity][data-days]")) one.setAttribute("aria-pressed", String(one.dataset.granularity === granularity));
  const newest = await get(`/api/candles?pair=${pair}&granularity=${granularity}`);
  if (!newest.time.length) { note(place, `No ${granularity} candles of ${pair} are stored here.`); return; }
  const end = newest.time[newest.time.length - 1] + 1, from = new Date((end - days * 86400) * 1000).toISOString(), to = new Date(end * 1000).toISOString();
  const span = `pair=${pair}&granularity=${granularity}&from=${from}&to=${to}`, when = `pair=${pair}&from=${from}&to=${to}&limit=500`;
  const [candles, qfh, trades, signals, open] = await Promise.all([get(`/api/candles?${span}`), get(`/api/qfh?${span}`), get(`/api/trades/closed?${when}`), get(`/api/signals/recent?${when}`), get("/api/trades/open")]);
  const look = {autoSize: true, layout: {background: {color: colour("--card")}, textColor: colour("--dim"), attributionLogo: false}, grid: {vertLines: {color: colour("--line")}, horzLines: {color: colour("--line")}}, timeScale: {timeVisible: true, borderColor: colour("--line")}, rightPriceScale: {borderColor: colour("--line")},
    localization: {timeFormatter: t => `${shortTime.format(new Date(t * 1000))} (${new Date(t * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC)`}};
  const digits = pair.endsWith("JPY") ? 3 : 5;
  const chart = LightweightCharts.createChart(place, look);
  const series = chart.addCandlestickSeries({upColor: colour("--good"), downColor: colour("--bad"), borderVisible: false, wickUpColor: colour("--good"), wickDownColor: colour("--bad"), priceFormat: {type: "price", precision: digits, minMove: 10 ** -digits}});
  series.setData(candles.time.map((time, i) => ({time, open: candles.open[i], high: candles.high[i], low: candles.low[i], close: candles.close[i]})));
  const mine = open.filter(t => t.pair === pair);
  series.setMarkers(snap(markers(trades, signals, mine), candles.time));
  for (const t of mine) for (const [price, name, ink] of [[t.stop_price, "stop", "--bad"], [t.target_price, "target", "--good"], [t.entry_price, "entry", "--accent"]])
    if (price) series.createPriceLine({price: Number(price), color: colour(ink), lineStyle: 2, title: name});
  const below = LightweightCharts.createChart(side, look);
  for (const [name, ink] of [["coherence", "--accent"], ["stability", "--good"], ["rupture", "--bad"]]) {
    const drawn = below.addLineSeries({color: colour(ink), lineWidth: 1, title: name, priceLineVisible: false});
    drawn.setData(qfh.time.map((time, i) => qfh[name][i] === null ? {time} : {time, value: qfh[name][i]}));
    if (name === "coherence") drawn.setMarkers(qfh.time.flatMap((time, i) => qfh.collapse[i] ? [{time, position: "inBar", shape: "circle", color: colour("--warn"), size: .4}] : []));
  }
  chart.timeScale().subscribeVisibleLogicalRangeChange(range => range && below.timeScale().setVisibleLogicalRange(range));
  chart.timeScale().fitContent();
  told.textContent = `${candles.time.length.toLocaleString()} candles, ${trades.length} closed trades, ${signals.length} signals in view`;
}
async function fillTable(place) {
  const rows = await get(place.dataset.table), key = place.dataset.key;
  if (!rows.length) { place.innerHTML = '<p class="dim">No trade was closed yet.</p>'; return; }
  const table = document.createElement("table"); table.className = "stack";
  const head = table.createTHead().insertRow(), body = table.createTBody();
  const names = [[key, key[0].toUpperCase() + key.slice(1)], ["trades", "Trades"], ["wins", "Won"], ["net_pl", "Net"], ["expectancy", "A trade"]];
  for (const [name, label] of names) { const th = document.createElement("th"); th.textContent = label; if (name !== key) th.className = "r"; head.append(th); }
  for (const row of rows) { const line = body.insertRow(); for (const [name, label] of names) { const td = line.insertCell(); td.dataset.label = label; const money = name === "net_pl" || name === "expectancy", value = Number(row[name]);
    td.textContent = money ? `${value >= 0 ? "+" : ""}${value.toLocaleString(undefined, {minimumFractionDigits: 2, maximumFractionDigits: 2})}` : name === "wins" ? `${Math.round(100 * row.wins / row.trades)} %` : row[name];
    td.className = (name === key ? "" : "r ") + (money ? value >= 0 ? "up" : "down" : ""); } }
  place.replaceChildren(table);
}

window.addEventListener("load", () => {
  localTimes(document);
  listen();
  const fail = place => error => note(place, error.message || "the chart cannot be drawn");
  for (const place of document.querySelectorAll("[data-chart=equity]")) drawEquity(place).catch(fail(place));
  for (const place of document.querySelectorAll("[data-table]")) fillTable(place).catch(fail(place));
  const chart = document.querySelector("[data-chart=pair]");
  if (chart) {
    const choices = [...document.querySelectorAll("[data-days]")];
    for (const one of choices) one.addEventListener("click", () => drawPair(chart, one.dataset.granularity, Number(one.dataset.days)).catch(fail(chart)));
    (choices.find(c => c.dataset.granularity === chart.dataset.granularity) || choices[0]).click();
  }
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(() => undefined);
});
