// The image with little colour, as the ground for a map.

const PALE = 0.3; // how much of the image's colour stays under a map

export function pale(image: ImageBitmap): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return canvas;
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, image.width, image.height);
  const { data } = pixels;
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b] = [data[i] as number, data[i + 1] as number, data[i + 2] as number];
    const grey = 0.299 * r + 0.587 * g + 0.114 * b;
    data[i] = (grey + (r - grey) * PALE) * 0.85;
    data[i + 1] = (grey + (g - grey) * PALE) * 0.85;
    data[i + 2] = (grey + (b - grey) * PALE) * 0.85;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}
