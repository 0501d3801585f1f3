/** The server's answers for as long as somebody waits: each second, through its restarts. */

import { setTimeout as sleep } from "node:timers/promises";
import { fetchRootStatus } from "../../edge/rpc/root-client.ts";
import { unlessAway } from "./poll.ts";
import { holdersOf, shapeOf } from "./root-judgement.ts";
import { namedAll, namedDefault } from "./root-laggards.ts";
import type { ServerTarget } from "./server-target.ts";
import { rootStatusValue, type RootStatusValue } from "./root-value.ts";

/** @returns undefined while nobody answers there. @throws CommandRefusedError */
export async function pollRootStatus(target: ServerTarget): Promise<RootStatusValue | undefined> {
  return await unlessAway(fetchStatus(target, namedDefault));
}

const rebuildingMs = 3_000;

/** A server reads the owners of certificates from its log when somebody asks; mostly that takes a moment. */
export async function fetchSettledStatus(
  target: ServerTarget,
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
  target: ServerTarget,
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
export async function fetchStatus(
  target: ServerTarget,
  namedMax: number,
): Promise<RootStatusValue> {
  return rootStatusValue(await fetchRootStatus(target.address, namedMax), target);
}
