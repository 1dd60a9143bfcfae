// Names for screen readers where ipywidgets gives none: the handles of its sliders.

/** Name the handles of the sliders beside the pane by their labels, now and when they appear. */
function addNames(pane) {
  let observer = null;
  const nameAll = (root) => {
    for (const handle of root.querySelectorAll(".noUi-handle:not([aria-label])")) {
      const text = handle.closest(".widget-inline-hbox")?.querySelector(".widget-label")?.textContent;
      if (!text) continue;
      const several = handle.closest(".noUi-base").querySelectorAll(".noUi-handle").length > 1;
      const end = handle.classList.contains("noUi-handle-lower") ? "from" : "to";
      handle.setAttribute("aria-label", several ? `${text}, ${end}` : text);
    }
  };
  return {
    /** Begin, once the pane is part of the page. */
    begin() {
      const root = observer ? null : pane.el.closest(".rsmoe-action");
      if (!root) return;
      observer = new MutationObserver(() => nameAll(root));
      observer.observe(root, { childList: true, subtree: true, characterData: true });
      nameAll(root);
    },
    end: () => observer?.disconnect(),
  };
}
