// The viewer pane: pictures, kernels and the divider between before and after, on one canvas.
//
// Python sends the contents. The pane reports the part in view, and receives that part at full resolution.

const VEIL = 0.75; // Opacity of the uncertainty over the picture.
const SETTLED = 150; // Milliseconds without a move after which the view or the plane is sent to Python.
const BAR = 300; // Smallest width of the row of buttons, in pixels.
const LIVE = 2000; // Kernels outlined anew while the view moves; more are moved as a picture until it rests.

/** An element with a class, in a parent. */
function element(parent, tag, name, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  made.className = name;
  parent.append(made);
  return made;
}

/** A function that runs once there was no further call for some time. */
function settled(action) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, SETTLED);
  };
}

/** -1 or 1 for the arrow keys, whose default action in notebooks is prevented. */
function arrow(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
  if (step) event.preventDefault();
  return step;
}

function render({ model, el }) {
  el.classList.add("rsmoe-pane");
  el.dataset.lmSuppressShortcuts = "true"; // Arrow keys move the sliders instead of the selected cell.
  const bar = element(el, "div", "rsmoe-bar");
  const kernelsButton = element(bar, "button", "rsmoe-kernels", { textContent: "Kernels", title: "Show the kernels" });
  const uncertaintyButton = element(bar, "button", "rsmoe-uncertainty", {
    textContent: "Uncertainty", title: "Show the standard deviation of the error",
  });
  const resetButton = element(bar, "button", "rsmoe-reset", { textContent: "Reset view", title: "Show all (double click)" });
  const note = element(bar, "span", "rsmoe-note");
  const stage = element(el, "div", "rsmoe-stage");
  const canvas = element(stage, "canvas", "rsmoe-canvas");
  const leftLabel = element(stage, "span", "rsmoe-label rsmoe-left");
  const rightLabel = element(stage, "span", "rsmoe-label rsmoe-right");
  const divider = element(stage, "div", "rsmoe-divider", { tabIndex: 0, title: "Drag to compare" });
  divider.setAttribute("role", "slider");
  divider.setAttribute("aria-label", "before and after");
  const tip = element(stage, "div", "rsmoe-tip", { hidden: true });
  const planes = element(el, "div", "rsmoe-planes");
  const planeSlider = element(planes, "input", "rsmoe-plane", { type: "range", min: 0 });
  const planeLabel = element(planes, "span", "rsmoe-plane-label");

  const context = canvas.getContext("2d");
  const layer = document.createElement("canvas"); // The kernels, kept while only the divider or the pointer moves.
  const view = new View();
  const shown = { before: null, after: null, uncertainty: null, detail: {}, kernels: null };
  let split = model.get("split");
  let hovered = -1;
  let layerView = { ...view };
  let layerIsOld = true;
  let moving = false;
  let frame = 0;

  // ------------------------------------------------------------------ drawing

  const draw = () => {
    frame ||= requestAnimationFrame(drawNow);
  };

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
    const cut = comparing() ? split * width : shown.after ? 0 : width;
    side("before", 0, cut);
    side("after", cut, width);
    if (model.get("show_uncertainty")) {
      context.globalAlpha = VEIL;
      side("uncertainty", comparing() ? cut : 0, width);
      context.globalAlpha = 1;
    }
    if (model.get("show_kernels") && shown.kernels) drawKernels(width, height, ratio);
    divider.hidden = !comparing();
    divider.style.left = `${100 * split}%`;
    divider.setAttribute("aria-valuenow", Math.round(100 * split));
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

  function moved() {
    layerIsOld = moving = true;
    hovered = -1;
    tip.hidden = true;
    draw();
    rest();
  }

  function resize() {
    const size = model.get("size");
    const width = Math.round(Math.min(el.clientWidth, (model.get("height") * size[1]) / size[0]));
    if (!width) return;
    for (const part of [stage, planes]) part.style.width = `${width}px`;
    bar.style.width = `${Math.max(width, Math.min(el.clientWidth, BAR))}px`;
    stage.style.height = `${Math.round((width * size[0]) / size[1])}px`;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(stage.clientHeight * ratio);
    if (view.fitted) view.fit(size, width, stage.clientHeight);
    moved();
  }

  function reset() {
    view.fitted = true;
    resize();
  }

  const readers = {
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
    split: () => (split = model.get("split")),
    texts: () => {
      const texts = model.get("texts");
      leftLabel.textContent = texts.before ?? "";
      rightLabel.textContent = texts.after ?? "";
      planeLabel.textContent = texts.plane ?? "";
      note.textContent = texts.note ?? "";
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
  };
  const listeners = Object.entries(readers).map(([name, read]) => [`change:${name}`, () => (read(), draw())]);

  // ------------------------------------------------------------------ user input

  function toggle(name) {
    model.set(name, !model.get(name));
    model.save_changes();
  }

  function cutAt(share) {
    split = Math.min(1, Math.max(0, share));
    draw();
  }

  function keepCut() {
    model.set("split", split);
    model.save_changes();
  }

  kernelsButton.onclick = () => toggle("show_kernels");
  uncertaintyButton.onclick = () => toggle("show_uncertainty");
  resetButton.onclick = stage.ondblclick = reset;
  planeSlider.oninput = settled(() => {
    model.set("plane", Number(planeSlider.value));
    model.save_changes();
  });
  canvas.onpointerdown = (event) => canvas.setPointerCapture(event.pointerId);
  canvas.onpointermove = (event) => {
    if (event.buttons & 1) {
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
    hovered = -1;
    tip.hidden = true;
    draw();
  };
  const onWheel = (event) => {
    event.preventDefault();
    const size = model.get("size");
    const least = 0.5 * Math.min(stage.clientWidth / size[1], stage.clientHeight / size[0]);
    view.zoom(1.0015 ** -event.deltaY, event.offsetX, event.offsetY, least);
    moved();
  };
  canvas.addEventListener("wheel", onWheel, { passive: false });
  divider.onpointerdown = (event) => divider.setPointerCapture(event.pointerId);
  divider.onpointermove = (event) => {
    if (event.buttons & 1) cutAt((event.clientX - stage.getBoundingClientRect().left) / stage.clientWidth);
  };
  divider.onpointerup = keepCut;
  divider.onkeydown = (event) => {
    const step = arrow(event);
    if (!step) return;
    cutAt(split + 0.02 * step);
    keepCut();
  };
  planeSlider.onkeydown = (event) => {
    planeSlider.valueAsNumber += arrow(event);
    planeSlider.oninput();
  };

  for (const [name, listener] of listeners) model.on(name, listener);
  for (const read of Object.values(readers)) read();
  const observer = new ResizeObserver(resize);
  observer.observe(el);
  return () => {
    observer.disconnect();
    cancelAnimationFrame(frame);
    for (const [name, listener] of listeners) model.off(name, listener);
  };
}

export default { render };
