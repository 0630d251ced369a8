"use strict";
const report = JSON.parse(document.getElementById("report").textContent);
const style = getComputedStyle(document.documentElement);
const colour = name => style.getPropertyValue(name).trim();
const trades = report.trades, pick = id => document.getElementById(id);

function candles(packed) {
  const bytes = Uint8Array.from(atob(packed.packed), c => c.charCodeAt(0));
  const all = new Int32Array(bytes.buffer), n = packed.count, unit = 10 ** -packed.digits, rows = new Array(n);
  let time = 0, open = 0;
  for (let i = 0; i < n; i++) {
    time += all[i]; open += all[n + i];
    rows[i] = { time, open: open * unit, high: (open + all[2 * n + i]) * unit, low: (open + all[3 * n + i]) * unit,
      close: (open + all[4 * n + i]) * unit };
  }
  return rows;
}

function priceChart() {
  const box = pick("candles");
  if (!box || !report.candles.count) return null;
  const rows = candles(report.candles), times = rows.map(r => r.time);
  const chart = LightweightCharts.createChart(box, {
    autoSize: true, layout: { background: { color: "transparent" }, textColor: colour("--dim") },
    grid: { vertLines: { color: colour("--line") }, horzLines: { color: colour("--line") } },
    timeScale: { timeVisible: true, borderColor: colour("--line") }, rightPriceScale: { borderColor: colour("--line") },
    crosshair: { mode: 0 },
  });
  const series = chart.addCandlestickSeries({ upColor: colour("--good"), downColor: colour("--bad"), borderVisible: false,
    wickUpColor: colour("--good"), wickDownColor: colour("--bad"),
    priceFormat: { type: "price", precision: report.candles.digits, minMove: 10 ** -report.candles.digits } });
  series.setData(rows);
  const at = t => { let lo = 0, hi = times.length - 1;
    while (lo < hi) { const mid = (lo + hi + 1) >> 1; if (times[mid] <= t) lo = mid; else hi = mid - 1; } return lo; };
  const marks = [];
  trades.entry_time.forEach((t, i) => {
    const long = trades.side[i] > 0, won = trades.net_pips[i] > 0;
    marks.push({ time: times[at(t)], position: long ? "belowBar" : "aboveBar", color: colour("--blue"),
      shape: long ? "arrowUp" : "arrowDown", text: "" });
    marks.push({ time: times[at(trades.exit_time[i])], position: long ? "aboveBar" : "belowBar",
      color: won ? colour("--good") : colour("--bad"), shape: "circle", text: "" });
  });
  series.setMarkers(marks.sort((a, b) => a.time - b.time));
  let lines = [];
  const show = i => {
    lines.forEach(l => series.removePriceLine(l)); lines = [];
    const line = (price, color, title) => price === null ||
      lines.push(series.createPriceLine({ price, color, title, lineWidth: 1, lineStyle: 2 }));
    line(trades.entry_price[i], colour("--blue"), "entry"); line(trades.exit_price[i], colour("--dim"), "exit");
    line(trades.stop_price[i], colour("--bad"), "stop"); line(trades.target_price[i], colour("--good"), "target");
    const from = at(trades.entry_time[i]), to = at(trades.exit_time[i]), pad = Math.max(30, 2 * (to - from));
    chart.timeScale().setVisibleLogicalRange({ from: from - pad, to: to + pad });
    box.scrollIntoView({ behavior: "smooth", block: "center" });
  };
  const last = trades.entry_time.length - 1;
  if (last >= 0) { const to = at(trades.exit_time[last]); chart.timeScale().setVisibleLogicalRange({ from: to - 150, to: to + 20 }); }
  const all = pick("all"); if (all) all.onclick = () => chart.timeScale().fitContent();
  return show;
}

function plot(id, series, options = {}) {
  const box = pick(id);
  if (!box || !series[0].length) { if (box) box.textContent = "nothing to draw"; return; }
  const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const make = () => {
    box.replaceChildren();
    new uPlot({ width: box.clientWidth, height: options.height || 220, legend: { live: true }, cursor: { drag: { x: true, y: false } },
      scales: { x: { time: options.time !== false }, y: options.y || {} }, axes: [axis, { ...axis, size: 62 }],
      series: [{}, ...options.lines.map(([label, name, extra]) => ({ label, stroke: colour(name), width: 1.5, spanGaps: true, ...extra }))],
    }, series, box);
  };
  make();
  let width = box.clientWidth;
  new ResizeObserver(() => requestAnimationFrame(() => {
    if (Math.abs(box.clientWidth - width) > 8) { width = box.clientWidth; make(); }
  })).observe(box);
}

