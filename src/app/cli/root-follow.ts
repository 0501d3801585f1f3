/** The server's answers for as long as somebody waits: each second, through its restarts. */

import { setTimeout as sleep } from "node:timers/promises";
import { AdminClientError } from "../../edge/rpc/admin-client.ts";
import { fetchRootStatus } from "../../edge/rpc/root-client.ts";
import type { Context } from "./command.ts";
import { namedDefault } from "./root-laggards.ts";
import { rootStatusValue, type RootStatusValue } from "./root-value.ts";

const pollMs = 1_000;

/** @returns undefined while nobody answers there. @throws CommandRefusedError */
export async function pollRootStatus(address: string): Promise<RootStatusValue | undefined> {
  try {
    return rootStatusValue(await fetchRootStatus(address, namedDefault));
  } catch (error) {
    if (error instanceof AdminClientError) return undefined;
    throw error;
  }
}

const rebuildingMs = 3_000;

/** A server reads the owners of certificates from its log when somebody asks; mostly that takes a moment. */
export async function fetchSettledStatus(
  address: string,
  namedMax: number,
  signal: AbortSignal,
): Promise<RootStatusValue> {
  const endMs = performance.now() + rebuildingMs;
  for (;;) {
    const status = rootStatusValue(await fetchRootStatus(address, namedMax));
    const isRebuilding = status.verifiers.laggards.some(({ reason }) => reason === "rebuilding");
    if (!isRebuilding || signal.aborted || performance.now() > endMs) return status;
    await sleep(rebuildingMs / 20, undefined, { signal }).catch(() => {});
  }
}

/** Until it is time to ask again, or the signal comes. */
export async function untilNextPoll({ signal }: Pick<Context, "signal">): Promise<void> {
  await sleep(pollMs, undefined, { signal }).catch(() => {});
}
