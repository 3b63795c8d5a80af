// A concept tree: which concepts are seen, and which of them stands for one that is folded away.

export interface ConceptNode {
  /** The first parent, below which the concept stands, or -1. */
  readonly parent: number;
  readonly others: readonly number[];
  readonly children: readonly number[];
  readonly depth: number;
}

/** Nodes from the parents of each concept; parents have smaller numbers, so there is no loop. */
export function conceptTree(parents: readonly (readonly number[])[]): ConceptNode[] {
  const children = parents.map((): number[] => []);
  const nodes: ConceptNode[] = [];
  for (const [i, named] of parents.entries()) {
    const [parent = -1, ...others] = named.filter((one) => one >= 0 && one < i);
    const depth = parent < 0 ? 0 : (nodes[parent] as ConceptNode).depth + 1;
    children[parent]?.push(i);
    nodes.push({ parent, others, depth, children: children[i] as number[] });
  }
  return nodes;
}

/** The concepts that are seen, from top to bottom, each followed by what stands below it. */
export function seen(tree: readonly ConceptNode[], folded: ReadonlySet<number>): number[] {
  const rows: number[] = [];
  const visit = (i: number) => {
    rows.push(i);
    if (!folded.has(i)) for (const child of (tree[i] as ConceptNode).children) visit(child);
  };
  for (const [i, node] of tree.entries()) if (node.parent < 0) visit(i);
  return rows;
}

/** For each concept the one that is seen for it: itself, or the highest folded one above. */
export function standIns(tree: readonly ConceptNode[], folded: ReadonlySet<number>): number[] {
  const found: number[] = [];
  for (const [i, { parent }] of tree.entries()) {
    const above = parent < 0 ? i : (found[parent] as number);
    const hidden = parent >= 0 && (above !== parent || folded.has(parent));
    found.push(hidden ? above : i);
  }
  return found;
}

/** How many concepts stand below each. */
export function countsBelow(tree: readonly ConceptNode[]): number[] {
  const counts = tree.map(() => 0);
  for (let i = tree.length - 1; i >= 0; i--) {
    const { parent } = tree[i] as ConceptNode;
    if (parent >= 0) counts[parent] = (counts[parent] ?? 0) + 1 + (counts[i] as number);
  }
  return counts;
}

/** The branch of each concept: branches part at the first fork; -1 is the stem above it. */
export function branches(tree: readonly ConceptNode[]): number[] {
  let fork = tree.flatMap(({ parent }, i) => (parent < 0 ? [i] : []));
  while (fork.length === 1) {
    const below = tree[fork[0] as number]?.children ?? [];
    if (below.length === 0) break;
    fork = [...below];
  }
  const found: number[] = [];
  for (const [i, { parent }] of tree.entries()) {
    const start = fork.indexOf(i);
    found.push(start >= 0 ? start : parent < 0 ? -1 : (found[parent] as number));
  }
  return found;
}

/** The concepts above one, the highest first. */
export function above(tree: readonly ConceptNode[], i: number): number[] {
  const found: number[] = [];
  for (let at = tree[i]?.parent ?? -1; at >= 0; at = tree[at]?.parent ?? -1) found.unshift(at);
  return found;
}
