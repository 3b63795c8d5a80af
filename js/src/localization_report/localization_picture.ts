// One region on its image: its outline, its box, and the true ones beside.
import "./localization_picture.css";
import type { AnyModel } from "@anywidget/types";
import { fill, h } from "../lib/dom.ts";
import { type Buffer, bytesOf } from "../lib/pixels.ts";
import { type Banner, view } from "../lib/view.ts";
import { legend, marked, outline, rectangle } from "./marks.ts";
import type { Rectangle } from "./report.ts";

interface PicturePayload {
  target: string;
  method: string;
  layer: string;
  model: string;
  size: [height: number, width: number];
  box: Rectangle;
  truth: Rectangle | null;
  iou: number | null;
  edges: Rectangle[];
  true_edges: Rectangle[];
  image: Buffer;
  words: string[];
  notes: string[];
}

interface State {
  [name: string]: unknown;
  picture: PicturePayload;
}

function picture(payload: PicturePayload, src: string): HTMLElement {
  const { size, box, truth, edges, true_edges: mask } = payload;
  const known =
    mask.length > 0 ? outline(mask, "hx-true") : truth ? rectangle(truth, "hx-true") : [];
  const made = marked(
    src,
    size,
    `The image, ${payload.target} asked for. ${payload.words.join(" ")}`,
    ...outline(edges, "hx-region"),
    ...rectangle(box, "hx-own"),
    ...known,
  );
  made.style.setProperty("--hx-aspect", String(size[1] / size[0]));
  return made;
}

function lines(payload: PicturePayload): HTMLElement {
  const named: [string, string][] = [];
  if (payload.edges.length > 0)
    named.push(["hx-region", "the region"], ["hx-own", `box of ${payload.method}`]);
  if (payload.true_edges.length > 0) named.push(["hx-true", "true mask"]);
  else if (payload.truth) named.push(["hx-true", "true box"]);
  return legend(...named);
}

function build(model: AnyModel<State>, root: HTMLElement, _: Banner): () => void {
  const header = h("header", { class: "hx-header" });
  const body = h("div", { class: "hx-body" });
  root.append(header, body);
  let src = "";
  const draw = () => {
    const payload = model.get("picture");
    URL.revokeObjectURL(src);
    src = URL.createObjectURL(new Blob([bytesOf(payload.image)]));
    const title = h("h2", { class: "hx-title" }, "Where is ", h("b", {}, payload.target), "?");
    title.append(h("small", {}, payload.model));
    fill(header, title);
    fill(
      body,
      picture(payload, src),
      h(
        "div",
        { class: "hx-said-so" },
        lines(payload),
        ...payload.words.map((words) => h("p", {}, words)),
        h("div", { class: "hx-why-so" }, ...payload.notes.map((note) => h("p", {}, note))),
      ),
    );
  };
  draw();
  model.on("change:picture", draw);
  return () => {
    model.off("change:picture", draw);
    URL.revokeObjectURL(src);
    root.remove();
  };
}

export default view("localization_picture", "hx-localization", build);
