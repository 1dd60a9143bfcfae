// Pictures, and the part of the world in view.
//
// World coordinates are image pixels (y, x) as in slices: pixel i covers [i, i + 1). Every picture has the box of the
// world that it covers.

const MOST_ZOOM = 64; // Largest number of screen pixels for an image pixel.
const LEAST_SIDE = 16; // Screen pixels of the shorter side that are shown at least, even if the longer one is then cut.
const PLAIN = 3; // Screen pixels for an image pixel from which on pixels are drawn as squares.

/** RGB bytes as a canvas, with the box it covers. */
function pictureOf(value) {
  if (!value?.data) return null;
  const [height, width] = value.size;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const rgb = new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength);
  const pixels = new ImageData(width, height);
  const words = new Uint32Array(pixels.data.buffer); // Little-endian, as on all machines with browsers.
  for (let i = 0, k = 0; i < words.length; i++, k += 3) {
    words[i] = 0xff000000 | (rgb[k + 2] << 16) | (rgb[k + 1] << 8) | rgb[k];
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return { canvas, box: value.box };
}

/** The part of the world in view: its upper left corner, and screen pixels for an image pixel. */
class View {
  constructor() {
    Object.assign(this, { y: 0, x: 0, scale: 1, fitted: true });
  }

  /** Show all; of a very long and narrow image, its beginning. */
  fit(size, width, height) {
    const whole = Math.min(width / size[1], height / size[0]);
    const side = Math.min(...size, LEAST_SIDE);
    this.scale = Math.max(whole, Math.min(side / Math.min(...size), MOST_ZOOM));
    this.y = Math.min(0, (size[0] - height / this.scale) / 2);
    this.x = Math.min(0, (size[1] - width / this.scale) / 2);
    this.fitted = true;
  }

  move(dx, dy) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.fitted = false;
  }

  zoom(factor, x, y, least) {
    const scale = Math.min(MOST_ZOOM, Math.max(least, this.scale * factor));
    this.x += x / this.scale - x / scale;
    this.y += y / this.scale - y / scale;
    this.scale = scale;
    this.fitted = false;
  }
}

/** A length on a scale bar: 1, 2 or 5 times a power of ten, at most `most`. */
function roundLength(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [5, 2, 1].find((digit) => digit * power <= most) * power;
}

/** Draw a picture at its place in the world. */
function paint(context, picture, view) {
  if (!picture) return;
  const [y0, x0, y1, x1] = picture.box;
  const width = (x1 - x0) * view.scale;
  context.imageSmoothingEnabled = width / picture.canvas.width < PLAIN;
  context.imageSmoothingQuality = "high";
  context.drawImage(
    picture.canvas, (x0 - view.x) * view.scale, (y0 - view.y) * view.scale, width, (y1 - y0) * view.scale,
  );
}
