/** A server that is asked again and again, for as long as somebody waits, through its restarts. */

import { setTimeout as sleep } from "node:timers/promises";
import { AdminClientError } from "../../edge/rpc/admin-error.ts";
import type { Context } from "./command.ts";

const pollMs = 1_000;

/** Until it is time to ask again, or the signal comes. */
export async function untilNextPoll(
  { signal }: Pick<Context, "signal">,
  waitMs: number = pollMs,
): Promise<void> {
  await sleep(waitMs, undefined, { signal }).catch(() => {});
}

/**
 * @param signal ends the wait for an answer
 * @returns undefined where nobody answers. @throws whatever else the answer throws
 */
export async function unlessAway<T>(
  answer: Promise<T>,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const ended = Promise.withResolvers<undefined>();
  const end = (): void => ended.resolve(undefined);
  signal?.addEventListener("abort", end, { once: true });
  try {
    return await Promise.race([answer, ended.promise]);
  } catch (error) {
    if (error instanceof AdminClientError) return undefined;
    throw error;
  } finally {
    signal?.removeEventListener("abort", end);
  }
}
