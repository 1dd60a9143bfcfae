// Contrast limits, logarithmic display and colour maps, and the colour bars. Python makes the colours.

const BAR_STEPS = 256; // Colours that Python sends for a bar.

/** A labelled input. */
function field(parent, text, tag, properties) {
  const label = element(parent, "label", "rsmoe-field-label", { textContent: text });
  return element(label, tag, "", properties);
}

/** A colour bar with its limits; ticks follow the values, so that they are uneven for a logarithmic display. */
function colourBar(parent, bar) {
  const box = element(parent, "div", "rsmoe-colour-bar");
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", `Colours of ${bar.title}: from ${bar.ticks[0]} to ${bar.ticks.at(-1)}`);
  element(box, "span", "rsmoe-bar-title", { textContent: bar.title });
  const canvas = element(box, "canvas", "rsmoe-ramp", { width: BAR_STEPS, height: 1 });
  const rgb = new Uint8Array(bar.colours.buffer, bar.colours.byteOffset, bar.colours.byteLength);
  const pixels = new ImageData(BAR_STEPS, 1);
  for (let i = 0; i < BAR_STEPS; i++) pixels.data.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], 255], 4 * i);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  const ticks = element(box, "span", "rsmoe-ticks");
  for (const text of bar.ticks) element(ticks, "span", "", { textContent: text });
}

/** The row of controls and the colour bars, with the readers of their traits. */
function addContrast(pane, bar, legend) {
  const { model } = pane;
  const set = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };
  const row = element(bar, "div", "rsmoe-contrast");
  const low = field(row, "Black", "input", { type: "number", step: "any" });
  const high = field(row, "White", "input", { type: "number", step: "any" });
  const auto = toggleButton(row, "rsmoe-auto", "Auto", "Choose the limits by the values of the image", () =>
    set("auto_contrast", true));
  const log = toggleButton(row, "rsmoe-log", "Log", "Show dark structures: three decades of brightness", () =>
    set("log", !model.get("log")));
  const colours = field(row, "Colours", "select", {});
  low.onchange = high.onchange = () => {
    const limits = [low.valueAsNumber, high.valueAsNumber];
    if (!limits.every(Number.isFinite) || limits[0] >= limits[1]) return readers.contrast();
    model.set("auto_contrast", false);
    set("contrast", limits);
  };
  colours.onchange = () => set("colormap", colours.value);
  const readers = {
    contrast: () => {
      const limits = model.get("contrast");
      const step = 10 ** Math.floor(Math.log10((limits[1] - limits[0]) / 50));
      [low, high].forEach((input, i) => Object.assign(input, { step, value: short(limits[i]) }));
    },
    auto_contrast: () => auto.setAttribute("aria-pressed", model.get("auto_contrast")),
    log: () => log.setAttribute("aria-pressed", model.get("log")),
    colormaps: () => {
      const names = model.get("colormaps");
      colours.replaceChildren(...names.map((name) => new Option(name, name)));
      colours.value = model.get("colormap");
      colours.parentNode.hidden = !names.length;
    },
    colormap: () => (colours.value = model.get("colormap")),
    bars: () => {
      legend.replaceChildren();
      for (const each of model.get("bars")) colourBar(legend, each);
    },
  };
  return readers;
}
