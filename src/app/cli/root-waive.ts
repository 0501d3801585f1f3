/**
 * `--waive`: going on without somebody's evidence. A selector is expanded to names, which are shown, and only a person at a
 * terminal, or `--yes`, says that it is these who are meant. The waivers end by themselves, and the log has them.
 */

import { addWaivers, expandWaiver } from "../../edge/rpc/root-client.ts";
import { ExitCode, type Context } from "./command.ts";
import { formatSpan } from "./format.ts";
import { asUsage } from "./operator.ts";
import { wantsColour } from "./output.ts";
import type { RootSending } from "./root-change.ts";
import { confirm } from "./root-confirm.ts";
import { fetchStatus } from "./root-follow.ts";
import { laggardTable, namedDefault } from "./root-laggards.ts";
import { laggardValue, type LaggardValue } from "./laggard-value.ts";
import { pasteable, type RootTarget } from "./root-target.ts";
import { printable } from "./text.ts";
import { parseWaiver, type WaiverFlags } from "./root-waiver-flags.ts";

export type WaivedGate = "activate" | "retire" | "abort" | "";

/**
 * @param gate whose laggards; empty for the step that comes next
 * @returns `ok` when whoever was to be waived is waived, or nobody was
 * @throws UsageError, AdminClientError, CommandRefusedError
 */
export async function waive(
  context: Context,
  gate: WaivedGate,
  flags: WaiverFlags,
  sending: RootSending,
): Promise<ExitCode> {
  const verb = `root ${gate === "" ? "rotate" : gate}`;
  const wanted = parseWaiver(verb, flags);
  if (wanted === undefined) return ExitCode.ok;
  const { target, operator, dryRun } = sending;
  const laggards = new Map<string, LaggardValue>();
  let sequence: bigint | undefined;
  for (const selector of wanted.selectors) {
    const expanded = await asUsage(verb, expandWaiver(target.address, selector, gate));
    if (expanded.laggards.length === 0) return await nobody(context, target, selector);
    for (const each of expanded.laggards) laggards.set(each.name, laggardValue(each));
    // If the roots change meanwhile, the server refuses them all.
    sequence ??= expanded.rootsSequence;
  }
  const named = [...laggards.values()];
  // Each by its name: it is these that are waived.
  const view = { nowMs: context.nowMs(), colour: wantsColour(context), target, isEach: true };
  context.stderr.write(laggardTable(named, named.length, view));
  const what = `${named.length} of them for ${formatSpan(wanted.seconds * 1_000)}`;
  if (dryRun) {
    context.stderr.write(`would waive ${what}; what follows does not count on it\n`);
    return ExitCode.ok;
  }
  const meant = flags.yes ? ExitCode.ok : await confirmWaiver(context, what);
  if (meant !== ExitCode.ok) return meant;
  const request = {
    names: named.map(({ name }) => name),
    reason: wanted.reason,
    operator,
    untilMs: Math.ceil(context.nowMs() / 1_000 + wanted.seconds) * 1_000,
    rootsSequence: sequence ?? 0n,
  };
  await asUsage(verb, addWaivers(target.address, request));
  context.stderr.write(`waived ${what}\n`);
  return ExitCode.ok;
}

/** Only `yes`, typed in full: what is waived may fail. */
async function confirmWaiver(context: Context, what: string): Promise<ExitCode> {
  return await confirm(context, {
    text: `Waive ${what}? What they have not taken may fail. Type yes: `,
    wanted: "yes",
    nothing: "nobody is waived, and nothing was changed",
    hint: "look at the names, and add --yes",
  });
}

async function nobody(
  { stderr }: Context,
  target: RootTarget,
  selector: string,
): Promise<ExitCode> {
  const classes = await classesLike(target, selector);
  const isClass = classes.length > 0;
  const why = isClass
    ? "names no class: a class is waived by its full name"
    : "stands for nobody whom this waits for";
  const hint = isClass
    ? classes.map((name) => `--waive ${printable(name)}`).join(" ")
    : pasteable(target, "portcullis root status --all");
  stderr.write(
    `refused: ${printable(selector)} ${why}: nobody is waived, and nothing was changed\nhint: ${hint}\n`,
  );
  return ExitCode.refused;
}

/** Those that lag and that may have been meant. */
async function classesLike(target: RootTarget, selector: string): Promise<readonly string[]> {
  const { verifiers } = await fetchStatus(target, namedDefault);
  const [part = ""] = selector.replace(/^class\//, "").split("*", 1);
  return verifiers.laggards
    .filter(({ kind, name }) => kind === "class" && name.startsWith(`class/${part}`))
    .map(({ name }) => name);
}
