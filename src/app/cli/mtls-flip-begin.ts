/** `mtls flip --to strict`: what it would do is shown and asked for; then the waivers, then the order. */

import { startFlip } from "../../edge/rpc/flip-client.ts";
import type { FlipRequest } from "../../edge/rpc/flip-requests.ts";
import { ExitCode, type Context } from "./command.ts";
import { confirm } from "./confirm.ts";
import { flipAnswer, previewFields, previewText, type FlipAnswer } from "./mtls-flip-preview.ts";
import type { FlipValue } from "./mtls-flip-value.ts";
import type { FlipVoice } from "./mtls-flip-voice.ts";
import { addWaivers, expandWaiver, waivedVerdict, waivedWords } from "./mtls-flip-waive.ts";
import { asAsked, type Asked } from "./mtls-asked.ts";
import { answerEmpty, type MtlsRefusal } from "./mtls-refused.ts";
import { verdictNext } from "./mtls-verdict-next.ts";
import { inTheWay, type VerdictValue } from "./mtls-verdict-value.ts";
import type { NextValue } from "./next-commands.ts";
import { asUsage } from "./operator.ts";
import { tableWidth, wantsColour } from "./output.ts";
import { commandOf, hinted, type ServerTarget } from "./server-target.ts";
import { waiverWords, type Wanted } from "./waiver-flags.ts";

export interface BeginOptions {
  readonly server: ServerTarget;
  /** Its `dryRun`: whether that is all that is wanted. */
  readonly request: FlipRequest;
  readonly wanted: Wanted | undefined;
  /** Not to be asked. */
  readonly yes: boolean;
  readonly voice: FlipVoice;
  /** The verb's own words, as they were given but for waivers, for a command that is printed. */
  readonly words: readonly string[];
}

export type Begun =
  | { readonly kind: "begun"; readonly flip: FlipValue }
  | { readonly kind: "ended"; readonly code: ExitCode };

/** @throws UsageError, AdminClientError, CommandRefusedError */
export async function beginFlip(context: Context, options: BeginOptions): Promise<Begun> {
  const { server, request, wanted, voice } = options;
  const refuse = async (refused: MtlsRefusal): Promise<Begun> => ended(await voice.refuse(refused));
  const dry = await order(options, { ...request, dryRun: true });
  const plan = planOf(dry, options);
  if (plan.kind === "refused") return await refuse(plan.refused);
  const { answer, names } = plan;
  voice.progress.event("change", { ...previewFields(answer), waived: [...names] });
  const view = {
    colour: wantsColour(context),
    isAsked: request.lookBack !== undefined,
    columns: tableWidth(context),
  };
  voice.show(previewText(answer, request, view));
  if (request.dryRun) {
    if (wanted !== undefined) voice.show(`would waive ${waivedWords(names, wanted)}\n`);
    voice.show("nothing was changed: this was a dry run\n");
    voice.print(answer.change);
    return ended(ExitCode.ok);
  }
  const meant = options.yes ? ExitCode.ok : await ask(context, options, plan);
  if (meant !== ExitCode.ok) return ended(meant);
  if (wanted !== undefined && answer.verdict !== null) {
    const { verdict } = answer;
    const refused = await addWaivers(server, { ...request, names, wanted, verdict });
    if (refused !== undefined) return await refuse(refused);
    context.stderr.write(`waived ${waivedWords(names, wanted)}\n`);
  }
  const { flip, refused, change } = await order(options, request);
  if (flip === undefined) return await refuse(refused ?? answerEmpty(server));
  voice.print(change);
  voice.progress.note("begun", `flip ${flip.id} of ${flip.target} has begun`, { flip });
  return { kind: "begun", flip };
}

function ended(code: ExitCode): Begun {
  return { kind: "ended", code };
}

async function order(options: BeginOptions, request: FlipRequest): Promise<FlipAnswer> {
  const { server } = options;
  const sent = startFlip(server.address, request);
  return flipAnswer(await hinted(server, asUsage("mtls flip", sent)), server, askedBy(options));
}

function askedBy({ request: { lookBack }, words, wanted }: BeginOptions): Asked {
  return { lookBack, words, wanted };
}

type Plan =
  | { readonly kind: "plan"; readonly answer: FlipAnswer; readonly names: ReadonlySet<string> }
  | { readonly kind: "refused"; readonly refused: MtlsRefusal };

/** The one refusal that waivers can end. */
const notSafe = "not-safe";

/** With the waivers counted in, which the server does not have yet. */
function planOf(answer: FlipAnswer, options: BeginOptions): Plan {
  const { server, wanted } = options;
  const { refused, verdict } = answer;
  if (refused !== undefined && (wanted === undefined || refused.code !== notSafe)) {
    return { kind: "refused", refused };
  }
  if (wanted === undefined) return { kind: "plan", answer, names: new Set() };
  if (verdict === null) return { kind: "refused", refused: answerEmpty(server) };
  const expanded = expandWaiver(wanted, verdict, server);
  if (expanded.kind === "refused") {
    const { refused: nobody } = expanded;
    const next =
      leftOf(verdict) === 0
        ? [withoutNext(verdict, options)]
        : asAsked(nobody.next, askedBy(options));
    return { kind: "refused", refused: { ...nobody, next } };
  }
  const passed = waivedVerdict(verdict, expanded.names);
  const left = leftOf(passed);
  if (left === 0)
    return { kind: "plan", answer: { ...answer, verdict: passed }, names: expanded.names };
  const message = `expected nobody in the way but those waivers, got ${left} more`;
  const next = verdictNext(passed, server, askedBy(options));
  return { kind: "refused", refused: { code: notSafe, message, next, verdict: passed } };
}

function withoutNext({ target }: VerdictValue, { server, words }: BeginOptions): NextValue {
  const command = commandOf(server, "mtls flip", [target, ...words]);
  return { command, why: "nobody is in the way who is not waived already: leave out --waive" };
}

function leftOf(verdict: VerdictValue): number {
  const { callers, silent } = inTheWay(verdict);
  return new Set([...callers, ...silent].map(({ name }) => name)).size;
}

/** Only `yes`, typed in full: who sends plaintext is refused from then on. */
async function ask(
  context: Context,
  { server, request: { target }, wanted, voice, words }: BeginOptions,
  { answer, names }: Extract<Plan, { kind: "plan" }>,
): Promise<ExitCode> {
  const waivers = wanted === undefined ? [] : waiverWords(wanted);
  const command = commandOf(server, "mtls flip", [target, ...words, ...waivers, "--yes"]);
  const next = [{ command, why: "look at the change; if it is meant" }];
  // For programs: people have read it.
  const verdict = voice.progress.isJson ? answer.verdict : null;
  const waived =
    wanted === undefined
      ? ""
      : `Waive ${waivedWords(names, wanted)}, who may be refused, and flip `;
  return await confirm(context, {
    text: `${waived === "" ? "Flip " : waived}${target} to strict? Type yes: `,
    wanted: "yes",
    nothing: "nothing was changed",
    refuse: (code, message) => voice.refuse({ code, message, next, verdict }),
  });
}
