// The contracts: the reduction that is called and that is delivered, for the fleet and by project.

import { get } from "./api.js";
import { CalmRange, Chart, fillGap, line, timeAxis, timeRange, valueAxis } from "./chart.js";
import { $, all, atMost, calm, css, el, idNode, on, say, svg, visible } from "./dom.js";
import { NONE, count, kw, number, percent } from "./format.js";

const ROW = 34, VIRTUAL = 200, WIDE = 100, HIGH = 26;

export class Contracts {
	constructor(power, open) {
		this.power = power;
		this.open = open;
		this.sort = "roster";
		this.order = "asc";
		this.total = 0;
		this.rows = new Map();
		this.asked = this.asked_at = 0;
		this.range = new CalmRange(1);
		this.chart = new Chart($("promise-chart"), 112, () => this.options());
		this.load = atMost(300, () => { if (!this.ended) this.fetch(); });
		this.redraw = atMost(480, () => this.draw());
		this.scroll = $("contracts-scroll");
		on(this.scroll, "scroll", () => { this.place(); this.load(); });
		for (const id of ["contracts-filter", "contracts-broken"]) on($(id), "input", () => { this.scroll.scrollTop = 0; this.load(); });
		this.heads = all("[data-sort]");
		for (const button of this.heads) on(button, "click", () => this.by(button));
		this.body = $("contracts-body");
		[this.above, this.below] = [0, 1].map(() => el("tr.space", { "aria-hidden": "true" }, el("td", { colspan: 5 })));
	}

	// The last state of a run that has ended: nothing answers after it.
	last() {
		this.ended = true;
		this.fetch();
	}

	by(button) {
		const column = button.dataset.sort, first = column === "id" ? "asc" : "desc";
		if (this.sort !== column) [this.sort, this.order] = [column, first];
		else if (this.order === first) this.order = first === "asc" ? "desc" : "asc";
		else [this.sort, this.order] = ["roster", "asc"];
		for (const head of this.heads) {
			const on = head === button && this.sort === column;
			head.closest("th").setAttribute("aria-sort", !on ? "none" : this.order === "asc" ? "ascending" : "descending");
		}
		this.load();
	}

	// The rows in view, and some above and below them. A short table is there as a whole.
	window() {
		if (this.total <= VIRTUAL && this.total) return [0, VIRTUAL];
		const first = Math.max(Math.floor(this.scroll.scrollTop / ROW) - 8, 0);
		return [first, Math.ceil(this.scroll.clientHeight / ROW) + 20];
	}

	async fetch() {
		this.asked_at = performance.now();
		const turn = (this.asked += 1), [offset, limit] = this.window();
		const filter = $("contracts-filter").value.trim(), state = $("contracts-broken").checked ? "violation" : undefined;
		let page;
		try {
			page = await get("/projects", { sort: this.sort, order: this.order, filter: filter || undefined, state, offset, limit, sparkline: true });
		} catch { return; }
		if (turn !== this.asked) return;
		this.total = page.total;
		this.show(page);
		const rows = `${count(page.total)} ${page.total === 1 ? "project" : "projects"}`;
		say($("contracts-note"), page.total ? rows
			: state ? "No project violates its contract now. Violations are judged in demand-response events only; call one in Controls."
				: filter ? "No project has this text in its id." : "This run has no projects.");
	}

	show({ items, offset }) {
		const wanted = new Map();
		items.forEach((item, n) => {
			const row = this.rows.get(item.id) ?? this.make(item);
			this.update(row, item);
			row.node.setAttribute("aria-rowindex", offset + n + 2);
			wanted.set(item.id, row);
		});
		const focus = document.activeElement;
		this.rows = wanted;
		this.offset = offset;
		this.count = items.length;
		const nodes = [this.above, ...[...wanted.values()].map(({ node }) => node), this.below];
		const now = [...this.body.children];
		if (now.length !== nodes.length || now.some((node, n) => node !== nodes[n])) this.body.replaceChildren(...nodes);
		if (focus !== document.activeElement && focus?.isConnected) focus.focus({ preventScroll: true });
		$("contracts-table").setAttribute("aria-rowcount", this.total + 1);
		this.place();
	}

	place() {
		if (this.offset === undefined) return;
		this.above.firstChild.style.height = `${this.offset * ROW}px`;
		this.below.firstChild.style.height = `${Math.max(this.total - this.offset - this.count, 0) * ROW}px`;
	}

