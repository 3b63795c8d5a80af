// The keyboard: one key, one act; and the sheet that tells the keys of a view.
import { button, fill, h } from "./dom.ts";

export type Keys = readonly (readonly [keys: string, act: string])[];
export type Acts<Of extends unknown[] = []> = Record<string, (...of: Of) => void>;

/** A sheet that tells the keys of a view; `back` is where the focus goes when it closes. */
export class KeySheet {
  readonly element = h("div", {
    class: "hx-sheet",
    role: "dialog",
    "aria-label": "Keys",
    hidden: true,
  });
  /** A button that opens it. */
  readonly hint = button("", () => this.toggle());

  constructor(
    keys: Keys,
    private readonly back: () => void,
    note = "",
  ) {
    const close = button("Close", () => this.toggle());
    fill(this.hint, "Keys ", h("kbd", {}, "?"));
    fill(
      this.element,
      h("h3", {}, "Keys"),
      h("dl", {}, ...keys.flatMap(([key, act]) => [h("dt", {}, key), h("dd", {}, act)])),
      note !== "" && h("p", {}, note),
      h("div", { class: "hx-actions" }, close),
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.toggle();
    });
  }

  get open(): boolean {
    return !this.element.hidden;
  }

  toggle(): void {
    this.element.hidden = this.open;
    if (this.open) this.element.querySelector("button")?.focus();
    else this.back();
  }
}

/** Whether a key is pressed with others that make it the page's or the browser's. */
export function modified(event: KeyboardEvent): boolean {
  return event.ctrlKey || event.metaKey || event.altKey;
}

/** A key that the view has acted on is nobody else's. */
export function take(event: KeyboardEvent): void {
  event.preventDefault();
  event.stopPropagation();
}

/** Do what the key stands for, if it stands for anything. */
export function press<Of extends unknown[]>(event: KeyboardEvent, acts: Acts<Of>, ...of: Of): void {
  const act = acts[event.key];
  if (!act) return;
  take(event);
  act(...of);
}

/** A node of a tree that is drawn level by level. */
interface Node<N> {
  readonly parent: N | null;
  readonly depth: number;
}

/** What a tree's keys need of it: its nodes from the first to the last, and what to do with one. */
interface Walk<N> {
  root(): N;
  inOrder(): readonly N[];
  focus(node: N): void;
  /** Go on to what is below a node, opening it. */
  inward(node: N): void;
  toggle(node: N): void;
}

/** The keys of a tree that grows to the right: along its levels, in and out, open and fold. */
export function treeActs<N extends Node<N>>(walk: Walk<N>): Acts<[N]> {
  const move = (next: N | null | undefined) => next && walk.focus(next);
  const beside = (node: N, by: number) => {
    const peers = walk.inOrder().filter((one) => one.depth === node.depth);
    return peers[peers.indexOf(node) + by];
  };
  return {
    ArrowRight: (node) => walk.inward(node),
    ArrowLeft: (node) => move(node.parent),
    ArrowDown: (node) => move(beside(node, 1)),
    ArrowUp: (node) => move(beside(node, -1)),
    Home: () => move(walk.root()),
    End: () => move(walk.inOrder().at(-1)),
    Enter: (node) => walk.toggle(node),
    " ": (node) => walk.toggle(node),
  };
}
