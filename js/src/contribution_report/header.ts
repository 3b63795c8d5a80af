// What is explained, and the choices: kind of chart, all concepts, comparison, table, more images.
import { choiceOf } from "../lib/controls.ts";
import { button, h } from "../lib/dom.ts";
import { counted } from "../lib/words.ts";
import type { ChartKind, Session } from "./session.ts";

const CHARTS: readonly (readonly [ChartKind, string])[] = [
  ["waterfall", "Waterfall"],
  ["bars", "Bars"],
  ["pie", "Pie"],
];
const MOST_BYTES = 20_000_000;

export function header(session: Session): HTMLElement {
  const target = h("b", {});
  const where = h("small", {});
  const typical = h("p", { class: "hx-typical", role: "status" });
  const show = () => {
    const { report } = session;
    target.textContent = report.target;
    const concepts = `${counted(report.names.length, "concept")}${report.kind ? ` (${report.kind})` : ""}`;
    where.textContent = report.images.length > 0 ? `${report.layer} · ${concepts}` : "";
    typical.textContent = report.typical;
    typical.hidden = !report.typical;
  };
  session.on((change) => change === "report" && show());
  show();
  return h(
    "header",
    { class: "hx-header" },
    h("div", {}, h("h2", { class: "hx-title" }, "What added to ", target, where), typical),
    tools(session),
  );
}

function tools(session: Session): HTMLElement {
  const charts = choiceOf("Chart", CHARTS, (chart) => session.arrange({ chart }));
  const all = button("All concepts", () => session.arrange({ all: !session.saved.all }));
  const compare = button("Against the baseline", () =>
    session.arrange({ compare: !session.saved.compare }),
  );
  const table = button("Table", () => session.arrange({ table: !session.saved.table }));
  const attention = button("Grad-CAM", () => session.turnAttention(), {
    "aria-keyshortcuts": "g",
    title: "Where the layer speaks for the score, whatever the concepts (g)",
  });
  const show = () => {
    const { saved } = session;
    const none = session.cards.length === 0;
    charts.element.hidden = none;
    table.hidden = none;
    attention.hidden = none;
    charts.show(session.chart);
    all.hidden = !session.folds || session.chart === "pie";
    compare.hidden = !session.compared;
    for (const [one, on] of [
      [all, saved.all],
      [compare, saved.compare],
      [table, saved.table],
      [attention, saved.attention],
    ] as const)
      one.setAttribute("aria-pressed", String(on ?? false));
  };
  session.on((change) => (change === "report" || change === "view") && show());
  show();
  const live = session.live && adder(session);
  return h(
    "div",
    { class: "hx-tools", role: "toolbar", "aria-label": "The report" },
    charts.element,
    h("div", { class: "hx-switches" }, all, compare, attention, table, live),
  );
}

/** A button that takes a picture file and has the kernel explain it. */
function adder(session: Session): HTMLElement {
  const file = h("input", {
    type: "file",
    accept: "image/*",
    hidden: true,
    "aria-label": "Picture",
  });
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    file.value = "";
    if (chosen) void add(session, chosen);
  });
  return h(
    "span",
    {},
    button("Add image …", () => file.click()),
    file,
  );
}

async function add(session: Session, file: File): Promise<void> {
  if (file.size > MOST_BYTES) {
    session.complain(
      `${file.name} has ${Math.round(file.size / 1e6)} MB; at most ${MOST_BYTES / 1e6} were ` +
        "expected; make it smaller, or call report.add(image) in a cell.",
    );
    return;
  }
  try {
    await session.ask("add", { image: await inBase64(file) });
  } catch (error) {
    session.complain(error);
  }
}

function inBase64(file: File): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",")[1] ?? "");
    reader.onerror = () => reject(reader.error ?? new Error(`${file.name} could not be read`));
    reader.readAsDataURL(file);
  });
}
