// Code that keeps its lines, with a button that copies it to the clipboard.

const CONFIRMED = 2000; // Milliseconds for which the button says that the code was copied.

/** Copy text; pages that are not served by https or from this machine have no clipboard, but can copy a selection. */
async function copy(text, shown) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  getSelection().selectAllChildren(shown);
  if (!document.execCommand("copy")) throw new Error("The browser refused to copy.");
  getSelection().removeAllRanges();
}

function render({ model, el }) {
  el.classList.add("rsmoe-code-box");
  const code = document.createElement("pre");
  code.className = "rsmoe-code";
  code.tabIndex = 0; // Can be scrolled with the arrow keys.
  code.setAttribute("role", "group");
  code.setAttribute("aria-label", "Code");
  const button = document.createElement("button");
  button.className = "rsmoe-copy";
  button.textContent = "Copy";
  const said = document.createElement("span");
  said.className = "rsmoe-copied";
  said.setAttribute("role", "status");
  el.append(button, said, code);
  const show = () => {
    code.textContent = model.get("text");
    el.hidden = !model.get("text");
  };
  button.onclick = async () => {
    try {
      await copy(model.get("text"), code);
      said.textContent = "Copied";
    } catch {
      said.textContent = "The browser refused; select the code and copy it.";
    }
    setTimeout(() => (said.textContent = ""), CONFIRMED);
  };
  model.on("change:text", show);
  show();
  return () => model.off("change:text", show);
}

export default { render };
