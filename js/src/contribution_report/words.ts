// Contributions in words: what is read on the screen and by a screen reader.

/** Logits with their sign, two places behind the point or three, as the kernel has them. */
export function signed(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 0.0995 ? size.toFixed(2) : size.toFixed(3);
  return `${value > 0 ? "+" : "−"}${text}`;
}

/** A number with all that is known of it, up to six places behind the point. */
export function exact(value: number): string {
  return value.toFixed(6).replace("-", "−");
}
