// One device beside the pictures: what was true, what it reported, its settings and its messages.

import { get, part } from "./api.js";
import { CalmRange, Chart, Table, fillGap, line, timeAxis, timeRange, valueAxis } from "./chart.js";
import { colourOf, typeName } from "./colours.js";
import { $, css, el, idNode, on, say } from "./dom.js";
import { NONE, count, kw, number, percent, wallOffset, wallTime } from "./format.js";

const POLL_MS = 1000, MESSAGES = 50, KEPT = 4096;
const NAMES = { current_output: "Output", current_soc: "State of charge", power_meter_measurement: "Site's meter (gross load)" };
const wide = matchMedia("(min-width: 1000px)");
const differ = (a, b) => Math.abs(a - b) > 0.0051;

export class Device {
	constructor(act, units) {
		this.act = act;
		this.units = units;
		this.id = null;
		this.node = $("device");
		on(wide, "change", () => this.settle());
		on(this.node, "keydown", (event) => { if (event.key === "Escape") this.close(); });
	}

	// Beside the pictures where there is room, after the heat map where there is not.
	settle() {
		const open = this.id !== null, aside = $("aside");
		if (open && wide.matches) aside.append(this.node); else $("fleet").after(this.node);
		aside.hidden = !(open && wide.matches);
		document.body.classList.toggle("beside", open && wide.matches);
		this.node.hidden = !open;
	}

	async open(id) {
		this.close(false);
		this.id = id;
		this.table = new Table(900);
		this.messages = [];
		this.after = { after_ms: 0, after_change: -1 };
		this.charts = new Map();
		this.build();
		this.settle();
		this.title.focus({ preventScroll: wide.matches });
		if (!wide.matches) this.node.scrollIntoView({ block: "start" });
		this.poll();
	}

	// The last readings of a run that has ended: nothing answers after them.
	end() {
		this.ended = true;
		if (this.id === null) return;
		clearTimeout(this.timer);
		this.poll();
	}

	close(back = true) {
		if (this.id === null) return;
		clearTimeout(this.timer);
		for (const { chart } of this.charts.values()) chart.destroy();
		this.id = null;
		this.settle();
		this.node.replaceChildren();
		if (back) $("heat").focus({ preventScroll: true });
	}

	build() {
		const target = this.id, button = (text, tab, body) => el("button", { onclick: () => this.act(tab, body) }, text);
		this.title = el("h2", { id: "device-title", tabindex: "-1" }, idNode(target));
		this.about = el("p.unit");
		this.order = el("p.order");
		this.problem = el("p.trouble");
		this.pictures = el("div.pictures", el("p.note", "Recording begins now; the first reading follows with the next tick."));
		this.settings = el("dl.settings");
		this.list = el("ol.messages", { "aria-label": "Messages" });
		this.none = el("p.note", "No message so far. Each one that this device sends or receives is shown here as it was sent.");
		this.pretty = el("input", { type: "checkbox", onchange: () => this.showMessages(true) });
		this.node.replaceChildren(
			el("div.head", this.title, this.about, el("button.close", { onclick: () => this.close() }, "Close")),
			this.problem,
			el("div.do", button("Send a command", "command", { target }), button("Inject a fault", "fault", { target }), button("Clear a fault", "end")),
			el("p.legend.small", (this.mark = el("i.mark.reported")), "reported", el("i.mark.true"), "true", el("i.swatch.gap"), "they differ"),
			this.pictures, this.order,
			el("details", el("summary", "Settings"), this.settings),
			el("div.head.trace", el("h3", "Messages"), el("span.unit", `wall time, UTC${wallOffset(Date.now()).replace("Z", "")}`), el("label.only", this.pretty, " pretty")),
			this.list, this.none,
		);
	}

	async poll() {
		const { id } = this;
		try {
			const view = await get(`/devices/${part(id)}/watch`, this.after);
			if (this.id !== id) return;
			say(this.problem, "");
			this.show(view);
		} catch (error) {
			if (this.id !== id) return;
			if (error.status) say(this.problem, error.message);
			else if (this.ended && !this.charts.size) say(this.problem, "The run has ended: no further device can be opened.");
			if (error.status === 404) return;
		}
		if (!this.ended) this.timer = setTimeout(() => this.poll(), document.hidden ? 5 * POLL_MS : POLL_MS);
	}

