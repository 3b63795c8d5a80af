// Pixels from binary buffers, and values between pixels.

export interface Grid {
  readonly height: number;
  readonly width: number;
  readonly values: Float32Array;
}

export type Buffer = DataView | ArrayBuffer | Uint8Array;

/** The bytes of a buffer; a view into a larger one keeps its own offset and length. */
export function bytesOf(buffer: Buffer | null | undefined): Uint8Array<ArrayBuffer> {
  if (!buffer) return new Uint8Array(0);
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer);
  return new Uint8Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength);
}

/** Where a file lies in a buffer. */
export type Span = readonly [start: number, length: number];

/** Files one after the other in a buffer, as the kernel sends pictures. */
export interface Files {
  places?: readonly Span[];
  data?: Buffer | undefined;
}

export function fileAt(data: Buffer | undefined, [start, length]: Span): Uint8Array<ArrayBuffer> {
  return bytesOf(data).subarray(start, start + length);
}

export function filesOf({ places = [], data }: Files): Uint8Array<ArrayBuffer>[] {
  return places.map((place) => fileAt(data, place));
}

/** The picture that a file is. */
export function bitmapOf(file: Buffer): Promise<ImageBitmap> {
  return createImageBitmap(new Blob([bytesOf(file)]));
}

export function bitmapsOf(files: Files): Promise<ImageBitmap[]> {
  return Promise.all(filesOf(files).map(bitmapOf));
}

/** Numbers of four bytes each; copied where the buffer does not start at a multiple of four. */
export function floatsOf(buffer: Buffer): Float32Array {
  const bytes = bytesOf(buffer);
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, Math.floor(aligned.byteLength / 4));
}

/** Unpack bytes that were packed with zlib. */
export async function inflated(buffer: Buffer): Promise<Uint8Array> {
  const packed = new Blob([bytesOf(buffer)]).stream();
  const plain = packed.pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

/** A map of uint8 as values: `(q - zero) * step`. */
export function decodeMap(
  bytes: Uint8Array,
  start: number,
  extent: readonly [number, number],
  zero: number,
  step: number,
): Grid {
  const [height, width] = extent;
  const end = start + height * width;
  if (end > bytes.length) throw new RangeError(`map ends at ${end} of ${bytes.length} bytes`);
  const values = new Float32Array(height * width);
  for (let i = 0; i < values.length; i++) values[i] = ((bytes[start + i] as number) - zero) * step;
  return { height, width, values };
}

/** Maps that lie one behind the other in a buffer, and the columns that say how large each is. */
export interface MapColumns {
  readonly extent?: readonly (readonly [number, number])[];
  readonly zero?: readonly number[];
  readonly step?: readonly number[];
  readonly data?: Buffer;
}

/** Maps of uint8 as values, in their order. */
export function decodeMaps({ extent = [], zero = [], step = [], data }: MapColumns): Grid[] {
  const bytes = bytesOf(data);
  let start = 0;
  return extent.map((size, i) => {
    const map = decodeMap(bytes, start, size, zero[i] ?? 0, step[i] ?? 1);
    start += size[0] * size[1];
    return map;
  });
}

function at(grid: Grid, y: number, x: number): number {
  if (y < 0 || x < 0 || y >= grid.height || x >= grid.width) return 0;
  return grid.values[y * grid.width + x] as number;
}

/** Bilinear value at `(y, x)` in cells, whose centres lie at halves; zero outside the grid. */
export function valueAt(grid: Grid, y: number, x: number): number {
  const top = Math.floor(y - 0.5);
  const left = Math.floor(x - 0.5);
  const down = y - 0.5 - top;
  const right = x - 0.5 - left;
  const upper = at(grid, top, left) * (1 - right) + at(grid, top, left + 1) * right;
  const lower = at(grid, top + 1, left) * (1 - right) + at(grid, top + 1, left + 1) * right;
  return upper * (1 - down) + lower * down;
}

/** A coordinate held inside the cells' centres at those ends where the cells reach on. */
export function held(at: number, cells: number, before: boolean, after: boolean): number {
  const low = before ? Math.max(at, 0.5) : at;
  return after ? Math.min(low, cells - 0.5) : low;
}

export function range(grid: Grid): [number, number] {
  let low = 0;
  let high = 0;
  for (const value of grid.values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}
