// What the parts of one view share: the tree, how a person arranged it, the kernel, what is looked
// at, and the checks against ablation.

import type { AnyModel } from "@anywidget/types";
import { Checks } from "../lib/checks.ts";
import type { Fields } from "../lib/kernel.ts";
import type { Buffer } from "../lib/pixels.ts";
import type { Transform } from "../lib/plane.ts";
import { Arrangement, ViewSession, type ViewState } from "../lib/session.ts";
import { Painter, type Pictures, type Shown } from "./painter.ts";
import { readTree, strongestLine, type Tree, type TreeNode, type TreePayload } from "./tree.ts";

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

export interface State extends ViewState {
  tree: TreePayload;
  image: Buffer;
  pictures: Pictures;
  classes: string[];
  view: Saved;
}

const SAVED =
  "This view was opened from saved evidence; asking for more takes the model; " +
  "run DecompositionTree(model, image) in a notebook to have it live.";

/** What has changed: the parts redraw what depends on it. */
export type Change = "tree" | "arrangement" | "look" | "pixels" | "checks" | "busy";

const SMALL = ["pictures", "check"]; // what the view asks by itself, and again when there is time
const BATCH = 4; // small, so that a click does not wait long behind pictures

export class Session extends ViewSession<State, Change> {
  tree: Tree;
  hovered: TreeNode | null = null;
  readonly arrangement: TreeArrangement;
  readonly painter = new Painter();
  private readonly asked = new Set<string>();
  private filling = false;
  private wanted: () => Iterable<TreeNode> = () => [];

  constructor(model: AnyModel<State>, complain: (error: unknown) => void) {
    super(model, complain, SAVED, "busy");
    this.tree = readTree(model.get("tree"));
    this.arrangement = new TreeArrangement(model as unknown as AnyModel<{ view: Saved }>);
    this.follow("tree", () => this.readTree());
    this.follow("view", () => this.tell("arrangement"));
    this.follow("checks", () => this.tell("checks"));
    this.follow("pictures", () => void this.readPictures());
  }

  get selected(): TreeNode {
    return this.arrangement.selected(this.tree);
  }

  /** The node that is looked at: under the pointer, else selected. */
  get current(): TreeNode {
    return this.hovered ?? this.selected;
  }

  /** From the decision through the current node, and on along the strongest below it. */
  get line(): TreeNode[] {
    return [...this.current.line.slice(0, -1), ...strongestLine(this.current)];
  }

  get open(): ReadonlySet<string> {
    return this.arrangement.open(this.tree);
  }

  hover(node: TreeNode | null): void {
    if (node === this.hovered) return;
    this.hovered = node;
    this.tell("look");
  }

  select(node: TreeNode): void {
    if (node.key !== this.selected.key) this.arrangement.change({ selected: node.key });
  }

  /** Whether there is or can be something below a node. */
  expandable(node: TreeNode): boolean {
    if (node.decomposed) return node.children.length > 0;
    return this.live && node.depth < this.tree.payload.layers.length;
  }

  /** Open a node, asking the kernel for what is below it where that is not known yet. */
  async expand(node: TreeNode): Promise<void> {
    if (!this.expandable(node)) return;
    if (node.children.length === 0 && !(await this.ask("expand", { path: node.path }))) return;
    this.arrangement.setOpen(this.tree, [node.key], true, { selected: node.key });
  }

  fold(node: TreeNode): void {
    this.arrangement.setOpen(this.tree, [node.key], false, { selected: node.key });
  }

  async toggle(node: TreeNode): Promise<void> {
    const shown = this.open.has(node.key) && node.children.length > 0;
    if (shown) this.fold(node);
    else await this.expand(node);
  }

  /** Ask the kernel before any more pictures; null and a word where there is no result. */
  override async ask(kind: string, fields: Fields = {}): Promise<Fields | null> {
    if (this.live) for (const small of SMALL) this.kernel.cancel(small);
    const answer = await super.ask(kind, fields);
    void this.fetchPictures();
    return answer;
  }

  /** What the kernel does for this view, pictures last. */
  get work(): string | null {
    const other = this.kernel.busy.find((kind) => kind !== "pictures");
    return other ?? (this.filling ? "pictures" : null);
  }

  /** From now on have guided pictures of these nodes, those of the line first. */
  wantPictures(of: () => Iterable<TreeNode>): void {
    this.wanted = of;
    void this.fetchPictures();
  }

  /** Fetch what pictures are missing, batch by batch, as long as nothing else is asked. */
  async fetchPictures(): Promise<void> {
    if (!this.live || this.filling || this.kernel.busy.length > 0) return;
    this.filling = true;
    for (let batch = this.missing(); batch.length > 0; batch = this.missing()) {
      for (const node of batch) this.asked.add(node.key);
      const answer = await this.wish("pictures", { paths: batch.map((node) => node.path) });
      if (!answer) {
        for (const node of batch) this.asked.delete(node.key);
        break;
      }
    }
    this.filling = false;
    this.tell("busy");
  }

  private missing(): TreeNode[] {
    const known = this.model.get("pictures").places ?? {};
    return [...new Set([...this.line, ...this.wanted()])]
      .filter((node) => node.parent && !(node.key in known) && !this.asked.has(node.key))
      .slice(0, BATCH);
  }

  async load(): Promise<void> {
    await this.painter.load(this.model.get("image"));
    await this.readPictures();
  }

  private readTree(): void {
    this.tree = readTree(this.model.get("tree"));
    this.hovered = null;
    this.asked.clear();
    this.tell("tree");
  }

  private async readPictures(): Promise<void> {
    await this.tellAfter(this.painter.loadPictures(this.model.get("pictures")), "pixels");
  }
}

export type TreeChecks = Checks<TreeNode>;

/** The checks of a tree's decisions: the first one, and the one looked at. */
export function treeChecks(session: Session): TreeChecks {
  // a node of the last layer has nothing below it to be checked against
  const below = (node: TreeNode) => node.depth < session.tree.payload.layers.length;
  return new Checks(session, {
    spot: (node) => (below(node) ? { key: node.key, fields: { path: node.path } } : null),
    wanted: () => [session.tree.root, session.selected],
    renewed: "tree",
    beside: ["pictures"],
  });
}
