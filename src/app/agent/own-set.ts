/** What an agent finds of its own at its start: the set of an earlier life, if it still is this agent's. */

import type { SpiffeId } from "../../core/spiffe/id.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { readWorkloadSet, StateFileError, type WorkloadSet } from "./workload-set.ts";

/**
 * A set that cannot be used is worth less than a new one: it is reported, and asked for again. A directory that was
 * another's must not give this one its key.
 *
 * @param isOwn whether this identity is ours
 * @throws PrivateFileError
 */
export async function readOwnSet(
  stateDir: string,
  isOwn: (id: SpiffeId) => boolean | Promise<boolean>,
  events: AgentEvents,
): Promise<WorkloadSet | undefined> {
  try {
    const stored = await readWorkloadSet(stateDir);
    if (stored === undefined || (await isOwn(stored.certificate.id))) return stored;
    const message = `the stored certificate is of ${stored.certificate.id.toString()}`;
    throw new StateFileError("state-file-foreign", message, {
      hint: "give each agent a state directory of its own",
    });
  } catch (error) {
    if (!(error instanceof StateFileError)) throw error;
    events.stateUnreadable(error);
    return undefined;
  }
}

export function validSet(set: WorkloadSet | undefined, nowMs: number): WorkloadSet | undefined {
  return set !== undefined && nowMs < set.certificate.notAfterMs ? set : undefined;
}
