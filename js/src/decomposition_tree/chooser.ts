// Choose channels by hand: those below a node, strongest first.

import { button, fill, h } from "../lib/dom.ts";
import { number, percent } from "../lib/words.ts";
import type { Session } from "./session.ts";
import type { TreeNode } from "./tree.ts";
import { nodeName } from "./words.ts";

type Candidate = [channel: number, contribution: number, share: number];

function isCandidate(value: unknown): value is Candidate {
  return Array.isArray(value) && value.length === 3 && value.every((n) => typeof n === "number");
}

export class Chooser {
  readonly element = h("div", { class: "hx-sheet", role: "dialog", hidden: true });

  constructor(
    private readonly session: Session,
    private readonly closed: () => void,
  ) {
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  async open(node: TreeNode): Promise<void> {
    const answer = await this.session.ask("candidates", { path: node.path });
    if (!answer) return;
    const found = Array.isArray(answer.candidates) ? answer.candidates.filter(isCandidate) : [];
    this.show(node, found);
  }

  close(): void {
    if (this.element.hidden) return;
    this.element.hidden = true;
    this.closed();
  }

  private show(node: TreeNode, candidates: Candidate[]): void {
    const name = nodeName(node, this.session.tree);
    const title = `Channels below ${node.parent ? name.toLowerCase() : name}`;
    this.element.setAttribute("aria-label", title);
    const taken = new Set(node.children.map((child) => child.facts.channel));
    const rows = candidates.map((one) => row(one, taken.has(one[0]), candidates[0]?.[2] ?? 1));
    fill(
      this.element,
      h("h3", {}, title),
      rows.length === 0 &&
        h("p", {}, "No channel below is activated: nothing further speaks for it."),
      h("div", { class: "hx-candidates" }, ...rows),
      h(
        "div",
        { class: "hx-actions" },
        rows.length > 0 && button("Add these", () => void this.take(node), { class: "hx-primary" }),
        button("Close", () => this.close()),
      ),
    );
    this.element.hidden = false;
    this.element.querySelector<HTMLElement>("input:enabled, button")?.focus();
  }

  private async take(node: TreeNode): Promise<void> {
    const boxes = this.element.querySelectorAll<HTMLInputElement>("input:checked:enabled");
    const channels = [...boxes].map((box) => Number(box.value));
    if (channels.length === 0) return;
    if (!(await this.session.ask("expand", { path: node.path, channels }))) return;
    this.session.arrangement.setOpen(this.session.tree, [node.key], true, { selected: node.key });
    this.close();
  }
}

function row(
  [channel, contribution, share]: Candidate,
  checked: boolean,
  most: number,
): HTMLElement {
  const bar = h("span", { class: "hx-bar" });
  bar.style.width = `${(100 * share) / (most || 1)}%`;
  const box = h("input", { type: "checkbox", value: channel });
  box.checked = checked;
  box.disabled = checked;
  return h(
    "label",
    { title: `contribution ${number(contribution)}` },
    bar,
    box,
    h("span", { class: "hx-name" }, `#${channel}`),
    h("span", {}, percent(share)),
  );
}
