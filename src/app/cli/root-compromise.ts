/** What distrusting an authority breaks, before it is done; and the wait until nobody trusts it, after. */

import type { RootSource } from "../../edge/rpc/root-command.ts";
import { ExitCode, type Context } from "./command.ts";
import { formatRelative, formatSpan } from "./format.ts";
import { wantsColour } from "./output.ts";
import { pollRootStatus, untilNextPoll } from "./root-follow.ts";
import { holdersOf, leavesOf, shapeOf } from "./root-judgement.ts";
import { laggardTable } from "./root-laggards.ts";
import type { Progress } from "./root-progress.ts";
import { confirmationWait } from "./root-rotate-step.ts";
import type { RootAuthorityValue, RootStatusValue } from "./root-value.ts";

/** Before anything is asked. */
export function breakText(
  context: Context,
  status: RootStatusValue,
  authority: RootAuthorityValue,
  replacement: RootSource,
): string {
  const nowMs = Date.parse(status.now);
  const holders = holdersOf(status, authority);
  const certificates = leavesOf(holders);
  const named = holders?.named.filter(({ kind }) => kind !== "server") ?? [];
  const { perSecond } = status.reissue;
  const reissueMs = perSecond > 0 ? (certificates / perSecond) * 1_000 : 0;
  const last =
    holders === undefined || holders.lastEndsAt === ""
      ? ""
      : `, the last until ${formatRelative(Date.parse(holders.lastEndsAt), nowMs)}`;
  return [
    `authority ${authority.id} (${authority.state}) is to be distrusted, whatever that breaks:\n`,
    `${certificates} certificates hang on its root${last}: whoever has the new bundle refuses them\n`,
    laggardTable(named, certificates, nowMs, wantsColour(context)),
    "connections that are open survive; new ones fail until both sides have the new bundle and a new certificate\n",
    `re-issue takes about ${formatSpan(reissueMs)} for who is connected; who is away is out until it comes back\n`,
    `${successorOf(status, authority, replacement)}; there is no way back\n`,
  ].join("");
}

function successorOf(
  status: RootStatusValue,
  { state }: RootAuthorityValue,
  { fromDir }: RootSource,
): string {
  const { active, retiring, prepared } = shapeOf(status);
  if (state !== "active") return `authority ${active?.id} signs on`;
  const other = retiring ?? prepared;
  if (other !== undefined) return `authority ${other.id} (${other.state}) signs from then on`;
  const made = fromDir === undefined ? "a new root of the server's own" : `the CA in ${fromDir}`;
  return `${made} signs from then on`;
}

/** The authority's id, typed again: a yes would be too quick. */
export async function isMeant({ ask, stderr }: Context, authorityId: string): Promise<boolean> {
  if (ask === undefined) {
    stderr.write(
      "refused: expected a terminal to ask at, got none: nothing was changed\n" +
        `hint: if it is meant, add --yes-break ${authorityId}\n`,
    );
    return false;
  }
  const answer = await ask("Type the authority's id again to break this: ");
  if (answer?.trim() === authorityId) return true;
  stderr.write("refused: that was not the id: nothing was changed\n");
  return false;
}

/** Until the server has the proof that nobody trusts it any more. @throws CommandRefusedError */
export async function watchGone(
  context: Context,
  address: string,
  authorityId: string,
  progress: Progress,
): Promise<ExitCode> {
  while (!context.signal.aborted) {
    const status = await pollRootStatus(address);
    if (status === undefined) progress.away();
    else if (status.authorities.every(({ id }) => id !== authorityId)) {
      progress.note("done", `nobody trusts authority ${authorityId} any more`);
      return ExitCode.ok;
    } else progress.wait(confirmationWait(status), status);
    await untilNextPoll(context);
  }
  progress.end();
  context.stderr.write(
    "interrupted: it is distrusted; who still trusts it is shown by portcullis root status\n",
  );
  return ExitCode.error;
}
