// The fleet's power over time: feeding above zero, drawing below, net as a line.

import { get } from "./api.js";
import { CalmRange, Chart, Table, clipped, inkOn, line, timeAxis, timeRange, valueAxis } from "./chart.js";
import { colourOf, inOrder, setTypes, typeName } from "./colours.js";
import { $, atMost, choice, css, el, on, say, short } from "./dom.js";
import { clock, kw, number, setZone } from "./format.js";

const SPANS = { "15m": { step: 1000, room: 900, whole: 900_000 }, "1d": { step: 60_000, room: 1440, whole: 86_400_000 } };

export class Power {
	constructor(timeline) {
		this.timeline = timeline;
		this.span = "15m";
		this.tables = Object.fromEntries(Object.entries(SPANS).map(([name, { room }]) => [name, new Table(room)]));
		this.types = [];
		this.range = new CalmRange(1);
		this.legend = new Map();
		this.chart = new Chart($("power-chart"), innerWidth < 600 ? 240 : 352, () => this.options());
		this.redraw = atMost(240, () => this.draw());
		this.reload = atMost(5000, () => this.load());
		choice("[data-span]", ({ span }) => {
			this.span = span;
			this.range.reset();
			this.load();
		});
		on($("power-chart"), "keydown", (event) => this.key(event));
		on(document, "themechange", () => this.paintLegend());
	}

	setTypes(types) {
		const sorted = inOrder(types);
		if (sorted.join("\n") === this.types.join("\n")) return;
		this.types = sorted;
		setTypes(sorted);
		const list = $("power-legend");
		list.replaceChildren();
		this.legend.clear();
		const item = (key, name, mark) => {
			const value = el("span.value.mono", { "data-value": key });
			list.append(el("li", mark, el("span.name", name), value));
			this.legend.set(key, { value, mark });
		};
		for (const type of sorted) item(type, typeName(type), el("i.swatch"));
		item(" load", "load", el("i.swatch.load"));
		item(" net", "net consumption", el("i.mark"));
		this.paintLegend();
		this.chart.rebuild();
	}

	paintLegend() {
		for (const type of this.types) this.legend.get(type).mark.style.background = colourOf(type);
	}

	async load() {
		const span = this.span;
		try {
			if (!this.ended) { this.take(span, await get("/history", { span })); return; }
		} catch { /* the next one may be answered */ }
		// What the page itself has of this span.
		this.redraw();
	}

	take(span, past) {
		const table = this.tables[span];
		table.clear();
		const kinds = Object.keys(past.kw);
		// So that the first picture need not wait for the stream.
		setZone(past.timezone);
		if (kinds.length) this.setTypes(kinds);
		past.time_ms.forEach((time, i) => {
			const values = { load: past.load_kw[i], target: past.target_kw[i], delivered: past.delivered_kw[i], violating: past.violating[i] };
			for (const kind of kinds) values[`kw ${kind}`] = past.kw[kind][i];
			table.add(time, values);
		});
		this.redraw();
		this.onload?.();
	}

	// A frame of the stream, which continues the past that was loaded.
	frame(frame) {
		this.setTypes(Object.keys(frame.kw));
		const values = { load: frame.load_kw, target: frame.target_kw, delivered: frame.delivered_kw, violating: frame.violating };
		for (const [kind, value] of Object.entries(frame.kw)) {
			values[`kw ${kind}`] = value;
			say(this.legend.get(kind).value, kw(value));
		}
		say(this.legend.get(" load").value, number(frame.load_kw, 2));
		say(this.legend.get(" net").value, kw(frame.net_kw));
		for (const [name, { step }] of Object.entries(SPANS)) this.tables[name].add(frame.time_ms, values, step);
		if (frame.speed === 0 || frame.speed > 8) this.reload();
		this.redraw();
	}

	stack(table) {
		const n = table.length, kinds = this.types.map((type) => table.column(`kw ${type}`)), load = table.column("load");
		const up = kinds.map(() => new Array(n)), down = kinds.map(() => new Array(n));
		const base = new Array(n), net = new Array(n);
		const feeds = [], draws = [];
		let low = 0, high = 0;
		for (let i = 0; i < n; i += 1) {
			let above = 0, below = -(load[i] || 0);
			base[i] = below;
			kinds.forEach((kind, k) => {
				const value = kind[i] || 0;
				if (value > 0) { above += value; feeds[k] = true; } else if (value < 0) { below += value; draws[k] = true; }
				up[k][i] = above;
				down[k][i] = below;
			});
			net[i] = above + below;
			if (above > high) high = above;
			if (below < low) low = below;
		}
		const used = (columns, which) => columns.map((column, k) => (which[k] ? column : new Array(n).fill(null)));
		return { low, high, net, base, up: used(up, feeds), down: used(down, draws) };
	}

	draw() {
		const table = this.tables[this.span];
		if (!table.length || document.hidden || !this.types.length) return;
		const stack = this.stack(table), { whole } = SPANS[this.span];
		const xs = Array.from(table.time.subarray(0, table.length));
		this.last = stack;
		this.chart.draw([xs, ...stack.up.toReversed(), ...stack.down.toReversed(), stack.base, stack.net],
			timeRange(xs[0], xs.at(-1), whole, this.chart.width - 72), this.range.fit(stack.low, stack.high));
		if (!this.marked) this.marked = performance.mark("gridsim-power");
	}

