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

// those that the views' style takes from the page
const PAGE = "ground raised well line edge ink soft accent good error".split(" ");
const PATIENCE = 5000; // milliseconds after a theme's name within which its sheet may come unheard
const STEP = 100;

/** Call `act` whenever an element's colours have changed with the page's; returns how to stop. */
export function followTheme(element: Element, act: () => void): () => void {
  const look = () => Object.values(inks(element, ...PAGE)).join();
  let painted = look();
  let timer: ReturnType<typeof setInterval> | undefined;
  let until = 0;
  const check = () => {
    const now = look();
    if (!element.isConnected || now === painted) return; // off the page there are no colours
    painted = now;
    act();
  };
  const step = () => {
    check();
    if (Date.now() < until) return;
    clearInterval(timer);
    timer = undefined;
  };
  const wait = () => {
    check();
    until = Date.now() + PATIENCE;
    timer ??= setInterval(step, STEP);
  };
  const leave = [() => clearInterval(timer), ...heard(wait, check), seen(element, check)];
  return () => {
    for (const stop of leave) stop();
  };
}

/** Listen for a theme's name, and for style sheets that come after it. */
function heard(named: () => void, loaded: () => void): (() => void)[] {
  const names = new MutationObserver(named);
  for (const root of [document.documentElement, document.body])
    names.observe(root, { attributeFilter: ["data-jp-theme-name", "class", "style"] });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", named);
  const load = ({ target }: Event) => (target as Element).matches?.("link, style") && loaded();
  document.addEventListener("load", load, true); // these events do not bubble
  return [
    () => names.disconnect(),
    () => system.removeEventListener("change", named),
    () => document.removeEventListener("load", load, true),
  ];
}

/** A view that was off the page meanwhile has a size again when it is back. */
function seen(element: Element, act: () => void): () => void {
  const watch = new ResizeObserver(act);
  watch.observe(element);
  return () => watch.disconnect();
}
