// The choices of the matrix: how it is sorted and scaled, the scale itself, and the readout.

import { tickMarks } from "../../lib/colours.ts";
import {
  type Choice,
  channelField,
  layerSelect,
  searchField,
  selectOf,
} from "../../lib/controls.ts";
import { button, fill, h } from "../../lib/dom.ts";
import { followTheme, onDark } from "../../lib/theme.ts";
import { layerName, number } from "../../lib/words.ts";
import { signedGradient } from "../signed.ts";
import type { Grid } from "./grid.ts";
import type { Session } from "./session.ts";
import type { Columns, Rows } from "./weights.ts";
import { cellWords, rowWords } from "./words.ts";

const ROWS: [Rows, string][] = [
  ["given", "as given"],
  ["name", "name"],
  ["alike", "similarity"],
];
const COLUMNS: [Columns, string][] = [
  ["number", "number"],
  ["class", "the chosen class"],
  ["shared", "classes that share them"],
  ["blocks", "similarity of classes"],
];

export function header(session: Session, agreement: HTMLElement): HTMLElement {
  const layers = layerSelect(session.layers, (layer) => {
    session.kernel.cancel();
    void session.ask("layer", { layer });
  });
  const where = h("small", {});
  const of = () => {
    const all = session.names.length;
    return all > session.payload.classes.length ? ` of ${all}` : "";
  };
  const show = () => {
    const { layer, channels, classes } = session.payload;
    layers.show(layer);
    where.textContent = `${layerName(session.layers, layer)} · ${classes.length}${of()} classes × ${channels} channels`;
  };
  session.on((change) => (change === "matrix" || change === "busy") && show());
  show();
  const title = h("h2", { class: "hx-title" }, h("b", {}, "Channel importance"), where);
  const tools = h("div", { class: "hx-tools" }, session.live && layers.element);
  return h("header", { class: "hx-header" }, h("div", {}, title, agreement), tools);
}

export function toolbar(session: Session, grid: Grid): HTMLElement {
  const rows = selectOf("Classes by", ROWS, (by) => session.arrange({ rows: by }));
  const columns = selectOf("Channels by", COLUMNS, (by) => session.arrange({ columns: by }));
  const scaled = tick("× mean activation", (on) => session.arrange({ scaled: on }));
  const each = tick("Each class its own scale", (on) => session.arrange({ each: on }));
  const table = button("Table", () => session.arrange({ table: !session.saved.table }));
  const show = () => {
    const { saved } = session;
    rows.show(saved.rows ?? "given");
    columns.show(saved.columns ?? "number");
    scaled.show(session.scaled ? "on" : "");
    each.show(saved.each ? "on" : "");
    table.setAttribute("aria-pressed", String(saved.table ?? false));
  };
  session.on((change) => (change === "order" || change === "window") && show());
  show();
  const find = async (found: string | number) => {
    const { names } = session;
    const place = typeof found === "number" ? found : names.indexOf(found);
    if (!(place in names)) {
      session.complain(
        `No class is called ${found}; one of ${names.length} names was expected; type a part of it and choose from the list.`,
      );
      return;
    }
    const row = await session.rowOf(place);
    if (row < 0) return;
    session.point(null);
    session.arrange({ row });
    grid.reveal({
      row,
      channel: session.channel ?? (session.columns[Math.floor(grid.window.x)] as number),
    });
  };
  const channels = channelField(
    "channel",
    (channel) => {
      session.choose(channel);
      grid.reveal({ row: session.row, channel });
    },
    session.complain,
  );
  const offer = () => channels.offer([...Array(session.payload.channels).keys()]);
  session.on((change) => change === "matrix" && offer());
  offer();
  return h(
    "div",
    { class: "hx-toolbar", role: "toolbar", "aria-label": "The matrix" },
    rows.element,
    columns.element,
    scaled.element,
    each.element,
    searchField("Find a class", session.names, (found) => void find(found)),
    channels.element,
    h(
      "span",
      { class: "hx-zoom" },
      button("Fit", () => grid.fit()),
      button("−", () => grid.zoom(1 / 1.5), { "aria-label": "Zoom out" }),
      button("+", () => grid.zoom(1.5), { "aria-label": "Zoom in" }),
      table,
    ),
  );
}

function tick(label: string, change: (on: boolean) => void): Choice<"on" | ""> {
  const box = h("input", { type: "checkbox" });
  box.addEventListener("change", () => change(box.checked));
  return {
    element: h("label", { class: "hx-tick" }, box, h("span", {}, label)),
    show: (value) => {
      box.checked = value === "on";
    },
  };
}

/** The signed scale, and the cell or class that is looked at in words. */
export class Foot {
  readonly element: HTMLElement;
  private readonly ramp = h("div", { class: "hx-signed-ramp", "aria-hidden": "true" });
  private readonly ticks = h("div", { class: "hx-signed-ticks" });
  private readonly words = h("p", { class: "hx-readout", role: "status" });
  private readonly notes = h("div", { class: "hx-notes" });
  private readonly stop: () => void;

  constructor(private readonly session: Session) {
    const scale = h("div", { class: "hx-signed" }, this.ramp, this.ticks);
    this.element = h(
      "footer",
      { class: "hx-foot" },
      h("div", { class: "hx-foot-line" }, this.words, scale),
      this.notes,
    );
    this.stop = followTheme(this.element, () => this.colour());
    session.on((change) => {
      if (change === "busy" || change === "checks") return;
      if (change !== "mark") this.write();
      this.read();
    });
  }

  close(): void {
    this.stop();
  }

  private write(): void {
    const { shades, scaled, payload } = this.session;
    const end = shades?.end ?? null;
    const most = end === null ? "largest of its class" : number(end);
    const quarter = end === null ? "¼" : number(end / 4);
    const least = end === null ? "" : `−${most}`;
    // the scale grows with the square root
    fill(
      this.ticks,
      ...tickMarks([
        [0, least],
        [25, `−${quarter}`],
        [50, "0"],
        [75, quarter],
        [100, most],
      ]),
    );
    this.ramp.title = scaled ? "weight × mean activation" : "weight";
    this.colour();
    const flagged = payload.flags.flatMap((flag, i) =>
      flag ? [`⚑ ${payload.classes[i]}: ${flag}`] : [],
    );
    const more = flagged.length > 3 ? [`⚑ and ${flagged.length - 3} more, see the table`] : [];
    fill(
      this.notes,
      ...[...payload.notes, ...flagged.slice(0, 3), ...more].map((note) => h("p", {}, note)),
    );
  }

  private colour(): void {
    this.ramp.style.background = signedGradient(onDark(this.ramp.closest(".hx-view") ?? this.ramp));
  }

  private read(): void {
    const { cursor, channel, row, payload } = this.session;
    const cell =
      cursor ?? (channel !== null && channel < payload.channels ? { row, channel } : null);
    this.words.textContent = cell ? cellWords(this.session, cell) : rowWords(payload, row);
  }
}
