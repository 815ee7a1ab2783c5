// The fleet as a heat map: one cell a device, grouped by project, ordered by type, on one canvas.

import { bytes, get } from "./api.js";
import { inkOn } from "./chart.js";
import { inOrder, isDark, typeName } from "./colours.js";
import { $, atMost, calm, choice, css, el, on, say, short, visible } from "./dom.js";
import { count, kw, number, percent } from "./format.js";

const EVERY_MS = 5000, LARGEST = 48, LABELLED = 24, GUTTER = 108;
// Each state: its words, its colours on a light and a dark ground, and its shape.
const STATES = {
	ok: ["connected", ["#a9d5c5", "#2c6350"], ""],
	called: ["called by an event", ["#0072b2", "#56b4e9"], "●"],
	faulty: ["fault on purpose", ["#c98300", "#e8a317"], "▲"],
	offline: ["offline", ["#59626b", "#8a949e"], "×"],
	disabled: ["disabled", ["#d1243c", "#ff5c68"], "!"],
};

const hex = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
function ramp(stops, t) {
	const at = Math.min(Math.max(t, 0), 1) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
	return stops[low].map((v, i) => Math.round(v + (stops[low + 1][i] - v) * (at - low)));
}
// Cividis, and a diverging scale from purple (draws) over the ground (0) to green (feeds).
const CIVIDIS = ["#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838"].map(hex);

export class Heat {
	constructor(open) {
		this.open = open;
		this.by = "output";
		this.at = this.over = -1;
		this.asked_at = 0;
		this.values = null;
		this.box = $("heat");
		this.canvas = $("heat-canvas");
		this.cursor = $("heat-cursor");
		choice("[data-by]", ({ by }) => { this.by = by; this.values = null; this.load(); });
		on(this.box, "keydown", (event) => this.key(event));
		on(this.box, "focus", () => { if (this.at < 0 && this.place) this.walk(0); });
		on(this.canvas, "mousemove", (event) => this.hover(event));
		on(this.canvas, "click", (event) => {
			const place = this.under(event);
			if (place >= 0) { this.walk(place); this.choose(place); }
		});
		this.about = atMost(120, (place) => this.ask(place));
		new ResizeObserver(() => { if (this.place) { this.arrange(); this.paint(); } }).observe(this.box);
		on(document, "themechange", () => { this.paint(); this.legend(); });
		this.load = atMost(250, () => { if (this.place && this.live) this.fetch(); });
		on(document, "visibilitychange", this.load);
		new IntersectionObserver(this.load).observe(this.box);
		setInterval(() => { if (performance.now() - this.asked_at > calm(EVERY_MS, this.pages)) this.load(); }, 500);
		this.live = true;
		this.legend();
	}

	// The last state of a run that has ended.
	last() {
		if (this.place) this.fetch();
		this.live = false;
	}

	// The order of the cells: the projects as configured, the types of each in one order.
	async start() {
		const roster = await get("/roster"), { data } = await bytes("/fleet", { show: "type" });
		const n = roster.devices, order = inOrder(roster.types), rank = roster.types.map((type) => order.indexOf(type));
		this.count = n;
		this.types = roster.types;
		this.type = data;
		this.projects = roster.project_ids;
		this.first = [...roster.first_device, n];
		this.device = new Uint32Array(n);
		this.group = new Uint32Array(n);
		for (let p = 0; p < this.projects.length; p += 1) {
			const from = this.first[p], to = this.first[p + 1], part = [];
			for (let d = from; d < to; d += 1) { part.push(d); this.group[d] = p; }
			part.sort((a, b) => rank[data[a]] - rank[data[b]] || a - b);
			this.device.set(part, from);
		}
		this.ids = new Map();
		const groups = this.projects.length;
		say($("fleet-count"), `${count(n)} ${n === 1 ? "device" : "devices"} in ${count(groups)} ${groups === 1 ? "project" : "projects"}`);
		this.place = n > 0;
		if (!n) { say($("heat-says"), "This run has no devices. Add [[projects.ders]] to the configuration."); return; }
		this.arrange();
		this.load();
	}

