// Numbers and times as text: fixed decimals, thin thousands, and always a sign for power.

const THIN = "\u202f", MINUS = "\u2212";
export const NONE = "–";

export function number(value, decimals = 0, signed = false) {
	if (!Number.isFinite(value)) return NONE;
	const digits = Math.abs(value).toFixed(decimals);
	const zero = !/[1-9]/.test(digits);
	const sign = value < 0 && !zero ? MINUS : signed && !zero ? "+" : signed ? "\u2007" : "";
	return sign + digits.replace(/\B(?=(\d{3})+(\.|$))/g, THIN);
}

export const kw = (value) => number(value, 2, true);
export const percent = (value) => number(value, 1);
export const count = (value) => number(value, 0);
export const speed = (value) => (value === 0 ? "free" : `${number(value, Number.isInteger(value) ? 0 : 2)}×`);

export function seconds(value) {
	if (!Number.isFinite(value)) return NONE;
	if (value < 0.9995) return `${number(value * 1000, value < 0.01 ? 1 : 0)} ms`;
	if (value < 120) return `${number(value, 1)} s`;
	return value < 7200 ? `${number(value / 60)} min` : value < 172800 ? `${number(value / 3600, 1)} h` : `${number(value / 86400, 1)} d`;
}

// Times by the site's clock. A browser that does not know the zone shows UTC.
let zone = "UTC";
const made = new Map();
export function setZone(name) {
	try {
		new Intl.DateTimeFormat("en-CA", { timeZone: name });
		zone = name;
	} catch {
		zone = "UTC";
	}
	made.clear();
}
export const zoneName = () => zone;

function formatter(key, options) {
	if (!made.has(key)) made.set(key, new Intl.DateTimeFormat("en-CA", { hourCycle: "h23", ...options }));
	return made.get(key);
}
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" };

export const clock = (ms) => formatter("clock", { ...CLOCK, timeZone: zone }).format(ms);
export const minutes = (ms) => formatter("minutes", { hour: "2-digit", minute: "2-digit", timeZone: zone }).format(ms);
const date = (ms) => formatter("date", { year: "numeric", month: "2-digit", day: "2-digit", timeZone: zone }).format(ms);
// Wall time is that of the browser.
export const wallTime = (ms) => formatter("wall", CLOCK).format(ms);
export const wallOffset = (ms) => offset(ms, "wall offset", {});
export const wallClock = (ms) => `${wallTime(ms)}${wallOffset(ms)}`;

function offset(ms, key = "offset", options = { timeZone: zone }) {
	const parts = formatter(key, { ...options, timeZoneName: "longOffset" }).formatToParts(ms);
	const name = parts.find((part) => part.type === "timeZoneName")?.value ?? "GMT";
	return name === "GMT" ? "Z" : name.replace("GMT", "").replace("-", MINUS);
}
export const moment = (ms) => `${date(ms)} ${clock(ms)}${offset(ms)}`;
