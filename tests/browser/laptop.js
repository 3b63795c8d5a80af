// What of a view does not fit: `hexplainFit(selector, rules)` in the page that shows it.
(() => {
  const NUMBER = /^[#±+−<>≈\s]*\d[\d.,\s]*(%|e[+−-]?\d+)?$/;

  /** The boxes that may cut what an element holds, up to the first that scrolls, by axis. */
  function* cutters(element, root) {
    let [x, y] = [true, true];
    for (let box = element; box && box !== root.parentElement; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.display === "contents") continue;
      if (["auto", "scroll"].includes(style.overflowX)) x = false;
      if (["auto", "scroll"].includes(style.overflowY)) y = false;
      const cut = (value) => value === "hidden" || value === "clip";
      yield [box, x && cut(style.overflowX), y && cut(style.overflowY)];
      if (style.position === "fixed") return;
    }
  }

  function* texts(root) {
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const parent = node.parentElement;
      if (!node.textContent.trim() || parent.closest("script,style,title,desc,option")) continue;
      if (!parent.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      if (parent.matches(".hx-short > *, .hx-unseen")) continue;
      yield [node, parent];
    }
  }

  function boxOf(node) {
    const range = document.createRange();
    range.selectNodeContents(node);
    return range.getBoundingClientRect();
  }

  const pen = document.createElement("canvas").getContext("2d");

  function widthOf(words, element) {
    pen.font = getComputedStyle(element).font;
    return pen.measureText(words).width;
  }

  /** Names that are shortened in their middle: the end has room, and a number all of it. */
  function* shortNames(root) {
    for (const name of root.querySelectorAll(".hx-short")) {
      const whole = name.textContent;
      if (!name.checkVisibility({ visibilityProperty: true }) || name.clientWidth === 0) continue;
      const kept = NUMBER.test(whole) ? whole : name.dataset.tail;
      const lacks = widthOf(kept, name) - name.clientWidth;
      if (lacks > 1) yield `“${whole}” by ${lacks.toFixed(0)} px in ${named(name)}`;
      if (name.title !== whole) yield `“${whole}” without its title`;
    }
  }

  function overlap(text, [box, x, y]) {
    const room = box.getBoundingClientRect();
    const over = (from, to, least, most) => Math.max(least - from, to - most);
    const wide = x ? over(text.left, text.right, room.left, room.right) : 0;
    const tall = y ? over(text.top, text.bottom, room.top, room.bottom) : 0;
    return Math.max(wide, tall > 3 ? tall : 0);
  }

  // what has gone out of a plane that is panned is not cut
  function panned(box) {
    return box.matches(".hx-stage, .hx-window, [data-plane]");
  }

  function cuts(root) {
    const found = [];
    for (const [node, parent] of texts(root)) {
      const text = boxOf(node);
      if (text.width < 1) continue;
      for (const cutter of cutters(parent, root)) {
        if (panned(cutter[0])) break;
        const over = overlap(text, cutter);
        if (over > 1.5) {
          found.push(
            `“${node.textContent.trim()}” by ${over.toFixed(0)} px in ${named(cutter[0])}`,
          );
          break;
        }
      }
    }
    return [...new Set([...found, ...shortNames(root)])];
  }

  function named(element) {
    const names = [...element.classList].slice(0, 2).join(".");
    return element.tagName.toLowerCase() + (names ? `.${names}` : "");
  }

  function rgba(text) {
    const context = rgba.canvas.getContext("2d", { willReadFrequently: true });
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  }
  rgba.canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });

  const over = ([r, g, b, a], ground) =>
    [r, g, b].map((value, i) => value * a + ground[i] * (1 - a));

  function luminance(colour) {
    const [r, g, b] = colour.map((value) => {
      const v = value / 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  /** What is painted below an element, from the page up; null where a picture is. */
  function ground(element) {
    const chain = [];
    for (let box = element; box; box = box.parentElement) chain.unshift(box);
    let painted = [255, 255, 255];
    for (const box of chain) {
      const style = getComputedStyle(box);
      if (style.backgroundImage !== "none") return null;
      painted = over(rgba(style.backgroundColor), painted);
    }
    return painted;
  }

  function faint(root) {
    const found = new Map();
    for (const [node, parent] of texts(root)) {
      if (parent.closest(":disabled, [aria-disabled=true]")) continue;
      // what lies below a word in a drawing is another shape
      if (parent.closest(".hx-labels")) continue;
      const below = ground(parent);
      const box = boxOf(node);
      if (!below || box.width < 1) continue;
      const style = getComputedStyle(parent);
      const [r, g, b, a] = rgba(parent instanceof SVGElement ? style.fill : style.color);
      let opacity = a;
      for (let e = parent; e; e = e.parentElement) opacity *= Number(getComputedStyle(e).opacity);
      const ink = over([r, g, b, opacity], below);
      const [l1, l2] = [luminance(ink), luminance(below)].sort((p, q) => q - p);
      const contrast = (l1 + 0.05) / (l2 + 0.05);
      if (parent instanceof SVGElement && style.stroke !== "none") continue;
      if (contrast < 4.5) {
        const key = `${named(parent)} in ${named(parent.parentElement)}`;
        if (!found.has(key))
          found.set(key, `${contrast.toFixed(2)} ${key} “${node.textContent.trim().slice(0, 30)}”`);
      }
    }
    return [...found.values()];
  }

  // what a page has to have, not a part of it; and names that say more than stands on a tile
  const PAGE_RULES = [
    "label-content-name-mismatch",
    "region",
    "page-has-heading-one",
    "landmark-one-main",
    "heading-order",
    "bypass",
  ];

  async function rules(root) {
    const off = Object.fromEntries(PAGE_RULES.map((id) => [id, { enabled: false }]));
    off["color-contrast"] = { enabled: false };
    const { violations } = await axe.run(root, { rules: off, resultTypes: ["violations"] });
    return violations
      .filter(({ impact }) => ["moderate", "serious", "critical"].includes(impact))
      .flatMap(({ id, impact, nodes }) => {
        const one = nodes[0];
        return [`${id} (${impact}, ${nodes.length}): ${one.html.slice(0, 160)}`];
      });
  }

  /** Outlines over a picture that do not lie on it. */
  function beside(root) {
    return [...root.querySelectorAll(".hx-marks")].flatMap((marks) => {
      const picture = marks.parentElement.querySelector("canvas, img");
      const [a, b] = [marks.getBoundingClientRect(), picture.getBoundingClientRect()];
      if (!marks.hasAttribute("viewBox") || b.width === 0) return [];
      const apart = ["left", "top", "right", "bottom"].map((side) => Math.abs(a[side] - b[side]));
      const most = Math.max(...apart);
      return most > 1.5 ? [`${named(marks.parentElement)} by ${most.toFixed(0)} px`] : [];
    });
  }

  globalThis.hexplainFit = async (where) => {
    const root = document.querySelector(where);
    const { width, height } = root.getBoundingClientRect();
    const wide = root.scrollWidth - root.clientWidth;
    const cut = cuts(root);
    if (wide > 1) cut.push(`the view is ${wide} px wider than its place`);
    const found = { cut, faint: faint(root), rules: await rules(root), beside: beside(root) };
    return { width, height, ...found };
  };
})();