	// The largest cells with which all devices fit: a line for each of a few projects, else a gap
	// between them while the cells are large.
	arrange() {
		const width = this.box.clientWidth, n = this.count, groups = this.projects.length, tallest = innerWidth < 600 ? 360 : 420;
		if (!width) return;
		const labelled = groups <= LABELLED && width > 400;
		const layout = (cell) => {
			const left = labelled ? GUTTER : 0, cols = Math.max(Math.floor((width - left) / cell), 1), starts = [];
			let slot = 0;
			for (let p = 0; p < groups; p += 1) {
				if (labelled) slot = Math.ceil(slot / cols) * cols;
				starts.push(slot);
				slot += this.first[p + 1] - this.first[p] + (!labelled && cell >= 8 ? 1 : 0);
			}
			return { cell, left, cols, starts, rows: Math.ceil(slot / cols) };
		};
		let cell = LARGEST, made = layout(cell);
		while (cell > 2 && made.rows * cell > (labelled ? 240 : tallest)) made = layout((cell -= 1));
		Object.assign(this, made);
		const { cols, rows, starts } = made;
		this.slot = new Uint32Array(n);
		this.inSlot = new Int32Array(cols * rows).fill(-1);
		for (let i = 0; i < n; i += 1) {
			const p = this.group[this.device[i]];
			this.slot[i] = starts[p] + i - this.first[p];
			this.inSlot[this.slot[i]] = i;
		}
		this.labels = labelled ? this.projects.map((id, p) => [starts[p] / cols, id]) : [];
		this.canvas.width = Math.round(width * devicePixelRatio);
		this.canvas.height = Math.round(rows * cell * devicePixelRatio);
		this.canvas.style.height = `${rows * cell}px`;
		this.canvas.style.width = `${width}px`;
		this.box.style.height = `${Math.min(rows * cell, tallest)}px`;
		if (this.at >= 0) this.point();
	}

	async fetch() {
		if (!visible(this.box)) return;
		this.asked_at = performance.now();
		const by = this.by;
		let answer;
		try { answer = await bytes("/fleet", { show: by }); } catch { return; }
		if (by !== this.by || answer.data.length !== this.count) return;
		this.values = answer.data;
		this.paint();
		this.legend();
		if (this.over >= 0) this.ask(this.over);
	}

	palette() {
		const table = new Uint32Array(256), put = (i, [r, g, b]) => { table[i] = (255 << 24) | (b << 16) | (g << 8) | r; };
		const [empty, middle, draws, feeds] = (isDark() ? ["#20272d", "#39424b", "#d79be0", "#43e0ae"] : ["#e3e6ea", "#d5d9dd", "#7b2f8e", "#00684a"]).map(hex);
		for (let i = 0; i < 256; i += 1) {
			put(i, this.by === "soc" ? (i === 255 ? empty : ramp(CIVIDIS, i / 200))
				: this.by === "state" ? hex(STATES[stateOf(i)][1][Number(isDark())])
					: i === 0 ? empty : ramp([draws, middle, feeds], (i - 28) / 200));
		}
		return table;
	}

	paint() {
		if (!this.values || !this.slot) return;
		const { cols, rows, cell, left } = this, table = this.palette();
		const image = new ImageData(cols, rows), pixels = new Uint32Array(image.data.buffer);
		for (let i = 0; i < this.count; i += 1) pixels[this.slot[i]] = table[this.values[this.device[i]]];
		this.small ??= document.createElement("canvas");
		this.small.width = cols;
		this.small.height = rows;
		this.small.getContext("2d").putImageData(image, 0, 0);
		const ctx = this.canvas.getContext("2d"), ratio = devicePixelRatio;
		ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
		ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
		ctx.imageSmoothingEnabled = false;
		ctx.drawImage(this.small, left, 0, cols * cell, rows * cell);
		if (cell >= 6) this.details(ctx);
		ctx.fillStyle = css("--text");
		ctx.font = `12px ${css("--mono")}`;
		ctx.textBaseline = "middle";
		for (const [row, id] of this.labels) {
			ctx.fillText(`\u2068${short(id, 14)}\u2069`, 0, row * cell + cell / 2, left - 8);
		}
	}

	// The lines between cells; in large cells the value, or a shape that repeats the colour of a state.
	details(ctx) {
		const { cols, rows, cell, left, by } = this, table = this.palette();
		ctx.fillStyle = css("--panel");
		for (let c = 0; c <= cols; c += 1) ctx.fillRect(left + c * cell - 1, 0, 1, rows * cell);
		for (let r = 0; r <= rows; r += 1) ctx.fillRect(left, r * cell - 1, cols * cell, 1);
		if (cell < (by === "state" ? 10 : 28)) return;
		ctx.font = `${Math.min(cell - 2, 12)}px ${css("--mono")}`;
		ctx.textAlign = "center";
		ctx.textBaseline = "middle";
		for (let i = 0; i < this.count; i += 1) {
			const v = this.values[this.device[i]], slot = this.slot[i];
			const text = by === "state" ? STATES[stateOf(v)][2] : by === "soc" ? (v === 255 ? "" : percent(v / 2)) : v ? number((v - 128) / 1.27, 0, true) : "";
			ctx.fillStyle = inkOn(rgb(table, v));
			ctx.fillText(text, left + (slot % cols) * cell + (cell - 1) / 2, Math.floor(slot / cols) * cell + cell / 2);
		}
		ctx.textAlign = "left";
	}

