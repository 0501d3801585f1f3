/** What the verbs about what ports take have in common on the command line. */

import { UsageError } from "./usage-error.ts";

export const targetPositional = {
  name: "TARGET",
  help: "NAMESPACE/NAME of a service, workload or policy, with :PORT for one port; or NAMESPACE",
} as const;

export const lookBackFlag = {
  "look-back": {
    type: "duration",
    valueName: "DURATION",
    help: "how much of the past must show it; another than the server's setting is logged",
    notes: ["default as configured"],
  },
} as const;

/** In seconds; undefined for the server's setting. @throws UsageError */
export function lookBackOf(
  verb: string,
  { "look-back": seconds }: { readonly "look-back": number | undefined },
): number | undefined {
  if (seconds !== 0) return seconds;
  const message = "--look-back: expected a time to look back, got 0s";
  throw new UsageError("usage-invalid-value", message, { hint: `portcullis help ${verb}` });
}
