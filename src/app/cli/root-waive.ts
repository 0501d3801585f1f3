/**
 * `--waive`: going on without somebody's evidence. A selector is expanded to names, which are shown, and only a person at a
 * terminal, or `--yes`, says that it is these who are meant. The waivers end by themselves, and the log has them.
 */

import { addWaivers, expandWaiver } from "../../edge/rpc/root-client.ts";
import { ExitCode, type Context } from "./command.ts";
import { formatSpan } from "./format.ts";
import { asUsage } from "./operator.ts";
import { wantsColour } from "./output.ts";
import { refusal, refusedValue } from "./root-change-value.ts";
import type { Refuse, RootSending } from "./root-change.ts";
import { confirm } from "./confirm.ts";
import { fetchStatus } from "./root-follow.ts";
import { laggardTable, namedDefault } from "./root-laggards.ts";
import { laggardValue, type LaggardValue } from "./laggard-value.ts";
import { nextOf } from "./next-commands.ts";
import { commandOf, hinted, type ServerTarget } from "./server-target.ts";
import { printable } from "./text.ts";
import { waiverWords, type Wanted } from "./waiver-flags.ts";

export interface WaiveOptions {
  /** Whose laggards; `rotate` for the step that comes next. */
  readonly gate: "activate" | "retire" | "abort" | "rotate";
  readonly wanted: Wanted | undefined;
  readonly sending: RootSending;
  readonly refuse: Refuse;
  readonly output: string;
}

export type Waived =
  /** Who is passed over, or would be in a dry run. */
  | { readonly kind: "waived"; readonly names: ReadonlySet<string> }
  | { readonly kind: "ended"; readonly code: ExitCode };

/** @throws UsageError, AdminClientError, CommandRefusedError */
export async function waive(context: Context, options: WaiveOptions): Promise<Waived> {
  const { gate, wanted, sending, refuse } = options;
  if (wanted === undefined) return { kind: "waived", names: new Set() };
  const { target, operator, dryRun } = sending;
  const verb = `root ${gate}`;
  const command = gate === "rotate" ? "" : gate;
  const laggards = new Map<string, LaggardValue>();
  let sequence: bigint | undefined;
  for (const selector of wanted.selectors) {
    const asked = expandWaiver(target.address, selector, command);
    const expanded = await hinted(target, asUsage(verb, asked));
    // Not for want of evidence: nobody's would help.
    if (expanded.refused !== undefined) {
      return { kind: "ended", code: await refuse(refusedValue(expanded.refused, target)) };
    }
    if (expanded.laggards.length === 0) {
      return { kind: "ended", code: await refuse(await nobody(target, selector)) };
    }
    for (const each of expanded.laggards) laggards.set(each.name, laggardValue(each));
    // If the roots change meanwhile, the server refuses them all.
    sequence ??= expanded.rootsSequence;
  }
  const named = [...laggards.values()];
  // By the server's clock, which ends the waivers.
  const nowMs = Date.parse((await fetchStatus(target, 1)).now);
  // Each by its name: it is these that are waived.
  const view = { nowMs, colour: wantsColour(context), target, isEach: true };
  context.stderr.write(laggardTable(named, named.length, view));
  const what = `${named.length} of them for ${formatSpan(wanted.seconds * 1_000)}`;
  const names = new Set(laggards.keys());
  if (dryRun) {
    context.stderr.write(`would waive ${what}\n`);
    return { kind: "waived", names };
  }
  const meant = wanted.yes
    ? ExitCode.ok
    : await confirmWaiver(context, { ...options, wanted }, named, what);
  if (meant !== ExitCode.ok) return { kind: "ended", code: meant };
  const request = {
    names: [...names],
    reason: wanted.reason,
    operator,
    untilMs: nowMs + wanted.seconds * 1_000,
    rootsSequence: sequence ?? 0n,
    command,
  };
  await hinted(target, asUsage(verb, addWaivers(target.address, request)));
  context.stderr.write(`waived ${what}\n`);
  return { kind: "waived", names };
}

/** Only `yes`, typed in full: what is waived may fail. */
async function confirmWaiver(
  context: Context,
  { gate, wanted, sending, refuse, output }: WaiveOptions & { readonly wanted: Wanted },
  named: readonly LaggardValue[],
  what: string,
): Promise<ExitCode> {
  const words = [...(gate === "rotate" ? ["--resume"] : []), ...waiverWords(wanted), "--yes"];
  const command = commandOf(sending.target, `root ${gate}`, words);
  const next = [{ command, why: "look at the names; if they are meant" }];
  // For programs: people have read it.
  const about = output === "table" ? [] : named;
  return await confirm(context, {
    text: `Waive ${what}? What they have not taken may fail. Type yes: `,
    wanted: "yes",
    nothing: "nobody is waived, and nothing was changed",
    refuse: (code, message) => refuse(refusal(code, message, next, about)),
  });
}

async function nobody(target: ServerTarget, selector: string) {
  const classes = await classesLike(target, selector);
  const why =
    classes.length > 0
      ? "names no class: a class is waived by its full name"
      : "stands for nobody whom this waits for";
  const next =
    classes.length > 0
      ? [{ command: "", why: classes.map((name) => `--waive ${name}`).join(" ") }]
      : nextOf(target, "who they are: portcullis root status --all");
  const message = `${printable(selector)} ${why}: nobody is waived, and nothing was changed`;
  return refusal("waiver-nobody", message, next);
}

/** Those that lag and that may have been meant. */
async function classesLike(target: ServerTarget, selector: string): Promise<readonly string[]> {
  const { verifiers } = await fetchStatus(target, namedDefault);
  const [part = ""] = selector.replace(/^class\//, "").split("*", 1);
  return verifiers.laggards
    .filter(({ kind, name }) => kind === "class" && name.startsWith(`class/${part}`))
    .map(({ name }) => name);
}