	legend() {
		const key = `${this.by} ${isDark()} ${Boolean(this.values)}`;
		if (key === this.keyed) return;
		this.keyed = key;
		const table = this.palette(), colour = (v) => rgb(table, v);
		const mark = (name, background) => { const node = el("i", { class: name }); node.style.background = background; return node; };
		const scale = (...stops) => mark("scale", `linear-gradient(90deg, ${stops})`);
		const item = (...parts) => el("li", ...parts);
		$("heat-legend").replaceChildren(...{
			soc: () => [item("0 %", scale(...[0, 40, 80, 120, 160, 200].map(colour)), "100 %"), item(mark("swatch", colour(255)), "no storage")],
			output: () => [item("−100 %", scale(colour(28), colour(128), colour(228)), "+100 % of capacity")],
			state: () => Object.values(STATES).map(([words, pair, sign]) => item(mark("swatch", pair[Number(isDark())]), `${sign} ${words}`)),
		}[this.by]());
	}

	under(event) {
		if (!this.slot) return -1;
		const x = event.offsetX - this.left, y = event.offsetY;
		const c = Math.floor(x / this.cell), r = Math.floor(y / this.cell);
		return x < 0 || c >= this.cols || r >= this.rows ? -1 : this.inSlot[r * this.cols + c];
	}

	hover(event) {
		const place = this.under(event);
		if (place >= 0 && place !== this.over) this.tell(place);
	}

	// What the byte says, until the server has said more.
	line(place, item = this.ids.get(this.device[place])) {
		const d = this.device[place], v = this.values?.[d] ?? 255, { by } = this;
		const soc = (known, value) => (known ? `${percent(value)} %` : "no storage");
		const exact = item && { output: `${kw(item.output_kw)} kW`, soc: soc(item.soc !== null, item.soc), state: "" }[by];
		const rough = { output: `${percent((v - 128) / 1.27)} % of its capacity`, soc: soc(v < 255, v / 2), state: STATES[stateOf(v)][0] }[by];
		return `${item ? `\u2068${item.id}\u2069` : "…"}  ${typeName(this.types[this.type[d]])} of \u2068${this.projects[this.group[d]]}\u2069  ${[exact ?? rough, item && words(item)].filter(Boolean).join(", ")}`;
	}

	async ask(place) {
		const d = this.device[place];
		try {
			const { items } = await get("/devices", { offset: d, limit: 1 });
			if (this.ids.size > 500) this.ids.clear();
			this.ids.set(d, items[0]);
			if (this.over === place) say($("heat-says"), this.line(place));
		} catch { /* the next one may be answered */ }
	}

	async choose(place) {
		const d = this.device[place];
		if (!this.ids.has(d)) await this.ask(place);
		if (this.ids.has(d)) this.open(this.ids.get(d).id);
	}

	// Go to the first device of a project.
	project(index) {
		if (!this.place) return;
		this.box.scrollIntoView({ block: "nearest" });
		this.box.focus({ preventScroll: true });
		this.walk(this.first[index]);
	}

	walk(place) {
		this.at = Math.min(Math.max(place, 0), this.count - 1);
		this.point();
		this.tell(this.at);
	}

	// Say what the cell under the pointer or the cursor shows.
	tell(place) {
		this.over = place;
		say($("heat-says"), this.line(place));
		this.about(place);
	}

	point() {
		const { cell, cols, left } = this, slot = this.slot[this.at], size = Math.max(cell, 6);
		const x = left + (slot % cols) * cell - (size - cell) / 2, y = Math.floor(slot / cols) * cell - (size - cell) / 2;
		this.cursor.hidden = false;
		this.cursor.style.width = this.cursor.style.height = `${size}px`;
		this.cursor.style.transform = `translate(${x}px, ${y}px)`;
		if (y < this.box.scrollTop || y + cell > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = Math.max(y - this.box.clientHeight / 2, 0);
	}

	key(event) {
		if (!this.place || event.altKey || event.ctrlKey || event.metaKey) return;
		if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.choose(Math.max(this.at, 0)); return; }
		const at = Math.max(this.at, 0), slot = this.slot[at];
		// Up and down go to the same column, or to the end of a row that is shorter.
		const vertical = (step) => {
			const row = Math.floor(slot / this.cols) + step;
			for (let s = slot + step * this.cols; s >= row * this.cols && s >= 0; s -= 1) if (this.inSlot[s] >= 0) return this.inSlot[s];
			return at;
		};
		const project = (step) => this.first[Math.min(Math.max(this.group[this.device[at]] + step, 0), this.projects.length - 1)];
		const go = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: vertical(-1), ArrowDown: vertical(1), Home: 0, End: this.count - 1, PageUp: project(-1), PageDown: project(1) }[event.key];
		if (go === undefined) return;
		event.preventDefault();
		this.walk(go);
	}
}

const stateOf = (bits) => (bits & 8 ? "disabled" : bits & 1 ? "offline" : bits & 2 ? "faulty" : bits & 4 ? "called" : "ok");

const rgb = (table, v) => `#${[0, 8, 16].map((bit) => ((table[v] >> bit) & 255).toString(16).padStart(2, "0")).join("")}`;

const words = (item) => [item.online ? "online" : "offline", item.disabled && "disabled", item.faulty && "faulty", item.called && "called"].filter(Boolean).join(", ");
