// The widget modules that a page carries: AMD builds, as installed beside Jupyter.

type Factory = (...dependencies: unknown[]) => unknown;
export type Define = ((...parts: unknown[]) => void) & { amd: object };

/** Modules by name: given ones at once, defined ones when first asked for. */
export class Modules {
  private readonly ready: Map<string, unknown>;
  private readonly defined = new Map<string, { dependencies: string[]; factory: unknown }>();

  constructor(given: Record<string, unknown>) {
    this.ready = new Map(Object.entries(given));
  }

  /** The `define` that an AMD build calls, for the module of this name. */
  defineFor(name: string): Define {
    const define = (...parts: unknown[]) => {
      const factory = parts.pop();
      const listed = parts.pop();
      const dependencies = Array.isArray(listed) ? listed.map(String) : [];
      this.defined.set(name, { dependencies, factory });
    };
    return Object.assign(define, { amd: {} });
  }

  /** The module of this name; throws where the page does not carry it. */
  require(name: string): unknown {
    if (this.ready.has(name)) return this.ready.get(name);
    const found = this.defined.get(name);
    if (!found) throw new Error(`the page does not carry the module ${name}`);
    const exports = {};
    this.ready.set(name, exports);
    const special: Record<string, unknown> = {
      exports,
      module: { id: name, uri: "", exports },
      require: (other: string) => this.require(other),
    };
    const made =
      typeof found.factory === "function"
        ? (found.factory as Factory)(
            ...found.dependencies.map((d) => (d in special ? special[d] : this.require(d))),
          )
        : found.factory;
    if (made !== undefined) this.ready.set(name, made);
    return this.ready.get(name);
  }
}
