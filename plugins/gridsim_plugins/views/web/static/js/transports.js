// A card for each transport and source.

import { $, el, idNode, say } from "./dom.js";
import { count, number, seconds } from "./format.js";

const GOOD = /^(up|connected|connecting|starting|closed)/;

export class Transports {
	constructor() { this.cards = new Map(); }

	status({ transports, sources, ledger, failures }) {
		const wanted = [
			...transports.map((one) => ["transport", one, this.transport(one)]),
			...sources.map((one) => ["source", one, this.source(one)]),
		];
		if (ledger) wanted.push(["ledger", { name: ledger.path, state: ledger.error ? "failed" : "up", error: ledger.error }, [["waited", seconds(ledger.waited_s)]]]);
		for (const { type, reason, devices } of failures) wanted.push(["failure", { name: type, state: "failed", error: reason }, [["devices", count(devices)]]]);
		const keys = wanted.map(([kind, { name }], n) => `${kind} ${n} ${name}`);
		if (keys.join("\n") !== [...this.cards.keys()].join("\n")) {
			this.cards = new Map(wanted.map(([kind, { name }, rows], n) => [keys[n], this.make(kind, name, rows)]));
			$("cards").replaceChildren(...[...this.cards.values()].map(({ node }) => node));
			if (!wanted.length) $("cards").append(el("p.note", "This run sends its readings nowhere. Add [[transports]] to the configuration."));
		}
		wanted.forEach(([, one, rows], n) => this.update(this.cards.get(keys[n]), one, rows));
	}

	transport(one) {
		const drops = Object.entries(one.dropped).map(([reason, n]) => `${reason}: ${count(n)}`).join(", ");
		return [
			["delivered/s", number(one.per_second, 1)], ["delivered", count(one.delivered)], ["queue", count(one.pending)],
			["unconfirmed", count(one.unconfirmed), one.unconfirmed > 0], ["dropped", count(one.dropped_total), one.dropped_total > 0, drops], ["reconnects", count(one.reconnects)],
			["confirm p50", seconds(one.settled_p50_s)], ["p99", seconds(one.settled_p99_s)], ["behind", seconds(one.behind_s), one.behind_s > 5],
		];
	}

	source(one) {
		const all = one.acknowledged + one.undelivered, answered = count(one.acknowledged) + (one.undelivered ? ` of ${count(all)}` : "");
		return [
			["received", count(one.posted)], ["answered", answered, one.undelivered > 0, "the rest was given up, or refused by the far end"], ["unanswered", count(one.unanswered)],
			["refused", count(one.refused), one.refused > 0], ["lost", count(one.lost), one.lost > 0], ["reconnects", count(one.reconnects)],
		];
	}

	make(kind, name, rows) {
		const state = el("span.card-state"), where = el("p.where"), error = el("p.error");
		const values = rows.map(() => el("dd"));
		const node = el("article", { class: `card ${kind}`, "aria-label": `${kind} ${name}` },
			el("h3", `${kind} `, idNode(name), state), where,
			el("dl", ...rows.map(([label], n) => el("div", el("dt", label), values[n]))), error);
		return { node, state, where, error, values };
	}

	update(card, one, rows) {
		const bad = !GOOD.test(one.state);
		say(card.state, bad ? `▲ ${one.state}` : one.state);
		card.state.classList.toggle("bad", bad);
		say(card.where, one.target ?? "");
		say(card.error, one.error ? `last error: ${one.error}` : one.hanging ? `${one.hanging} does not return` : "");
		rows.forEach(([, text, wrong, title], n) => {
			const value = card.values[n];
			say(value, wrong ? `▲ ${text}` : text);
			value.classList.toggle("bad", Boolean(wrong));
			value.title = title ?? "";
		});
	}
}
