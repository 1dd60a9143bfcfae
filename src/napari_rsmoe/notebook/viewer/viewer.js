// The viewer pane: pictures, kernels and the divider between before and after, on one canvas.
//
// Python sends the contents. The pane reports the part in view, and receives that part at full resolution.

const VEIL = 0.75; // Opacity of the uncertainty over the picture.
const LEAST = [140, 260]; // Smallest height and width of the stage, in screen pixels.
const LIVE = 2000; // Kernels outlined anew while the view moves; more are moved as a picture until it rests.
const SCALE_BAR = 0.25; // Part of the width that a scale bar takes at most.

/** The elements of a pane, in the order in which the Tab key visits them. */
function build(el) {
  el.classList.add("rsmoe-pane");
  el.dataset.lmSuppressShortcuts = "true"; // Keys work here instead of on the selected cell.
  const caption = element(el, "div", "rsmoe-caption");
  const bar = element(el, "div", "rsmoe-bar");
  const look = element(el, "div", "rsmoe-bar");
  const stage = element(el, "div", "rsmoe-stage");
  const canvas = element(stage, "canvas", "rsmoe-canvas", { tabIndex: 0 });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "image viewer");
  const divider = element(stage, "div", "rsmoe-divider", { tabIndex: 0, title: "Drag to compare" });
  const facts = {
    role: "slider", "aria-label": "Divider between before and after", "aria-valuemin": 0, "aria-valuemax": 100,
    "aria-valuenow": 50,
  };
  for (const [name, value] of Object.entries(facts)) divider.setAttribute(name, value);
  return {
    el, caption, bar, look, stage, canvas, divider,
    leftLabel: element(stage, "span", "rsmoe-label rsmoe-left"),
    rightLabel: element(stage, "span", "rsmoe-label rsmoe-right"),
    scaleBar: element(stage, "div", "rsmoe-scale-bar", { hidden: true }),
    tip: element(stage, "div", "rsmoe-tip", { hidden: true }),
    planes: element(el, "div", "rsmoe-planes"),
    legend: element(el, "div", "rsmoe-legend"),
    below: element(el, "div", "rsmoe-below"),
  };
}

