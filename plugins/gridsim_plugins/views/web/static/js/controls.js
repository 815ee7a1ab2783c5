// The controls. Each shows the command line and the TOML before it acts, and its answer after.

import { get, post } from "./api.js";
import { $, copy, el, idNode, on, say } from "./dom.js";
import { moment, speed } from "./format.js";

// The faults and commands of the run, by its plugins.
let catalogue = { faults: [], commands: [] };
const NUMERIC = /^(target_kw|duration_s|ramp_s|value|speed)$/;

const FORMS = {
	event: {
		tab: "Call an event", verb: "Call the event", command: "call_event",
		fields: [["target", "Projects", "*", "an id, or a pattern: HOME_*"], ["event", "Name", () => fresh("event"), ""],
			["target_kw", "Target, kW each", "", "empty: the contract"], ["duration_s", "Duration, s", "600", ""], ["ramp_s", "Ramp, s", "", "0"]],
	},
	command: {
		tab: "Send a command", verb: "Send the command",
		fields: [["target", "Device or project", "", "an id"], ["command", "Command", "set_power", () => catalogue.commands.map((one) => one.command)], ["value", "Value", "0", ""],
			["duration_s", "Duration, s", "600", "empty: until the next one"], ["ramp_s", "Ramp, s", "", "0"]],
	},
	fault: {
		tab: "Inject a fault", verb: "Inject the fault", command: "inject_fault", ask: "Devices will report wrongly or not at all until it is over.",
		fields: [["target", "Devices", "", "an id, or a pattern: HOME_*"], ["type", "Kind", "offline", () => catalogue.faults.map((one) => one.type)], ["fault", "Name", () => fresh("fault"), ""],
			["duration_s", "Duration, s", "300", "empty: until cleared"], ["further", "Further keys", "", "field = \"current_output\""]],
	},
	end: { tab: "End", fields: [] },
	run: { tab: "Pause, speed", verb: "Change the speed", fields: [["speed", "Speed", "60", "1: real time; 0: as fast as possible"]] },
};

let counter = 0;
const fresh = (name) => `${name}-${Date.now().toString(36).slice(-4)}${(counter += 1)}`;

export class Controls {
	constructor() {
		this.form = $("form");
		this.tabs = Object.entries(FORMS).map(([name, { tab }]) => el("button", { role: "tab", "data-tab": name, "aria-controls": "form", onclick: () => this.show(name) }, tab));
		$("tabs").append(...this.tabs);
		on($("tabs"), "keydown", (event) => {
			const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
			if (!move) return;
			const at = this.tabs.indexOf(document.activeElement), next = this.tabs[(at + move + this.tabs.length) % this.tabs.length];
			next.focus();
			this.show(next.dataset.tab);
		});
		this.answers = el("ol.answers", { role: "status", "aria-label": "Answers" });
		this.form.after(this.answers);
		on(this.form, "submit", (event) => { event.preventDefault(); this.submit(); });
		on(this.form, "input", () => this.changed());
		this.show("event");
		get("/catalogue").then((found) => {
			catalogue = found;
			if (/command|fault/.test(this.name)) this.show(this.name, { ...this.given, ...this.body() });
		}).catch(() => {});
	}

	show(name, body = {}) {
		this.name = name;
		this.given = body;
		for (const tab of this.tabs) {
			tab.setAttribute("aria-selected", String(tab.dataset.tab === name));
			tab.tabIndex = tab.dataset.tab === name ? 0 : -1;
		}
		const { fields, verb } = FORMS[name];
		this.inputs = new Map();
		const rows = fields.map(([key, label, initial, more]) => {
			const input = typeof more === "function"
				? el("select", { name: key }, ...more().map((option) => el("option", { value: option }, option.replaceAll("_", " "))))
				: el("input", { name: key, type: "text", placeholder: more, list: key === "target" ? "projects" : null, spellcheck: "false", inputmode: NUMERIC.test(key) ? "decimal" : null });
			input.value = body[key] ?? (typeof initial === "function" ? initial() : initial);
			this.inputs.set(key, input);
			return el("label.field", el("span", label), input);
		});
		this.keys = el("ul.note");
		this.problem = el("p.trouble", { role: "alert" });
		this.preview = el("div.preview");
		this.button = verb ? el("button.main", { type: "submit" }, verb) : null;
		this.row = el("div.do", this.button);
		this.ending = el("ul.ending");
		this.form.replaceChildren(name === "end" ? this.ending : el("div.fields", ...rows), this.keys, this.preview, this.problem, this.row);
		if (name === "end") this.listEnding();
		if (name === "run") this.runButtons();
		this.changed();
	}

