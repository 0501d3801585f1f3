/**
 * `--waive`: going on without somebody's evidence. A selector is expanded to names, which are shown, and only a person at a
 * terminal, or `--yes`, says that it is these who are meant. The waivers end by themselves, and the log has them.
 */

import { addWaivers, expandWaiver } from "../../edge/rpc/root-client.ts";
import { ExitCode, type Context } from "./command.ts";
import { formatTimestamp } from "./format.ts";
import { asUsage } from "./operator.ts";
import { wantsColour } from "./output.ts";
import type { RootSending } from "./root-change.ts";
import { laggardTable } from "./root-laggards.ts";
import { laggardValue, type LaggardValue } from "./laggard-value.ts";
import { printable } from "./text.ts";
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

interface Wanted {
  readonly selectors: readonly string[];
  readonly reason: string;
  readonly seconds: number;
}

/**
 * @param verb its words
 * @returns `ok` when whoever was to be waived is waived, or nobody was
 * @throws UsageError, AdminClientError, CommandRefusedError
 */
export async function waive(
  context: Context,
  verb: string,
  flags: WaiverFlags,
  sending: RootSending,
): Promise<ExitCode> {
  const wanted = parseWaiver(verb, flags);
  if (wanted === undefined) return ExitCode.ok;
  const laggards = new Map<string, LaggardValue>();
  for (const selector of wanted.selectors) {
    const expanded = await asUsage(verb, expandWaiver(sending.address, selector));
    if (expanded.length === 0) return nobody(context, selector);
    for (const each of expanded) laggards.set(each.name, laggardValue(each));
  }
  const nowMs = context.nowMs();
  // In whole seconds, as it is shown.
  const untilMs = Math.ceil(nowMs / 1_000 + wanted.seconds) * 1_000;
  const named = [...laggards.values()];
  context.stderr.write(laggardTable(named, named.length, nowMs, wantsColour(context)));
  const what = `${named.length} of them until ${formatTimestamp(untilMs)}`;
  if (sending.dryRun) {
    context.stderr.write(`would waive ${what}; what follows does not count on it\n`);
    return ExitCode.ok;
  }
  if (!flags.yes && !(await isMeant(context, what))) return ExitCode.refused;
  const { reason } = wanted;
  const names = named.map(({ name }) => name);
  const { address, operator } = sending;
  await asUsage(verb, addWaivers(address, { names, reason, operator, untilMs }));
  context.stderr.write(`waived ${what}\n`);
  return ExitCode.ok;
}

function parseWaiver(verb: string, flags: WaiverFlags): Wanted | undefined {
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

/** Only `yes`, typed in full: what is waived may fail. */
async function isMeant({ ask, stderr }: Context, what: string): Promise<boolean> {
  if (ask === undefined) {
    stderr.write(
      "refused: expected a terminal to ask at, got none: nobody is waived\n" +
        "hint: look at the names, and add --yes\n",
    );
    return false;
  }
  const answer = await ask(`Waive ${what}? What they have not taken may fail. Type yes: `);
  if (answer?.trim() === "yes") return true;
  stderr.write("refused: not confirmed: nobody is waived, and nothing was changed\n");
  return false;
}

function nobody({ stderr }: Context, selector: string): ExitCode {
  stderr.write(
    `refused: ${printable(selector)} stands for nobody who lags: nobody is waived, and nothing was changed\n` +
      "hint: portcullis root status --all\n",
  );
  return ExitCode.refused;
}
