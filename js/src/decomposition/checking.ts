// Checks against ablation: of the decision and the node looked at by themselves where they are quick.

import { type Check, QUICK, type State } from "../lib/faith.ts";
import { Cancelled } from "../lib/kernel.ts";
import type { Session } from "./session.ts";
import type { TreeNode } from "./tree.ts";

export class Checking {
  private running: string | null = null;
  private slow = false;
  private readonly failed = new Set<string>();

  constructor(private readonly session: Session) {}

  /** From now on check what is looked at. */
  start(): void {
    this.session.on((change) => {
      if (change === "tree") this.failed.clear();
      this.consider();
    });
    this.consider();
  }

  /** Whether there is a layer below that a node can be checked against. */
  has(node: TreeNode): boolean {
    return node.depth < this.session.tree.payload.layers.length;
  }

  state(node: TreeNode): State {
    if (!this.session.live) return "still";
    return this.running === node.key ? "running" : "idle";
  }

  /** Check what is looked at, unless the person waits for something or checks take long. */
  private consider(): void {
    const { session } = this;
    if (!session.live || this.slow || this.running !== null) return;
    if (session.kernel.busy.some((kind) => kind !== "pictures")) return;
    const node = [session.tree.root, session.selected].find((one) => this.open(one));
    if (node) void this.run(node);
  }

  async run(node: TreeNode): Promise<void> {
    const { session } = this;
    this.running = node.key;
    session.tell("checks");
    try {
      const found = (await session.kernel.ask("check", { path: node.path })) as unknown as Check;
      this.slow = (found.seconds ?? 0) > QUICK;
    } catch (error) {
      if (!(error instanceof Cancelled)) {
        this.failed.add(node.key);
        session.complain(error);
      }
    }
    this.running = null;
    session.tell("checks");
    void session.fetchPictures();
  }

  private open(node: TreeNode): boolean {
    return this.has(node) && !this.failed.has(node.key) && this.session.check(node) === null;
  }
}
