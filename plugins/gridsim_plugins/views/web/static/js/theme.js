// Runs before the first paint, so that a chosen theme does not flash.
(() => {
	let kept = null;
	try { kept = localStorage.getItem("gridsim-theme"); } catch { /* storage may be forbidden */ }
	const system = matchMedia("(prefers-color-scheme: dark)");
	const apply = () => {
		document.documentElement.dataset.theme = kept ?? (system.matches ? "dark" : "light");
		document.dispatchEvent(new Event("themechange"));
	};
	system.addEventListener("change", apply);
	window.gridsimTheme = (theme) => {
		kept = theme;
		try { localStorage.setItem("gridsim-theme", theme); } catch { /* kept for this page only */ }
		apply();
	};
	apply();
})();
