import { expect, test } from "vitest";
import { Modules } from "../src/offline/modules.ts";

test("a given module is handed out as it is", () => {
  const base = {};
  expect(new Modules({ base }).require("base")).toBe(base);
});

test("a defined module is made from its dependencies when first asked for", () => {
  const modules = new Modules({ base: 2 });
  modules.defineFor("twice")(["base"], (base: number) => ({ value: 2 * base }));
  expect(modules.require("twice")).toEqual({ value: 4 });
});

test("a module is made once", () => {
  const modules = new Modules({});
  modules.defineFor("one")([], () => ({}));
  expect(modules.require("one")).toBe(modules.require("one"));
});

test("a module may fill its exports instead of returning", () => {
  const modules = new Modules({});
  modules.defineFor("filled")(["exports"], (exports: { a?: number }) => {
    exports.a = 1;
  });
  expect(modules.require("filled")).toEqual({ a: 1 });
});

test("a module may be a plain object", () => {
  const modules = new Modules({});
  modules.defineFor("plain")({ a: 1 });
  expect(modules.require("plain")).toEqual({ a: 1 });
});

test("a module that the page does not carry is named in the error", () => {
  expect(() => new Modules({}).require("missing")).toThrow("missing");
});
