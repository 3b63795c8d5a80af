// How a person arranged the view. It lives in the model, so it is saved and shared by its views.
import { Arrangement } from "../lib/session.ts";
import type { Transform } from "../lib/transform.ts";
import { strongestLine, type Tree, type TreeNode } from "./tree.ts";

export type Shown = "map" | "guided" | "image";

export interface Saved {
  selected?: string;
  open?: string[];
  hidden?: string[];
  zoom?: Transform | null;
  opacity?: number;
  shown?: Shown;
}

export class TreeArrangement extends Arrangement<Saved> {
  get opacity(): number {
    return this.saved.opacity ?? 0.85;
  }

  get shown(): Shown {
    return this.saved.shown ?? "map";
  }

  get zoom(): Transform | null {
    return this.saved.zoom ?? null;
  }

  /** The selected node, or what is left of its path in this tree. */
  selected(tree: Tree): TreeNode {
    let key = this.saved.selected ?? "0";
    while (!tree.nodes.has(key)) key = key.includes(".") ? key.replace(/\.\d+$/, "") : "";
    return tree.nodes.get(key) as TreeNode;
  }

  /** Open nodes; at first those of the strongest path. */
  open(tree: Tree): ReadonlySet<string> {
    const keys = this.saved.open ?? strongestLine(tree.root).map((node) => node.key);
    return new Set(keys);
  }

  get hidden(): ReadonlySet<string> {
    return new Set(this.saved.hidden ?? []);
  }

  setOpen(tree: Tree, keys: Iterable<string>, open: boolean, also: Saved = {}): void {
    const now = new Set(this.open(tree));
    for (const key of keys) open ? now.add(key) : now.delete(key);
    this.change({ ...also, open: [...now].sort() });
  }

  toggleHidden(key: string): void {
    const now = new Set(this.hidden);
    now.has(key) ? now.delete(key) : now.add(key);
    this.change({ hidden: [...now].sort() });
  }
}

/** The children that are on the screen below a node. */
export function shownChildren(
  node: TreeNode,
  open: ReadonlySet<string>,
  hidden: ReadonlySet<string>,
): readonly TreeNode[] {
  return open.has(node.key) && !hidden.has(node.key) ? node.children : [];
}
