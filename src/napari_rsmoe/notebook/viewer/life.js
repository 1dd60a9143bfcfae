// The saved picture below a live widget, and what is said when the kernel is gone.

const GONE = "The kernel was restarted or stopped, so this widget no longer works. Run its cell again.";

/** Hide the saved picture while the live one is shown, and replace the controls by words when the kernel is gone. */
function addLife(pane) {
  const { model, el } = pane;
  const style = element(el, "style", "");
  const message = element(el, "div", "rsmoe-gone", { hidden: true, textContent: GONE });
  message.setAttribute("role", "alert");
  el.prepend(message);
  let own = null; // The model of ipywidgets, which knows whether its kernel is there.
  const listener = () => (message.hidden = own?.comm_live !== false);
  model.on("comm_live_update", listener);
  model.widget_manager?.get_model(model.get("own_id"))?.then((found) => {
    own = found;
    listener();
  }, () => {}); // Other programs that show widgets may have no such method.
  pane.endLife = () => model.off("comm_live_update", listener);
  return {
    saved: () => (style.textContent = model.get("saved") ? `.${model.get("saved")} { display: none !important }` : ""),
  };
}
