// The frame of every view: its element, its errors, and its leave.
import type { AnyModel } from "@anywidget/types";
import { Banner } from "./banner.ts";
import { h, ownKeys } from "./dom.ts";
import { stands } from "./kernel.ts";

type Leave = () => void;
type Build<M> = (model: M, root: HTMLElement, banner: Banner) => Leave;

/** A view for anywidget. `name` is its file's: its style holds inside `.hx-in-<name>` alone. */
export function view<M extends AnyModel>(name: string, kind: string, build: Build<M>) {
  return {
    render({ model, el }: { model: M; el: HTMLElement }): Leave {
      const banner = new Banner();
      stands(model, el);
      const root = h("div", { class: `hx-view ${kind}`.trim() }, banner.element);
      ownKeys(root);
      el.classList.add(`hx-in-${name}`);
      el.append(root);
      try {
        return build(model, root, banner);
      } catch (error) {
        banner.show(
          `The view could not be drawn: ${error instanceof Error ? error.message : error}`,
        );
        return () => root.remove();
      }
    },
  };
}
