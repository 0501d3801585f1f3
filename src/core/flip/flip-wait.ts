/** Why the next step of a flip is not taken yet: one reason, as operators are shown it. */

export interface FlipWait {
  readonly kind: "object" | "proxy" | "connections" | "evidence" | "verdict" | "window";
  /** Who, or which object; "" for time. */
  readonly name: string;
  readonly detail: string;
}

/** In whole seconds. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
}
