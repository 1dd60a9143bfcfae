// Reading values under the pointer, line profiles and regions. Python holds the values and does the arithmetic.

const PLOT = { width: 420, height: 130, left: 52, bottom: 22, top: 8, right: 8 };
const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes, in a parent. */
function shape(parent, tag, attributes, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  parent.append(made);
  return made;
}

/** Ask Python for the values at places, one question at a time: of those that come too fast only the last. */
class Questions {
  constructor(model, shown) {
    Object.assign(this, { model, waiting: null, open: false });
    this.listener = (answer) => {
      if (answer.kind !== "values") return;
      shown(answer.text);
      this.open = false;
      if (this.waiting) this.ask(this.waiting);
    };
    model.on("msg:custom", this.listener);
  }

  ask(place) {
    this.waiting = this.open ? place : null;
    if (this.open) return;
    this.open = true;
    this.model.send({ kind: "values", place });
  }

  end() {
    this.model.off("msg:custom", this.listener);
  }
}

/** Values along the line, as curves with their error bars. */
function plotProfile(parent, profile) {
  parent.replaceChildren();
  if (!profile?.curves) return;
  const { width, height, left, bottom, top, right } = PLOT;
  const curves = profile.curves.map((curve) => ({
    ...curve, values: floats(curve.values), std: curve.std ? floats(curve.std) : null,
  }));
  const all = curves.flatMap(({ values, std }) =>
    [...values].flatMap((value, i) => (std ? [value - std[i], value + std[i]] : [value]))).filter(Number.isFinite);
  if (!all.length) return;
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const span = high - low || 1;
  const svg = shape(parent, "svg", { viewBox: `0 0 ${width} ${height}`, class: "rsmoe-profile", role: "img" });
  const names = curves.map(({ title }) => title).join(" and ");
  shape(svg, "title", {}, `Values of ${names} along the line, ${short(low)} to ${short(high)}`);
  const place = (i, value, count) => [
    left + (i / Math.max(1, count - 1)) * (width - left - right),
    top + ((high - value) / span) * (height - top - bottom),
  ].map((each) => each.toFixed(1)).join(",");
  shape(svg, "path", { class: "rsmoe-axis", d: `M${left},${top}V${height - bottom}H${width - right}` });
  shape(svg, "text", { x: left - 5, y: top + 9, class: "rsmoe-end" }, short(high));
  shape(svg, "text", { x: left - 5, y: height - bottom, class: "rsmoe-end" }, short(low));
  shape(svg, "text", { x: left, y: height - 6 }, "0");
  shape(svg, "text", { x: width - right, y: height - 6, class: "rsmoe-end" }, profile.length);
  curves.forEach(({ title, values, std }, number) => {
    const points = (list) => list.map((value, i) => [i, value]).filter(([, value]) => Number.isFinite(value));
    const text = (list) => list.map(([i, value]) => place(i, value, values.length)).join(" ");
    if (std) {
      const upper = points([...values].map((value, i) => value + std[i]));
      const lower = points([...values].map((value, i) => value - std[i])).reverse();
      shape(svg, "polygon", { class: `rsmoe-band rsmoe-curve-${number}`, points: text([...upper, ...lower]) });
    }
    shape(svg, "polyline", { class: `rsmoe-line rsmoe-curve-${number}`, points: text(points([...values])) });
    shape(svg, "text", { x: left + 8, y: top + 10 + 13 * number, class: `rsmoe-name rsmoe-curve-${number}` }, title);
  });
}

