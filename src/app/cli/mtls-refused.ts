/** What a server refuses to judge or to flip, as a value and for people: the cause, who is in the way, and the next command. */

import { PortcullisError } from "../../core/error.ts";
import type { FlipRefusal } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import type { ExitCode } from "./command.ts";
import { asAsked, type Asked } from "./mtls-asked.ts";
import { verdictNext } from "./mtls-verdict-next.ts";
import { verdictText, type VerdictView } from "./mtls-verdict-text.ts";
import { verdictValue, type VerdictValue } from "./mtls-verdict-value.ts";
import { nextLines, nextOf, type NextValue } from "./next-commands.ts";
import type { ServerTarget } from "./server-target.ts";
import { wordsOf } from "./server-words.ts";
import { printable } from "./text.ts";
import { UsageError } from "./usage-error.ts";

/** Whatever refuses, server or verb, has the same shape. */
export type MtlsRefusal = {
  readonly code: string;
  readonly message: string;
  readonly next: readonly NextValue[];
  /** Null where it is refused whatever was seen. */
  readonly verdict: VerdictValue | null;
};

/** How a verb says that it does not do it. */
export type RefuseMtls = (refused: MtlsRefusal) => Promise<ExitCode>;

/** @param asked with it, and again by the next commands */
export function refusalValue(
  { code, message, hint, verdict: found }: FlipRefusal,
  server: ServerTarget,
  asked: Asked = { lookBack: undefined },
): MtlsRefusal {
  const verdict = found === undefined ? null : verdictValue(found);
  const deeds = verdict === null ? [] : verdictNext(verdict, server, asked);
  const next = [...asAsked(nextOf(server, hint), asked), ...deeds];
  return { code, message, next, verdict };
}

export function answerEmpty(server: ServerTarget): MtlsRefusal {
  const message = "the server's answer says neither that it was done nor that it was refused";
  const next = nextOf(server, "portcullis mtls status");
  return { code: "answer-empty", message, next, verdict: null };
}

export function refusalText(
  { code, message, next, verdict }: MtlsRefusal,
  view: VerdictView & { readonly nowMs: number },
): string {
  const nowMs = verdict === null ? view.nowMs : Date.parse(verdict.now);
  const tables = verdict === null ? "" : verdictText(verdict, view);
  const cause = `refused: ${wordsOf(message, nowMs)} (${printable(code)})\n`;
  return `${cause}${tables}${nextLines("hint", next, nowMs)}`;
}

/** Where no answer is a verdict: such as a target that is not there. @param refused undefined for an answer that says nothing */
export function refusalError(
  refused: FlipRefusal | undefined,
  server: ServerTarget,
  asked: Asked,
): PortcullisError {
  const { code, message, next } =
    refused === undefined ? answerEmpty(server) : refusalValue(refused, server, asked);
  const hints = next.map(({ why, command }) => [why, command].filter((each) => each !== ""));
  const hint = hints.map((each) => each.join(": ")).join("\n");
  const options = hint === "" ? {} : { hint };
  // A word of the command line.
  if (code.startsWith("look-back-")) return new UsageError("usage-invalid-value", message, options);
  return new PortcullisError(code, message, options);
}