	make(item) {
		const target = el("td.num"), broken = el("td.num");
		const bar = el("span.bar", el("i.given"), el("i.tick")), value = el("span.mono"), picture = el("td.spark");
		const node = el("tr", { "data-project": item.id },
			el("th", { scope: "row" }, el("button.plain", { onclick: () => this.open(item) }, idNode(item.id))), target, el("td.num.given", value, bar), picture, broken);
		const [area, line, goal] = ["area", "line", "goal"].map((name) => svg("path", { class: name }));
		picture.append(svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, "aria-hidden": "true" }, area, line, goal));
		return { node, target, value, bar, broken, line, area, goal };
	}

	update(row, item) {
		const called = item.target_kw !== null, goal = called ? item.target_kw : item.standalone ? null : item.threshold_kw;
		row.node.className = item.in_violation ? "violated" : called ? "called" : item.standalone ? "standalone" : "";
		say(row.target, item.standalone ? "none" : number(goal, 2));
		row.target.title = called ? "called by an event" : "promised by the contract";
		say(row.value, item.standalone ? NONE : kw(item.delivered_kw));
		say(row.broken, item.standalone ? NONE : item.in_violation ? `▲ ${count(item.violations)}` : count(item.violations));
		row.broken.title = item.in_violation ? "in violation now" : "";
		const most = Math.max(goal ?? 0, 0.01) * 1.5;
		row.bar.hidden = item.standalone || !goal;
		row.bar.children[0].style.width = `${Math.min(Math.max(item.delivered_kw / most, 0), 1) * 100}%`;
		row.bar.children[1].style.left = `${((goal ?? 0) / most) * 100}%`;
		sparkline(row, (item.sparkline ?? []).filter(Number.isFinite), goal, called);
	}

	// The fleet's promise.
	frame(frame) {
		const { target_kw: target, delivered_kw: given } = frame, called = frame.running_events.length > 0;
		say($("called"), called ? number(target, 2) : NONE);
		say($("given"), called ? kw(given) : NONE);
		const part = $("part"), some = called && target > 0;
		say(part, some ? `${percent((100 * given) / target)} %` : NONE);
		part.classList.toggle("bad", some && frame.violating > 0);
		part.title = frame.violating ? `${count(frame.violating)} in violation` : "";
		this.redraw();
		if (performance.now() - this.asked_at > calm(2000, this.pages) && visible(this.scroll)) this.load();
	}

	draw() {
		const { tables } = this.power, table = tables["15m"], n = table.length;
		if (!n || document.hidden) return;
		const xs = Array.from(table.time.subarray(0, n)), target = new Array(n), given = new Array(n);
		const want = table.column("target"), have = table.column("delivered");
		this.broken = table.column("violating");
		let low = 0, high = 0;
		for (let i = 0; i < n; i += 1) {
			const on = want[i] > 0;
			target[i] = on ? want[i] : null;
			given[i] = on ? have[i] : null;
			if (on) { high = Math.max(high, want[i], have[i]); low = Math.min(low, have[i]); }
		}
		$("promise-note").hidden = high > 0;
		this.chart.draw([xs, given, target], timeRange(xs[0], xs[n - 1], 900_000, this.chart.width - 60), this.range.fit(low, high));
	}

	options() {
		return {
			axes: [timeAxis(), valueAxis(52)],
			series: [{}, line("--given", 2, { fill: () => css("--given-fill") }), line("--text", 2, { paths: window.uPlot.paths.stepped({ align: 1 }) })],
			// What is not delivered is red only while a contract is violated, which no event is in its ramp and the 300 s after.
			hooks: { drawAxes: [(plot) => {
				const lacks = (red) => (a, b, i) => a < b - 0.005 && this.broken[i] > 0 === red;
				fillGap(plot, css("--event-fill"), lacks(false));
				fillGap(plot, css("--red-fill"), lacks(true));
			}] },
		};
	}

}

// Delivered as an area with its line, and the target across it.
function sparkline(row, values, goal, called) {
	const n = values.length;
	let low = 0, high = Math.max(goal ?? 0, 0.01);
	for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
	const x = (i) => (WIDE - 2) * (1 - (n - 1 - i) / 59) + 1, y = (v) => HIGH - 2 - ((v - low) / (high - low)) * (HIGH - 4);
	const path = values.map((value, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`).join("");
	const set = (node, d) => { if (node.getAttribute("d") !== d) node.setAttribute("d", d); };
	set(row.line, path);
	set(row.area, n ? `${path}L${x(n - 1).toFixed(1)} ${y(0).toFixed(1)}L${x(0).toFixed(1)} ${y(0).toFixed(1)}Z` : "");
	set(row.goal, goal ? `M0 ${y(goal).toFixed(1)}H${WIDE}` : "");
	row.goal.classList.toggle("called", called);
}
