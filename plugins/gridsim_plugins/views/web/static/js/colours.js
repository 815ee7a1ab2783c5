// The colours of types: the same hues as `gridsim/helpers/colours.py` gives the terminal view.

// Each hue of Okabe and Ito for a light and for a dark ground, with a contrast of at least 3 to 1.
const HUES = {
	orange: ["#b87a00", "#e69f00"],
	green: ["#009e73", "#00b585"],
	purple: ["#b8608f", "#cc79a7"],
	sky: ["#3793c8", "#6cbff0"],
	vermillion: ["#d55e00", "#e06d12"],
	blue: ["#00639c", "#2f8fd0"],
	yellow: ["#948900", "#f0e442"],
};
const TYPES = {
	__proto__: null,
	solar: "orange", battery_storage: "green", ev_charger: "purple", wind_turbine: "sky",
	heat_pump: "vermillion", water_heater: "blue", generator: "yellow",
};
const ALIASES = { __proto__: null, battery: "battery_storage", ev: "ev_charger", wind: "wind_turbine" };

// Types that are not built in get the hues that the others leave, in alphabetical order.
export function hues(types) {
	const found = new Map(), unknown = [];
	for (const type of [...new Set(types)].sort()) {
		const hue = TYPES[ALIASES[type] ?? type];
		if (hue) found.set(type, hue); else unknown.push(type);
	}
	let free = Object.keys(HUES).filter((hue) => ![...found.values()].includes(hue));
	if (!free.length) free = Object.keys(HUES);
	unknown.forEach((type, n) => found.set(type, free[n % free.length]));
	return found;
}

let known = new Map();
export function setTypes(types) { known = hues(types); }

export const isDark = () => document.documentElement.dataset.theme === "dark";

export const colourOf = (type) => HUES[known.get(type) ?? "blue"][isDark() ? 1 : 0];

// The order of types in every picture.
const ORDER = Object.keys(TYPES);
export function inOrder(types) {
	const rank = (type) => {
		const place = ORDER.indexOf(ALIASES[type] ?? type);
		return place < 0 ? ORDER.length : place;
	};
	return [...types].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

export const typeName = (type) => type.replaceAll("_", " ");
