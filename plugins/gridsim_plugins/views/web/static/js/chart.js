// What the charts share: the time axis, ranges that stay calm, and the gap between two lines.

import { css, on } from "./dom.js";
import { clock, minutes, number, zoneName } from "./format.js";

const STEPS = [60, 120, 180, 300, 450, 600, 900, 3600, 10800, 21600, 43200, 86400].map((s) => s * 1000);
const still = matchMedia("(prefers-reduced-motion: reduce)");

// Columns of one length that never grow beyond `room` points.
export class Table {
	constructor(room) {
		this.room = room;
		this.length = 0;
		this.time = new Float64Array(room);
		this.columns = new Map();
	}
	column(name) {
		let found = this.columns.get(name);
		if (!found) this.columns.set(name, (found = new Float64Array(this.room).fill(NaN)));
		return found;
	}
	clear() {
		this.length = 0;
		for (const column of this.columns.values()) column.fill(NaN);
	}
	// A point within `step` ms of the last one replaces it.
	add(time, values, step = 0) {
		let at = this.length;
		const last = this.time[at - 1];
		if (at && time < last) return;
		if (at && (time === last || (step && Math.floor(time / step) === Math.floor(last / step)))) at -= 1;
		else if (at === this.room) {
			this.time.copyWithin(0, 1);
			for (const column of this.columns.values()) { column.copyWithin(0, 1); column[at - 1] = NaN; }
			at -= 1;
		}
		this.time[at] = time;
		this.length = at + 1;
		for (const [name, value] of Object.entries(values)) this.column(name)[at] = value ?? NaN;
	}
}

// The range of times: it grows in steps until it spans `whole`, then scrolls by whole pixels.
export function timeRange(first, last, whole, width) {
	const span = STEPS.find((step) => step >= Math.min(last - first, whole) && step <= whole) ?? whole;
	const move = still.matches ? span / 8 : span / Math.max(width, 1);
	const end = Math.ceil(last / move) * move;
	return [end - span, end];
}

// A range of values that grows at once, and shrinks only when it is much too large.
export class CalmRange {
	constructor(least = 1) { this.least = least; this.reset(); }
	reset() { this.range = null; }
	fit(low, high) {
		if (!(high >= low)) [low, high] = [0, this.least];
		const room = Math.max((high - low) * 0.06, this.least * 0.06);
		low = low < 0 ? low - room : low;
		high = high > 0 ? high + room : high;
		if (high - low < this.least) high = low + this.least;
		const now = this.range;
		if (!now || low < now[0] || high > now[1] || high - low < 0.55 * (now[1] - now[0])) {
			const grain = 10 ** Math.floor(Math.log10(high - low)) / 5;
			this.range = [Math.floor(low / grain) * grain, Math.ceil(high / grain) * grain];
		}
		return this.range;
	}
}

const axis = (size, space, values) => ({
	size, space, values, gap: 4, font: `12px ${css("--ui")}`, ticks: { show: false },
	stroke: () => css("--soft"), grid: { stroke: () => css("--line"), width: 1 },
});

export const timeAxis = (size = 22) => axis(size, 80, (_, splits, __, ___, step) => splits.map(step < 60000 ? clock : minutes));

// Signed by a direction, because the net consumption is positive where the fleet draws.
export const valueAxis = (size, directed = false) => axis(size, 26, (_, splits, __, ___, step) => {
	const decimals = Number.isInteger(step) ? 0 : step >= 0.1 ? 1 : 2;
	return splits.map((v) => (directed ? `${number(Math.abs(v), decimals)} ${v > 0 ? "▲" : v < 0 ? "▼" : " "}` : number(v, decimals)));
});

export const line = (colour, width = 2, more = {}) => ({ stroke: () => css(colour), width, points: { show: false }, ...more });

// A uPlot in `box` that follows its size and the theme. `options` is called for each new plot.
export class Chart {
	constructor(box, height, options) {
		this.box = box;
		this.height = height;
		this.options = options;
		this.plot = null;
		box.style.height = `${height}px`;
		this.sizes = new ResizeObserver(() => this.fit());
		this.sizes.observe(box);
		this.themed = () => this.rebuild();
		on(document, "themechange", this.themed);
	}
	get width() { return Math.max(this.box.clientWidth, 60); }
	fit() {
		if (this.plot && this.plot.width !== this.width) this.plot.setSize({ width: this.width, height: this.height });
	}
	rebuild() {
		this.plot?.destroy();
		this.plot = null;
		if (this.drawn) this.draw(...this.drawn);
	}
	draw(data, x, y) {
		this.drawn = [data, x, y];
		if (!this.plot) {
			const base = {
				width: this.width, height: this.height, ms: 1, padding: [8, 20, 0, 0], legend: { show: false },
				tzDate: (ms) => window.uPlot.tzDate(new Date(ms), zoneName()),
				cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
				scales: { x: { time: true, auto: false }, y: { auto: false } },
			};
			this.plot = new window.uPlot({ ...base, ...this.options() }, data, this.box);
		}
		this.plot.batch(() => {
			this.plot.setData(data, false);
			this.plot.setScale("x", { min: x[0], max: x[1] });
			this.plot.setScale("y", { min: y[0], max: y[1] });
		});
	}
	destroy() {
		this.sizes.disconnect();
		document.removeEventListener("themechange", this.themed);
		this.plot?.destroy();
	}
}

// The context of a plot, saved, and limited to the area within its axes.
export function clipped({ ctx, bbox }) {
	ctx.save();
	ctx.beginPath();
	ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
	ctx.clip();
	return ctx;
}

// Fill the area between the first two lines wherever `part(a, b, i)` holds at either end of a segment.
export function fillGap(plot, colour, part) {
	const { data: [xs, as, bs] } = plot, ctx = clipped(plot);
	const x = (i) => plot.valToPos(xs[i], "x", true), y = (v) => plot.valToPos(v, "y", true);
	ctx.fillStyle = colour;
	ctx.beginPath();
	for (let i = 1; i < xs.length; i += 1) {
		const a0 = as[i - 1], a1 = as[i], b0 = bs[i - 1], b1 = bs[i];
		if ([a0, a1, b0, b1].includes(null) || !(part(a0, b0, i - 1) || part(a1, b1, i))) continue;
		ctx.moveTo(x(i - 1), y(a0));
		ctx.lineTo(x(i), y(a1));
		ctx.lineTo(x(i), y(b1));
		ctx.lineTo(x(i - 1), y(b0));
	}
	ctx.fill();
	ctx.restore();
}

export function inkOn(colour) {
	const [r, g, b] = [1, 3, 5].map((at) => (parseInt(colour.slice(at, at + 2), 16) / 255) ** 2);
	return 0.21 * r + 0.72 * g + 0.07 * b > 0.2 ? "#000" : "#fff";
}
