// Shows widgets from their saved state in a page without kernel and network.
import * as base from "@jupyter-widgets/base";
import * as controls from "@jupyter-widgets/controls";
import { HTMLManager } from "@jupyter-widgets/html-manager/lib/htmlmanager";
import "@lumino/widgets/style/index.css";
import "@jupyter-widgets/controls/css/widgets-base.css";
import "@jupyter-widgets/controls/css/labvariables.css";
import "./theme.css";
import { type Define, Modules } from "./modules.ts";

declare global {
  interface Window {
    hexplainDefine: (name: string) => Define;
  }
}

type WidgetClass = typeof base.WidgetModel | typeof base.WidgetView;

const modules = new Modules({
  "@jupyter-widgets/base": base,
  "@jupyter-widgets/controls": controls,
});
window.hexplainDefine = (name) => modules.defineFor(name);

class OfflineManager extends HTMLManager {
  protected override async loadClass(
    className: string,
    moduleName: string,
    version: string,
  ): Promise<WidgetClass> {
    if (moduleName === "@jupyter-widgets/output") {
      return super.loadClass(className, moduleName, version);
    }
    const found = (modules.require(moduleName) as Record<string, WidgetClass>)[className];
    if (!found) throw new Error(`${moduleName} has no ${className}`);
    return found;
  }
}

function textOf(type: string): string[] {
  const scripts = document.querySelectorAll(`script[type="application/vnd.jupyter.${type}+json"]`);
  return [...scripts].map((script) => script.textContent ?? "");
}

function markTheme(dark: boolean): void {
  document.body.dataset.jpThemeLight = String(!dark);
  document.body.dataset.jpThemeName = dark ? "JupyterLab Dark" : "JupyterLab Light";
}

async function show(): Promise<void> {
  const wish = window.matchMedia("(prefers-color-scheme: dark)");
  markTheme(wish.matches);
  wish.addEventListener("change", (event) => markTheme(event.matches));
  const manager = new OfflineManager();
  for (const state of textOf("widget-state")) await manager.set_state(JSON.parse(state));
  for (const text of textOf("widget-view")) {
    const model = await manager.get_model(JSON.parse(text).model_id);
    const place = document.querySelector("main") ?? document.body;
    await manager.display_view(manager.create_view(model) as Promise<base.DOMWidgetView>, place);
  }
}

function report(error: unknown): void {
  console.error(error);
  const note = document.createElement("p");
  note.setAttribute("role", "alert");
  note.textContent = `This page could not be shown: ${error instanceof Error ? error.message : error}`;
  document.body.append(note);
}

// what anywidget says of a model that took two seconds: it will not hear a kernel, and here is none
window.addEventListener("unhandledrejection", (event) => {
  if (String(event.reason).includes("[anywidget] Failed to initialize")) event.preventDefault();
});

document.addEventListener("DOMContentLoaded", () => {
  show()
    .then(() => {
      document.documentElement.dataset.ready = "true";
    })
    .catch((error) => {
      report(error);
      document.documentElement.dataset.ready = "error";
    });
});
