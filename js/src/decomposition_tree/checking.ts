// Which decisions of a tree are checked against ablation: the first one, and the one looked at.
import { Checks } from "../lib/checking.ts";
import type { Session } from "./session.ts";
import type { TreeNode } from "./tree.ts";

export type TreeChecks = Checks<TreeNode>;

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
