/** The server of a rotation, found: one that is starting is waited for, as it is when it starts anew in the middle. */

import { EndpointsError } from "../../edge/config/endpoints.ts";
import { AdminClientError } from "../../edge/rpc/admin-error.ts";
import type { Context } from "./command.ts";
import { untilNextPoll } from "./poll.ts";
import { fetchStatus } from "./root-follow.ts";
import { printable } from "./text.ts";
import type { ConnectionValues } from "./admin-address.ts";
import { resolveServerTarget, type ServerTarget } from "./server-target.ts";
import type { RootStatusValue } from "./root-value.ts";

export interface Reached {
  readonly target: ServerTarget;
  readonly status: RootStatusValue;
}

export interface Patience {
  /** Of a server that is not there: nothing says that it comes back. */
  readonly awayMs: number;
  readonly isTimeOver: () => boolean;
}

/** @returns undefined where it was waited for until the time was over. @throws EndpointsError, PrivateFileError, AdminClientError, CommandRefusedError */
export async function reachRoots(
  context: Context,
  flags: ConnectionValues,
  { awayMs, isTimeOver }: Patience,
): Promise<Reached | undefined> {
  const endMs = performance.now() + awayMs;
  for (let isSaid = false; ; isSaid = true) {
    try {
      const target = await resolveServerTarget(flags, context);
      return { target, status: await fetchStatus(target, 1) };
    } catch (error) {
      const mayCome = isStarting(error) || (isAway(error) && performance.now() < endMs);
      if (!mayCome || context.signal.aborted) throw error;
      if (isTimeOver()) return undefined;
      if (!isSaid) context.stderr.write(`${messageOf(error)}: waiting for it\n`);
    }
    await untilNextPoll(context);
  }
}

function isStarting(error: unknown): boolean {
  return error instanceof EndpointsError && error.code === "endpoints-starting";
}

/** One that was stopped takes its address away, and one that was killed leaves it. */
function isAway(error: unknown): boolean {
  if (error instanceof AdminClientError) return true;
  if (!(error instanceof EndpointsError)) return false;
  return error.code === "endpoints-stale" || error.code === "endpoints-missing";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? printable(error.message) : "no server answers";
}