	// From elsewhere on the page: show a form, filled in, and go to it.
	go(name, body) {
		this.show(name, body);
		$("controls").scrollIntoView({ block: "nearest" });
		(this.form.querySelector("input, select, button") ?? this.tabs.find((tab) => tab.tabIndex === 0)).focus({ preventScroll: true });
	}

	body() {
		const { command } = FORMS[this.name], body = {};
		for (const [key, input] of this.inputs) {
			const text = input.value.trim();
			if (key === "further") Object.assign(body, further(text));
			else if (text) body[key] = NUMERIC.test(key) && Number.isFinite(Number(text)) ? Number(text) : text;
		}
		if (this.name === "run") return { action: "speed", speed: body.speed ?? "" };
		if (command) body.command = command;
		if (this.inputs.get("value")?.disabled) delete body.value;
		return body;
	}

	changed() {
		if (this.name === "end") return;
		const [command, value, type, more] = ["command", "value", "type", "further"].map((key) => this.inputs.get(key));
		if (command) {
			const unit = catalogue.commands.find((one) => one.command === command.value)?.units[0];
			say(value.previousSibling, `Value${unit ? `, ${unit}` : ""}`);
			value.disabled = !unit;
		}
		if (type) this.describe(catalogue.faults.find((one) => one.type === type.value), more);
		this.disarm();
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.equivalents(this.body()), 200);
	}

	// The keys of a fault's type; those without a default are filled in.
	describe(fault, more) {
		if (!fault || fault === this.fault && this.keys.childElementCount) return;
		if (fault !== this.fault) {
			const needed = fault.settings.filter((one) => one.required).map(({ name, choices, type }) => `${name} = ${JSON.stringify(choices[0] ?? (/float|int/.test(type) ? 1 : ""))}`).join("; ");
			if (!more.value || more.value === this.filled) more.value = this.filled = needed;
			this.fault = fault;
		}
		this.keys.replaceChildren(el("li", fault.description), ...fault.settings.map(({ name, unit, required, default: value, choices, description }) =>
			el("li", el("code", `${name}${required ? "" : ` = ${JSON.stringify(value)}`}`), ` ${unit} ${description}${choices.length ? `: ${choices.join(", ")}` : ""}`)));
	}

	async equivalents(body) {
		if (!body.target && !body.action) {
			this.preview.replaceChildren(el("p.note", "The command line and the TOML that do the same are shown here, before anything happens."));
			return;
		}
		const turn = (this.turn = {});
		const [same, wrong] = await post("/equivalents", body).then((found) => [lines(found), ""], (error) => [[], error.message]);
		if (turn !== this.turn) return;
		say(this.problem, wrong);
		this.preview.replaceChildren(...same);
	}

	disarm() {
		if (!this.armed) return;
		this.armed = false;
		this.row.replaceChildren(...(this.button ? [this.button] : []));
	}

	submit() {
		const { ask, verb } = FORMS[this.name], body = this.body();
		const why = ask ?? (body.command === "disconnect" && "The device stops feeding and drawing until it is connected again.");
		if (why && !this.armed) this.ask(why, verb, () => this.send(body));
		else this.send(body);
	}

	ask(why, verb, act) {
		this.armed = true;
		const yes = el("button.main.danger", { onclick: () => { this.disarm(); act(); this.button?.focus(); } }, `Yes: ${verb.toLowerCase()}`);
		this.row.replaceChildren(el("span.why", { id: "why" }, why), yes, el("button", { onclick: () => { this.disarm(); this.button?.focus(); } }, "No"));
		yes.setAttribute("aria-describedby", "why");
		yes.focus();
	}

	async send(body) {
		const answer = this.answer(body.action ? `${body.action} ${body.speed ?? ""}` : `${body.command} ${body.event ?? body.fault ?? body.value ?? ""}`, body.target);
		try {
			const done = await post(body.action ? "/control" : "/instructions?wait_s=3", body);
			if (body.action) answer.set("accepted", `The run is ${done.state}, its speed is ${speed(done.speed)}.`);
			else {
				const last = done.acknowledgements.at(-1);
				answer.set(done.status, last ? `${moment(last.time_ms)}  ${last.text}` : "It waits for the next tick.");
			}
		} catch (error) {
			answer.set("rejected", error.message);
			return;
		}
		for (const key of ["event", "fault"]) if (this.inputs.has(key)) this.inputs.get(key).value = fresh(key);
		if (this.name === "end") this.listEnding();
		this.changed();
	}

	answer(what, target) {
		const state = el("strong", "sent"), text = el("bdi.mono");
		const node = el("li", state, " ", el("bdi", what.trim()), ...(target ? [" to ", idNode(target)] : []), el("br"), text);
		this.answers.prepend(node);
		while (this.answers.childElementCount > 5) this.answers.lastElementChild.remove();
		return { set: (status, said) => { say(state, status); node.className = status; say(text, said); } };
	}

	async listEnding() {
		let events, faults;
		try { [events, faults] = await Promise.all([get("/events"), get("/faults")]); } catch { return; }
		if (this.name !== "end") return;
		const row = (body, kind, id) => el("li", el("span", `${kind} `, idNode(id)), el("button", {
			onclick: () => {
				this.equivalents(body);
				this.ask(`${kind} ${id} ends at the next tick.`, `end the ${kind}`, () => this.send(body));
			},
		}, "End it"));
		const rows = [
			...events.running.map((id) => row({ target: "*", command: "cancel_event", event: id }, "event", id)),
			...faults.active.map(({ id }) => row({ target: "*", command: "clear_fault", fault: id }, "fault", id)),
		];
		this.ending.replaceChildren(...rows);
		if (!rows.length) this.ending.append(el("li.note", "No event runs and no fault is active."));
	}

	runButtons() {
		const act = (action) => el("button", { "data-action": action, onclick: () => this.send({ action }) }, action === "pause" ? "Pause" : "Resume");
		this.row.append(act("pause"), act("resume"));
	}

	end() {
		clearTimeout(this.timer);
		this.turn = null;
		for (const node of this.form.querySelectorAll("button, input, select")) node.disabled = true;
		say(this.problem, "The run has ended. Start another one with gridsim.");
	}
}

function lines({ send, toml, json }) {
	const block = (label, text) => {
		const shown = el("pre", { tabindex: "0" }, text);
		return el("div.line", el("span.label", label), shown,
			el("button", { "aria-label": `Copy: ${label}`, onclick: (event) => copy(shown, event.currentTarget) }, "Copy"));
	};
	return [
		send && block("command line", send),
		toml ? block("TOML", toml.trim()) : el("p.note", "No table of the TOML does the same; as JSON, a source brings it in:"),
		!toml && json ? block("JSON", json) : null,
	].filter(Boolean);
}

// Lines such as `field = "current_output"`, with values as in JSON; other words are text.
function further(text) {
	const found = {};
	for (const line of text.split(/[;\n]/)) {
		const [, key, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
		if (!key) continue;
		try { found[key] = JSON.parse(value); } catch { found[key] = value; }
	}
	return found;
}
