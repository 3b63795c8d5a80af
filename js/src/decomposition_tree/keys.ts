// The keyboard: one key, one act, on the tile that has the focus.
import { button, fill, h } from "../lib/dom.ts";
import { shownChildren } from "./arrangement.ts";
import type { Chooser } from "./chooser.ts";
import type { Session } from "./session.ts";
import type { Stage } from "./stage.ts";
import type { TreeNode } from "./tree.ts";

export const KEYS: [keys: string, act: string][] = [
  ["→", "to the strongest child, opening a closed node"],
  ["←", "to the parent"],
  ["↑  ↓", "to the node above or below"],
  ["Home  End", "to the decision, to the last node"],
  ["Enter  Space", "expand or fold"],
  ["c", "choose channels by hand"],
  ["h", "hide the branch, or show it again"],
  ["+  −  0", "zoom in, zoom out, fit"],
  ["?", "show or hide these keys"],
  ["Esc", "cancel, close"],
];

// these keys mean the tree as a whole, also while a button beside it has the focus
const ANYWHERE = new Set(["+", "=", "-", "0", "?"]);

type Act = (node: TreeNode) => void;

export class Keys {
  readonly element = h("div", {
    class: "hx-sheet",
    role: "dialog",
    "aria-label": "Keys",
    hidden: true,
  });
  private readonly acts: Record<string, Act>;

  constructor(
    private readonly session: Session,
    private readonly stage: Stage,
    chooser: Chooser,
  ) {
    const move = (next: TreeNode | undefined | null) => next && stage.focus(next);
    this.acts = {
      ArrowRight: (node) => this.inward(node),
      ArrowLeft: (node) => move(node.parent),
      ArrowDown: (node) => move(this.beside(node, 1)),
      ArrowUp: (node) => move(this.beside(node, -1)),
      Home: () => move(session.tree.root),
      End: () => move(stage.inOrder().at(-1)),
      Enter: (node) => void session.toggle(node),
      " ": (node) => void session.toggle(node),
      c: (node) => void chooser.open(node),
      h: (node) => node.parent && session.arrangement.toggleHidden(node.key),
      "+": () => stage.zoom(1.25),
      "=": () => stage.zoom(1.25),
      "-": () => stage.zoom(0.8),
      "0": () => stage.fitAll(),
      "?": () => this.toggle(),
      Escape: () => (this.element.hidden ? session.kernel.cancel() : this.toggle()),
    };
    this.element.append(
      h("h3", {}, "Keys"),
      h("dl", {}, ...KEYS.flatMap(([keys, act]) => [h("dt", {}, keys), h("dd", {}, act)])),
      h("p", {}, "Drag to pan, Ctrl + wheel or pinch to zoom."),
      h(
        "div",
        { class: "hx-actions" },
        button("Close", () => this.toggle()),
      ),
    );
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && this.toggle());
  }

  toggle(): void {
    this.element.hidden = !this.element.hidden;
    if (this.element.hidden) this.stage.focus(this.session.selected);
    else this.element.querySelector("button")?.focus();
  }

  press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = this.acts[event.key];
    const tile = this.stage.nodeOf(event.target);
    const node = tile ?? (ANYWHERE.has(event.key) ? this.session.selected : null);
    if (!act || !node) return;
    event.preventDefault();
    event.stopPropagation();
    act(node);
  }

  private inward(node: TreeNode): void {
    const { session } = this;
    const child = shownChildren(node, session.open, session.arrangement.hidden)[0];
    if (child) this.stage.focus(child);
    else if (!session.arrangement.hidden.has(node.key)) void session.expand(node);
  }

  /** The node next to this one in its stage. */
  private beside(node: TreeNode, by: number): TreeNode | undefined {
    const peers = this.stage.inOrder().filter((one) => one.depth === node.depth);
    return peers[peers.indexOf(node) + by];
  }
}

export function keysHint(open: () => void): HTMLButtonElement {
  const hint = button("Keys ?", open);
  fill(hint, "Keys ", h("kbd", {}, "?"));
  return hint;
}
