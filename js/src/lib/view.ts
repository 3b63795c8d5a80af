// The frame of every view: its errors, what the kernel is doing for it, its element, and its leave.

import type { AnyModel } from "@anywidget/types";
import { button, h, ownKeys } from "./dom.ts";
import { hearing } from "./hearing.ts";
import { type Kernel, stands } from "./kernel.ts";
import { counted } from "./words.ts";

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

/** At the head of a view what the kernel is doing, how far it is and for how long, and a way out.
 *
 * It stays in sight where the view is scrolled, and is hidden where `said` has nothing to say. Once
 * it was cancelled, that is said for a moment.
 */
export function workLine(
  session: Working,
  said: () => string | null,
  cancel: () => void = () => session.kernel.stop(),
): HTMLElement {
  const { kernel } = session;
  const words = h("span", {});
  const far = h("span", { class: "hx-far", role: "timer" }); // not read out at every step
  const line = h("div", { class: "hx-work", role: "status", hidden: true }, words, far);
  line.append(button("Cancel", cancel));
  const note = h("div", { class: "hx-cancelled", role: "status", hidden: true }, CANCELLED);
  const place = h("div", { class: "hx-work-place" }, line, note);
  let timer: ReturnType<typeof setInterval> | undefined;
  const draw = () => {
    const now = said();
    line.hidden = now === null;
    note.hidden = now !== null || Date.now() - kernel.givenUp > REMEMBERED;
    write(words, now === null ? "" : `${now} …`);
    write(far, howFar(kernel));
    clearInterval(timer);
    if (place.isConnected && !(line.hidden && note.hidden)) timer = setInterval(draw, 1000);
  };
  session.on(draw);
  return place;
}

function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const REMEMBERED = 4000;
const CANCELLED = "Cancelled: what was there stays.";

/** What the kernel is doing first, by these words for its kinds of work; null where it rests. */
export function workOf({ busy: [kind] }: Kernel, words: Record<string, string>): string | null {
  return kind === undefined ? null : (words[kind] ?? "Working");
}

/** How far the kernel has come where it counts, and how long it will take, or has taken. */
export function howFar({ news, since }: Kernel): string {
  const { done, total, unit, left, heard } = news as unknown as News;
  const passed = (Date.now() - since) / 1000;
  const time =
    typeof left === "number"
      ? `about ${lasting(left - (Date.now() - heard) / 1000)} left`
      : lasting(passed);
  const of = total ? `${done} of ${counted(total, unit)}` : counted(done, unit);
  return [(total ?? done) > 1 && of, passed >= 1 && time].filter(Boolean).join(", ");
}

interface News {
  done: number;
  total: number | null;
  unit: string;
  left: number | null;
  heard: number;
}

function lasting(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return `${Math.round(seconds / 60)} min`;
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