	show(view) {
		this.colour = view.type;
		this.mark.style.borderColor = colourOf(view.type);
		this.about.replaceChildren(`${typeName(view.type)} of `, idNode(view.project));
		say(this.order, view.order ? `In force: ${view.order}` : "No command is in force.");
		if (!this.settings.childElementCount) {
			this.settings.replaceChildren(...Object.entries(view.settings).map(([name, value]) => el("div", el("dt", name), el("dd", el("bdi", typeof value === "string" ? value : JSON.stringify(value))))));
		}
		view.time_ms.forEach((time, i) => {
			const values = {};
			for (const [name, column] of Object.entries(view.true)) values[`t ${name}`] = column[i];
			for (const [name, column] of Object.entries(view.reported)) values[`r ${name}`] = column[i];
			this.table.add(time, values);
		});
		if (view.time_ms.length) this.after.after_ms = view.time_ms.at(-1);
		this.draw(Object.keys(view.true));
		if (view.messages.length) {
			// New ones, and those whose fate is known now.
			const all = new Map([...this.messages, ...view.messages].map((one) => [one.number, one]));
			this.after.after_change = Math.max(...view.messages.map(({ changed }) => changed));
			this.messages = [...all.values()].slice(-MESSAGES);
		}
		this.showMessages();
	}

	draw(names) {
		const { table } = this, n = table.length;
		if (!n) return;
		const xs = Array.from(table.time.subarray(0, n));
		for (const name of names) {
			const [truth, told] = ["t", "r"].map((kind) => Array.from(table.column(`${kind} ${name}`).subarray(0, n)));
			const known = [...truth, ...told].filter(Number.isFinite);
			if (!known.length) continue;
			const one = this.charts.get(name) ?? this.addChart(name);
			let low = Math.min(...known), high = Math.max(...known);
			if (name === "current_soc") { low = Math.max(low - 1, 0); high = Math.min(high + 1, 100); }
			const write = name === "current_output" ? kw : name === "current_soc" ? percent : (v) => number(v, 2);
			const last = truth[n - 1], said = told[n - 1], part = Number.isFinite(said) && differ(last, said);
			say(one.value, Number.isFinite(said) ? write(said) : NONE);
			say(one.truth, part || !Number.isFinite(said) ? `true ${write(last)}` : "");
			one.chart.draw([xs, truth.map(orNull), told.map(orNull)], timeRange(xs[0], xs[n - 1], 900_000, one.chart.width - 56), one.range.fit(low, high));
		}
	}

	addChart(name) {
		if (!this.charts.size) this.pictures.replaceChildren();
		const box = el("div.picture", { role: "img", "aria-label": `${NAMES[name] ?? name}: reported and true` });
		const value = el("span.mono"), truth = el("span.mono.truth");
		this.pictures.append(el("figure", el("figcaption", el("h3", NAMES[name] ?? sentence(name)), el("span.unit", this.units()[name] ?? ""), value, truth), box));
		const options = () => ({
			axes: [timeAxis(), valueAxis(48)],
			series: [{}, line("--text", 1, { dash: [4, 3] }), line("--text", 2, { stroke: () => colourOf(this.colour) })],
			hooks: { drawAxes: [(plot) => fillGap(plot, css("--amber-fill"), differ)] },
		});
		const one = { chart: new Chart(box, name === "current_output" ? 152 : 104, options), range: new CalmRange(name === "current_soc" ? 2 : 0.5), value, truth };
		this.charts.set(name, one);
		return one;
	}

	// The newest first; as sent, or indented on demand.
	showMessages(again = false) {
		const known = new Map(again ? [] : [...this.list.children].map((node) => [node.dataset.number, node]));
		const nodes = this.messages.toReversed().map((message) => {
			const old = known.get(String(message.number));
			if (old?.changed === message.changed) return old;
			return Object.assign(this.message(message), { changed: message.changed });
		});
		this.list.replaceChildren(...nodes);
		this.none.hidden = nodes.length > 0;
	}

	message({ number: n, wall_ms: wall, direction, channel, topic, qos, payload, encoding, start, size, fate }) {
		const kept = Math.min(size, KEPT), cut = start + kept < size;
		let text = encoding === "base64" ? `base64: ${payload}` : `${start ? "…" : ""}${payload}${cut ? "…" : ""}`;
		if (!size) text = "not encoded";
		if (this.pretty.checked) try { text = JSON.stringify(JSON.parse(payload), null, 2); } catch { /* shown as sent */ }
		return el("li", { "data-number": n },
			el("div.meta", el("span.sr", direction === "out" ? "sent " : "received "), el("span.arrow", { "aria-hidden": "true" }, direction === "out" ? "→" : "←"),
				el("time", { title: `wall time${wallOffset(wall)}` }, wallTime(wall)), idNode(topic || channel), el("span", qos === null ? "" : `QoS ${qos}`), el("span", kept < size ? `${count(kept)} of ${count(size)} B` : `${count(size)} B`),
				el("span", { class: `fate${/^(dropped|rejected|refused|unconfirmed)/.test(fate) ? " bad" : ""}` }, fate)),
			el("pre", { tabindex: "0" }, el("bdi", text)));
	}
}

const sentence = (name) => `${name[0].toUpperCase()}${name.slice(1).replaceAll("_", " ")}`;
const orNull = (v) => (Number.isFinite(v) ? v : null);
