/** Which agents have ended with their pods, by the log's certificates: each says on which pod's token it was issued. Pure. */

import { isNodeAgentName } from "../../../../core/roll/leaf-owners.ts";
import type { IntentEntry } from "../../../../core/log/entry.ts";

export interface IssuedToPod {
  readonly intentIndex: number;
  readonly intent: Pick<IntentEntry, "artifact" | "agent" | "serial" | "evidence">;
}

export interface EndedAgent {
  readonly agent: string;
  /** In the log, of the last certificate that it got by a token of a pod that has ended. */
  readonly lastIndex: number;
  /** By a token of a pod that has not ended it has got others: its state outlives its pods. */
  readonly livesOn: boolean;
  readonly serials: readonly string[];
}

/** @param issued to one identity, in any order. @param ended UIDs of pods */
export function endedAgents(
  issued: Iterable<IssuedToPod>,
  ended: ReadonlySet<string>,
): readonly EndedAgent[] {
  const agents = new Map<string, { lastIndex: number; livesOn: boolean; serials: string[] }>();
  for (const { intentIndex, intent } of issued) {
    const { artifact, agent, serial, evidence } = intent;
    if (artifact !== "workload" || agent === "" || isNodeAgentName(agent)) continue;
    const of = agents.get(agent) ?? { lastIndex: -1, livesOn: false, serials: [] };
    agents.set(agent, of);
    if (ended.has(evidence.podUid)) {
      of.lastIndex = Math.max(of.lastIndex, intentIndex);
      of.serials.push(Buffer.from(serial).toString("hex"));
    } else of.livesOn = true;
  }
  return [...agents].flatMap(([agent, of]) => (of.lastIndex < 0 ? [] : [{ agent, ...of }]));
}
