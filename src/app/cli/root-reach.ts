/** The server of a rotation, found: one that is starting is waited for, as it is when it starts anew in the middle. */

import { EndpointsError } from "../../edge/config/endpoints.ts";
import { AdminClientError } from "../../edge/rpc/admin-client.ts";
import type { Context } from "./command.ts";
import { fetchStatus, untilNextPoll } from "./root-follow.ts";
import { resolveRootTarget, type ConnectionValues, type RootTarget } from "./root-target.ts";
import type { RootStatusValue } from "./root-value.ts";

export interface Reached {
  readonly target: RootTarget;
  readonly status: RootStatusValue;
}

export interface Patience {
  /** Of a server that is not there: nothing says that it comes back. */
  readonly awayMs: number;
  readonly isTimeOver: () => boolean;
}

/** @throws EndpointsError, PrivateFileError, AdminClientError, CommandRefusedError */
export async function reachRoots(
  context: Context,
  flags: ConnectionValues,
  { awayMs, isTimeOver }: Patience,
): Promise<Reached> {
  const endMs = performance.now() + awayMs;
  for (let isSaid = false; ; isSaid = true) {
    try {
      const target = await resolveRootTarget(flags, context.env);
      return { target, status: await fetchStatus(target, 1) };
    } catch (error) {
      const mayCome = isStarting(error) || (isAway(error) && performance.now() < endMs);
      if (!mayCome || context.signal.aborted || isTimeOver()) throw error;
      if (!isSaid) context.stderr.write("the server is not there yet: waiting for it\n");
    }
    await untilNextPoll(context);
  }
}

function isStarting(error: unknown): boolean {
  return error instanceof EndpointsError && error.code === "endpoints-starting";
}

function isAway(error: unknown): boolean {
  if (error instanceof AdminClientError) return true;
  return error instanceof EndpointsError && error.code === "endpoints-stale";
}
