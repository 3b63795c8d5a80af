import { describe, expect, it, vi } from "vitest";
import { find, modified, press, treeActs } from "../../src/lib/controls.ts";

interface Node {
  readonly name: string;
  readonly parent: Node | null;
  readonly depth: number;
}

const pressed = (key: string, more: object = {}) =>
  ({ key, preventDefault: vi.fn(), stopPropagation: vi.fn(), ...more }) as unknown as KeyboardEvent;

describe("a key", () => {
  it("does its act, and is nobody else's then", () => {
    const [event, act] = [pressed("a"), vi.fn()];
    press<[number]>(event, { a: act }, 3);
    expect(act).toHaveBeenCalledWith(3);
    expect(event.preventDefault).toHaveBeenCalled();
    expect(event.stopPropagation).toHaveBeenCalled();
  });

  it("that stands for nothing is left to the page", () => {
    const event = pressed("b");
    press(event, { a: () => {} });
    expect(event.preventDefault).not.toHaveBeenCalled();
  });

  it("is the browser's with Ctrl, Meta or Alt, not with Shift", () => {
    const held = ["ctrlKey", "metaKey", "altKey", "shiftKey"];
    expect(held.map((name) => modified(pressed("a", { [name]: true })))).toEqual([
      true,
      true,
      true,
      undefined,
    ]);
  });
});

describe("the keys of a tree", () => {
  const root: Node = { name: "root", parent: null, depth: 0 };
  const [a, b] = ["a", "b"].map((name) => ({ name, parent: root, depth: 1 })) as [Node, Node];
  const below: Node = { name: "below", parent: a, depth: 2 };
  const done: string[] = [];
  const acts = treeActs<Node>({
    root: () => root,
    inOrder: () => [root, a, below, b],
    focus: (node) => done.push(node.name),
    inward: (node) => done.push(`into ${node.name}`),
    toggle: (node) => done.push(`fold ${node.name}`),
  });
  const by = (key: string, node: Node) => {
    done.length = 0;
    press(pressed(key), acts, node);
    return done;
  };

  it("go along a level, whatever stands between its nodes", () => {
    expect(by("ArrowDown", a)).toEqual(["b"]);
    expect(by("ArrowUp", b)).toEqual(["a"]);
  });

  it("go nowhere beyond the ends of a level or of the tree", () => {
    expect([...by("ArrowDown", b), ...by("ArrowUp", a), ...by("ArrowLeft", root)]).toEqual([]);
  });

  it("go out to the parent, in, to the root and to the last node", () => {
    expect(by("ArrowLeft", below)).toEqual(["a"]);
    expect(by("ArrowRight", a)).toEqual(["into a"]);
    expect(by("Home", below)).toEqual(["root"]);
    expect(by("End", root)).toEqual(["b"]);
  });

  it("open and fold", () => {
    expect(by("Enter", a)).toEqual(["fold a"]);
    expect(by(" ", b)).toEqual(["fold b"]);
  });
});

const MARKUP = "<img src=x onerror=alert(1)>";

describe("the search", () => {
  const names = ["house", "greenhouse", "house finch", MARKUP, "boathouse"];

  it("finds names that begin with what is typed before those that contain it", () => {
    expect(find(names, "HOUSE").map((one) => one.name)).toEqual([
      "house",
      "house finch",
      "greenhouse",
      "boathouse",
    ]);
  });

  it("takes a number for an index", () => {
    expect(find(names, "3")).toEqual([{ index: 3, name: MARKUP }]);
  });

  it("finds nothing for nothing, and no more than asked", () => {
    expect(find(names, "  ")).toEqual([]);
    expect(find(names, "o", 2)).toHaveLength(2);
  });

  it("takes a number for a part of a name where names have their own", () => {
    expect(find(["a", "b", "#12"], "1", 8, false)).toEqual([{ index: 2, name: "#12" }]);
  });
});
