// Light or dark: as Airflow around the page is, else as the system is.

const system = window.matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  if (window.parent !== window) {
    const theme = window.parent.document.documentElement;
    if (theme.classList.contains("dark")) return true;
    if (theme.classList.contains("light")) return false;
  }
  return system.matches;
}

/** Applies the theme now and whenever it changes; calls `changed` after each change. */
export function followTheme(changed) {
  const root = document.documentElement;
  const apply = () => {
    const theme = isDark() ? "dark" : "light";
    if (root.dataset.theme === theme) return;
    root.dataset.theme = theme;
    changed();
  };
  apply();
  system.addEventListener("change", apply);
  if (window.parent !== window) {
    const watched = window.parent.document.documentElement;
    new MutationObserver(apply).observe(watched, { attributeFilter: ["class"] });
  }
}
