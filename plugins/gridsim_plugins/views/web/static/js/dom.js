// All text of the page goes through here, and none is parsed as HTML.

export const $ = (id) => document.getElementById(id);
export const all = (selector) => [...document.querySelectorAll(selector)];
export const on = (target, name, act) => target.addEventListener(name, act);

// `el("p.note", { title: "..." }, "text", node)`: the properties may be left out.
export function el(spec, ...rest) {
	const [tag, ...classes] = spec.split("."), node = document.createElement(tag);
	if (classes.length) node.className = classes.join(" ");
	if (tag === "button") node.type = "button";
	if (rest[0]?.constructor === Object) {
		for (const [name, value] of Object.entries(rest.shift())) {
			if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
			else if (value !== undefined && value !== null) node.setAttribute(name, value);
		}
	}
	node.append(...rest.filter((child) => child !== null && child !== undefined));
	return node;
}

const SVG = "http://www.w3.org/2000/svg";
export function svg(tag, props = {}, ...children) {
	const node = document.createElementNS(SVG, tag);
	for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
	node.append(...children);
	return node;
}

export function say(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

// An id may hold any text: its direction stays its own, and a long one is cut by CSS.
export const idNode = (text) => el("bdi.id", { title: text }, text);

// Buttons of which one is pressed.
export function choice(selector, act) {
	const buttons = all(selector);
	for (const button of buttons) {
		on(button, "click", () => {
			for (const one of buttons) one.setAttribute("aria-pressed", String(one === button));
			act(button.dataset);
		});
	}
}

export const short = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const visible = (node) => {
	if (document.hidden || node.hidden) return false;
	const box = node.getBoundingClientRect();
	return box.bottom > 0 && box.top < innerHeight && box.width > 0;
};

// Without a clipboard, as on a page without TLS, the text is selected.
export async function copy(node, button) {
	try {
		await navigator.clipboard.writeText(node.textContent);
		say(button, "Copied");
	} catch {
		getSelection().selectAllChildren(node);
		say(button, "Selected");
	}
	setTimeout(() => say(button, "Copy"), 2000);
}

// The time between two fetches of a page: at least `ms`, and longer if many pages are open.
export const calm = (ms, pages = 1) => Math.max(ms, 1000 * pages);

// `task` at most once in `ms`, and a last time after the last call.
export function atMost(ms, task) {
	let last = -Infinity, timer = 0;
	return (...args) => {
		clearTimeout(timer);
		const wait = last + ms - performance.now();
		const go = () => { last = performance.now(); task(...args); };
		if (wait <= 0) go(); else timer = setTimeout(go, wait);
	};
}
