// Kernels: reading their table, outlining them, and finding the one under the pointer.
// A kernel centred at pixel i has the world coordinate i + 0.5.

const BATCH = 100; // Outlines stroked at once: fewer need more calls, many more take longer to rasterise.
const COLUMNS = 7; // Columns before the colour: index, y, x, long axis, short axis, angle, weight

/** The rows of a kernel table, with their colours. */
function kernelsOf(value) {
  if (!value?.data) return null;
  const { buffer, byteOffset, byteLength } = value.data;
  const table = new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
  const [low, high] = value.range;
  const step = value.columns;
  const count = table.length / step;
  const colours = new Float32Array(3 * count);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) {
      const column = COLUMNS + Math.min(c, step - COLUMNS - 1);
      colours[3 * i + c] = Math.min(1, Math.max(0, (table[i * step + column] - low) / (high - low)));
    }
  }
  return { table, step, count, colours };
}

/** Outlines of one colour, stroked in batches. */
class Outlines {
  constructor(context, style) {
    Object.assign(this, { context, style, path: new Path2D(), count: 0 });
  }

  add(x, y, long, short, angle) {
    this.path.moveTo(x + long * Math.cos(angle), y + long * Math.sin(angle));
    this.path.ellipse(x, y, long, short, angle, 0, 2 * Math.PI);
    if (++this.count % BATCH === 0) this.stroke();
  }

  stroke() {
    this.context.strokeStyle = this.style;
    this.context.stroke(this.path);
    this.path = new Path2D();
  }
}

/** Outline the kernels in view, with dark outlines on bright kernels, and return their number. */
function outline(context, kernels, view, width, height) {
  const { table, step, count, colours } = kernels;
  const { scale } = view;
  const bright = new Outlines(context, "rgba(255, 255, 255, 0.75)");
  const dark = new Outlines(context, "rgba(0, 0, 0, 0.6)");
  context.lineWidth = 1;
  for (let i = 0, k = 0; i < count; i++, k += step) {
    const y = (table[k + 1] + 0.5 - view.y) * scale;
    const x = (table[k + 2] + 0.5 - view.x) * scale;
    const long = Math.max(table[k + 3] * scale, 0.25);
    if (x + long < 0 || x - long > width || y + long < 0 || y - long > height) continue;
    const short = Math.max(table[k + 4] * scale, 0.25);
    const light = 0.299 * colours[3 * i] + 0.587 * colours[3 * i + 1] + 0.114 * colours[3 * i + 2];
    (light > 0.5 ? dark : bright).add(x, y, long, short, table[k + 5]);
  }
  bright.stroke();
  dark.stroke();
  return bright.count + dark.count;
}

/** The row of the smallest kernel within two standard deviations of the point; -1 if there is none. */
function kernelAt(kernels, x, y) {
  const { table, step, count } = kernels;
  let found = -1;
  let smallest = Infinity;
  for (let i = 0, k = 0; i < count; i++, k += step) {
    const dy = y - 0.5 - table[k + 1];
    const dx = x - 0.5 - table[k + 2];
    const long = table[k + 3];
    if (Math.abs(dx) > 2 * long || Math.abs(dy) > 2 * long) continue;
    const cos = Math.cos(table[k + 5]);
    const sin = Math.sin(table[k + 5]);
    const u = (dx * cos + dy * sin) / long;
    const v = (dy * cos - dx * sin) / table[k + 4];
    const size = long * table[k + 4] * Math.max(1, u * u + v * v);
    if (u * u + v * v <= 4 && size < smallest) {
      smallest = size;
      found = i;
    }
  }
  return found;
}

/** The properties of a kernel as lines of text. */
function features(kernels, i) {
  const row = kernels.table.subarray(i * kernels.step, (i + 1) * kernels.step);
  const number = (value) => (Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2)
    : String(Number(value.toPrecision(4))));
  return [
    `kernel ${row[0]}`,
    `centre  y ${row[1].toFixed(2)}  x ${row[2].toFixed(2)}`,
    `axes    ${row[3].toFixed(2)}  ${row[4].toFixed(2)} px`,
    `angle   ${((row[5] * 180) / Math.PI).toFixed(1)}°`,
    `weight  ${number(row[6])}`,
    `colour  ${Array.from(row.subarray(COLUMNS), number).join("  ")}`,
  ].join("\n");
}