/** The tools that draw a line or a rectangle, what they measure, and the values under the pointer. */
function addMeasuring(pane, bar, below) {
  const { model, canvas, view, stage } = pane;
  const readout = element(below, "div", "rsmoe-values");
  readout.setAttribute("role", "status");
  readout.setAttribute("aria-live", "off"); // Read out only when keys ask for it.
  const plot = element(below, "div", "rsmoe-plot");
  const regionText = element(below, "div", "rsmoe-region-text");
  const questions = new Questions(model, (text) => (readout.textContent = text));
  let tool = null;
  let start = null;

  const buttons = {
    line: toggleButton(bar, "rsmoe-line-tool", "Profile", "Draw a line to plot the values along it", () => use("line")),
    region: toggleButton(bar, "rsmoe-region-tool", "Region", "Draw a rectangle to choose a region", () => use("region")),
  };

  /** Take a tool, or lay it aside; what was drawn with it is then removed. */
  function use(name) {
    tool = tool === name ? null : name;
    for (const [each, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", tool === each);
    canvas.dataset.tool = tool ?? "";
    if (tool === null) keep(name, null);
  }

  function keep(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  const at = (event) => [view.y + event.offsetY / view.scale, view.x + event.offsetX / view.scale];

  /** The line or the rectangle from where the button was pressed, within the image. */
  function drawnTo([y, x]) {
    const size = model.get("size");
    const within = (value, most) => Math.min(most, Math.max(0, value));
    const ends = [...start, within(y, size[0]), within(x, size[1])];
    if (tool === "line") return ends;
    const [y0, x0, y1, x1] = ends;
    return [Math.floor(Math.min(y0, y1)), Math.floor(Math.min(x0, x1)),
      Math.ceil(Math.max(y0, y1)), Math.ceil(Math.max(x0, x1))];
  }

  Object.assign(pane, {
    /** Read the values at a place of the image, which is then marked in this pane. */
    readAt(place, announce = false) {
      const size = model.get("size");
      pane.point = place;
      readout.setAttribute("aria-live", announce ? "polite" : "off");
      const inside = place && place.every((value, i) => value >= 0 && value < size[i]);
      if (inside) questions.ask(place);
      else readout.textContent = "";
      pane.draw();
    },
    /** Read the values one pixel further, starting in the middle. */
    readBeside(step) {
      const centre = [view.y + stage.clientHeight / view.scale / 2, view.x + stage.clientWidth / view.scale / 2];
      const size = model.get("size");
      const from = pane.point ?? centre;
      const place = from.map((value, i) => Math.min(size[i] - 0.5, Math.max(0.5, Math.floor(value) + 0.5 + step[i])));
      pane.marked = true;
      pane.readAt(place, true);
      pane.tell("point", place);
    },
    /** Begin, continue and end a drawing; false if no tool is in use. */
    press(event) {
      if (!tool) return false;
      start = at(event);
      return true;
    },
    drag(event) {
      if (!tool || !start) return false;
      pane[tool] = drawnTo(at(event));
      pane.draw();
      return true;
    },
    release(event) {
      if (!tool || !start) return false;
      const drawn = drawnTo(at(event));
      const far = Math.hypot(drawn[2] - drawn[0], drawn[3] - drawn[1]) * view.scale >= 4; // A click draws nothing.
      start = null;
      keep(tool, far ? drawn : null);
      return true;
    },
    /** Draw the line, the rectangle and the marked place. */
    drawMarks(context) {
      const screen = ([y, x]) => [(x - view.x) * view.scale, (y - view.y) * view.scale];
      const stroke = (trace) => {
        for (const [style, width] of [["#000", 3], ["#ffb000", 1.5]]) {
          context.beginPath();
          trace();
          Object.assign(context, { strokeStyle: style, lineWidth: width });
          context.stroke();
        }
      };
      if (pane.line) {
        stroke(() => {
          context.moveTo(...screen(pane.line.slice(0, 2)));
          context.lineTo(...screen(pane.line.slice(2)));
        });
      }
      if (pane.region) {
        const [[x0, y0], [x1, y1]] = [screen(pane.region.slice(0, 2)), screen(pane.region.slice(2))];
        stroke(() => context.rect(x0, y0, x1 - x0, y1 - y0));
      }
      if (pane.point && pane.marked) {
        const [x, y] = screen(pane.point);
        stroke(() => [[6, 0], [0, 6]].forEach(([dx, dy]) => {
          context.moveTo(x - dx, y - dy);
          context.lineTo(x + dx, y + dy);
        }));
      }
    },
    endMeasuring: () => questions.end(),
  });
  return {
    line: () => (pane.line = model.get("line")),
    region: () => (pane.region = model.get("region")),
    profile: () => plotProfile(plot, model.get("profile")),
    region_text: () => (regionText.textContent = model.get("region_text")),
  };
}
