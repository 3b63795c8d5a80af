// What the parts of one view share: the tree, the arrangement, the kernel, and what is looked at.
import type { AnyModel } from "@anywidget/types";
import { Cancelled, type Fields, Kernel } from "../lib/kernel.ts";
import type { Buffer } from "../lib/pixels.ts";
import { Arrangement, type Saved } from "./arrangement.ts";
import { Painter, type Pictures } from "./painter.ts";
import { readTree, strongestLine, type Tree, type TreeNode, type TreePayload } from "./tree.ts";

export interface State {
  [name: string]: unknown;
  tree: TreePayload;
  image: Buffer;
  pictures: Pictures;
  classes: string[];
  live: boolean;
  view: Saved;
}

const SAVED =
  "This view was opened from saved evidence; asking for more takes the model; " +
  "run DecompositionTree(model, image) in a notebook to have it live.";

/** What has changed: the parts redraw what depends on it. */
export type Change = "tree" | "arrangement" | "look" | "pixels" | "busy";
type Listener = (change: Change) => void;

const BATCH = 4; // small, so that a click does not wait long behind pictures

export class Session {
  tree: Tree;
  hovered: TreeNode | null = null;
  readonly arrangement: Arrangement;
  readonly painter = new Painter();
  readonly kernel: Kernel;
  private readonly listeners: Listener[] = [];
  private readonly asked = new Set<string>();
  private filling = false;
  private wanted: () => Iterable<TreeNode> = () => [];
  private readonly bindings: [string, () => void][];

  constructor(
    readonly model: AnyModel<State>,
    private readonly complain: (error: unknown) => void,
  ) {
    this.tree = readTree(model.get("tree"));
    this.arrangement = new Arrangement(model as unknown as AnyModel<{ view: Saved }>);
    this.kernel = new Kernel(model, () => this.tell("busy"));
    this.bindings = [
      ["change:tree", () => this.guard(() => this.readTree())],
      ["change:view", () => this.tell("arrangement")],
      ["change:pictures", () => void this.readPictures()],
    ];
    for (const [event, act] of this.bindings) model.on(event as "change:tree", act);
  }

  on(listener: Listener): void {
    this.listeners.push(listener);
  }

  tell(change: Change): void {
    for (const listener of this.listeners) this.guard(() => listener(change));
  }

  get live(): boolean {
    return this.model.get("live");
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

  /** Ask the kernel; null and a word to the person where there is no result. */
  async ask(kind: string, fields: Fields = {}): Promise<Fields | null> {
    if (!this.live) {
      this.complain(SAVED);
      return null;
    }
    this.kernel.cancel("pictures");
    const answer = await this.answered(kind, fields);
    void this.fetchPictures();
    return answer;
  }

  /** What the kernel does for this view, pictures last. */
  get work(): string | null {
    const other = this.kernel.busy.find((kind) => kind !== "pictures");
    return other ?? (this.filling ? "pictures" : null);
  }

  private async answered(kind: string, fields: Fields): Promise<Fields | null> {
    try {
      return await this.kernel.ask(kind, fields);
    } catch (error) {
      if (!(error instanceof Cancelled)) this.complain(error);
      return null;
    }
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
      const answer = await this.answered("pictures", { paths: batch.map((node) => node.path) });
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

  close(): void {
    for (const [event, act] of this.bindings) this.model.off(event as "change:tree", act);
    this.kernel.close();
    this.listeners.length = 0;
  }

  guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.complain(error);
    }
  }

  private readTree(): void {
    this.tree = readTree(this.model.get("tree"));
    this.hovered = null;
    this.asked.clear();
    this.tell("tree");
  }

  private async readPictures(): Promise<void> {
    try {
      await this.painter.loadPictures(this.model.get("pictures"));
    } catch (error) {
      this.complain(error);
    }
    this.tell("pixels");
  }
}
