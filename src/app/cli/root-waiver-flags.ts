/** The flags of `--waive`: whom, why and for how long belong together. */

import { UsageError } from "./usage-error.ts";

export const waiverFlags = {
  waive: {
    type: "string",
    valueName: "SELECTOR",
    help: "go on without whom it names: as root status does, a SPIFFE ID, a proxy, an agent; * for any text",
    multiple: true,
  },
  reason: {
    type: "string",
    valueName: "TEXT",
    help: "why they are waived, for the log",
    notes: ["needed with --waive"],
  },
  for: {
    type: "duration",
    valueName: "DURATION",
    help: "how long the waivers count",
    notes: ["needed with --waive"],
  },
  yes: { type: "boolean", help: "waive without being asked" },
} as const;

export interface WaiverFlags {
  readonly waive: readonly string[] | undefined;
  readonly reason: string | undefined;
  readonly for: number | undefined;
  readonly yes: boolean;
}

export interface Wanted {
  readonly selectors: readonly string[];
  readonly reason: string;
  readonly seconds: number;
}

/** @returns undefined where nobody is to be waived. @throws UsageError */
export function parseWaiver(verb: string, flags: WaiverFlags): Wanted | undefined {
  const { waive: selectors = [], reason, for: seconds } = flags;
  const hint = `portcullis help ${verb}`;
  if (selectors.length === 0) {
    const alone = reason === undefined ? (seconds === undefined ? undefined : "for") : "reason";
    if (alone === undefined) return undefined;
    const message = `--${alone}: expected --waive SELECTOR with it`;
    throw new UsageError("usage-missing-flag", message, { hint });
  }
  if (reason === undefined || seconds === undefined) {
    const missing = reason === undefined ? "reason TEXT" : "for DURATION";
    const message = `--waive: expected --${missing} with it`;
    throw new UsageError("usage-missing-flag", message, { hint });
  }
  if (seconds === 0) {
    const message = "--for: expected a time in which the waivers count, got 0s";
    throw new UsageError("usage-invalid-value", message, { hint });
  }
  return { selectors, reason, seconds };
}
