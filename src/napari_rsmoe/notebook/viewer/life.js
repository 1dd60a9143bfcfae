// The saved picture below a live widget, and what is said when the kernel is gone.

const GONE = "The kernel was restarted or stopped, so this widget no longer works. Run its cell again.";

/** Hide the saved picture while the live one is shown, and replace the controls by words when the kernel is gone. */
function addLife(pane) {
  const { model, el } = pane;
  const style = element(el, "style", "");
  const message = element(el, "div", "rsmoe-gone", { hidden: true, textContent: GONE });
  message.setAttribute("role", "alert");
  el.prepend(message);
  const listener = () => {
    // ipywidgets gives this class to every view of a model whose kernel is gone.
    const gone = el.classList.contains("jupyter-widgets-disconnected");
    message.hidden = !gone;
  };
  const observer = new MutationObserver(listener);
  observer.observe(el, { attributes: true, attributeFilter: ["class"] });
  pane.endLife = () => observer.disconnect();
  listener();
  return {
    saved: () => (style.textContent = model.get("saved") ? `.${model.get("saved")} { display: none !important }` : ""),
  };
}
