// Facts in words: what is read on the screen and by a screen reader.
import { range } from "../lib/pixels.ts";
import { type Wording, type Words, weakly } from "../lib/trust.ts";
import { number, percent, stageName } from "../lib/words.ts";
import { estimatedShare, type Layer, type Tree, type TreeNode } from "./tree.ts";

export function levelName(layer: Layer | null): string {
  return layer ? stageName(layer) : "Decision";
}

export function nodeName(node: TreeNode, tree: Tree): string {
  return node.parent ? `Channel ${node.facts.channel}` : tree.payload.target.name;
}

/** What a node's contribution is measured in: its parent decision. */
export function unitOf(node: TreeNode, tree: Tree): string {
  const { parent } = node;
  if (!parent?.parent) return `logit of ${tree.payload.target.name}`;
  return `${levelName(parent.layer).toLowerCase()} channel ${parent.facts.channel}`;
}

/** Whether a node is the decision against a class: what speaks against it was taken apart. */
function opposed(node: TreeNode): boolean {
  return !node.parent && node.facts.negated;
}

function share(node: TreeNode, tree: Tree): string {
  const of = node.parent?.parent
    ? `${levelName(node.parent.layer).toLowerCase()} channel ${node.parent.facts.channel}`
    : tree.payload.target.name;
  const speaks = node.parent && opposed(node.parent) ? "against" : "for";
  const { contribution, estimate } = node.facts;
  const measured =
    estimate === null
      ? `${number(contribution)} on average over the map.`
      : `without it ${number(contribution)} is lost; its gradient says ${number(estimate)}.`;
  return `Carries ${percent(node.facts.share)} of all that speaks ${speaks} ${of}: ${measured}`;
}

function place(node: TreeNode): string {
  const { position, box } = node.facts;
  const [height, width] = [box[3] - box[1], box[2] - box[0]];
  return (
    `Strongest at row ${position[0]}, column ${position[1]}; ` +
    `that unit sees ${width} × ${height} pixels of the image.`
  );
}

function below(node: TreeNode): string {
  const { activated } = node.facts;
  if (activated === null) return "";
  const side = opposed(node) ? "against" : "for";
  if (activated === 0) return `No channel below is activated: nothing further speaks ${side} it.`;
  const channels = activated === 1 ? "One channel speaks" : `${activated} channels speak`;
  return `${channels} ${side} it in the layer below.`;
}

/** The facts of a node in plain sentences. */
export function sentences(node: TreeNode, tree: Tree): string[] {
  const { facts } = node;
  if (!node.parent) {
    const { target } = tree.payload;
    return [
      `Logit ${number(target.logit)}, probability ${percent(target.probability)}.`,
      opposed(node) ? "The network decides against it: below is what speaks against it." : "",
      below(node),
    ].filter(Boolean);
  }
  return [
    share(node, tree),
    place(node),
    facts.also.length > 0 &&
      `Stands also for ${facts.also.length === 1 ? "channel" : "channels"} ${facts.also.join(", ")}: their maps cover the same place.`,
    facts.negated &&
      `Its value is negative (${number(facts.value)}); what speaks for the negative was taken.`,
    facts.unclipped && "The activation is clipped from above; the value before the clip was taken.",
    below(node),
  ].filter((text): text is string => Boolean(text));
}

/** One line for a screen reader. */
export function spoken(node: TreeNode, tree: Tree): string {
  if (!node.parent) {
    const { target } = tree.payload;
    return `Decision ${target.name}, logit ${number(target.logit)}, probability ${percent(target.probability)}`;
  }
  const { facts } = node;
  const foretold = estimatedShare(node);
  return [
    `${levelName(node.layer)}, channel ${facts.channel}`,
    `${percent(facts.share)} of ${unitOf(node, tree)}`,
    foretold !== null && `by its gradient ${percent(foretold)}`,
    `strongest at row ${facts.position[0]}, column ${facts.position[1]}`,
    facts.also.length > 0 && `also channels ${facts.also.join(", ")}`,
    facts.negated && "negated",
    facts.unclipped && "before its clip",
    facts.activated === 0 && "no activated channel below",
  ]
    .filter(Boolean)
    .join(", ");
}

/** How weak a node's map is beside the strongest of its siblings; nothing where it is not. */
export function weakness(node: TreeNode, words: Words): string {
  const peak = ({ map }: TreeNode) => Math.max(...range(map).map(Math.abs));
  return weakly(words, peak(node), node.parent?.children.map(peak) ?? []);
}

/** What is said of the channels below a node, and how much of it they are. */
export function wording(node: TreeNode, tree: Tree): Wording {
  const shown = node.children.reduce((sum, child) => sum + child.facts.share, 0);
  return {
    what: "the order of these channels",
    whole: node.parent ? "this channel" : "the decision",
    total: node.facts.completeness,
    shown: node.children.length > 0 ? shown : null,
    measured: tree.payload.method === "ablation",
  };
}
