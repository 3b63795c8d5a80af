// What the kernel is doing, and a way to give it up.
import { button, h } from "./dom.ts";
import type { Kernel } from "./kernel.ts";

interface Working {
  readonly kernel: Kernel;
  on(listener: () => void): void;
}

interface Beside {
  cancel?: () => void;
  /** What stands between the words and the button. */
  more?: HTMLElement;
}

/** A line that says what the kernel is doing, hidden where `said` has nothing to say. */
export function workLine(
  session: Working,
  said: () => string | null,
  { cancel = () => session.kernel.cancel(), more }: Beside = {},
): HTMLElement {
  const words = h("span", {});
  const line = h("div", { class: "hx-work", role: "status", hidden: true }, words, more);
  line.append(button("Cancel", cancel));
  session.on(() => {
    const now = said();
    const text = now === null ? "" : `${now} …`;
    line.hidden = now === null;
    if (words.textContent !== text) words.textContent = text;
  });
  return line;
}

/** What the kernel is doing first, by these words for its kinds of work; null where it rests. */
export function workOf({ busy: [kind] }: Kernel, words: Record<string, string>): string | null {
  return kind === undefined ? null : (words[kind] ?? "Working");
}

/** How far the kernel has come, where it does several things one after the other. */
export function progress({ news: { done, total } }: Kernel): string {
  const many = typeof done === "number" && typeof total === "number" && total > 1;
  return many ? `, ${done + 1} of ${total}` : "";
}
