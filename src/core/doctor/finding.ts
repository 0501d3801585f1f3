/**
 * What `portcullis doctor` says: a finding for each check. Facts are asked for elsewhere, and a fact that could not be had makes a check
 * skipped, never well.
 */

export type CheckStatus = "ok" | "warning" | "critical" | "skipped";

/** Stable, and in the order in which they are shown: the server alone first, then what it is in. */
export const checkIds = [
  "server",
  "pods",
  "settings",
  "versions",
  "own-clock",
  "signing",
  "clock-jump",
  "expiries",
  "ports",
  "data-dir",
  "log",
  "reloads",
  "evidence",
  "agents",
  "api-server",
  "clocks",
  "rbac",
  "crds",
  "watches",
  "audiences",
  "webhook",
  "bundle-maps",
  "trust-secret",
] as const;

export type CheckId = (typeof checkIds)[number];

/** What one look at the facts of a check has found. */
export interface Said {
  readonly status: CheckStatus;
  /** Lower case, no final period. */
  readonly finding: string;
  /** What to do; "" where nothing is to be done. */
  readonly hint: string;
}

export interface DoctorFinding extends Said {
  /** Of a newer server it may be one that is not known here. */
  readonly id: string;
}

/** A fact, or why there is none. */
export type Asked<T> =
  | { readonly kind: "known"; readonly value: T }
  | { readonly kind: "unknown"; readonly why: string; readonly hint: string };

export function known<T>(value: T): Asked<T> {
  return { kind: "known", value };
}

export function unknown(why: string, hint = ""): Asked<never> {
  return { kind: "unknown", why, hint };
}

export function judge<T>(
  id: CheckId,
  asked: Asked<T>,
  check: (value: T) => readonly Said[],
): readonly DoctorFinding[] {
  const said = asked.kind === "known" ? check(asked.value) : [skipped(asked.why, asked.hint)];
  return said.map((each) => ({ id, ...each }));
}

export function ok(finding: string): Said {
  return { status: "ok", finding, hint: "" };
}

export function warning(finding: string, hint: string): Said {
  return { status: "warning", finding, hint };
}

export function critical(finding: string, hint: string): Said {
  return { status: "critical", finding, hint };
}

export function skipped(why: string, hint = ""): Said {
  return { status: "skipped", finding: why, hint };
}

/** @param finding where nothing was found */
export function orOk(found: readonly Said[], finding: string): readonly Said[] {
  return found.length === 0 ? [ok(finding)] : found;
}

/** The first of them, and how many there are more. */
export function someOf(names: readonly string[], max = 5): string {
  const more = names.length - max;
  return names.slice(0, max).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