	options() {
		const area = (fill) => line("--panel", 1, { fill });
		const kinds = this.types.toReversed().map((type) => area(() => colourOf(type)));
		return {
			axes: [timeAxis(26), valueAxis(68, true)],
			series: [{}, ...kinds, ...kinds.map((kind) => ({ ...kind })), area(() => css("--load-fill")), line("--text")],
			hooks: { drawClear: [(plot) => this.bands(plot)], draw: [(plot) => { this.names(plot); this.marks(plot); }], setCursor: [(plot) => this.read(plot)] },
		};
	}

	// Events as bands with their names, beneath the areas; drawn before uPlot draws.
	bands(plot) {
		const { bbox } = plot, ctx = clipped(plot);
		ctx.fillStyle = css("--event-fill");
		for (const { from, to } of this.timeline.events(plot.scales.x.max)) {
			const left = plot.valToPos(from, "x", true), right = plot.valToPos(to, "x", true);
			ctx.fillRect(left, bbox.top, Math.max(right - left, 1), bbox.height);
		}
		ctx.restore();
	}

	names(plot) {
		const { ctx, bbox } = plot, ratio = devicePixelRatio, stack = this.last, at = stack.net.length - 1;
		ctx.save();
		ctx.font = `600 ${12 * ratio}px ${css("--ui")}`;
		ctx.textBaseline = "middle";
		ctx.textAlign = "right";
		const y = (value) => plot.valToPos(value, "y", true);
		const right = Math.min(plot.valToPos(plot.data[0][at], "x", true), bbox.left + bbox.width) - 8 * ratio;
		const label = (from, to, text, colour, ground) => {
			if (Math.abs(y(to) - y(from)) < 20 * ratio || right - bbox.left < ctx.measureText(text).width + 8 * ratio) return;
			ctx.strokeStyle = ground;
			ctx.lineWidth = 4 * ratio;
			ctx.lineJoin = "round";
			ctx.strokeText(text, right, (y(from) + y(to)) / 2);
			ctx.fillStyle = colour;
			ctx.fillText(text, right, (y(from) + y(to)) / 2);
		};
		label(0, stack.base[at], "load", css("--text"), css("--load-fill"));
		for (const [columns, base] of [[stack.up, 0], [stack.down, stack.base[at]]]) {
			let from = base;
			this.types.forEach((type, k) => {
				const to = columns[k][at];
				if (to === null) return;
				label(from, to, typeName(type), inkOn(colourOf(type)), colourOf(type));
				from = to;
			});
		}
		ctx.restore();
	}

	marks(plot) {
		const { bbox } = plot, ctx = clipped(plot), ratio = devicePixelRatio, x = (ms) => plot.valToPos(ms, "x", true);
		const zero = plot.valToPos(0, "y", true), { min, max } = plot.scales.x;
		ctx.fillStyle = css("--text");
		ctx.fillRect(bbox.left, Math.round(zero - ratio / 2), bbox.width, ratio);
		ctx.font = `600 ${12 * ratio}px ${css("--ui")}`;
		ctx.textBaseline = "top";
		ctx.textAlign = "left";
		let row = 0, until = -Infinity;
		for (const { id, from, to } of this.timeline.events(max)) {
			if (to < min) continue;
			const left = Math.max(x(from), bbox.left);
			ctx.fillStyle = css("--text");
			for (const edge of [x(from), x(to)]) ctx.fillRect(Math.round(edge), bbox.top, ratio, bbox.height);
			row = left < until ? (row + 1) % 3 : 0;
			const text = short(id, 24);
			const wide = ctx.measureText(text).width + 12 * ratio;
			const place = Math.min(left, bbox.left + bbox.width - wide);
			until = place + wide;
			ctx.fillRect(place, bbox.top + row * 20 * ratio, wide, 18 * ratio);
			ctx.fillStyle = css("--panel");
			ctx.fillText(text, place + 6 * ratio, bbox.top + (row * 20 + 3) * ratio);
		}
		for (const { time_ms: time, kind, state } of this.timeline.ticks()) {
			if (time < min || time > max) continue;
			const at = Math.round(x(time)), high = 8 * ratio, half = 5 * ratio, open = state === "cleared";
			ctx.beginPath();
			ctx.moveTo(at, zero + ratio);
			ctx.lineTo(at - half, zero + high + ratio);
			ctx.lineTo(at + half, zero + high + ratio);
			ctx.closePath();
			ctx.lineWidth = 1.5 * ratio;
			ctx.fillStyle = open ? css("--panel") : css(kind === "failure" ? "--red-mark" : "--amber-mark");
			ctx.strokeStyle = css("--text");
			ctx.fill();
			ctx.stroke();
		}
		ctx.restore();
	}

	read(plot) {
		const { idx } = plot.cursor, table = this.tables[this.span];
		if (idx === null || idx === undefined || idx >= table.length) { say($("power-readout"), ""); return; }
		const parts = this.types.map((type) => `${typeName(type)} ${kw(table.column(`kw ${type}`)[idx])}`);
		const load = table.column("load")[idx];
		const net = load - this.types.reduce((sum, type) => sum + (table.column(`kw ${type}`)[idx] || 0), 0);
		say($("power-readout"), `${clock(table.time[idx])}  ${parts.join("  ")}  load ${number(load, 2)}  net ${kw(net)}`);
	}

	key(event) {
		const plot = this.chart.plot, move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -1e6, End: 1e6 }[event.key];
		if (!plot || !move) return;
		event.preventDefault();
		const xs = plot.data[0], now = plot.cursor.idx ?? xs.length - 1;
		const next = Math.min(Math.max(now + move, 0), xs.length - 1);
		plot.setCursor({ left: plot.valToPos(xs[next], "x"), top: 10 });
	}
}
