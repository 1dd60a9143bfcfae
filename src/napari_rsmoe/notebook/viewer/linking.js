// Panes that show the same area move together. They talk within the page, so that they do not wait for Python.

const LINK = "rsmoe-link";

/** Follow the other panes of the same group, and tell them where this one is; the places are parts of the image. */
function addLinking(pane) {
  const { model, stage, view } = pane;
  const listener = (event) => {
    const { group, from, kind, place } = event.detail;
    if (from === pane || !group || group !== model.get("group")) return;
    const size = model.get("size");
    if (kind === "point") {
      pane.marked = Boolean(place);
      pane.readAt(place && place.map((value, i) => value * size[i]));
    } else {
      const { middle, extent } = place;
      view.scale = stage.clientWidth / (extent * size[1]);
      view.y = middle[0] * size[0] - stage.clientHeight / view.scale / 2;
      view.x = middle[1] * size[1] - stage.clientWidth / view.scale / 2;
      view.fitted = place.fitted;
      pane.moved(false);
    }
  };
  document.addEventListener(LINK, listener);
  Object.assign(pane, {
    /** Tell the other panes about the marked point, or about the view. */
    tell(kind, point) {
      const group = model.get("group");
      if (!group) return;
      const size = model.get("size");
      const centre = [view.y + stage.clientHeight / view.scale / 2, view.x + stage.clientWidth / view.scale / 2];
      const place = kind === "point" ? point && point.map((value, i) => value / size[i]) : {
        middle: centre.map((value, i) => value / size[i]),
        extent: stage.clientWidth / view.scale / size[1],
        fitted: view.fitted,
      };
      document.dispatchEvent(new CustomEvent(LINK, { detail: { group, from: pane, kind, place } }));
    },
    endLinking: () => document.removeEventListener(LINK, listener),
  });
}
