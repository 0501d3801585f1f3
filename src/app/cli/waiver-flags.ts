/** The flags of `--waive`: whom, why and for how long belong together. */

import { reasonPattern } from "../../core/operator.ts";
import { formatDuration, formatSpan } from "./format.ts";
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
  readonly yes: boolean;
}

/** As flags again. */
export function waiverWords({ selectors, reason, seconds }: Wanted): readonly string[] {
  const names = selectors.flatMap((selector) => ["--waive", selector]);
  return [...names, "--reason", reason, "--for", formatDuration(seconds)];
}

const longestSeconds = 30 * 86_400;

/** What a server would refuse is found before it is asked. @returns undefined where nobody is to be waived. @throws UsageError */
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
  if (!reasonPattern.test(reason)) {
    const got = JSON.stringify(reason.slice(0, 100));
    const message = `--reason: expected one line of 1 to 200 characters, got ${reason.length}: ${got}`;
    throw new UsageError("usage-invalid-value", message, { hint });
  }
  if (seconds === 0 || seconds > longestSeconds) {
    const message = `--for: expected a time in which the waivers count, at most 30d, got ${formatSpan(seconds * 1_000)}`;
    throw new UsageError("usage-invalid-value", message, { hint });
  }
  return { selectors, reason, seconds, yes: flags.yes };
}
