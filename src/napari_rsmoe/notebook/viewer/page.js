// Small things about elements and events.

const SETTLED = 150; // Milliseconds without a change after which the view, the plane or the limits are sent to Python.

/** An element with a class, in a parent. */
function element(parent, tag, name, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  made.className = name;
  parent.append(made);
  return made;
}

/** A button that is pressed or not, whose state the caller keeps in `aria-pressed`. */
function toggleButton(parent, name, text, title, onclick) {
  const made = element(parent, "button", name, { type: "button", textContent: text, title, onclick });
  made.setAttribute("aria-pressed", "false");
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

/** A number with at most 5 digits. */
function short(value) {
  const size = Math.abs(value);
  return size >= 1e6 || (size && size < 1e-3) ? value.toExponential(2) : String(Number(value.toPrecision(5)));
}

/** The numbers of a trait that Python sends as float32 bytes. */
function floats(bytes) {
  const { buffer, byteOffset, byteLength } = bytes;
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}
