// The frame of every view: its errors, what the kernel is doing for it, its element, and its leave.

import type { AnyModel } from "@anywidget/types";
import { button, h, ownKeys } from "./dom.ts";
import { hearing } from "./hearing.ts";
import { type Kernel, stands } from "./kernel.ts";

/** Errors as text above the view; each can be dismissed, and nothing else is lost. */
export class Banner {
  readonly element = h("div", { class: "hx-banners", role: "alert" });

  /** Show what went wrong; the same words are shown once. */
  show(problem: unknown): void {
    const text = problem instanceof Error ? problem.message : String(problem);
    const shown = [...this.element.querySelectorAll("p")].some((p) => p.textContent === text);
    if (shown) return;
    const box = h("div", { class: "hx-banner" }, h("p", {}, text));
    box.append(button("Dismiss", () => box.remove()));
    this.element.append(box);
  }
}

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

type Leave = () => void;
type Build<M> = (model: M, root: HTMLElement, banner: Banner) => Leave;

/** A view for anywidget. `name` is its file's: its style holds inside `.hx-in-<name>` alone. */
export function view<M extends AnyModel>(name: string, kind: string, build: Build<M>) {
  return {
    render({ model, el }: { model: M; el: HTMLElement }): Leave {
      const banner = new Banner();
      stands(model, el);
      void hearing(model);
      const root = h("div", { class: `hx-view ${kind}`.trim() }, banner.element);
      ownKeys(root);
      el.classList.add(`hx-in-${name}`);
      el.append(root);
      try {
        return build(model, root, banner);
      } catch (error) {
        banner.show(
          `The view could not be drawn: ${error instanceof Error ? error.message : error}`,
        );
        return () => root.remove();
      }
    },
  };
}
