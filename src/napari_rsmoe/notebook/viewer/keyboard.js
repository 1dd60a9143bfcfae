// The keys of the picture and of the divider; all work without a mouse.

const PAN = 0.1; // Part of the view that an arrow key moves it by.
const ZOOM = 1.25; // Factor of a zoom by a key.
const CUT = 0.02; // Part of the width that an arrow key moves the divider by.
const KEYS = "Arrow keys pan, plus and minus zoom, 0 shows all, [ and ] move the divider, Page Up and Page Down change " +
  "the plane, K shows kernels, U shows the uncertainty, Shift with arrow keys reads values.";
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** Let a key do something here instead of in the notebook. */
function onKey(target, actions) {
  target.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const name = event.shiftKey && event.key in ARROWS ? "Shift" : event.key.length === 1 ? event.key.toLowerCase()
      : event.key;
    const action = actions[name];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action(ARROWS[event.key]);
  });
}

/** The keys of a pane. */
function addKeyboard(pane) {
  const { canvas, divider, stage, view } = pane;
  const pan = ([y, x]) => {
    view.move(-x * PAN * stage.clientWidth, -y * PAN * stage.clientHeight);
    pane.moved();
  };
  const zoom = (factor) => () => pane.zoom(factor, stage.clientWidth / 2, stage.clientHeight / 2);
  const cut = (step) => () => {
    pane.cutAt(pane.split + step);
    pane.keepCut();
  };
  const turn = (step) => () => pane.turnTo(pane.model.get("plane") + step);
  const larger = zoom(ZOOM);
  const smaller = zoom(1 / ZOOM);
  onKey(canvas, {
    ...Object.fromEntries(Object.keys(ARROWS).map((name) => [name, pan])),
    "+": larger, "=": larger, "-": smaller, "_": smaller, 0: pane.reset, Home: pane.reset,
    "[": cut(-CUT), "]": cut(CUT), PageUp: turn(1), PageDown: turn(-1),
    k: () => pane.toggle("show_kernels"), u: () => pane.toggle("show_uncertainty"),
    Shift: (step) => pane.readBeside(step),
  });
  onKey(divider, {
    ArrowLeft: cut(-CUT), ArrowDown: cut(-CUT), ArrowRight: cut(CUT), ArrowUp: cut(CUT),
    Home: () => (pane.cutAt(0), pane.keepCut()), End: () => (pane.cutAt(1), pane.keepCut()),
  });
}
