// The HTTP API of the run, and its stream.

const BASE = "/api/v1";

async function answer(response) {
	const text = await response.text();
	let body = null;
	try { body = text ? JSON.parse(text) : null; } catch { /* not JSON: the status says enough */ }
	if (!response.ok) throw Object.assign(new Error(body?.error ?? `the server answered ${response.status}`), { status: response.status });
	return body;
}

export async function get(path, query = {}, signal = undefined) {
	const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined));
	const response = await fetch(`${BASE}${path}${search.size ? `?${search}` : ""}`, { signal });
	return answer(response);
}

export async function bytes(path, query) {
	const response = await fetch(`${BASE}${path}?${new URLSearchParams(query)}`);
	if (!response.ok) await answer(response);
	return { data: new Uint8Array(await response.arrayBuffer()), time: Number(response.headers.get("X-Time-Ms")) };
}

export async function post(path, body) {
	const response = await fetch(`${BASE}${path}`, {
		method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
	}).catch(() => { throw new Error("No answer: the connection to the run is lost."); });
	return answer(response);
}

export const part = encodeURIComponent;

// `tell` has a function for each event of the stream, and `lost` and `back`.
export function stream(tell) {
	let source = null, ended = false, down = false, wait = 500, silent = 0;
	const dead = () => {
		source?.close();
		clearTimeout(silent);
		if (ended) return;
		if (!down) { down = true; tell.lost(); }
		setTimeout(open, wait);
		wait = Math.min(wait * 2, 4000);
	};
	const alive = () => {
		clearTimeout(silent);
		// A paused run sends nothing, too.
		silent = setTimeout(check, 10000);
		wait = 500;
		if (down) { down = false; tell.back(); }
	};
	const check = async () => {
		try { tell.status(await get("/status", {}, AbortSignal.timeout(5000))); alive(); } catch { dead(); }
	};
	function open() {
		source = new EventSource(`${BASE}/stream`);
		// A connection that is accepted and never answered is no error of the source.
		silent = setTimeout(check, 10000);
		for (const name of ["frame", "status", "entries", "end"]) {
			source.addEventListener(name, (event) => {
				const data = JSON.parse(event.data);
				if (name === "end") {
					source.close();
					clearTimeout(silent);
					// The run goes on after a reload of its configuration, with other devices.
					if (data.state === "running" || data.state === "paused") { setTimeout(again, 1000); return; }
					ended = true;
				} else alive();
				tell[name](data);
			});
		}
		source.onerror = dead;
	}
	const again = async () => {
		try { await get("/status", {}, AbortSignal.timeout(2000)); location.reload(); } catch { if (!down) { down = true; tell.lost(); } setTimeout(again, 300); }
	};
	open();
	addEventListener("pagehide", () => source?.close());
}
