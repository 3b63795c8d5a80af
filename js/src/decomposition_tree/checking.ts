// Which decisions of a tree are checked against ablation: the first one, and the one looked at.
import { type Checkable, Checking } from "../lib/checking.ts";
import type { State } from "../lib/faith.ts";
import type { Session } from "./session.ts";
import type { TreeNode } from "./tree.ts";

export class TreeChecks {
  private readonly checking: Checking;

  constructor(private readonly session: Session) {
    const wishes = {
      told: () => {
        session.tell("checks");
        void session.fetchPictures();
      },
      wanted: () => [session.tree.root, session.selected].filter(this.has, this).map(asked),
    };
    this.checking = new Checking(session, wishes, ["pictures"]);
  }

  start(): void {
    this.session.on((change) => {
      if (change === "tree") this.checking.forget();
      this.checking.consider();
    });
    this.checking.start();
  }

  /** Whether there is a layer below that a node can be checked against. */
  has(node: TreeNode): boolean {
    return node.depth < this.session.tree.payload.layers.length;
  }

  state(node: TreeNode): State {
    return this.checking.state(node.key);
  }

  run(node: TreeNode): void {
    void this.checking.run(asked(node));
  }
}

function asked(node: TreeNode): Checkable {
  return { key: node.key, fields: { path: node.path } };
}
