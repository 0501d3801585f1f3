/** What the server's log knows, and its index of certificates: durable, in the order of the entries. */

import type { LeavingAgent } from "../../src/core/roll/leaf-owners.ts";
import type { LeafRecord } from "../../src/core/roll/leaf-record.ts";

export interface Goodbye {
  readonly agent: LeavingAgent;
  readonly atMs: number;
}

export class SimLog {
  readonly leaves: LeafRecord[] = [];
  readonly goodbyes: Goodbye[] = [];
  /** Of the next entry. */
  nextIndex = 0;

  intent(leaf: Omit<LeafRecord, "intentIndex" | "outcome">): LeafRecord {
    const record: LeafRecord = { ...leaf, intentIndex: this.nextIndex++, outcome: "open" };
    this.leaves.push(record);
    return record;
  }

  result(intent: LeafRecord): LeafRecord {
    this.nextIndex++;
    const record: LeafRecord = { ...intent, outcome: "signed" };
    this.leaves[this.leaves.indexOf(intent)] = record;
    return record;
  }

  /** Anything else, of which only its place matters. */
  event(): void {
    this.nextIndex++;
  }

  goodbye(agent: LeavingAgent, atMs: number): Goodbye {
    const event = { agent, atMs };
    this.nextIndex++;
    this.goodbyes.push(event);
    return event;
  }

  leafAt(intentIndex: number): LeafRecord | undefined {
    return this.leaves.find((leaf) => leaf.intentIndex === intentIndex);
  }
}
