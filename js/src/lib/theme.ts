// Light or dark, as the page is now, and word of every change.

/** Whether an element stands on a dark ground. */
export function onDark(element: Element): boolean {
  const found =
    getComputedStyle(element)
      .backgroundColor.match(/[\d.]+/g)
      ?.map(Number) ?? [];
  const [r = 255, g = 255, b = 255] = found;
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}

/** The colours of the view's own style by their names, as they are now. */
export function inks<N extends string>(element: Element, ...names: N[]): Record<N, string> {
  const style = getComputedStyle(element);
  const of = (name: string) => style.getPropertyValue(`--hx-${name}`).trim();
  return Object.fromEntries(names.map((name) => [name, of(name)])) as Record<N, string>;
}

/** Call `act` after the theme has changed; returns how to stop. */
export function followTheme(act: () => void): () => void {
  // the theme's style sheet comes a little later than its name
  let timer: ReturnType<typeof setTimeout> | undefined;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(act, 120);
    requestAnimationFrame(act);
  };
  const watch = new MutationObserver(later);
  watch.observe(document.body, { attributeFilter: ["data-jp-theme-name", "class"] });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", later);
  return () => {
    clearTimeout(timer);
    watch.disconnect();
    system.removeEventListener("change", later);
  };
}
