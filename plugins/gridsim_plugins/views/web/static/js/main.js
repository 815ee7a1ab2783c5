// The page: what comes by the stream goes to its parts.

import { get, post, stream } from "./api.js";
import { isDark } from "./colours.js";
import { Contracts } from "./contracts.js";
import { Controls } from "./controls.js";
import { Device } from "./device.js";
import { $, copy, el, on, say } from "./dom.js";
import { count, moment, number, seconds, setZone, speed, wallClock, zoneName } from "./format.js";
import { Heat } from "./heat.js";
import { Power } from "./power.js";
import { Timeline } from "./timeline.js";
import { Transports } from "./transports.js";

const page = { status: null, state: "starting", lost: null, ended: false, still: null };

const timeline = new Timeline(), power = new Power(timeline), controls = new Controls(), transports = new Transports();
const device = new Device((tab, body) => controls.go(tab, body), () => page.status?.columns ?? {});
const heat = new Heat((id) => device.open(id));
const contracts = new Contracts(power, (project) => heat.project(project.index));
timeline.changed = power.redraw;
power.onload = contracts.redraw;

function header(frame) {
	const lag = $("lag"), late = frame.speed > 0 && frame.lag_s > Math.max(1, (2 * page.status.tick_ms) / 1000 / frame.speed);
	lag.classList.toggle("bad", late);
	const values = {
		clock: moment(frame.time_ms), speed: speed(frame.speed), rate: number(frame.per_second, 1), wall: wallClock(frame.wall_ms),
		lag: frame.lag_s < 0.0005 ? "0 ms" : seconds(frame.lag_s), online: `${count(frame.online)} / ${count(page.status.devices)}`,
	};
	for (const [id, text] of Object.entries(values)) say($(id), text);
	show(frame.state);
}

function show(state) {
	if (page.ended) return;
	page.state = state;
	pill(page.lost ? "lost" : page.status?.error ? "failed" : state);
	const pause = $("pause");
	pause.disabled = Boolean(page.lost) || !["running", "paused", "starting"].includes(state);
	say(pause, state === "paused" ? "Resume" : "Pause");
}

function connected(yes) {
	page.lost = yes ? null : Date.now();
	heat.live = yes;
	document.body.classList.toggle("lost", !yes);
}

function pill(state) {
	Object.assign($("state").dataset, { state, sign: { running: "● ", paused: "❙❙ ", ended: "■ ", lost: "▲ ", failed: "▲ " }[state] ?? "" });
	say($("state"), state === "lost" ? "connection lost" : state);
	document.title = `gridsim: ${$("state").textContent}`;
}

function trouble(text, mild = false) {
	const line = $("trouble");
	line.hidden = !text;
	line.classList.toggle("mild", mild);
	say(line, text);
}

function status(now) {
	const first = page.status === null;
	page.status = now;
	if (first || now.timezone !== zoneName()) setZone(now.timezone);
	say($("clock-label"), `Simulated time, ${zoneName()}`);
	say($("seed"), String(now.seed));
	contracts.pages = heat.pages = now.pages;
	transports.status(now);
	header({ ...now, per_second: now.transports.reduce((sum, one) => sum + (one.per_second ?? 0), 0) });
	// The line is always there, so that nothing moves.
	const watch = now.transports.find(({ hint }) => hint);
	say($("watch-label"), watch ? "Watch it" : "Readings go to");
	say($("watch-line"), watch?.hint ?? (now.transports.map(({ target }) => target).join(", ") || "nowhere"));
	$("copy-watch").hidden = !watch;
	const past = now.backfill?.ended_at === null ? now.backfill : null;
	if (past) {
		const done = Math.min((now.tick + 1 - past.first) / Math.max(past.due - past.first, 1), 1);
		$("progress-line").hidden = false;
		$("progress").value = done;
		say($("left"), done === 1 ? "backfill: at the present, waiting until its readings are sent"
			: `backfill ${number(100 * done, 1)} %, ${speed(past.speed)}${past.left_s === null ? "" : `, ${seconds(past.left_s)} left`}`);
	} else if (!now.ticks) $("progress-line").hidden = true;
	if (now.ticks && !past) {
		$("progress-line").hidden = false;
		// The index of the newest tick, from 0 on.
		const done = now.tick + 1, left = done ? (now.elapsed_s / done) * (now.ticks - done) : null;
		$("progress").value = done / now.ticks;
		say($("left"), `${number((100 * done) / now.ticks, 1)} %${left === null || now.state === "ended" ? "" : `, ${seconds(left)} left`}`);
	}
	if (!page.lost && !page.ended) {
		const bad = now.error || now.ledger?.error || (now.holding_up ? `${now.holding_up} blocks the run` : "");
		trouble(bad || (now.state === "paused" ? "The run is paused. Resume it here or in Controls." : ""), !bad);
	}
	if (first) {
		heat.start().catch(() => {});
		get("/projects", { sort: "roster", limit: 100 }).then(({ items }) => {
			$("projects").replaceChildren(...["*", ...items.map(({ id }) => id)].map((value) => el("option", { value })));
		}).catch(() => {});
	}
}

function entries() {
	get("/entries", { after: timeline.next - 1 }).then((found) => timeline.add(found)).catch(() => {});
}

const tell = {
	frame(frame) {
		if (!page.status) return;
		header(frame);
		power.frame(frame);
		contracts.frame(frame);
		// A run that stands still has no later state, so that the tables need not wait for their turn.
		const still = frame.state === "running" ? null : frame.tick;
		if (still !== page.still && still !== null) { contracts.load(); heat.load(); }
		page.still = still;
	},
	status,
	entries: (found) => timeline.add(found),
	lost() {
		if (page.ended) return;
		connected(false);
		show(page.state);
		trouble(`No connection to the run since ${wallClock(page.lost)}. The pictures show what was last known; retrying.`);
	},
	back() {
		connected(true);
		trouble("");
		power.load();
		entries();
		heat.load();
		contracts.load();
	},
	end({ error }) {
		connected(true);
		page.ended = true;
		power.ended = true;
		contracts.last();
		heat.last();
		device.end();
		pill(error ? "failed" : "ended");
		$("pause").disabled = true;
		trouble(error ? `The run has failed: ${error}` : `The run ended at ${wallClock(Date.now())}. The pictures show its last state.`, !error);
		controls.end();
	},
};
// The page comes with the values of its first picture.
const first = JSON.parse($("first").textContent || "null");
if (first) {
	status(first.status);
	power.take("15m", first.history);
	power.frame(first.status);
} else power.load();
stream(tell);
entries();
contracts.load();

on($("pause"), "click", async () => {
	try {
		show((await post("/control", { action: page.state === "paused" ? "resume" : "pause" })).state);
	} catch (error) { trouble(error.message); }
});
post("/equivalents", { action: "pause" }).then(({ send }) => { $("pause").title = send ?? ""; }).catch(() => {});
on($("copy-watch"), "click", ({ currentTarget }) => copy($("watch-line"), currentTarget));
const theme = () => say($("theme"), isDark() ? "Light" : "Dark");
on($("theme"), "click", () => window.gridsimTheme(isDark() ? "light" : "dark"));
on(document, "themechange", theme);
theme();
setInterval(() => { if (page.lost) say($("wall"), wallClock(Date.now())); }, 1000);