function merged(one, other) {
  const times = [...new Set([...one.time, ...other.time])].sort((a, b) => a - b);
  const of = s => { const m = new Map(s.time.map((t, i) => [t, s.pips[i]])); return times.map(t => m.has(t) ? m.get(t) : null); };
  return [times, of(one), of(other)];
}

function tradeRows(show) {
  const body = pick("trades");
  if (!body) return;
  const stamp = t => new Date(t * 1000).toISOString().slice(0, 16).replace("T", " ");
  const number = (v, d) => v === null ? "-" : v.toFixed(d);
  let shown = 0;
  const more = () => {
    const part = document.createDocumentFragment(), n = trades.entry_time.length;
    for (let k = 0; k < 100 && shown < n; k++, shown++) {
      const i = n - 1 - shown, row = document.createElement("tr");
      row.className = "pick"; row.tabIndex = 0;
      const cells = [stamp(trades.entry_time[i]), stamp(trades.exit_time[i]), trades.side[i] > 0 ? "BUY" : "SELL",
        number(trades.entry_price[i], report.candles.digits), number(trades.exit_price[i], report.candles.digits),
        trades.exit_reason[i], number(trades.net_pips[i], 1), number(trades.r[i], 2), number(trades.mfe_pips[i], 1), number(trades.mae_pips[i], 1)];
      for (const name of ["pair", "model", "money"]) if (trades[name]) cells.push(String(trades[name][i]));
      cells.forEach((text, at) => { const cell = row.insertCell(); cell.textContent = text;
        cell.className = (at > 5 && at < 10) || at === 3 || at === 4 ? "n" : ""; if (at === 6) cell.classList.add(trades.net_pips[i] > 0 ? "up" : "down"); });
      if (show) { row.onclick = () => show(i); row.onkeydown = e => { if (e.key === "Enter") show(i); }; }
      part.append(row);
    }
    body.append(part);
    pick("more").hidden = shown >= n;
  };
  pick("more").onclick = more; more();
}

const show = priceChart();
if (report.in_sample) plot("equity", merged(report.equity, report.in_sample), { lines: [["out of sample", "--blue", { width: 2 }], ["in sample", "--dim", { dash: [4, 3] }]] });
else plot("equity", [report.equity.time, report.equity.pips], { lines: [["net pips", "--blue", { width: 2 }]] });
plot("drawdown", [report.equity.time, report.equity.drawdown], { height: 150, lines: [["below the high", "--bad", { fill: colour("--bad") + "22" }]] });
if (report.account) plot("account", [report.account.time, report.account.value], { y: { distr: 3 }, lines: [["account", "--blue"]] });
if (report.states) plot("states", [report.states.time, report.states.null, report.states.rupture, report.states.entropy, report.states.coherence],
  { lines: [["null", "--dim"], ["rupture", "--bad"], ["entropy", "--amber"], ["coherence", "--good"]] });
if (report.money) plot("money", [report.money.time, report.money.sum], { lines: [["net", "--blue", { width: 2 }]] });
const hues = ["--blue", "--good", "--bad", "--amber", "--dim"];
if (report.parts) {
  const times = [...new Set(report.parts.flatMap(p => p.time))].sort((a, b) => a - b);
  const of = p => { const m = new Map(p.time.map((t, i) => [t, p.pips[i]])); return times.map(t => m.has(t) ? m.get(t) : null); };
  plot("parts", [times, ...report.parts.map(of)], { lines: report.parts.map((p, i) => [p.name, hues[i % hues.length]]) });
}
if (report.exposure) {
  const names = Object.keys(report.exposure.currencies);
  plot("exposure", [report.exposure.time, ...names.map(n => report.exposure.currencies[n])], { lines: names.map((n, i) => [n, hues[i % hues.length]]) });
}
tradeRows(show);