function render({ model, el }) {
  const view = new View();
  const pane = {
    ...build(el), model, view, split: model.get("split"), line: null, region: null, point: null, marked: false,
  };
  const { bar, stage, canvas, divider, leftLabel, rightLabel, scaleBar, tip, planes } = pane;
  const kernelsButton = toggleButton(bar, "rsmoe-kernels", "Kernels", "", () => pane.toggle("show_kernels"));
  const uncertaintyButton = toggleButton(bar, "rsmoe-uncertainty", "Uncertainty", "", () =>
    pane.toggle("show_uncertainty"));
  element(bar, "button", "rsmoe-reset", {
    type: "button", textContent: "Reset view", title: "Show all (double click)", onclick: () => pane.reset(),
  });
  const planeSlider = element(planes, "input", "rsmoe-plane", { type: "range", min: 0 });
  planeSlider.setAttribute("aria-label", "Plane");
  const planeLabel = element(planes, "span", "rsmoe-plane-label");

  const context = canvas.getContext("2d");
  const layer = document.createElement("canvas"); // The kernels, kept while only the divider or the pointer moves.
  const shown = { before: null, after: null, uncertainty: null, detail: {}, kernels: null };
  let hovered = -1;
  let layerView = { ...view };
  let layerIsOld = true;
  let moving = false;
  let frame = 0;

  // ------------------------------------------------------------------ drawing

  pane.draw = () => {
    frame ||= requestAnimationFrame(drawNow);
  };
  const { draw } = pane;

  const comparing = () => Boolean(shown.before && shown.after);

  function side(name, from, to) {
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, stage.clientHeight);
    context.clip();
    paint(context, shown[name], view);
    paint(context, shown.detail[name], view);
    context.restore();
  }

  function drawNow() {
    frame = 0;
    const { clientWidth: width, clientHeight: height } = stage;
    const ratio = canvas.width / width;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const cut = comparing() ? pane.split * width : shown.after ? 0 : width;
    side("before", 0, cut);
    side("after", cut, width);
    if (model.get("show_uncertainty")) {
      context.globalAlpha = VEIL;
      side("uncertainty", comparing() ? cut : 0, width);
      context.globalAlpha = 1;
    }
    if (model.get("show_kernels") && shown.kernels) drawKernels(width, height, ratio);
    pane.drawMarks(context);
    drawScaleBar(width);
    stage.dataset.view = [view.y, view.x, view.scale].map(short).join(" "); // For tests, and for whoever wonders.
    divider.hidden = !comparing();
    divider.style.left = `${100 * pane.split}%`;
    divider.setAttribute("aria-valuenow", Math.round(100 * pane.split));
  }

  function drawScaleBar(width) {
    const pixel = model.get("pixel_size"); // { value: [y, x], unit }
    scaleBar.hidden = !pixel?.value;
    if (scaleBar.hidden) return;
    const length = roundLength((SCALE_BAR * width * pixel.value[1]) / view.scale);
    scaleBar.textContent = `${Number(length.toPrecision(2))} ${pixel.unit}`;
    scaleBar.style.width = `${(length / pixel.value[1]) * view.scale}px`;
  }

  function drawKernels(width, height, ratio) {
    if (layerIsOld && !(moving && shown.kernels.count > LIVE)) {
      layerIsOld = false;
      layerView = { ...view };
      layer.width = canvas.width;
      layer.height = canvas.height;
      const brush = layer.getContext("2d");
      brush.setTransform(ratio, 0, 0, ratio, 0, 0);
      stage.dataset.kernels = outline(brush, shown.kernels, view, width, height);
    }
    const zoom = view.scale / layerView.scale;
    const [left, top] = [(layerView.x - view.x) * view.scale, (layerView.y - view.y) * view.scale];
    context.drawImage(layer, left, top, (layer.width / ratio) * zoom, (layer.height / ratio) * zoom);
    if (hovered < 0) return;
    const { table, step, colours } = shown.kernels;
    const k = hovered * step;
    const [red, green, blue] = colours.subarray(3 * hovered, 3 * hovered + 3).map((value) => 255 * value);
    context.beginPath();
    context.ellipse(
      (table[k + 2] + 0.5 - view.x) * view.scale, (table[k + 1] + 0.5 - view.y) * view.scale,
      table[k + 3] * view.scale, table[k + 4] * view.scale, table[k + 5], 0, 2 * Math.PI,
    );
    context.fillStyle = `rgb(${red}, ${green}, ${blue})`;
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = "#ffb000";
    context.stroke();
  }

  // ------------------------------------------------------------------ contents

  const rest = settled(() => {
    moving = false;
    draw();
    const { clientWidth: width, clientHeight: height } = stage;
    if (!width) return;
    const box = [view.y, view.x, view.y + height / view.scale, view.x + width / view.scale];
    model.set("view", { box, pixels: [canvas.height, canvas.width] });
    model.save_changes();
  });

  /** Draw the view after a change; `own` is false if another pane made it. */
  function moved(own = true) {
    layerIsOld = moving = true;
    hovered = -1;
    tip.hidden = true;
    draw();
    rest();
    if (own) pane.tell("view");
  }

  function resize() {
    const size = model.get("size");
    const most = model.get("height");
    const natural = Math.max((most * size[1]) / size[0], LEAST[1]);
    const width = Math.round(Math.min(el.clientWidth, natural));
    if (!width) return;
    const height = Math.max(Math.min((width * size[0]) / size[1], most), Math.min(LEAST[0], most));
    for (const part of [stage, planes]) part.style.width = `${width}px`;
    stage.style.height = `${Math.round(height)}px`;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(stage.clientHeight * ratio);
    if (view.fitted) view.fit(size, width, stage.clientHeight);
    moved(false);
  }

  function reset() {
    view.fitted = true;
    resize();
    pane.tell("view");
  }

  Object.assign(pane, {
    moved,
    reset,
    zoom(factor, x, y) {
      const size = model.get("size");
      const least = 0.5 * Math.min(stage.clientWidth / size[1], stage.clientHeight / size[0]);
      view.zoom(factor, x, y, least);
      moved();
    },
    toggle(name) {
      model.set(name, !model.get(name));
      model.save_changes();
    },
    cutAt(share) {
      pane.split = Math.min(1, Math.max(0, share));
      draw();
    },
    keepCut() {
      model.set("split", pane.split);
      model.save_changes();
    },
    turnTo(plane) {
      planeSlider.valueAsNumber = plane; // Kept within the range by the slider.
      planeSlider.oninput();
    },
  });

  const readers = {
    ...addLife(pane),
    ...addContrast(pane, pane.look, pane.legend),
    ...addMeasuring(pane, bar, pane.below),
    before: () => (shown.before = pictureOf(model.get("before"))),
    after: () => (shown.after = pictureOf(model.get("after"))),
    uncertainty: () => (shown.uncertainty = pictureOf(model.get("uncertainty"))),
    detail: () => {
      const entries = Object.entries(model.get("detail") ?? {});
      shown.detail = Object.fromEntries(entries.map(([name, value]) => [name, pictureOf(value)]));
    },
    kernels: () => {
      shown.kernels = kernelsOf(model.get("kernels"));
      layerIsOld = true;
      hovered = -1;
    },
    split: () => (pane.split = model.get("split")),
    texts: () => {
      const texts = model.get("texts");
      leftLabel.textContent = texts.before ?? "";
      rightLabel.textContent = texts.after ?? "";
      planeLabel.textContent = texts.plane ?? "";
      note.textContent = texts.note ?? "";
      canvas.setAttribute("aria-label", `${texts.picture ?? "Image"}. ${KEYS}`);
      planeSlider.setAttribute("aria-valuetext", texts.plane ?? "");
      uncertaintyButton.hidden = !texts.uncertainty;
      uncertaintyButton.title = texts.uncertainty ?? "";
      kernelsButton.hidden = !texts.kernels;
      kernelsButton.title = texts.kernels ?? "";
    },
    show_kernels: () => kernelsButton.setAttribute("aria-pressed", model.get("show_kernels")),
    show_uncertainty: () => uncertaintyButton.setAttribute("aria-pressed", model.get("show_uncertainty")),
    plane: () => (planeSlider.value = model.get("plane")),
    n_planes: () => {
      planes.hidden = model.get("n_planes") < 2;
      planeSlider.max = model.get("n_planes") - 1;
      planeSlider.value = model.get("plane");
    },
    size: reset,
    height: resize,
    pixel_size: () => {},
    caption: () => {
      pane.caption.textContent = model.get("caption");
      pane.caption.hidden = !model.get("caption");
    },
  };
  const listeners = Object.entries(readers).map(([name, read]) => [`change:${name}`, () => (read(), draw())]);

  // ------------------------------------------------------------------ user input

  addLinking(pane);
  addKeyboard(pane);
  const note = element(bar, "span", "rsmoe-note");
  stage.ondblclick = reset;
  planeSlider.oninput = settled(() => {
    model.set("plane", Number(planeSlider.value));
    model.save_changes();
  });
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    pane.press(event);
  };
  canvas.onpointerup = (event) => pane.release(event);
  canvas.onpointermove = (event) => {
    const place = [view.y + event.offsetY / view.scale, view.x + event.offsetX / view.scale];
    pane.marked = false;
    pane.readAt(place);
    pane.tell("point", place);
    if (event.buttons & 1) {
      if (pane.drag(event)) return;
      view.move(event.movementX, event.movementY);
      moved();
      return;
    }
    const active = shown.kernels && model.get("show_kernels");
    const { offsetX: x, offsetY: y } = event;
    const found = active ? kernelAt(shown.kernels, view.x + x / view.scale, view.y + y / view.scale) : -1;
    tip.hidden = found < 0;
    if (found >= 0) {
      if (found !== hovered) tip.textContent = features(shown.kernels, found);
      tip.style.left = `${x < stage.clientWidth / 2 ? x + 14 : x - tip.offsetWidth - 10}px`;
      tip.style.top = `${Math.max(0, Math.min(y + 10, stage.clientHeight - tip.offsetHeight))}px`;
    }
    if (found !== hovered) {
      hovered = found;
      draw();
    }
  };
  canvas.onpointerleave = () => {
    pane.readAt(null);
    pane.tell("point", null);
    hovered = -1;
    tip.hidden = true;
    draw();
  };
  const onWheel = (event) => {
    event.preventDefault();
    pane.zoom(1.0015 ** -event.deltaY, event.offsetX, event.offsetY);
  };
  canvas.addEventListener("wheel", onWheel, { passive: false });
  divider.onpointerdown = (event) => divider.setPointerCapture(event.pointerId);
  divider.onpointermove = (event) => {
    if (event.buttons & 1) pane.cutAt((event.clientX - stage.getBoundingClientRect().left) / stage.clientWidth);
  };
  divider.onpointerup = () => pane.keepCut();

  for (const [name, listener] of listeners) model.on(name, listener);
  for (const read of Object.values(readers)) read();
  const names = addNames(pane);
  const observer = new ResizeObserver(() => {
    resize();
    names.begin();
  });
  observer.observe(el);
  return () => {
    observer.disconnect();
    names.end();
    pane.endLife();
    pane.endLinking();
    pane.endMeasuring();
    cancelAnimationFrame(frame);
    for (const [name, listener] of listeners) model.off(name, listener);
  };
}

export default { render };
