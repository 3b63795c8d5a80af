// Bundles every view and the runtime of offline pages into the Python package. A bundle is a module
// of a folder in src/ that exports a widget (`export default`); it is named as its file. Each bundle is one self-contained ES module: a widget's module is imported from a blob: URL,
// from where a shared chunk could not be found. `node build.mjs --watch` rebuilds on change.
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { minify } from "terser";

const LIMIT = 60_000;
const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "hexplain_widgets", "static");
const views = readdirSync(join(here, "src"), { withFileTypes: true })
  .filter((folder) => folder.isDirectory())
  .flatMap(({ name }) => readdirSync(join(here, "src", name)).map((file) => join(name, file)))
  .filter((file) => file.endsWith(".ts"))
  .map((file) => join(here, "src", file))
  .filter((path) => /^export default /m.test(readFileSync(path, "utf8")))
  .sort();

const shared = {
  bundle: true,
  splitting: false,
  minify: true,
  legalComments: "none",
  charset: "utf8",
  target: "es2022",
  logLevel: "warning",
};

/** The statements of a minified style sheet that stand at its top. */
function statements(css) {
  const found = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < css.length; i++) {
    if (css[i] === "{") depth++;
    if (css[i] !== "}" || --depth > 0) continue;
    found.push(css.slice(start, i + 1));
    start = i + 1;
  }
  return [...found, css.slice(start)];
}

/** Several views stand on one page: each one's style holds inside the element of its own class. */
async function scoped(css, view) {
  const all = statements(css);
  const named = (statement) => /^\s*@keyframes/.test(statement);
  const inside = `.hx-in-${view}{${all.filter((s) => !named(s)).join("")}}`;
  const { code } = await esbuild.transform(inside, {
    loader: "css",
    minify: true,
    target: ["chrome100", "firefox100", "safari15"],
  });
  return all.filter(named).join("") + code;
}

const scope = {
  name: "scope",
  setup(build) {
    build.onEnd(async () => {
      for (const view of views.map((path) => basename(path, ".ts"))) {
        const path = join(out, `${view}.css`);
        if (existsSync(path)) writeFileSync(path, await scoped(readFileSync(path, "utf8"), view));
      }
    });
  },
};

const viewOptions = {
  ...shared,
  entryPoints: views,
  entryNames: "[name]",
  format: "esm",
  outdir: out,
  plugins: [scope],
};

const offlineOptions = {
  ...shared,
  entryPoints: [join(here, "src", "offline", "main.ts")],
  format: "iife",
  outfile: join(out, "offline", "runtime.js"),
  // ipywidgets 7 is not supported: its classes would double the size
  alias: {
    "@jupyter-widgets/base7": "@jupyter-widgets/base",
    "@jupyter-widgets/controls7": "@jupyter-widgets/controls",
  },
  loader: {
    ".svg": "empty",
    ".png": "dataurl",
    ".gif": "dataurl",
    ".woff2": "dataurl",
    ".woff": "empty",
    ".eot": "empty",
    ".ttf": "empty",
  },
};

function dropStale() {
  const kept = new Set(views.map((view) => basename(view, ".ts")));
  for (const name of existsSync(out) ? readdirSync(out) : []) {
    if (/\.(js|css)$/.test(name) && !kept.has(name.replace(/\.(js|css)$/, ""))) {
      rmSync(join(out, name));
    }
  }
}

/** A bundle is stored with every widget: what a second pass finds is worth its seconds. */
async function shrink() {
  const options = { module: true, ecma: 2022, compress: { passes: 2 } };
  for (const view of views) {
    const bundle = join(out, `${basename(view, ".ts")}.js`);
    const { code } = await minify(readFileSync(bundle, "utf8"), options);
    writeFileSync(bundle, code);
  }
}

function holdTheLimit() {
  for (const view of views) {
    const bundle = join(out, `${basename(view, ".ts")}.js`);
    const size = statSync(bundle).size;
    if (size > LIMIT) {
      throw new Error(
        `${bundle} has ${size} bytes, a view may have ${LIMIT}: it is stored once per widget in` +
          " every saved notebook; import less, or draw it by hand",
      );
    }
  }
}

if (process.argv.includes("--watch")) {
  for (const options of [viewOptions, offlineOptions]) {
    const context = await esbuild.context({ ...options, logLevel: "info" });
    await context.watch();
  }
} else {
  dropStale();
  if (views.length > 0) await esbuild.build(viewOptions);
  await esbuild.build(offlineOptions);
  await shrink();
  holdTheLimit();
}
