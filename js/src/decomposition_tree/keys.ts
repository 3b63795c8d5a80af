// The keyboard: one key, one act, on the tile that has the focus.
import { type Acts, KeySheet, type Keys, modified, press, treeActs } from "../lib/controls.ts";
import type { Chooser } from "./chooser.ts";
import { type Session, shownChildren } from "./session.ts";
import type { Stage } from "./stage.ts";
import type { TreeNode } from "./tree.ts";

const KEYS: Keys = [
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

const HINT = "Drag to pan, Ctrl + wheel or pinch to zoom.";

// these keys mean the tree as a whole, also while a button beside it has the focus
const ANYWHERE = new Set(["+", "=", "-", "0", "?"]);

export class TreeKeys {
  readonly sheet: KeySheet;
  private readonly acts: Acts<[TreeNode]>;

  constructor(
    private readonly session: Session,
    private readonly stage: Stage,
    chooser: Chooser,
  ) {
    this.sheet = new KeySheet(KEYS, () => stage.focus(session.selected), HINT);
    this.acts = {
      ...treeActs<TreeNode>({
        root: () => session.tree.root,
        inOrder: () => stage.inOrder(),
        focus: (node) => stage.focus(node),
        inward: (node) => this.inward(node),
        toggle: (node) => void session.toggle(node),
      }),
      c: (node) => void chooser.open(node),
      h: (node) => node.parent && session.arrangement.toggleHidden(node.key),
      "+": () => stage.zoom(1.25),
      "=": () => stage.zoom(1.25),
      "-": () => stage.zoom(0.8),
      "0": () => stage.fitAll(),
      "?": () => this.sheet.toggle(),
      Escape: () => (this.sheet.open ? this.sheet.toggle() : session.kernel.stop()),
    };
  }

  press(event: KeyboardEvent): void {
    if (modified(event)) return;
    const tile = this.stage.nodeOf(event.target);
    const node = tile ?? (ANYWHERE.has(event.key) ? this.session.selected : null);
    if (node) press(event, this.acts, node);
  }

  private inward(node: TreeNode): void {
    const { session } = this;
    const child = shownChildren(node, session.open, session.arrangement.hidden)[0];
    if (child) this.stage.focus(child);
    else if (!session.arrangement.hidden.has(node.key)) void session.expand(node);
  }
}
