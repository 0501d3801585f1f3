/** What distrusting an authority breaks, before it is done; and the wait until nobody trusts it, after. */

import type { RootSource } from "../../edge/rpc/root-command.ts";
import { ExitCode, type Context } from "./command.ts";
import { formatSpan } from "./format.ts";
import { wantsColour } from "./output.ts";
import { untilNextPoll } from "./poll.ts";
import { pollRootStatus } from "./root-follow.ts";
import { waiverNext } from "./root-classes.ts";
import { refusal } from "./root-change-value.ts";
import type { Refuse } from "./root-change.ts";
import { confirm } from "./confirm.ts";
import type { LaggardValue } from "./laggard-value.ts";
import type { Progress } from "./live-progress.ts";
import { holdersOf, leavesOf, workloadsOf } from "./root-judgement.ts";
import { hangingText } from "./root-hanging.ts";
import { laggardTable } from "./root-laggards.ts";
import { nextLines } from "./next-commands.ts";
import { rotationAway, rotationWaiting } from "./root-progress-text.ts";
import { confirmationWait } from "./root-rotate-step.ts";
import { sourceWords } from "./root-source.ts";
import { commandOf, pasteable, type ServerTarget } from "./server-target.ts";
import type { RootAuthorityValue, RootStatusValue } from "./root-value.ts";
import { wordsOf } from "./server-words.ts";

/** Before anything is asked. @param lines what the server would do */
export function breakText(
  context: Context,
  target: ServerTarget,
  status: RootStatusValue,
  authority: RootAuthorityValue,
  lines: readonly string[],
): string {
  const nowMs = Date.parse(status.now);
  const holders = holdersOf(status, authority);
  const certificates = leavesOf(holders);
  const { perSecond } = status.reissue;
  const reissueMs = perSecond > 0 ? (certificates / perSecond) * 1_000 : 0;
  const view = { nowMs, colour: wantsColour(context), target };
  const told = [
    `authority ${authority.id} (${authority.state}) is to be distrusted, whatever that breaks:`,
    `${hangingText(holders, nowMs)}: whoever has the new bundle refuses them`,
    laggardTable(workloadsOf(holders), certificates, view),
    "connections that are open survive; new ones fail until both sides have the new bundle and a new certificate",
    `re-issue takes at most ${formatSpan(Math.max(1_000, reissueMs))} for who is connected; who is away is out until it comes back`,
    `whoever has nothing but its certificate needs a new join token: ${pasteable(target, "portcullis join-token create --spiffe-id ID")}`,
    ...lines.map((line) => wordsOf(line, nowMs)),
    "there is no way back",
  ];
  return told.map((line) => (line.endsWith("\n") || line === "" ? line : `${line}\n`)).join("");
}

/** The authority's id, typed again: a yes would be too quick. @returns `ok` for it */
export async function confirmBreak(
  context: Context,
  target: ServerTarget,
  authorityId: string,
  source: RootSource,
  refuse: Refuse,
): Promise<ExitCode> {
  const words = [authorityId, ...sourceWords(source), "--yes-break", authorityId];
  const next = [{ command: commandOf(target, "root compromise", words), why: "if it is meant" }];
  return await confirm(context, {
    text: "Type the authority's id again to break this: ",
    wanted: authorityId,
    nothing: "nothing was changed",
    refuse: (code, message) => refuse(refusal(code, message, next)),
  });
}

/** Until the server has the proof that nobody trusts it any more. @throws CommandRefusedError */
export async function watchGone(
  context: Context,
  target: ServerTarget,
  authorityId: string,
  progress: Progress,
): Promise<ExitCode> {
  let hasWaived = false;
  let laggards: readonly LaggardValue[] = [];
  while (!context.signal.aborted) {
    const status = await pollRootStatus(target);
    if (status === undefined) progress.away(rotationAway);
    else if (status.authorities.every(({ id }) => id !== authorityId)) {
      const but = hasWaived ? ", but for those who were waived" : "";
      progress.note("done", `nobody trusts authority ${authorityId} any more${but}`);
      return ExitCode.ok;
    } else {
      hasWaived ||= status.waivers.length > 0;
      laggards = status.verifiers.laggards;
      progress.wait(rotationWaiting(confirmationWait(status), status));
    }
    await untilNextPoll(context);
  }
  progress.end();
  const shown = pasteable(target, "portcullis root status");
  context.stderr.write(`interrupted: it is distrusted; who may still trust it: ${shown}\n`);
  context.stderr.write(nextLines("next", waiverNext(target, laggards), context.nowMs()));
  return ExitCode.error;
}
