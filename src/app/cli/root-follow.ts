/** The server's answers for as long as somebody waits: each second, through its restarts. */

import { setTimeout as sleep } from "node:timers/promises";
import { AdminClientError } from "../../edge/rpc/admin-client.ts";
import { fetchRootStatus } from "../../edge/rpc/root-client.ts";
import type { Context } from "./command.ts";
import { holdersOf, shapeOf } from "./root-judgement.ts";
import { namedAll, namedDefault } from "./root-laggards.ts";
import type { RootTarget } from "./root-target.ts";
import { rootStatusValue, type RootStatusValue } from "./root-value.ts";

const pollMs = 1_000;

/** @returns undefined while nobody answers there. @throws CommandRefusedError */
export async function pollRootStatus(target: RootTarget): Promise<RootStatusValue | undefined> {
  try {
    return await fetchStatus(target, namedDefault);
  } catch (error) {
    if (error instanceof AdminClientError) return undefined;
    throw error;
  }
}

const rebuildingMs = 3_000;

/** A server reads the owners of certificates from its log when somebody asks; mostly that takes a moment. */
export async function fetchSettledStatus(
  target: RootTarget,
  namedMax: number,
  signal: AbortSignal,
): Promise<RootStatusValue> {
  const endMs = performance.now() + rebuildingMs;
  for (;;) {
    const status = await fetchStatus(target, namedMax);
    const isRebuilding = status.verifiers.laggards.some(({ reason }) => reason === "rebuilding");
    if (!isRebuilding || signal.aborted || performance.now() > endMs) return status;
    await sleep(rebuildingMs / 20, undefined, { signal }).catch(() => {});
  }
}

/** For people, who read a line for each workload, with all certificates of those that are waited for; or as it is asked for. */
export async function fetchShownStatus(
  target: RootTarget,
  { all, output }: { readonly all: boolean; readonly output: string },
  signal: AbortSignal,
): Promise<RootStatusValue> {
  const status = await fetchSettledStatus(target, all ? namedAll : namedDefault, signal);
  if (all || output !== "table") return status;
  const { prepared, retiring } = shapeOf(status);
  const holders = holdersOf(status, retiring ?? prepared);
  const isNamed =
    status.verifiers.lagging <= status.verifiers.laggards.length &&
    (holders === undefined || holders.unexpired - holders.waived <= holders.named.length);
  return isNamed ? status : await fetchStatus(target, namedAll);
}

/** @throws AdminClientError, CommandRefusedError */
export async function fetchStatus(target: RootTarget, namedMax: number): Promise<RootStatusValue> {
  return rootStatusValue(await fetchRootStatus(target.address, namedMax), target);
}

/** Until it is time to ask again, or the signal comes. */
export async function untilNextPoll({ signal }: Pick<Context, "signal">): Promise<void> {
  await sleep(pollMs, undefined, { signal }).catch(() => {});
}
