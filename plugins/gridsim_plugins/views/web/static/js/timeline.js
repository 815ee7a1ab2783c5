// Events, faults, commands and failures: as a list, and as marks for the charts.

import { $, all, el, on, say } from "./dom.js";
import { clock, count, moment } from "./format.js";

const KEPT = 200;
const SIGNS = { event: "▬", fault: "▲", command: "▸", failure: "✕" };

export class Timeline {
	constructor() {
		this.entries = [];
		this.next = 0;
		this.missed = 0;
		this.shown = new Set(["event", "fault", "command", "failure"]);
		for (const button of all("[data-kind]")) {
			on(button, "click", () => {
				const { kind } = button.dataset, on = !this.shown.has(kind);
				if (on) this.shown.add(kind); else this.shown.delete(kind);
				button.setAttribute("aria-pressed", String(on));
				this.list();
			});
		}
		this.list();
	}

	add({ items, missed, next }) {
		const fresh = items.filter(({ number }) => number >= this.next);
		if (!fresh.length) return;
		this.next = Math.max(next ?? 0, fresh.at(-1).number + 1);
		this.missed += missed ?? 0;
		this.entries = [...this.entries, ...fresh].slice(-KEPT);
		this.list();
		this.changed?.();
	}

	list() {
		const list = $("entries"), shown = this.entries.filter(({ kind }) => this.shown.has(kind)).reverse();
		const known = new Map([...list.children].map((node) => [node.dataset.number, node]));
		const nodes = shown.map((entry) => known.get(String(entry.number)) ?? this.item(entry));
		list.replaceChildren(...nodes);
		say($("entries-note"), nodes.length ? (this.missed ? `${count(this.missed)} entries were left out: too many at once` : "")
			: "Nothing of the chosen kinds so far. Events, faults, commands and failures are listed as they occur; start one in Controls.");
	}

	item({ number, time_ms: time, kind, state, text }) {
		const bad = kind === "failure" || state === "rejected";
		return el("li", { class: `entry ${kind}${bad ? " bad" : ""}`, "data-number": number },
			el("i.sign", { "aria-hidden": "true" }, SIGNS[kind] ?? "·"),
			el("time", { title: moment(time) }, clock(time)),
			el("span.sr", `${kind}: `),
			el("span.what", el("bdi", text)));
	}

	// The events as spans of time. `now` is the end of one that is not over.
	events(now) {
		const open = new Map(), spans = [];
		for (const { kind, state, subject, time_ms: time, end_ms: end } of this.entries) {
			if (kind !== "event") continue;
			const begun = open.get(subject);
			if (state === "begins" && !begun) {
				spans.push({ id: subject, from: time, to: end ?? Infinity });
				open.set(subject, spans.at(-1));
			} else if (/^(ended|cut off|cancelled)/.test(state) && begun) {
				begun.to = time;
				open.delete(subject);
			}
		}
		return spans.map((span) => ({ ...span, to: Math.min(span.to, now) }));
	}

	ticks() { return this.entries.filter(({ kind }) => kind === "fault" || kind === "failure"); }
}
