/**
 * `--waive` of a flip: callers who may be refused, and proxies whose silence is passed over. A selector is expanded to the names of
 * the verdict, which are shown before anybody is asked; the waivers end by themselves, and the log has them.
 */

import { addCallerWaivers } from "../../edge/rpc/flip-client.ts";
import { formatSpan } from "./format.ts";
import { answerEmpty, refusalValue, type MtlsRefusal } from "./mtls-refused.ts";
import { inTheWay, type VerdictValue } from "./mtls-verdict-value.ts";
import { asUsage } from "./operator.ts";
import { commandOf, hinted, type ServerTarget } from "./server-target.ts";
import { printable } from "./text.ts";
import type { Wanted } from "./waiver-flags.ts";

export type Expanded =
  | { readonly kind: "names"; readonly names: ReadonlySet<string> }
  | { readonly kind: "refused"; readonly refused: MtlsRefusal };

/** Each selector stands for somebody, or nobody is waived. */
export function expandWaiver(
  { selectors }: Pick<Wanted, "selectors">,
  verdict: VerdictValue,
  server: ServerTarget,
): Expanded {
  const { callers, silent } = inTheWay(verdict);
  const all = new Set([...callers, ...silent].map(({ name }) => name));
  const names = new Set<string>();
  for (const selector of selectors) {
    const meant = [...all].filter((name) => stands(selector, name));
    if (meant.length === 0) return { kind: "refused", refused: nobody(selector, verdict, server) };
    for (const name of meant) names.add(name);
  }
  return { kind: "names", names };
}

/** With `*` for any text. */
function stands(selector: string, name: string): boolean {
  const [head = "", ...rest] = selector.split("*");
  const tail = rest.pop();
  if (tail === undefined) return selector === name;
  if (!name.startsWith(head) || name.length < head.length + tail.length) return false;
  let at = head.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return name.length - tail.length >= at && name.endsWith(tail);
}

/** Whoever is meant is not among those of the verdict. */
export function nobody(selector: string, verdict: VerdictValue, server: ServerTarget): MtlsRefusal {
  const { callers, silent } = inTheWay(verdict);
  const message = `${printable(selector)} stands for nobody who is in the way: nobody is waived, and nothing was changed`;
  const command = commandOf(server, "mtls check", [verdict.target]);
  const isFree = callers.length + silent.length === 0;
  const why = isFree ? "nobody is in the way who is not waived already" : "who they are";
  return { code: "waiver-nobody", message, next: [{ command, why }], verdict };
}

/** As it would be if those were passed over. */
export function waivedVerdict(verdict: VerdictValue, names: ReadonlySet<string>): VerdictValue {
  const pass = <T extends { readonly name: string; readonly waived: boolean }>(all: readonly T[]) =>
    all.map((each) => (names.has(each.name) ? { ...each, waived: true } : each));
  const passed = { ...verdict, callers: pass(verdict.callers), silent: pass(verdict.silent) };
  const { callers, silent } = inTheWay(passed);
  const kind = callers.length > 0 ? "unsafe" : silent.length > 0 ? "unknown" : "safe";
  return { ...passed, verdict: kind };
}

export interface WaiverOrder {
  readonly names: ReadonlySet<string>;
  readonly wanted: Wanted;
  readonly operator: string;
  readonly verdict: VerdictValue;
}

/** @returns why not. @throws UsageError, AdminClientError, CommandRefusedError */
export async function addWaivers(
  server: ServerTarget,
  { names, wanted, operator, verdict }: WaiverOrder,
): Promise<MtlsRefusal | undefined> {
  const { target, now } = verdict;
  const request = {
    target,
    names: [...names],
    reason: wanted.reason,
    operator,
    // By the server's clock, which ends them.
    untilMs: Date.parse(now) + wanted.seconds * 1_000,
  };
  const asked = addCallerWaivers(server.address, request);
  const { result } = await hinted(server, asUsage("mtls flip", asked));
  if (result.case === "waivers") return undefined;
  return result.case === undefined ? answerEmpty(server) : refusalValue(result.value, server);
}

export function waivedWords(names: ReadonlySet<string>, { seconds }: Wanted): string {
  return `${names.size} of them for ${formatSpan(seconds * 1_000)}`;
}
